# SPDX-License-Identifier: MIT
"""Conversations: from messages to the prompt that a model's chat template makes of them."""
from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

from . import lowlevel
from .errors import UsageError

Message = Mapping[str, Any]
"""{"role": "user", "content": "..."}, and whatever else the template reads."""

Messages = Union[str, Sequence[Message]]
"""A conversation, oldest message first; a text alone is one message of the user."""

Tool = Mapping[str, Any]
"""The description of a tool, as OpenAI and Hugging Face write it."""


class Conversation:
    """What a chat template is rendered with."""

    def __init__(
        self,
        messages: Messages,
        tools: Optional[Sequence[Tool]],
        variables: Optional[Mapping[str, Any]],
        template: Optional[str],
        add_generation_prompt: bool = True,
    ) -> None:
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        self._input: dict[str, object] = {
            "messages": json.dumps(list(messages)),
            "add_generation_prompt": add_generation_prompt,
            "now": int(time.time()),
        }
        if tools is not None:
            self._input["tools"] = json.dumps(list(tools))
        if variables is not None:
            self._input["variables"] = json.dumps(dict(variables))
        self._template = template

    def encode(self, engine: lowlevel.realizar_engine) -> list[int]:
        """Token ids of the prompt; nothing that stands in a message becomes a special token."""
        template = None if self._template is None else _compile(self._template)
        return lowlevel.realizar_encode_chat(engine, template, self._input)

    def render(self, engine: lowlevel.realizar_engine) -> str:
        """The prompt as text."""
        source = self._template or lowlevel.engine_chat_template(engine)
        if source is None:
            raise UsageError("the model has no chat template; give one as template=")
        return lowlevel.realizar_render_chat(_compile(source), lowlevel.engine_vocab(engine), self._input)


def _compile(template: str) -> lowlevel.realizar_template:
    """A template by the name of a built-in one, or from its source."""
    source = lowlevel.realizar_template_preset(template)
    if source is not None:
        return lowlevel.realizar_template_new(source, template)
    if "{" not in template:
        raise UsageError(f"there is no built-in chat template {template!r}, and it is no template's text")
    return lowlevel.realizar_template_new(template, "template")
