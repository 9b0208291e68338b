"""Reads definitions: a file of kafka/definitions/ becomes messages, and a mistake is told with file and line.

The language (kafka/README.md has an example):

    api NAME | message NAME     what the file is about
    key N                       an api's number
    versions LOW-HIGH           what the codec knows; what is advertised stands in kafka/codec/advertised.cpp
    flexible LOW+ | none        from which version on lengths are compact and structs end in tags
    response_header N           only where the response's header does not follow `flexible`
    request | response | fields begins a message (an api has the first two, a message the last)
      NAME: TYPE VERSIONS [nullable VERSIONS] [tag N] [ignorable] [inflexible] [= DEFAULT]

TYPE is bool, int8, int16, int32, int64, uuid, string, bytes, records, [TYPE], or for structs [NAME] (an array of them)
or {NAME} (one), whose fields follow, indented by two more. VERSIONS is N, LOW-HIGH or LOW+. A struct's field is there
in those versions in which the struct and the field are. `ignorable`: what is not the default is left out in versions
without the field, instead of being refused. A nullable field starts empty, or null with `= null`.
"""
import re
from dataclasses import dataclass, field as member
from pathlib import Path

SCALARS = {"bool": 1, "int8": 1, "int16": 2, "int32": 4, "int64": 8, "uuid": 16}
LENGTHS = {"string": 2, "bytes": 4, "records": 4}  # of the length in versions that are not flexible
_NAME = re.compile(r"[a-z][a-z0-9_]*$")
# A field becomes a member of a C++ struct, beside these.
_TAKEN = set("""bool break case catch char class const continue default delete do double else enum explicit export false
float for friend goto if inline int long mutable namespace new operator private protected public register return short
signed sizeof static struct switch template this throw true try typedef typename union unsigned using virtual void
volatile while decode encode draw in out from at version flexible message_name message_key version_min version_max
flexible_from""".split())


class Mistake(Exception):
    """A definition that is wrong; the text begins with FILE:LINE."""


@dataclass(frozen=True)
class Range:
    low: int
    high: int

    def within(self, other):
        return other.low <= self.low and self.high <= other.high

    def meet(self, other):
        """What is in both, or None."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Range(low, high) if low <= high else None

    def __contains__(self, version):
        return self.low <= version <= self.high

    def __iter__(self):
        return iter(range(self.low, self.high + 1))

    def __str__(self):
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"


@dataclass
class Field:
    name: str
    type: str                # scalar, string, bytes, records, struct
    line: int
    versions: Range
    is_array: bool = False
    nullable: Range = None
    tag: int = None
    ignorable: bool = False
    inflexible: bool = False
    default: object = None   # an int, a bool or None; see null_default
    null_default: bool = False
    struct: object = None


@dataclass
class Struct:
    name: str                # in C++
    versions: Range
    fields: list = member(default_factory=list)


@dataclass
class Message:
    name: str
    versions: Range
    flexible: Range          # or None
    root: Struct
    structs: list            # inner ones first, the root last


@dataclass
class Definition:
    path: str
    name: str
    versions: Range
    flexible: Range = None
    key: int = None
    response_header: int = None
    messages: list = member(default_factory=list)


class _Reader:
    def __init__(self, path, text):
        self.path = path
        self.lines = []  # (number, indent, text)
        for number, raw in enumerate(text.split("\n"), 1):
            line = raw.split("#", 1)[0].rstrip()
            if "\t" in line:
                self.fail(number, "a tab; indent by two spaces")
            if line.strip():
                self.lines.append((number, len(line) - len(line.lstrip()), line.strip()))
        self.at = 0

    def fail(self, line, text):
        raise Mistake(f"{self.path}:{line}: {text}")

    def versions(self, line, text, within):
        """A range of versions; an open one ends where `within` does."""
        match = re.fullmatch(r"(\d+)(?:(\+)|-(\d+))?", text)
        if not match:
            self.fail(line, f"'{text}' is no range of versions: write 3, 3+ or 3-5")
        low = int(match[1])
        high = within.high if match[2] else int(match[3]) if match[3] else low
        if high < low:
            self.fail(line, f"the versions {text} are empty: the last known one is {within.high}" if match[2] else
                      f"the versions {text} are empty")
        found = Range(low, high)
        if not found.within(within):
            self.fail(line, f"the versions {text} reach outside of {within}")
        return found

    # -- the head ---

    def head(self):
        if not self.lines:
            self.fail(1, "an empty definition")
        found, order = {}, []
        while self.at < len(self.lines) and self.lines[self.at][2] not in ("request", "response", "fields"):
            line, indent, text = self.lines[self.at]
            words = text.split()
            if indent or len(words) != 2 or words[0] not in ("api", "message", "key", "versions", "flexible",
                                                             "response_header"):
                self.fail(line, f"'{text}' does not belong in a definition's head: api or message, key, versions, "
                                "flexible, response_header, then request, response or fields")
            if words[0] in found:
                self.fail(line, f"{words[0]} is said twice")
            found[words[0]] = (line, words[1])
            order.append(words[0])
            self.at += 1
        last = self.lines[min(self.at, len(self.lines) - 1)][0]
        if order[:1] not in (["api"], ["message"]) or ("api" in found) == ("message" in found):
            self.fail(self.lines[0][0], "a definition begins with 'api NAME' or 'message NAME'")
        is_api = "api" in found
        for word in ("versions", "flexible") + (("key",) if is_api else ()):
            if word not in found:
                self.fail(last, f"{word} is missing")
        for word in ("key", "response_header"):
            if word in found and not is_api:
                self.fail(found[word][0], f"a message has no {word}")
            if word in found and not re.fullmatch(r"\d{1,4}", found[word][1]):
                self.fail(found[word][0], f"{word} is a number, not '{found[word][1]}'")
        line, name = found[order[0]]
        if not _NAME.match(name):
            self.fail(line, f"'{name}' is no name: lower case, digits and _")
        if name != Path(self.path).stem:
            self.fail(line, f"{name} stands in a file of another name")
        versions = self.versions(*found["versions"], Range(0, 999))
        line, text = found["flexible"]
        flexible = None if text == "none" else self.versions(line, text, versions)
        if flexible and flexible.high != versions.high:
            self.fail(line, "what has become flexible stays so: write LOW+")
        out = Definition(self.path, name, versions, flexible)
        if is_api:
            out.key = int(found["key"][1])
        if "response_header" in found:
            out.response_header = int(found["response_header"][1])
        return out

    def read(self):
        out = self.head()
        wanted = ["fields"] if out.key is None else ["request", "response"]
        for section in wanted:
            if self.at == len(self.lines):
                self.fail(self.lines[-1][0], f"'{section}' is missing")
            line, indent, text = self.lines[self.at]
            if indent or text != section:
                self.fail(line, f"'{section}' is expected here, not '{text}'")
            self.at += 1
            name = out.name if out.key is None else f"{out.name}_{section}"
            root = Struct(name, out.versions)
            message = Message(name, out.versions, out.flexible, root, [])
            self.fields(message, root, 2)
            message.structs.append(root)
            out.messages.append(message)
        if self.at < len(self.lines):
            line, _, text = self.lines[self.at]
            self.fail(line, f"'{text}' comes after the end")
        return out

    # -- fields ---

    def fields(self, message, struct, indent):
        names, tags = set(), {}
        while self.at < len(self.lines) and self.lines[self.at][1] >= indent:
            line, here, text = self.lines[self.at]
            if here != indent:
                self.fail(line, f"indented by {here}, not by {indent}")
            self.at += 1
            new = self.field(message, struct, line, text)
            if new.name in names:
                self.fail(line, f"{struct.name} has a field {new.name} already")
            names.add(new.name)
            if new.tag is not None:
                if new.tag in tags:
                    self.fail(line, f"tag {new.tag} belongs to {tags[new.tag]} already")
                tags[new.tag] = new.name
            struct.fields.append(new)
            if new.struct:
                self.fields(message, new.struct, indent + 2)
                if not new.struct.fields:
                    self.fail(line, f"{new.name} is made of structs, whose fields follow, indented by {indent + 2}")
                if new.struct.name in {s.name for s in message.structs} | {message.root.name}:
                    self.fail(line, f"{message.name} has a struct of that name already")
                message.structs.append(new.struct)
        for clash in struct.fields:
            if clash.struct and clash.struct.name[len(message.name) + 1:] in names:
                self.fail(clash.line, f"{struct.name} has a field and a struct of the same name; rename the struct")
        for tag in tags:
            if tag >= len(tags):
                self.fail(struct.fields[-1].line, f"the tags of {struct.name} are not 0 to {len(tags) - 1}")

    def field(self, message, struct, line, text):
        body, equals, default = text.partition("=")
        match = re.fullmatch(r"(\S+):\s+(\S+)\s+(\S+)((?:\s+\S+)*)\s*", body)
        if not match:
            self.fail(line, f"'{text}' is no field: NAME: TYPE VERSIONS [nullable VERSIONS] [tag N] [ignorable] "
                            "[inflexible] [= DEFAULT]")
        name, type_text, versions, rest = match.groups()
        if not _NAME.match(name) or name in _TAKEN:
            self.fail(line, f"'{name}' is no name for a field")
        out = Field(name, "", line, self.versions(line, versions, struct.versions))
        self.type(message, out, type_text)
        self.marks(message, out, rest.split())
        if equals:
            self.default(out, default.strip())
        return out

    def type(self, message, out, text):
        inner = re.fullmatch(r"\[(\w+)\]|\{(\w+)\}|(\w+)", text)
        if not inner:
            self.fail(out.line, f"'{text}' is no type")
        array, single, plain = inner.groups()
        out.is_array = bool(array)
        out.type = array or single or plain
        if out.type in SCALARS or out.type in LENGTHS:
            if single:
                self.fail(out.line, f"{{{single}}}: braces are for structs")
            if array in ("bytes", "records", "bool"):
                self.fail(out.line, f"an array of {array} is not built")
            return
        if plain:
            self.fail(out.line, f"'{plain}' is no type; an array of structs is [{plain}], one is {{{plain}}}")
        out.struct = Struct(f"{message.name}_{out.type}", out.versions)
        out.type = "struct"

    def marks(self, message, out, words):
        seen = set()
        while words:
            word = words.pop(0)
            if word in seen:
                self.fail(out.line, f"{word} is said twice")
            seen.add(word)
            if word in ("nullable", "tag") and not words:
                self.fail(out.line, f"{word} of what?")
            if word == "nullable":
                if not out.is_array and out.type not in LENGTHS:
                    self.fail(out.line, f"a nullable {out.type} is not built")
                out.nullable = self.versions(out.line, words.pop(0), out.versions)
            elif word == "tag":
                number = words.pop(0)
                if not re.fullmatch(r"\d{1,4}", number):
                    self.fail(out.line, f"a tag is a number, not '{number}'")
                out.tag = int(number)
            elif word == "ignorable":
                out.ignorable = True
            elif word == "inflexible":
                if out.type != "string" or out.is_array:
                    self.fail(out.line, "only a string can be inflexible")
                out.inflexible = True
            else:
                self.fail(out.line, f"'{word}' is none of nullable, tag, ignorable, inflexible")
        if out.tag is not None:
            if not message.flexible or not out.versions.within(message.flexible):
                self.fail(out.line, f"a tag needs flexible versions, and {message.name} is flexible "
                          + (f"in {message.flexible}" if message.flexible else "in none"))
            if out.type in ("bytes", "records"):
                self.fail(out.line, f"{out.type} under a tag are not built: they could not be sent by reference")

    def default(self, out, text):
        if text == "null":
            if not out.nullable:
                self.fail(out.line, f"{out.name} is null by default, but never nullable")
            out.null_default = True
        elif out.is_array or out.type in LENGTHS or out.type in ("struct", "uuid"):
            self.fail(out.line, f"the default of {out.name} is empty, or null if it is nullable, but not '{text}'")
        elif out.type == "bool":
            if text not in ("true", "false"):
                self.fail(out.line, f"'{text}' is no bool")
            out.default = text == "true"
        else:
            bits = SCALARS[out.type] * 8
            if not re.fullmatch(r"-?\d{1,20}", text) or not -(1 << (bits - 1)) <= int(text) < 1 << (bits - 1):
                self.fail(out.line, f"'{text}' is no {out.type}")
            out.default = int(text)


def read(path, text=None):
    """The definition in the file; Mistake if it is wrong."""
    return _Reader(str(path), Path(path).read_text(encoding="utf-8") if text is None else text).read()


def bytes_min(field, version, flexible):
    """The fewest bytes the field takes in the version."""
    if version not in field.versions or field.tag is not None:
        return 0
    compact = flexible and version in flexible and not field.inflexible
    if field.is_array:
        return 1 if compact else 4
    if field.type in LENGTHS:
        return 1 if compact else LENGTHS[field.type]
    return struct_bytes_min(field.struct, version, flexible) if field.struct else SCALARS[field.type]


def struct_bytes_min(struct, version, flexible):
    return sum(bytes_min(f, version, flexible) for f in struct.fields) + bool(flexible and version in flexible)
