# SPDX-License-Identifier: MIT
"""What the tests of the Python package share."""
from __future__ import annotations

import sys
import unittest

QUESTION = "<|im_start|>user\nWhat is 2+2?<|im_end|>\n<|im_start|>assistant\n"
STORY = "<|im_start|>user\nTell me a story.<|im_end|>\n<|im_start|>assistant\n"


def main() -> None:
    """Run the tests of the calling file; 77, meson's code for "skipped", when there was nothing to run."""
    program = unittest.main(module="__main__", exit=False, verbosity=2)
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    if result.testsRun == len(result.skipped):
        sys.exit(77)
