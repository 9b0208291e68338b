"""The simulator as a command: fresh seeds, planted bugs, the same trace in every process."""
import concurrent.futures
import json
import os
import subprocess
import sys
import time
import unittest

SIM = os.environ["PESSOA_SIM"]
PRODUCT = os.environ["PESSOA_BIN"]
FRESH = int(os.environ.get("PESSOA_FRESH_SEEDS", "100"))
PATIENCE = int(os.environ.get("PESSOA_PATIENCE", "280"))  # seconds for a whole batch

# Planted bugs that one of the first seeds finds, some in a scenario of theirs; what finds the others: docs/simulations.md.
PLANTS = {"answer_before_sync": None, "skip_segment_sync": None, "skip_directory_sync": None, "no_epoch_bump": None, "no_dedup": None,
          "retry_as_new": None, "tick_still_awaited": None, "wall_clock_for_timeout": None, "batch_from_its_start": None,
          "clean_though_failed": "failing_disk", "failure_means_no": "failing_disk"}


def sim(*arguments):
    return subprocess.run([SIM, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, text=True)


def first_fresh_seed():
    """Other seeds with every commit, the same ones for the same commit: a red run can be had again."""
    here = os.path.dirname(os.path.abspath(__file__))
    head = subprocess.run(["git", "-C", here, "rev-parse", "HEAD"], capture_output=True, text=True)
    return (int(head.stdout[:12], 16) if head.returncode == 0 else int(time.time())) % 1_000_000_000


def lines(run):
    return [json.loads(line) for line in run.stdout.splitlines()]


class Seeds(unittest.TestCase):
    def test_fresh_seeds_hold(self):
        first = first_fresh_seed()
        print(f"fresh seeds {first}..{first + FRESH - 1}", file=sys.stderr)
        run = sim("--seeds", f"{first}..{first + FRESH - 1}", "--jobs", str(os.cpu_count()))
        self.assertEqual(run.returncode, 0, run.stderr[-6000:])
        told = lines(run)
        self.assertEqual(len(told), FRESH)
        self.assertEqual({line["rerun"] for line in told if line["seed"] % 50 == 0} or {True}, {True})
        self.assertEqual({line["rerun"] for line in told if line["seed"] % 50 != 0}, {None})
        self.assertGreater(sum(sum(line["faults"].values()) for line in told), FRESH, "hardly anything went wrong")
        if FRESH >= 20:  # fewer say nothing as a whole
            probes = {p["name"] for p in json.loads(sim("--list", "probes").stdout)}
            report = run.stderr[run.stderr.index("probes, and the percentage"):].splitlines()[1:]
            self.assertEqual({line.split()[0] for line in report}, probes)
            reached = {name for line in told for name in line["probes"]}
            self.assertEqual({line.split()[0] for line in report if line.endswith("never")}, probes - reached)

    def test_a_seed_is_the_same_alone_and_after_others(self):
        # Seed 2 was not, while the producer woke its partitions in the order of their addresses (docs/bugs-found.md).
        batch = {line["seed"]: line["trace"] for line in lines(sim("--seeds", "1..4"))}
        for seed, trace in batch.items():
            self.assertEqual(lines(sim("--seed", str(seed)))[0]["trace"], trace, f"seed {seed}")
        self.assertEqual(len(set(batch.values())), 4)

    def test_kept_seeds_hold(self):
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "kept_seeds.txt")) as file:
            kept = [line.split()[:2] for line in file if line.strip() and not line.startswith("#")]
        self.assertTrue(kept)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            runs = list(pool.map(lambda one: sim("--scenario", one[0], "--seed", one[1]), kept))
        for (scenario, seed), run in zip(kept, runs):
            with self.subTest(scenario=scenario, seed=seed):
                self.assertEqual(run.returncode, 0, run.stderr[-3000:])

    def test_planted_bugs_are_found_and_replayed(self):
        def where(plant):
            return ["--plant", plant] + (["--scenario", PLANTS[plant]] if PLANTS[plant] else [])

        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            runs = list(pool.map(lambda plant: sim("--seeds", "1..40", "--stop-at-first", *where(plant)), PLANTS))
        for plant, run in zip(PLANTS, runs):
            with self.subTest(plant=plant):
                self.assertEqual(run.returncode, 1, f"{plant} was not found")
                found = lines(run)[-1]
                seed = str(found["seed"])
                self.assertEqual(found["verdict"], "failed")
                self.assertIn(found["reason"], {c["name"] for c in json.loads(sim("--list", "checkers").stdout)})
                self.assertRegex(run.stderr, f"again: pessoa simulate --seed {seed} .*--plant {plant}")
                again = lines(sim("--seed", seed, *where(plant)))[0]
                self.assertEqual((again["reason"], again["trace"]), (found["reason"], found["trace"]))
                whole = sim("--seed", seed, *where(plant)[2:])
                self.assertEqual(lines(whole)[0]["verdict"], "ok", "it fails without the plant")

    def test_the_search_for_a_planted_bug_is_a_table(self):
        run = sim("--find-plants", "1..3", "--plant", "no_epoch_bump")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("| no_epoch_bump | 1 | epoch_is_served_once | ok |", run.stdout)
        # What no seed can show (one node never cuts its log back) is said to be missing.
        run = sim("--find-plants", "1..1", "--plant", "scan_behind_truncation")
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertIn("| scan_behind_truncation | not in 1 | | |", run.stdout)

    def test_the_product_has_no_sites(self):
        with open(PRODUCT, "rb") as file:
            product = file.read()
        with open(SIM, "rb") as file:
            simulator = file.read()
        bugs = json.loads(sim("--list", "bugs").stdout)
        self.assertGreaterEqual(len(bugs), 20)
        for bug in bugs:
            self.assertIn(bug["name"].encode(), simulator)
            self.assertNotIn(bug["name"].encode(), product, "the product could be told to fail")


class Words(unittest.TestCase):
    def test_wrong_commands_are_told(self):
        for arguments, word in [(("--seeds", "9..1"), "no range"), (("--seeds", "x"), "no range"), (("--seed", "1..2"), "no seed"),
                                (("--plant", "nothing"), "--list bugs"), (("--scenario", "nowhere"), "built in are"),
                                (("--find-plants", "9..1"), "no range"), (("--list", "stars"), "--list knows")]:
            with self.subTest(arguments=arguments):
                run = sim(*arguments)
                self.assertEqual(run.returncode, 2, run.stderr)
                self.assertIn(word, run.stderr)
                self.assertEqual(run.stdout, "")
        self.assertEqual(sim("--nonsense").returncode, 2)
        self.assertEqual(sim("--help").returncode, 0)

    def test_the_command_hands_its_words_on(self):
        for arguments in (["--seed", "3"], ["--list", "faults"], ["--plant", "nothing"], ["--help"]):
            with self.subTest(arguments=arguments):
                own = sim(*arguments)
                run = subprocess.run([PRODUCT, "simulate", *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, text=True)
                self.assertEqual((run.returncode, run.stdout, run.stderr), (own.returncode, own.stdout, own.stderr))

    def test_lists_are_whole(self):
        for name in ("scenarios", "bugs", "checkers", "faults", "probes"):
            listed = json.loads(sim("--list", name).stdout)
            self.assertTrue(listed)
            for entry in listed:
                self.assertTrue(entry["name"] and entry["about"], (name, entry))


if __name__ == "__main__":
    unittest.main(verbosity=2)
