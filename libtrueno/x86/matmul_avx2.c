/* SPDX-License-Identifier: MIT */
/* Matrix products with AVX2: a line is two registers. */
#include "kernels/matmul.h"

#include "blocks.h"

#include <assert.h>
#include <immintrin.h>
#include <math.h>
#include <string.h>

enum { VBYTES = 32, V_TOKENS = 4, V_FLOAT_TOKENS = 8, V_SIGNED_OFFSET = 0 };

#include "kernels/vectors.h"

static inline vf v_fma(vf a, vf b, vf c)
{
    return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}

static inline vf v_from_i32(vi32 x)
{
    return (vf)_mm256_cvtepi32_ps((__m256i)x);
}

static inline vi32 v_round(vf x)
{
    return (vi32)_mm256_cvtps_epi32((__m256)x);
}

static inline void v_store_i8(int8_t *p, vi32 x)
{
    __m128i words = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)x),
                                    _mm256_extracti128_si256((__m256i)x, 1));

    _mm_storel_epi64((__m128i *)(void *)p, _mm_packs_epi16(words, words));
}

static inline vu32 v_max_u32(vu32 a, vu32 b)
{
    return (vu32)_mm256_max_epu32((__m256i)a, (__m256i)b);
}

static inline uint32_t v_reduce_max_u32(vu32 x)
{
    __m128i m =
        _mm_max_epu32(_mm256_castsi256_si128((__m256i)x), _mm256_extracti128_si256((__m256i)x, 1));

    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0x4e));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0xb1));
    return (uint32_t)_mm_cvtsi128_si32(m);
}

static inline int32_t v_reduce_add(vi32 x)
{
    __m128i s =
        _mm_add_epi32(_mm256_castsi256_si128((__m256i)x), _mm256_extracti128_si256((__m256i)x, 1));

    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
    return _mm_cvtsi128_si32(s);
}

static inline vf v_halves(const void *p)
{
    return (vf)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}

static inline vu32 v_words(const void *p)
{
    return (vu32)_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
}

static inline vu8 v_iq4_values(vu8 index)
{
    __m128i values = _mm_setr_epi8(IQ4_VALUES_LIST);

    return (vu8)_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(values), (__m256i)index);
}

/* Four activations in every lane. */
static inline __m256i four(const int8_t *q)
{
    int32_t x;

    memcpy(&x, q, sizeof x);
    return _mm256_set1_epi32(x);
}

/* Pairs of products in 16 bits cannot saturate: |w| <= 128 and |q| <= 127 give at most 32512. */
static inline vi32 dot_bytes(vi32 acc, __m256i w, __m256i q)
{
    __m256i pairs = _mm256_maddubs_epi16(w, q);

    return acc + (vi32)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

static inline vi32 v_dot(vi32 acc, vu8 w, const int8_t *q)
{
    return dot_bytes(acc, (__m256i)w, four(q));
}

static inline vu8 v_signed_ready(vu8 w)
{
    return w;
}

/* |w| times q with w's sign; the magnitude of -128 is 128, unsigned. */
static inline vi32 v_dot_ready(vi32 acc, vu8 w, const int8_t *q)
{
    return dot_bytes(acc, _mm256_abs_epi8((__m256i)w), _mm256_sign_epi8(four(q), (__m256i)w));
}

static inline vi32 v_dot_signed(vi32 acc, vu8 w, const int8_t *q)
{
    return v_dot_ready(acc, w, q);
}

/* Bits of a where the mask has ones, else of b. */
static inline vu8 v_select(vu8 mask, vu8 a, vu8 b)
{
    return (a & mask) | (b & ~mask);
}

#include "kernels/matmul_vector.h"

void matmul_init_avx2(matmul_kernels *k)
{
    set_kernels(k);
}
