/* SPDX-License-Identifier: MIT */
/**
 * @file reference.h  The operations of the reference backend: plain formulas in double precision,
 * rounded to F32 where a result is stored. Independent of the kernels that they judge.
 */
#ifndef KERNELS_REFERENCE_H
#define KERNELS_REFERENCE_H

#include <trueno/backend.h>

/** Sum of a[i] * b[i]: products are exact in double; element i is added to chain i % 8. */
double reference_dot(const float *a, const float *b, int64_t n);

/** As trueno_norm says, for one row; y may be x. */
void reference_norm(const trueno_norm *p, const float *x, float *y);

/** Turn the pairs of one head in place by `turns`: [n_rot / 2] cosines, then as many sines. */
void reference_rotate(const trueno_rope *rope, const float *turns, float *head);

double reference_activation(trueno_activation act, double x);

/** What attention() needs of one query: its head, its keys and values by position. */
typedef struct reference_query {
    const trueno_attention *p;
    const float *q;
    const trueno_kv *kv;
    int32_t kv_head, position;
} reference_query;

/** Doubles of scratch memory that reference_attention() needs for a query at `position`. */
size_t reference_attention_doubles(int32_t position, int32_t head_dim);

/**
 * out[head_dim] = attention of one query over the positions it sees; keys and values in F32.
 * log_sum_exp, mean_score: NULL when not wanted.
 */
void reference_attention(const reference_query *query, double *scratch, float *out,
                         float *log_sum_exp, float *mean_score);

#endif
