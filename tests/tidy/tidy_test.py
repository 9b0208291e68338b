#!/usr/bin/env python3
"""Tidy's own test: a clean tree passes every rule, and each rule finds what is planted for it, at its line.

The clean tree holds what a careless rule would trip over: forbidden words in comments, strings and *_posix.cpp files.
"""
import contextlib
import io
import json
import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import seams  # noqa: E402
import texts  # noqa: E402
import tidy  # noqa: E402
from tree import Tree  # noqa: E402
from words import NOTES  # noqa: E402

CLEAN = {
    "CMakeLists.txt": "add_subdirectory(schema)\n",
    "README.md": "# T\n\nSee [the plan](docs/plan.md#the-plan) and `schema/a.cpp:2`, `scripts/build --preset dev`, `tests/NAME_fuzz.cpp`.\n"
                 "`build/release/x` and `a/b` are no paths of ours.\n",
    "docs/plan.md": "## The `plan`\n\n[up](../README.md) [web](https://example.org/home/x) `schema/`\n"
                    "```\n[not a link](gone.md) `docs/gone.md`\n```\n",
    "docs/guarantees.md": "`a: b, c`, `a: in two pieces`, `m: by a macro`, `system.k: test_it`; `p::known_(x)`, `std::gone`\n",
    "scripts/build": "#!/bin/sh\n",
    "schema/a.hpp": "// steady_clock, std::thread and ::open( in a comment\n#include <string>\nint make_system_clock();\n",
    "schema/a.cpp": '#include "schema/a.hpp"\nconst char* s = "std::thread ::open( sleep_for // " "GetSnapshot(";\n'
                    "long n = 1'000'000; char quote = '\"'; int wait_time(int t) { return t; }\n",
    "schema/wire/w.hpp": "#include <capnp/message.h>\n",
    "schema/wire/w.cpp": '#include "schema/wire/w.hpp"\n#include "schema/client.capnp.h"\n',
    "schema/client.capnp": "@0xabcdefabcdefabcd;\n",
    "schema/seams/network.hpp": "#include <kj/async-io.h>\n",
    "schema/seams/x_posix.cpp": "#include <fcntl.h>\nauto t = std::chrono::steady_clock::now(); std::thread h; int f = ::open(p, 0);\n",
    "schema/seams/y_posix.hpp": "#include <kj/io.h>\n#include <sys/socket.h>\n",
    "schema/seams/z_posix.hpp": '#include "schema/a.hpp"\n',
    "protocol/p.hpp": '#include "schema/a.hpp"\n#include <map>\n#include <unordered_map>\n'
                      "struct p { std::unordered_map<int, std::map<int, int>> known_; std::map<int, int> ordered_; };\n",
    "protocol/p.cpp": '#include "protocol/p.hpp"\nvoid f(p& x) { for (auto& [k, v] : x.ordered_) use(k, v);\n'
                      "  auto it = x.known_.find(1); if (it != x.known_.end()) use(ok ? known_ : other); }\n",
    "persistence/q.cpp": '#include "schema/a.hpp"\n#include <leveldb/db.h>\nresult<void> file::open(int) { return env->open(1); }\n',
    "actors/r.cpp": '#include "protocol/p.hpp"\n#include <caf/actor_system.hpp>\nauto id = std::thread::id{};\n',
    "node/n.cpp": '#include "actors/r.hpp"\nstd::thread t;\n',
    "actors/r.hpp": "",
    "kafka/definitions/m.txt": "",
    "kafka/codec/k.hpp": '#include "kafka/messages/m.hpp"\n#include "kafka/messages/all.hpp"\n#include "schema/a.hpp"\n',
    "client/include/pessoa/client.hpp": '#include "schema/a.hpp"\n',
    "client/core/c.cpp": '#include "pessoa/client.hpp"\n',
    "cli/main.cpp": '#include "node/n.hpp"\n#include <pessoa/client.hpp>\n',
    "node/n.hpp": "",
    "tests/t.cpp": '#include "actors/r.hpp"\nTEST_CASE("a: b, c", "[x]") { f(";"); }\n'
                   'TEST_CASE("a: in two "\n  "pieces") {}\nM_TEST("by a macro") {}\n',
    "tests/k_test.py": "class K:\n    def test_it(self):\n",
    "tests/fuzz/CMakeLists.txt": "pessoa_fuzz(u SOURCES u_fuzz.cpp)\npessoa_fuzz(v LINK x)\n",
    "tests/fuzz/u_fuzz.cpp": "",
    "tests/fuzz/v_fuzz.cpp": "",
    "tests/fuzz/corpus/u/seed": "",
}

# rule -> [(file to add or replace, its text, "path:line" the finding must name)]
PLANTS = {
    "layers": [
        ("schema/b.hpp", '\n#include "protocol/p.hpp"\n', "schema/b.hpp:2"),
        ("protocol/b.hpp", '#include "persistence/s.hpp"\n', "protocol/b.hpp:1"),
        ("persistence/b.hpp", '#include "protocol/p.hpp"\n', "persistence/b.hpp:1"),
        ("actors/b.hpp", '#include "node/n.hpp"\n', "actors/b.hpp:1"),
        ("client/core/b.hpp", '#include "node/n.hpp"\n', "client/core/b.hpp:1"),
        ("client/core/b.hpp", '#include "protocol/p.hpp"\n', "client/core/b.hpp:1"),
        ("node/b.hpp", '#include "pessoa/client.hpp"\n', "node/b.hpp:1"),
        ("node/b.hpp", '#include "cli/x.hpp"\n', "node/b.hpp:1"),
        ("cli/b.hpp", '#include "actors/r.hpp"\n', "cli/b.hpp:1"),
        ("node/b.hpp", '#include "tests/t.hpp"\n', "node/b.hpp:1"),
        ("schema/b.hpp", '#include "../node/n.hpp"\n', "schema/b.hpp:1"),
        ("schema/b.hpp", '#include "a.hpp"\n', "schema/b.hpp:1"),
        ("schema/b.hpp", '#include "schema/gone.hpp"\n', "schema/b.hpp:1"),
        ("kafka/b.hpp", '#include "node/n.hpp"\n', "kafka/b.hpp:1"),
        ("kafka/codec/b.hpp", '#include "actors/r.hpp"\n', "kafka/codec/b.hpp:1"),
        ("kafka/b.hpp", '#include "kafka/messages/undefined.hpp"\n', "kafka/b.hpp:1"),
        ("attic/b.hpp", '#include "schema/a.hpp"\n', "attic/b.hpp:1"),
    ],
    "libraries": [
        ("schema/a.hpp", "#include <capnp/message.h>\n", "schema/a.hpp:1"),
        ("schema/seams/b.hpp", "#include <kj/async.h>\n", "schema/seams/b.hpp:1"),
        ("schema/b.hpp", '\n#include "schema/wire/w.hpp"\n', "schema/b.hpp:2"),
        ("schema/b.hpp", '#include "schema/seams/y_posix.hpp"\n', "schema/b.hpp:1"),
        ("schema/seams/z_posix.hpp", '#include "schema/seams/y_posix.hpp"\n', "schema/seams/z_posix.hpp:1"),
        ("protocol/b.cpp", "#include <caf/actor.hpp>\n", "protocol/b.cpp:1"),
        ("protocol/b.cpp", "#include <leveldb/db.h>\n", "protocol/b.cpp:1"),
        ("protocol/b.cpp", '#include "schema/seams/network.hpp"\n', "protocol/b.cpp:1"),
        ("protocol/b.cpp", '#include "schema/client.capnp.h"\n', "protocol/b.cpp:1"),
        ("persistence/b.cpp", "#include <caf/actor.hpp>\n", "persistence/b.cpp:1"),
        ("actors/b.cpp", "#include <capnp/message.h>\n", "actors/b.cpp:1"),
        ("kafka/b.cpp", "#include <capnp/message.h>\n", "kafka/b.cpp:1"),
        ("kafka/codec/b.cpp", "#include <kj/async.h>\n", "kafka/codec/b.cpp:1"),
        ("kafka/codec/b.cpp", "#include <caf/actor.hpp>\n", "kafka/codec/b.cpp:1"),
        ("client/include/pessoa/b.hpp", "#include <caf/actor.hpp>\n", "client/include/pessoa/b.hpp:1"),
        ("client/include/pessoa/b.hpp", '#include "schema/wire/w.hpp"\n', "client/include/pessoa/b.hpp:1"),
    ],
    **{rule: [("schema/b.cpp", f"\n{example}\n", "schema/b.cpp:2") for _, example in rows]
       + [(f"{folder}b.cpp", rows[0][1], f"{folder}b.cpp:1") for folder in seams.FOLDERS]
       for rule, rows in seams.PATTERNS.items()},
    "sockets": [("schema/seams/b_posix.hpp", "inline int s = ::socket(1, 1, 0);\n", "schema/seams/b_posix.hpp:1"),
                *[("schema/b.cpp", f"\n{example}\n", "schema/b.cpp:2") for _, example in seams.PATTERNS["sockets"]]],
    "snapshots": [("tests/b.cpp", "\nauto s = db->GetSnapshot();\n", "tests/b.cpp:2")],
    "caf-all": [("node/b.cpp", '#include <caf/all.hpp>\n', "node/b.cpp:1"),
                ("tests/b.cpp", '#include "caf/all.hpp"\n', "tests/b.cpp:1")],
    "unordered": [
        ("protocol/p.cpp", "\nvoid g(p& x) { for (auto& [k, v] : x.known_) use(k, v); }\n", "protocol/p.cpp:2"),
        ("protocol/p.cpp", "auto i = x->known_.begin();\n", "protocol/p.cpp:1"),
        ("actors/b.cpp", "void g(const std::unordered_set<int>& all) {\n  for (int i : all) use(i);\n}\n", "actors/b.cpp:2"),
        ("actors/b.cpp", "using table = std::unordered_map<int, int>;\ntable rows;\nvoid g() { for (auto& r : rows) use(r); }\n",
         "actors/b.cpp:3"),
        ("actors/b.cpp", "std::unordered_set<int> all;\nvoid g() { for (int i : self->state.all) use(i); }\n", "actors/b.cpp:2"),
        ("kafka/b.cpp", "std::unordered_set<int> all;\nvoid g() { for (int i : self->state.all) use(i); }\n", "kafka/b.cpp:2"),
        ("actors/b.cpp", "std::unordered_set<int> all{};\nauto v = std::vector(std::begin(all), std::end(all));\n",
         "actors/b.cpp:2"),
    ],
    "dead-files": [("schema/b.cpp", "int x;\n", "schema/b.cpp:1"),
                   ("tests/fuzz/b_fuzz.cpp", "int x;\n", "tests/fuzz/b_fuzz.cpp:1")],
    "test-names": [("tests/b.cpp", '\nTEST_CASE("a: one; two", "[x]") {}\n', "tests/b.cpp:2"),
                   ("tests/b.cpp", 'TEST_CASE_METHOD(fixture<int>,\n  "a: one" "; two") {}\n', "tests/b.cpp:1")],
    "notes": [("docs/b.md", f"\n{NOTES[0]}: x\n", "docs/b.md:2"), ("scripts/b", f"# {NOTES[1]}\n", "scripts/b:1")],
    "hosts": [("scripts/b", f"\ncurl http://{host}/x\n", "scripts/b:2") for host in texts.HOSTS],
    "machine-paths": [("docs/b.md", "see `/wo" "rk/x`\n", "docs/b.md:1"), ("schema/b.hpp", "// in /ho" "me/me/x\n", "schema/b.hpp:1")],
    "links": [
        ("docs/b.md", "\n[x](gone.md)\n", "docs/b.md:2"),
        ("docs/b.md", "![x](gone.png)\n", "docs/b.md:1"),
        ("docs/b.md", "[x](plan.md#no-such-heading)\n", "docs/b.md:1"),
        ("docs/b.md", "[x]: gone.md\n", "docs/b.md:1"),
        ("docs/b.md", "as `schema/gone.hpp` says\n", "docs/b.md:1"),
        ("docs/b.md", "run `scripts/gone --now`\n", "docs/b.md:1"),
    ],
    "names": [
        ("docs/b.md", "\n`p::gone` decides\n", "docs/b.md:2"),
        ("docs/b.md", "`gone::f(int)`\n", "docs/b.md:1"),
        ("docs/guarantees.md", "\n`a: b, d`\n", "docs/guarantees.md:2"),
        ("docs/guarantees.md", "`system.kill: test_gone`\n", "docs/guarantees.md:1"),
        ("tests/t.cpp", '// TEST_CASE("a: b, c")\n', "docs/guarantees.md:1"),
    ],
    "columns": [("schema/b.hpp", "\n//" + "x" * 120, "schema/b.hpp:2")],
    "test-sleeps": [("tests/b.cpp", "std::this_thread::sleep_for(x);", "tests/b.cpp:1")],
    "unwritten-documents": [("schema/b.hpp", "// see docs/gone.md\n", "schema/b.hpp:1")],
}


def write_tree(root, files):
    for path, text in files.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as stream:
            stream.write(text)


def compile_commands(root, files):
    """As if every .cpp of `files` were built, except fuzzers, which another configuration builds."""
    build = os.path.join(root, "build", "dev")
    os.makedirs(build, exist_ok=True)
    rows = [{"directory": build, "file": os.path.join(root, f)} for f in files if f.endswith(".cpp") and "fuzz" not in f]
    with open(os.path.join(build, "compile_commands.json"), "w", encoding="utf-8") as stream:
        json.dump(rows, stream)


def findings(root, rule):
    with contextlib.redirect_stdout(io.StringIO()):
        return [f"{path}:{line}" for path, line, _ in tidy.run(Tree(root), rule)]


@contextlib.contextmanager
def planted(root, files):
    """The clean tree in `root` with `files` on top, for as long as the block lasts."""
    write_tree(root, files)
    try:
        yield
    finally:
        for path in files:
            os.remove(os.path.join(root, path))
        write_tree(root, {path: CLEAN[path] for path in files if path in CLEAN})


class TidyTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        write_tree(self.root, CLEAN)

    def test_every_rule_has_a_plant(self):
        self.assertEqual(set(PLANTS), set(tidy.RULES) | set(tidy.WARNINGS))

    def test_a_clean_tree_passes(self):
        compile_commands(self.root, CLEAN)
        for rule in PLANTS:
            with self.subTest(rule=rule):
                self.assertEqual(findings(self.root, rule), [])

    def test_each_plant_is_found(self):
        compile_commands(self.root, CLEAN)
        for rule, plants in PLANTS.items():
            for path, text, expected in plants:
                with self.subTest(rule=rule, path=path, text=text), planted(self.root, {path: text}):
                    self.assertIn(expected, findings(self.root, rule))

    def test_a_dead_file_is_found_without_a_build_too(self):
        named = {"schema/CMakeLists.txt": "add_library(s a.cpp wire/w.cpp # b.cpp\n)\n", "schema/b.cpp": ""}
        with planted(self.root, named):
            found = findings(self.root, "dead-files")
        self.assertIn("schema/b.cpp:1", found)
        self.assertNotIn("schema/a.cpp:1", found)
        self.assertNotIn("schema/wire/w.cpp:1", found)

    def test_the_command_ends_with_1_on_a_finding_and_2_on_a_wrong_rule(self):
        root = self.root
        compile_commands(root, CLEAN)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            self.assertEqual(tidy.main(["--root", root]), 0)
            write_tree(root, {"node/b.hpp": "#include <caf/all.hpp>\n"})
            self.assertEqual(tidy.main(["--root", root]), 1)
            self.assertEqual(tidy.main(["--root", root, "caf-all"]), 1)
            self.assertEqual(tidy.main(["--root", root, "clocks"]), 0)
            self.assertEqual(tidy.main(["--root", root, "no-such-rule"]), 2)
            self.assertEqual(tidy.main(["--root", os.path.join(root, "docs")]), 2)


if __name__ == "__main__":
    unittest.main()
