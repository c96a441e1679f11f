/* SPDX-License-Identifier: MIT */
/* Vectors of 16 floats in four Advanced SIMD registers; meanings as in lanes_c.h. */
#ifndef KERNELS_LANES_NEON_H
#define KERNELS_LANES_NEON_H

#include <arm_neon.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <trueno/sys/half.h>

typedef struct v16 {
    float32x4_t q[4];
} v16;

typedef struct mask16 {
    uint32x4_t q[4];
} mask16;

enum { V_ACCUMULATORS = 6 };

#define EACH_QUARTER for (int i = 0; i < 4; i++)

static inline v16 v_load(const float *p)
{
    v16 r;

    EACH_QUARTER r.q[i] = vld1q_f32(p + 4 * i);
    return r;
}

static inline void v_store(float *p, v16 a)
{
    EACH_QUARTER vst1q_f32(p + 4 * i, a.q[i]);
}

static inline v16 v_load_n(const float *p, int n)
{
    float buffer[16] = {0};

    memcpy(buffer, p, (size_t)n * sizeof *p);
    return v_load(buffer);
}

static inline void v_store_n(float *p, v16 a, int n)
{
    float buffer[16];

    v_store(buffer, a);
    memcpy(p, buffer, (size_t)n * sizeof *p);
}

static inline v16 v_set(float x)
{
    v16 r;

    EACH_QUARTER r.q[i] = vdupq_n_f32(x);
    return r;
}

#define QUARTERS(name, type, expression)    \
    static inline type name(v16 a, v16 b)   \
    {                                       \
        type r;                             \
        EACH_QUARTER r.q[i] = (expression); \
        return r;                           \
    }

QUARTERS(v_add, v16, vaddq_f32(a.q[i], b.q[i]))
QUARTERS(v_sub, v16, vsubq_f32(a.q[i], b.q[i]))
QUARTERS(v_mul, v16, vmulq_f32(a.q[i], b.q[i]))
QUARTERS(v_div, v16, vdivq_f32(a.q[i], b.q[i]))
/* by comparison: the instruction's own maximum answers NaN where b is wanted */
QUARTERS(v_max, v16, vbslq_f32(vcgtq_f32(a.q[i], b.q[i]), a.q[i], b.q[i]))
QUARTERS(v_min, v16, vbslq_f32(vcltq_f32(a.q[i], b.q[i]), a.q[i], b.q[i]))
QUARTERS(v_copysign, v16, vbslq_f32(vdupq_n_u32(0x80000000u), b.q[i], a.q[i]))
QUARTERS(v_less, mask16, vcltq_f32(a.q[i], b.q[i]))
QUARTERS(v_equal, mask16, vceqq_f32(a.q[i], b.q[i]))

static inline v16 v_fma(v16 a, v16 b, v16 c)
{
    v16 r;

    EACH_QUARTER r.q[i] = vfmaq_f32(c.q[i], a.q[i], b.q[i]);
    return r;
}

static inline float v_largest(v16 a)
{
    return vmaxvq_f32(vmaxq_f32(vmaxq_f32(a.q[0], a.q[1]), vmaxq_f32(a.q[2], a.q[3])));
}

static inline uint32_t v_mask_bits(mask16 m)
{
    const uint32x4_t weights = {1, 2, 4, 8};
    uint32_t bits = 0;

    EACH_QUARTER bits |= vaddvq_u32(vandq_u32(m.q[i], weights)) << (4 * i);
    return bits;
}

static inline mask16 v_range(int begin, int end)
{
    const int32x4_t first = {0, 1, 2, 3};
    mask16 m;

    EACH_QUARTER
    {
        int32x4_t lane = vaddq_s32(first, vdupq_n_s32(4 * i));

        m.q[i] = vandq_u32(vcgeq_s32(lane, vdupq_n_s32(begin)), vcltq_s32(lane, vdupq_n_s32(end)));
    }
    return m;
}

static inline v16 v_select(mask16 m, v16 a, v16 b)
{
    v16 r;

    EACH_QUARTER r.q[i] = vbslq_f32(m.q[i], a.q[i], b.q[i]);
    return r;
}

static inline float32x4_t scale_magic_quarter(float32x4_t x, float32x4_t magic)
{
    const int32x4_t bias = vdupq_n_s32(127);
    int32x4_t k = vsubq_s32(vreinterpretq_s32_f32(magic), vdupq_n_s32(0x4b400000));
    int32x4_t half = vshrq_n_s32(k, 1), rest = vsubq_s32(k, half);

    x = vmulq_f32(x, vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(half, bias), 23)));
    return vmulq_f32(x, vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(rest, bias), 23)));
}

QUARTERS(v_scale_magic, v16, scale_magic_quarter(a.q[i], b.q[i]))

static inline v16 v_load_f16(const uint16_t *p)
{
    v16 r;

    EACH_QUARTER r.q[i] = vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 4 * i)));
    return r;
}

static inline void v_store_f16(uint16_t *p, v16 a)
{
    EACH_QUARTER vst1_u16(p + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(a.q[i])));
}

static inline v16 v_load_i8(const int8_t *p)
{
    int8x16_t bytes = vld1q_s8(p);
    int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_s8(vget_high_s8(bytes));

    return (v16){{vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))),
                  vcvtq_f32_s32(vmovl_s16(vget_high_s16(low))),
                  vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))),
                  vcvtq_f32_s32(vmovl_s16(vget_high_s16(high)))}};
}

#undef QUARTERS
#undef EACH_QUARTER
#endif
