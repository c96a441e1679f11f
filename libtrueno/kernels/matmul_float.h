/* SPDX-License-Identifier: MIT */
/* Products of F32, F16 and BF16 weights: a part of matmul_vector.h. */
#ifndef KERNELS_MATMUL_FLOAT_H
#define KERNELS_MATMUL_FLOAT_H

enum { HALVES_BYTES = 2 * GROUP_ROWS }; /* of a group's 16-bit weights of one k */

/* Weights k and k + 1 of a pass over the lanes. */
INLINE void pair_f32(const uint8_t *group, int64_t k, int64_t pass, vf w[2])
{
    const float *at = (const float *)(const void *)group + GROUP_ROWS * k + V_LANES * pass;

    w[0] = v_load(at);
    w[1] = v_load(at + GROUP_ROWS);
}

INLINE void pair_f16(const uint8_t *group, int64_t k, int64_t pass, vf w[2])
{
    const uint8_t *at = group + HALVES_BYTES * k + VBYTES / 2 * pass;

    w[0] = v_halves(at);
    w[1] = v_halves(at + HALVES_BYTES);
}

INLINE void pair_bf16(const uint8_t *group, int64_t k, int64_t pass, vf w[2])
{
    vu32 both =
        (vu32)v_load((const float *)(const void *)(group + HALVES_BYTES * k) + V_LANES * pass);

    w[0] = (vf)(both << 16);
    w[1] = (vf)(both & 0xffff0000u);
}

#define FLOAT_KERNELS(type, BYTES)                                                                \
    static void unpack_##type(const uint8_t *units, int64_t n_units, void *stripe)                \
    {                                                                                             \
        float *to = stripe;                                                                       \
                                                                                                  \
        for (int64_t k = 0; k < 16 * n_units; k += 2)                                             \
            for (int64_t pass = 0; pass < V_PASSES; pass++) {                                     \
                vf w[2];                                                                          \
                                                                                                  \
                pair_##type(units, k, pass, w);                                                   \
                v_store(to + GROUP_ROWS * k + V_LANES * pass, w[0]);                              \
                v_store(to + GROUP_ROWS * (k + 1) + V_LANES * pass, w[1]);                        \
            }                                                                                     \
    }                                                                                             \
                                                                                                  \
    INLINE void groups_##type(const uint8_t *groups, size_t group_bytes, int count,               \
                              const activations *a, float *out)                                   \
    {                                                                                             \
        const int64_t n = (int64_t)count * V_PASSES;                                              \
        vf acc[FLOAT_GROUPS * V_PASSES] = {{0}};                                                  \
                                                                                                  \
        for (int64_t k = 0; k < a->x_cols; k += 2) {                                              \
            vf x = v_broadcast(a->x[k]), next = v_broadcast(a->x[k + 1]);                         \
                                                                                                  \
            for (int64_t i = 0; i < n; i++) {                                                     \
                const uint8_t *group = groups + (size_t)(i / V_PASSES) * group_bytes;             \
                vf w[2];                                                                          \
                                                                                                  \
                for (int64_t line = 0; i % V_PASSES == 0 && line < (BYTES) / 2; line++)           \
                    __builtin_prefetch(group + k * (BYTES)*GROUP_ROWS + LINE_BYTES * line + 2048, \
                                       0, 3);                                                     \
                pair_##type(group, k, i % V_PASSES, w);                                           \
                acc[i] = v_fma(w[1], next, v_fma(w[0], x, acc[i]));                               \
            }                                                                                     \
        }                                                                                         \
        for (int64_t i = 0; i < n; i++)                                                           \
            v_store(out + V_LANES * i, acc[i]);                                                   \
    }                                                                                             \
                                                                                                  \
    ONE_KERNEL(type, FLOAT_GROUPS)

FLOAT_KERNELS(f32, 4)
FLOAT_KERNELS(f16, 2)
FLOAT_KERNELS(bf16, 2)

/*
 * One or two vectors of outputs times some tokens: two share each broadcast, since loads, not
 * multiplications, would be the limit otherwise.
 */
INLINE void float_block(const float *const *weights, float *const *y, int count, int tokens,
                        const float *x, int64_t n, bool fresh)
{
    const int64_t all = (int64_t)count * tokens;
    vf sums[2 * V_FLOAT_TOKENS];

    for (int64_t i = 0; i < all; i++)
        sums[i] = fresh ? (vf){0} : v_load(y[i / tokens] + GROUP_ROWS * (i % tokens));
    for (int64_t k = 0; k < n; k++, x += PANEL_TOKENS) {
        vf first = v_load(weights[0] + GROUP_ROWS * k);
        vf second = count == 2 ? v_load(weights[1] + GROUP_ROWS * k) : first;

        for (int64_t t = 0; t < tokens; t++) {
            vf activation = v_broadcast(x[t]);

            sums[t] = v_fma(first, activation, sums[t]);
            if (count == 2)
                sums[tokens + t] = v_fma(second, activation, sums[tokens + t]);
        }
    }
    for (int64_t i = 0; i < all; i++)
        v_store(y[i / tokens] + GROUP_ROWS * (i % tokens), sums[i]);
}

static void tile_float(const float *stripe, int n_groups, int64_t first, int64_t n,
                       const activations *a, float *acc, int64_t acc_stride)
{
    const int64_t vectors = (int64_t)n_groups * V_PASSES;

    assert(a->width == PANEL_TOKENS);
    for (int64_t p = 0; p < a->n_panels; p++)
        for (int64_t v = 0; v < vectors; v += 2) {
            const float *x = a->x + (p * a->x_cols + first) * PANEL_TOKENS, *weights[2];
            float *y[2];

            for (int64_t i = 0; i < 2 && v + i < vectors; i++) {
                int64_t group = (v + i) / V_PASSES, lane = V_LANES * ((v + i) % V_PASSES);

                weights[i] = stripe + group * n * GROUP_ROWS + lane;
                y[i] = acc + group * acc_stride + p * PANEL_TOKENS * GROUP_ROWS + lane;
            }
            if (v + 1 < vectors)
                for (int64_t t = 0; t < PANEL_TOKENS; t += V_FLOAT_TOKENS / 2)
                    float_block(weights, (float *[]){y[0] + GROUP_ROWS * t, y[1] + GROUP_ROWS * t},
                                2, V_FLOAT_TOKENS / 2, x + t, n, first == 0);
            else
                for (int64_t t = 0; t < PANEL_TOKENS; t += V_FLOAT_TOKENS)
                    float_block(weights, (float *[]){y[0] + GROUP_ROWS * t}, 1, V_FLOAT_TOKENS,
                                x + t, n, first == 0);
        }
}

#endif
