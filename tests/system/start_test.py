"""A node in the foreground: how it starts, what it refuses, how it ends."""
import os
import signal
import socket
import subprocess
import time
import unittest

from world import BINARY, PATIENCE, World


class Start(World):
    def test_it_says_when_it_serves_and_ends_cleanly(self):
        begun = time.monotonic()
        node = self.start()
        print(f"start to ready: {(time.monotonic() - begun) * 1000:.0f} ms")
        self.assertEqual(node.end(signal.SIGTERM), 0)
        node = self.start(new=False)  # a known directory needs no flag
        self.assertEqual(node.end(signal.SIGINT), 0)

    def test_a_signal_while_it_starts_ends_it(self):
        self.start().end()
        for _ in range(10):  # at whatever moment it arrives
            process = subprocess.Popen([BINARY, "start", "--data", self.path("data"), "--listen", "127.0.0.1:0", "--kafka-listen",
                                        "127.0.0.1:0", "--http-listen", "off"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=self.env)
            told = process.stderr.readline()  # it says what it does: its signals are taken by now
            process.send_signal(signal.SIGTERM)
            told += process.stderr.read()
            process.stderr.close()
            self.assertEqual(process.wait(PATIENCE), 0, told)
        node = self.start(new=False)
        self.assertEqual(node.end(), 0)

    def test_starting_the_command_takes_no_time_worth_mentioning(self):
        begun = time.monotonic()
        for _ in range(10):
            self.ok("version")
        print(f"pessoa version: {(time.monotonic() - begun) * 100:.1f} ms")

    def test_an_empty_directory_without_a_wish_is_a_usage_error_with_both_commands(self):
        ended = self.fails(2, "--new", "start", "--data", self.path("empty"), "--listen", "127.0.0.1:0")
        self.assertIn(b"--join", ended.err)

    def test_wrong_flags_and_values_are_usage_errors(self):
        data = ["start", "--data", self.path("d")]
        self.fails(2, "did you mean --listen", *data, "--lisen", "127.0.0.1:0")
        self.fails(2, "HOST:PORT", *data, "--listen", "18880")
        self.fails(2, "memory-budget", *data, "--memory-budget", "lots")
        self.fails(2, "--data", "start", "--new")
        self.assertFalse(os.path.exists(self.path("d")))

    def test_a_listener_that_is_not_there_is_named_once(self):
        node = self.start()
        self.assertNotIn("no such listener", node.errors())
        node.end()
        node = self.start(None, "--peer-listen", "127.0.0.1:0", new=False)
        self.assertEqual(node.errors().count("--peer-listen: this version has no such listener; it is off"), 1, node.errors())
        self.assertRegex(node.ready, "peer=off")

    def test_a_directory_in_use_is_refused_untouched(self):
        self.start()
        before = sorted(os.listdir(self.path("data")))
        self.fails(1, "(?i)in use|uses this", "start", "--data", self.path("data"), "--listen", "127.0.0.1:0",
                   "--kafka-listen", "off", "--http-listen", "off")
        self.assertEqual(sorted(os.listdir(self.path("data"))), before)

    def test_a_foreign_directory_is_refused_untouched(self):
        os.makedirs(self.path("mine"))
        with open(self.path("mine", "thesis.txt"), "w") as file:
            file.write("years of work")
        self.fails(1, "try: ", "start", "--data", self.path("mine"), "--new", "--listen", "127.0.0.1:0",
                   "--kafka-listen", "off", "--http-listen", "off")
        self.assertEqual(os.listdir(self.path("mine")), ["thesis.txt"])

    def test_a_port_in_use_is_named(self):
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            holder.listen()
            port = holder.getsockname()[1]
            for listener in ("--listen", "--kafka-listen", "--http-listen"):
                at = {"--listen": "127.0.0.1:0", "--kafka-listen": "off", "--http-listen": "off", listener: f"127.0.0.1:{port}"}
                self.fails(1, f"{listener[2:]}: .*{port}.*(?s:.*){listener}", "start", "--data", self.path("data"), "--new",
                           *[word for pair in at.items() for word in pair])

    def test_a_wrong_port_is_told_and_closes_only_itself(self):
        node = self.start()
        self.ok("topic", "create", "t")
        host, port = node.rpc.rsplit(":", 1)
        for nonsense in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\xff" * 64, b"\x00\x00\x00\x10\x00\x12\x00\x00" * 4):
            with socket.create_connection((host, int(port)), PATIENCE) as wrong:
                wrong.settimeout(PATIENCE)
                wrong.sendall(nonsense)
                wrong.shutdown(socket.SHUT_WR)
                try:
                    while wrong.recv(4096):
                        pass
                except ConnectionResetError:
                    pass
        self.assertIn(b"t", self.ok("topic", "list").out)

    def test_nobody_there_is_an_error_with_the_address(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
            self.fails(1, f"(?s)127.0.0.1:{port}.*try: ", "topic", "list", "-b", f"127.0.0.1:{port}")
            self.fails(3, f"127.0.0.1:{port}", "produce", "t", "-b", f"127.0.0.1:{port}", "--delivery-timeout", "300ms")
            unhealthy = self.run_command("cluster", "health", "-b", f"127.0.0.1:{port}", "--output", "json")
            self.assertEqual((unhealthy.status, unhealthy.json()["healthy"]), (3, False))


if __name__ == "__main__":
    unittest.main(verbosity=2)
