# SPDX-License-Identifier: MIT
"""Arrays of floats: numpy's where it is installed, else Python's own."""
from __future__ import annotations

import array
import functools
import importlib
from collections.abc import Iterator
from typing import Any, Protocol, overload


class FloatVector(Protocol):
    """Numbers in 32 bits: a numpy.ndarray of float32, or an array.array("f") where numpy is not installed."""

    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, index: int) -> float: ...
    @overload
    def __getitem__(self, index: slice) -> FloatVector: ...
    def __iter__(self) -> Iterator[float]: ...
    def tolist(self) -> list[float]: ...


class FloatMatrix(Protocol):
    """Rows of numbers: a numpy.ndarray of two dimensions, or a list of array.array("f")."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> FloatVector: ...
    def __iter__(self) -> Iterator[FloatVector]: ...


@functools.lru_cache(maxsize=None)
def _numpy() -> Any:
    try:
        return importlib.import_module("numpy")
    except ImportError:
        return None


def vector(data: bytearray) -> FloatVector:
    """The floats in `data`, which nobody else changes any more."""
    numpy = _numpy()
    floats: FloatVector = array.array("f", bytes(data)) if numpy is None else numpy.frombuffer(data, numpy.float32)
    return floats


def matrix(rows: list[bytearray], width: int) -> FloatMatrix:
    """Rows of `width` floats; an item of the list may hold several."""
    numpy = _numpy()
    if numpy is not None:
        joined: FloatMatrix = numpy.frombuffer(bytearray().join(rows), numpy.float32).reshape(-1, width)
        return joined
    views = [memoryview(data).cast("f") for data in rows]
    return [array.array("f", v[i : i + width].tobytes()) for v in views for i in range(0, len(v), width)]
