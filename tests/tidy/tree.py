"""The tree as tidy sees it: its files, their lines without comments or strings, and who includes whom."""
import functools
import os
import re
import subprocess
from pathlib import Path

CODE = {".cpp", ".hpp", ".h", ".cc"}
TEXT = CODE | {".py", ".sh", ".cmake", ".md", ".txt", ".json", ".capnp", ".toml", ".in", ".yml", ".yaml", ".html", ""}
KAFKA_TABLES = {"all", "api_key"}  # what kafka/generate.py writes beside a header per definition
NOT_OURS = {".git", "build", "third_party", "__pycache__"}

# A comment, a string, a character. A quote after a hex digit separates digits (1'000) and opens nothing.
_TOKEN = re.compile(
    r"//(?:\\\n|[^\n])*"
    r"|/\*.*?\*/"
    r'|R"(?P<end>[^()\\\s]{0,16})\(.*?\)(?P=end)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'",
    re.S,
)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', re.M)


def _spaces(match):
    return re.sub(r"[^\n]", " ", match.group())


class Include:
    def __init__(self, line, name, quoted):
        self.line, self.name, self.quoted = line, name, quoted


class File:
    """One file of the tree; `path` is relative to its root, with forward slashes."""

    def __init__(self, root, path):
        self.root, self.path = root, path
        self.suffix = Path(path).suffix

    @property
    def is_code(self):
        return self.suffix in CODE

    @property
    def is_header(self):
        return self.suffix in {".hpp", ".h"}

    @property
    def folder(self):
        return self.path.split("/")[0] if "/" in self.path else ""

    @functools.cached_property
    def text(self):
        raw = (Path(self.root) / self.path).read_bytes()
        return "" if b"\0" in raw else raw.decode("utf-8", "replace")

    @functools.cached_property
    def without_comments(self):
        return _TOKEN.sub(lambda m: _spaces(m) if m.group().startswith("/") else m.group(), self.text)

    @functools.cached_property
    def bare(self):
        """Neither comments nor strings: only what the compiler acts on."""
        return _TOKEN.sub(_spaces, self.text)

    @functools.cached_property
    def includes(self):
        text = self.without_comments
        return [Include(line_of(text, m.start()), m.group(1) or m.group(2), m.group(1) is not None)
                for m in _INCLUDE.finditer(text)]


def line_of(text, position):
    return text.count("\n", 0, position) + 1


class Tree:
    def __init__(self, root, builds=()):
        self.root = os.path.realpath(root)
        self.builds = [os.path.realpath(b) for b in builds] or sorted(
            str(p.parent) for p in Path(self.root).glob("build/*/compile_commands.json"))
        self.files = [File(self.root, p) for p in sorted(self._list())]
        self.by_path = {f.path: f for f in self.files}

    def _list(self):
        """What git tracks or would track; without git, everything but build output."""
        if os.path.exists(os.path.join(self.root, ".git")):
            try:
                out = subprocess.run(
                    ["git", "-c", "safe.directory=*", "-C", self.root, "ls-files", "-z", "--cached", "--others",
                     "--exclude-standard"], capture_output=True, check=True).stdout
                names = [n for n in out.decode("utf-8", "replace").split("\0") if n]
                return [n for n in dict.fromkeys(names) if os.path.isfile(os.path.join(self.root, n))]
            except (OSError, subprocess.CalledProcessError):
                pass
        found = []
        for base, folders, names in os.walk(self.root):
            folders[:] = [d for d in folders if d not in NOT_OURS]
            found += [os.path.relpath(os.path.join(base, n), self.root).replace(os.sep, "/") for n in names]
        return found

    @property
    def code(self):
        return [f for f in self.files if f.is_code]

    @property
    def texts(self):
        return [f for f in self.files if f.suffix in TEXT]

    def exists(self, path):
        return os.path.exists(os.path.join(self.root, path))

    def resolve(self, file, include):
        """The path in the tree an include names, or None if it is somebody else's header.

        Generated Cap'n Proto headers resolve to their schema file's place, the client's installed names to
        client/include, configured headers to where their .in stands, Kafka messages to themselves if they are defined.
        """
        name = include.name
        for candidate in (name, "client/include/" + name):
            if candidate in self.by_path:
                return candidate
        if name.endswith(".capnp.h"):
            for candidate in (name[:-2], "schema/" + os.path.basename(name)[:-2]):
                if candidate in self.by_path:
                    return name if "/" in name else "schema/" + name
        if name + ".in" in self.by_path:
            return name
        message = re.fullmatch(r"kafka/messages/(\w+)\.hpp", name)
        if message and (message[1] in KAFKA_TABLES or f"kafka/definitions/{message[1]}.txt" in self.by_path):
            return name
        if include.quoted:
            beside = os.path.normpath(os.path.join(os.path.dirname(file.path), name)).replace(os.sep, "/")
            if beside in self.by_path:
                return beside
        return None
