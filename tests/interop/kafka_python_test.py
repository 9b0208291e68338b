"""python3-kafka 2.0.2 of Debian, written in Python from the protocol's description: another reader of the same words."""
import unittest

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic
from kafka.errors import (InvalidPartitionsError, InvalidReplicationFactorError, InvalidTopicError, MessageSizeTooLargeError,
                          TopicAlreadyExistsError, UnknownTopicOrPartitionError)

from broker import CODECS, FOREIGN, PATIENCE, Broker, native

LINES = [b"%d a line that compresses well and ends in a carriage return\r" % i for i in range(2000)]


class KafkaPython(Broker):
    def admin(self):
        admin = KafkaAdminClient(bootstrap_servers=self.kafka, request_timeout_ms=PATIENCE * 1000)
        self.addCleanup(admin.close)
        return admin

    def producer(self, **settings):
        producer = KafkaProducer(bootstrap_servers=self.kafka, **{"acks": "all", "linger_ms": 20, **settings})
        self.addCleanup(producer.close, 0)
        return producer

    def consumer(self, topic, partitions=1):
        consumer = KafkaConsumer(bootstrap_servers=self.kafka, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest",
                                 check_crcs=True, api_version_auto_timeout_ms=PATIENCE * 1000)
        self.addCleanup(consumer.close)
        consumer.assign([TopicPartition(topic, p) for p in range(partitions)])
        return consumer

    def rest(self, consumer):
        """From where it stands to the end of all its partitions."""
        ends = consumer.end_offsets(sorted(consumer.assignment()))
        records = []
        while any(consumer.position(at) < end for at, end in ends.items()):
            for part in consumer.poll(timeout_ms=1000).values():
                records += part
        return records

    def test_what_the_broker_can_is_seen_as_a_broker_with_batches_v2(self):
        self.assertGreaterEqual(self.producer().config["api_version"], (2, 1))

    def test_every_codec_there_and_back(self):
        for codec in CODECS:
            with self.subTest(codec=codec):
                topic = self.topic(codec)
                producer = self.producer(compression_type=None if codec == "none" else codec)
                headers = [("a", b"1"), ("a", b"2"), ("empty", b"")]
                sent = [producer.send(topic, value=line, key=b"k%d" % (i % 7), headers=headers, timestamp_ms=1700000000000 + i)
                        for i, line in enumerate(LINES)]
                told = [future.get(PATIENCE) for future in sent]
                self.assertEqual([t.offset for t in told], list(range(len(LINES))))
                read = self.rest(self.consumer(topic))
                self.assertEqual([r.value for r in read], LINES)
                self.assertEqual([r.key for r in read], [b"k%d" % (i % 7) for i in range(len(LINES))])
                self.assertEqual([r.timestamp for r in read], [1700000000000 + i for i in range(len(LINES))])
                self.assertTrue(all(r.headers == headers for r in read))
                if not FOREIGN:
                    self.assertIn(CODECS[codec], self.codecs_on_disk())
                    self.assertEqual([(r.offset, r.timestamp, r.key, r.value, r.headers) for r in self.native_read(topic)],
                                     [(r.offset, r.timestamp, r.key, r.value, r.headers) for r in read])

    @native
    def test_every_codec_of_the_native_client_is_read(self):
        for codec in CODECS:
            with self.subTest(codec=codec):
                topic = self.topic(codec)
                self.ok("produce", topic, "-z", codec, "-H", "h=1", stdin=b"\n".join(LINES))
                read = self.rest(self.consumer(topic))
                self.assertEqual([r.value for r in read], LINES)
                self.assertEqual({(r.key, tuple(r.headers)) for r in read}, {(None, (("h", b"1"),))})

    def test_null_and_empty_stay_different(self):
        topic = self.topic("nulls")
        producer = self.producer()
        wild = [(None, b"v"), (b"", b"v"), (b"k", None), (b"k", b""), (bytes(range(256)), bytes(range(256)))]
        for key, value in wild:
            producer.send(topic, key=key, value=value)
        producer.flush(PATIENCE)
        self.assertEqual([(r.key, r.value) for r in self.rest(self.consumer(topic))], wild)

    def test_every_level_of_acknowledgement_delivers(self):
        topic = self.topic("acks")
        for acks in (1, "all", 0):
            producer = self.producer(acks=acks)
            for line in LINES[:100]:
                producer.send(topic, line)
            producer.flush(PATIENCE)
        read, consumer = [], self.consumer(topic)
        while len(read) < 300:
            read += self.rest(consumer)
        self.assertEqual([r.value for r in read], LINES[:100] * 3)

    def test_reading_by_offset_and_by_time(self):
        topic = self.topic("where", 2)
        producer = self.producer()
        for i in range(100):
            producer.send(topic, b"%d" % i, partition=i % 2, timestamp_ms=1700000000000 + 10 * i)
        producer.flush(PATIENCE)
        consumer = self.consumer(topic, 2)
        at = [TopicPartition(topic, p) for p in range(2)]
        self.assertEqual(consumer.partitions_for_topic(topic), {0, 1})
        self.assertEqual(consumer.beginning_offsets(at), {at[0]: 0, at[1]: 0})
        self.assertEqual(consumer.end_offsets(at), {at[0]: 50, at[1]: 50})
        found = consumer.offsets_for_times({at[0]: 1700000000401, at[1]: 1700000000410})
        self.assertEqual({p: (f.offset, f.timestamp) for p, f in found.items()},
                         {at[0]: (21, 1700000000420), at[1]: (20, 1700000000410)})
        self.assertEqual(consumer.offsets_for_times({at[0]: 1800000000000}), {at[0]: None})
        consumer.seek(at[0], 48)
        consumer.seek_to_end(at[1])
        self.assertEqual([(r.partition, r.offset, r.value) for r in self.rest(consumer)], [(0, 48, b"96"), (0, 49, b"98")])
        consumer.seek(at[0], 4711)  # outside: it begins anew
        read = []
        while not read:
            read = [r for part in consumer.poll(timeout_ms=1000).values() for r in part]
        self.assertEqual((read[0].partition, read[0].offset), (0, 0))

    def test_topics_are_created_described_and_deleted(self):
        admin, name = self.admin(), self.name("made")
        made = admin.create_topics([NewTopic(name, 3, 1, topic_configs={"retention.ms": "3600000"})])
        self.assertEqual(made.topic_errors[0][:2], (name, 0))
        self.assertIn(name, admin.list_topics())
        told, = admin.describe_topics([name])
        self.assertEqual((told["error_code"], len(told["partitions"])), (0, 3))
        answers = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
        (error, _, kind, described, entries), = answers[0].resources
        self.assertEqual((error, kind, described), (0, 2, name))
        values = {entry[0]: entry[1] for entry in entries}
        self.assertEqual(values["retention.ms"], "3600000")
        self.assertEqual(values["cleanup.policy"], "delete")
        for bad, expected in ((NewTopic(name, 1, 1), TopicAlreadyExistsError), (NewTopic("no/name", 1, 1), InvalidTopicError),
                              (NewTopic(name + "p", 0, 1), InvalidPartitionsError),
                              (NewTopic(name + "r", 1, 7), InvalidReplicationFactorError)):
            with self.assertRaises(expected):
                admin.create_topics([bad])
        admin.create_topics([NewTopic(name + "v", 1, 1)], validate_only=True)
        self.assertNotIn(name + "v", admin.list_topics())
        admin.delete_topics([name])
        with self.assertRaises(UnknownTopicOrPartitionError):
            admin.delete_topics([name])
        self.assertNotIn(name, admin.list_topics())

    def test_a_batch_above_the_limit_is_refused_and_the_next_one_passes(self):
        topic = self.topic("large")
        producer = self.producer(max_request_size=10 << 20)
        with self.assertRaises(MessageSizeTooLargeError):
            producer.send(topic, b"x" * (2 << 20)).get(PATIENCE)
        producer.send(topic, b"small").get(PATIENCE)
        self.assertEqual([r.value for r in self.rest(self.consumer(topic))], [b"small"])

    def test_a_large_batch_may_be_the_first_thing_that_a_connection_says(self):
        # This client opens the connection it produces on with the produce request itself.
        topic = self.topic("larger", max_message_bytes=5000000)
        self.producer(max_request_size=10 << 20).send(topic, b"y" * 4800000).get(PATIENCE)
        self.assertEqual([len(r.value) for r in self.rest(self.consumer(topic))], [4800000])


if __name__ == "__main__":
    unittest.main(verbosity=2)
