/* SPDX-License-Identifier: MIT */
/* What the quantisers share: rounding that any float survives, and packing of quants. */
#ifndef QUANTS_ROUNDING_H
#define QUANTS_ROUNDING_H

#include "../blocks.h"
#include "fit.h"

#include <float.h>
#include <math.h>
#include <trueno/sys/half.h>

#define HALF_MAX 65504.0f

/* x held within +-limit; NaN becomes 0. */
static inline float bounded(float x, float limit)
{
    return x > limit ? limit : x < -limit ? -limit : x == x ? x : 0;
}

/* 1 / d, or 0 where that is no finite number. */
static inline float inverse_of(float d)
{
    float inverse = 1 / d;

    return isfinite(inverse) ? inverse : 0;
}

/* v cut to a whole number of 0 .. top. */
static inline uint8_t cut_to(float v, int top)
{
    return (uint8_t)(!(v > 0) ? 0 : v < (float)top ? (int)v : top);
}

/* The value of largest magnitude of a block, the first of equals. */
static inline float block_peak(const float x[QK])
{
    float peak = 0, magnitude = 0;

    for (int j = 0; j < QK; j++) {
        if (fabsf(x[j]) > magnitude) {
            magnitude = fabsf(x[j]);
            peak = x[j];
        }
    }
    return peak;
}

/* w = d (q - half): the peak falls on -half. Returns d. */
static inline uint16_t round_about_half(const float x[QK], int half, uint8_t q[QK])
{
    float d = bounded(block_peak(x) / (float)-half, HALF_MAX), inverse = inverse_of(d);

    for (int j = 0; j < QK; j++)
        q[j] = cut_to(x[j] * inverse + ((float)half + 0.5f), 2 * half - 1);
    return trueno_f32_to_f16(d);
}

/* w = d q + m, q in 0 .. top, over the block's own range. Returns d. */
static inline uint16_t round_over_range(const float x[QK], int top, uint8_t q[QK], uint16_t *m)
{
    float low = x[0], high = x[0], d, inverse;

    for (int j = 1; j < QK; j++) {
        low = x[j] < low ? x[j] : low;
        high = x[j] > high ? x[j] : high;
    }
    low = bounded(low, HALF_MAX);
    high = bounded(high, FLT_MAX / 2);
    d = bounded((high - low) / (float)top, HALF_MAX);
    inverse = inverse_of(d);
    for (int j = 0; j < QK; j++)
        q[j] = cut_to((x[j] - low) * inverse + 0.5f, top);
    *m = trueno_f32_to_f16(low);
    return trueno_f32_to_f16(d);
}

/* Low nibbles of a block of 32, as the simple types lay them out. */
static inline void pack_nibbles(const uint8_t q[QK], uint8_t qs[QK / 2])
{
    for (int j = 0; j < QK / 2; j++)
        qs[j] = (uint8_t)((q[j] & 15) | (q[j + QK / 2] & 15) << 4);
}

/* The fifth bits of a block of 32. */
static inline uint32_t pack_fifth_bits(const uint8_t q[QK])
{
    uint32_t bits = 0;

    for (int j = 0; j < QK; j++)
        bits |= (uint32_t)(q[j] >> 4) << j;
    return bits;
}

/* Low nibbles of a super-block, groups of 32 in pairs, as Q4_K and Q5_K lay them out. */
static inline void pack_group_nibbles(const uint8_t q[QK_K], uint8_t qs[QK_K / 2])
{
    for (int64_t i = 0; i < QK_K / 2; i++) {
        const uint8_t *pair = q + i / 32 * 64 + i % 32;

        qs[i] = (uint8_t)((pair[0] & 15) | (pair[32] & 15) << 4);
    }
}

/* Low two bits of a super-block, as Q2_K and Q3_K lay them out. */
static inline void pack_pairs(const uint8_t q[QK_K], uint8_t qs[QK_K / 4])
{
    for (int64_t i = 0; i < QK_K / 4; i++) {
        const uint8_t *first = q + i / 32 * 128 + i % 32;

        qs[i] = (uint8_t)((first[0] & 3) | (first[32] & 3) << 2 | (first[64] & 3) << 4 |
                          (first[96] & 3) << 6);
    }
}

/* d, and minus the minimum, of group g where a group is a block: the scales are 0 or +-1. */
static inline uint16_t fit_half(const fit_result *r, int g)
{
    return trueno_f32_to_f16(trueno_f16_to_f32(r->d[g]) * (float)r->scale[g]);
}

static inline uint16_t fit_minimum(const fit_result *r, int g)
{
    return trueno_f32_to_f16(-trueno_f16_to_f32(r->dmin[g]) * (float)r->min[g]);
}

#endif
