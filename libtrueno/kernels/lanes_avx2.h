/* SPDX-License-Identifier: MIT */
/* Vectors of 16 floats in two AVX registers (AVX2, FMA, F16C); meanings as in lanes_c.h. */
#ifndef KERNELS_LANES_AVX2_H
#define KERNELS_LANES_AVX2_H

#include <immintrin.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <trueno/sys/half.h>

typedef struct v16 {
    __m256 a, b; /* lanes 0-7, 8-15 */
} v16;

typedef v16 mask16; /* all bits of a lane set or clear */

enum { V_ACCUMULATORS = 6 };

static inline v16 v_load(const float *p)
{
    return (v16){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}

static inline void v_store(float *p, v16 x)
{
    _mm256_storeu_ps(p, x.a);
    _mm256_storeu_ps(p + 8, x.b);
}

static inline v16 v_load_n(const float *p, int n)
{
    float buffer[16] = {0};

    memcpy(buffer, p, (size_t)n * sizeof *p);
    return v_load(buffer);
}

static inline void v_store_n(float *p, v16 x, int n)
{
    float buffer[16];

    v_store(buffer, x);
    memcpy(p, buffer, (size_t)n * sizeof *p);
}

static inline v16 v_set(float x)
{
    return (v16){_mm256_set1_ps(x), _mm256_set1_ps(x)};
}

#define BOTH_HALVES(name, instruction)                              \
    static inline v16 name(v16 x, v16 y)                            \
    {                                                               \
        return (v16){instruction(x.a, y.a), instruction(x.b, y.b)}; \
    }

BOTH_HALVES(v_add, _mm256_add_ps)
BOTH_HALVES(v_sub, _mm256_sub_ps)
BOTH_HALVES(v_mul, _mm256_mul_ps)
BOTH_HALVES(v_div, _mm256_div_ps)
BOTH_HALVES(v_max, _mm256_max_ps)
BOTH_HALVES(v_min, _mm256_min_ps)

static inline __m256 copysign_half(__m256 x, __m256 y)
{
    const __m256 sign = _mm256_set1_ps(-0.0f);

    return _mm256_or_ps(_mm256_andnot_ps(sign, x), _mm256_and_ps(sign, y));
}

BOTH_HALVES(v_copysign, copysign_half)

static inline v16 v_fma(v16 x, v16 y, v16 z)
{
    return (v16){_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
}

static inline float v_largest(v16 x)
{
    __m256 eight = _mm256_max_ps(x.a, x.b);
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));

    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

static inline mask16 v_less(v16 x, v16 y)
{
    return (v16){_mm256_cmp_ps(x.a, y.a, _CMP_LT_OQ), _mm256_cmp_ps(x.b, y.b, _CMP_LT_OQ)};
}

static inline mask16 v_equal(v16 x, v16 y)
{
    return (v16){_mm256_cmp_ps(x.a, y.a, _CMP_EQ_OQ), _mm256_cmp_ps(x.b, y.b, _CMP_EQ_OQ)};
}

static inline uint32_t v_mask_bits(mask16 m)
{
    return (uint32_t)_mm256_movemask_ps(m.a) | (uint32_t)_mm256_movemask_ps(m.b) << 8;
}

static inline mask16 v_range(int begin, int end)
{
    const __m256i first = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i second = _mm256_setr_epi32(8, 9, 10, 11, 12, 13, 14, 15);
    __m256i low = _mm256_set1_epi32(begin - 1), high = _mm256_set1_epi32(end);

    return (v16){_mm256_castsi256_ps(_mm256_and_si256(_mm256_cmpgt_epi32(first, low),
                                                      _mm256_cmpgt_epi32(high, first))),
                 _mm256_castsi256_ps(_mm256_and_si256(_mm256_cmpgt_epi32(second, low),
                                                      _mm256_cmpgt_epi32(high, second)))};
}

static inline v16 v_select(mask16 m, v16 x, v16 y)
{
    return (v16){_mm256_blendv_ps(y.a, x.a, m.a), _mm256_blendv_ps(y.b, x.b, m.b)};
}

static inline __m256 scale_magic_half(__m256 x, __m256 magic)
{
    const __m256i bias = _mm256_set1_epi32(127);
    __m256i k = _mm256_sub_epi32(_mm256_castps_si256(magic), _mm256_set1_epi32(0x4b400000));
    __m256i half = _mm256_srai_epi32(k, 1), rest = _mm256_sub_epi32(k, half);

    x = _mm256_mul_ps(x, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23)));
    return _mm256_mul_ps(x,
                         _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23)));
}

BOTH_HALVES(v_scale_magic, scale_magic_half)

static inline v16 v_load_f16(const uint16_t *p)
{
    return (v16){_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p)),
                 _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(p + 8)))};
}

static inline void v_store_f16(uint16_t *p, v16 x)
{
    _mm_storeu_si128((__m128i *)(void *)p, _mm256_cvtps_ph(x.a, _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128((__m128i *)(void *)(p + 8), _mm256_cvtps_ph(x.b, _MM_FROUND_TO_NEAREST_INT));
}

static inline v16 v_load_i8(const int8_t *p)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);

    return (v16){_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)),
                 _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8)))};
}

#undef BOTH_HALVES
#endif
