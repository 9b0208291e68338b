"""Topics and the cluster: the JSON that scripts rely on, exit statuses, what is told to people."""
import subprocess
import unittest

from world import BINARY, PATIENCE, World


class Topic(World):
    def setUp(self):
        super().setUp()
        self.node = self.start()

    def test_the_life_of_a_topic(self):
        created = self.ok("topic", "create", "orders", "-p", "3", "-c", "retention.ms=60000", "--output", "json")
        self.assertEqual(set(created.json()), {"name", "id", "partitions", "replicas"})
        self.assertIn(b"cluster ", created.err)
        listed = self.ok("topic", "list", "--output", "json").json()
        self.assertEqual([(t["name"], t["partitions"], t["replicas"]) for t in listed], [("orders", 3, 1)])
        found = self.ok("topic", "describe", "orders", "--output", "json").json()
        self.assertEqual(set(found), {"name", "id", "config", "wantedReplicas", "partitions"})
        self.assertEqual(found["config"]["retention.ms"], "60000")
        self.assertEqual(found["id"], created.json()["id"])
        self.assertEqual([p["index"] for p in found["partitions"]], [0, 1, 2])
        for partition in found["partitions"]:
            self.assertEqual(set(partition), {"index", "leader", "epoch", "replicas", "isr", "logStart", "highWatermark", "logEnd"})
            self.assertEqual((partition["leader"], partition["replicas"], partition["isr"]), (1, [1], [1]))
            self.assertEqual((partition["logStart"], partition["highWatermark"], partition["logEnd"]), (0, 0, 0))
        self.ok("topic", "alter", "orders", "--partitions", "4", "-c", "retention.ms=-1")
        found = self.ok("topic", "describe", "orders", "--output", "json").json()
        self.assertEqual((len(found["partitions"]), found["config"]["retention.ms"]), (4, "-1"))
        self.ok("topic", "alter", "orders", "-c", "retention.ms=")
        self.assertEqual(self.ok("topic", "describe", "orders", "--output", "json").json()["config"]["retention.ms"], "604800000")
        self.ok("topic", "delete", "orders", "--yes")
        self.assertEqual(self.ok("topic", "list", "--output", "json").json(), [])

    def test_creation_says_what_people_should_know(self):
        err = self.ok("topic", "create", "one").err.decode()
        self.assertIn("one consumer", err)
        self.assertIn("retention.ms=-1", err)

    def names(self):
        return [t["name"] for t in self.ok("topic", "list", "--output", "json").json()]

    def test_a_topic_comes_into_being_when_it_is_written_to_if_the_node_permits(self):
        self.fails(4, "pessoa topic create.*--create", "produce", "new", stdin=b"x\n")  # off by default
        self.assertEqual(self.names(), [])
        self.node.end()
        self.node = self.start(None, "--auto-create", "on", new=False)
        self.fails(4, "topic create", "consume", "new", "-e")  # who only reads creates nothing
        self.fails(4, "topic create", "topic", "describe", "new")
        self.fails(2, "topic name", "produce", "no such name", stdin=b"x\n")
        self.assertEqual(self.names(), [])
        self.ok("produce", "new", stdin=b"x\n")
        self.assertEqual(self.ok("consume", "new", "-e").out, b"x\n")
        found = self.ok("topic", "describe", "new", "--output", "json").json()
        self.assertEqual((len(found["partitions"]), found["config"]["retention.ms"]), (1, "604800000"))

    def test_many_writers_at_once_make_one_topic(self):
        self.node.end()
        self.node = self.start(None, "--auto-create", "on", new=False)
        writers = [subprocess.Popen([BINARY, "produce", "shared"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=self.env)
                   for _ in range(8)]
        for i, writer in enumerate(writers):
            writer.stdin.write(b"%d\n" % i)
            writer.stdin.close()
        for writer in writers:
            told = writer.stderr.read()
            writer.stderr.close()
            self.assertEqual(writer.wait(PATIENCE), 0, told)
        self.assertEqual(self.names(), ["shared"])
        self.assertEqual(sorted(self.ok("consume", "shared", "-e").out.split()), [b"%d" % i for i in range(8)])

    def test_what_cannot_be_is_told_with_its_status(self):
        self.ok("topic", "create", "t")
        self.fails(1, "exists", "topic", "create", "t")
        self.ok("topic", "create", "t", "--if-not-exists")
        self.fails(2, "did you mean retention.ms", "topic", "create", "u", "-c", "retention.msec=1")
        self.fails(2, "retention.ms", "topic", "create", "u", "-c", "retention.ms=soon")
        self.fails(2, "try: |--help", "topic", "create", "a b")
        self.fails(2, "partitions", "topic", "create", "u", "-p", "0")
        self.fails(1, "1", "topic", "create", "u", "--replication-factor", "2")
        self.fails(4, "topic list", "topic", "describe", "nope")
        self.fails(4, "nope", "topic", "alter", "nope", "-c", "retention.ms=1")
        self.fails(4, "nope", "topic", "delete", "nope", "--yes")
        self.fails(2, "--yes", "topic", "delete", "t")
        self.fails(2, "nothing to alter", "topic", "alter", "t")
        self.assertEqual([t["name"] for t in self.ok("topic", "list", "--output", "json").json()], ["t"])

    def test_the_cluster_is_described_and_healthy(self):
        info = self.ok("cluster", "info", "--output", "json").json()
        self.assertEqual(set(info), {"clusterId", "controller", "nodes"})
        self.assertEqual(len(info["nodes"]), 1)
        self.assertEqual(set(info["nodes"][0]), {"id", "state", "rpc", "kafka", "rack", "voter", "leaders", "replicas"})
        self.assertEqual((info["nodes"][0]["state"], info["nodes"][0]["kafka"]), ("up", self.nodes[0].kafka))
        health = self.ok("cluster", "health", "-e", "--output", "json").json()
        self.assertEqual(health, {"healthy": True, "reasons": [], "nodesDown": [], "leaderless": 0, "underReplicated": 0,
                                  "belowWanted": 0})

    def test_where_to_connect(self):
        self.env.pop("PESSOA_BOOTSTRAP")
        for flag in ("-b", "--bootstrap", "--bootstrap-server", "--brokers"):
            self.ok("topic", "list", flag, self.node.rpc)
        self.ok("topic", "list", env={"PESSOA_BOOTSTRAP": self.node.rpc})
        self.ok("profile", "use", "mine", "-b", self.node.rpc)
        self.ok("topic", "list")
        self.ok("profile", "use", "wrong", "-b", "127.0.0.1:1")
        self.fails(1, "profile wrong", "topic", "list")
        self.ok("topic", "list", "--profile", "mine")
        self.fails(4, "did you mean mine", "topic", "list", "--profile", "mien")
        self.fails(2, "HOST:PORT", "topic", "list", "-b", "localhost")


if __name__ == "__main__":
    unittest.main(verbosity=2)
