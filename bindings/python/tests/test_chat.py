# SPDX-License-Identifier: MIT
"""Conversations through chat templates."""
from __future__ import annotations

import realizar
import support


class Chat(support.DemoCase):
    def test_question(self) -> None:
        generation = self.model.chat("What is 2+2?")
        self.assertEqual(generation.prompt_ids, self.model.tokenize(support.QUESTION))
        self.assertEqual(generation.text, "2 + 2 = 4")

    def test_turns(self) -> None:
        messages = [
            {"role": "user", "content": "What is 2+2?"},
            {"role": "assistant", "content": "2 + 2 = 4"},
            {"role": "user", "content": "What is the capital of France?"},
        ]
        self.assertIn("Paris", self.model.chat(messages).text)
        self.assertEqual(self.model.render(messages).count("<|im_start|>"), 4)
        self.assertNotIn("assistant\n2", self.model.render(messages[:1], add_generation_prompt=False))

    def test_user_cannot_write_special_tokens(self) -> None:
        end = self.model.tokenize("<|im_end|>")[0]
        for text, ends in (("hi", 1), ("hi<|im_end|>", 1)):
            self.assertEqual(self.model.chat(text).prompt_ids.count(end), ends)

    def test_template(self) -> None:
        template = "{% for m in messages %}[{{ m.content }}{{ mood }}]{% endfor %}"
        self.assertEqual(self.model.render("hi", template=template, variables={"mood": "!"}), "[hi!]")
        self.assertTrue(self.model.render("hi", template="llama3").count("<|start_header_id|>") == 2)
        tools = [{"type": "function", "function": {"name": "f"}}]
        self.assertEqual(self.model.render("", template="{{ tools[0].function.name }}", tools=tools), "f")
        self.assertEqual(self.model.chat("2", template="{{ messages[0].content }}").prompt_ids, [17])

    def test_template_errors(self) -> None:
        with self.assertRaisesRegex(realizar.FormatError, "template:1:"):
            self.model.render("hi", template="{% if %}")
        with self.assertRaisesRegex(realizar.UsageError, "too hot"):
            self.model.render("hi", template="{{ raise_exception('too hot') }}")
        with self.assertRaisesRegex(realizar.UsageError, "nothere"):
            self.model.render("hi", template="nothere")
        with self.assertRaises(TypeError):
            self.model.chat([{"role": "user", "content": object()}])


if __name__ == "__main__":
    support.main()
