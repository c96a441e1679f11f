/* SPDX-License-Identifier: MIT */
/*
 * Folds and elementary functions over 16 lanes; included once a level, after its lanes.
 *
 * Polynomials are least-maximum fits of our own on the stated intervals. The errors below are held
 * by tests/kernels/functions.c.
 */
#ifndef KERNELS_FUNCTIONS_H
#define KERNELS_FUNCTIONS_H

#include "kernels.h"

/** Sum of the lanes: halves are added until one is left, lane i to lane i + 8, then 4, 2, 1. */
static inline float v_sum(v16 a)
{
    float x[16];

    v_store(x, a);
    for (int half = 8; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            x[i] += x[i + half];
    return x[0];
}

static inline float v_first(v16 a)
{
    float x[16];

    v_store(x, a);
    return x[0];
}

/** Adding 1.5 * 2^23 rounds a small float to an integer, which then stands in its low bits. */
#define V_MAGIC 0x1.8p23f

/**
 * e^x, at most 1.02 ulp off; 0 below -87.33 (where the result would be subnormal), infinity above
 * 88.72; NaN stays NaN. e^0 is exactly 1.
 * x = k ln 2 + r with |r| <= ln 2 / 2, ln 2 in two parts so that k ln 2 is exact in the first.
 */
static inline v16 v_exp(v16 x)
{
    const v16 lowest = v_set(-0x1.5d589ep6f); /* -87.3365: e^x = 2^-126 */
    v16 clamped = v_min(v_set(89.0f), v_max(lowest, x));
    v16 magic = v_fma(clamped, v_set(0x1.715476p0f), v_set(V_MAGIC));
    v16 k = v_sub(magic, v_set(V_MAGIC));
    v16 r = v_fma(k, v_set(-0x1.7f7d1cp-20f), v_fma(k, v_set(-0x1.62e4p-1f), clamped));
    v16 p = v_set(0x1.6a23ccp-10f);

    p = v_fma(p, r, v_set(0x1.123a2p-7f));
    p = v_fma(p, r, v_set(0x1.5558f2p-5f));
    p = v_fma(p, r, v_set(0x1.555492p-3f));
    p = v_fma(p, r, v_set(0x1.fffffcp-2f));
    p = v_fma(v_mul(p, r), r, r);
    p = v_scale_magic(v_add(p, v_set(1.0f)), magic);
    return v_select(v_less(x, lowest), v_set(0.0f), p);
}

/** tanh x, at most 1.5 ulp off, odd; a polynomial below 0.625, 1 - 2 / (e^2x + 1) above. */
static inline v16 v_tanh(v16 x)
{
    v16 magnitude = v_copysign(x, v_set(1.0f)), square = v_mul(x, x);
    v16 p = v_set(0x1.18e1eep-9f), large;

    p = v_fma(p, square, v_set(-0x1.0bf502p-7f));
    p = v_fma(p, square, v_set(0x1.638b5ap-6f));
    p = v_fma(p, square, v_set(-0x1.b9ee9p-5f));
    p = v_fma(p, square, v_set(0x1.111066p-3f));
    p = v_fma(p, square, v_set(-0x1.555554p-2f));
    p = v_fma(v_mul(p, square), x, x);
    large = v_exp(v_add(magnitude, magnitude));
    large = v_sub(v_set(1.0f), v_div(v_set(2.0f), v_add(large, v_set(1.0f))));
    return v_copysign(v_select(v_less(magnitude, v_set(0.625f)), p, large), x);
}

#endif
