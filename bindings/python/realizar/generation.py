# SPDX-License-Identifier: MIT
"""A text as it is generated: an iterator of pieces."""
from __future__ import annotations

import asyncio
import codecs
import functools
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Optional, ParamSpec

from . import lowlevel
from ._closing import Closing
from ._handles import Engine, Session
from .errors import CancelledError, ClosedError
from .settings import Settings


@dataclass(frozen=True)
class Candidate:
    """One of the most probable tokens at a place in the text."""

    id: int
    text: str
    log_probability: float
    """Natural logarithm, in the model's own distribution, before any setting."""
    probability: float
    """After the settings; 0 for a token that they cut."""


class Piece(str):
    """What one token added to the text, a str. It may be empty: a character or a stop text may still be open."""

    id: int
    """The token."""
    log_probability: float
    """Natural logarithm, in the model's own distribution, before any setting."""
    top: tuple[Candidate, ...]
    """The most probable tokens at this place, as many as top_logprobs asked for."""

    def __new__(
        cls, text: str, id: int, log_probability: float, top: tuple[Candidate, ...] = ()
    ) -> Piece:
        self = super().__new__(cls, text)
        self.id = id
        self.log_probability = log_probability
        self.top = top
        return self


@dataclass(frozen=True)
class Usage:
    """Tokens counted."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    """Of the prompt's tokens, those that were not computed again."""

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True)
class Timings:
    """Measured times of one generation, in milliseconds."""

    prompt_ms: float
    """Computing the prompt."""
    first_token_ms: float
    """From the start to the first token."""
    decode_ms: float
    """From the first token to the last."""


class Generation(Iterator[Piece], Closing):
    """A text under way. Made by Model.generate() and Model.chat(); the prompt is computed with the first piece.

    Iterate over it for the pieces as they come, or ask for `text`, which runs it to its end. close(), the end of a
    `with` block and leaving it to be collected stop it; cancel() does so from any thread. Threads that share one get
    the pieces by turns.
    """

    def __init__(self, model: object, engine: Engine, prompt_ids: list[int], settings: Settings) -> None:
        self.prompt_ids = prompt_ids
        """The token ids of the prompt."""
        self.seed = settings.chosen_seed()
        """The seed in use."""
        self.ids: list[int] = []
        """The tokens so far, the end-of-turn token included when it came."""
        self.finish_reason: Optional[str] = None
        """None while it runs, then "stop", "length", "stop_text", "cancelled" or "error"."""
        self._model = model  # lives as long as this, lest it be collected and closed
        self._engine = engine
        self._settings = settings
        self._options = settings.options(self.seed)
        self._pieces: list[str] = []
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._timings: Optional[dict[str, Any]] = None
        self._generation: Optional[lowlevel.realizar_generation] = None
        self._reason: Optional[str] = None
        self._abandoned = False
        self._lock = threading.RLock()
        self._token = object()
        self._session: Optional[Session] = engine.session(self._token)

    def __iter__(self) -> Generation:
        return self

    def __next__(self) -> Piece:
        with self._lock:
            session = self._session
            if session is None and self._abandoned:
                raise ClosedError("the model was closed before the text had ended")
            if session is None:
                raise StopIteration
            try:
                return self._next(session)
            except StopIteration:
                raise
            except BaseException as error:
                self._finish("cancelled" if _is_stop(error) else "error")
                raise

    def __del__(self) -> None:
        if hasattr(self, "_session"):
            self.close()

    def cancel(self) -> None:
        """Stop it from any thread: whoever waits for a piece gets CancelledError, within a layer of the model."""
        session = self._session
        if session is not None:
            session.cancel(self._token)

    def close(self) -> None:
        """Stop it. Iterating on then ends at once."""
        self._stop()

    def _abandon(self) -> None:
        """The model was closed: stop, and iterating on raises ClosedError."""
        self._stop(abandoned=True)

    def _stop(self, abandoned: bool = False) -> None:
        if not self._lock.acquire(blocking=False):  # a thread computes
            self.cancel()
            self._lock.acquire()
        try:
            if self._session is not None:
                self._abandoned = abandoned
                self._finish("cancelled")
        finally:
            self._lock.release()

    @property
    def text(self) -> str:
        """The whole text; computes what is left of it."""
        for _ in self:
            pass
        return "".join(self._pieces)

    @property
    def usage(self) -> Usage:
        """Tokens of the prompt and of the text so far."""
        cached = self._timings["reused_tokens"] if self._timings is not None else 0
        return Usage(len(self.prompt_ids), len(self.ids), cached)

    @property
    def timings(self) -> Timings:
        """Measured times so far."""
        t = self._timings or {}
        return Timings(*(t.get(name, 0.0) for name in ("prompt_ms", "first_token_ms", "decode_ms")))

    def _next(self, session: Session) -> Piece:
        if self._generation is None:
            self._generation = session.start(self.prompt_ids, self._options)
        piece = session.compute(self._step, long=False)
        if piece is None:
            self._finish(None)
            raise StopIteration
        if self._reason is not None:
            self._finish(self._reason)
        return piece

    def _step(self, _: lowlevel.realizar_session) -> Optional[Piece]:
        """One token. Everything that needs the C objects happens here, where they cannot be freed."""
        generation = self._generation
        assert generation is not None
        step = lowlevel.realizar_generation_next(generation)
        if step is None:
            return None
        data, id, log_probability = step
        finish = lowlevel.realizar_generation_finish(generation)
        text = self._decoder.decode(data, finish != 0)
        self._reason = lowlevel.realizar_finish_name(finish) if finish != 0 else None
        self._timings = lowlevel.realizar_generation_timings(generation)
        self.ids.append(id)
        self._pieces.append(text)
        return Piece(text, id, log_probability, self._top(generation))

    def _top(self, generation: lowlevel.realizar_generation) -> tuple[Candidate, ...]:
        n = self._settings.top_logprobs
        if n == 0:
            return ()
        with self._engine.use() as engine:
            return tuple(
                Candidate(id, lowlevel.decode(engine, [id], True).decode("utf-8", "replace"), log, p)
                for id, log, p in lowlevel.realizar_generation_top(generation, n)
            )

    def _finish(self, reason: Optional[str]) -> None:
        session, self._session = self._session, None
        self._generation = None
        if reason is not None and self.finish_reason is None:
            self.finish_reason = reason
        if session is not None:
            session.finish()


def _is_stop(error: BaseException) -> bool:
    return isinstance(error, CancelledError) or not isinstance(error, Exception)


P = ParamSpec("P")


def asynchronous(method: Callable[P, Generation]) -> Callable[P, AsyncGeneration]:
    """The asyncio form of a method that makes a Generation."""

    @functools.wraps(method)
    def begin(*args: P.args, **kwargs: P.kwargs) -> AsyncGeneration:
        return AsyncGeneration(lambda: method(*args, **kwargs))

    begin.__doc__ = f"As {method.__name__}(), for asyncio; the prompt too is read in another thread."
    return begin


class AsyncGeneration(AsyncIterator[Piece]):
    """A Generation for asyncio: pieces are computed in other threads while the event loop goes on.

    Cancelling the task that waits for a piece stops the computation.
    """

    def __init__(self, make: Callable[[], Generation]) -> None:
        self._make = make
        self._generation: Optional[Generation] = None
        self._stopped = False

    def __aiter__(self) -> AsyncGeneration:
        return self

    async def __anext__(self) -> Piece:
        try:
            piece = await asyncio.to_thread(self._step)
        except asyncio.CancelledError:
            self.cancel()
            raise
        if piece is None:
            raise StopAsyncIteration
        return piece

    def _step(self) -> Optional[Piece]:
        if self._generation is None:
            self._generation = self._make()
        if self._stopped:
            self._generation.close()
        return next(self._generation, None)

    async def text(self) -> str:
        """The whole text; computes what is left of it."""
        async for _ in self:
            pass
        return self.generation.text

    @property
    def generation(self) -> Generation:
        """The generation inside: ids, usage, finish_reason; RuntimeError before the first piece."""
        if self._generation is None:
            raise RuntimeError("nothing was generated yet")
        return self._generation

    def cancel(self) -> None:
        """Stop it, from any thread."""
        self._stopped = True
        if self._generation is not None:
            self._generation.cancel()

    async def aclose(self) -> None:
        """Stop it and give its memory back."""
        self._stopped = True
        if self._generation is not None:
            await asyncio.to_thread(self._generation.close)
