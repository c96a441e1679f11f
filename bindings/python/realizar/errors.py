# SPDX-License-Identifier: MIT
"""What can go wrong: one class for each status of the C libraries, below RealizarError."""
from __future__ import annotations

from . import lowlevel


class RealizarError(Exception):
    """Any error of this package; `code` is the status of the C libraries."""

    code: int = -1

    @property
    def name(self) -> str:
        """The status's name in JSON and logs, such as "invalid_format"."""
        return lowlevel.trueno_status_name(self.code)


class InternalError(RealizarError):
    """A bug or an impossible state."""


class UsageError(RealizarError, ValueError):
    """A bad argument, or arguments that contradict each other."""

    code = -2


class ContextLengthError(UsageError):
    """The prompt does not fit the context; the message has both numbers. Nothing is ever cut."""

    def __init__(self, message: str, n_tokens: int = 0, context: int = 0) -> None:
        super().__init__(message)
        self.n_tokens = n_tokens
        self.context = context


class ClosedError(UsageError):
    """The model was closed, or belongs to the process that this one was forked from."""


class NotFoundError(RealizarError, FileNotFoundError):
    """A file was not found, or is not a file."""

    code = -3


class FormatError(RealizarError, ValueError):
    """The bytes of a file, or a chat template, break the rules of their format."""

    code = -4


class ContentError(RealizarError, ValueError):
    """Well-formed, but a check found the content wrong."""

    code = -5


class UnsupportedError(RealizarError):
    """Well-formed, but cannot be run here: an architecture, a weight type, a feature."""

    code = -6


class StorageError(RealizarError, OSError):
    """Reading or writing a file failed."""

    code = -7


class InferenceError(RealizarError):
    """A computation of the model failed."""

    code = -8


class DeviceError(RealizarError):
    """The device or feature that was asked for is not present."""

    code = -9


class NetworkError(RealizarError):
    """A download or a server failed."""

    code = -10


class CancelledError(RealizarError):
    """The computation was stopped by cancel() or close()."""

    code = -11


class OutOfMemoryError(RealizarError, MemoryError):
    """An allocation failed."""

    code = -12


_CLASSES: dict[int, type[RealizarError]] = {
    c.code: c
    for c in (
        InternalError,
        UsageError,
        NotFoundError,
        FormatError,
        ContentError,
        UnsupportedError,
        StorageError,
        InferenceError,
        DeviceError,
        NetworkError,
        CancelledError,
        OutOfMemoryError,
    )
}


def from_status(code: int, message: str) -> RealizarError:
    """The exception for a status of the C libraries; they call this."""
    return _CLASSES.get(code, InternalError)(message)
