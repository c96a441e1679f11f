# SPDX-License-Identifier: MIT
"""The examples of docs/python.md and of the README run, and docs/python.md names everything that is public.

A block of Python followed by a block of text must print that text. model.gguf is the demo model.
"""
from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import re
import tempfile
import unittest

import realizar
import support


def read(*names: str) -> str:
    with open(os.path.join(support.TOP, *names), encoding="utf-8") as file:
        return file.read()


class Examples(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder.name)
        os.symlink(support.DEMO, "model.gguf")

    def run_all(self, text: str) -> int:
        blocks = re.findall(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```)?", text, re.DOTALL | re.MULTILINE)
        names: dict[str, object] = {"__name__": "docs"}
        for code, want in blocks:
            with self.subTest(code=code), contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(code, "example", "exec"), names)
                if want:
                    self.assertEqual(out.getvalue(), want)
        return len(blocks)

    def test_docs(self) -> None:
        self.assertGreater(self.run_all(read("docs", "python.md")), 10)

    def test_readme(self) -> None:
        self.assertEqual(self.run_all(read("README.md")), 1)

    def test_package(self) -> None:
        doc = realizar.__doc__ or ""
        example = re.sub("^    ", "", doc[doc.index("    import") : doc.index("A Model may")], flags=re.MULTILINE)
        exec(compile(example, "example", "exec"), {})


class Reference(unittest.TestCase):
    def test_names(self) -> None:
        text = read("docs", "python.md")
        names = {n for n in realizar.__all__ if not n.startswith("__")}
        for thing in (realizar.Model, realizar.Generation, realizar.AsyncGeneration):
            names |= {n for n in vars(thing) if not n.startswith("_")}
        for record in (realizar.ModelInfo, realizar.MemoryUse, realizar.Settings, realizar.Usage, realizar.Timings):
            names |= {field.name for field in dataclasses.fields(record)}
        missing = {n for n in names if not re.search(rf"[`.]{n}\b", text)}
        self.assertEqual(missing, set())


if __name__ == "__main__":
    support.main()
