# SPDX-License-Identifier: MIT
"""What ends with a `with` block."""
from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Optional, TypeVar

T = TypeVar("T", bound="Closing")


class Closing(ABC):
    """Something whose close() the end of a `with` block calls."""

    @abstractmethod
    def close(self) -> None:
        """Stop what it computes and give back what it holds."""

    def __enter__(self: T) -> T:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()
