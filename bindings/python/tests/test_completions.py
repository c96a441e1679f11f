# SPDX-License-Identifier: MIT
"""Chat completions have the keys that OpenAI's reference documents, whole and streamed."""
from __future__ import annotations

import importlib
import importlib.util
import json
import math
import unittest
from typing import Any

import realizar
import support

QUESTION = [{"role": "user", "content": "What is 2+2?"}]

# of the API reference: "The chat completion object" and "The chat completion chunk object"
COMPLETION_KEYS = {"id", "object", "created", "model", "choices", "usage", "system_fingerprint"}
CHOICE_KEYS = {"index", "message", "logprobs", "finish_reason"}
CHUNK_CHOICE_KEYS = {"index", "delta", "logprobs", "finish_reason"}
MESSAGE_KEYS = {"role", "content", "refusal"}
USAGE_KEYS = {"prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details"}
TOKEN_KEYS = {"token", "logprob", "bytes", "top_logprobs"}


class Completions(support.DemoCase):
    def test_whole(self) -> None:
        answer = self.model.create_chat_completion(QUESTION, model="mine", user="me")
        self.assertEqual(set(answer), COMPLETION_KEYS)
        self.assertTrue(answer["id"].startswith("chatcmpl-"))
        self.assertEqual((answer["object"], answer["model"]), ("chat.completion", "mine"))
        self.assertIsInstance(answer["created"], int)
        (choice,) = answer["choices"]
        self.assertEqual(set(choice), CHOICE_KEYS)
        self.assertEqual(set(choice["message"]), MESSAGE_KEYS)
        self.assertEqual((choice["index"], choice["finish_reason"], choice["logprobs"]), (0, "stop", None))
        self.assertEqual(choice["message"], {"role": "assistant", "content": "2 + 2 = 4", "refusal": None})
        self.assertEqual(set(answer["usage"]), USAGE_KEYS)
        usage = answer["usage"]
        self.assertEqual((usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]), (15, 8, 23))
        self.assertEqual(json.loads(json.dumps(answer)), answer)

    def test_streamed(self) -> None:
        chunks = list(
            self.model.create_chat_completion(QUESTION, stream=True, stream_options={"include_usage": True})
        )
        for chunk in chunks:
            self.assertEqual(set(chunk), COMPLETION_KEYS)
            self.assertEqual(chunk["object"], "chat.completion.chunk")
            self.assertEqual((chunk["id"], chunk["created"]), (chunks[0]["id"], chunks[0]["created"]))
        *parts, last = chunks
        self.assertEqual(last["choices"], [])
        assert last["usage"] is not None
        self.assertEqual(last["usage"]["total_tokens"], 23)
        self.assertEqual({c["usage"] is None for c in parts}, {True})
        choices = [c["choices"][0] for c in parts]
        self.assertEqual({frozenset(c) for c in choices}, {frozenset(CHUNK_CHOICE_KEYS)})
        self.assertEqual(choices[0]["delta"], {"role": "assistant", "content": ""})
        self.assertEqual(choices[-1]["delta"], {})
        self.assertEqual("".join(c["delta"].get("content", "") for c in choices), "2 + 2 = 4")
        self.assertEqual([c["finish_reason"] for c in choices], [None] * (len(choices) - 1) + ["stop"])
        self.assertEqual(len(list(self.model.create_chat_completion(QUESTION, stream=True))), len(parts))

    def test_logprobs(self) -> None:
        answer = self.model.create_chat_completion(QUESTION, logprobs=True, top_logprobs=2)
        logprobs = answer["choices"][0]["logprobs"]
        assert logprobs is not None
        content = logprobs["content"]
        self.assertEqual("".join(t["token"] for t in content), "2 + 2 = 4")
        for token in content:
            self.assertEqual(set(token), TOKEN_KEYS)
            self.assertEqual(bytes(token["bytes"]).decode(), token["token"])
            self.assertEqual([set(t) for t in token["top_logprobs"]], [TOKEN_KEYS - {"top_logprobs"}] * 2)
            self.assertLessEqual(token["logprob"], 0)
        streamed = self.model.create_chat_completion(QUESTION, stream=True, logprobs=True, top_logprobs=2)
        parts = [c["choices"][0]["logprobs"] for c in streamed]
        self.assertEqual([t for p in parts if p is not None for t in p["content"]], content)

    @unittest.skipUnless(importlib.util.find_spec("openai"), "openai is not installed")
    def test_openai_takes_it_for_its_own(self) -> None:
        types = importlib.import_module("openai.types.chat")
        answer = self.model.create_chat_completion(QUESTION, logprobs=True, top_logprobs=2, n=2)
        read = types.ChatCompletion.model_validate(answer, strict=True)
        self.assertEqual((read.choices[0].message.content, read.model_extra), ("2 + 2 = 4", {}))
        for chunk in self.model.create_chat_completion(QUESTION, stream=True, logprobs=True):
            self.assertEqual(types.ChatCompletionChunk.model_validate(chunk, strict=True).model_extra, {})

    def test_parameters(self) -> None:
        create = self.model.create_chat_completion
        for answer, text, reason in (
            (create(QUESTION, max_tokens=3), "2 + ", "length"),
            (create(QUESTION, max_completion_tokens=3), "2 + ", "length"),
            (create(QUESTION, stop=[" ="]), "2 + 2", "stop"),
            (create(QUESTION, logit_bias={"17": -100}, max_tokens=1), "4", "length"),
            (create(QUESTION, temperature=0, top_p=0.5, presence_penalty=0.0, frequency_penalty=0.0), "2 + 2 = 4", "stop"),
            (create([{"role": "user", "content": [{"type": "text", "text": "What is 2+2?"}]}]), "2 + 2 = 4", "stop"),
        ):
            choice = answer["choices"][0]
            self.assertEqual((choice["message"]["content"], choice["finish_reason"]), (text, reason))

    def test_several_choices(self) -> None:
        answer = self.model.create_chat_completion(QUESTION, n=3, seed=1, temperature=3.0, max_tokens=4)
        self.assertEqual([c["index"] for c in answer["choices"]], [0, 1, 2])
        self.assertEqual(answer["usage"]["prompt_tokens"], 15)
        self.assertEqual(answer["usage"]["completion_tokens"] > 4, True)
        chunks = list(self.model.create_chat_completion(QUESTION, n=2, stream=True))
        self.assertEqual({c["choices"][0]["index"] for c in chunks}, {0, 1})

    def test_refused(self) -> None:
        create = self.model.create_chat_completion
        tool = {"type": "function", "function": {"name": "f"}}
        with self.assertRaises(realizar.UnsupportedError):
            create(QUESTION, response_format={"type": "json_object"})
        with self.assertRaises(realizar.UnsupportedError):
            create(QUESTION, tools=[tool])
        with self.assertRaises(realizar.UnsupportedError):
            create([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}])
        wrong: list[dict[str, Any]] = [
            {"n": 0},
            {"max_tokens": 1, "max_completion_tokens": 2},
            {"top_logprobs": 2},
            {"stream_options": {}},
            {"temperature": math.nan},
        ]
        for parameters in wrong:
            with self.assertRaises(realizar.UsageError, msg=str(parameters)):
                create(QUESTION, **parameters)
        with self.assertRaises(TypeError):
            create(QUESTION, speed=9)  # type: ignore[call-overload]
        self.assertEqual(create(QUESTION, tools=[tool], tool_choice="none", response_format={"type": "text"})["object"], "chat.completion")

    def test_closing_a_stream(self) -> None:
        stream = self.model.create_chat_completion(QUESTION, stream=True)
        next(stream)
        next(stream)
        stream.close()
        self.assertEqual(list(stream), [])


if __name__ == "__main__":
    support.main()
