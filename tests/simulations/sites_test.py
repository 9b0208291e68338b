"""Named sites: what the sources have is what the simulator lists, and all of it lies where only the simulator gets it."""
import json
import os
import re
import subprocess
import unittest

SIM = os.environ["PESSOA_SIM"]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Folders whose library has a planted twin, and the simulator's own, which has probes only.
PLANTED = ["actors", "client", "persistence", "protocol"]
SITE = re.compile(r'PESSOA_(PLANT|PROBE)\("(\w+)"\)')


def sources(folders):
    for folder in folders:
        for place, _, names in os.walk(os.path.join(ROOT, folder)):
            for name in names:
                if name.endswith((".cpp", ".hpp")):
                    path = os.path.join(place, name)
                    with open(path, encoding="utf-8") as file:
                        yield os.path.relpath(path, ROOT), file.read()


def sites(kind, folders):
    return {name for _, text in sources(folders) for which, name in SITE.findall(text) if which == kind}


def listed(what):
    run = subprocess.run([SIM, "--list", what], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, text=True)
    return [entry["name"] for entry in json.loads(run.stdout)]


class Sites(unittest.TestCase):
    def test_every_planted_bug_is_listed_and_there(self):
        self.assertEqual(sites("PLANT", PLANTED), set(listed("bugs")))

    def test_every_probe_is_listed_and_there(self):
        self.assertEqual(sites("PROBE", PLANTED + ["simulations"]), set(listed("probes")))

    def test_no_name_stands_for_two_things(self):
        names = listed("bugs") + listed("probes")
        self.assertEqual(len(names), len(set(names)))

    def test_no_header_has_a_site(self):
        # It would mean one thing to the product's objects and another to the planted ones.
        for path, text in sources(PLANTED + ["kafka", "node", "schema", "simulations"]):
            if path.endswith(".hpp") and path != os.path.join("schema", "plants.hpp"):
                self.assertNotRegex(text, SITE, path)

    def test_no_other_folder_has_a_site(self):
        # A site in a library without a planted twin would be dead.
        for path, text in sources(["cli", "kafka", "node", "schema"]):
            if path != os.path.join("schema", "plants.hpp"):
                self.assertNotRegex(text, SITE, path)


if __name__ == "__main__":
    unittest.main(verbosity=2)
