#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Record what the gguf package makes of blocks of every weight type: dequant.py OUT.bin

Blocks are random bytes (every quant and scale pattern occurs); their half-precision factors are finite, and the first
blocks of a type take the extremes: largest, smallest subnormal, zero, each sign. Little-endian, a record a type:
    u32 type, u32 n_blocks, u32 block bytes, u32 weights in a block, the blocks, u32 CRC-32 of each block's floats
Made with gguf 0.19 and numpy 2.4.
"""
import sys
import zlib

import gguf
import numpy as np

T = gguf.GGMLQuantizationType
# type: byte offsets of its half-precision factors
HALVES = {T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0], T.Q2_K: [80, 82], T.Q3_K: [108],
          T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208], T.IQ4_NL: [0], T.IQ4_XS: [0]}
EXTREMES = [0x7bff, 0xfbff, 0x0001, 0x8001, 0x03ff, 0x0400, 0x0000, 0x8000]
N_BLOCKS = 96


def blocks_of(kind, rng):
    weights, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (N_BLOCKS, size), dtype=np.uint8)
    for nth, offset in enumerate(HALVES[kind]):
        halves = blocks[:, offset:offset + 2].copy().view(np.uint16)[:, 0]
        halves = np.where(halves & 0x7c00 == 0x7c00, halves & 0xbfff, halves)
        for i, extreme in enumerate(EXTREMES):
            halves[i] = extreme
            halves[8 + i] = EXTREMES[(i + nth + i // 3) % 8]
        blocks[:, offset:offset + 2] = halves.astype(np.uint16)[:, None].view(np.uint8)
    return weights, blocks


def main():
    rng = np.random.default_rng(20)
    with open(sys.argv[1], "wb") as out:
        for kind in HALVES:
            weights, blocks = blocks_of(kind, rng)
            floats = gguf.quants.dequantize(blocks, kind).reshape(N_BLOCKS, weights)
            assert np.isfinite(floats).all()
            out.write(np.array([kind, N_BLOCKS, blocks.shape[1], weights], "<u4").tobytes())
            out.write(blocks.tobytes())
            out.write(np.array([zlib.crc32(row.tobytes()) for row in floats], "<u4").tobytes())


if __name__ == "__main__":
    main()
