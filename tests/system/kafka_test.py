"""The Kafka listener of a real node: who may come, who is told to go elsewhere."""
import re
import signal
import socket
import struct
import subprocess
import unittest
import urllib.error
import urllib.request

from world import BINARY, PATIENCE, World


def api_versions(version, correlation_id):
    body = struct.pack(">hhih", 18, version, correlation_id, -1)
    if version >= 3:
        body += b"\x00" + b"\x05test" + b"\x021" + b"\x00"
    return struct.pack(">i", len(body)) + body


class Kafka(World):
    def connect(self, address):
        host, port = address.rsplit(":", 1)
        connection = socket.create_connection((host, int(port)), PATIENCE)
        connection.settimeout(PATIENCE)
        self.addCleanup(connection.close)
        return connection

    def frame(self, connection):
        def take(count):
            data = b""
            while len(data) < count:
                more = connection.recv(count - len(data))
                self.assertTrue(more, "the node ended the connection")
                data += more
            return data
        return take(struct.unpack(">i", take(4))[0])

    def metric(self, node, name):
        page = urllib.request.urlopen(f"http://{node.at['http']}/metrics", timeout=PATIENCE).read().decode()
        return float(re.search(rf"^{name} (\S+)$", page, re.M)[1])

    def test_clients_are_told_the_versions_in_the_order_of_their_requests(self):
        node = self.start()
        client = self.connect(node.kafka)
        client.sendall(api_versions(0, 1) + api_versions(99, 2) + api_versions(3, 3))
        first, second, third = self.frame(client), self.frame(client), self.frame(client)
        self.assertEqual(struct.unpack(">ih", first[:6]), (1, 0))
        # An unknown version is answered in version 0 with what there is, and the connection goes on.
        self.assertEqual(struct.unpack(">ihihhh", second), (2, 35, 1, 18, 0, 4))
        self.assertEqual(struct.unpack(">ih", third[:6]), (3, 0))
        self.assertEqual(self.metric(node, "pessoa_kafka_connections"), 1)
        self.assertEqual(self.metric(node, "pessoa_kafka_requests_total"), 3)
        # The client may have read its answer before the node hears that it was written.
        node.until(lambda: self.metric(node, "pessoa_kafka_requests_open") == 0)
        self.assertEqual(self.metric(node, "pessoa_kafka_requests_open"), 0)
        self.assertEqual(node.end(signal.SIGTERM), 0)  # with the connection open
        self.assertEqual(client.recv(1), b"")

    def test_who_comes_to_the_wrong_port_is_told_where_to_go(self):
        node = self.start()
        ended = self.fails(1, "", "topic", "list", "-b", node.kafka)
        port = node.rpc.rsplit(":", 1)[1]
        self.assertIn(f"{node.kafka}: that is the Kafka listener of this cluster; pessoa speaks to {port}".encode(), ended.err)
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://{node.kafka}/metrics", timeout=PATIENCE)
        self.assertIn(f"HTTP is served on {node.at['http']}", refused.exception.read().decode())
        lost = self.connect(node.rpc)
        lost.sendall(api_versions(3, 1))
        self.assertEqual(lost.recv(1), b"")
        told = f"this port Pessoa's RPC; the Kafka protocol is served on {node.kafka}"
        node.until(lambda: told in node.errors())  # the client may hear of the end before the node writes why
        self.assertIn(told, node.errors())
        self.assertIn("the peer speaks Pessoa's RPC", node.errors())

    def test_a_listener_that_is_off_is_off(self):
        node = self.start(None, "--kafka-listen", "off")
        self.assertEqual(node.kafka, "off")
        self.assertIsNone(self.ok("cluster", "info", "--output", "json").json()["nodes"][0]["kafka"])

    def test_a_fresh_cluster_tells_its_command_where_kafka_is(self):
        ended = subprocess.run([BINARY, "dev", "run", "--", "sh", "-c", "echo $KAFKA_BOOTSTRAP_SERVERS"], capture_output=True,
                               env=self.env, timeout=PATIENCE)
        self.assertEqual(ended.returncode, 0, ended)
        self.assertRegex(ended.stdout.decode(), r"^127\.0\.0\.1:\d+\n$")
        self.addCleanup(self.run_command, "dev", "down", "--purge")
        up = self.ok("dev", "up")
        address = re.search(rb"^export KAFKA_BOOTSTRAP=(\S+)$", up.out, re.M)
        self.assertTrue(address, up)
        client = self.connect(address[1].decode())
        client.sendall(api_versions(0, 7))
        self.assertEqual(struct.unpack(">ih", self.frame(client)[:6]), (7, 0))


if __name__ == "__main__":
    unittest.main(verbosity=2)
