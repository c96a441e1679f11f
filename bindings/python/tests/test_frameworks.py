# SPDX-License-Identifier: MIT
"""LangChain's and LlamaIndex's own classes for a custom model, driven by realizar.

Skipped where langchain-core or llama-index-core are not installed (pip install langchain-core llama-index-core).
"""
from __future__ import annotations

import asyncio
import importlib.util
import unittest

import realizar
import support


def installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


@unittest.skipUnless(installed("langchain_core"), "langchain-core is not installed")
class LangChain(unittest.TestCase):
    def setUp(self) -> None:
        from langchain_core.language_models.llms import LLM
        from langchain_core.outputs import GenerationChunk

        class Local(LLM):
            model: object

            @property
            def _llm_type(self):
                return "realizar"

            def _call(self, prompt, stop=None, run_manager=None, **settings):
                return self.model.chat(prompt, stop=stop, **settings).text

            def _stream(self, prompt, stop=None, run_manager=None, **settings):
                for piece in self.model.chat(prompt, stop=stop, **settings):
                    chunk = GenerationChunk(text=str(piece))
                    if run_manager is not None:
                        run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                    yield chunk

        model = realizar.Model.demo()
        self.addCleanup(model.close)
        self.llm = Local(model=model)

    def test_invoke(self) -> None:
        self.assertEqual(self.llm.invoke("What is 2+2?"), "2 + 2 = 4")
        self.assertEqual(self.llm.invoke("What is 2+2?", stop=[" ="]), "2 + 2")
        self.assertEqual(self.llm.invoke("What is 2+2?", max_tokens=3), "2 + ")

    def test_batch_on_threads(self) -> None:
        self.assertEqual(self.llm.batch(["What is 2+2?"] * 4), ["2 + 2 = 4"] * 4)

    def test_stream(self) -> None:
        pieces = list(self.llm.stream("What is 2+2?"))
        self.assertGreater(len(pieces), 3)
        self.assertEqual("".join(pieces), "2 + 2 = 4")

    def test_chain(self) -> None:
        from langchain_core.output_parsers import StrOutputParser
        from langchain_core.prompts import PromptTemplate

        chain = PromptTemplate.from_template("What is {a}+{b}?") | self.llm | StrOutputParser()
        self.assertEqual(chain.invoke({"a": 2, "b": 2}), "2 + 2 = 4")

    def test_asynchronously(self) -> None:
        async def run():
            return await self.llm.ainvoke("What is 2+2?"), [p async for p in self.llm.astream("What is 2+2?")]

        whole, pieces = asyncio.run(run())
        self.assertEqual((whole, "".join(pieces)), ("2 + 2 = 4", "2 + 2 = 4"))


@unittest.skipUnless(installed("llama_index"), "llama-index-core is not installed")
class LlamaIndex(unittest.TestCase):
    def setUp(self) -> None:
        from llama_index.core.llms import CompletionResponse, CustomLLM, LLMMetadata
        from llama_index.core.llms.callbacks import llm_completion_callback

        class Local(CustomLLM):
            model: object

            @property
            def metadata(self):
                info = self.model.info
                return LLMMetadata(context_window=info.context, num_output=256, model_name=info.name)

            @llm_completion_callback()
            def complete(self, prompt, formatted=False, **settings):
                return CompletionResponse(text=self.model.chat(prompt, **settings).text)

            @llm_completion_callback()
            def stream_complete(self, prompt, formatted=False, **settings):
                text = ""
                for piece in self.model.chat(prompt, **settings):
                    text += piece
                    yield CompletionResponse(text=text, delta=str(piece))

        model = realizar.Model.demo()
        self.addCleanup(model.close)
        self.llm = Local(model=model)

    def test_complete(self) -> None:
        self.assertEqual(str(self.llm.complete("What is 2+2?")), "2 + 2 = 4")
        self.assertEqual(self.llm.metadata.context_window, 2048)

    def test_stream(self) -> None:
        responses = list(self.llm.stream_complete("What is 2+2?"))
        self.assertEqual("".join(r.delta for r in responses), "2 + 2 = 4")
        self.assertEqual(responses[-1].text, "2 + 2 = 4")

    def test_predict(self) -> None:
        from llama_index.core import PromptTemplate

        self.assertEqual(self.llm.predict(PromptTemplate("What is {a}+2?"), a=2), "2 + 2 = 4")

    def test_asynchronously(self) -> None:
        self.assertEqual(str(asyncio.run(self.llm.acomplete("What is 2+2?"))), "2 + 2 = 4")


if __name__ == "__main__":
    support.main()
