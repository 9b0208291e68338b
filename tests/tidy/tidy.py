#!/usr/bin/env python3
"""The rules of the house that a compiler does not know, as tests. README.md beside this file names them all.

usage: tidy.py [--root DIR] [--build DIR]... [--list] [--verbose] [RULE...]

Without RULE every rule runs. Findings are printed as FILE:LINE: RULE: WHAT. Exit status: 0 tidy, 1 findings, 2 usage.
--build DIR   a build tree whose compile_commands.json says what is built (default: every build/*/)
--list        print the names of the rules
--verbose     print each warning, not only their number
"""
import argparse
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import layers  # noqa: E402
import seams  # noqa: E402
import texts  # noqa: E402
import words  # noqa: E402
from tree import Tree  # noqa: E402

RULES = {
    "layers": layers.layers,
    "libraries": layers.libraries,
    **{name: seams.seam(name) for name in seams.PATTERNS},
    "snapshots": words.snapshots,
    "caf-all": words.caf_all,
    "unordered": words.unordered,
    "dead-files": words.dead_files,
    "test-names": words.test_names,
    "notes": words.notes,
    "hosts": texts.hosts,
    "machine-paths": texts.machine_paths,
    "links": texts.links,
    "names": texts.names,
}
WARNINGS = {  # counted and printed, never red
    "columns": texts.columns,
    "test-sleeps": texts.test_sleeps,
    "unwritten-documents": texts.unwritten_documents,
}


def run(tree, name, verbose=False):
    """Runs one rule; returns its findings as (path, line, what)."""
    found = []
    check = RULES.get(name) or WARNINGS[name]
    check(tree, lambda path, line, what: found.append((path, line, what)))
    found = sorted(set(found))
    red = name in RULES
    if red or verbose:
        for path, line, what in found:
            print(f"{path}:{line}: {name}: {what}")
    print(f"tidy: {name}: {len(found)} {'findings' if red else 'warnings'} in {len(tree.files)} files")
    return found


def main(arguments):
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--root", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    parser.add_argument("--build", action="append", default=[])
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("rules", nargs="*")
    options = parser.parse_args(arguments)
    names = [*RULES, *WARNINGS]
    if options.list:
        print("\n".join(names))
        return 0
    for name in options.rules:
        if name not in names:
            print(f"tidy: there is no rule {name}; the rules are {', '.join(names)}", file=sys.stderr)
            return 2
    tree = Tree(options.root, options.build)
    if not tree.code:
        print(f"tidy: {tree.root} holds no code: is it the root of the tree?", file=sys.stderr)
        return 2
    red = 0
    for name in options.rules or names:
        found = run(tree, name, options.verbose)
        red += len(found) if name in RULES else 0
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
