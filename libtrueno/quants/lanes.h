/* SPDX-License-Identifier: MIT */
/* Vectors of the level's own width, one lane a group of weights, for the quantisers' searches.
 * Written with the compiler's generic vectors: the same source serves every level, and since lanes
 * never mix and products are never contracted, every level gives the same bits. */
#ifndef QUANTS_LANES_H
#define QUANTS_LANES_H

#include <stdint.h>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

/* Every function is inlined: no vector is passed under an ABI that a level could change, so the
 * build silences -Wpsabi. */
#if defined(__AVX512F__)
#define LANES            16
#define VF_MINIMUM(a, b) _mm512_min_ps((__m512)(a), (__m512)(b))
#define VF_MAXIMUM(a, b) _mm512_max_ps((__m512)(a), (__m512)(b))
#elif defined(__AVX2__)
#define LANES            8
#define VF_MINIMUM(a, b) _mm256_min_ps((__m256)(a), (__m256)(b))
#define VF_MAXIMUM(a, b) _mm256_max_ps((__m256)(a), (__m256)(b))
#elif defined(__SSE2__)
#define LANES            4
#define VF_MINIMUM(a, b) _mm_min_ps((__m128)(a), (__m128)(b))
#define VF_MAXIMUM(a, b) _mm_max_ps((__m128)(a), (__m128)(b))
#else
#define LANES            4
#define VF_MINIMUM(a, b) vf_select((a) < (b), a, b)
#define VF_MAXIMUM(a, b) vf_select((a) > (b), a, b)
#endif

typedef float vf __attribute__((vector_size(4 * LANES)));
typedef int32_t vi __attribute__((vector_size(4 * LANES)));

#define LANE_FN static inline __attribute__((always_inline))

LANE_FN vf vf_all(float x)
{
    return x - (vf){0};
}

/* Where `mask` is -1 a, where it is 0 b. */
LANE_FN vf vf_select(vi mask, vf a, vf b)
{
    return (vf)(((vi)a & mask) | ((vi)b & ~mask));
}

/* The smaller and the larger; of equal ones, or with a NaN, b. */
LANE_FN vf vf_min(vf a, vf b)
{
    return (vf)VF_MINIMUM(a, b);
}

LANE_FN vf vf_max(vf a, vf b)
{
    return (vf)VF_MAXIMUM(a, b);
}

LANE_FN vf vf_clamp(vf x, vf low, vf high)
{
    return vf_min(vf_max(x, low), high);
}

LANE_FN vf vf_abs(vf x)
{
    return (vf)((vi)x & 0x7fffffff);
}

/* To the nearest whole number, halves to even; |x| < 2^22. */
LANE_FN vf vf_round(vf x)
{
    return (x + 0x1.8p23f) - 0x1.8p23f;
}

/* a / b, 0 where b is 0. */
LANE_FN vf vf_ratio(vf a, vf b)
{
    vi zero = b == 0;

    return vf_select(zero, (vf){0}, a / vf_select(zero, vf_all(1), b));
}

#endif
