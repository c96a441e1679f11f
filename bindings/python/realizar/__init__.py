# SPDX-License-Identifier: MIT
"""Local language models.

    import realizar

    with realizar.Model("model.gguf") as model:
        for piece in model.generate("Once upon a time", max_tokens=64):
            print(piece, end="", flush=True)
        print(model.chat([{"role": "user", "content": "What is 2+2?"}]).text)

A Model may be used by any number of threads at once. Computing lets other Python threads run.
"""
from . import lowlevel
from ._log import logger
from .completions import ChatCompletion, ChatCompletionChunk
from .errors import (
    CancelledError,
    ClosedError,
    ContentError,
    ContextLengthError,
    DeviceError,
    FormatError,
    InferenceError,
    InternalError,
    NetworkError,
    NotFoundError,
    OutOfMemoryError,
    RealizarError,
    StorageError,
    UnsupportedError,
    UsageError,
)
from .generation import AsyncGeneration, Candidate, Generation, Piece, Timings, Usage
from .info import MemoryUse, ModelInfo
from .model import Model
from .settings import Settings
from .vectors import FloatMatrix, FloatVector

__version__ = lowlevel.realizar_version()

__all__ = [
    "AsyncGeneration",
    "Candidate",
    "CancelledError",
    "ChatCompletion",
    "ChatCompletionChunk",
    "ClosedError",
    "ContentError",
    "ContextLengthError",
    "DeviceError",
    "FloatMatrix",
    "FloatVector",
    "FormatError",
    "Generation",
    "InferenceError",
    "InternalError",
    "MemoryUse",
    "Model",
    "ModelInfo",
    "NetworkError",
    "NotFoundError",
    "OutOfMemoryError",
    "Piece",
    "RealizarError",
    "Settings",
    "StorageError",
    "Timings",
    "UnsupportedError",
    "Usage",
    "UsageError",
    "__version__",
    "logger",
]
