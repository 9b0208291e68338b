"""A world for one test file: HOME, TMPDIR and nodes of its own, and the real binary.

Every wait has a bound, every port is given by the system, and nothing of it is left behind.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

BINARY = os.environ["PESSOA_BIN"]
PATIENCE = 60  # seconds that anything may take before the test gives up


class Ended:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def json(self):
        return json.loads(self.out.decode().splitlines()[-1])

    def __repr__(self):
        return f"status {self.status}\nstdout {self.out[-2000:]!r}\nstderr {self.err.decode(errors='replace')[-2000:]}"


class Node:
    """`pessoa start` in the foreground of a child process."""

    def __init__(self, world, data, *flags, new=True):
        self.log = tempfile.TemporaryFile(dir=world.root)
        arguments = [BINARY, "start", "--data", data, "--listen", "127.0.0.1:0", "--kafka-listen", "127.0.0.1:0",
                     "--http-listen", "127.0.0.1:0"] + (["--new"] if new else []) + list(flags)
        # Flags given twice are refused: the caller's win.
        for flag in flags:
            if flag.startswith("--") and arguments.count(flag) > 1:
                at = arguments.index(flag)
                del arguments[at:at + 2]
        self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log,
                                        env=world.env)
        world.nodes.append(self)
        bound = threading.Timer(PATIENCE, self.process.kill)
        bound.start()
        self.ready = self.process.stdout.readline().decode().strip()
        bound.cancel()
        self.at = dict(word.split("=", 1) for word in self.ready.split()[1:])

    @property
    def rpc(self):
        return self.at["rpc"]

    @property
    def kafka(self):
        return self.at["kafka"]

    def errors(self):
        # Not through the file's own position: the node writes at it.
        return os.pread(self.log.fileno(), 1 << 24, 0).decode(errors="replace")

    def until(self, holds):
        """Asks `holds` until it does, for PATIENCE at most; a node that has ended is not waited for."""
        deadline = time.monotonic() + PATIENCE
        while not holds() and self.process.poll() is None and time.monotonic() < deadline:
            try:
                self.process.wait(0.02)
            except subprocess.TimeoutExpired:
                pass

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        self.process.stdout.close()
        return status


class World(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="pessoa-system-")
        home = os.path.join(self.root, "home")
        tmp = os.path.join(self.root, "tmp")
        os.makedirs(home)
        os.makedirs(tmp)
        self.env = {name: value for name, value in os.environ.items()
                    if not name.startswith(("PESSOA_", "XDG_")) and name != "KAFKA_BOOTSTRAP_SERVERS"}
        self.env.update(HOME=home, TMPDIR=tmp)
        self.nodes = []
        self.addCleanup(self.clean)

    def clean(self):
        for node in self.nodes:
            if node.process.poll() is None:
                node.process.kill()
                node.process.wait(PATIENCE)
            node.process.stdout.close()
            node.log.close()
        shutil.rmtree(self.root, ignore_errors=True)

    def path(self, *names):
        return os.path.join(self.root, *names)

    def start(self, data=None, *flags, new=True):
        node = Node(self, data or self.path("data"), *flags, new=new)
        self.assertRegex(node.ready, r"^ready node=\d+ rpc=\S+ peer=\S+ kafka=\S+ http=\S+$", node.errors())
        self.env["PESSOA_BOOTSTRAP"] = node.rpc
        return node

    def run_command(self, *arguments, stdin=b"", env=None):
        ended = subprocess.run([BINARY, *arguments], input=stdin, capture_output=True, timeout=PATIENCE,
                               env={**self.env, **(env or {})})
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    def ok(self, *arguments, stdin=b"", env=None):
        ended = self.run_command(*arguments, stdin=stdin, env=env)
        self.assertEqual(ended.status, 0, f"{arguments}: {ended}")
        return ended

    def fails(self, status, pattern, *arguments, stdin=b"", env=None):
        """It ends with this status, and its stderr says what failed and what to do."""
        ended = self.run_command(*arguments, stdin=stdin, env=env)
        self.assertEqual(ended.status, status, f"{arguments}: {ended}")
        self.assertTrue(re.search(pattern, ended.err.decode(errors="replace")), f"{arguments}: {pattern!r} not in {ended}")
        return ended
