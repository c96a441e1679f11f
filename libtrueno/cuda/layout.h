/* SPDX-License-Identifier: MIT */
/* The device's own form of block-quantised matrices: exact, of the same size, and invertible.
 *
 * Plain C for host and device. A matrix is cut into units of 16 rows by 256 columns (K types) or
 * 128 (others); units of 16 rows follow each other along the columns, then come the next 16 rows.
 * The order inside follows the operands of mma.m16n8k32: lane 4 g + t of a warp owns rows g and g
 * + 8. A step is 128 columns = 4 groups of 32. Word f of group s holds, in byte k, the weight of
 *     row g + 8 (f & 1), column 32 s + 16 (f >> 1) + 4 t + k
 * The code of a weight is split into planes; within a unit, for every step in turn:
 *     nibbles  [2 pairs][32 lanes][4 words]   byte = code of group 2 p | code of group 2 p + 1 << 4
 *              (table types: four nibbles of group 2 p, then four of 2 p + 1)
 *     bytes    [4 groups][32 lanes][4 words]
 *     twos     [32 lanes][4 words]            two bits of group s at bits 2 s of each byte
 *     ones     [32 lanes][2 words]            bit 4 (s & 1) + f of each byte of word s >> 1
 * and after the last step the scales, see pack_scales(). Signed codes are stored with their top bit
 * turned, so that shifting the code to the top of a byte gives two's complement. */
#ifndef CUDA_LAYOUT_H
#define CUDA_LAYOUT_H

#include "../blocks.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <trueno/sys/half.h>
#include <trueno/types.h>

#ifdef __CUDACC__
#define LAYOUT_FN    static __host__ __device__ inline
#define LAYOUT_CONST static constexpr __host__ __device__ inline
#else
#define LAYOUT_FN    static inline
#define LAYOUT_CONST static inline
#endif

enum { LAYOUT_ROWS = 16, LAYOUT_STEP = 128 };

typedef struct layout_info {
    uint8_t steps; /* of 128 columns in a unit; 0: type has no blocks */
    bool nibbles, bytes, twos, ones;
    uint8_t turned;             /* bits of the code that are stored inverted */
    uint16_t block, unit_bytes; /* bytes of a file's block and of a unit */
} layout_info;

LAYOUT_CONST layout_info layout_row(int steps, bool nibbles, bool bytes, bool twos, bool ones,
                                    int turned, int block, int unit_bytes)
{
    layout_info row = {(uint8_t)steps, nibbles,         bytes,           twos,
                       ones,           (uint8_t)turned, (uint16_t)block, (uint16_t)unit_bytes};

    return row;
}

LAYOUT_CONST layout_info layout_get(int type)
{

    switch (type) {
    case TRUENO_Q4_0:
        return layout_row(1, true, false, false, false, 8, 18, 1152);
    case TRUENO_Q4_1:
        return layout_row(1, true, false, false, false, 0, 20, 1280);
    case TRUENO_Q5_0:
        return layout_row(1, true, false, false, true, 16, 22, 1408);
    case TRUENO_Q5_1:
        return layout_row(1, true, false, false, true, 0, 24, 1536);
    case TRUENO_Q8_0:
        return layout_row(1, false, true, false, false, 0, 34, 2176);
    case TRUENO_IQ4_NL:
        return layout_row(1, true, false, false, false, 0, 18, 1152);
    case TRUENO_Q2_K:
        return layout_row(2, false, false, true, false, 0, 84, 1344);
    case TRUENO_Q3_K:
        return layout_row(2, false, false, true, true, 4, 110, 1760);
    case TRUENO_Q4_K:
        return layout_row(2, true, false, false, false, 0, 144, 2304);
    case TRUENO_Q5_K:
        return layout_row(2, true, false, false, true, 0, 176, 2816);
    case TRUENO_Q6_K:
        return layout_row(2, true, false, true, false, 32, 210, 3360);
    case TRUENO_IQ4_XS:
        return layout_row(2, true, false, false, false, 0, 136, 2176);
    default:
        return layout_row(0, false, false, false, false, 0, 0, 0);
    }
}

LAYOUT_CONST bool layout_is_table(int type)
{
    return type == TRUENO_IQ4_NL || type == TRUENO_IQ4_XS;
}

/* Where the code of (row, col of the step) lies. */
typedef struct layout_place {
    int lane, group, f, k;
} layout_place;

LAYOUT_FN layout_place layout_find(int row, int col)
{
    layout_place p = {0, 0, 0, 0};
    int in = col & 31;

    p.group = col >> 5;
    p.lane = 4 * (row & 7) + ((in & 15) >> 2);
    p.f = row >> 3 | (in >> 4) << 1;
    p.k = in & 3;
    return p;
}

/* The code of weight i (0..31, or 0..255) of a file's block, as the type's description has it. */
LAYOUT_FN unsigned block_code(int type, const uint8_t *b, int i)
{
    int j = i & 15, upper = i >> 4 & 1, l = i & 31;

    switch (type) {
    case TRUENO_Q4_0:
    case TRUENO_IQ4_NL:
        return b[2 + j] >> 4 * upper & 15;
    case TRUENO_Q4_1:
        return b[4 + j] >> 4 * upper & 15;
    case TRUENO_Q5_0:
        return (b[6 + j] >> 4 * upper & 15) | (b[2 + i / 8] >> (i & 7) & 1) << 4;
    case TRUENO_Q5_1:
        return (b[8 + j] >> 4 * upper & 15) | (b[4 + i / 8] >> (i & 7) & 1) << 4;
    case TRUENO_Q8_0:
        return b[2 + i];
    case TRUENO_Q2_K:
        return b[16 + 32 * (i >> 7) + l] >> 2 * (i >> 5 & 3) & 3;
    case TRUENO_Q3_K:
        return (b[32 + 32 * (i >> 7) + l] >> 2 * (i >> 5 & 3) & 3) | (b[l] >> (i >> 5) & 1) << 2;
    case TRUENO_Q4_K:
        return b[16 + 32 * (i >> 6) + l] >> 4 * (i >> 5 & 1) & 15;
    case TRUENO_Q5_K:
        return (b[48 + 32 * (i >> 6) + l] >> 4 * (i >> 5 & 1) & 15) | (b[16 + l] >> (i >> 5) & 1)
                                                                          << 4;
    case TRUENO_Q6_K:
        return (b[64 * (i >> 7) + (i & 63)] >> 4 * (i >> 6 & 1) & 15) |
               (b[128 + 32 * (i >> 7) + l] >> 2 * (i >> 5 & 3) & 3) << 4;
    case TRUENO_IQ4_XS:
        return b[8 + 16 * (i >> 5) + j] >> 4 * upper & 15;
    default:
        return 0;
    }
}

/* Byte offsets of the planes of step `step`; each is the size of what lies before it. */
typedef struct layout_planes {
    int nibbles, bytes, twos, ones, scales;
} layout_planes;

LAYOUT_CONST layout_planes layout_offsets(const layout_info *u, int step)
{
    int size = 1024 * u->nibbles + 2048 * u->bytes + 512 * u->twos + 256 * u->ones;
    layout_planes p = {0, 0, 0, 0, 0};

    p.nibbles = p.bytes = size * step;
    p.twos = p.nibbles + 1024 * u->nibbles + 2048 * u->bytes;
    p.ones = p.twos + 512 * u->twos;
    p.scales = size * u->steps;
    return p;
}

/* The byte and bit position of the nibble of a place. */
LAYOUT_FN int layout_nibble(int type, layout_place p, int *shift)
{
    int word = (p.group >> 1) * 512 + p.lane * 16 + p.f * 4;

    if (layout_is_table(type)) {
        *shift = 4 * (p.k & 1);
        return word + 2 * (p.group & 1) + (p.k >> 1);
    }
    *shift = 4 * (p.group & 1);
    return word + p.k;
}

/* The code of (row, col) of a unit. */
LAYOUT_FN unsigned layout_code(int type, const uint8_t *unit, int row, int col)
{
    layout_info u = layout_get(type);
    layout_place p = layout_find(row, col & 127);
    layout_planes at = layout_offsets(&u, col >> 7);
    unsigned code = 0;
    int shift, low = u.nibbles ? 4 : u.twos ? 2 : 8;

    if (u.bytes)
        return unit[at.bytes + p.group * 512 + p.lane * 16 + p.f * 4 + p.k];
    if (u.nibbles) {
        int byte = layout_nibble(type, p, &shift);

        code = unit[at.nibbles + byte] >> shift & 15;
    }
    if (u.twos) {
        unsigned two = unit[at.twos + p.lane * 16 + p.f * 4 + p.k] >> 2 * p.group & 3;

        code |= u.nibbles ? two << 4 : two;
        low = u.nibbles ? 4 : 2;
    }
    if (u.ones)
        code |=
            (unit[at.ones + p.lane * 8 + (p.group >> 1) * 4 + p.k] >> (4 * (p.group & 1) + p.f) &
             1u)
            << low;
    return code ^ u.turned;
}

/* Six-bit scale (which = 0) or minimum (1) of group i of a block with 12 bytes of them. */
LAYOUT_FN int block_six_bits(int type, const uint8_t *s, int i, int which)
{
    if (type == TRUENO_Q3_K)
        return (s[i & 7] >> 4 * (i >> 3) & 15) | (s[8 + (i & 3)] >> 2 * (i >> 2) & 3) << 4;
    if (i < 4)
        return s[i + 4 * which] & 63;
    return (s[i + 4] >> 4 * which & 15) | (s[i - 4 + 4 * which] >> 6) << 4;
}

LAYOUT_FN uint32_t layout_get24(const uint8_t *words, const uint8_t *rest, int lane, int upper)
{
    const uint8_t *w = words + 4 * lane, *r = rest + 2 * lane;

    return upper ? (uint32_t)w[3] | (uint32_t)r[0] << 8 | (uint32_t)r[1] << 16
                 : (uint32_t)w[0] | (uint32_t)w[1] << 8 | (uint32_t)w[2] << 16;
}

LAYOUT_FN void layout_put24(uint8_t *words, uint8_t *rest, int lane, int upper, uint32_t v)
{
    uint8_t *w = words + 4 * lane, *r = rest + 2 * lane;

    if (upper) {
        w[3] = (uint8_t)v;
        r[0] = (uint8_t)(v >> 8);
        r[1] = (uint8_t)(v >> 16);
    } else {
        w[0] = (uint8_t)v;
        w[1] = (uint8_t)(v >> 8);
        w[2] = (uint8_t)(v >> 16);
    }
}

/* The small scales of lane (row, t) of a K unit as one number of up to 32 bits:
 * Q4_K, Q5_K  scale and minimum of group t, then of group t + 4, six bits each
 * Q3_K        scales of groups of 16: 2 t, 2 t + 1, 2 t + 8, 2 t + 9, six bits each
 * Q2_K, Q6_K  the same four, eight bits each
 * IQ4_XS      scales of groups t and t + 4, six bits each */
LAYOUT_FN uint32_t block_small_scales(int type, const uint8_t *b, int t)
{
    switch (type) {
    case TRUENO_Q4_K:
    case TRUENO_Q5_K:
        return (uint32_t)(block_six_bits(type, b + 4, t, 0) |
                          block_six_bits(type, b + 4, t, 1) << 6 |
                          block_six_bits(type, b + 4, t + 4, 0) << 12 |
                          block_six_bits(type, b + 4, t + 4, 1) << 18);
    case TRUENO_Q3_K:
        return (uint32_t)(block_six_bits(type, b + 96, 2 * t, 0) |
                          block_six_bits(type, b + 96, 2 * t + 1, 0) << 6 |
                          block_six_bits(type, b + 96, 2 * t + 8, 0) << 12 |
                          block_six_bits(type, b + 96, 2 * t + 9, 0) << 18);
    case TRUENO_Q2_K:
    case TRUENO_Q6_K: {
        const uint8_t *s = type == TRUENO_Q6_K ? b + 192 : b;

        return (uint32_t)s[2 * t] | (uint32_t)s[2 * t + 1] << 8 | (uint32_t)s[2 * t + 8] << 16 |
               (uint32_t)s[2 * t + 9] << 24;
    }
    case TRUENO_IQ4_XS: {
        unsigned high = (unsigned)(b[2] | b[3] << 8), v = 0;

        for (int i = 0; i < 2; i++) {
            int group = t + 4 * i;

            v |= ((unsigned)(b[4 + group / 2] >> 4 * (group & 1) & 15) | (high >> 2 * group & 3)
                                                                             << 4)
                 << 6 * i;
        }
        return v;
    }
    default:
        return 0;
    }
}

/* Bytes of the float scales of a row in a block (d, or d and a minimum's) and where they lie. */
LAYOUT_FN int block_halves(int type, int *offset)
{
    switch (type) {
    case TRUENO_Q2_K:
        *offset = 80;
        return 4;
    case TRUENO_Q3_K:
        *offset = 108;
        return 2;
    case TRUENO_Q6_K:
        *offset = 208;
        return 2;
    case TRUENO_Q4_1:
    case TRUENO_Q5_1:
    case TRUENO_Q4_K:
    case TRUENO_Q5_K:
        *offset = 0;
        return 4;
    default:
        *offset = 0;
        return 2;
    }
}

/* Bytes of the small scales of a K unit, before its float scales. */
LAYOUT_FN int layout_small_bytes(int type)
{
    return type == TRUENO_IQ4_XS                        ? 96
           : type == TRUENO_Q3_K                        ? 192
           : type == TRUENO_Q4_K || type == TRUENO_Q5_K ? 192
                                                        : 256;
}

LAYOUT_FN uint32_t layout_small_scales(int type, const uint8_t *scales, int row, int t)
{
    int lane = 4 * (row & 7) + t, upper = row >> 3;

    if (type == TRUENO_IQ4_XS) {
        uint32_t v =
            (uint32_t)(scales[2 * lane] | scales[2 * lane + 1] << 8 | scales[64 + lane] << 16);

        return v >> 12 * upper & 0xfff;
    }
    if (type == TRUENO_Q2_K || type == TRUENO_Q6_K) {
        const uint8_t *s = scales + 8 * lane + 4 * upper;

        return (uint32_t)s[0] | (uint32_t)s[1] << 8 | (uint32_t)s[2] << 16 | (uint32_t)s[3] << 24;
    }
    return layout_get24(scales, scales + 128, lane, upper);
}

/* Where the float scales of (row, group of 32 in the step) lie behind a unit's planes. Simple
 * types: [32 lanes (row & 7, group)][d of row g, d of row g + 8][, then both minima]; K types: [16
 * rows]. */
LAYOUT_FN int layout_half_offset(int type, int row, int group, int which)
{
    layout_info u = layout_get(type);
    int offset, bytes = block_halves(type, &offset);

    if (u.steps == 1)
        return (4 * (row & 7) + group) * 2 * bytes + 4 * which + 2 * (row >> 3);
    return layout_small_bytes(type) + row * bytes + 2 * which;
}

LAYOUT_FN float layout_half(const uint8_t *p)
{
    uint16_t h = (uint16_t)(p[0] | p[1] << 8);
#ifdef __CUDA_ARCH__
    float x;

    asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(h));
    return x;
#else
    return trueno_f16_to_f32(h);
#endif
}

/* The weight at (row, col) of a unit, in float arithmetic. */
LAYOUT_FN float layout_weight(int type, const uint8_t *unit, int row, int col)
{
    layout_info u = layout_get(type);
    const uint8_t *scales = unit + layout_offsets(&u, 0).scales;
    int group = col >> 5 & 3, step = col >> 7, code = (int)layout_code(type, unit, row, col);
    float d = layout_half(scales + layout_half_offset(type, row, group, 0));
    const int levels[16] = {IQ4_VALUES_LIST};
    uint32_t small = u.steps == 2 ? layout_small_scales(type, scales, row, group) : 0;
    int third = 2 * step + (col >> 4 & 1); /* of four groups of 16 */

    switch (type) {
    case TRUENO_Q4_0:
        return d * (float)(code - 8);
    case TRUENO_Q5_0:
        return d * (float)(code - 16);
    case TRUENO_Q8_0:
        return d * (float)(int8_t)code;
    case TRUENO_IQ4_NL:
        return d * (float)levels[code];
    case TRUENO_Q4_1:
    case TRUENO_Q5_1:
        return d * (float)code + layout_half(scales + layout_half_offset(type, row, group, 1));
    case TRUENO_Q4_K:
    case TRUENO_Q5_K:
        return d * (float)(small >> 12 * step & 63) * (float)code -
               layout_half(scales + layout_half_offset(type, row, group, 1)) *
                   (float)(small >> (12 * step + 6) & 63);
    case TRUENO_Q2_K:
        return d * (float)(small >> 8 * third & 15) * (float)code -
               layout_half(scales + layout_half_offset(type, row, group, 1)) *
                   (float)(small >> (8 * third + 4) & 15);
    case TRUENO_Q3_K:
        return d * (float)((int)(small >> 6 * third & 63) - 32) * (float)(code - 4);
    case TRUENO_Q6_K:
        return d * (float)(int8_t)(small >> 8 * third) * (float)(code - 32);
    default: /* IQ4_XS */
        return d * (float)((int)(small >> 6 * step & 63) - 32) * (float)levels[code];
    }
}

/* Write the scales of (row, t) of a unit: t is the group of a simple type's block, or counts the
 * parts of a K block's small scales. */
LAYOUT_FN void pack_scales(int type, const uint8_t *b, int row, int t, uint8_t *scales)
{
    layout_info u = layout_get(type);
    int offset, bytes = block_halves(type, &offset), lane = 4 * (row & 7) + t, upper = row >> 3;
    uint32_t v;

    if (u.steps == 1 || t == 0)
        for (int i = 0; i < bytes; i++)
            scales[layout_half_offset(type, row, t, i >> 1) + (i & 1)] = b[offset + i];
    if (u.steps == 1)
        return;
    v = block_small_scales(type, b, t);
    if (type == TRUENO_Q2_K || type == TRUENO_Q6_K) {
        for (int i = 0; i < 4; i++)
            scales[8 * lane + 4 * upper + i] = (uint8_t)(v >> 8 * i);
    } else if (type != TRUENO_IQ4_XS) {
        layout_put24(scales, scales + 128, lane, upper, v);
    }
}

/* IQ4_XS packs both rows of a lane into 24 bits. */
LAYOUT_FN void pack_table_scales(const uint8_t *lower, const uint8_t *upper, int lane,
                                 uint8_t *scales)
{
    uint32_t v = block_small_scales(TRUENO_IQ4_XS, lower, lane & 3) |
                 block_small_scales(TRUENO_IQ4_XS, upper, lane & 3) << 12;

    scales[2 * lane] = (uint8_t)v;
    scales[2 * lane + 1] = (uint8_t)(v >> 8);
    scales[64 + lane] = (uint8_t)(v >> 16);
}

/* Pack lane `lane` of a unit. rows[r] points at the file's first block of the unit in row r (16
 * rows; rows beyond the matrix and blocks beyond its columns point at zero bytes); block_stride
 * bytes lie between the four blocks of a simple type's row. 32 calls write the unit whole. */
LAYOUT_FN void layout_pack_lane(int type, const uint8_t *const rows[LAYOUT_ROWS],
                                const int n_blocks, int lane, uint8_t *unit)
{
    layout_info u = layout_get(type);
    int g = lane >> 2, t = lane & 3;

    for (int step = 0; step < u.steps; step++) {
        layout_planes at = layout_offsets(&u, step);
        uint8_t ones[8] = {0, 0, 0, 0, 0, 0, 0, 0};

        for (int f = 0; f < 4; f++) {
            const uint8_t *row = rows[g + 8 * (f & 1)];

            for (int k = 0; k < 4; k++) {
                unsigned code[4], twos = 0;

                for (int s = 0; s < 4; s++) {
                    int in = 16 * (f >> 1) + 4 * t + k;
                    bool there = u.steps == 2 || s < n_blocks;
                    const uint8_t *b = u.steps == 2 ? row : row + s * u.block;

                    code[s] =
                        there ? block_code(type, b, u.steps == 2 ? 128 * step + 32 * s + in : in)
                              : u.turned; /* any finite code: its scale is zero */
                    code[s] ^= u.turned;
                    if (u.bytes)
                        unit[at.bytes + s * 512 + lane * 16 + f * 4 + k] = (uint8_t)code[s];
                    if (u.twos)
                        twos |= (u.nibbles ? code[s] >> 4 : code[s] & 3) << 2 * s;
                    if (u.ones)
                        ones[4 * (s >> 1) + k] |=
                            (uint8_t)((code[s] >> (u.nibbles ? 4 : 2) & 1) << (4 * (s & 1) + f));
                }
                if (u.twos)
                    unit[at.twos + lane * 16 + f * 4 + k] = (uint8_t)twos;
                if (u.nibbles && !layout_is_table(type))
                    for (int p = 0; p < 2; p++)
                        unit[at.nibbles + p * 512 + lane * 16 + f * 4 + k] =
                            (uint8_t)((code[2 * p] & 15) | (code[2 * p + 1] & 15) << 4);
                if (u.nibbles && layout_is_table(type))
                    for (int s = 0; s < 4; s++) {
                        uint8_t *byte = unit + at.nibbles + (s >> 1) * 512 + lane * 16 + f * 4 +
                                        2 * (s & 1) + (k >> 1);

                        *byte = (uint8_t)((k & 1) ? *byte | code[s] << 4 : code[s]);
                    }
            }
        }
        if (u.ones)
            memcpy(unit + at.ones + lane * 8, ones, sizeof ones);
    }
    for (int upper = 0; upper < 2; upper++) {
        uint8_t *scales = unit + layout_offsets(&u, 0).scales;
        int row = g + 8 * upper;

        if (u.steps == 2) {
            pack_scales(type, rows[row], row, t, scales);
        } else if (t < n_blocks) {
            pack_scales(type, rows[row] + t * u.block, row, t, scales);
        } else {
            int offset, bytes = block_halves(type, &offset);

            for (int which = 0; which < bytes / 2; which++)
                memset(scales + layout_half_offset(type, row, t, which), 0, 2);
        }
        if (type == TRUENO_IQ4_XS && upper == 0)
            pack_table_scales(rows[g], rows[g + 8], lane, scales);
    }
}

#endif
