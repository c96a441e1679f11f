# SPDX-License-Identifier: MIT
"""Generating: pieces, settings, endings."""
from __future__ import annotations

import dataclasses
import inspect
import math

import realizar
import support


class Generating(support.DemoCase):
    def test_pieces(self) -> None:
        generation = self.model.generate(support.QUESTION, top_logprobs=3)
        pieces = list(generation)
        self.assertEqual("".join(pieces), "2 + 2 = 4")
        self.assertEqual(generation.text, "2 + 2 = 4")
        self.assertEqual([p.id for p in pieces], generation.ids)
        self.assertEqual(generation.finish_reason, "stop")
        self.assertEqual(self.model.detokenize(generation.ids), "2 + 2 = 4")
        for piece in pieces:
            self.assertIsInstance(piece, str)
            self.assertEqual(len(piece.top), 3)
            self.assertEqual((piece.top[0].id, piece.top[0].probability), (piece.id, 1.0))
            self.assertAlmostEqual(piece.top[0].log_probability, piece.log_probability)
            self.assertLessEqual(sum(math.exp(c.log_probability) for c in piece.top), 1 + 1e-6)
        self.assertEqual(pieces[-1].top[0].text, "<|im_end|>")
        usage = generation.usage
        self.assertEqual((usage.prompt_tokens, usage.completion_tokens, usage.total_tokens), (15, 8, 23))
        self.assertGreater(generation.timings.first_token_ms, 0)
        with self.assertRaises(StopIteration):
            next(generation)

    def test_the_beginning_is_kept(self) -> None:
        with realizar.Model.demo() as model:
            first = model.generate(support.QUESTION)
            text = first.text
            self.assertEqual(first.usage.cached_tokens, 0)
            self.assertGreater(model.memory.kv, 0)
            prompt = support.QUESTION + text + "<|im_end|>\n<|im_start|>user\nAnd 3+4?<|im_end|>\n<|im_start|>assistant\n"
            second = model.generate(prompt)
            pieces = list(second)
            self.assertEqual(second.usage.cached_tokens, 15 + 7)
            other = model.generate("Once")
            other.text
            self.assertEqual(other.usage.cached_tokens, 0)
            with realizar.Model.demo() as fresh:
                alone = list(fresh.generate(prompt))
            self.assertEqual([(p.id, p.log_probability) for p in alone], [(p.id, p.log_probability) for p in pieces])

    def test_ids_as_prompt(self) -> None:
        ids = self.model.tokenize(support.QUESTION)
        self.assertEqual(self.model.generate(ids).text, "2 + 2 = 4")
        self.assertEqual(self.model.generate(tuple(ids)).prompt_ids, ids)

    def test_endings(self) -> None:
        for settings, text, reason in (
            ({"max_tokens": 3}, "2 + ", "length"),
            ({"stop": " ="}, "2 + 2", "stop_text"),
            ({"stop": ["x", "+ 2"]}, "2 ", "stop_text"),
            ({"logit_bias": {17: -math.inf}, "max_tokens": 1}, "4", "length"),
        ):
            generation = self.model.generate(support.QUESTION, **settings)  # type: ignore[arg-type]
            self.assertEqual((generation.text, generation.finish_reason), (text, reason), settings)

    def test_context_fills(self) -> None:
        with realizar.Model.demo(ctx=32) as model:
            generation = model.generate(support.QUESTION, ignore_eos=True)
            self.assertEqual(len(list(generation)), 32 - 15 + 1)
            self.assertEqual(generation.finish_reason, "length")
            with self.assertRaises(realizar.ContextLengthError) as caught:
                model.generate("x " * 100)
            self.assertEqual(caught.exception.context, 32)
            self.assertIn(str(caught.exception.n_tokens), str(caught.exception))

    def test_seeds(self) -> None:
        def story(seed: int) -> str:
            return self.model.generate("a", temperature=2.0, top_k=0, top_p=1, min_p=0, max_tokens=20, seed=seed).text

        self.assertEqual(story(1), story(1))
        self.assertNotEqual(story(1), story(2))
        random = self.model.generate("a", temperature=2.0, max_tokens=20)
        self.assertEqual(random.text, self.model.generate("a", temperature=2.0, max_tokens=20, seed=random.seed).text)

    def test_every_setting_is_a_keyword(self) -> None:
        fields = {f.name: (f.type, f.default) for f in dataclasses.fields(realizar.Settings)}
        for method in ("generate", "chat", "agenerate", "achat"):
            parameters = inspect.signature(getattr(realizar.Model, method)).parameters
            keywords = {name: (p.annotation, p.default) for name, p in parameters.items() if name in fields}
            self.assertEqual(keywords, fields, method)

    def test_wrong_settings(self) -> None:
        for settings in (
            {"max_tokens": 0},
            {"temperature": -1.0},
            {"temperature": math.nan},
            {"top_p": 2.0},
            {"stop": [""]},
            {"stop": ["a\0b"]},
        ):
            with self.assertRaises(ValueError, msg=str(settings)):
                next(self.model.generate("a", **settings))  # type: ignore[arg-type]
        for settings in ({"temperature": "hot"}, {"stop": [1]}, {"logit_bias": {"a": 1}}):
            with self.assertRaises(TypeError, msg=str(settings)):
                next(self.model.generate("a", **settings))  # type: ignore[arg-type]
        with self.assertRaises(realizar.UsageError):
            next(self.model.generate([]))
        with self.assertRaises(realizar.UsageError):
            next(self.model.generate([5000]))

    def test_close(self) -> None:
        with self.model.generate(support.STORY) as generation:
            next(generation)
        self.assertEqual(generation.finish_reason, "cancelled")
        self.assertEqual(list(generation), [])
        self.assertEqual(len(generation.ids), 1)

    def test_cancel(self) -> None:
        for made in range(3):
            generation = self.model.generate(support.STORY)
            for _ in range(made):
                next(generation)
            generation.cancel()
            with self.assertRaises(realizar.CancelledError):
                next(generation)
            self.assertEqual(generation.finish_reason, "cancelled")
            self.assertEqual(list(generation), [])
        generation = self.model.generate(support.STORY)
        next(generation)
        self.model.cancel()
        with self.assertRaises(realizar.CancelledError):
            next(generation)
        self.assertEqual(self.model.generate(support.QUESTION).text, "2 + 2 = 4")


if __name__ == "__main__":
    support.main()
