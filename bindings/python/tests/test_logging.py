# SPDX-License-Identifier: MIT
"""Silent unless asked, and then through Python's logging."""
from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import unittest
from typing import Any
from unittest import mock

import realizar
import support


class Logging(unittest.TestCase):
    path: str

    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.path = os.path.join(folder.name, "damaged.apr")
        subprocess.run([os.environ["APR"], "convert", "demo", "-q", "-o", cls.path], check=True)
        with open(cls.path, "r+b") as file:  # the checksum of metadata and index
            file.seek(44)
            byte = file.read(1)[0]
            file.seek(44)
            file.write(bytes([byte ^ 1]))

    def open(self) -> None:
        with realizar.Model(self.path, lenient=True) as model:
            self.assertEqual(model.chat("What is 2+2?").text, "2 + 2 = 4")

    def test_strict(self) -> None:
        with self.assertNoLogs("realizar"), self.assertRaisesRegex(realizar.FormatError, "checksum"):
            realizar.Model(self.path)

    def test_warning(self) -> None:
        with self.assertLogs("realizar", logging.DEBUG) as caught:
            self.open()
        self.assertEqual({r.levelname for r in caught.records}, {"WARNING"})
        self.assertIn("damaged.apr", caught.records[0].getMessage())

    def test_silent(self) -> None:
        program = f"import realizar; realizar.Model({self.path!r}, lenient=True)"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        self.assertEqual((done.stdout, done.stderr), ("", ""))

    def test_a_filter_that_raises(self) -> None:
        def wrong(record: logging.LogRecord) -> bool:
            raise RuntimeError("no")

        reported: list[Any] = []
        realizar.logger.addFilter(wrong)
        self.addCleanup(realizar.logger.removeFilter, wrong)
        with mock.patch("sys.unraisablehook", reported.append):
            self.open()
        self.assertEqual({type(r.exc_value) for r in reported}, {RuntimeError})


if __name__ == "__main__":
    support.main()
