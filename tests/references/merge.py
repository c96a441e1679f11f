#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Record what merging made-up matrices gives, for tests/unit/apr/merge.c: merge.py > merge.txt

An implementation of its own: numpy in double precision over whole matrices, TIES by sorting as Yadav et al. (2023) describe.
Model k has the matrix B + 0.1 U(k), B = U(0) the base; U(k) are the upper 24 bits of a linear congruential generator.
"""
import numpy as np

N = 64


def uniform(seed):
    x, state = np.empty(N, np.float32), seed * 1000 + 1
    for i in range(N):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        x[i] = np.float32((state >> 40) / 2**24 - 0.5)
    return x


base = uniform(0)
models = [(base + np.float32(0.1) * uniform(k)).astype(np.float32) for k in (1, 2, 3)]
apart = [uniform(k + 10) for k in (1, 2)]


def weighted(xs, w):
    return np.average(np.array(xs, np.float64), axis=0, weights=w)


def slerp(x, y, t):
    x, y = x.astype(np.float64), y.astype(np.float64)
    dot = x @ y / np.linalg.norm(x) / np.linalg.norm(y)
    if abs(dot) > 0.9995:
        return (1 - t) * x + t * y
    angle = np.arccos(dot)
    return (np.sin((1 - t) * angle) * x + np.sin(t * angle) * y) / np.sin(angle)


def ties(xs, w, density, lam):
    deltas = np.array([x - base for x in xs])
    keep = int(density * N)
    trimmed = []
    for d in deltas:
        smallest_kept = np.sort(np.abs(d))[::-1][max(keep, 1) - 1]
        trimmed.append(np.where(np.abs(d) >= smallest_kept, d, 0).astype(np.float64))
    trimmed, w = np.array(trimmed), np.array(w)[:, None]
    sign = np.where((w * trimmed).sum(axis=0) >= 0, 1.0, -1.0)
    agree = (trimmed * sign > 0)
    total = (w * agree).sum(axis=0)
    mean = np.divide((w * trimmed * agree).sum(axis=0), total, out=np.zeros(N), where=total > 0)
    return base.astype(np.float64) + lam * mean


for name, result in [
    ("average", weighted(models, [1, 1, 1])),
    ("weighted", weighted(models, [0.7, 0.2, 0.4])),
    ("slerp-near", slerp(models[0], models[1], 0.3)),
    ("slerp", slerp(apart[0], apart[1], 0.3)),
    ("ties", ties(models, [1, 1, 1], 0.4, 1)),
    ("ties-weighted", ties(models, [0.7, 0.2, 0.4], 0.7, 0.8)),
]:
    print(name, *(repr(float(np.float32(v))) for v in result))
