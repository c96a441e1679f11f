/* SPDX-License-Identifier: MIT */
/**
 * @file plain_weight.h  Weights kept in the file's own blocks, multiplied in double precision: the
 * matrix products of the reference backend.
 */
#ifndef PLAIN_WEIGHT_H
#define PLAIN_WEIGHT_H

#include "host.h"

enum { PLAIN_PARTS = 4 };

typedef struct plain_weight {
    trueno_tensor parts[PLAIN_PARTS]; /* views of `copy`, or of the caller's bytes (keep_mapping) */
    int n_parts;
    int64_t rows, cols;
    void *copy;
    size_t copy_bytes;
} plain_weight;

/** Check the parts (1..PLAIN_PARTS, equal cols, known types) and copy them unless keep_mapping. */
trueno_status plain_weight_new(plain_weight **out, host_backend *host, const trueno_tensor *parts,
                               int n_parts, trueno_error *err);

/** NULL is fine. */
void plain_weight_free(host_backend *host, plain_weight *w);

/** Expand row `row` to cols floats. */
void plain_weight_row(const plain_weight *w, int64_t row, float *out);

/**
 * y = W x (+ bias), with `add` y += W x (+ bias); x [n, cols], y [n, rows]. Weights dequantised to
 * F32, products exact and summed in double in eight interleaved chains, rounded to F32 once.
 * `scratch` keeps one row of weights a thread.
 */
void plain_weight_matmul(host_backend *host, host_buffer *scratch, const plain_weight *w,
                         const float *bias, const float *x, int64_t n, bool add, float *y);

#endif
