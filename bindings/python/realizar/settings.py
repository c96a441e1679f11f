# SPDX-License-Identifier: MIT
"""How a text is generated: the settings that every generating call takes as keywords."""
from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Optional, Union


@dataclass(frozen=True)
class Settings:
    """Settings of one generation; None is the model's own default, else the library's.

    They act in the order bias, penalties, top_k, top_p, min_p, temperature.
    """

    max_tokens: Optional[int] = None
    """At most so many tokens; None: until the model ends its turn or the context is full."""
    temperature: Optional[float] = None
    """0 is always the most probable token. The library's default is 0.7."""
    top_k: Optional[int] = None
    """Only the k most probable tokens; 0: all. Default 40."""
    top_p: Optional[float] = None
    """Only the most probable tokens that together have this probability; 1: all. Default 0.95."""
    min_p: Optional[float] = None
    """Only tokens at least so probable relative to the most probable one; 0: all. Default 0.05."""
    repeat_penalty: Optional[float] = None
    """Logits of recent tokens are divided by this (negative ones multiplied); 1: off."""
    frequency_penalty: Optional[float] = None
    """Subtracted from a token's logit for each time that it came recently."""
    presence_penalty: Optional[float] = None
    """Subtracted from a token's logit when it came recently."""
    repeat_last_n: Optional[int] = None
    """How many tokens are "recent". Default 64."""
    seed: Optional[int] = None
    """The same seed, prompt and settings give the same text; None: a random one."""
    stop: Union[None, str, Sequence[str]] = None
    """The text ends before any of these."""
    logit_bias: Optional[Mapping[int, float]] = None
    """Added to the logits of these token ids; float("-inf") forbids a token."""
    ignore_eos: bool = False
    """Do not let the model end its turn."""
    show_special: bool = False
    """Control tokens appear in the text."""
    top_logprobs: int = 0
    """How many of the most probable tokens each piece tells of."""

    @classmethod
    def among(cls, keywords: Mapping[str, Any]) -> Settings:
        """The settings among the parameters of a call, which may have others too.

        Such a call writes out every field of this class as a parameter, for help() and for type checkers.
        """
        return cls(**{field.name: keywords[field.name] for field in fields(cls)})

    def chosen_seed(self) -> int:
        """The seed to use: the given one, or a random one."""
        return secrets.randbits(63) if self.seed is None else self.seed

    def options(self, seed: int) -> dict[str, object]:
        """The fields of realizar_generation_options."""
        result: dict[str, object] = {
            name: value for name in _NUMBERS if (value := getattr(self, name)) is not None
        }
        if self.max_tokens is not None and self.max_tokens < 1:
            raise ValueError(f"max_tokens is {self.max_tokens}, at least 1 is needed")
        if self.stop is not None:
            result["stops"] = [self.stop] if isinstance(self.stop, str) else list(self.stop)
        if self.logit_bias is not None:
            result["bias"] = dict(self.logit_bias)
        result.update(ignore_eos=self.ignore_eos, show_special=self.show_special, seed=seed)
        return result


_NUMBERS = (
    "max_tokens",
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "repeat_penalty",
    "frequency_penalty",
    "presence_penalty",
    "repeat_last_n",
)
