# SPDX-License-Identifier: MIT
"""What is known of a loaded model."""
from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from . import lowlevel


@dataclass(frozen=True)
class ModelInfo:
    """Facts of a loaded model and of what it runs on."""

    path: str
    """As it was given."""
    format: str
    """"GGUF v3", "SafeTensors" or "APR"."""
    name: str
    """The model's own name; may be empty."""
    architecture: str
    """"qwen2", "llama"..."""
    parameters: int
    """Weights in all tensors."""
    size_bytes: int
    """Bytes of all files."""
    tensor_types: Mapping[str, int]
    """How many tensors there are of each type."""
    context: int
    """Positions that a text may have here, prompt included."""
    max_context: int
    """Positions that the model was made for."""
    vocab_size: int
    hidden_size: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    backend: str
    """"cpu", "cuda" or "reference"."""
    device: str
    """"avx512-vnni, 2 threads"..."""
    chat_template: Optional[str]
    metadata: Mapping[str, Any]
    """Every key of the file, with arrays over 16 elements as {"type", "count"}."""


@dataclass(frozen=True)
class MemoryUse:
    """Bytes in use now, of the backend's own allocations."""

    weights: int
    kv: int
    """Keys and values of all sessions."""
    activations: int
    device_total: int
    """Of a GPU; 0 on the CPU."""
    device_free: int


def describe(engine: lowlevel.realizar_engine, path: str) -> ModelInfo:
    """The facts of an engine that was opened from `path`."""
    file = json.loads(lowlevel.apr_inspect_json(lowlevel.realizar_engine_model(engine), False))
    metadata = file["metadata"]
    return ModelInfo(
        path=path,
        format=file["format"],
        name=metadata.get("name", ""),
        architecture=metadata["architecture"],
        parameters=file["parameters"],
        size_bytes=file["size_bytes"],
        tensor_types=file["tensor_types"],
        context=lowlevel.realizar_engine_context(engine),
        max_context=metadata.get("max_position_embeddings", 0),
        vocab_size=lowlevel.realizar_engine_vocab_size(engine),
        hidden_size=lowlevel.realizar_engine_hidden_size(engine),
        n_layers=metadata["num_layers"],
        n_heads=metadata["num_heads"],
        n_kv_heads=metadata["num_kv_heads"],
        backend=lowlevel.realizar_engine_backend(engine),
        device=lowlevel.realizar_engine_device(engine),
        chat_template=metadata.get("chat_template"),
        metadata=metadata,
    )
