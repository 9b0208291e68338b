"""Rules about words in any tracked text: hosts and paths of one machine, links that lead nowhere, long lines."""
import os
import re

from layers import SEES, SEES_ALL
from tree import line_of

# Split, so that this file does not name them.
HOSTS = [".".join(parts) for parts in (
    ("deb", "debian", "org"), ("security", "debian", "org"), ("registry", "npmjs", "org"), ("pypi", "org"),
    ("files", "pythonhosted", "org"), ("repo", "maven", "apache", "org"), ("repo1", "maven", "org"), ("crates", "io"),
    ("proxy", "golang", "org"), ("rubygems", "org"), ("registry", "yarnpkg", "com"))]
_HOST = re.compile("|".join(rf"(?<![\w-]){re.escape(h)}\b" for h in HOSTS))
_PATH = re.compile(r"(?<![\w.$}~*-])/(?:wo" + r"rk|ho" + r"me)/[\w.-]*")

_FENCE = re.compile(r"^(```|~~~).*?^\1[^\n]*$", re.M | re.S)
_LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^()\s]+)(?:\s+\"[^\"]*\")?\)|!\[[^\]\n]*\]\(([^()\s]+)\)")
_REFERENCE = re.compile(r"^\[[^\]\n]+\]:\s+(\S+)", re.M)
_TICKED = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_REPO_PATH = re.compile(r"^([\w.-]+)(?:/[\w.@+-]+)*/?$")
_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.M)
# A first word that makes a backticked word with a slash a path of the tree.
FOLDERS = set(SEES) | SEES_ALL | {"docs", "scripts", "cmake", ".ci", "changelog"}
MADE_LATER = ("tests/fuzz/corpus/",)  # grows; a text may name a corpus that is still empty


def hosts(tree, report):
    for file in tree.texts:
        for match in _HOST.finditer(file.text):
            report(file.path, line_of(file.text, match.start()),
                   f"{match.group()}: the machine's own configuration says where packages come from")


def machine_paths(tree, report):
    for file in tree.texts:
        for match in _PATH.finditer(file.text):
            report(file.path, line_of(file.text, match.start()), f"{match.group()} is a path of one machine")


def _blank_fences(text):
    return _FENCE.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def anchors(text):
    """The anchors a Markdown reader makes of the headings."""
    found = set()
    for match in _HEADING.finditer(_blank_fences(text)):
        heading = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", match.group(1)).lower()
        found.add(re.sub(r"[^\w\- ]", "", heading).replace(" ", "-"))
    return found


def links(tree, report):
    for file in tree.files:
        if file.suffix != ".md":
            continue
        text = _blank_fences(file.text)
        here = os.path.dirname(file.path)
        without_code = _TICKED.sub(lambda m: " " * len(m.group()), text)
        for pattern in (_LINK, _REFERENCE):
            for match in pattern.finditer(without_code):
                target = next(g for g in match.groups() if g)
                if re.match(r"[a-z][a-z0-9+.-]*:", target):
                    continue
                _check_link(tree, report, file, line_of(text, match.start()), here, target)
        for match in _TICKED.finditer(text):
            _check_ticked(tree, report, file, line_of(text, match.start()), match.group(1))


def _check_link(tree, report, file, line, here, target):
    path, _, anchor = target.partition("#")
    full = os.path.normpath(os.path.join(here, path)) if path else file.path
    if full.startswith("..") or not tree.exists(full):
        report(file.path, line, f"link to {target}: there is no {full}")
    elif anchor and full in tree.by_path and full.endswith(".md") and anchor not in anchors(tree.by_path[full].text):
        report(file.path, line, f"link to {target}: {full} has no such heading")


def _check_ticked(tree, report, file, line, word):
    path = re.sub(r"(?::\d+(?:-\d+)?|\(\))$", "", word.split(" ")[0])  # `scripts/build --preset dev`, `a/b.cpp:12`
    match = _REPO_PATH.match(path)
    if not match or "/" not in path or match.group(1) not in FOLDERS or path.startswith(MADE_LATER) or "NAME" in path:
        return
    if not tree.exists(path):
        report(file.path, line, f"`{path}` does not exist")


# -- tests and functions that documents name ---

# `module: a sentence that is true`, `system.kill: test_every_reported_record_survives`
_NAMED_TEST = re.compile(r"^[a-z_]\w*(?:[ .][a-z_]\w*)?: (.+)$")
_NAMED_CODE = re.compile(r"^(\w+(?:::\w+)+)(?:\(.*\))?$")
FOREIGN = {"std", "caf", "kj", "capnp", "leveldb"}
PROMISES = "docs/guarantees.md"  # the document whose sentences are test cases


def names(tree, report):
    """What a document names exists: functions as `class::function` in all of them, tests in the list of guarantees."""
    words, literals, scripts = set(), set(), set()
    for file in tree.files:
        if file.is_code or file.suffix == ".capnp":
            words |= set(re.findall(r"\w+", file.text))
        if file.folder == "tests" and file.is_code:
            joined = re.sub(r'"\s*\n\s*"', "", file.without_comments)
            literals |= set(re.findall(r'"((?:\\.|[^"\\\n])*)"', joined))
        elif file.folder == "tests" and file.suffix == ".py":
            scripts |= set(re.findall(r"\bdef (test_\w+)\(", file.text))
    for file in tree.files:
        if file.suffix != ".md":
            continue
        text = _blank_fences(file.text)
        for match in _TICKED.finditer(text):
            line = line_of(text, match.start())
            code = _NAMED_CODE.match(match.group(1))
            if code and code.group(1).split("::")[0] not in FOREIGN:
                for part in code.group(1).split("::"):
                    if part not in words:
                        report(file.path, line, f"`{match.group(1)}`: no code has {part}")
            test = _NAMED_TEST.match(match.group(1)) if file.path == PROMISES else None
            if test and not {test.group(0), test.group(1)} & literals and test.group(1) not in scripts:
                report(file.path, line, f"`{match.group(1)}` is no test")


# -- warnings: counted, never red ---

COLUMNS = 120


def columns(tree, warn):
    for file in tree.code:
        for number, line in enumerate(file.text.split("\n"), 1):
            if len(line) > COLUMNS:
                warn(file.path, number, f"{len(line)} columns")


def test_sleeps(tree, warn):
    for file in tree.code:
        if file.folder == "tests":
            for match in re.finditer(r"\b(?:sleep_for|sleep_until|usleep|nanosleep)\b", file.bare):
                warn(file.path, line_of(file.bare, match.start()), "waits for time instead of for a condition")


def unwritten_documents(tree, warn):
    for file in tree.texts:
        if file.suffix == ".md":
            continue
        for match in re.finditer(r"(?<![\w/.])docs/[\w/.-]+\.md\b", file.text):
            if not tree.exists(match.group()):
                warn(file.path, line_of(file.text, match.start()), f"{match.group()} is not written")
