#!/usr/bin/env python3
"""The generator's mistakes are told with file and line, and the same definitions give the same text."""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "kafka" / "generator"))
import cpp  # noqa: E402
import definition  # noqa: E402

HEAD = "api sample\nkey 99\nversions 0-5\nflexible 3+\n"
RESPONSE = "response\n  error_code: int16 0+\n"


def read(fields, head=HEAD):
    """A definition with these fields in its request; they begin in line 7."""
    body = "".join(f"  {line}\n" for line in fields.split("\n") if line)
    return definition.read("definitions/sample.txt", f"{head}\nrequest\n{body}\n{RESPONSE}")


class Definitions(unittest.TestCase):
    def refused(self, line, part, fields=None, text=None, head=HEAD):
        with self.assertRaises(definition.Mistake) as caught:
            read(fields, head) if text is None else definition.read("definitions/sample.txt", text)
        self.assertTrue(str(caught.exception).startswith(f"definitions/sample.txt:{line}: "), caught.exception)
        self.assertIn(part, str(caught.exception))

    def test_a_definition_is_read_with_its_marks(self):
        d = read("topics: [topic] 0+ nullable 1-2 = null # why\n  id: uuid 4+ tag 0 ignorable\ncount: int8 2 = -3\n"
                 "name: string 0+ nullable 0+ inflexible")
        topics, count, name = d.messages[0].root.fields
        self.assertEqual((d.key, str(d.versions), str(d.flexible)), (99, "0-5", "3-5"))
        self.assertTrue(topics.is_array and topics.null_default)
        self.assertEqual(str(topics.nullable), "1-2")
        self.assertEqual((topics.struct.fields[0].tag, topics.struct.fields[0].ignorable), (0, True))
        self.assertEqual((count.default, str(count.versions)), (-3, "2"))
        self.assertTrue(name.inflexible and not name.null_default)

    def test_versions_that_make_no_sense_are_refused(self):
        self.refused(7, "'x' is no range of versions", "a: int8 x")
        self.refused(7, "'3-' is no range of versions", "a: int8 3-")
        self.refused(7, "the versions 4-2 are empty", "a: int8 4-2")
        self.refused(7, "the versions 6+ are empty: the last known one is 5", "a: int8 6+")
        self.refused(7, "the versions 0-9 reach outside of 0-5", "a: int8 0-9")
        self.refused(8, "the versions 1+ reach outside of 2-5", "a: [b] 2+\n  c: int8 1+")
        self.refused(7, "the versions 1+ reach outside of 2-5", "a: string 2+ nullable 1+")

    def test_types_that_are_not_built_are_refused(self):
        self.refused(7, "'int65' is no type; an array of structs is [int65]", "a: int65 0+")
        self.refused(7, "'[int8' is no type", "a: [int8 0+")
        self.refused(7, "braces are for structs", "a: {int8} 0+")
        self.refused(7, "an array of records is not built", "a: [records] 0+")
        self.refused(7, "an array of bool is not built", "a: [bool] 0+")
        self.refused(7, "a nullable int8 is not built", "a: int8 0+ nullable 0+")
        self.refused(7, "a nullable struct is not built", "a: {b} 0+ nullable 0+\n  c: int8 0+")
        self.refused(7, "only a string can be inflexible", "a: int8 0+ inflexible")

    def test_structs_have_fields_and_names_of_their_own(self):
        self.refused(7, "whose fields follow, indented by 4", "a: [b] 0+")
        self.refused(9, "has a struct of that name already", "a: [b] 0+\n  c: int8 0+\nd: [b] 0+\n  c: int8 0+")
        self.refused(7, "a field and a struct of the same name", "b: [b] 0+\n  c: int8 0+")
        self.refused(8, "has a field a already", "a: int8 0+\na: int8 0+")
        self.refused(7, "'delete' is no name for a field", "delete: int8 0+")
        self.refused(7, "'Big' is no name for a field", "Big: int8 0+")
        self.refused(8, "indented by 6, not by 4", "a: [b] 0+\n    c: int8 0+")

    def test_tags_need_flexible_versions_and_count_from_zero(self):
        self.refused(7, "a tag needs flexible versions, and sample_request is flexible in 3-5", "a: int8 2+ tag 0")
        self.refused(7, "is flexible in none", "a: int8 3+ tag 0", head=HEAD.replace("3+", "none"))
        self.refused(8, "tag 0 belongs to a already", "a: int8 3+ tag 0\nb: int8 3+ tag 0")
        self.refused(7, "are not 0 to 0", "a: int8 3+ tag 1")
        self.refused(7, "a tag is a number, not '-1'", "a: int8 3+ tag -1")
        self.refused(7, "records under a tag are not built", "a: records 3+ tag 0")

    def test_marks_and_defaults_must_fit(self):
        self.refused(7, "'nulable' is none of", "a: string 0+ nulable 0+")
        self.refused(7, "tag of what?", "a: int8 3+ tag")
        self.refused(7, "ignorable is said twice", "a: int8 3+ ignorable ignorable")
        self.refused(7, "'128' is no int8", "a: int8 0+ = 128")
        self.refused(7, "'x' is no int64", "a: int64 0+ = x")
        self.refused(7, "'1' is no bool", "a: bool 0+ = 1")
        self.refused(7, "null by default, but never nullable", "a: string 0+ = null")
        self.refused(7, "the default of a is empty", "a: string 0+ nullable 0+ = abc")
        self.refused(7, "is no field: NAME: TYPE VERSIONS", "a int8 0+")

    def test_a_head_must_be_whole(self):
        self.refused(1, "an empty definition", text="# nothing\n")
        self.refused(1, "begins with 'api NAME' or 'message NAME'", text="key 1\nversions 0\nflexible none\nfields\n")
        self.refused(4, "key is missing", text="api sample\nversions 0\nflexible none\nrequest\n")
        self.refused(4, "flexible is missing", text="api sample\nkey 1\nversions 0\nrequest\n")
        self.refused(3, "versions is said twice", text="message sample\nversions 0\nversions 1\nfields\n")
        self.refused(2, "a message has no key", text="message sample\nkey 1\nversions 0\nflexible none\nfields\n")
        self.refused(4, "write LOW+", text="api sample\nkey 1\nversions 0-5\nflexible 3-4\nrequest\n")
        self.refused(1, "stands in a file of another name", text="message other\nversions 0\nflexible none\nfields\n")
        self.refused(4, "'verions 0' does not belong in a definition's head",
                     text="api sample\nkey 1\nflexible none\nverions 0\nrequest\n")

    def test_sections_come_in_their_order(self):
        self.refused(5, "'request' is expected here", text=HEAD + RESPONSE)
        self.refused(6, "'response' is missing", text=HEAD + "request\n  a: int8 0+\n")
        self.refused(8, "'more' comes after the end", text=HEAD + "request\n" + RESPONSE + "more\n")
        self.refused(6, "a tab", text=HEAD + "request\n\ta: int8 0+\n" + RESPONSE)


class Sizes(unittest.TestCase):
    def test_the_least_bytes_of_an_element_follow_the_version(self):
        d = read("a: [b] 0+\n  n: int64 0-2\n  s: string 0+\n  i: int16 5\n  t: int32 3+ tag 0\n  l: [int32] 0+")
        b = d.messages[0].root.fields[0].struct
        self.assertEqual(definition.struct_bytes_min(b, 0, d.flexible), 8 + 2 + 4)
        self.assertEqual(definition.struct_bytes_min(b, 3, d.flexible), 1 + 1 + 1)
        self.assertEqual(definition.struct_bytes_min(b, 5, d.flexible), 1 + 2 + 1 + 1)
        self.assertEqual(cpp.array_bytes_min(d.messages[0], d.messages[0].root.fields[0]), "flexible ? 3 : 14")


class Command(unittest.TestCase):
    def run_generator(self, folder, *paths):
        command = [sys.executable, "-B", str(ROOT / "kafka/generate.py"), "--out", str(folder), *map(str, paths)]
        return subprocess.run(command, capture_output=True, text=True)

    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="pessoa-generator-")
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        self.definitions = sorted((ROOT / "kafka/definitions").glob("*.txt"))
        self.assertGreaterEqual(len(self.definitions), 13)

    def test_the_same_definitions_give_the_same_files_and_do_not_touch_them_again(self):
        done = self.run_generator(self.folder / "a", *self.definitions)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(self.run_generator(self.folder / "b", *reversed(self.definitions)).returncode, 0)
        first = {p.name: p.read_bytes() for p in (self.folder / "a").iterdir()}
        self.assertEqual(first, {p.name: p.read_bytes() for p in (self.folder / "b").iterdir()})
        times = {p.name: p.stat().st_mtime_ns for p in (self.folder / "a").iterdir()}
        (self.folder / "a/fetch.cpp").write_text("old")
        self.assertEqual(self.run_generator(self.folder / "a", *self.definitions).returncode, 0)
        changed = {p.name for p in (self.folder / "a").iterdir() if p.stat().st_mtime_ns != times[p.name]}
        self.assertEqual(changed, {"fetch.cpp"})
        self.assertEqual((self.folder / "a/fetch.cpp").read_bytes(), first["fetch.cpp"])

    def test_nothing_of_this_machine_is_in_the_text(self):
        self.run_generator(self.folder / "a", *self.definitions)
        for path in (self.folder / "a").iterdir():
            self.assertNotIn(str(ROOT), path.read_text())

    def test_a_mistake_ends_the_run_and_writes_nothing(self):
        wrong = self.folder / "sample.txt"
        wrong.write_text(HEAD + "request\n  a: int7 0+\n" + RESPONSE)
        done = self.run_generator(self.folder / "out", wrong)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{wrong}:6: 'int7' is no type", done.stderr)
        self.assertFalse((self.folder / "out").exists())

    def test_two_definitions_may_not_share_a_key(self):
        for name in ("one", "two"):
            (self.folder / f"{name}.txt").write_text(
                HEAD.replace("sample", name) + "request\n  a: int8 0+\n" + RESPONSE)
        done = self.run_generator(self.folder / "out", self.folder / "one.txt", self.folder / "two.txt")
        self.assertEqual(done.returncode, 1)
        self.assertIn("key 99 belongs to", done.stderr)


if __name__ == "__main__":
    unittest.main()
