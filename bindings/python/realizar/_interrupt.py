# SPDX-License-Identifier: MIT
"""Ctrl-C during a long computation in C."""
from __future__ import annotations

import threading
from typing import Callable, TypeVar

T = TypeVar("T")


def interruptible(work: Callable[[], T], cancel: Callable[[], object]) -> T:
    """The result of work(), which may take long, so that Ctrl-C is obeyed at once.

    Python runs signal handlers between steps of the main thread's own code, so there work() is given to another
    thread. An exception of a handler calls cancel(), and is raised when work() has come to its end; a second one does
    not wait for that.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    done = threading.Event()
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=run, name="realizar", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # no more threads: better slow to stop than not at all
        return work()
    try:
        done.wait()
    except BaseException:
        cancel()
        done.wait()
        raise
    if errors:
        try:
            raise errors[0]
        finally:
            errors.clear()  # the exception's traceback refers to this list
    return results[0]
