"""kill -9, again and again: what `produce --report` printed is there, once, at its offset."""
import os
import signal
import subprocess
import threading
import unittest
import urllib.request

from world import BINARY, PATIENCE, World

ROUNDS = int(os.environ.get("PESSOA_KILL_ROUNDS", "5"))


class Kill(World):
    def recovery_is_told(self, node, round_number):
        with urllib.request.urlopen(f"http://{node.at['http']}/metrics", timeout=PATIENCE) as answer:
            told = dict(line.rsplit(b" ", 1) for line in answer.read().splitlines() if not line.startswith(b"#"))
        read = float(told[b"pessoa_storage_recovery_bytes_read_total"])
        stored = sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(self.path("data")) for name in names)
        self.assertGreater(read, 0, f"round {round_number}: recovery read nothing")
        self.assertLess(read, 4 * stored, f"round {round_number}: recovery read the same again and again")
        self.assertGreater(float(told[b"pessoa_storage_recovery_seconds"]), 0)

    def test_every_reported_record_survives(self):
        data = self.path("data")
        node = self.start(data)
        self.ok("topic", "create", "t", "-p", "2")
        reported = {}
        for round_number in range(ROUNDS):
            # The witness: lines on its stdout are acknowledgements. It dies with the node or by its own timeout.
            witness = subprocess.Popen([BINARY, "produce", "t", "--report", "%p %o %v", "--delivery-timeout", "2s"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.env)
            bound = threading.Timer(PATIENCE, witness.kill)
            bound.start()

            def feed():
                try:
                    for i in range(2_000_000):
                        witness.stdin.write(b"round %d record %d\n" % (round_number, i))
                    witness.stdin.close()
                except (BrokenPipeError, ValueError):
                    pass

            feeder = threading.Thread(target=feed, daemon=True)
            feeder.start()
            seen = 0
            for line in witness.stdout:
                partition, offset, value = line.rstrip(b"\n").split(b" ", 2)
                place = (int(partition), int(offset))
                self.assertNotIn(place, reported, "one place was acknowledged twice")
                reported[place] = value
                seen += 1
                if seen == 500 * (round_number + 1):
                    node.end(signal.SIGKILL)
            self.assertNotEqual(witness.wait(PATIENCE), 0, "the node was killed: not everything can be acknowledged")
            bound.cancel()
            feeder.join(PATIENCE)
            for stream in (witness.stdin, witness.stdout):
                try:
                    stream.close()
                except BrokenPipeError:
                    pass
            self.assertGreaterEqual(seen, 500 * (round_number + 1))
            node = self.start(data, new=False)
            self.recovery_is_told(node, round_number)
            there = {}
            values = set()
            for line in self.ok("consume", "t", "-e", "-f", "%p %o %v\\n").out.splitlines():
                partition, offset, value = line.split(b" ", 2)
                there[int(partition), int(offset)] = value
                self.assertNotIn(value, values, "a record is there twice")
                values.add(value)
            lost = {place: value for place, value in reported.items() if there.get(place) != value}
            self.assertFalse(lost, f"round {round_number}: {len(lost)} acknowledged records are not at their place")
        print(f"{ROUNDS} rounds, {len(reported)} acknowledged records, {len(there)} stored")


if __name__ == "__main__":
    unittest.main(verbosity=2)
