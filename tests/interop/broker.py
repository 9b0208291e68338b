"""A broker for one test: a node of ours, or the one that PESSOA_INTEROP_BROKER names (HOST:PORT).

Pointed at Apache Kafka the same scenarios must hold: one that fails there is wrong. What only a node of ours can show
(the files on its disk, what the native client reads) is then left out, by `native`.
"""
import base64
import collections
import functools
import json
import os
import struct
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "system"))

from world import PATIENCE, World  # noqa: E402

FOREIGN = os.environ.get("PESSOA_INTEROP_BROKER")
CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}

Record = collections.namedtuple("Record", "partition offset timestamp key value headers")
# A batch as it lies on disk: its codec's number and all its bytes from the base offset on.
Batch = collections.namedtuple("Batch", "codec records bytes")

native = unittest.skipIf(FOREIGN, "only a node of ours can show it")


def log_lines():
    """Real text whose lines end in carriage returns, as [bytes]; without shared data, made from this project's documents."""
    folder = os.path.join(ROOT, "..", "shared", "data", "logs")
    if os.path.isdir(folder):
        texts = [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".log")]
        end = b""
    else:
        folder = os.path.join(ROOT, "docs")
        texts = [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".md")]
        end = b"\r"
    lines = []
    for path in texts:
        with open(path, "rb") as file:
            lines += [line + end for line in file.read().split(b"\n")[:-1]]
    return lines


class Broker(World):
    flags = ()  # of the node

    def setUp(self):
        super().setUp()
        self.topics_made = 0
        if FOREIGN:
            self.kafka = FOREIGN
        else:
            self.node = self.start(None, "--kafka-listen", "127.0.0.1:0", *self.flags)
            self.kafka = self.node.at["kafka"]
            self.assertNotEqual(self.kafka, "off", self.node.errors())

    def name(self, word):
        """A topic's name that this broker has not seen: a foreign one outlives the test."""
        self.topics_made += 1
        return f"{word}-{os.getpid()}-{id(self) % 100000}-{self.topics_made}" if FOREIGN else word

    def topic(self, word="t", partitions=1, **config):
        """Creates it, by means that are not under test; underscores of `config` stand for dots."""
        config = {key.replace("_", "."): str(value) for key, value in config.items()}
        name = self.name(word)
        if FOREIGN:
            from confluent_kafka.admin import AdminClient, NewTopic
            admin = AdminClient({"bootstrap.servers": self.kafka})  # must outlive the answer
            admin.create_topics([NewTopic(name, partitions, 1, config=config)])[name].result(PATIENCE)
        else:
            words = [word for pair in config.items() for word in ("-c", "=".join(pair))]
            self.ok("topic", "create", name, "-p", str(partitions), *words)
        return name

    # -- kcat ---

    def kcat(self, *arguments, stdin=b"", status=0, seconds=PATIENCE):
        """Runs it to its end; returns stdout, or stderr when it shall fail."""
        ended = subprocess.run(["kcat", "-b", self.kafka, *arguments], input=stdin, capture_output=True, timeout=seconds, env=self.env)
        self.assertEqual(ended.returncode, status, f"kcat {arguments}: {ended.stdout[-1000:]!r} {ended.stderr[-2000:]!r}")
        return ended.stdout if status == 0 else ended.stderr.decode(errors="replace")

    def kcat_read(self, topic, *flags):
        """What kcat reads to the end, with every checksum checked, as records without headers."""
        out = self.kcat("-C", "-t", topic, "-e", "-q", "-X", "check.crcs=true", "-f", "%p %o %T %K %S\n%k%s\n", *flags)
        records, at = [], 0
        while at < len(out):
            line = out.index(b"\n", at)
            partition, offset, timestamp, key_size, value_size = map(int, out[at:line].split())
            at = line + 1
            key = out[at:at + key_size] if key_size >= 0 else None
            at += max(key_size, 0)
            value = out[at:at + value_size] if value_size >= 0 else None
            at += max(value_size, 0)
            self.assertEqual(out[at:at + 1], b"\n")
            at += 1
            records.append(Record(partition, offset, timestamp, key, value, None))
        return records

    # -- the native client ---

    def native_read(self, topic, *flags):
        return [self.from_json(line) for line in self.ok("consume", topic, "-e", "-f", "json", *flags).out.splitlines()]

    @staticmethod
    def from_json(line):
        def raw(field):
            if field is None:
                return None
            return base64.b64decode(field["base64"]) if isinstance(field, dict) else field.encode()

        told = json.loads(line)
        headers = [(h["key"], raw(h["value"])) for h in told["headers"]]
        return Record(told["partition"], told["offset"], told["timestamp"], raw(told["key"]), raw(told["value"]), headers)

    def batches_on_disk(self):
        """Every batch in the node's files whose checksum is right, found without knowing anything of their format."""
        found = []
        for folder, _, names in os.walk(self.path("data")):
            for name in sorted(names):
                with open(os.path.join(folder, name), "rb") as file:
                    found += batches_in(file.read())
        return found

    def codecs_on_disk(self):
        return {batch.codec for batch in self.batches_on_disk()}


def batches_in(data):
    """A batch v2: base offset, length, leader epoch, magic 2, CRC-32C of all from the attributes on."""
    at = data.find(b"\x02")
    while at >= 0:
        begin = at - 16
        if begin >= 0 and begin + 61 <= len(data):
            length, = struct.unpack_from(">i", data, begin + 8)
            crc, attributes, last = struct.unpack_from(">IHi", data, begin + 17)
            count, = struct.unpack_from(">i", data, begin + 57)
            end = begin + 12 + length
            if length >= 49 and end <= len(data) and attributes < 64 and count == last + 1 > 0 and crc32c(data[begin + 21:end]) == crc:
                yield Batch(attributes & 7, count, data[begin:end])
                at = end - 1
        at = data.find(b"\x02", at + 1)


@functools.lru_cache(1)
def crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


def crc32c(data):
    table, crc = crc_table(), 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF
