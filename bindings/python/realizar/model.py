# SPDX-License-Identifier: MIT
"""A model: opened once, used by any number of threads."""
from __future__ import annotations

import atexit
import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional, TypeVar, Union, overload
from weakref import WeakSet

from . import lowlevel
from ._closing import Closing
from ._handles import Engine, Session
from ._interrupt import interruptible
from .chat import Conversation, Messages, Tool
from .completions import ChatCompletions
from .errors import ClosedError, ContextLengthError
from .generation import Generation, asynchronous
from .info import MemoryUse, ModelInfo, describe
from .settings import Settings
from .vectors import FloatMatrix, FloatVector, matrix, vector

Prompt = Union[str, bytes, Sequence[int]]
"""A text, or the ids of its tokens."""

Running = TypeVar("Running", Generation, Session)
_KV_TYPES = {"f16": 0, "f32": 1, "q8_0": 2}
_open_models: WeakSet[Model] = WeakSet()


class Model(ChatCompletions, Closing):
    """A loaded model. Close it, or use it in a `with` block; what it computes then is stopped.

    path     a GGUF, SafeTensors or .apr file, any shard of a set, a Hugging Face folder, or "demo"
    ctx      positions that a text may have, prompt included; None: what the model was made for
    threads  CPU threads; None: the physical cores that this process may use
    device   "auto": a GPU where the model fits, else the CPU; "cpu"; "cuda", "cuda:1"; "reference"
    kv_type  how keys and values are kept: "f16", "f32" or "q8_0"
    mmap     compute from the file's own layout: less memory is written, slower
    lenient  accept files that break a rule but can be read safely; warnings go to the log
    verify   check every checksum first
    """

    def __init__(
        self,
        path: Union[str, os.PathLike[str]],
        *,
        ctx: Optional[int] = None,
        threads: Optional[int] = None,
        device: str = "auto",
        kv_type: str = "f16",
        mmap: bool = False,
        lenient: bool = False,
        verify: bool = False,
    ) -> None:
        options = _device_options(device)
        if kv_type not in _KV_TYPES:
            raise ValueError(f"kv_type is {kv_type!r}, it can be one of {', '.join(_KV_TYPES)}")
        options.update(
            context=_positive("ctx", ctx),
            threads=_positive("threads", threads),
            kv_type=_KV_TYPES[kv_type],
            keep_mapping=mmap,
            lenient=lenient,
            verify=verify,
        )
        self._lock = threading.RLock()
        self._running: WeakSet[Union[Generation, Session]] = WeakSet()
        self._engine: Optional[Engine] = None
        name = os.fspath(path)
        self._engine = Engine(interruptible(lambda: _open(name, options), lambda: None))
        with self._engine.use() as engine:
            self._info = describe(engine, name)
        _open_models.add(self)

    @classmethod
    def demo(cls, *, ctx: Optional[int] = None, threads: Optional[int] = None) -> Model:
        """The tiny model inside the library: a few sums, capitals and stories, for trying things out."""
        return cls("demo", ctx=ctx, threads=threads)

    def __del__(self) -> None:
        if hasattr(self, "_engine"):
            self.close()

    def __repr__(self) -> str:
        state = "closed" if self._engine is None else self._info.device
        return f"<realizar.Model {self._info.path!r}, {state}>"

    def close(self) -> None:
        """Stop what is generated and give the memory back. Everything but close() then raises ClosedError."""
        with self._lock:
            engine, self._engine = self._engine, None
            running = list(self._running)
        for r in running:
            r._abandon()
        if engine is not None:
            engine.retire()

    def cancel(self) -> None:
        """Stop everything that is computed now, from any thread; the model stays open."""
        with self._lock:
            running = list(self._running)
        for r in running:
            r.cancel()

    @property
    def info(self) -> ModelInfo:
        """Facts of the model and of what it runs on."""
        return self._info

    @property
    def memory(self) -> MemoryUse:
        """Bytes in use now."""
        with self._opened().use() as engine:
            return MemoryUse(**lowlevel.realizar_engine_memory(engine))

    def tokenize(self, text: Union[str, bytes], *, special: bool = True, bos: bool = True) -> list[int]:
        """Token ids of a text.

        special  special tokens written in the text become their ids; else they are only text
        bos      put the beginning-of-text token where the model asks for it
        """
        flags = (lowlevel.REALIZAR_ENCODE_SPECIAL if special else 0) | (
            lowlevel.REALIZAR_ENCODE_BOS if bos else 0
        )
        with self._opened().use() as engine:
            return lowlevel.realizar_encode_text(engine, text, flags)

    def detokenize(self, ids: Sequence[int], *, special: bool = False) -> str:
        """The text of token ids; control tokens give none unless `special`."""
        return self.detokenize_bytes(ids, special=special).decode("utf-8", "replace")

    def detokenize_bytes(self, ids: Sequence[int], *, special: bool = False) -> bytes:
        """As detokenize(), before the decoding: tokens may split characters."""
        with self._opened().use() as engine:
            return lowlevel.decode(engine, ids, special)

    def generate(
        self,
        prompt: Prompt,
        *,
        max_tokens: Optional[int] = None,
        temperature: Optional[float] = None,
        top_k: Optional[int] = None,
        top_p: Optional[float] = None,
        min_p: Optional[float] = None,
        repeat_penalty: Optional[float] = None,
        frequency_penalty: Optional[float] = None,
        presence_penalty: Optional[float] = None,
        repeat_last_n: Optional[int] = None,
        seed: Optional[int] = None,
        stop: Union[None, str, Sequence[str]] = None,
        logit_bias: Optional[Mapping[int, float]] = None,
        ignore_eos: bool = False,
        show_special: bool = False,
        top_logprobs: int = 0,
    ) -> Generation:
        """Continue a text. It is taken as it is: chat() puts a question into the model's template.

        The keywords are those of Settings. ContextLengthError when the prompt does not fit the context.
        """
        settings = Settings.among(locals())
        return self._begin(self._ids(prompt), settings)

    def chat(
        self,
        messages: Messages,
        *,
        tools: Optional[Sequence[Tool]] = None,
        variables: Optional[Mapping[str, Any]] = None,
        template: Optional[str] = None,
        max_tokens: Optional[int] = None,
        temperature: Optional[float] = None,
        top_k: Optional[int] = None,
        top_p: Optional[float] = None,
        min_p: Optional[float] = None,
        repeat_penalty: Optional[float] = None,
        frequency_penalty: Optional[float] = None,
        presence_penalty: Optional[float] = None,
        repeat_last_n: Optional[int] = None,
        seed: Optional[int] = None,
        stop: Union[None, str, Sequence[str]] = None,
        logit_bias: Optional[Mapping[int, float]] = None,
        ignore_eos: bool = False,
        show_special: bool = False,
        top_logprobs: int = 0,
    ) -> Generation:
        """Answer a conversation, put into the model's chat template.

        messages   [{"role": "user", "content": "..."}, ...], or one question as a str
        tools      descriptions of tools, for templates that know them; calls come as text of the answer
        variables  further variables of the template, such as {"enable_thinking": False}
        template   another template than the model's: the name of a built-in one, or Jinja text

        The other keywords are those of Settings. Text in messages never becomes a special token.
        """
        settings = Settings.among(locals())
        return self._answer(Conversation(messages, tools, variables, template), settings)

    agenerate = asynchronous(generate)
    achat = asynchronous(chat)

    def render(
        self,
        messages: Messages,
        *,
        tools: Optional[Sequence[Tool]] = None,
        variables: Optional[Mapping[str, Any]] = None,
        template: Optional[str] = None,
        add_generation_prompt: bool = True,
    ) -> str:
        """The text of the prompt that chat() would make, for looking at."""
        conversation = Conversation(messages, tools, variables, template, add_generation_prompt)
        with self._opened().use() as engine:
            return conversation.render(engine)

    @overload
    def embed(self, text: str) -> FloatVector: ...
    @overload
    def embed(self, text: Union[list[str], tuple[str, ...]]) -> FloatMatrix: ...
    def embed(self, text: Union[str, list[str], tuple[str, ...]]) -> Union[FloatVector, FloatMatrix]:
        """Embeddings: the mean over a text's tokens of the final norm's output, scaled to length 1.

        One vector of info.hidden_size floats for a str, a row for each text of a list.
        """
        if isinstance(text, str):
            return vector(self._embed(text))
        return matrix([self._embed(t) for t in text], self._info.hidden_size)

    def score(self, prompt: Prompt) -> FloatVector:
        """How likely each token is after those before it: natural logarithms, one less than there are tokens."""
        ids = self._ids(prompt)
        return vector(self._evaluate(ids, lambda session: lowlevel.realizar_score(session, ids)))

    def logits(self, prompt: Prompt) -> FloatVector:
        """Logits of the token after the prompt, info.vocab_size of them; a copy."""
        ids = self._ids(prompt)

        def last(session: lowlevel.realizar_session) -> bytearray:
            lowlevel.realizar_session_sync(session, ids)
            return lowlevel.realizar_session_logits(session) or bytearray()

        return vector(self._evaluate(ids, last))

    def all_logits(self, prompt: Prompt) -> FloatMatrix:
        """Logits after every token of the prompt, a row each."""
        ids = self._ids(prompt)
        data = self._evaluate(ids, lambda session: lowlevel.step_logits(session, ids))
        return matrix([data], self._info.vocab_size)

    def _opened(self) -> Engine:
        engine = self._engine
        if engine is None:
            raise ClosedError("the model is closed")
        return engine

    def _ids(self, prompt: Prompt) -> list[int]:
        return self.tokenize(prompt) if isinstance(prompt, (str, bytes)) else list(prompt)

    def _fits(self, ids: list[int]) -> list[int]:
        n, most = len(ids), self._info.context
        if n > most:
            raise ContextLengthError(f"the prompt has {n} tokens, the context only {most} positions", n, most)
        return ids

    def _begin(self, ids: list[int], settings: Settings) -> Generation:
        return self._watched(Generation(self, self._opened(), self._fits(ids), settings))

    def _answer(self, conversation: Conversation, settings: Settings) -> Generation:
        with self._opened().use() as engine:
            ids = conversation.encode(engine)
        return self._begin(ids, settings)

    def _embed(self, text: str) -> bytearray:
        ids = self.tokenize(text, special=False)
        return self._evaluate(ids, lambda session: lowlevel.realizar_embed(session, ids))

    def _evaluate(self, ids: list[int], work: Callable[[lowlevel.realizar_session], bytearray]) -> bytearray:
        session = self._watched(Session(self._opened(), len(self._fits(ids))))
        try:
            return session.compute(work)
        finally:
            session.close()

    def _watched(self, running: Running) -> Running:
        """Have close() and cancel() know of something that computes."""
        with self._lock:
            self._running.add(running)
            closed = self._engine is None
        if closed:  # by another thread, since the engine was looked up
            running._abandon()
        return running


def _open(path: str, options: Mapping[str, object]) -> lowlevel.realizar_engine:
    if path == "demo":
        return lowlevel.realizar_engine_open_demo(options)
    return lowlevel.realizar_engine_open(path, options)


def _device_options(device: str) -> dict[str, object]:
    """Fields of realizar_engine_options for "auto", "cpu", "cuda:1"..."""
    found = re.fullmatch(r"(auto|cpu|reference)|(?:cuda|gpu)(?::(\d+))?", device)
    if found is None:
        raise ValueError(f"device is {device!r}, it can be auto, cpu, cuda, cuda:N or reference")
    if found[1] == "auto":
        return {}
    return {"backend": found[1] or "cuda", "device": int(found[2] or 0)}


def _positive(name: str, value: Optional[int]) -> int:
    """A number as the C options have it, where 0 is the default."""
    if value is not None and value < 1:
        raise ValueError(f"{name} is {value}, it must be positive")
    return value or 0


@atexit.register
def _close_all() -> None:
    """At the interpreter's end nothing computes any more, and no destructor runs half-way through it."""
    for model in list(_open_models):
        model.close()
