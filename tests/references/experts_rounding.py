#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How far rounding alone takes a mixture of experts of Q4_K weights from the exact result: the bound of tests/kernels/cuda.c.

    experts_rounding.py [DRAWS]

Inputs and weights are drawn as that test draws them: rows of normal numbers, three of them thirty times as large, and blocks
of random bytes. Rows are rounded to 16 bits per 32 columns, as the GPU's kernels for single rows do; all else is in double.
Printed: the largest error over max(1, rms), of the first products and of the whole, with numpy 2.4, 1,200 draws:
single products at most 4.9e-4; experts median 1.3e-4, 99 % 1.1e-3, at most 2.4e-3.
"""
import sys

import numpy as np

COLS, FF, USED, OUTLIERS = 512, 256, 3, 3
random = np.random.default_rng(2)


def rounded(x):
    groups = x.reshape(-1, 32)
    step = np.abs(groups).max(axis=1, keepdims=True) / 32512
    return (np.rint(groups / np.where(step > 0, step, 1)) * step).reshape(-1)


def q4_k(rows, cols):
    """Scaled numbers and minima of random blocks, the first row of length 1."""
    shape = (rows, cols // 32, 1)
    scales, minima = random.integers(0, 64, shape), random.integers(0, 64, shape)
    numbers = (scales * random.integers(0, 16, (rows, cols // 32, 32))).reshape(rows, cols).astype(float)
    minima = np.repeat(minima, 32, axis=2).reshape(rows, cols).astype(float)
    factor = 1 / np.sqrt(((numbers[0] - minima[0]) ** 2).sum())
    return numbers * factor, minima * factor


def product(weight, x, exact):
    """Minima meet the sums of the row as it was."""
    numbers, minima = weight
    return numbers @ (x if exact else rounded(x)) - minima @ x


def error(got, want):
    return np.abs(got - want).max() / max(1, np.sqrt((want * want).mean()))


def draw():
    x = random.normal(size=COLS)
    for _ in range(OUTLIERS):
        x[random.integers(COLS)] *= 30
    shares = random.random(USED)
    shares /= shares.sum()
    singles, sums = [], [np.zeros(COLS), np.zeros(COLS)]
    for share in shares:
        gate, up, down = q4_k(FF, COLS), q4_k(FF, COLS), q4_k(COLS, FF)
        gates = [product(gate, x, exact) for exact in (False, True)]
        singles.append(error(*gates))
        for i, exact in enumerate((False, True)):
            inner = gates[i] / (1 + np.exp(-gates[i])) * product(up, x, exact)
            sums[i] += share * product(down, inner, exact)
    return singles, error(*sums)


def main():
    draws = [draw() for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1200)]
    for name, values in (("single products", np.concatenate([d[0] for d in draws])), ("experts", np.array([d[1] for d in draws]))):
        print(f"{name}: median {np.median(values):.2e}, 99 % {np.quantile(values, 0.99):.2e}, most {values.max():.2e}, "
              f"over 1e-3: {(values > 1e-3).sum()} of {len(values)}")


main()
