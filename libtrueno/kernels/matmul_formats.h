/* SPDX-License-Identifier: MIT */
/*
 * From packed units to registers, for any vector width: what kernels/matmul_unpack.c says, over
 * VBYTES / 4 lanes at a time. Included once a level, after the level's vectors (v_*) are defined.
 *
 * A type is three functions: begin() loads what a unit shares, quants() gives the eight vectors of
 * step j (32 weights, as codes above the type's zero point), scales() its scales and minima. All
 * are inlined into loops that are unrolled over j, so that j is a constant.
 */
#ifndef KERNELS_MATMUL_FORMATS_H
#define KERNELS_MATMUL_FORMATS_H

#define INLINE static inline __attribute__((always_inline))

/* The lanes of a unit that one pass handles. */
typedef struct unit_lanes {
    const uint8_t *lines; /* the unit's first line, at this pass's lanes */
    const uint8_t *words; /* the same for lines of 16-bit numbers */
} unit_lanes;

/* What the steps of a unit share. */
typedef struct unit_state {
    vf d, m; /* block scale and minimum, or the scales of two blocks */
    vu8 scales[4], minima[2];
    vu32 high;
} unit_state;

INLINE vu8 line_at(unit_lanes u, int64_t i)
{
    return *(const vu8 *)(const void *)(u.lines + LINE_BYTES * i);
}

/* First or second half of a line of 16-bit numbers. */
INLINE const uint8_t *words_at(unit_lanes u, int64_t line, int64_t second)
{
    return u.words + LINE_BYTES * line + LINE_BYTES / 2 * second;
}

INLINE vu8 shift_right(vu8 x, int bits, int mask)
{
    return (vu8)((vu16)x >> bits) & (uint8_t)mask;
}

/* Bits of each byte moved up (left > 0) or down, among those of its neighbour. */
INLINE vu8 shift(vu8 x, int left)
{
    return left >= 0 ? (vu8)((vu16)x << left) : (vu8)((vu16)x >> -left);
}

INLINE vu8 shift_left(vu8 x, int left, int mask)
{
    return shift(x, left) & (uint8_t)mask;
}

/* Byte i of every lane as a float. */
INLINE vf byte_f32(vu8 x, int i)
{
    return v_from_i32((vi32)((vu32)x >> 8 * i & 255));
}

INLINE vf signed_byte_f32(vu8 x, int i)
{
    return v_from_i32((vi32)((vu32)x << (24 - 8 * i)) >> 24);
}

/* Four lines of nibbles: weights 0..15 in the low halves, 16..31 in the high halves. */
INLINE void nibbles(unit_lanes u, int line, vu8 w[BLOCK_LINES])
{
    for (int i = 0; i < 4; i++) {
        vu8 x = line_at(u, line + i);

        w[i] = x & 15;
        w[4 + i] = shift_right(x, 4, 15);
    }
}

/* The fifth bits of 32 weights: bit i of each byte of a line of PIECE_BITS. */
INLINE void fifth_bits(unit_lanes u, int line, vu8 w[BLOCK_LINES])
{
    vu8 x = line_at(u, line);

    for (int i = 0; i < BLOCK_LINES; i++)
        w[i] |= shift_left(x, 4 - i, 16);
}

INLINE void subtract(vu8 w[BLOCK_LINES], int offset)
{
    for (int i = 0; i < BLOCK_LINES; i++)
        w[i] -= (uint8_t)offset;
}

INLINE void look_up(vu8 w[BLOCK_LINES])
{
    for (int i = 0; i < BLOCK_LINES; i++)
        w[i] = v_iq4_values(w[i]);
}

/* Two halves in the words line 0: of two blocks, or scale and minimum. */
INLINE void begin_pair(unit_lanes u, unit_state *s)
{
    s->d = v_halves(words_at(u, 0, 0));
    s->m = v_halves(words_at(u, 0, 1));
}

INLINE void scale_of_two(const unit_state *s, int j, vf scale[2])
{
    scale[0] = j == 0 ? s->d : s->m;
}

#define begin_q4_0   begin_pair
#define begin_q4_1   begin_pair
#define begin_q5_0   begin_pair
#define begin_q5_1   begin_pair
#define begin_q8_0   begin_pair
#define begin_iq4_nl begin_pair

INLINE void quants_q4_0(unit_lanes u, const unit_state *s, int j, vu8 w[BLOCK_LINES])
{
    (void)s;
    nibbles(u, 1 + 4 * j, w);
}

INLINE void scales_q4_0(unit_lanes u, const unit_state *s, int j, vf scale[2], vf minimum[2])
{
    (void)u, (void)minimum;
    scale_of_two(s, j, scale);
}

INLINE void quants_q4_1(unit_lanes u, const unit_state *s, int j, vu8 w[BLOCK_LINES])
{
    (void)s, (void)j;
    nibbles(u, 1, w);
}

INLINE void scales_q4_1(unit_lanes u, const unit_state *s, int j, vf scale[2], vf minimum[2])
{
    (void)u, (void)j;
    scale[0] = s->d;
    minimum[0] = s->m;
}

INLINE void quants_q5_0(unit_lanes u, const unit_state *s, int j, vu8 w[BLOCK_LINES])
{
    (void)s;
    nibbles(u, 3 + 4 * j, w);
    fifth_bits(u, 1 + j, w);
}

#define scales_q5_0 scales_q4_0

INLINE void quants_q5_1(unit_lanes u, const unit_state *s, int j, vu8 w[BLOCK_LINES])
{
    (void)s, (void)j;
    nibbles(u, 2, w);
    fifth_bits(u, 1, w);
}

#define scales_q5_1 scales_q4_1

INLINE void quants_q8_0(unit_lanes u, const unit_state *s, int j, vu8 w[BLOCK_LINES])
{
    (void)s;
    for (int i = 0; i < BLOCK_LINES; i++)
        w[i] = line_at(u, 1 + 8 * j + i);
}

#define scales_q8_0 scales_q4_0

INLINE void quants_iq4_nl(unit_lanes u, const unit_state *s, int j, vu8 w[BLOCK_LINES])
{
    (void)s;
    nibbles(u, 1 + 4 * j, w);
    look_up(w);
}

#define scales_iq4_nl scales_q4_0

INLINE void begin_iq4_xs(unit_lanes u, unit_state *s)
{
    s->d = v_halves(words_at(u, 0, 0));
    s->high = v_words(words_at(u, 0, 1));
    s->scales[0] = line_at(u, 1);
}

INLINE void quants_iq4_xs(unit_lanes u, const unit_state *s, int j, vu8 w[BLOCK_LINES])
{
    (void)s;
    nibbles(u, 2 + 4 * j, w);
    look_up(w);
}

INLINE void scales_iq4_xs(unit_lanes u, const unit_state *s, int j, vf scale[2], vf minimum[2])
{
    vu32 low = (vu32)s->scales[0] >> 4 * j & 15, high = s->high >> 2 * j & 3;

    (void)u, (void)minimum;
    scale[0] = s->d * v_from_i32((vi32)(low | high << 4) - 32);
}

/* Eight lines of two-bit fields at bits 2 j of each byte. */
INLINE void two_bits(unit_lanes u, int line, int j, vu8 w[BLOCK_LINES])
{
    for (int i = 0; i < BLOCK_LINES; i++)
        w[i] = shift_right(line_at(u, line + i), 2 * j, 3);
}

INLINE void begin_q2_k(unit_lanes u, unit_state *s)
{
    begin_pair(u, s);
    for (int i = 0; i < 4; i++)
        s->scales[i] = line_at(u, 1 + i);
}

INLINE void quants_q2_k(unit_lanes u, const unit_state *s, int j, vu8 w[BLOCK_LINES])
{
    (void)s;
    two_bits(u, 5 + 8 * (j / 4), j % 4, w);
}

INLINE void scales_q2_k(unit_lanes u, const unit_state *s, int j, vf scale[2], vf minimum[2])
{
    (void)u;
    for (int i = 0; i < 2; i++) {
        vu8 both = s->scales[(2 * j + i) / 4];

        scale[i] = s->d * byte_f32(both & 15, (2 * j + i) % 4);
        minimum[i] = -s->m * byte_f32(shift_right(both, 4, 15), (2 * j + i) % 4);
    }
}

INLINE void begin_q3_k(unit_lanes u, unit_state *s)
{
    vu8 a = line_at(u, 1), b = line_at(u, 2), high = line_at(u, 3);

    s->d = v_halves(words_at(u, 0, 0));
    s->scales[0] = ((a & 15) | shift_left(high, 4, 48)) - 32;
    s->scales[1] = ((b & 15) | shift_left(high, 2, 48)) - 32;
    s->scales[2] = (shift_right(a, 4, 15) | (high & 48)) - 32;
    s->scales[3] = (shift_right(b, 4, 15) | shift_left(high, -2, 48)) - 32;
}

INLINE void quants_q3_k(unit_lanes u, const unit_state *s, int j, vu8 w[BLOCK_LINES])
{
    (void)s;
    two_bits(u, 12 + 8 * (j / 4), j % 4, w);
    for (int i = 0; i < BLOCK_LINES; i++)
        w[i] |= shift_left(line_at(u, 4 + i), 2 - j, 4);
}

INLINE void scales_q3_k(unit_lanes u, const unit_state *s, int j, vf scale[2], vf minimum[2])
{
    (void)u, (void)minimum;
    for (int i = 0; i < 2; i++)
        scale[i] = s->d * signed_byte_f32(s->scales[(2 * j + i) / 4], (2 * j + i) % 4);
}

INLINE void begin_q4_k(unit_lanes u, unit_state *s)
{
    vu8 a = line_at(u, 1), b = line_at(u, 2), c = line_at(u, 3);

    begin_pair(u, s);
    s->m = -s->m;
    s->scales[0] = a & 63;
    s->scales[1] = (c & 15) | shift_right(a, 2, 48);
    s->minima[0] = b & 63;
    s->minima[1] = shift_right(c, 4, 15) | shift_right(b, 2, 48);
}

/* Eight lines of nibbles: step 2 p in the low halves, 2 p + 1 in the high ones. */
INLINE void wide_nibbles(unit_lanes u, int line, int j, vu8 w[BLOCK_LINES])
{
    for (int i = 0; i < BLOCK_LINES; i++)
        w[i] = shift_right(line_at(u, line + 8 * (j / 2) + i), 4 * (j % 2), 15);
}

INLINE void quants_q4_k(unit_lanes u, const unit_state *s, int j, vu8 w[BLOCK_LINES])
{
    (void)s;
    wide_nibbles(u, 4, j, w);
}

INLINE void scales_q4_k(unit_lanes u, const unit_state *s, int j, vf scale[2], vf minimum[2])
{
    (void)u;
    scale[0] = s->d * byte_f32(s->scales[j / 4], j % 4);
    minimum[0] = s->m * byte_f32(s->minima[j / 4], j % 4);
}

#define begin_q5_k  begin_q4_k
#define scales_q5_k scales_q4_k

INLINE void quants_q5_k(unit_lanes u, const unit_state *s, int j, vu8 w[BLOCK_LINES])
{
    (void)s;
    wide_nibbles(u, 12, j, w);
    for (int i = 0; i < BLOCK_LINES; i++)
        w[i] |= shift_left(line_at(u, 4 + i), 4 - j, 16);
}

INLINE void begin_q6_k(unit_lanes u, unit_state *s)
{
    s->d = v_halves(words_at(u, 0, 0));
    for (int i = 0; i < 4; i++)
        s->scales[i] = line_at(u, 1 + i);
}

INLINE void quants_q6_k(unit_lanes u, const unit_state *s, int j, vu8 w[BLOCK_LINES])
{
    int half = j / 4, quarter = j % 4;

    (void)s;
    for (int i = 0; i < BLOCK_LINES; i++)
        w[i] =
            v_select((vu8){0} + 15,
                     shift(line_at(u, 5 + 16 * half + 8 * (quarter % 2) + i), -4 * (quarter / 2)),
                     shift(line_at(u, 37 + 8 * half + i), 4 - 2 * quarter)) &
            63;
}

#define scales_q6_k scales_q3_k

#endif
