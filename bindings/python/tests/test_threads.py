# SPDX-License-Identifier: MIT
"""One model, many threads: the same results as alone, cancelling and closing from outside."""
from __future__ import annotations

import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

import realizar
import support

PROMPTS = ["What is 2+2?", "What is the capital of France?", "Tell me a story.", "Write hello world in Python."]


class Threads(unittest.TestCase):
    def test_four_at_once(self) -> None:
        with realizar.Model.demo() as model:

            def answer(prompt: str) -> list[int]:
                return [piece.id for piece in model.chat(prompt, max_tokens=60, ignore_eos=True)]

            alone = [answer(p) for p in PROMPTS]
            start = threading.Barrier(4)

            def run(prompt: str) -> list[list[int]]:
                start.wait()
                return [answer(prompt) for _ in range(3)]

            with ThreadPoolExecutor(4) as pool:
                together = list(pool.map(run, PROMPTS))
            self.assertEqual(together, [[ids] * 3 for ids in alone])

    def test_others_run_meanwhile(self) -> None:
        with realizar.Model.demo(ctx=4000) as model:
            generation = model.generate(long_prompt(model, 4000))
            thread = threading.Thread(target=next, args=(generation, None))
            thread.start()
            steps = 0
            while thread.is_alive():
                steps += 1
                time.sleep(0.001)
            self.assertGreater(steps, 20)
            self.assertEqual(len(generation.ids), 1)

    def test_cancel_in_the_prompt(self) -> None:
        for stop in ("generation", "model", "close"):
            with self.subTest(stop), realizar.Model.demo(ctx=200000) as model:
                generation = model.generate(long_prompt(model, 100000))
                stopper = {"generation": generation.cancel, "model": model.cancel, "close": model.close}[stop]
                threading.Timer(0.1, stopper).start()
                began = time.monotonic()
                with self.assertRaises(realizar.CancelledError):
                    next(generation)
                self.assertLess(time.monotonic() - began, 5)
                self.assertEqual(generation.finish_reason, "cancelled")

    def test_cancel_evaluation(self) -> None:
        with realizar.Model.demo(ctx=200000) as model:
            ids = long_prompt(model, 100000)
            threading.Timer(0.1, model.cancel).start()
            with self.assertRaises(realizar.CancelledError):
                model.logits(ids)

    def test_close_under_many(self) -> None:
        for _ in range(5):
            model = realizar.Model.demo()
            errors: list[BaseException] = []

            def run() -> None:
                try:
                    while True:
                        model.chat("Tell me a story.").text
                        model.tokenize("x")
                except realizar.RealizarError as error:
                    errors.append(error)

            threads = [threading.Thread(target=run) for _ in range(4)]
            for t in threads:
                t.start()
            time.sleep(0.05)
            model.close()
            for t in threads:
                t.join(10)
            self.assertEqual(len(errors), 4)
            for error in errors:
                self.assertIsInstance(error, (realizar.ClosedError, realizar.CancelledError))

    def test_one_generation_by_two_threads(self) -> None:
        with realizar.Model.demo() as model:
            want = [piece.id for piece in model.chat("Tell me a story.")]
            generation = model.chat("Tell me a story.")
            with ThreadPoolExecutor(2) as pool:
                parts = list(pool.map(lambda _: list(generation), range(2)))
            self.assertEqual(sorted(p.id for part in parts for p in part), sorted(generation.ids))
            self.assertEqual(generation.ids, want)


def long_prompt(model: realizar.Model, n: int) -> list[int]:
    return (model.tokenize("Once upon a time there was a cat. ") * n)[:n]


if __name__ == "__main__":
    support.main()
