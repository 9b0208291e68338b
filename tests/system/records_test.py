"""Records through the real thing and back: every byte, every null, every way to say where and how many."""
import base64
import json
import os
import signal
import subprocess
import threading
import unittest

from world import BINARY, PATIENCE, World


class Records(World):
    def setUp(self):
        super().setUp()
        self.node = self.start()
        self.ok("topic", "create", "t")

    def values(self, *flags):
        return self.ok("consume", "t", "-e", *flags).out.decode().splitlines()

    def test_a_file_comes_back_byte_for_byte(self):
        lines = [b"line %d with a carriage return\r" % i for i in range(20000)] + [b"", b"\xff\x00 binary", b"no newline"]
        text = b"\n".join(lines)
        with open(self.path("input"), "wb") as file:
            file.write(text)
        done = self.ok("produce", "t", "--output", "json", self.path("input"))
        told = done.json()
        self.assertEqual(set(told), {"records", "acknowledged", "bytes", "seconds", "error"})
        self.assertEqual((told["records"], told["acknowledged"], told["error"]), (len(lines), len(lines), None))
        self.assertEqual(self.ok("consume", "t", "-e").out, text + b"\n")

    def test_four_partitions_hold_every_line(self):
        self.ok("topic", "create", "four", "-p", "4")
        lines = sorted(b"%d\tvalue %d\r" % (i % 100, i) for i in range(5000))
        self.ok("produce", "four", "-f", "%k\\t%v\\n", stdin=b"\n".join(lines) + b"\n")
        out = self.ok("consume", "four", "-e", "-f", "%k\\t%v\\n").out
        self.assertEqual(sorted(out.split(b"\n")[:-1]), lines)
        self.assertEqual(len(set(self.ok("consume", "four", "-e", "-f", "%p\\n").out.split())), 4)

    def test_json_copies_a_topic_with_nulls_and_binary(self):
        wild = [{"key": None, "value": None}, {"key": "", "value": ""}, {"key": "k", "value": "\u00e9\n\t\"\\"},
                {"key": {"base64": "/wA="}, "value": {"base64": base64.b64encode(bytes(range(256))).decode()}},
                {"key": "k", "value": None, "headers": [{"key": "h", "value": None}, {"key": "h", "value": "1"}],
                 "timestamp": 1700000000000}]
        self.ok("topic", "create", "from", "-p", "3")
        self.ok("topic", "create", "to", "-p", "3")
        self.ok("produce", "from", "-f", "json", stdin="\n".join(map(json.dumps, wild)).encode())
        first = self.ok("consume", "from", "-e", "-f", "json").out
        self.ok("produce", "to", "-f", "json", stdin=first)
        second = self.ok("consume", "to", "-e", "-f", "json").out
        self.assertEqual(len(first.splitlines()), len(wild))
        self.assertEqual(sorted(first.splitlines()), sorted(second.replace(b'"topic":"to"', b'"topic":"from"').splitlines()))
        seen = [json.loads(line) for line in first.splitlines()]
        self.assertEqual(set(seen[0]), {"topic", "partition", "offset", "timestamp", "key", "value", "headers"})
        strip = lambda r: json.dumps([r["key"], r["value"], r.get("headers", [])], sort_keys=True)
        self.assertEqual(sorted(map(strip, seen)), sorted(map(strip, wild)))

    def stored_codecs(self):
        """The codecs of the batches on disk that begin as their codec's bytes do."""
        begins = {0: b"", 1: b"\x1f\x8b\x08", 2: b"\x82SNAPPY\0\0\0\0\1\0\0\0\1", 3: b"\x04\x22\x4d\x18", 4: b"\x28\xb5\x2f\xfd"}
        found = set()
        for folder, _, names in os.walk(self.path("data")):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    data = file.read()
                for number, begin in list(begins.items())[1:]:
                    at = data.find(begin)
                    while at >= 0:  # 61 bytes of header before it: magic 2, the codec in the low bits of the attributes
                        if at >= 61 and data[at - 45] == 2 and data[at - 39] & 7 == number:
                            found.add(number)
                        at = data.find(begin, at + 1)
        return found

    def test_every_codec_hands_records_on_unchanged(self):
        records = [{"key": f"k{i % 7}", "value": f"line {i} " * (i % 50), "timestamp": 1700000000000 + i} for i in range(3000)]
        records += [{"key": None, "value": None}, {"key": "", "value": ""},
                    {"key": {"base64": "/wA="}, "value": {"base64": base64.b64encode(bytes(range(256)) * 20).decode()}},
                    {"key": "h", "value": "v", "headers": [{"key": "a", "value": None}, {"key": "a", "value": "1"}]}]
        for record in records[-4:]:
            record["timestamp"] = 1700000000000
        text = "\n".join(map(json.dumps, records)).encode()
        self.assertEqual(self.stored_codecs(), set())
        first = None
        for number, codec in enumerate(("none", "gzip", "snappy", "lz4", "zstd")):
            self.ok("topic", "create", codec)
            self.ok("produce", codec, "-f", "json", "-z", codec, "--output", "json", stdin=text)
            text = self.ok("consume", codec, "-e", "-f", "json").out
            seen = text.replace(b'"topic":"%s"' % codec.encode(), b'"topic":"t"')
            first = first or seen
            self.assertEqual(seen, first, codec)
            self.assertEqual(len(seen.splitlines()), len(records))
            self.assertEqual(self.stored_codecs(), set(range(1, number + 1)), codec)
        self.fails(2, "none, gzip, snappy, lz4, zstd", "produce", "t", "-z", "brotli", stdin=b"x\n")
        for codec in ("gzip", "snappy"):
            told = self.ok("bench", "produce", "--topic", "t", "-z", codec, "--records", "100", "--output", "json").json()
            self.assertEqual(told["records"], 100)

    def test_where_to_begin_and_to_end(self):
        self.ok("produce", "t", stdin=b"".join(b"%d\n" % i for i in range(10)))
        everything = [str(i) for i in range(10)]
        for offset, expected in {"start": everything, "beginning": everything, "end": [], "4": everything[4:],
                                 "+4": everything[4:], "-4": everything[-4:], "-400": everything, "2:5": everything[2:5],
                                 ":3": everything[:3], "-3:-1": everything[-3:-1], "8:": everything[8:], "@0": everything,
                                 "@-1h": everything, "@-1h:end": everything, "@4102444800000": []}.items():
            self.assertEqual(self.values("-o", offset), expected, offset)
        self.assertEqual(self.ok("consume", "t", "-o", "2:5").out, b"2\n3\n4\n")  # a range ends without -e
        self.assertEqual(self.ok("consume", "t", "-n", "3").out, b"0\n1\n2\n")
        self.assertEqual(self.ok("topic", "consume", "t", "-e", "-n", "1", "-o", "5", "-f", "%t %p %o %v\\n").out, b"t 0 5 5\n")
        self.fails(1, "holds 0 to 10", "consume", "t", "-e", "-o", "11")
        self.fails(2, "none of start", "consume", "t", "-e", "-o", "newest")
        self.fails(4, "its partitions are 0 to 0", "consume", "t", "-e", "-p", "1")
        self.fails(4, "topic create", "consume", "nope", "-e")
        self.fails(2, "values are %v", "consume", "t", "-e", "-f", "%s\\n")
        self.fails(1, "not there yet", "consume", "t", "-g", "readers")

    def test_what_produce_is_told_holds(self):
        self.ok("produce", "t", "-k", "K", "-H", "a=1", "-H", "b=2", "-Z", "NULL", "-p", "0", "-z", "zstd", stdin=b"x\nNULL\n")
        self.assertEqual(self.ok("consume", "t", "-e", "-f", "%k|%v|%h\\n").out, b"K|x|a=1,b=2\nK||a=1,b=2\n")
        self.assertIsNone(json.loads(self.ok("consume", "t", "-e", "-o", "1", "-f", "json").out)["value"])
        for level in ("all", "1", "0"):
            self.ok("produce", "t", "--acks", level, stdin=b"acks\n")
        self.fails(4, "topic create", "produce", "absent", stdin=b"x\n")
        self.ok("produce", "absent", "--create", stdin=b"x\n")
        self.fails(2, "position 3", "produce", "t", "-f", "%k%v\\n", stdin=b"x\n")
        self.fails(1, "record 2", "produce", "t", "-f", "%k\\t%v\\n", stdin=b"a\tb\nno separator\n")
        self.fails(1, "cannot open", "produce", "t", self.path("nowhere"))

    def test_a_record_that_is_too_large_is_a_failure_that_is_told(self):
        ended = self.fails(1, "try: ", "produce", "t", "--output", "json", stdin=b"small\n" + b"x" * (2 << 20) + b"\n")
        told = ended.json()
        self.assertEqual(told["acknowledged"], 1)
        self.assertIn("message_too_large", told["error"])

    def test_the_report_has_every_record_in_input_order(self):
        lines = [b"%d" % i for i in range(3000)]
        out = self.ok("produce", "t", "--report", "%t %p %o %v", stdin=b"\n".join(lines)).out
        self.assertEqual(out, b"".join(b"t 0 %d %s\n" % (i, line) for i, line in enumerate(lines)))

    def test_the_report_comes_while_the_input_is_still_open(self):
        producer = subprocess.Popen([BINARY, "produce", "t", "--report", "%o"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                    stderr=subprocess.DEVNULL, env=self.env)
        bound = threading.Timer(PATIENCE, producer.kill)
        bound.start()
        for i in range(3):
            producer.stdin.write(b"one\n")
            producer.stdin.flush()
            self.assertEqual(producer.stdout.readline(), b"%d\n" % i)
        producer.stdin.close()
        self.assertEqual(producer.wait(PATIENCE), 0)
        bound.cancel()
        producer.stdout.close()

    def test_following_shows_what_comes_and_ends_with_the_signal(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            reader = subprocess.Popen([BINARY, "consume", "t", "-o", "end"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                      env=self.env)
            bound = threading.Timer(PATIENCE, reader.kill)
            bound.start()
            # Written until seen: where the reader's "end" is, only the reader knows.
            line = []
            waiter = threading.Thread(target=lambda: line.append(reader.stdout.readline()))
            waiter.start()
            while waiter.is_alive():
                self.ok("produce", "t", stdin=b"new\n")
                waiter.join(0.2)
            self.assertEqual(line, [b"new\n"])
            reader.send_signal(number)
            reader.stdout.read()
            self.assertEqual(reader.wait(PATIENCE), 0)
            bound.cancel()
            reader.stdout.close()

    def test_a_closed_pipe_ends_with_success(self):
        self.ok("produce", "t", stdin=b"".join(b"line %d\n" % i for i in range(100000)))
        for flags in (["-e"], []):  # the second is idle when its reader goes
            reader = subprocess.Popen([BINARY, "consume", "t", *flags], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                      env=self.env)
            self.assertEqual(reader.stdout.readline(), b"line 0\n")
            reader.stdout.close()
            self.assertEqual(reader.wait(PATIENCE), 0)

    def test_a_full_disk_below_stdout_is_a_failure(self):
        self.ok("produce", "t", stdin=b"x\n")
        with open("/dev/full", "wb") as full:
            ended = subprocess.run([BINARY, "consume", "t", "-e"], stdout=full, stderr=subprocess.PIPE, env=self.env,
                                   timeout=PATIENCE)
        self.assertEqual(ended.returncode, 1)
        self.assertIn(b"No space left", ended.stderr)

    def test_the_benches_count_what_they_did(self):
        self.ok("topic", "create", "b", "-p", "4")
        fields = {"records", "seconds", "recordsPerSecond", "megabytesPerSecond", "latencyMs"}
        for flags in (["produce", "--partitions-touched", "4"], ["produce", "--rate", "5k/s", "--clients", "2"], ["consume"],
                      ["end-to-end", "--rate", "2k"]):
            told = self.ok("bench", *flags, "--topic", "b", "--records", "2000", "--output", "json").json()
            self.assertEqual(set(told), fields)
            self.assertEqual(told["records"], 2000, told)
            self.assertEqual(set(told["latencyMs"]), {"p50", "p95", "p99", "p999", "max"})
        # Bounded by time: every record that was sent has its answer, and is there.
        self.ok("topic", "create", "timed")
        told = self.ok("bench", "produce", "--topic", "timed", "--duration", "300ms", "--clients", "2", "--output", "json").json()
        there = self.ok("topic", "describe", "timed", "--output", "json").json()
        self.assertGreater(told["records"], 0)
        self.assertEqual(sum(p["logEnd"] for p in there["partitions"]), told["records"])
        told = self.ok("bench", "produce", "--topic", "timed", "--duration", "1h", "--records", "100", "--output", "json").json()
        self.assertEqual(told["records"], 100)
        self.fails(4, "topic create", "bench", "produce", "--topic", "nope")
        self.fails(4, "fewer than", "bench", "produce", "--topic", "b", "--partitions-touched", "5")


if __name__ == "__main__":
    unittest.main(verbosity=2)
