# SPDX-License-Identifier: MIT
"""Embeddings, scores and logits, with numpy and without; each checked by another way to the same numbers."""
from __future__ import annotations

import array
import math
import sys
import unittest
from collections.abc import Callable
from typing import Any, Optional
from unittest import mock

import realizar
import support
from realizar import vectors


def log_softmax(logits: list[float]) -> list[float]:
    largest = max(logits)
    total = math.log(sum(math.exp(x - largest) for x in logits)) + largest
    return [x - total for x in logits]


class Evaluate(unittest.TestCase):
    model: realizar.Model
    hide_numpy = False

    def setUp(self) -> None:
        hidden: dict[str, Optional[Any]] = {"numpy": None} if self.hide_numpy else {}
        patch = mock.patch.dict(sys.modules, hidden)
        patch.start()
        self.addCleanup(patch.stop)
        vectors._numpy.cache_clear()
        self.addCleanup(vectors._numpy.cache_clear)
        self.model = realizar.Model.demo(threads=1)
        self.addCleanup(self.model.close)

    def uses(self) -> list[Callable[[str], object]]:
        return [self.model.score, self.model.logits, self.model.embed, self.model.all_logits]

    def test_scores_are_of_the_logits(self) -> None:
        ids = self.model.tokenize(support.QUESTION)
        rows = self.model.all_logits(ids)
        self.assertEqual((len(rows), len(rows[0])), (len(ids), self.model.info.vocab_size))
        scores = self.model.score(support.QUESTION)
        self.assertEqual(len(scores), len(ids) - 1)
        for i, score in enumerate(scores):
            self.assertAlmostEqual(score, log_softmax(rows[i].tolist())[ids[i + 1]], places=4)
        self.assertEqual(self.model.logits(ids).tolist(), rows[len(ids) - 1].tolist())

    def test_generation_follows_the_logits(self) -> None:
        piece = next(self.model.generate(support.QUESTION, temperature=0))
        logits = self.model.logits(support.QUESTION).tolist()
        self.assertEqual(piece.id, logits.index(max(logits)))
        self.assertAlmostEqual(piece.log_probability, log_softmax(logits)[piece.id], places=4)

    def test_logits_are_a_copy(self) -> None:
        first = self.model.logits("a")
        before = first.tolist()
        self.model.logits("b")
        self.model.close()
        self.assertEqual(first.tolist(), before)

    def test_embeddings(self) -> None:
        one = self.model.embed("What is 2+2?")
        self.assertEqual(len(one), self.model.info.hidden_size)
        self.assertAlmostEqual(sum(x * x for x in one.tolist()), 1, places=5)
        both = self.model.embed(["What is 2+2?", "Tell me a story."])
        self.assertEqual(len(both), 2)
        self.assertEqual(both[0].tolist(), one.tolist())
        self.assertNotEqual(both[1].tolist(), one.tolist())
        self.assertEqual(len(self.model.embed([])), 0)

    def test_kind(self) -> None:
        numpy = vectors._numpy()
        want = array.array if numpy is None else numpy.ndarray
        self.assertIsInstance(self.model.embed("x"), want)
        self.assertIsInstance(self.model.all_logits("x")[0], want)

    def test_too_short_or_long(self) -> None:
        with self.assertRaises(realizar.UsageError):
            self.model.score([1])
        for use in self.uses():
            with self.assertRaises(realizar.UsageError):
                use("")
            with self.assertRaises(realizar.ContextLengthError):
                use("x " * 3000)

    def test_after_close(self) -> None:
        self.model.close()
        for use in self.uses():
            with self.assertRaises(realizar.ClosedError):
                use("x")


class EvaluateWithoutNumpy(Evaluate):
    hide_numpy = True


if __name__ == "__main__":
    support.main()
