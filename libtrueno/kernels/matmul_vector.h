/* SPDX-License-Identifier: MIT */
/*
 * Matrix products for any vector width, included once a level after its vectors: types vu8, vu16,
 * vu32, vi32 and vf of VBYTES bytes and the functions v_*. V_TOKENS and V_FLOAT_TOKENS divide
 * PANEL_TOKENS: how many tokens' sums fit the registers.
 */
#ifndef KERNELS_MATMUL_VECTOR_H
#define KERNELS_MATMUL_VECTOR_H

#include "matmul_formats.h"

enum {
    V_PASSES = LINE_BYTES / VBYTES, /* passes over a line's lanes */
    V_LANES = VBYTES / 4,
    NEAR_BYTES = 1024, /* prefetched into L1: 16 lines ahead */
    FAR_BYTES = 3072,  /* prefetched into L2 */
    FLOAT_GROUPS = 4,  /* groups of a float type whose additions overlap */
    SIGNED_BYTES = 128 /* as a zero point: the codes are signed themselves */
};

INLINE unit_lanes lanes_of(const uint8_t *unit, int64_t pass)
{
    return (unit_lanes){unit + VBYTES * pass, unit + VBYTES / 2 * pass};
}

/*
 * Lines [from, to) of a unit, prefetched from L2 a little ahead and from memory further ahead: a
 * miss of L2 would hold one of the few fill buffers of L1 for too long. Groups lie one after
 * another, so this reaches the next group; past the end of the weight it is harmless.
 */
INLINE void prefetch_lines(const uint8_t *unit, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i++) {
        __builtin_prefetch(unit + NEAR_BYTES + LINE_BYTES * i, 0, 3);
        __builtin_prefetch(unit + FAR_BYTES + LINE_BYTES * i, 0, 2);
    }
}

/* sums += w . q over `lines` lines; two chains hide the latency of the dot product. */
INLINE vi32 dot_lines(const vu8 *w, const int8_t *q, int64_t lines, bool is_signed, vi32 start)
{
    vi32 even = start, odd = {0};

    for (int64_t i = 0; i < lines; i += 2) {
        even = is_signed ? v_dot_signed(even, w[i], q + 4 * i) : v_dot(even, w[i], q + 4 * i);
        odd = is_signed ? v_dot_signed(odd, w[i + 1], q + 4 * i + 4)
                        : v_dot(odd, w[i + 1], q + 4 * i + 4);
    }
    return even + odd;
}

/* The start of an integer sum: what v_dot_signed() leaves too much. */
INLINE vi32 sum_start(bool is_signed, int32_t offset)
{
    return is_signed && V_SIGNED_OFFSET ? v_broadcast_i32(offset) : (vi32){0};
}

typedef struct fold_input {
    const int8_t *q;
    const float *scale, *sum;
    const int32_t *offset;
} fold_input;

/* The two sums of an output: scaled products, and minima times sums of activations. */
typedef struct fold_sums {
    vf products, minima;
} fold_sums;

/* The start of a sum of products with codes above `zero`, a power of two: -zero times the sum of
 * activations, of which `offset` is -128 times. */
INLINE vi32 code_start(int zero, int32_t offset)
{
    if (zero == SIGNED_BYTES)
        return sum_start(true, offset);
    return zero == 0 ? (vi32){0} : v_broadcast_i32(offset >> (7 - __builtin_ctz((unsigned)zero)));
}

/* One step of the fold along K for one token: the order that the scalar kernel fixes. */
INLINE void fold_step(fold_sums *y, const vu8 w[BLOCK_LINES], const vf *scale, const vf *minimum,
                      int subs, bool has_minimum, int zero, fold_input a)
{
    const int64_t lines = BLOCK_LINES / subs;
    vf activation = v_broadcast(*a.scale);

    for (int64_t i = 0; i < subs; i++) {
        vi32 sum = dot_lines(w + i * lines, a.q + 4 * i * lines, lines, zero == SIGNED_BYTES,
                             code_start(zero, a.offset[i]));

        y->products = v_fma(v_from_i32(sum) * scale[i], activation, y->products);
        if (has_minimum)
            y->minima = v_fma(minimum[i], v_broadcast(a.sum[i]), y->minima);
    }
}

INLINE void store_line(uint8_t *to, vu8 x)
{
    *(vu8 *)(void *)to = x;
}

/* Groups in runs of `together`: as many streams of memory and chains of additions at a time. */
#define ONE_KERNEL(type, together)                                                      \
    static void one_##type(const uint8_t *groups, size_t group_bytes, int64_t n_groups, \
                           const activations *a, float *out)                            \
    {                                                                                   \
        int64_t g = 0;                                                                  \
                                                                                        \
        for (; g + (together) <= n_groups; g += (together))                             \
            groups_##type(groups + (size_t)g * group_bytes, group_bytes, (together), a, \
                          out + GROUP_ROWS * g);                                        \
        for (; g < n_groups; g++)                                                       \
            groups_##type(groups + (size_t)g * group_bytes, group_bytes, 1, a,          \
                          out + GROUP_ROWS * g);                                        \
    }

/* The three kernels of a type: its row of the format table as constants, its three functions. */
#define TYPE_KERNELS(type, LINES, STEPS, SUBS, MINIMUM, ZERO)                                    \
    static void unpack_##type(const uint8_t *units, int64_t n_units, void *stripe)               \
    {                                                                                            \
        enum {                                                                                   \
            UNIT_BYTES = LINE_BYTES * (LINES),                                                   \
            STEP_BYTES = LINE_BYTES * (BLOCK_LINES + (SUBS) * ((MINIMUM) ? 2 : 1)),              \
            STRIPE_UNIT = STEP_BYTES * (STEPS)                                                   \
        };                                                                                       \
        uint8_t *restrict to = stripe;                                                           \
                                                                                                 \
        for (int64_t n = 0; n < n_units; n++, units += UNIT_BYTES) {                             \
            for (int64_t pass = 0; pass < V_PASSES; pass++) {                                    \
                unit_lanes u = lanes_of(units, pass);                                            \
                unit_state s;                                                                    \
                                                                                                 \
                begin_##type(u, &s);                                                             \
                _Pragma("GCC unroll 8") for (int64_t j = 0; j < (STEPS); j++)                    \
                {                                                                                \
                    uint8_t *step = to + STEP_BYTES * j + VBYTES * pass;                         \
                    vu8 w[BLOCK_LINES];                                                          \
                    vf scale[2], minimum[2];                                                     \
                                                                                                 \
                    if (pass == 0)                                                               \
                        prefetch_lines(units, (LINES)*j / (STEPS), (LINES) * (j + 1) / (STEPS)); \
                    quants_##type(u, &s, (int)j, w);                                             \
                    if ((ZERO) != SIGNED_BYTES)                                                  \
                        subtract(w, ZERO);                                                       \
                    scales_##type(u, &s, (int)j, scale, minimum);                                \
                    for (int64_t i = 0; i < BLOCK_LINES; i++)                                    \
                        store_line(step + LINE_BYTES * i, w[i]);                                 \
                    for (int64_t i = 0; i < (SUBS); i++) {                                       \
                        store_line(step + LINE_BYTES * (BLOCK_LINES + i), (vu8)scale[i]);        \
                        if (MINIMUM)                                                             \
                            store_line(step + LINE_BYTES * (BLOCK_LINES + (SUBS) + i),           \
                                       (vu8)minimum[i]);                                         \
                    }                                                                            \
                }                                                                                \
            }                                                                                    \
            to += STRIPE_UNIT;                                                                   \
        }                                                                                        \
    }                                                                                            \
                                                                                                 \
    /* One group times a[tokens]; out: [tokens][GROUP_ROWS]. */                                  \
    INLINE void tokens_##type(const uint8_t *group, size_t group_bytes, int tokens,              \
                              const activations *a, float *out)                                  \
    {                                                                                            \
        enum {                                                                                   \
            UNIT_BYTES = LINE_BYTES * (LINES),                                                   \
            UNIT_WEIGHTS = BLOCK_WEIGHTS * (STEPS),                                              \
            UNIT_SUBS = (SUBS) * (STEPS)                                                         \
        };                                                                                       \
        fold_sums y[2][V_PASSES] = {{{{0}, {0}}}};                                               \
        fold_input in[2];                                                                        \
                                                                                                 \
        for (int t = 0; t < tokens; t++)                                                         \
            in[t] = (fold_input){a[t].q, a[t].scale, a[t].sum[(SUBS)-1], a[t].offset[(SUBS)-1]}; \
        for (size_t at = 0; at < group_bytes; at += UNIT_BYTES) {                                \
            const uint8_t *unit = group + at;                                                    \
                                                                                                 \
            for (int64_t i = 0; i < V_PASSES; i++) {                                             \
                unit_lanes u = lanes_of(unit, i);                                                \
                unit_state s;                                                                    \
                                                                                                 \
                begin_##type(u, &s);                                                             \
                _Pragma("GCC unroll 8") for (int64_t j = 0; j < (STEPS); j++)                    \
                {                                                                                \
                    vu8 w[BLOCK_LINES];                                                          \
                    vf scale[2], minimum[2];                                                     \
                                                                                                 \
                    if (i == 0)                                                                  \
                        prefetch_lines(unit, (LINES)*j / (STEPS), (LINES) * (j + 1) / (STEPS));  \
                    quants_##type(u, &s, (int)j, w);                                             \
                    scales_##type(u, &s, (int)j, scale, minimum);                                \
                    _Pragma("GCC unroll 2") for (int t = 0; t < tokens; t++)                     \
                    {                                                                            \
                        fold_input step = {in[t].q + BLOCK_WEIGHTS * j, in[t].scale + j,         \
                                           in[t].sum + (SUBS)*j, in[t].offset + (SUBS)*j};       \
                                                                                                 \
                        fold_step(&y[t][i], w, scale, minimum, SUBS, MINIMUM, ZERO, step);       \
                    }                                                                            \
                }                                                                                \
            }                                                                                    \
            for (int t = 0; t < tokens; t++) {                                                   \
                in[t].q += UNIT_WEIGHTS;                                                         \
                in[t].scale += (STEPS);                                                          \
                in[t].sum += UNIT_SUBS;                                                          \
                in[t].offset += UNIT_SUBS;                                                       \
            }                                                                                    \
        }                                                                                        \
        for (int64_t t = 0; t < tokens; t++)                                                     \
            for (int64_t i = 0; i < V_PASSES; i++)                                               \
                v_store(out + GROUP_ROWS * t + V_LANES * i,                                      \
                        (MINIMUM) ? y[t][i].products + y[t][i].minima : y[t][i].products);       \
    }                                                                                            \
                                                                                                 \
    static void one_##type(const uint8_t *groups, size_t group_bytes, int64_t n_groups,          \
                           const activations *a, float *out)                                     \
    {                                                                                            \
        for (int64_t g = 0; g < n_groups; g++)                                                   \
            tokens_##type(groups + (size_t)g * group_bytes, group_bytes, 1, a,                   \
                          out + GROUP_ROWS * g);                                                 \
    }                                                                                            \
                                                                                                 \
    static void two_##type(const uint8_t *groups, size_t group_bytes, int64_t n_groups,          \
                           const activations *a, float *out)                                     \
    {                                                                                            \
        for (int64_t g = 0; g < n_groups; g++)                                                   \
            tokens_##type(groups + (size_t)g * group_bytes, group_bytes, 2, a,                   \
                          out + GROUP_ROWS * (2 * g));                                           \
    }

/*   type    lines steps subs minimum zero */
TYPE_KERNELS(q4_0, 9, 2, 1, false, 8)
TYPE_KERNELS(q4_1, 5, 1, 1, true, 0)
TYPE_KERNELS(q5_0, 11, 2, 1, false, 16)
TYPE_KERNELS(q5_1, 6, 1, 1, true, 0)
TYPE_KERNELS(q8_0, 17, 2, 1, false, SIGNED_BYTES)
TYPE_KERNELS(q2_k, 21, 8, 2, true, 0)
TYPE_KERNELS(q3_k, 28, 8, 2, false, 4)
TYPE_KERNELS(q4_k, 36, 8, 1, true, 0)
TYPE_KERNELS(q5_k, 44, 8, 1, true, 0)
TYPE_KERNELS(q6_k, 53, 8, 2, false, 32)
TYPE_KERNELS(iq4_nl, 9, 2, 1, false, SIGNED_BYTES)
TYPE_KERNELS(iq4_xs, 34, 8, 1, false, SIGNED_BYTES)

INLINE const vf *scale_line(const uint8_t *step, int64_t i)
{
    return (const vf *)(const void *)(step + LINE_BYTES * (BLOCK_LINES + i));
}

/* Scaled products of V_TOKENS tokens of a panel, one pass of lanes. */
INLINE void tile_products(const uint8_t *stripe, int64_t n, fold_input a, int subs,
                          bool has_minimum, bool is_signed, bool fresh, float *acc)
{
    const int64_t w = PANEL_TOKENS, lines = BLOCK_LINES / subs;
    const int64_t step_lines = BLOCK_LINES + subs * (has_minimum ? 2 : 1);
    vf sums[V_TOKENS];

    for (int64_t t = 0; t < V_TOKENS; t++)
        sums[t] = fresh ? (vf){0} : v_load(acc + GROUP_ROWS * t);
    for (int64_t b = 0; b < n; b++) {
        for (int64_t i = 0; i < subs; i++) {
            vf scale = *scale_line(stripe, i);
            vi32 dots[V_TOKENS];

            for (int64_t t = 0; t < V_TOKENS; t++)
                dots[t] = sum_start(is_signed, a.offset[i * w + t]);
            for (int64_t k = 0; k < lines; k++) {
                vu8 x = *(const vu8 *)(const void *)(stripe + LINE_BYTES * (i * lines + k));

                x = is_signed ? v_signed_ready(x) : x;
                for (int64_t t = 0; t < V_TOKENS; t++) {
                    const int8_t *q = a.q + BLOCK_WEIGHTS * t + 4 * (i * lines + k);

                    dots[t] = is_signed ? v_dot_ready(dots[t], x, q) : v_dot(dots[t], x, q);
                }
            }
            for (int64_t t = 0; t < V_TOKENS; t++)
                sums[t] = v_fma(v_from_i32(dots[t]) * scale, v_broadcast(a.scale[t]), sums[t]);
        }
        stripe += LINE_BYTES * step_lines;
        a.q += BLOCK_WEIGHTS * w;
        a.scale += w;
        a.offset += subs * w;
    }
    for (int64_t t = 0; t < V_TOKENS; t++)
        v_store(acc + GROUP_ROWS * t, sums[t]);
}

/* Minima times sums of activations of V_FLOAT_TOKENS tokens, one pass of lanes. */
INLINE void tile_minima(const uint8_t *stripe, int64_t n, const float *token_sums, int subs,
                        bool fresh, float *acc)
{
    const int64_t step_lines = BLOCK_LINES + 2 * subs;
    vf sums[V_FLOAT_TOKENS];

    for (int64_t t = 0; t < V_FLOAT_TOKENS; t++)
        sums[t] = fresh ? (vf){0} : v_load(acc + GROUP_ROWS * t);
    for (int64_t b = 0; b < n; b++) {
        for (int64_t i = 0; i < subs; i++, token_sums += PANEL_TOKENS) {
            vf minimum = *scale_line(stripe, subs + i);

            for (int64_t t = 0; t < V_FLOAT_TOKENS; t++)
                sums[t] = v_fma(minimum, v_broadcast(token_sums[t]), sums[t]);
        }
        stripe += LINE_BYTES * step_lines;
    }
    for (int64_t t = 0; t < V_FLOAT_TOKENS; t++)
        v_store(acc + GROUP_ROWS * t, sums[t]);
}

INLINE void tile_panels(const uint8_t *stripe, int64_t first, int64_t n, const activations *a,
                        int subs, bool has_minimum, float *acc)
{
    const int64_t w = PANEL_TOKENS;

    for (int64_t p = 0; p < a->n_panels; p++) {
        int64_t at = (p * a->n_blocks + first) * w;

        for (int64_t i = 0; i < w * V_PASSES; i += V_TOKENS) {
            int64_t pass = i / w, t = i % w;
            fold_input in = {a->q + BLOCK_WEIGHTS * (at + t), a->scale + at + t, NULL,
                             a->offset[subs - 1] + at * subs + t};

            tile_products(stripe + VBYTES * pass, n, in, subs, has_minimum, !has_minimum,
                          first == 0, acc + GROUP_ROWS * (p * w + t) + V_LANES * pass);
        }
    }
}

/* The minima of all panels. */
INLINE void tile_panels_minima(const uint8_t *stripe, int64_t first, int64_t n,
                               const activations *a, int subs, float *acc)
{
    const int64_t w = PANEL_TOKENS;

    for (int64_t p = 0; p < a->n_panels; p++) {
        int64_t at = (p * a->n_blocks + first) * w;

        for (int64_t i = 0; i < w * V_PASSES; i += V_FLOAT_TOKENS) {
            int64_t pass = i / w, t = i % w;

            tile_minima(stripe + VBYTES * pass, n, a->sum[subs - 1] + at * subs + t, subs,
                        first == 0, acc + GROUP_ROWS * (p * w + t) + V_LANES * pass);
        }
    }
}

/* Types with a minimum have unsigned quants, the others signed ones. */
static void tile(const packed_format *f, const uint8_t *stripe, int64_t first, int64_t n,
                 const activations *a, float *acc)
{
    assert(a->width == PANEL_TOKENS && f->minimum != f->is_signed);
    if (f->sub == 32 && f->minimum)
        tile_panels(stripe, first, n, a, 1, true, acc);
    else if (f->sub == 32)
        tile_panels(stripe, first, n, a, 1, false, acc);
    else if (f->minimum)
        tile_panels(stripe, first, n, a, 2, true, acc);
    else
        tile_panels(stripe, first, n, a, 2, false, acc);
}

static void minima(const packed_format *f, const uint8_t *stripe, int64_t first, int64_t n,
                   const activations *a, float *acc)
{
    assert(a->width == PANEL_TOKENS && f->minimum);
    if (f->sub == 32)
        tile_panels_minima(stripe, first, n, a, 1, acc);
    else
        tile_panels_minima(stripe, first, n, a, 2, acc);
}

#include "matmul_float.h"

static void finish(const float *products, const float *minima, int64_t stride, int64_t n_groups,
                   const float *bias, bool add, float *y)
{
    for (int64_t g = 0; g < n_groups; g++)
        for (int64_t i = 0; i < GROUP_ROWS; i += V_LANES) {
            vf v = v_load(products + g * stride + i);

            if (minima != NULL)
                v += v_load(minima + g * stride + i);
            if (bias != NULL)
                v += v_load(bias + g * GROUP_ROWS + i);
            if (add)
                v += v_load(y + g * GROUP_ROWS + i);
            v_store(y + g * GROUP_ROWS + i, v);
        }
}

#include "matmul_quantize.h"

#define SET_TYPE(k, label, suffix) \
    (k)->of[TRUENO_##label].unpack = unpack_##suffix, (k)->of[TRUENO_##label].one = one_##suffix
#define SET_BLOCKS(k, label, suffix) \
    SET_TYPE(k, label, suffix), (k)->of[TRUENO_##label].two = two_##suffix

static void set_kernels(matmul_kernels *k)
{
    k->quantize = quantize;
    k->tile = tile;
    k->minima = minima;
    k->finish = finish;
    k->tile_float = tile_float;
    SET_TYPE(k, F32, f32);
    SET_TYPE(k, F16, f16);
    SET_TYPE(k, BF16, bf16);
    SET_BLOCKS(k, Q4_0, q4_0);
    SET_BLOCKS(k, Q4_1, q4_1);
    SET_BLOCKS(k, Q5_0, q5_0);
    SET_BLOCKS(k, Q5_1, q5_1);
    SET_BLOCKS(k, Q8_0, q8_0);
    SET_BLOCKS(k, Q2_K, q2_k);
    SET_BLOCKS(k, Q3_K, q3_k);
    SET_BLOCKS(k, Q4_K, q4_k);
    SET_BLOCKS(k, Q5_K, q5_k);
    SET_BLOCKS(k, Q6_K, q6_k);
    SET_BLOCKS(k, IQ4_NL, iq4_nl);
    SET_BLOCKS(k, IQ4_XS, iq4_xs);
}

#endif
