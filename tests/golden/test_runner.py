#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What run_golden.py passes and what it does not, with answers of the test's own in the place of apr's."""
import contextlib
import io
import json
import os
import sys
import tempfile
import unittest
from unittest import mock

import run_golden

EXCEPTION = {"set": "m", "backend": "cpu", "case": 0, "position": 1, "recorded": 2, "token": 9, "margin": 0.5,
             "why": "F32 prefers it", "evidence": "F32 has 9 by 0.01"}


class Runner(unittest.TestCase):
    def run_with(self, ids, margins=(1.0, 0.5, 1.0), exceptions=()):
        """Exit status and output for answers IDS where 1, 2, 3 are recorded."""
        golden = {"model": "m", "tokens": 3, "tolerance": 0.15,
                  "cases": [{"prompt": "p", "prompt_ids": [7], "ids": [1, 2, 3], "margins": margins, "stop": "limit"}]}
        answer = {"backend": "cpu", "prompt_ids": [7], "ids": ids, "finish_reason": "length"}
        output = io.StringIO()
        with tempfile.TemporaryDirectory() as folder:
            names = [os.path.join(folder, name) for name in ("golden.json", "exceptions.json")]
            for name, content in zip(names, (golden, {"exceptions": list(exceptions)})):
                with open(name, "w", encoding="utf-8") as f:
                    json.dump(content, f)
            arguments = ["run_golden.py", "--apr", "apr", "--model", "m", "--exceptions", names[1], names[0]]
            with mock.patch.object(run_golden, "call", return_value=answer), mock.patch.object(sys, "argv", arguments), \
                 contextlib.redirect_stdout(output):
                try:
                    status = run_golden.main()
                except SystemExit as stop:
                    status = 1
                    output.write(str(stop.code))
        return status, output.getvalue()

    def test_equal(self):
        self.assertEqual(self.run_with([1, 2, 3])[0], 0)

    def test_another_token_at_a_small_margin(self):
        status, text = self.run_with([1, 9, 9], margins=(1.0, 0.1, 1.0))
        self.assertEqual(status, 0)
        self.assertIn("near: case 0", text)

    def test_null_margin_is_small(self):
        self.assertEqual(self.run_with([1, 9, 9], margins=(1.0, None, 1.0))[0], 0)

    def test_another_token_at_a_large_margin(self):
        self.assertEqual(self.run_with([1, 9, 9])[0], 1)
        self.assertEqual(self.run_with([1, 9, 9], margins=(1.0, 0.15, 1.0))[0], 1)

    def test_fewer_tokens(self):
        self.assertEqual(self.run_with([1, 2])[0], 1)

    def test_exception(self):
        status, text = self.run_with([1, 9, 9], exceptions=[EXCEPTION])
        self.assertEqual(status, 0)
        self.assertIn("F32 has 9 by 0.01", text)

    def test_exception_covers_one_token_at_one_place(self):
        self.assertEqual(self.run_with([1, 8, 9], exceptions=[EXCEPTION])[0], 1)
        self.assertEqual(self.run_with([9, 2, 3], exceptions=[EXCEPTION])[0], 1)
        for other in ({"backend": "cuda"}, {"set": "n"}):
            self.assertEqual(self.run_with([1, 9, 9], exceptions=[{**EXCEPTION, **other}])[0], 1)

    def test_exception_that_is_not_needed(self):
        status, text = self.run_with([1, 2, 3], exceptions=[EXCEPTION])
        self.assertEqual(status, 1)
        self.assertIn("does not need", text)

    def test_exception_that_contradicts_the_set(self):
        for other in ({"recorded": 3}, {"margin": 0.4}, {"why": ""}, {"more": 1}, {"case": 1}):
            self.assertEqual(self.run_with([1, 9, 9], exceptions=[{**EXCEPTION, **other}])[0], 1)
        self.assertEqual(self.run_with([1, 9, 9], exceptions=[EXCEPTION, EXCEPTION])[0], 1)


if __name__ == "__main__":
    unittest.main()
