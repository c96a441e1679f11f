#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Record what the gguf package makes of every tensor of a model: tensor_crcs.py MODEL.gguf OUT.txt

One line a tensor in the file's order: name, type, CRC-32 of its values as floats. Made with gguf 0.19 and numpy 2.4.
"""
import sys
import zlib

import gguf
import numpy as np

ROWS = 4096  # a piece


def main():
    with open(sys.argv[2], "w") as out:
        for tensor in gguf.GGUFReader(sys.argv[1]).tensors:
            crc = 0
            rows = tensor.data if tensor.data.ndim > 1 else tensor.data[None, :]
            for first in range(0, len(rows), ROWS):
                values = gguf.quants.dequantize(rows[first:first + ROWS], tensor.tensor_type)
                crc = zlib.crc32(np.ascontiguousarray(values, np.float32).tobytes(), crc)
            out.write(f"{tensor.name} {tensor.tensor_type.name} {crc:08x}\n")


if __name__ == "__main__":
    main()
