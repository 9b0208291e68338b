"""python3-confluent-kafka 1.7.0 of Debian (librdkafka 2.0.2): its administration, its producers, reading without a group."""
import unittest

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from broker import CODECS, FOREIGN, PATIENCE, Broker, native

LINES = [b"%d a line that compresses well and ends in a carriage return\r" % i for i in range(2000)]


class Confluent(Broker):
    def produce(self, topic, records, **settings):
        """Sends (key, value, headers), returns what was told about each, in the order of the answers."""
        told = []
        producer = Producer({"bootstrap.servers": self.kafka, **{k.replace("_", "."): v for k, v in settings.items()}})
        for i, (key, value, headers) in enumerate(records):
            producer.produce(topic, value, key, headers=headers, timestamp=1700000000000 + i,
                             on_delivery=lambda error, message: told.append((error, message.partition(), message.offset())))
        self.assertEqual(producer.flush(PATIENCE), 0)
        return told

    def consumer(self, **settings):
        consumer = Consumer({"bootstrap.servers": self.kafka, "group.id": "needed-by-the-library-and-not-used", "check.crcs": True,
                             "enable.auto.commit": False, "enable.partition.eof": True, **settings})
        self.addCleanup(consumer.close)
        return consumer

    def read(self, topic, partitions=1, offset=OFFSET_BEGINNING):
        consumer = self.consumer()
        consumer.assign([TopicPartition(topic, p, offset) for p in range(partitions)])
        records, open_ends = [], set(range(partitions))
        while open_ends:
            message = consumer.poll(PATIENCE)
            self.assertIsNotNone(message, "nothing came, not even an end")
            if message.error():
                self.assertEqual(message.error().code(), KafkaError._PARTITION_EOF, message.error())
                open_ends.discard(message.partition())
            else:
                records.append(message)
        return records

    def test_every_codec_there_and_back(self):
        headers = [("a", b"1"), ("a", b"2"), ("empty", b"")]  # a null value, read often, ends Python: a fault of this version
        for codec in CODECS:
            with self.subTest(codec=codec):
                topic = self.topic(codec)
                told = self.produce(topic, [(b"k%d" % (i % 7), line, headers) for i, line in enumerate(LINES)],
                                    compression_type=codec, linger_ms=50)
                self.assertEqual(told, [(None, 0, i) for i in range(len(LINES))])
                read = self.read(topic)
                self.assertEqual([m.value() for m in read], LINES)
                self.assertEqual([m.key() for m in read], [b"k%d" % (i % 7) for i in range(len(LINES))])
                self.assertTrue(all(m.headers() == headers for m in read))
                self.assertEqual([m.timestamp() for m in read], [(1, 1700000000000 + i) for i in range(len(LINES))])
                if not FOREIGN:
                    self.assertIn(CODECS[codec], self.codecs_on_disk())
                    self.assertEqual([(r.key, r.value, r.headers) for r in self.native_read(topic)],
                                     [(m.key(), m.value(), m.headers()) for m in read])

    @native
    def test_every_codec_of_the_native_client_is_read(self):
        for codec in CODECS:
            with self.subTest(codec=codec):
                topic = self.topic(codec, 3)
                self.ok("produce", topic, "-z", codec, stdin=b"\n".join(LINES))
                self.assertEqual(sorted(m.value() for m in self.read(topic, 3)), sorted(LINES))

    def test_an_idempotent_producer_delivers_once_and_in_order(self):
        topic = self.topic("idempotent", 2)
        told = self.produce(topic, [(b"key", line, None) for line in LINES], enable_idempotence=True, batch_num_messages=10,
                            linger_ms=0)
        self.assertEqual({error for error, _, _ in told}, {None})
        self.assertEqual([m.value() for m in self.read(topic, 2)], LINES)

    def test_every_level_of_acknowledgement_delivers(self):
        topic = self.topic("acks")
        for acks in (1, -1, 0):
            self.assertEqual({e for e, _, _ in self.produce(topic, [(None, line, None) for line in LINES[:100]], acks=acks)}, {None})
        read = []
        while len(read) < 300:
            read = self.read(topic)
        self.assertEqual([m.value() for m in read], LINES[:100] * 3)

    def test_reading_by_offset_and_by_time(self):
        topic = self.topic("where")
        self.produce(topic, [(None, line, None) for line in LINES[:100]])
        consumer = self.consumer()
        self.assertEqual(consumer.get_watermark_offsets(TopicPartition(topic, 0), PATIENCE), (0, 100))
        for time, offset in ((0, 0), (1700000000050, 50), (1700000000099, 99)):
            found, = consumer.offsets_for_times([TopicPartition(topic, 0, time)], PATIENCE)
            self.assertEqual((found.offset, found.error), (offset, None))
        found, = consumer.offsets_for_times([TopicPartition(topic, 0, 1800000000000)], PATIENCE)
        self.assertEqual(found.offset, -1)
        self.assertEqual([m.value() for m in self.read(topic, offset=97)], LINES[97:100])
        consumer.assign([TopicPartition(topic, 0, 10)])
        self.assertEqual(consumer.poll(PATIENCE).offset(), 10)
        consumer.seek(TopicPartition(topic, 0, 90))
        while (message := consumer.poll(PATIENCE)) and message.offset() < 90:
            pass
        self.assertEqual(message.offset(), 90)

    def test_topics_are_created_described_and_deleted(self):
        admin, name = AdminClient({"bootstrap.servers": self.kafka}), self.name("made")

        def outcome(futures):
            future, = futures.values()
            try:
                return future.result(PATIENCE)
            except KafkaException as e:
                return e.args[0].code()

        self.assertIsNone(outcome(admin.create_topics([NewTopic(name, 3, 1, config={"retention.ms": "3600000"})])))
        told = admin.list_topics(name, PATIENCE).topics[name]
        self.assertEqual((told.error, sorted(told.partitions)), (None, [0, 1, 2]))
        self.assertIn(name, admin.list_topics(timeout=PATIENCE).topics)
        entries = outcome(admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, name)]))
        self.assertEqual((entries["retention.ms"].value, entries["retention.ms"].is_default), ("3600000", False))
        self.assertEqual((entries["cleanup.policy"].value, entries["cleanup.policy"].is_default), ("delete", True))
        absent = self.name("absent")
        self.assertEqual(outcome(admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, absent)])),
                         KafkaError.UNKNOWN_TOPIC_OR_PART)
        for bad, expected in ((NewTopic(name, 1, 1), KafkaError.TOPIC_ALREADY_EXISTS),
                              (NewTopic("no/name", 1, 1), KafkaError.TOPIC_EXCEPTION),
                              (NewTopic(absent, 1, 7), KafkaError.INVALID_REPLICATION_FACTOR),
                              (NewTopic(absent, 1, 1, config={"no.such.key": "1"}), KafkaError.INVALID_CONFIG),
                              (NewTopic(absent, 1, 1, config={"retention.ms": "soon"}), KafkaError.INVALID_CONFIG)):
            self.assertEqual(outcome(admin.create_topics([bad])), expected)
        self.assertIsNone(outcome(admin.create_topics([NewTopic(absent, 1, 1)], validate_only=True)))
        self.assertNotIn(absent, admin.list_topics(timeout=PATIENCE).topics)
        self.assertIsNone(outcome(admin.delete_topics([name])))
        self.assertEqual(outcome(admin.delete_topics([name])), KafkaError.UNKNOWN_TOPIC_OR_PART)
        self.assertNotIn(name, admin.list_topics(timeout=PATIENCE).topics)

    def test_a_deleted_topic_comes_back_empty(self):
        admin, name = AdminClient({"bootstrap.servers": self.kafka}), self.topic("again")
        self.produce(name, [(None, b"old", None)])
        admin.delete_topics([name])[name].result(PATIENCE)
        made = KafkaError.TOPIC_ALREADY_EXISTS
        while made == KafkaError.TOPIC_ALREADY_EXISTS:  # a broker may take its time to forget
            try:
                made = admin.create_topics([NewTopic(name, 1, 1)])[name].result(PATIENCE)
            except KafkaException as e:
                made = e.args[0].code()
        self.assertIsNone(made)
        self.produce(name, [(None, b"new", None)])
        self.assertEqual([(m.offset(), m.value()) for m in self.read(name)], [(0, b"new")])

    def test_a_batch_above_the_limit_is_refused_and_the_next_one_passes(self):
        topic = self.topic("large")
        (error, _, _), = self.produce(topic, [(None, b"x" * (2 << 20), None)], message_max_bytes=10 << 20)
        self.assertEqual(error.code(), KafkaError.MSG_SIZE_TOO_LARGE)
        self.assertEqual(self.produce(topic, [(None, b"small", None)]), [(None, 0, 0)])


if __name__ == "__main__":
    unittest.main(verbosity=2)
