# SPDX-License-Identifier: MIT
"""Generating under asyncio."""
from __future__ import annotations

import asyncio
import inspect
import unittest

import realizar
import support


class Asyncio(unittest.IsolatedAsyncioTestCase):
    def setUp(self) -> None:
        self.model = realizar.Model.demo(ctx=100000)
        self.addCleanup(self.model.close)

    async def test_pieces(self) -> None:
        generation = self.model.agenerate(support.QUESTION)
        with self.assertRaises(RuntimeError):
            generation.generation
        self.assertEqual("".join([p async for p in generation]), "2 + 2 = 4")
        self.assertEqual(generation.generation.finish_reason, "stop")
        self.assertEqual(await generation.text(), "2 + 2 = 4")
        self.assertEqual(await self.model.achat("What is 2+2?").text(), "2 + 2 = 4")

    async def test_several_at_once(self) -> None:
        texts = await asyncio.gather(*(self.model.achat("What is 2+2?").text() for _ in range(4)))
        self.assertEqual(texts, ["2 + 2 = 4"] * 4)

    async def test_the_loop_goes_on(self) -> None:
        task = asyncio.ensure_future(anext(self.model.agenerate([5] * 4000)))
        turns = 0
        while not task.done():
            turns += 1
            await asyncio.sleep(0.001)
        self.assertIsInstance(task.result(), realizar.Piece)
        self.assertGreater(turns, 20)

    async def test_cancelled_task(self) -> None:
        generation = self.model.agenerate([5] * 90000)
        with self.assertRaises(asyncio.TimeoutError):
            await asyncio.wait_for(anext(generation), 0.2)
        for _ in range(1000):
            if generation.generation.finish_reason is not None:
                break
            await asyncio.sleep(0.01)
        self.assertEqual(generation.generation.finish_reason, "cancelled")
        self.assertEqual([p async for p in generation], [])

    async def test_aclose(self) -> None:
        generation = self.model.agenerate(support.STORY)
        await anext(generation)
        await generation.aclose()
        self.assertEqual([p async for p in generation], [])

    async def test_errors(self) -> None:
        with self.assertRaises(realizar.UsageError):
            await anext(self.model.agenerate("a", temperature=-1))
        with self.assertRaises(realizar.ContextLengthError):
            await anext(self.model.agenerate([1] * 200000))

    async def test_signature(self) -> None:
        self.assertEqual(inspect.signature(self.model.agenerate), inspect.signature(self.model.generate))


if __name__ == "__main__":
    support.main()
