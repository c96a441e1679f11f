/* SPDX-License-Identifier: MIT */
/* Matrix products with AVX-512 and VNNI: a line is one register. */
#include "kernels/matmul.h"

#include "blocks.h"

#include <assert.h>
#include <immintrin.h>
#include <math.h>
#include <string.h>

enum {
    VBYTES = 64,
    V_TOKENS = 8,
    V_FLOAT_TOKENS = 16,
    V_SIGNED_OFFSET = 1 /* vpdpbusd wants unsigned weights: signed ones get 128 added */
};

#include "kernels/vectors.h"

static inline vf v_fma(vf a, vf b, vf c)
{
    return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}

static inline vf v_from_i32(vi32 x)
{
    return (vf)_mm512_cvtepi32_ps((__m512i)x);
}

static inline vi32 v_round(vf x)
{
    return (vi32)_mm512_cvtps_epi32((__m512)x);
}

static inline void v_store_i8(int8_t *p, vi32 x)
{
    _mm_storeu_si128((__m128i *)(void *)p, _mm512_cvtepi32_epi8((__m512i)x));
}

static inline vu32 v_max_u32(vu32 a, vu32 b)
{
    return (vu32)_mm512_max_epu32((__m512i)a, (__m512i)b);
}

static inline uint32_t v_reduce_max_u32(vu32 x)
{
    return _mm512_reduce_max_epu32((__m512i)x);
}

static inline int32_t v_reduce_add(vi32 x)
{
    return _mm512_reduce_add_epi32((__m512i)x);
}

static inline vf v_halves(const void *p)
{
    return (vf)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}

static inline vu32 v_words(const void *p)
{
    return (vu32)_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
}

static inline vu8 v_iq4_values(vu8 index)
{
    __m128i values = _mm_setr_epi8(IQ4_VALUES_LIST);

    return (vu8)_mm512_shuffle_epi8(_mm512_broadcast_i32x4(values), (__m512i)index);
}

/* Four activations in every lane. */
static inline __m512i four(const int8_t *q)
{
    int32_t x;

    memcpy(&x, q, sizeof x);
    return _mm512_set1_epi32(x);
}

static inline vi32 v_dot(vi32 acc, vu8 w, const int8_t *q)
{
    return (vi32)_mm512_dpbusd_epi32((__m512i)acc, (__m512i)w, four(q));
}

static inline vu8 v_signed_ready(vu8 w)
{
    return w ^ 128;
}

static inline vi32 v_dot_ready(vi32 acc, vu8 w, const int8_t *q)
{
    return v_dot(acc, w, q);
}

static inline vi32 v_dot_signed(vi32 acc, vu8 w, const int8_t *q)
{
    return v_dot_ready(acc, v_signed_ready(w), q);
}

/* Bits of a where the mask has ones, else of b. */
static inline vu8 v_select(vu8 mask, vu8 a, vu8 b)
{
    return (vu8)_mm512_ternarylogic_epi64((__m512i)a, (__m512i)b, (__m512i)mask, 0xe4);
}

#include "kernels/matmul_vector.h"

void matmul_init_avx512(matmul_kernels *k)
{
    set_kernels(k);
}
