/* SPDX-License-Identifier: MIT */
/* Matrix products over NEON registers: a line is four of them. Included once a level, after
 * dot_bytes(), the level's sums of four products of bytes. */
#ifndef ARM_MATMUL_NEON_H
#define ARM_MATMUL_NEON_H

#include "kernels/matmul.h"

#include "blocks.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { VBYTES = 16, V_TOKENS = 8, V_FLOAT_TOKENS = 8, V_SIGNED_OFFSET = 0 };

#include "kernels/vectors.h"

static inline vf v_fma(vf a, vf b, vf c)
{
    return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}

static inline vf v_from_i32(vi32 x)
{
    return (vf)vcvtq_f32_s32((int32x4_t)x);
}

/* To nearest, ties to even. */
static inline vi32 v_round(vf x)
{
    return (vi32)vcvtnq_s32_f32((float32x4_t)x);
}

static inline void v_store_i8(int8_t *p, vi32 x)
{
    int16x4_t words = vqmovn_s32((int32x4_t)x);
    int8x8_t bytes = vqmovn_s16(vcombine_s16(words, words));

    memcpy(p, &bytes, 4);
}

static inline vu32 v_max_u32(vu32 a, vu32 b)
{
    return (vu32)vmaxq_u32((uint32x4_t)a, (uint32x4_t)b);
}

static inline uint32_t v_reduce_max_u32(vu32 x)
{
    return vmaxvq_u32((uint32x4_t)x);
}

static inline int32_t v_reduce_add(vi32 x)
{
    return vaddvq_s32((int32x4_t)x);
}

static inline uint16x4_t four_words(const void *p)
{
    uint16x4_t x;

    memcpy(&x, p, sizeof x);
    return x;
}

static inline vf v_halves(const void *p)
{
    return (vf)vcvt_f32_f16(vreinterpret_f16_u16(four_words(p)));
}

static inline vu32 v_words(const void *p)
{
    return (vu32)vmovl_u16(four_words(p));
}

static inline vu8 v_iq4_values(vu8 index)
{
    static const int8_t VALUES[16] = {IQ4_VALUES_LIST};

    return (vu8)vqtbl1q_s8(vld1q_s8(VALUES), (uint8x16_t)index);
}

/* Unsigned quants are below 128, so one signed product serves both kinds. */
static inline vi32 v_dot(vi32 acc, vu8 w, const int8_t *q)
{
    int32_t four;

    memcpy(&four, q, sizeof four);
    return (vi32)dot_bytes((int32x4_t)acc, (int8x16_t)w, vreinterpretq_s8_s32(vdupq_n_s32(four)));
}

static inline vu8 v_signed_ready(vu8 w)
{
    return w;
}

static inline vi32 v_dot_ready(vi32 acc, vu8 w, const int8_t *q)
{
    return v_dot(acc, w, q);
}

static inline vi32 v_dot_signed(vi32 acc, vu8 w, const int8_t *q)
{
    return v_dot(acc, w, q);
}

/* Bits of a where the mask has ones, else of b. */
static inline vu8 v_select(vu8 mask, vu8 a, vu8 b)
{
    return (a & mask) | (b & ~mask);
}

#include "kernels/matmul_vector.h"

#endif
