# SPDX-License-Identifier: MIT
"""Lifetimes of the C objects: nothing is used after it was freed, or freed while a thread computes with it.

An engine is freed when its model was closed and its last user is gone, whichever comes later; a session when it was
closed and no computation uses it. The session of the last text is kept, so that a prompt that begins like it is
computed from where they part. What was made before a fork is only forgotten in the child, where the engine's
threads do not exist. Locks are taken for moments only and may be taken again by a signal handler.
"""
from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import Callable, Iterator, Optional, TypeVar, Union

from . import lowlevel
from ._interrupt import interruptible
from .errors import CancelledError, ClosedError

T = TypeVar("T")
Handle = Union[lowlevel.realizar_engine, lowlevel.realizar_session, lowlevel.realizar_generation]


class Engine:
    """A loaded model, counted: it begins with one user."""

    def __init__(self, handle: lowlevel.realizar_engine) -> None:
        self._handle: Optional[lowlevel.realizar_engine] = handle
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._users = 1
        self._idle: Optional[Session] = None
        self._retired = False

    @property
    def inherited(self) -> bool:
        """True in a process that was forked after the engine was opened."""
        return os.getpid() != self._process

    def retain(self) -> lowlevel.realizar_engine:
        """The C object, with one more user; ClosedError when it is gone."""
        if self.inherited:
            raise ClosedError("the model was opened before this process was forked; open it again here")
        with self._lock:
            if self._handle is None:
                raise ClosedError("the model is closed")
            self._users += 1
            return self._handle

    def release(self) -> None:
        """One user less; the last one frees the engine."""
        if self.inherited:
            self.dispose(self._handle)
            return
        with self._lock:
            self._users -= 1
            if self._users > 0:
                return
            handle, self._handle = self._handle, None
        self.dispose(handle)

    @contextmanager
    def use(self) -> Iterator[lowlevel.realizar_engine]:
        """The C object, for a while."""
        handle = self.retain()
        try:
            yield handle
        finally:
            self.release()

    def session(self, owner: object) -> Session:
        """A session for a text: the one that is kept, or a new one. Only `owner` can cancel it."""
        with self._lock:
            session, self._idle = self._idle, None
        if session is None:
            session = Session(self)
        session.owner = owner
        return session

    def keep(self, session: Session) -> None:
        """Keep a session for the next text, in place of the one kept before."""
        with self._lock:
            if not self._retired:
                before, self._idle = self._idle, session
            else:
                before = session
        if before is not None:
            before.close()

    def retire(self) -> None:
        """The model was closed: keep nothing any more, and be its user no longer."""
        with self._lock:
            self._retired = True
            session, self._idle = self._idle, None
        if session is not None:
            session.close()
        self.release()

    def dispose(self, handle: Optional[Handle]) -> None:
        """Free a C object that belongs to this engine, or forget it in a forked process."""
        if handle is None:
            return
        if self.inherited:
            handle.this.disown()
        else:
            handle.__swig_destroy__(handle)


class Session:
    """A timeline over an engine, which it retains, and the generation that runs on it."""

    def __init__(self, engine: Engine, context: int = 0) -> None:
        self._engine = engine
        self._lock = threading.RLock()
        self._busy = 0
        self._cancelled = False
        self._closed = True
        self._generation: Optional[lowlevel.realizar_generation] = None
        self.owner: object = None
        handle = engine.retain()
        try:
            self._handle = lowlevel.realizar_session_new(handle, context)
            self._closed = False
        except BaseException:
            engine.release()
            raise

    def __del__(self) -> None:
        self.close()

    def compute(self, work: Callable[[lowlevel.realizar_session], T], long: bool = True) -> T:
        """The result of work(handle). cancel() ends it within a layer; Ctrl-C too when it may take `long`."""
        with self._lock:
            if self._engine.inherited or self._closed:
                raise ClosedError("the model is closed, or was opened before this process was forked")
            if self._cancelled:
                raise CancelledError("cancelled")
            self._busy += 1

        def run() -> T:
            try:
                return work(self._handle)
            finally:
                self._leave()

        owner = self.owner
        return interruptible(run, lambda: self.cancel(owner)) if long else run()

    def start(self, ids: list[int], options: dict[str, object]) -> lowlevel.realizar_generation:
        """Compute a prompt and begin a generation, which is freed with this session."""

        def work(session: lowlevel.realizar_session) -> lowlevel.realizar_generation:
            self._generation = lowlevel.realizar_generation_start(session, ids, options)
            return self._generation

        return self.compute(work)

    def cancel(self, owner: object = None) -> None:
        """Stop what is computed now, and whatever is asked for later, for whom the session still belongs to.

        Any thread, and signal handlers.
        """
        with self._lock:
            if self.owner is not owner:
                return
            self._cancelled = True
            if not self._closed and not self._engine.inherited:
                lowlevel.realizar_session_cancel(self._handle)

    def finish(self) -> None:
        """The text has ended: keep the session for the next one, unless that was cancelled."""
        with self._lock:
            usable = not (self._busy or self._cancelled or self._closed or self._engine.inherited)
            if usable:
                self.owner = None
                generation, self._generation = self._generation, None
                self._engine.dispose(generation)
        if usable:
            self._engine.keep(self)
        else:
            self.close()

    def close(self) -> None:
        """Free the session, or have the thread that computes with it do so soon."""
        self.cancel(self.owner)
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._busy > 0:
                return
        self._free()

    _abandon = close

    def _leave(self) -> None:
        with self._lock:
            self._busy -= 1
            if self._busy > 0 or not self._closed:
                return
        self._free()

    def _free(self) -> None:
        generation, self._generation = self._generation, None
        self._engine.dispose(generation)
        self._engine.dispose(self._handle)
        self._engine.release()
