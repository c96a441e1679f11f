/* SPDX-License-Identifier: MIT */
/* The bit layout of every weight block, as files store it (little-endian). Sources: the GGUF
 * description of each type; names follow the field's: d, dmin scales as halves, qs low bits of the
 * quants, qh high bits. Structs are packed: a block may lie at any address. */
#ifndef BLOCKS_H
#define BLOCKS_H

#include <assert.h>
#include <stdint.h>

#define QK   32  /* weights in a block of a simple type */
#define QK_K 256 /* weights in a super-block of a K type */

#define PACKED __attribute__((packed))

/* Simple types. In bytes of 4-bit pairs, weight j < 16 is the low half of byte j and weight 16 + j
 * the high half; bit j of qh is the fifth bit of weight j. */

typedef struct PACKED { /* w = d (q - 8) */
    uint16_t d;
    uint8_t qs[QK / 2];
} block_q4_0;

typedef struct PACKED { /* w = d q + m */
    uint16_t d, m;
    uint8_t qs[QK / 2];
} block_q4_1;

typedef struct PACKED { /* w = d (q - 16) */
    uint16_t d;
    uint32_t qh;
    uint8_t qs[QK / 2];
} block_q5_0;

typedef struct PACKED { /* w = d q + m */
    uint16_t d, m;
    uint32_t qh;
    uint8_t qs[QK / 2];
} block_q5_1;

typedef struct PACKED { /* w = d q */
    uint16_t d;
    int8_t qs[QK];
} block_q8_0;

typedef struct PACKED { /* w = d IQ4_VALUES[q] */
    uint16_t d;
    uint8_t qs[QK / 2];
} block_iq4_nl;

/* K types. Groups of 16 (Q2, Q3, Q6) or 32 (Q4, Q5, IQ4_XS) weights have their own small integer
 * scale (and minimum). Two-bit fields: byte 32 h + l holds weights 128 h + 32 k + l at bits 2 k. */

typedef struct PACKED { /* w = d (scales & 15) q - dmin (scales >> 4) */
    uint8_t scales[QK_K / 16];
    uint8_t qs[QK_K / 4];
    uint16_t d, dmin;
} block_q2_k;

typedef struct PACKED { /* w = d (scale - 32) (q - 4); bit k of hmask[l]: bit 2 of weight 32 k + l
                         */
    uint8_t hmask[QK_K / 8];
    uint8_t qs[QK_K / 4];
    uint8_t scales[12]; /* 16 of 6 bits: q3_k_scale() */
    uint16_t d;
} block_q3_k;

typedef struct PACKED { /* w = d scale q - dmin minimum; groups of 32 in pairs share bytes of qs */
    uint16_t d, dmin;
    uint8_t scales[12]; /* 8 scales and 8 minima of 6 bits: q4_k_scale() */
    uint8_t qs[QK_K / 2];
} block_q4_k;

typedef struct PACKED { /* as Q4_K; bit k of qh[l] is bit 4 of weight 32 k + l */
    uint16_t d, dmin;
    uint8_t scales[12];
    uint8_t qh[QK_K / 8];
    uint8_t qs[QK_K / 2];
} block_q5_k;

typedef struct PACKED { /* w = d scale (q - 32); qs: see dequantize_q6_k() */
    uint8_t ql[QK_K / 2];
    uint8_t qh[QK_K / 4];
    int8_t scales[QK_K / 16];
    uint16_t d;
} block_q6_k;

typedef struct PACKED { /* w = d (scale - 32) IQ4_VALUES[q], scale of 6 bits per 32 weights */
    uint16_t d;
    uint16_t scales_h; /* bits 2 k: high two bits of scale k */
    uint8_t scales_l[QK_K / 64];
    uint8_t qs[QK_K / 2];
} block_iq4_xs;

static_assert(sizeof(block_q4_0) == 18, "Q4_0");
static_assert(sizeof(block_q4_1) == 20, "Q4_1");
static_assert(sizeof(block_q5_0) == 22, "Q5_0");
static_assert(sizeof(block_q5_1) == 24, "Q5_1");
static_assert(sizeof(block_q8_0) == 34, "Q8_0");
static_assert(sizeof(block_iq4_nl) == 18, "IQ4_NL");
static_assert(sizeof(block_q2_k) == 84, "Q2_K");
static_assert(sizeof(block_q3_k) == 110, "Q3_K");
static_assert(sizeof(block_q4_k) == 144, "Q4_K");
static_assert(sizeof(block_q5_k) == 176, "Q5_K");
static_assert(sizeof(block_q6_k) == 210, "Q6_K");
static_assert(sizeof(block_iq4_xs) == 136, "IQ4_XS");

/* The sixteen levels of IQ4_NL and IQ4_XS, dense about zero as weights are. */
#define IQ4_VALUES_LIST -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113

/* Six-bit scale k (0..15) of Q3_K, offset by 32: low nibbles in bytes 0-7, high pairs in 8-11. */
static inline int q3_k_scale(const uint8_t scales[12], int k)
{
    int low = scales[k % 8] >> 4 * (k / 8) & 15, high = scales[8 + k % 4] >> 2 * (k / 4) & 3;

    return (low | high << 4) - 32;
}

/* Six-bit scale and minimum of group k (0..7) of Q4_K and Q5_K: groups 0-3 have a byte each; the
 * nibbles of groups 4-7 are in bytes 8-11 and their top bits in the bytes of groups 0-3. */
static inline int q4_k_scale(const uint8_t scales[12], int k)
{
    return k < 4 ? scales[k] & 63 : (scales[k + 4] & 15) | (scales[k - 4] >> 6) << 4;
}

static inline int q4_k_minimum(const uint8_t scales[12], int k)
{
    return k < 4 ? scales[k + 4] & 63 : scales[k + 4] >> 4 | (scales[k] >> 6) << 4;
}

/* The inverses: store 16 scales of -32 .. 31; 8 scales and minima of 0 .. 63. */
static inline void q3_k_pack_scales(uint8_t scales[12], const int16_t scale[16])
{
    for (int k = 0; k < 8; k++)
        scales[k] = (uint8_t)(((scale[k] + 32) & 15) | ((scale[k + 8] + 32) & 15) << 4);
    for (int k = 0; k < 4; k++)
        scales[8 + k] = (uint8_t)((scale[k] + 32) >> 4 | (scale[k + 4] + 32) >> 4 << 2 |
                                  (scale[k + 8] + 32) >> 4 << 4 | (scale[k + 12] + 32) >> 4 << 6);
}

static inline void q4_k_pack_scales(uint8_t scales[12], const int16_t scale[8],
                                    const int16_t min[8])
{
    for (int k = 0; k < 4; k++) {
        scales[k] = (uint8_t)(scale[k] | scale[k + 4] >> 4 << 6);
        scales[k + 4] = (uint8_t)(min[k] | min[k + 4] >> 4 << 6);
        scales[k + 8] = (uint8_t)((scale[k + 4] & 15) | (min[k + 4] & 15) << 4);
    }
}

/* Six-bit scale k (0..7) of IQ4_XS, offset by 32. */
static inline int iq4_xs_scale(const block_iq4_xs *b, int k)
{
    return ((b->scales_l[k / 2] >> 4 * (k % 2) & 15) | (b->scales_h >> 2 * k & 3) << 4) - 32;
}

#endif
