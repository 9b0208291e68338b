"""Rules about words in code: calls that are never right, test names, iteration over unordered containers, dead files."""
import json
import os
import re

from tree import line_of

_SNAPSHOT = re.compile(r"\bGetSnapshot\s*\(")
_TEST_NAME = re.compile(r'\b(?:TEST_CASE|TEST_CASE_METHOD|TEMPLATE_TEST_CASE|TEMPLATE_LIST_TEST_CASE|SCENARIO)\s*\('
                        r'(?:\s*[\w:<>]+\s*,)?\s*((?:"(?:\\.|[^"\\\n])*"\s*)+)')
_UNORDERED = re.compile(r"\bunordered_(?:map|set|multimap|multiset)\s*<")
_DECLARED = re.compile(r"\s*(?:const\b\s*)?[&*]?\s*([A-Za-z_]\w*)\s*(?=[;={,)\[(]|$)", re.M)
NOTES = ("TODO" + "(now)", "FIX" + "ME")


def snapshots(tree, report):
    for file in tree.code:
        for match in _SNAPSHOT.finditer(file.bare):
            report(file.path, line_of(file.bare, match.start()),
                   "a LevelDB snapshot keeps old versions alive, which compaction of 1.23 can then expose")


def caf_all(tree, report):
    for file in tree.code:
        for include in file.includes:
            if include.name == "caf/all.hpp":
                report(file.path, include.line, "costs three seconds and 300 MB per file: include what is used")


def test_names(tree, report):
    for file in tree.code:
        for match in _TEST_NAME.finditer(file.without_comments):
            if ";" in match.group(1):
                report(file.path, line_of(file.without_comments, match.start()),
                       "a ';' in a test name makes a phantom test that runs nothing and passes")


def notes(tree, report):
    for file in tree.texts:
        for word in NOTES:
            start = file.text.find(word)
            while start >= 0:
                report(file.path, line_of(file.text, start), f"{word} is for work in hand; do it, or say soon or someday")
                start = file.text.find(word, start + 1)


# -- unordered containers ---

def _after_arguments(text, at):
    """The position behind the template arguments whose '<' stands just before `at`."""
    depth = 1
    while at < len(text) and depth:
        depth += {"<": 1, ">": -1}.get(text[at], 0)
        at += 1
    return at


def unordered_names(text):
    """Names of variables and members declared with an unordered type, directly or through an alias of this text."""
    names, aliases = set(), set()
    for match in _UNORDERED.finditer(text):
        end = _after_arguments(text, match.end())
        before = re.search(r"\busing\s+(\w+)\s*=\s*(?:std::)?$", text[:match.start()])
        if before:
            aliases.add(before.group(1))
            continue
        declared = _DECLARED.match(text, end)
        if declared:
            names.add(declared.group(1))
    for alias in aliases:
        for match in re.finditer(rf"\b{alias}\b(?!\s*=)", text):
            declared = _DECLARED.match(text, match.end())
            if declared:
                names.add(declared.group(1))
    return names


def unordered(tree, report):
    """A heuristic: names are looked up in the file and in the header of the same name."""
    for file in tree.code:
        if file.folder not in ("protocol", "actors", "kafka"):
            continue
        names = unordered_names(file.bare)
        header = os.path.splitext(file.path)[0] + ".hpp"
        if header != file.path and header in tree.by_path:
            names |= unordered_names(tree.by_path[header].bare)
        for name in sorted(names):
            loop = rf"\bfor\s*\([^;()]*(?:\([^()]*\)[^;()]*)*[^:]:(?!:)\s*[^;:]*?(?<!\w){name}\s*\)"
            begin = rf"(?<!\w){name}\s*(?:\.|->)\s*c?begin\s*\(|\bbegin\s*\(\s*(?:[\w.]|->)*?(?<!\w){name}\s*\)"
            for match in re.finditer(f"{loop}|{begin}", file.bare):
                report(file.path, line_of(file.bare, match.start()),
                       f"{name} has no order of its own: a run could not be replayed; use an ordered container")


# -- files that no target builds ---

# Built by a configuration of their own; for these the list in their CMakeLists.txt is what counts.
BUILT_ELSEWHERE = ("tests/fuzz/", "tests/install/", "examples/")


def dead_files(tree, report):
    built, known = set(), False
    for build in tree.builds:
        commands = os.path.join(build, "compile_commands.json")
        if os.path.exists(commands):
            known = True
            with open(commands, encoding="utf-8") as stream:
                built |= {os.path.relpath(os.path.realpath(os.path.join(c["directory"], c["file"])), tree.root)
                          for c in json.load(stream)}
    for file in tree.code:
        if file.suffix not in (".cpp", ".cc"):
            continue
        elsewhere = file.path.startswith(BUILT_ELSEWHERE)
        if known and not elsewhere:
            if file.path not in built:
                report(file.path, 1, "no target builds this file")
        elif file.path not in built and not named_in_cmake(tree, file.path):
            report(file.path, 1, "no CMakeLists.txt names this file")


def named_in_cmake(tree, path):
    """Whether a CMakeLists.txt at or above the file names it, as a path from there."""
    folder = os.path.dirname(path)
    while True:
        lists = os.path.join(folder, "CMakeLists.txt").lstrip("/")
        if lists in tree.by_path:
            text = re.sub(r"#[^\n]*", "", tree.by_path[lists].text)
            here = os.path.relpath(path, folder or ".")
            name = re.escape(re.sub(r"_fuzz\.cpp$", "", here))  # pessoa_fuzz(NAME) builds NAME_fuzz.cpp
            if re.search(rf"(?<![\w./-]){re.escape(here)}(?![\w./-])|\bpessoa_fuzz\(\s*{name}[\s)]", text):
                return True
        if not folder:
            return False
        folder = os.path.dirname(folder)
