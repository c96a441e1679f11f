/* SPDX-License-Identifier: MIT */
/* From a file's blocks to the units of layout.h; plain C for host and device too. */
#ifndef CUDA_LAYOUT_PACK_H
#define CUDA_LAYOUT_PACK_H

#include "layout.h"

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

/* Six-bit scale (which = 0) or minimum (1) of group i of a block with 12 bytes of them. */
LAYOUT_FN int block_six_bits(int type, const uint8_t *s, int i, int which)
{
    if (type == TRUENO_Q3_K)
        return (s[i & 7] >> 4 * (i >> 3) & 15) | (s[8 + (i & 3)] >> 2 * (i >> 2) & 3) << 4;
    if (i < 4)
        return s[i + 4 * which] & 63;
    return (s[i + 4] >> 4 * which & 15) | (s[i - 4 + 4 * which] >> 6) << 4;
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
