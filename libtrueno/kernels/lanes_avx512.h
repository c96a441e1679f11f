/* SPDX-License-Identifier: MIT */
/* Vectors of 16 floats in one AVX-512 register; meanings as in lanes_c.h. */
#ifndef KERNELS_LANES_AVX512_H
#define KERNELS_LANES_AVX512_H

#include <immintrin.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <trueno/sys/half.h>

typedef __m512 v16;
typedef __mmask16 mask16;

enum { V_ACCUMULATORS = 24 };

static inline v16 v_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

static inline void v_store(float *p, v16 a)
{
    _mm512_storeu_ps(p, a);
}

static inline mask16 v_range(int begin, int end)
{
    begin = begin < 0 ? 0 : begin;
    end = end > 16 ? 16 : end;
    return end <= begin ? 0 : (mask16)(((1u << end) - 1) & ~((1u << begin) - 1));
}

static inline v16 v_load_n(const float *p, int n)
{
    return _mm512_maskz_loadu_ps(v_range(0, n), p);
}

static inline void v_store_n(float *p, v16 a, int n)
{
    _mm512_mask_storeu_ps(p, v_range(0, n), a);
}

static inline v16 v_set(float x)
{
    return _mm512_set1_ps(x);
}

static inline v16 v_add(v16 a, v16 b)
{
    return _mm512_add_ps(a, b);
}

static inline v16 v_sub(v16 a, v16 b)
{
    return _mm512_sub_ps(a, b);
}

static inline v16 v_mul(v16 a, v16 b)
{
    return _mm512_mul_ps(a, b);
}

static inline v16 v_div(v16 a, v16 b)
{
    return _mm512_div_ps(a, b);
}

static inline v16 v_max(v16 a, v16 b)
{
    return _mm512_max_ps(a, b);
}

static inline v16 v_min(v16 a, v16 b)
{
    return _mm512_min_ps(a, b);
}

static inline v16 v_copysign(v16 a, v16 b)
{
    const __m512 sign = _mm512_set1_ps(-0.0f);

    return _mm512_or_ps(_mm512_andnot_ps(sign, a), _mm512_and_ps(sign, b));
}

static inline v16 v_fma(v16 a, v16 b, v16 c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline float v_largest(v16 a)
{
    return _mm512_reduce_max_ps(a);
}

static inline mask16 v_less(v16 a, v16 b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}

static inline mask16 v_equal(v16 a, v16 b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ);
}

static inline uint32_t v_mask_bits(mask16 m)
{
    return m;
}

static inline v16 v_select(mask16 m, v16 a, v16 b)
{
    return _mm512_mask_blend_ps(m, b, a);
}

static inline v16 v_scale_magic(v16 a, v16 magic)
{
    /* the instruction scales by 2^floor(x) and rounds once, as the two products of lanes_c.h do */
    return _mm512_scalef_ps(a, _mm512_sub_ps(magic, _mm512_set1_ps(0x1.8p23f)));
}

static inline v16 v_load_f16(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}

static inline void v_store_f16(uint16_t *p, v16 a)
{
    _mm256_storeu_si256((__m256i *)(void *)p, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}

static inline v16 v_load_i8(const int8_t *p)
{
    return _mm512_cvtepi32_ps(
        _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)));
}

#endif
