/* SPDX-License-Identifier: MIT */
/*
 * The inner loops of attention; included once a level, after its lanes.
 *
 * Every query meets the keys in the same order whatever tile it is computed in: a score is one
 * chain of fused multiply-adds over the head's elements, an output element one chain over the
 * positions of a block. Tiles only decide how many such chains run side by side.
 */
#ifndef KERNELS_ATTENTION_H
#define KERNELS_ATTENTION_H

#include "functions.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* n queries times `groups` groups of 16 keys; both constant after inlining */
static ALWAYS_INLINE void score_tile(const float *const *q, int n, const float *keys,
                                     int32_t head_dim, int groups, float *scores)
{
    size_t group = (size_t)head_dim * KERNEL_LANES;
    v16 sum[ATTENTION_QUERIES][4];

    for (int i = 0; i < n; i++)
        for (int g = 0; g < groups; g++)
            sum[i][g] = v_set(0.0f);
    for (int32_t d = 0; d < head_dim; d++) {
        v16 key[4];

        for (int g = 0; g < groups; g++)
            key[g] = v_load(keys + (size_t)g * group + (size_t)d * KERNEL_LANES);
        for (int i = 0; i < n; i++) {
            v16 element = v_set(q[i][d]);

            for (int g = 0; g < groups; g++)
                sum[i][g] = v_fma(element, key[g], sum[i][g]);
        }
    }
    for (int i = 0; i < n; i++)
        for (int g = 0; g < groups; g++)
            v_store(scores + (size_t)i * KV_BLOCK + (size_t)g * KERNEL_LANES, sum[i][g]);
}

/* As many groups at a time as the accumulators allow. */
static ALWAYS_INLINE void score_queries(const float *const *q, int n, const float *keys,
                                        int32_t head_dim, int32_t n_groups, float *scores)
{
    size_t group = (size_t)head_dim * KERNEL_LANES;
    int32_t g = 0;

    if (4 * n <= V_ACCUMULATORS)
        for (; g + 4 <= n_groups; g += 4)
            score_tile(q, n, keys + (size_t)g * group, head_dim, 4,
                       scores + (size_t)g * KERNEL_LANES);
    if (2 * n <= V_ACCUMULATORS)
        for (; g + 2 <= n_groups; g += 2)
            score_tile(q, n, keys + (size_t)g * group, head_dim, 2,
                       scores + (size_t)g * KERNEL_LANES);
    for (; g < n_groups; g++)
        score_tile(q, n, keys + (size_t)g * group, head_dim, 1, scores + (size_t)g * KERNEL_LANES);
}

/* Call `function` with the constant n, 1 .. ATTENTION_QUERIES, so that its loops unroll. */
#define WITH_CONSTANT_QUERIES(n, function) \
    switch (n) {                           \
    case 1:                                \
        function(1);                       \
        break;                             \
    case 2:                                \
        function(2);                       \
        break;                             \
    case 3:                                \
        function(3);                       \
        break;                             \
    case 4:                                \
        function(4);                       \
        break;                             \
    case 5:                                \
        function(5);                       \
        break;                             \
    default:                               \
        function(6);                       \
        break;                             \
    }

static void attention_scores(const float *const *q, int32_t n, const float *keys, int32_t head_dim,
                             int32_t n_groups, float *scores)
{
#define SCORES(constant) score_queries(q, constant, keys, head_dim, n_groups, scores)
    WITH_CONSTANT_QUERIES(n, SCORES)
#undef SCORES
}

enum { KEY_GROUPS = KV_BLOCK / KERNEL_LANES };

/* score = softcap(scale * product) */
static ALWAYS_INLINE v16 apply_score_rule(const score_rule *rule, v16 product)
{
    v16 s = v_mul(product, v_set(rule->scale));

    if (rule->softcap > 0.0f)
        s = v_mul(v_set(rule->softcap), v_tanh(v_div(s, v_set(rule->softcap))));
    return s;
}

/* The new maximum; returns the factor for what was summed under the old one. */
static ALWAYS_INLINE float raise_max(float block_max, softmax_state *state)
{
    float before = state->max;

    if (state->empty) {
        state->max = block_max;
        return 0.0f;
    }
    if (block_max <= before)
        return 1.0f;
    state->max = block_max;
    return v_first(v_exp(v_set(before - block_max)));
}

/* `whole`: the query sees all keys of the block, so that nothing needs masking. */
static ALWAYS_INLINE float fold_weights(const score_rule *rule, int32_t begin, int32_t end,
                                        bool whole, float *scores, softmax_state *state)
{
    v16 s[KEY_GROUPS], best = v_set(-INFINITY), zero = v_set(0.0f), sum, weighted = zero, max;
    mask16 seen[KEY_GROUPS];
    bool first = state->empty;
    float factor;

    for (int g = 0; g < KEY_GROUPS; g++) {
        s[g] = v_load(scores + (size_t)g * KERNEL_LANES);
        if (!whole) { /* slots that nothing was stored in yet hold anything */
            seen[g] = v_range(begin - g * KERNEL_LANES, end - g * KERNEL_LANES);
            s[g] = v_select(seen[g], s[g], zero);
        }
        s[g] = apply_score_rule(rule, s[g]);
        if (!whole)
            s[g] = v_select(seen[g], s[g], v_set(-INFINITY));
        best = v_max(s[g], best);
    }
    factor = raise_max(v_largest(best), state);
    max = v_set(state->max);
    sum = first ? zero : v_mul(v_load(state->sum), v_set(factor));
    if (rule->watch && !first)
        weighted = v_mul(v_load(state->weighted), v_set(factor));
    for (int g = 0; g < KEY_GROUPS; g++) {
        v16 p = v_exp(v_sub(s[g], max));

        if (!whole)
            p = v_select(seen[g], p, zero);
        v_store(scores + (size_t)g * KERNEL_LANES, p);
        sum = v_add(sum, p);
        if (rule->watch)
            weighted = v_add(weighted, v_mul(p, whole ? s[g] : v_select(seen[g], s[g], zero)));
    }
    v_store(state->sum, sum);
    if (rule->watch)
        v_store(state->weighted, weighted);
    state->empty = false;
    return factor;
}

static float attention_weights(const score_rule *rule, int32_t begin, int32_t end, float *scores,
                               softmax_state *state)
{
    if (begin == 0 && end == KV_BLOCK)
        return fold_weights(rule, begin, end, true, scores, state);
    return fold_weights(rule, begin, end, false, scores, state);
}

/* n queries times `chunks` vectors of a value; both constant after inlining */
static ALWAYS_INLINE void value_tile(const float *weights, int n, const float *values,
                                     int32_t stride, int32_t begin, int32_t end, int chunks,
                                     float *const *acc, int32_t first)
{
    v16 sum[ATTENTION_QUERIES][8];

    for (int i = 0; i < n; i++)
        for (int c = 0; c < chunks; c++)
            sum[i][c] = v_load(acc[i] + first + (size_t)c * KERNEL_LANES);
    for (int32_t k = begin; k < end; k++) {
        const float *value = values + (size_t)k * (size_t)stride + first;
        v16 element[8];

        for (int c = 0; c < chunks; c++)
            element[c] = v_load(value + (size_t)c * KERNEL_LANES);
        for (int i = 0; i < n; i++) {
            v16 weight = v_set(weights[i * KV_BLOCK + k]);

            for (int c = 0; c < chunks; c++)
                sum[i][c] = v_fma(weight, element[c], sum[i][c]);
        }
    }
    for (int i = 0; i < n; i++)
        for (int c = 0; c < chunks; c++)
            v_store(acc[i] + first + (size_t)c * KERNEL_LANES, sum[i][c]);
}

static ALWAYS_INLINE void value_queries(const float *weights, int n, const float *values,
                                        int32_t stride, int32_t begin, int32_t end,
                                        float *const *acc)
{
    int32_t d = 0;

    if (8 * n <= V_ACCUMULATORS)
        for (; d + 8 * KERNEL_LANES <= stride; d += 8 * KERNEL_LANES)
            value_tile(weights, n, values, stride, begin, end, 8, acc, d);
    if (4 * n <= V_ACCUMULATORS)
        for (; d + 4 * KERNEL_LANES <= stride; d += 4 * KERNEL_LANES)
            value_tile(weights, n, values, stride, begin, end, 4, acc, d);
    if (2 * n <= V_ACCUMULATORS)
        for (; d + 2 * KERNEL_LANES <= stride; d += 2 * KERNEL_LANES)
            value_tile(weights, n, values, stride, begin, end, 2, acc, d);
    for (; d < stride; d += KERNEL_LANES)
        value_tile(weights, n, values, stride, begin, end, 1, acc, d);
}

static void attention_values(const float *weights, int32_t n, const float *values, int32_t stride,
                             int32_t begin, int32_t end, float *const *acc)
{
#define VALUES(constant) value_queries(weights, constant, values, stride, begin, end, acc)
    WITH_CONSTANT_QUERIES(n, VALUES)
#undef VALUES
}

static void scale(float factor, int32_t n, float *x)
{
    v16 f = v_set(factor);

    for (int32_t i = 0; i < n; i += KERNEL_LANES)
        v_store(x + i, v_mul(v_load(x + i), f));
}

/* a = a * fa + b * fb over n values, n a multiple of 16 */
static inline void blend(float *a, float fa, const float *b, float fb, int32_t n)
{
    for (int32_t i = 0; i < n; i += KERNEL_LANES)
        v_store(a + i, v_fma(v_load(b + i), v_set(fb), v_mul(v_load(a + i), v_set(fa))));
}

static void attention_merge(const softmax_state *from, const float *from_acc, int32_t stride,
                            softmax_state *to, float *to_acc)
{
    float max, keep, take;

    if (from->empty)
        return;
    if (to->empty) {
        *to = *from;
        memcpy(to_acc, from_acc, (size_t)stride * sizeof *to_acc);
        return;
    }
    max = from->max > to->max ? from->max : to->max;
    keep = v_first(v_exp(v_set(to->max - max)));
    take = v_first(v_exp(v_set(from->max - max)));
    blend(to->sum, keep, from->sum, take, KERNEL_LANES);
    blend(to->weighted, keep, from->weighted, take, KERNEL_LANES);
    blend(to_acc, keep, from_acc, take, stride);
    to->max = max;
}

static void attention_finish(const softmax_state *state, const float *acc, int32_t head_dim,
                             float *out, float *log_sum_exp, float *mean_score)
{
    float sum = v_sum(v_load(state->sum));

    for (int32_t d = 0; d < head_dim; d++)
        out[d] = acc[d] / sum;
    if (log_sum_exp != NULL)
        *log_sum_exp = state->max + logf(sum);
    if (mean_score != NULL)
        *mean_score = v_sum(v_load(state->weighted)) / sum;
}

#endif
