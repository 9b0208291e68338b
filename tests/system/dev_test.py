"""`pessoa dev`: processes that outlive the command, and clusters that die with theirs."""
import json
import os
import select
import signal
import subprocess
import time
import unittest

from world import BINARY, PATIENCE, World


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def await_gone(pid):
    """Waits for the end of a process that is not our child."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    readable, _, _ = select.select([watched], [], [], PATIENCE)
    os.close(watched)
    return bool(readable)


class Dev(World):
    def setUp(self):
        super().setUp()
        self.addCleanup(self.run_command, "dev", "down", "--purge")

    def up(self):
        nodes = self.ok("dev", "up", "--output", "json").json()["nodes"]
        self.assertEqual(set(nodes[0]), {"id", "state", "pid", "rpc", "peer", "kafka", "http", "data"})
        self.assertEqual(nodes[0]["peer"], None)
        self.assertRegex(nodes[0]["kafka"], r"^127\.0\.0\.1:\d+$")
        return nodes[0]

    def test_a_node_is_started_killed_paused_and_ended(self):
        self.ok("profile", "use", "former", "-b", "127.0.0.1:1")
        node = self.up()
        self.assertEqual((node["id"], node["state"]), (1, "up"))
        self.assertTrue(alive(node["pid"]))
        self.ok("produce", "t", "--create", stdin=b"one\n")  # through the selected profile

        killed = self.ok("dev", "kill", "1", "--output", "json").json()["nodes"][0]
        self.assertEqual((killed["state"], killed["pid"]), ("down", None))
        self.assertFalse(alive(node["pid"]))
        self.fails(1, "(?s)profile dev.*try: ", "topic", "list")

        started = self.ok("dev", "start", "1", "--output", "json").json()["nodes"][0]
        self.assertEqual((started["state"], started["rpc"]), ("up", node["rpc"]))
        self.assertEqual(self.ok("consume", "t", "-e").out, b"one\n")

        self.assertEqual(self.ok("dev", "pause", "1", "--output", "json").json()["nodes"][0]["state"], "paused")
        self.assertEqual(self.ok("dev", "resume", "1", "--output", "json").json()["nodes"][0]["state"], "up")
        self.assertEqual(self.ok("dev", "stop", "1", "--output", "json").json()["nodes"][0]["state"], "down")
        self.assertEqual(self.up()["rpc"], node["rpc"])  # up starts a stopped cluster again
        self.ok("dev", "restart", "1")
        self.assertEqual(self.ok("consume", "t", "-e").out, b"one\n")

        last = self.ok("dev", "status", "--output", "json").json()["nodes"][0]
        self.ok("dev", "down", "--purge")
        self.assertFalse(alive(last["pid"]))
        self.assertFalse(os.path.exists(last["data"]))
        self.assertEqual(json.loads(self.ok("profile", "list", "--output", "json").out),
                         [{"name": "former", "selected": True, "bootstrap": ["127.0.0.1:1"]}])

    def test_several_begin_at_once(self):
        names = [f"c{i}" for i in range(6)]
        homes = [self.path(name) for name in names]
        begun = []
        for home in homes:
            os.makedirs(home)
            begun.append(subprocess.Popen([BINARY, "dev", "up", "--output", "json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                          stderr=subprocess.PIPE, env={**self.env, "HOME": home}))
            self.addCleanup(self.run_command, "dev", "down", "--purge", env={"HOME": home})
        ended = [one.communicate(timeout=PATIENCE) for one in begun]
        for one, (out, err) in zip(begun, ended):
            self.assertEqual(one.returncode, 0, err.decode(errors="replace"))
        ports = [json.loads(out)["nodes"][0]["rpc"] for out, _ in ended]
        self.assertEqual(len(set(ports)), len(ports), ports)

    def test_up_does_not_hold_its_readers_pipe(self):
        out = subprocess.run(["sh", "-c", f"x=$({BINARY} dev up); echo \"$x\""], capture_output=True, env=self.env, timeout=PATIENCE)
        self.assertEqual(out.returncode, 0, out)
        self.assertIn(b"127.0.0.1:", out.stdout)

    def test_what_is_not_there_is_told(self):
        self.fails(4, "dev up", "dev", "status")
        self.fails(2, "not there yet", "dev", "up", "-n", "3")
        self.fails(1, "not there yet", "dev", "add")
        self.up()
        self.fails(4, "no node 7", "dev", "kill", "7")
        self.fails(2, "node's number", "dev", "kill", "one")
        self.ok("dev", "kill", "1")
        self.fails(1, "down", "dev", "pause", "1")


class DevRun(World):
    def left_behind(self):
        return os.listdir(self.path("tmp"))

    def test_the_command_gets_a_cluster_and_its_status_is_ours(self):
        script = (f"test -n \"$PESSOA_BOOTSTRAP\" && {BINARY} produce t --create && {BINARY} consume t -e && exit 7")
        ended = self.run_command("dev", "run", "--", "sh", "-c", script, stdin=b"hello\n")
        self.assertEqual((ended.status, ended.out), (7, b"hello\n"), ended)
        self.assertEqual(self.left_behind(), [])
        self.assertEqual(self.run_command("dev", "run", "--", "sh", "-c", "kill -TERM $$").status, 128 + signal.SIGTERM)
        self.fails(127, "cannot run", "dev", "run", "--", "/nowhere/at/all")
        self.fails(2, "not there yet", "dev", "run", "-n", "2", "--", "true")

    def test_everything_goes_when_the_parent_is_killed(self):
        read, write = os.pipe()
        script = f"sleep 1000 & echo $$ $! $PESSOA_BOOTSTRAP >&{write}; wait"
        parent = subprocess.Popen([BINARY, "dev", "run", "--", "sh", "-c", script], stdin=subprocess.PIPE, pass_fds=[write],
                                  env=self.env)
        os.close(write)
        with os.fdopen(read) as told:
            command, grandchild, address = told.readline().split()
        self.assertTrue(self.ok("topic", "list", "-b", address))
        guardians = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and self.belongs(int(pid))]
        self.assertGreaterEqual(len(guardians), 2)  # the guardian and the node
        parent.kill()
        parent.wait(PATIENCE)
        parent.stdin.close()
        for pid in [int(command), int(grandchild)] + guardians:
            self.assertTrue(await_gone(pid), pid)
        self.assertEqual(self.left_behind(), [])

    def belongs(self, pid):
        """Is it a pessoa of this test's HOME, other than a child of ours that was asked to end?"""
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                ours = f"HOME={self.env['HOME']}".encode() in file.read().split(b"\0")
            return ours and os.path.samefile(f"/proc/{pid}/exe", BINARY)
        except OSError:
            return False


if __name__ == "__main__":
    unittest.main(verbosity=2)
