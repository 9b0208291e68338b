#!/usr/bin/env python3
"""Shows that fuzz targets can find a bug: plants one by hand in a copy of the tree, fuzzes, and expects a crash.

usage: tests/fuzz/plants.py [--check] [--seconds N] [NAME...]

Without NAME every target. --check only looks whether each plant still fits the code (a test of the suite; seconds).
--seconds N   how long a target may search (default 120)

A plant is tests/fuzz/plants/NAME.txt: lines that begin with # say what breaks, then the path of a file, then the lines
to take out ("- " before each) and the lines to put in ("+ "). What is taken out must stand in the file exactly once.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FUZZ = ROOT / "tests" / "fuzz"


def read_plant(name):
    """(path, old text, new text) of a plant."""
    path, old, new = None, [], []
    for line in (FUZZ / "plants" / f"{name}.txt").read_text().split("\n"):
        if line.startswith("#") and path is None or not line:
            continue
        if line[:2] in ("- ", "+ "):
            (old if line[0] == "-" else new).append(line[2:])
        elif path is None:
            path = line
        else:
            raise ValueError(f"tests/fuzz/plants/{name}.txt: this line is neither '- ' nor '+ ': {line}")
    if path is None or not old:
        raise ValueError(f"tests/fuzz/plants/{name}.txt names no file, or takes nothing out")
    return path, "\n".join(old) + "\n", "".join(line + "\n" for line in new)


def plant(root, name):
    """Changes the file under `root`; an error if the plant does not fit."""
    path, old, new = read_plant(name)
    text = (root / path).read_text()
    count = text.count(old)
    if count != 1:
        raise ValueError(f"tests/fuzz/plants/{name}.txt: what it takes out stands {count} times in {path}, not once")
    return path, text.replace(old, new)


def copy_tree(into):
    not_ours = {".git", "build", "third_party"}
    shutil.copytree(ROOT, into, ignore=lambda folder, names: not_ours & set(names) if Path(folder) == ROOT else set())


def search(name, seconds):
    """Whether the target finds its plant, and how long it took."""
    with tempfile.TemporaryDirectory(prefix="pessoa-plant-") as folder:
        copy = Path(folder) / "tree"
        copy_tree(copy)
        path, text = plant(copy, name)
        (copy / path).write_text(text)
        build = [str(copy / "scripts" / "build"), "--preset", "fuzz", f"{name}_fuzz"]
        done = subprocess.run(build, capture_output=True, text=True)
        if done.returncode:
            print(done.stdout[-3000:], done.stderr[-3000:], file=sys.stderr)
            raise ValueError(f"{name}: the planted tree does not build")
        found = Path(folder) / "found"
        found.mkdir()
        begun = time.monotonic()
        done = subprocess.run([str(copy / f"build/fuzz/tests/fuzz/{name}_fuzz"), "-seed=1", f"-max_total_time={seconds}",
                               "-rss_limit_mb=2048", "-timeout=10", f"-artifact_prefix={folder}/", str(found),
                               str(FUZZ / "corpus" / name)], capture_output=True, text=True, errors="replace")
        took = time.monotonic() - begun
        reason = re.search(r"(?:SUMMARY|ERROR|assertion)[^\n]*", done.stderr)
        said = reason.group() if reason else ""
        return done.returncode != 0, took, said


def main(arguments):
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args(arguments)
    targets = sorted(p.name[:-len("_fuzz.cpp")] for p in FUZZ.glob("*_fuzz.cpp"))
    names = options.names or targets
    red = 0
    for name in names:
        if name not in targets:
            print(f"plants: there is no target {name}; the targets are {', '.join(targets)}", file=sys.stderr)
            return 2
        if not (FUZZ / "plants" / f"{name}.txt").exists():
            print(f"plants: {name} has no bug to find; write tests/fuzz/plants/{name}.txt", file=sys.stderr)
            red += 1
            continue
        try:
            if options.check:
                plant(ROOT, name)
                print(f"plants: {name} fits")
                continue
            found, took, said = search(name, options.seconds)
        except (OSError, ValueError) as problem:
            print(f"plants: {problem}", file=sys.stderr)
            red += 1
            continue
        print(f"plants: {name}: {'found' if found else 'NOT found'} in {took:.1f} s {said}")
        red += not found
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
