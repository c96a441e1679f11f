# SPDX-License-Identifier: MIT
"""What the tests of the Python package share."""
from __future__ import annotations

import os
import sys
import unittest

import realizar

TOP = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".."))
DEMO = os.path.join(TOP, "librealizar", "demo", "demo.gguf")
QUESTION = "<|im_start|>user\nWhat is 2+2?<|im_end|>\n<|im_start|>assistant\n"
STORY = "<|im_start|>user\nTell me a story.<|im_end|>\n<|im_start|>assistant\n"


class DemoCase(unittest.TestCase):
    """Tests that share one open demo model."""

    model: realizar.Model

    @classmethod
    def setUpClass(cls) -> None:
        cls.model = realizar.Model.demo()
        cls.addClassCleanup(cls.model.close)


def main() -> None:
    """Run the tests of the calling file; 77, meson's code for "skipped", when there was nothing to run."""
    program = unittest.main(module="__main__", exit=False, verbosity=2)
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    if result.testsRun == len(result.skipped):
        sys.exit(77)
