#!/usr/bin/env python3
"""The scripts are what people meet first: their help, their refusals, and that scripts/demo fails when the product lies."""
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
SCRIPTS = ["setup", "build", "test", "check", "demo", "interop"]
STUB = os.path.join(ROOT, "tests", "scripts", "stub_pessoa.py")


def run(name, *arguments, seconds=60, **environment):
    return subprocess.run([os.path.join(ROOT, "scripts", name), *arguments], capture_output=True, text=True, timeout=seconds,
                          stdin=subprocess.DEVNULL, env={**os.environ, **environment})


class Every(unittest.TestCase):
    def test_help_says_how_to_use_it(self):
        for name in SCRIPTS:
            for option in ("--help", "-h"):
                with self.subTest(name=name):
                    done = run(name, option)
                    self.assertEqual(done.returncode, 0)
                    self.assertTrue(done.stdout.startswith(f"usage: scripts/{name}"), done.stdout)

    def test_an_unknown_option_is_a_usage_error(self):
        for name in ["setup", "build", "demo", "interop"]:  # test and check hand theirs to ctest
            with self.subTest(name=name):
                done = run(name, "--no-such-option")
                self.assertEqual(done.returncode, 2)
                self.assertIn("usage:", done.stderr)

    def test_an_unknown_preset_is_a_usage_error(self):
        self.assertEqual(run("build", "--preset", "nonesuch").returncode, 2)

    def test_ci_runs_the_test_script(self):
        with open(os.path.join(ROOT, ".ci", "run"), encoding="utf-8") as stream:
            self.assertIn("exec scripts/test", stream.read())


class Setup(unittest.TestCase):
    """scripts/setup against a machine made of stand-ins: only what lies in `bin` can be called."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.bin = os.path.join(self.folder.name, "bin")
        os.mkdir(self.bin)
        for tool in ("bash", "dirname", "cat", "sed", "env"):
            os.symlink(shutil.which(tool), os.path.join(self.bin, tool))
        self.calls = os.path.join(self.folder.name, "calls")
        self.stand_in("apt-get", f'echo "apt-get $*" >>{self.calls}')

    def tearDown(self):
        self.folder.cleanup()

    def stand_in(self, name, body):
        path = os.path.join(self.bin, name)
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(f"#!{shutil.which('bash')}\n{body}\n")
        os.chmod(path, stat.S_IRWXU)

    def installed(self, missing=()):
        """dpkg-query answers for every package it is asked about, except the missing ones."""
        skip = "|".join(missing) or "-"
        self.stand_in("dpkg-query", 'shift 3; for name in "$@"; do case "$name" in '
                                    f'{skip}) ;; *) printf "%s=installed " "$name" ;; esac; done')

    def setup_script(self, *arguments):
        return run("setup", *arguments, PATH=self.bin)

    def called(self):
        if not os.path.exists(self.calls):
            return []
        with open(self.calls, encoding="utf-8") as stream:
            return stream.read().splitlines()

    def test_nothing_missing_means_no_call_to_apt(self):
        self.installed()
        self.stand_in("id", "echo 1000")
        done = self.setup_script()
        self.assertEqual((done.returncode, self.called()), (0, []), done.stderr)
        self.assertIn("no package is missing", done.stdout)

    def test_a_user_who_may_do_neither_gets_the_exact_line(self):
        self.installed(missing=["libcaf-dev", "mold"])
        self.stand_in("id", "echo 1000")
        for sudo in (None, "exit 1"):
            with self.subTest(sudo=sudo):
                if sudo:
                    self.stand_in("sudo", sudo)
                done = self.setup_script()
                self.assertEqual((done.returncode, self.called()), (1, []))
                self.assertIn("\n  apt-get update && apt-get install -y --no-install-recommends mold libcaf-dev\n", done.stderr)

    def test_check_only_says_what_is_missing(self):
        self.installed(missing=["libcaf-dev"])
        self.stand_in("id", "echo 0")
        done = self.setup_script("--check")
        self.assertEqual((done.returncode, self.called()), (1, []))
        self.assertIn("missing: libcaf-dev", done.stderr)

    def test_root_and_sudo_install_what_is_missing_and_look_again(self):
        for user, sudo in (("0", None), ("1000", 'while [ "$1" != env ]; do [ "$1" != true ] || exit 0; shift; done; exec "$@"')):
            with self.subTest(user=user):
                self.installed(missing=["mold"])
                self.stand_in("id", f"echo {user}")
                if sudo:
                    self.stand_in("sudo", sudo)
                done = self.setup_script()
                calls = self.called()
                self.assertTrue(calls[0].startswith("apt-get") and calls[0].endswith("update -qq"), calls)
                self.assertTrue(calls[1].endswith("install -y -qq --no-install-recommends mold"), calls)
                # This apt-get installs nothing: a success that changed nothing is not believed.
                self.assertEqual(done.returncode, 1)
                self.assertIn("mold are not installed", done.stderr)
                os.remove(self.calls)


class Demo(unittest.TestCase):
    def demo(self, fault, text=b"one\r\n\r\ntwo\r\nthree"):
        with tempfile.TemporaryDirectory() as folder:
            source = os.path.join(folder, "input")
            with open(source, "wb") as stream:
                stream.write(text)
            shared = os.path.join(folder, "shared")
            scratch = os.path.join(folder, "scratch")
            os.mkdir(shared)
            os.mkdir(scratch)
            done = run("demo", source, PESSOA=STUB, STUB_PESSOA_DIR=shared, STUB_PESSOA_FAULT=fault, TMPDIR=scratch)
            self.assertEqual(os.listdir(scratch), [], "the demo left something behind")
            return done

    def test_it_succeeds_when_every_byte_comes_back(self):
        done = self.demo("")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("demo: OK: 4 lines", done.stdout)

    def test_it_fails_when_the_product_lies(self):
        for fault, says in (("no-ready", "no ready line"), ("odd-ready", "no ready line"), ("drops-carriage-returns", "not what went in"),
                            ("loses-last-line", "not what went in"), ("forgets-on-restart", "not what went in"),
                            ("ends-with-3", "ended with status 3"), ("refuses-produce", "ended with status 4")):
            with self.subTest(fault=fault):
                done = self.demo(fault)
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertIn(says, done.stderr)
                self.assertNotIn("demo: OK", done.stdout)

    def test_an_empty_or_missing_file_is_refused(self):
        self.assertEqual(self.demo("", b"").returncode, 1)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]])
