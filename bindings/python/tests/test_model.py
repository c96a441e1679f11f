# SPDX-License-Identifier: MIT
"""Opening, facts, tokens, closing."""
from __future__ import annotations

import gc
import os
import pathlib
import tempfile
import unittest
import weakref
from collections.abc import Callable
from typing import Any, Union

import realizar
import support


class Facts(unittest.TestCase):
    def test_info(self) -> None:
        with realizar.Model("demo", ctx=128, threads=1, device="cpu") as model:
            info = model.info
            self.assertEqual((info.architecture, info.format, info.context), ("qwen2", "GGUF v3", 128))
            self.assertEqual((info.n_layers, info.hidden_size, info.vocab_size), (3, 256, 1280))
            self.assertEqual((info.n_heads, info.n_kv_heads, info.max_context), (4, 2, 2048))
            self.assertEqual((info.backend, info.tensor_types["Q8_0"]), ("cpu", 22))
            self.assertIn("1 thread", info.device)
            self.assertEqual(info.metadata["general.license"], "mit")
            self.assertIn("im_start", info.chat_template or "")
            self.assertGreater(model.memory.weights, 2_000_000)
            self.assertIn("avx" if "avx" in info.device else info.device, repr(model))

    def test_demo(self) -> None:
        with realizar.Model.demo(ctx=64) as model:
            self.assertEqual((model.info.context, model.info.path), (64, "demo"))

    def test_paths(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, b"\xff \xe2\x82\xac.gguf".decode("utf-8", "surrogateescape"))
            path.symlink_to(support.DEMO)
            spellings: list[Union[str, pathlib.Path]] = [path, str(path)]
            for given in spellings:
                with realizar.Model(given, ctx=16) as model:
                    self.assertEqual(model.info.path, str(path))

    def test_version(self) -> None:
        self.assertRegex(realizar.__version__, r"^\d+\.\d+\.\d+$")


class Tokens(support.DemoCase):
    def test_round_trip(self) -> None:
        for text in ("", "What is 2+2?", "née à Århus, 東京 🙂\n\tx", "a\0b"):
            ids = self.model.tokenize(text)
            self.assertEqual(self.model.detokenize(ids), text)
            self.assertEqual(self.model.tokenize(text.encode()), ids)

    def test_special(self) -> None:
        special = self.model.tokenize("<|im_end|>")
        plain = self.model.tokenize("<|im_end|>", special=False)
        self.assertEqual(len(special), 1)
        self.assertGreater(len(plain), 1)
        self.assertEqual(self.model.detokenize(special), "")
        self.assertEqual(self.model.detokenize(special, special=True), "<|im_end|>")
        self.assertEqual(self.model.detokenize(plain), "<|im_end|>")

    def test_split_characters(self) -> None:
        ids = self.model.tokenize("🙂")
        self.assertGreater(len(ids), 1)
        pieces = b"".join(self.model.detokenize_bytes([id]) for id in ids)
        self.assertEqual(pieces.decode(), "🙂")
        self.assertEqual(self.model.detokenize(ids[:1]), "\N{REPLACEMENT CHARACTER}")

    def test_wrong_types(self) -> None:
        for text in (None, 7, ["a"]):
            with self.assertRaises(TypeError):
                self.model.tokenize(text)  # type: ignore[arg-type]
        for ids in (None, 7, ["a"], [None], [1.5]):
            with self.assertRaises(TypeError):
                self.model.detokenize(ids)  # type: ignore[arg-type]
        with self.assertRaises(OverflowError):
            self.model.detokenize([1 << 40])
        self.assertEqual(self.model.detokenize([-5, 1 << 30]), "")


class Closing(unittest.TestCase):
    def test_use_after_close(self) -> None:
        model = realizar.Model.demo()
        generation = model.generate(support.QUESTION)
        next(generation)
        ended = model.generate(support.QUESTION)
        ended.text
        model.close()
        model.close()
        self.assertIn("closed", repr(model))
        self.assertEqual(model.info.architecture, "qwen2")
        self.assertEqual(generation.finish_reason, "cancelled")
        self.assertEqual(ended.text, "2 + 2 = 4")
        uses: list[Callable[[], object]] = [
            lambda: next(generation),
            lambda: generation.text,
            lambda: model.tokenize("x"),
            lambda: model.detokenize([1]),
            lambda: model.generate("x"),
            lambda: model.chat("x"),
            lambda: model.render("x"),
            lambda: model.memory,
        ]
        for use in uses:
            with self.assertRaises(realizar.ClosedError):
                use()

    def test_collected(self) -> None:
        model = realizar.Model.demo()
        generation = model.generate(support.QUESTION)
        next(generation)
        gone: list[weakref.ref[Any]] = [weakref.ref(model), weakref.ref(generation)]
        del model
        gc.collect()
        self.assertIsNotNone(gone[1]())
        del generation
        gc.collect()
        self.assertEqual([r() for r in gone], [None, None])

    def test_a_text_keeps_its_model(self) -> None:
        self.assertEqual(realizar.Model.demo().chat("What is 2+2?").text, "2 + 2 = 4")

    def test_forked(self) -> None:
        with realizar.Model.demo() as model:
            generation = model.generate(support.QUESTION)
            next(generation)
            child = os.fork()
            if child == 0:
                os._exit(in_child(model, generation))
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)
            self.assertEqual(generation.text, "2 + 2 = 4")


def in_child(model: realizar.Model, generation: realizar.Generation) -> int:
    """What of the parent's cannot be used raises; a model of one's own can; nothing hangs. 0 when it is so."""
    uses: list[Callable[[], object]] = [
        lambda: model.tokenize("x"),
        lambda: next(generation),
        lambda: model.generate("x"),
    ]
    for use in uses:
        try:
            use()
            return 1
        except realizar.ClosedError:
            pass
    generation.close()
    model.close()
    with realizar.Model.demo() as own:
        return 0 if own.generate(support.QUESTION).text == "2 + 2 = 4" else 2


if __name__ == "__main__":
    support.main()
