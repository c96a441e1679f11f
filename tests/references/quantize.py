#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Record what other quantisers make of known floats: quantize.py BLOCKS.bin ERRORS.txt LIBGGML_BASE.so

BLOCKS.bin, from the gguf package, whose simple types round as the reference does (little-endian):
    u32 n, n floats, then for each type: u32 type, u32 bytes, the blocks
ERRORS.txt, from ggml's own quantisers: "type importance error", the weighted root mean square error of the values that
random_weights() makes, relative to their own; importance 0 or 1 says whether importance() weighted it.
Made with gguf 0.19, numpy 2.4 and the ggml that llama-cpp-python 0.3.36 vendors.
"""
import ctypes
import sys

import gguf
import numpy as np

T = gguf.GGMLQuantizationType
SIMPLE = [T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0]
SEARCHED = [T.Q2_K, T.Q3_K, T.Q4_K, T.Q5_K, T.Q6_K, T.IQ4_NL, T.IQ4_XS]
ROWS, COLS = 64, 1024


def known_floats():
    rng = np.random.default_rng(21)
    normal = rng.standard_normal((64, 32)) * np.exp(rng.normal(0, 2, (64, 1)))
    tiny = rng.standard_normal((16, 32)) * 1e-7  # factors become subnormal halves
    grid = rng.integers(-8, 9, (32, 32)) / 4  # ties
    constant = np.repeat(rng.standard_normal((8, 1)), 32, axis=1)
    one_sided = np.abs(rng.standard_normal((8, 32)))
    floats = np.concatenate([normal, tiny, grid, constant, one_sided, -one_sided, np.zeros((1, 32))])
    return floats.astype(np.float32)


def uniforms(seed, n):
    """splitmix64 as a counter: n doubles of [0, 1) with 53 bits."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9e3779b97f4a7c15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xbf58476d1ce4e5b9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94d049bb133111eb)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


def random_weights():
    """Sums of twelve uniforms: nearly normal, and the same bits from any language."""
    u = uniforms(1, 12 * ROWS * COLS).reshape(-1, 12)
    total = np.zeros(len(u))
    for k in range(12):
        total += u[:, k]
    return (total - 6).astype(np.float32).reshape(ROWS, COLS)


def importance():
    u = uniforms(2, COLS)
    return (0.05 + 4 * u * u * u).astype(np.float32)


def ggml_error(lib, kind, x, weights):
    block, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = np.zeros(x.size // block * size, np.uint8)
    lib.ggml_quantize_chunk(ctypes.c_int(kind), x.ctypes.data_as(ctypes.c_void_p),
                            blocks.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(0), ctypes.c_int64(ROWS),
                            ctypes.c_int64(COLS), None if weights is None else weights.ctypes.data_as(ctypes.c_void_p))
    error = gguf.quants.dequantize(blocks, kind).reshape(x.shape).astype(np.float64) - x
    w = np.ones(COLS) if weights is None else weights.astype(np.float64)
    return np.sqrt((w * error * error).sum() / (w * x.astype(np.float64)**2).sum())


def main():
    floats = known_floats()
    with open(sys.argv[1], "wb") as out:
        out.write(np.array([floats.size], "<u4").tobytes() + floats.tobytes())
        for kind in SIMPLE:
            blocks = gguf.quants.quantize(floats, kind).tobytes()
            out.write(np.array([kind, len(blocks)], "<u4").tobytes() + blocks)
    lib = ctypes.CDLL(sys.argv[3])
    x = random_weights()
    with open(sys.argv[2], "w") as out:
        for kind in SIMPLE + SEARCHED:
            for weights in (None, importance()):
                out.write(f"{kind.name} {int(weights is not None)} {ggml_error(lib, kind, x, weights):.6e}\n")


if __name__ == "__main__":
    main()
