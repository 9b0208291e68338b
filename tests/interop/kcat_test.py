"""kcat of Debian (librdkafka 2.0.2) against the Kafka listener: what one side writes, the other reads, byte for byte."""
import json
import signal
import subprocess
import threading
import unittest

from broker import CODECS, PATIENCE, Broker, log_lines, native

LINES = [b"%d a line that compresses well and ends in a carriage return\r" % i for i in range(2000)]
TEXT = b"\n".join(LINES) + b"\n"


def values(records):
    return [record.value for record in records]


class Both(Broker):
    """Bytes through one client and out of the other."""

    @native
    def test_every_codec_of_kcat_reaches_the_native_client(self):
        keyed = [b"k%d\t%s" % (i % 7, line) for i, line in enumerate(LINES)]
        for codec, number in CODECS.items():
            with self.subTest(codec=codec):
                topic = self.topic(codec)
                self.kcat("-P", "-t", topic, "-z", codec, "-K", "\\t", "-H", "a=1", "-H", "a=2", "-H", "empty=", "-H", "null",
                          stdin=b"\n".join(keyed) + b"\n")
                read = self.native_read(topic)
                self.assertEqual([b"%s\t%s" % (r.key, r.value) for r in read], keyed)
                self.assertEqual([r.offset for r in read], list(range(len(keyed))))
                headers = [("a", b"1"), ("a", b"2"), ("empty", b""), ("null", None)]
                self.assertTrue(all(r.headers == headers for r in read), read[0].headers)
                self.assertEqual(self.ok("consume", topic, "-e").out, TEXT)
                self.assertEqual(self.codecs_on_disk(), set(range(number + 1)))

    @native
    def test_every_codec_of_the_native_client_reaches_kcat(self):
        for codec, number in CODECS.items():
            with self.subTest(codec=codec):
                topic = self.topic(codec)
                self.ok("produce", topic, "-z", codec, "-k", "K", "-H", "a=1", "-H", "b=2", stdin=TEXT)
                read = self.kcat_read(topic)
                self.assertEqual(values(read), LINES)
                self.assertEqual({record.key for record in read}, {b"K"})
                self.assertIn(number, self.codecs_on_disk())
                first = json.loads(self.kcat("-C", "-t", topic, "-e", "-q", "-c", "1", "-J"))
                self.assertEqual((first["headers"], first["tstype"]), (["a", "1", "b", "2"], "create"))
                self.assertEqual([r.timestamp for r in self.native_read(topic)], [r.timestamp for r in read])

    def test_every_codec_of_kcat_reaches_kcat(self):
        for codec in CODECS:
            with self.subTest(codec=codec):
                topic = self.topic(codec)
                self.kcat("-P", "-t", topic, "-z", codec, stdin=TEXT)
                self.assertEqual(values(self.kcat_read(topic)), LINES)

    def test_real_logs_come_back_byte_for_byte(self):
        lines = [line for line in log_lines() if line]  # kcat leaves out lines without a byte
        self.assertTrue(all(line.endswith(b"\r") for line in lines[:10]))
        topic = self.topic("logs")
        self.kcat("-P", "-t", topic, "-z", "snappy", stdin=b"\n".join(lines))
        self.assertEqual(values(self.kcat_read(topic)), lines)

    @native
    def test_real_logs_go_from_one_client_to_the_other(self):
        lines = [line for line in log_lines() if line]
        text = b"\n".join(lines) + b"\n"
        for codec in ("none", "zstd"):
            topic = self.topic("native-" + codec)
            self.ok("produce", topic, "-z", codec, stdin=text)
            self.assertEqual(self.kcat("-C", "-t", topic, "-e", "-q"), text)
            topic = self.topic("kcat-" + codec)
            self.kcat("-P", "-t", topic, "-z", codec, stdin=text)
            self.assertEqual(self.ok("consume", topic, "-e").out, text)

    def test_null_and_empty_stay_different(self):
        topic = self.topic("nulls")
        self.kcat("-P", "-t", topic, "-K", "|", stdin=b"k|v\n|v\nk|\nno key\n")
        self.kcat("-P", "-t", topic, "-K", "|", "-Z", stdin=b"|v\nk|\n")
        seen = [(b"k", b"v"), (b"", b"v"), (b"k", b""), (None, b"no key"), (None, b"v"), (b"k", None)]
        self.assertEqual([(r.key, r.value) for r in self.kcat_read(topic)], seen)

    @native
    def test_null_and_empty_stay_different_between_the_clients(self):
        topic = self.topic("nulls")
        wild = [{"key": None, "value": None}, {"key": "", "value": ""}, {"key": "k", "value": None}, {"key": None, "value": "v"}]
        self.ok("produce", topic, "-f", "json", stdin="\n".join(map(json.dumps, wild)).encode())
        expected = [(None, None), (b"", b""), (b"k", None), (None, b"v")]
        self.assertEqual([(r.key, r.value) for r in self.kcat_read(topic)], expected)
        self.kcat("-P", "-t", topic, "-K", "|", "-Z", stdin=b"k|\n|v\n")
        self.assertEqual([(r.key, r.value) for r in self.native_read(topic)], expected + [(b"k", None), (None, b"v")])

    def test_every_byte_survives_in_keys_and_values(self):
        topic = self.topic("binary")
        key, value = bytes(range(256)), bytes(range(255, -1, -1)) * 40
        with open(self.path("value"), "wb") as file:
            file.write(value)
        self.kcat("-P", "-t", topic, self.path("value"))  # a file is one record
        self.assertEqual(values(self.kcat_read(topic)), [value])
        delimiter = b"~~end of record~~"
        self.kcat("-P", "-t", topic, "-D", delimiter.decode(), "-K", "||", stdin=key.replace(b"|", b"") + b"||" + value.replace(b"|", b""))
        read = self.kcat_read(topic)[-1]
        self.assertEqual((read.key, read.value), (key.replace(b"|", b""), value.replace(b"|", b"")))

    def test_every_level_of_acknowledgement_delivers(self):
        for acks in ("0", "1", "all"):
            topic = self.topic("acks-" + acks)
            self.kcat("-P", "-t", topic, "-X", "acks=" + acks, stdin=TEXT)
            # Nobody says when records without acknowledgement have arrived: look until they have.
            read = self.kcat("-C", "-t", topic, "-q", "-o", "beginning", "-c", str(len(LINES)))
            self.assertEqual(read, TEXT, acks)

    def test_an_idempotent_producer_is_given_an_identity(self):
        topic = self.topic("idempotent", 3)
        self.kcat("-P", "-t", topic, "-X", "enable.idempotence=true", "-z", "lz4", stdin=TEXT)
        self.assertEqual(sorted(values(self.kcat_read(topic))), sorted(LINES))

    @native
    def test_what_was_acknowledged_survives_a_kill(self):
        topic = self.topic("kill", 2)
        self.kcat("-P", "-t", topic, "-X", "acks=all", "-z", "zstd", stdin=TEXT)
        self.node.end(signal.SIGKILL)
        self.node = self.start(self.path("data"), "--kafka-listen", "127.0.0.1:0", new=False)
        self.kafka = self.node.at["kafka"]
        self.assertEqual(sorted(values(self.kcat_read(topic))), sorted(LINES))


class Where(Broker):
    """Where reading begins and ends."""

    def setUp(self):
        super().setUp()
        self.t = self.topic("t")
        for i in range(10):
            self.kcat("-P", "-t", self.t, stdin=b"%d\n" % i)
        self.all = self.kcat_read(self.t)
        self.assertEqual(values(self.all), [b"%d" % i for i in range(10)])

    def test_offsets(self):
        for offset, expected in {"beginning": self.all, "end": [], "0": self.all, "4": self.all[4:], "10": [], "-3": self.all[-3:],
                                 "-10": self.all}.items():
            self.assertEqual(self.kcat_read(self.t, "-o", offset), expected, offset)
        self.assertEqual(self.kcat_read(self.t, "-c", "2"), self.all[:2])

    def test_an_offset_outside_begins_where_the_client_was_told(self):
        for reset, expected in (("smallest", self.all), ("largest", [])):
            self.assertEqual(self.kcat_read(self.t, "-o", "4711", "-X", "topic.auto.offset.reset=" + reset), expected, reset)
        told = self.kcat("-C", "-t", self.t, "-e", "-o", "4711", "-X", "topic.auto.offset.reset=error", status=1)
        self.assertIn("out of range", told.lower())

    def test_times(self):
        for record in self.all:
            first = next(r for r in self.all if r.timestamp >= record.timestamp)
            self.assertEqual(self.kcat_read(self.t, "-o", f"s@{record.timestamp}"), self.all[first.offset:])
            end = [r for r in self.all if r.timestamp < record.timestamp]
            if end:
                self.assertEqual(self.kcat_read(self.t, "-o", f"s@{self.all[0].timestamp}", "-o", f"e@{record.timestamp}"), end)
        self.assertEqual(self.kcat_read(self.t, "-o", "s@0"), self.all)
        self.assertEqual(self.kcat_read(self.t, "-o", f"s@{self.all[-1].timestamp + 1}"), [])

    def test_the_offset_of_a_time_is_told(self):
        def ask(time):
            return self.kcat("-Q", "-t", f"{self.t}:0:{time}").decode().split()[-1]

        self.assertEqual(ask(0), "0")
        first = next(r for r in self.all if r.timestamp >= self.all[7].timestamp)
        self.assertEqual(ask(self.all[7].timestamp), str(first.offset))
        self.assertEqual((ask(-1), ask(-2)), ("10", "0"))
        self.assertIn(ask(self.all[-1].timestamp + 1), ("-1", "10"))  # kcat shows "none" as the end

    def test_a_reader_at_the_end_gets_what_comes(self):
        reader = subprocess.Popen(["kcat", "-b", self.kafka, "-C", "-t", self.t, "-u", "-q", "-o", "10"], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, env=self.env)
        bound = threading.Timer(PATIENCE, reader.kill)
        bound.start()
        try:
            for line in (b"first\n", b"second\n"):
                self.kcat("-P", "-t", self.t, stdin=line)
                self.assertEqual(reader.stdout.readline(), line)
        finally:
            bound.cancel()
            reader.kill()
            reader.wait(PATIENCE)
            reader.stdout.close()

    def test_many_small_fetches_and_one_large_give_the_same(self):
        topic = self.topic("sizes")
        self.kcat("-P", "-t", topic, "-X", "batch.num.messages=50", stdin=TEXT)
        small = ["-X", "fetch.message.max.bytes=1000", "-X", "fetch.max.bytes=1000", "-X", "max.partition.fetch.bytes=1000",
                 "-X", "message.max.bytes=1000"]
        self.assertEqual(values(self.kcat_read(topic, *small)), LINES)
        self.assertEqual(values(self.kcat_read(topic, "-X", "fetch.max.bytes=100000000")), LINES)

    def test_a_fetch_may_begin_inside_a_batch(self):
        topic = self.topic("inside")
        self.kcat("-P", "-t", topic, "-z", "zstd", "-X", "linger.ms=500", stdin=TEXT)
        for offset in (1, 777, len(LINES) - 1):
            self.assertEqual(values(self.kcat_read(topic, "-o", str(offset))), LINES[offset:])


class Metadata(Broker):
    def test_the_list_shows_nodes_topics_and_partitions(self):
        topic = self.topic("listed", 3)
        for words in ([], ["-t", topic]):
            told = json.loads(self.kcat("-L", "-J", *words))
            nodes = {broker["id"]: broker["name"] for broker in told["brokers"]}
            self.assertIn(self.kafka, nodes.values())
            self.assertIn(told["controllerid"], nodes)
            mine, = [t for t in told["topics"] if t["topic"] == topic]
            self.assertEqual([p["partition"] for p in mine["partitions"]], [0, 1, 2])
            for partition in mine["partitions"]:
                self.assertIn(partition["leader"], nodes)
                self.assertEqual([r["id"] for r in partition["replicas"]], [partition["leader"]])
                self.assertEqual(partition["isrs"], partition["replicas"])
        plain = self.kcat("-L").decode()
        self.assertIn(f'topic "{topic}" with 3 partitions:', plain)
        self.assertRegex(plain, r"broker \d+ at \S+ \(controller\)")

    @native
    def test_both_clients_see_the_same_topics(self):
        names = {self.topic("one"), self.topic("two", 2)}
        listed = {t["name"]: t["partitions"] for t in self.ok("topic", "list", "--output", "json").json()}
        told = {t["topic"]: len(t["partitions"]) for t in json.loads(self.kcat("-L", "-J"))["topics"]}
        self.assertEqual(told, listed)
        self.assertEqual(set(told), names)

    def test_many_partitions_hold_every_line(self):
        topic = self.topic("wide", 100)
        keyed = sorted(b"%d|%s" % (i % 997, line) for i, line in enumerate(LINES))
        self.kcat("-P", "-t", topic, "-K", "|", "-z", "lz4", stdin=b"\n".join(keyed))
        read = self.kcat_read(topic)
        self.assertEqual(sorted(b"%s|%s" % (r.key, r.value) for r in read), keyed)
        self.assertGreater(len({r.partition for r in read}), 50)
        for partition in (0, 99):
            self.assertEqual(self.kcat_read(topic, "-p", str(partition)), [r for r in read if r.partition == partition])

    @native
    def test_one_key_is_one_partition_for_both_clients(self):
        # Java's murmur2 is the native client's choice, CRC-32 librdkafka's unless it is told otherwise.
        topic = self.topic("keys", 7)
        keyed = b"\n".join(b"key %d|kcat" % i for i in range(200))
        self.kcat("-P", "-t", topic, "-K", "|", "-X", "topic.partitioner=murmur2_random", stdin=keyed)
        self.ok("produce", topic, "-f", "%k|%v\\n", stdin=keyed.replace(b"kcat", b"native"))
        where = {}
        for record in self.native_read(topic):
            where.setdefault(record.key, set()).add(record.partition)
        self.assertEqual({len(partitions) for partitions in where.values()}, {1})


class Refusals(Broker):
    """Bad input gets its error, and the node serves the next one."""

    def tearDown(self):
        topic = self.topic("after")
        self.kcat("-P", "-t", topic, stdin=b"still here\n")
        self.assertEqual(values(self.kcat_read(topic)), [b"still here"])
        super().tearDown()

    def test_reading_an_unknown_topic_creates_nothing(self):
        absent = self.name("absent")
        self.assertIn("Unknown topic or partition", self.kcat("-C", "-t", absent, "-e", status=1))
        self.assertNotIn(absent, [t["topic"] for t in json.loads(self.kcat("-L", "-J"))["topics"]])

    @native
    def test_writing_an_unknown_topic_is_an_error_when_topics_are_not_created(self):
        told = self.kcat("-P", "-t", "absent", "-X", "topic.metadata.propagation.max.ms=100", "-X", "message.timeout.ms=5000",
                         stdin=b"x\n", status=1)
        self.assertRegex(told, "Unknown topic")
        self.assertEqual(json.loads(self.kcat("-L", "-J"))["topics"], [])

    def test_an_unknown_partition_is_an_error(self):
        topic = self.topic()
        self.assertIn("Unknown partition", self.kcat("-P", "-t", topic, "-p", "7", stdin=b"x\n", status=1))

    def test_a_name_that_no_topic_may_have_is_an_error(self):
        for name in ("two words", "a/b", "x" * 250):
            told = self.kcat("-P", "-t", name, "-X", "message.timeout.ms=5000", stdin=b"x\n", status=1)
            self.assertRegex(told, "Invalid topic|Unknown topic|timed out", name)

    def test_a_batch_at_the_limit_passes_and_above_it_is_refused(self):
        topic = self.topic("large")
        for size, passes in ((1000000, True), (1048576 - 200, True), (1048576 + 200, False), (3 << 20, False)):
            with open(self.path("value"), "wb") as file:
                file.write(b"x" * size)
            words = ["-P", "-t", topic, "-X", "message.max.bytes=10000000", self.path("value")]
            if passes:
                self.kcat(*words)
            else:
                self.assertIn("Message size too large", self.kcat(*words, status=1), size)
        self.assertEqual([len(v) for v in values(self.kcat_read(topic, "-X", "fetch.message.max.bytes=1000"))], [1000000, 1048576 - 200])
        # It is the batch as it comes that counts, compressed.
        self.kcat("-P", "-t", topic, "-z", "zstd", "-X", "message.max.bytes=10000000", self.path("value"))
        self.assertEqual(len(values(self.kcat_read(topic))[-1]), 3 << 20)

    def test_a_topic_may_allow_larger_batches(self):
        topic = self.topic("larger", max_message_bytes=5000000)
        with open(self.path("value"), "wb") as file:
            file.write(b"y" * 4800000)
        self.kcat("-P", "-t", topic, "-X", "message.max.bytes=10000000", self.path("value"))
        self.assertEqual([len(v) for v in values(self.kcat_read(topic))], [4800000])

    def test_batches_of_the_old_format_are_refused(self):
        topic = self.topic("old")
        self.kcat("-P", "-t", topic, "-X", "api.version.request=false", "-X", "broker.version.fallback=0.9.0.0", "-X",
                  "message.timeout.ms=2000", stdin=b"old\n", status=1)
        self.assertEqual(self.kcat_read(topic), [])

    @native
    def test_a_port_of_the_other_protocol_is_an_error_that_ends(self):
        self.assertNotEqual(self.node.rpc, self.kafka)
        ended = subprocess.run(["kcat", "-b", self.node.rpc, "-L", "-m", "3"], capture_output=True, timeout=PATIENCE, env=self.env)
        self.assertEqual(ended.returncode, 1)
        ended = self.run_command("topic", "list", "-b", self.kafka)
        self.assertNotEqual(ended.status, 0)


class AutoCreate(Broker):
    flags = ("--auto-create", "on")

    def test_writing_an_unknown_topic_creates_it(self):
        topic = self.name("made")
        self.kcat("-P", "-t", topic, stdin=TEXT)
        self.assertEqual(sorted(values(self.kcat_read(topic))), sorted(LINES))


if __name__ == "__main__":
    unittest.main(verbosity=2)
