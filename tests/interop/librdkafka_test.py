"""librdkafka's own broker tests, one process each, against the Kafka listener. Run by scripts/interop librdkafka.

librdkafka.txt says which tests are in scope and why the others are not. Each outcome goes into PESSOA_INTEROP_OUT as a
line of JSON as it comes; a test in scope that does not pass is a failure. A run that skipped everything did not pass.
"""
import json
import os
import re
import stat
import subprocess
import time
import unittest

from broker import FOREIGN, Broker
from librdkafka_sheet import read_rows

TESTS = os.environ["PESSOA_INTEROP_LIBRDKAFKA"]  # the folder with test-runner
OUT = os.environ["PESSOA_INTEROP_OUT"]
ONLY = os.environ.get("PESSOA_INTEROP_TESTS", "").replace(",", " ").split()
SECONDS = 180  # for one test
NO_AUTO_CREATE = {"0107", "0111"}  # need a node that creates no topics by itself
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
OUTCOME = re.compile(r"^\| (\d{4}_\w+)\s*\|\s*(PASSED|FAILED|SKIPPED)", re.M)

# Some tests call Kafka's own script to make topics. This does what they ask of it, with our command.
KAFKA_TOPICS = """#!/bin/bash
words=() verb=
while [ $# -gt 0 ]; do
  case "$1" in
    --create|--delete|--alter) verb=${1#--}; shift ;;
    --bootstrap-server) shift 2 ;;
    --topic) topic=$2; shift 2 ;;
    --partitions) words+=(--partitions "$2"); shift 2 ;;
    --replication-factor) words+=(--replicas "$2"); shift 2 ;;
    --config) words+=(-c "$2"); shift 2 ;;
    *) echo "kafka-topics.sh: unknown $1" >&2; exit 2 ;;
  esac
done
[ "$verb" != delete ] || words+=(--yes)
exec "$PESSOA_BIN" topic "$verb" "$topic" "${words[@]}"
"""


class Librdkafka(Broker):
    flags = ("--auto-create", "on", "--default-partitions", "4")

    def test_all_in_scope(self):
        script = self.path("kafka", "bin", "kafka-topics.sh")
        os.makedirs(os.path.dirname(script))
        with open(script, "w", encoding="utf-8") as file:
            file.write(KAFKA_TOPICS)
        os.chmod(script, stat.S_IRWXU)
        rows = read_rows()
        failed = []
        wanted = ONLY or [number for number, row in rows.items() if row.scope == "in"]
        for number in [n for n in wanted if n not in NO_AUTO_CREATE] + [n for n in wanted if n in NO_AUTO_CREATE]:
            if number in NO_AUTO_CREATE and not FOREIGN and self.flags:
                self.node.end()
                self.flags = ()
                self.node = self.start(self.path("second"), "--kafka-listen", "127.0.0.1:0")
                self.kafka = self.node.at["kafka"]
            outcome, seconds = self.one(number)
            with open(OUT, "a", encoding="utf-8") as file:
                file.write(json.dumps({"test": number, "outcome": outcome, "seconds": round(seconds, 1)}) + "\n")
            print(f"{number} {outcome} {seconds:.1f} s", flush=True)
            if outcome != "passed":
                failed.append(number)
        self.assertEqual(failed, [], f"the logs are beside {OUT}")

    def one(self, number):
        with open(os.path.join(TESTS, "test.conf"), "w", encoding="utf-8") as file:
            file.write(f"bootstrap.servers={self.kafka}\n")
        env = {**self.env, "TESTS": number, "TEST_KAFKA_VERSION": "4.0.0", "LD_LIBRARY_PATH": "../src:../src-cpp",
               "BROKERS": self.kafka, "TEST_SCENARIO": "noautocreate" if number in NO_AUTO_CREATE else "default"}
        if not FOREIGN:
            env["KAFKA_PATH"] = self.path("kafka")
        log = f"{OUT}.{number}.log"
        begun = time.monotonic()
        with open(log, "wb") as file:
            try:
                status = subprocess.run(["./test-runner", "-p1", "-L"], cwd=TESTS, env={**env, "PESSOA_BIN": os.environ["PESSOA_BIN"]},
                                        stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, timeout=SECONDS).returncode
            except subprocess.TimeoutExpired:
                return "hung", time.monotonic() - begun
        with open(log, encoding="utf-8", errors="replace") as file:
            outcomes = {outcome for _, outcome in OUTCOME.findall(COLOURS.sub("", file.read()))}
        if status != 0 or "FAILED" in outcomes:
            return "failed", time.monotonic() - begun
        return "passed" if "PASSED" in outcomes else "skipped", time.monotonic() - begun


if __name__ == "__main__":
    unittest.main(verbosity=2)
