/* SPDX-License-Identifier: MIT */
/* The yardstick: every operation by its formula, in double precision. */
#include "reference.h"

#include <math.h>
#include <string.h>

#include "../kv_store.h"

/*
 * The same eight sums at every width, so that the result does not depend on the processor; only
 * this loop is worth it. Resolvers of such clones run before a sanitizer is ready.
 */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define EVERY_WIDTH __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define EVERY_WIDTH
#endif

EVERY_WIDTH double reference_dot(const float *a, const float *b, int64_t n)
{
    typedef float float8 __attribute__((vector_size(32)));
    typedef double double8 __attribute__((vector_size(64)));
    double8 sum = {0};
    int64_t i = 0;

    for (; i + 8 <= n; i += 8) {
        float8 x, y;

        memcpy(&x, a + i, sizeof x);
        memcpy(&y, b + i, sizeof y);
        sum += __builtin_convertvector(x, double8) * __builtin_convertvector(y, double8);
    }
    for (; i < n; i++)
        sum[i % 8] += (double)a[i] * (double)b[i];
    return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}

void reference_norm(const trueno_norm *p, const float *x, float *y)
{
    double mean = 0.0, square = 0.0, factor;

    if (p->kind == TRUENO_NORM_LAYER) {
        for (int32_t i = 0; i < p->width; i++)
            mean += x[i];
        mean /= p->width;
    }
    for (int32_t i = 0; i < p->width; i++)
        square += (x[i] - mean) * (x[i] - mean);
    factor = 1.0 / sqrt(square / p->width + (double)p->eps);
    for (int32_t i = 0; i < p->width; i++) {
        double value = (x[i] - mean) * factor;

        if (p->weight != NULL)
            value *= p->weight[i];
        if (p->bias != NULL)
            value += p->bias[i];
        y[i] = (float)value;
    }
}

void reference_rotate(const trueno_rope *rope, const float *turns, float *head)
{
    int32_t half = rope->n_rot / 2;

    for (int32_t j = 0; j < half; j++) {
        float *a = &head[rope->type == TRUENO_ROPE_NEOX ? j : 2 * j];
        float *b = &head[rope->type == TRUENO_ROPE_NEOX ? half + j : 2 * j + 1];
        double x = *a, y = *b, cosine = turns[j], sine = turns[half + j];

        *a = (float)(x * cosine - y * sine);
        *b = (float)(y * cosine + x * sine);
    }
}

double reference_activation(trueno_activation act, double x)
{
    switch (act) {
    case TRUENO_SILU:
        return x / (1.0 + exp(-x));
    case TRUENO_GELU_TANH:
        return 0.5 * x * (1.0 + tanh(sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x)));
    case TRUENO_GELU_ERF:
        return 0.5 * x * erfc(-x / sqrt(2.0));
    }
    return NAN;
}

/* One block of keys or values of the query's head. */
static const float *block_of(const reference_query *query, int32_t position, bool values)
{
    const trueno_attention *p = query->p;
    int32_t block = position / KV_BLOCK;

    return (const float *)(const void *)(values ? kv_store_values(query->kv, p->layer,
                                                                  query->kv_head, block)
                                                : kv_store_keys(query->kv, p->layer, query->kv_head,
                                                                block));
}

/* Scores of the 16 positions from `position` on; keys lie [element][16 positions]. */
static void score_group(const reference_query *query, int32_t position, double *scores)
{
    const trueno_attention *p = query->p;
    const float *keys =
        block_of(query, position, false) + (size_t)(position % KV_BLOCK) * (size_t)p->head_dim;
    double sum[KERNEL_LANES] = {0};

    for (int32_t d = 0; d < p->head_dim; d++)
        for (int lane = 0; lane < KERNEL_LANES; lane++)
            sum[lane] += (double)query->q[d] * (double)keys[d * KERNEL_LANES + lane];
    for (int lane = 0; lane < KERNEL_LANES; lane++) {
        double s = sum[lane] * (double)p->scale;

        scores[lane] = p->softcap > 0.0f ? (double)p->softcap * tanh(s / (double)p->softcap) : s;
    }
}

/* total[head_dim] = sum over positions first..last of weights[position] * value */
static void weigh_values(const reference_query *query, const double *weights, int32_t first,
                         int32_t last, double *total)
{
    int32_t head_dim = query->p->head_dim, stride = kv_stride(head_dim);

    for (int32_t d = 0; d < head_dim; d++)
        total[d] = 0.0;
    for (int32_t k = first; k <= last; k++) {
        const float *value = block_of(query, k, true) + (size_t)(k % KV_BLOCK) * (size_t)stride;

        for (int32_t d = 0; d < head_dim; d++)
            total[d] += weights[k] * (double)value[d];
    }
}

size_t reference_attention_doubles(int32_t position, int32_t head_dim)
{
    return (size_t)position + KERNEL_LANES + (size_t)head_dim;
}

void reference_attention(const reference_query *query, double *scratch, float *out,
                         float *log_sum_exp, float *mean_score)
{
    const trueno_attention *p = query->p;
    int32_t last = query->position;
    int32_t first = p->window > 0 && last >= p->window ? last - p->window + 1 : 0;
    double *scores = scratch, *total = scratch + last + KERNEL_LANES;
    double max = -INFINITY, sum = 0.0, mean = 0.0;

    for (int32_t k = first / KERNEL_LANES * KERNEL_LANES; k <= last; k += KERNEL_LANES)
        score_group(query, k, &scores[k]);
    for (int32_t k = first; k <= last; k++)
        max = scores[k] > max ? scores[k] : max;
    for (int32_t k = first; k <= last; k++) {
        double weight = exp(scores[k] - max);

        sum += weight;
        mean += weight * scores[k];
        scores[k] = weight;
    }
    weigh_values(query, scores, first, last, total);
    for (int32_t d = 0; d < p->head_dim; d++)
        out[d] = (float)(total[d] / sum);
    if (log_sum_exp != NULL)
        *log_sum_exp = (float)(max + log(sum));
    if (mean_score != NULL)
        *mean_score = (float)(mean / sum);
}
