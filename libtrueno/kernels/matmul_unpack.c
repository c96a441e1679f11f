/* SPDX-License-Identifier: MIT */
/* From packed units to stripes, scalar: what each type's layout means. */
#include "matmul.h"

#include "blocks.h"

#include <string.h>
#include <trueno/sys/half.h>

/* One row's share of a unit: lane `r` of its lines. */
typedef struct lane {
    const uint8_t *unit;
    int r;
} lane;

/* What a step of 32 weights unpacks to. */
typedef struct step {
    int8_t q[BLOCK_WEIGHTS];
    float scale[2], minimum[2];
} step;

static const int8_t IQ4_VALUES[16] = {IQ4_VALUES_LIST};

static uint8_t byte_at(lane l, int line, int b)
{
    return l.unit[LINE_BYTES * line + 4 * l.r + b];
}

static uint16_t word_at(lane l, int line, int second)
{
    uint16_t u;

    memcpy(&u, &l.unit[LINE_BYTES * line + 32 * second + 2 * l.r], sizeof u);
    return u;
}

static float half_at(lane l, int line, int second)
{
    return trueno_f16_to_f32(word_at(l, line, second));
}

/* Weights in four lines of nibbles: 0..15 in the low halves, 16..31 in the high halves. */
static int nibble_at(lane l, int line, int k)
{
    return byte_at(l, line + k % 16 / 4, k % 4) >> 4 * (k / 16) & 15;
}

/* Bit of weight k in a line of PIECE_BITS. */
static int bit_at(lane l, int line, int k)
{
    return byte_at(l, line, k % 4) >> k / 4 & 1;
}

/* Field of `bits` bits at `shift` of byte k of eight lines: how the K types store 32 weights. */
static int field_at(lane l, int line, int k, int shift, int bits)
{
    return byte_at(l, line + k / 4, k % 4) >> shift & ((1 << bits) - 1);
}

static void scale_bytes(lane l, int line, int count, uint8_t *out)
{
    for (int k = 0; k < count; k++)
        out[k] = byte_at(l, line + k / 4, k % 4);
}

static void step_q4_0(lane l, int j, step *s)
{
    for (int k = 0; k < BLOCK_WEIGHTS; k++)
        s->q[k] = (int8_t)(nibble_at(l, 1 + 4 * j, k) - 8);
    s->scale[0] = half_at(l, 0, j);
}

static void step_q4_1(lane l, int j, step *s)
{
    (void)j;
    for (int k = 0; k < BLOCK_WEIGHTS; k++)
        s->q[k] = (int8_t)nibble_at(l, 1, k);
    s->scale[0] = half_at(l, 0, 0);
    s->minimum[0] = half_at(l, 0, 1);
}

static void step_q5_0(lane l, int j, step *s)
{
    for (int k = 0; k < BLOCK_WEIGHTS; k++)
        s->q[k] = (int8_t)((nibble_at(l, 3 + 4 * j, k) | bit_at(l, 1 + j, k) << 4) - 16);
    s->scale[0] = half_at(l, 0, j);
}

static void step_q5_1(lane l, int j, step *s)
{
    (void)j;
    for (int k = 0; k < BLOCK_WEIGHTS; k++)
        s->q[k] = (int8_t)(nibble_at(l, 2, k) | bit_at(l, 1, k) << 4);
    s->scale[0] = half_at(l, 0, 0);
    s->minimum[0] = half_at(l, 0, 1);
}

static void step_q8_0(lane l, int j, step *s)
{
    for (int k = 0; k < BLOCK_WEIGHTS; k++)
        s->q[k] = (int8_t)byte_at(l, 1 + 8 * j + k / 4, k % 4);
    s->scale[0] = half_at(l, 0, j);
}

static void step_iq4_nl(lane l, int j, step *s)
{
    for (int k = 0; k < BLOCK_WEIGHTS; k++)
        s->q[k] = IQ4_VALUES[nibble_at(l, 1 + 4 * j, k)];
    s->scale[0] = half_at(l, 0, j);
}

static void step_iq4_xs(lane l, int j, step *s)
{
    int low = byte_at(l, 1, j / 2) >> 4 * (j % 2) & 15, high = word_at(l, 0, 1) >> 2 * j & 3;

    for (int k = 0; k < BLOCK_WEIGHTS; k++)
        s->q[k] = IQ4_VALUES[nibble_at(l, 2 + 4 * j, k)];
    s->scale[0] = half_at(l, 0, 0) * (float)((low | high << 4) - 32);
}

static void step_q2_k(lane l, int j, step *s)
{
    for (int k = 0; k < BLOCK_WEIGHTS; k++)
        s->q[k] = (int8_t)field_at(l, 5 + 8 * (j / 4), k, 2 * (j % 4), 2);
    for (int i = 0; i < 2; i++) {
        int both = byte_at(l, 1 + (2 * j + i) / 4, (2 * j + i) % 4);

        s->scale[i] = half_at(l, 0, 0) * (float)(both & 15);
        s->minimum[i] = -half_at(l, 0, 1) * (float)(both >> 4);
    }
}

static void step_q3_k(lane l, int j, step *s)
{
    uint8_t scales[12];

    scale_bytes(l, 1, 12, scales);
    for (int k = 0; k < BLOCK_WEIGHTS; k++)
        s->q[k] = (int8_t)((field_at(l, 12 + 8 * (j / 4), k, 2 * (j % 4), 2) |
                            field_at(l, 4, k, j, 1) << 2) -
                           4);
    for (int i = 0; i < 2; i++)
        s->scale[i] = half_at(l, 0, 0) * (float)q3_k_scale(scales, 2 * j + i);
}

static void scales_q4_k(lane l, int j, step *s)
{
    uint8_t scales[12];

    scale_bytes(l, 1, 12, scales);
    s->scale[0] = half_at(l, 0, 0) * (float)q4_k_scale(scales, j);
    s->minimum[0] = -half_at(l, 0, 1) * (float)q4_k_minimum(scales, j);
}

static void step_q4_k(lane l, int j, step *s)
{
    for (int k = 0; k < BLOCK_WEIGHTS; k++)
        s->q[k] = (int8_t)field_at(l, 4 + 8 * (j / 2), k, 4 * (j % 2), 4);
    scales_q4_k(l, j, s);
}

static void step_q5_k(lane l, int j, step *s)
{
    for (int k = 0; k < BLOCK_WEIGHTS; k++)
        s->q[k] = (int8_t)(field_at(l, 12 + 8 * (j / 2), k, 4 * (j % 2), 4) |
                           field_at(l, 4, k, j, 1) << 4);
    scales_q4_k(l, j, s);
}

static void step_q6_k(lane l, int j, step *s)
{
    int half = j / 4, quarter = j % 4;

    for (int k = 0; k < BLOCK_WEIGHTS; k++)
        s->q[k] =
            (int8_t)((field_at(l, 5 + 16 * half + 8 * (quarter % 2), k, 4 * (quarter / 2), 4) |
                      field_at(l, 37 + 8 * half, k, 2 * quarter, 2) << 4) -
                     32);
    for (int i = 0; i < 2; i++)
        s->scale[i] =
            half_at(l, 0, 0) * (float)(int8_t)byte_at(l, 1 + (2 * j + i) / 4, (2 * j + i) % 4);
}

enum { SCALES_AT = LINE_BYTES * BLOCK_LINES }; /* of a step of a stripe, behind its quants */

typedef void (*step_fn)(lane l, int j, step *s);

static void unpack_steps(const packed_format *f, step_fn fn, const uint8_t *units, int64_t n_units,
                         uint8_t *stripe)
{
    const int subs = BLOCK_WEIGHTS / f->sub;
    const size_t unit_bytes = LINE_BYTES * (size_t)f->lines;
    const size_t step_bytes = LINE_BYTES * (size_t)stripe_block_lines(f);

    for (int64_t u = 0; u < n_units; u++, units += unit_bytes)
        for (int j = 0; j < f->unit / BLOCK_WEIGHTS; j++, stripe += step_bytes)
            for (int r = 0; r < GROUP_ROWS; r++) {
                float *scales = (float *)(stripe + SCALES_AT);
                step s = {0};

                fn((lane){units, r}, j, &s);
                for (int k = 0; k < BLOCK_WEIGHTS; k++)
                    stripe[LINE_BYTES * (k / 4) + 4 * r + k % 4] = (uint8_t)s.q[k];
                for (int i = 0; i < subs; i++) {
                    scales[GROUP_ROWS * i + r] = s.scale[i];
                    if (f->minimum)
                        scales[GROUP_ROWS * (subs + i) + r] = s.minimum[i];
                }
            }
}

#define UNPACK(suffix, type)                                                             \
    static void unpack_##suffix##_c(const uint8_t *units, int64_t n_units, void *stripe) \
    {                                                                                    \
        unpack_steps(packed_format_get(type), step_##suffix, units, n_units, stripe);    \
    }

UNPACK(q4_0, TRUENO_Q4_0)
UNPACK(q4_1, TRUENO_Q4_1)
UNPACK(q5_0, TRUENO_Q5_0)
UNPACK(q5_1, TRUENO_Q5_1)
UNPACK(q8_0, TRUENO_Q8_0)
UNPACK(q2_k, TRUENO_Q2_K)
UNPACK(q3_k, TRUENO_Q3_K)
UNPACK(q4_k, TRUENO_Q4_K)
UNPACK(q5_k, TRUENO_Q5_K)
UNPACK(q6_k, TRUENO_Q6_K)
UNPACK(iq4_nl, TRUENO_IQ4_NL)
UNPACK(iq4_xs, TRUENO_IQ4_XS)

static void unpack_f32_c(const uint8_t *units, int64_t n_units, void *stripe)
{
    memcpy(stripe, units, (size_t)n_units * 16 * LINE_BYTES);
}

static void unpack_f16_c(const uint8_t *units, int64_t n_units, void *stripe)
{
    const uint16_t *h = (const uint16_t *)(const void *)units;
    float *out = stripe;

    for (int64_t i = 0; i < n_units * 16 * GROUP_ROWS; i++)
        out[i] = trueno_f16_to_f32(h[i]);
}

static void unpack_bf16_c(const uint8_t *units, int64_t n_units, void *stripe)
{
    const uint16_t *h = (const uint16_t *)(const void *)units;
    float *out = stripe;

    for (int64_t k = 0; k < n_units * 16; k++)
        for (int r = 0; r < GROUP_ROWS; r++)
            *out++ = trueno_bf16_to_f32(h[(k / 2 * GROUP_ROWS + r) * 2 + k % 2]);
}

void matmul_init_unpack_c(matmul_kernels *k)
{
    k->of[TRUENO_F32].unpack = unpack_f32_c;
    k->of[TRUENO_F16].unpack = unpack_f16_c;
    k->of[TRUENO_BF16].unpack = unpack_bf16_c;
    k->of[TRUENO_Q4_0].unpack = unpack_q4_0_c;
    k->of[TRUENO_Q4_1].unpack = unpack_q4_1_c;
    k->of[TRUENO_Q5_0].unpack = unpack_q5_0_c;
    k->of[TRUENO_Q5_1].unpack = unpack_q5_1_c;
    k->of[TRUENO_Q8_0].unpack = unpack_q8_0_c;
    k->of[TRUENO_Q2_K].unpack = unpack_q2_k_c;
    k->of[TRUENO_Q3_K].unpack = unpack_q3_k_c;
    k->of[TRUENO_Q4_K].unpack = unpack_q4_k_c;
    k->of[TRUENO_Q5_K].unpack = unpack_q5_k_c;
    k->of[TRUENO_Q6_K].unpack = unpack_q6_k_c;
    k->of[TRUENO_IQ4_NL].unpack = unpack_iq4_nl_c;
    k->of[TRUENO_IQ4_XS].unpack = unpack_iq4_xs_c;
}
