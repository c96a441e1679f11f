# SPDX-License-Identifier: MIT
"""mypy --strict has nothing to say about the package, its stubs and these tests."""
from __future__ import annotations

import glob
import os
import shutil
import subprocess
import tempfile
import unittest

import realizar
import support

PACKAGE = os.path.dirname(realizar.__file__)
TESTS = os.path.dirname(os.path.abspath(__file__))


class Types(unittest.TestCase):
    @unittest.skipUnless(shutil.which("mypy"), "mypy is not installed")
    def test_mypy(self) -> None:
        files = [f for f in glob.glob(f"{TESTS}/*.py") if not f.endswith("test_frameworks.py")]
        with tempfile.TemporaryDirectory() as cache:
            done = subprocess.run(
                ["mypy", "--strict", "--no-error-summary", "--cache-dir", cache, "-p", "realizar"],
                env={**os.environ, "MYPYPATH": os.path.dirname(PACKAGE)},
                capture_output=True,
                text=True,
            )
            self.assertEqual((done.stdout, done.stderr), ("", ""))
            done = subprocess.run(
                ["mypy", "--strict", "--no-error-summary", "--cache-dir", cache, *files],
                env={**os.environ, "MYPYPATH": f"{os.path.dirname(PACKAGE)}:{TESTS}:{os.path.dirname(TESTS)}"},
                capture_output=True,
                text=True,
            )
            self.assertEqual((done.stdout, done.stderr), ("", ""))

    def test_marker(self) -> None:
        self.assertTrue(os.path.exists(os.path.join(PACKAGE, "py.typed")))

    def test_stub_names_what_there_is(self) -> None:
        with open(os.path.join(PACKAGE, "lowlevel.pyi"), encoding="utf-8") as file:
            names = {line.split("(")[0][4:] for line in file if line.startswith("def ")}
        made = {n for n, f in vars(realizar.lowlevel).items() if callable(f) and hasattr(f, "__code__")}
        self.assertEqual(names, {n for n in made if not n.startswith("_")})

    def test_everything_is_documented(self) -> None:
        for name in realizar.__all__:
            thing = getattr(realizar, name)
            if isinstance(thing, type):
                self.assertTrue(thing.__doc__, name)
        for name, function in vars(realizar.lowlevel).items():
            if hasattr(function, "__code__") and not name.startswith("_"):
                self.assertTrue(function.__doc__, name)


if __name__ == "__main__":
    support.main()
