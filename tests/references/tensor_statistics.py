#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Record what numpy and scipy make of made-up values, for libapr's statistics of tensors: tensor_statistics.py > statistics.txt

Values are made by the rule below, exactly the same in tests/unit/apr/statistics.c. Made with numpy 2.x and scipy 1.17.1.
"""
import numpy as np
from scipy.stats import kurtosis, skew


def values(n, offset, bad):
    """A linear congruential generator's upper 24 bits as a fraction u; u^3 + offset, every `bad`-th NaN, inf or 0."""
    x = np.empty(n, np.float32)
    state = 12345
    for i in range(n):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        u = np.float32((state >> 40) / 2**24 - 0.5)
        x[i] = np.float32(np.float32(u * u) * u) + np.float32(offset)
        if bad and i % bad == 0:
            x[i] = [np.nan, np.inf, -np.inf, 0][i // bad % 4]
    return x


print("# n offset bad min max mean std skewness kurtosis l1 l2 nans infinities zeros")
for n, offset, bad in [(1, 0, 0), (7, 0, 0), (65536, 0, 0), (65537, 1000, 0), (200003, 0, 0), (200003, 4, 7), (1500, 0, 1)]:
    x = values(n, offset, bad)
    f = x[np.isfinite(x)].astype(np.float64)
    plain = f.std() > 0
    print(n, offset, bad, *(repr(float(v)) for v in (
        f.min(), f.max(), f.mean(), f.std(), skew(f) if plain else 0, kurtosis(f) if plain else 0, np.abs(f).sum(),
        np.sqrt((f * f).sum()))), np.isnan(x).sum(), np.isinf(x).sum(), (f == 0).sum())
