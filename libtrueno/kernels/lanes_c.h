/* SPDX-License-Identifier: MIT */
/*
 * Vectors of 16 floats in plain C: the specification of what each lane computes.
 *
 * lanes_avx2.h, lanes_avx512.h and lanes_neon.h supply the same names; every operation rounds once,
 * as IEEE 754 says, so the levels agree bit for bit.
 */
#ifndef KERNELS_LANES_C_H
#define KERNELS_LANES_C_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <trueno/sys/half.h>

typedef struct v16 {
    float x[16];
} v16;

/** One bit a lane. */
typedef uint32_t mask16;

/** Vectors that a kernel may keep in registers as accumulators. */
enum { V_ACCUMULATORS = 6 };

#define EACH_LANE for (int lane = 0; lane < 16; lane++)

static inline v16 v_load(const float *p)
{
    v16 r;

    memcpy(&r, p, sizeof r);
    return r;
}

static inline void v_store(float *p, v16 a)
{
    memcpy(p, &a, sizeof a);
}

/** The first n < 16 lanes from memory, the others 0. */
static inline v16 v_load_n(const float *p, int n)
{
    v16 r = {{0}};

    memcpy(&r, p, (size_t)n * sizeof *p);
    return r;
}

static inline void v_store_n(float *p, v16 a, int n)
{
    memcpy(p, &a, (size_t)n * sizeof *p);
}

static inline v16 v_set(float x)
{
    v16 r;

    EACH_LANE r.x[lane] = x;
    return r;
}

#define LANE_OPERATION(name, expression)    \
    static inline v16 name(v16 a, v16 b)    \
    {                                       \
        v16 r;                              \
        EACH_LANE r.x[lane] = (expression); \
        return r;                           \
    }

LANE_OPERATION(v_add, a.x[lane] + b.x[lane])
LANE_OPERATION(v_sub, a.x[lane] - b.x[lane])
LANE_OPERATION(v_mul, a.x[lane] * b.x[lane])
LANE_OPERATION(v_div, a.x[lane] / b.x[lane])
/* b when either is not a number */
LANE_OPERATION(v_max, a.x[lane] > b.x[lane] ? a.x[lane] : b.x[lane])
LANE_OPERATION(v_min, a.x[lane] < b.x[lane] ? a.x[lane] : b.x[lane])
/* the magnitude of a with the sign of b */
LANE_OPERATION(v_copysign, copysignf(a.x[lane], b.x[lane]))

/** a * b + c, rounded once. */
static inline v16 v_fma(v16 a, v16 b, v16 c)
{
    v16 r;

    EACH_LANE r.x[lane] = fmaf(a.x[lane], b.x[lane], c.x[lane]);
    return r;
}

/** The largest lane; no lane may be NaN. */
static inline float v_largest(v16 a)
{
    float largest = a.x[0];

    EACH_LANE largest = a.x[lane] > largest ? a.x[lane] : largest;
    return largest;
}

/** Lanes where a < b (false for NaN). */
static inline mask16 v_less(v16 a, v16 b)
{
    mask16 m = 0;

    EACH_LANE m |= (mask16)(a.x[lane] < b.x[lane]) << lane;
    return m;
}

static inline mask16 v_equal(v16 a, v16 b)
{
    mask16 m = 0;

    EACH_LANE m |= (mask16)(a.x[lane] == b.x[lane]) << lane;
    return m;
}

/** A mask as bits, lane 0 the lowest. */
static inline uint32_t v_mask_bits(mask16 m)
{
    return m;
}

/** Lanes begin..end-1, cut to 0..15. */
static inline mask16 v_range(int begin, int end)
{
    begin = begin < 0 ? 0 : begin;
    end = end > 16 ? 16 : end;
    return end <= begin ? 0 : (mask16)(((1u << end) - 1) & ~((1u << begin) - 1));
}

/** a where the mask is set, else b. */
static inline v16 v_select(mask16 m, v16 a, v16 b)
{
    v16 r;

    EACH_LANE r.x[lane] = (m >> lane & 1) != 0 ? a.x[lane] : b.x[lane];
    return r;
}

/** a * 2^k with one rounding, k = the integer in the low bits of `magic` (see V_MAGIC). */
static inline v16 v_scale_magic(v16 a, v16 magic)
{
    v16 r;

    EACH_LANE
    {
        int32_t k = (int32_t)(trueno_f32_bits(magic.x[lane]) - 0x4b400000u);

        /* two exact powers, since 2^128 and 2^-150 are not floats */
        r.x[lane] = a.x[lane] * trueno_bits_f32((uint32_t)((k >> 1) + 127) << 23) *
                    trueno_bits_f32((uint32_t)(k - (k >> 1) + 127) << 23);
    }
    return r;
}

static inline v16 v_load_f16(const uint16_t *p)
{
    v16 r;

    EACH_LANE r.x[lane] = trueno_f16_to_f32(p[lane]);
    return r;
}

/** Round to F16, to nearest even. */
static inline void v_store_f16(uint16_t *p, v16 a)
{
    EACH_LANE p[lane] = trueno_f32_to_f16(a.x[lane]);
}

static inline v16 v_load_i8(const int8_t *p)
{
    v16 r;

    EACH_LANE r.x[lane] = (float)p[lane];
    return r;
}

#undef LANE_OPERATION
#undef EACH_LANE
#endif
