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

#endif
