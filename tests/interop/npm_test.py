"""kafkajs and @platformatic/kafka from npm, against the Kafka listener. Run by scripts/interop npm, which installs them."""
import os
import shutil
import subprocess
import unittest

from broker import FOREIGN, HERE, PATIENCE, Broker

MODULES = os.environ["PESSOA_INTEROP_NPM"]  # a folder with node_modules
LINES = [b"%d a line that compresses well and ends in a carriage return\r" % i for i in range(1000)]


class Npm(Broker):
    def client(self, script):
        """Runs it; what it left in TOPIC-gzip is then read by the native client."""
        beside = os.path.join(MODULES, script)  # a module is found from where the script lies
        shutil.copyfile(os.path.join(HERE, "npm", script), beside)
        topic = self.name("t")
        ended = subprocess.run(["node", beside, self.kafka, topic], capture_output=True, text=True, timeout=2 * PATIENCE, env=self.env)
        print(ended.stdout, end="", flush=True)
        self.assertEqual(ended.returncode, 0, ended.stderr[-4000:])
        if not FOREIGN:
            read = [r for r in self.native_read(topic + "-gzip") if r.value is not None]
            self.assertEqual([r.value for r in read], LINES)
            self.assertEqual([r.headers for r in read], [[("h", b"%d" % i)] for i in range(len(LINES))])

    def test_kafkajs(self):
        self.client("kafkajs.cjs")

    def test_platformatic(self):
        self.client("platformatic.mjs")


if __name__ == "__main__":
    unittest.main(verbosity=2)
