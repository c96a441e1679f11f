/* SPDX-License-Identifier: MIT */
/* Random weights of every type, held by both backends that the CUDA tests compare. */
#ifndef TESTS_KERNELS_CUDA_WEIGHTS_H
#define TESTS_KERNELS_CUDA_WEIGHTS_H

#include "cuda_sides.h"

static const trueno_type TYPES[] = {TRUENO_F32,  TRUENO_F16,    TRUENO_BF16,  TRUENO_Q4_0,
                                    TRUENO_Q4_1, TRUENO_Q5_0,   TRUENO_Q5_1,  TRUENO_Q8_0,
                                    TRUENO_Q2_K, TRUENO_Q3_K,   TRUENO_Q4_K,  TRUENO_Q5_K,
                                    TRUENO_Q6_K, TRUENO_IQ4_NL, TRUENO_IQ4_XS};
enum { N_TYPES = sizeof TYPES / sizeof TYPES[0] };

/* The same weight in both backends, and the parts that it was made of. */
typedef struct weight_pair {
    trueno_weight *side[N_SIDES];
    trueno_tensor part[4];
    int n_parts;
    int64_t rows, cols;
} weight_pair;

/* Random weights whose products have a deviation of about 1. */
static inline weight_pair make_weight(const trueno_type *types, const int64_t *rows, int n,
                                      int64_t cols)
{
    weight_pair w = {.n_parts = n, .cols = cols};
    trueno_error err = {0};

    for (int i = 0; i < n; i++) {
        size_t row_bytes = trueno_row_bytes(types[i], cols);
        uint8_t *data = malloc(row_bytes * (size_t)rows[i] + 1);
        const trueno_type_info *info = trueno_type_get(types[i]);
        float *row = malloc((size_t)cols * sizeof *row), square = 0, factor;

        random_blocks(types[i], data + 1, rows[i] * (cols / info->block), 1.0f);
        info->dequantize(data + 1, row, cols);
        for (int64_t c = 0; c < cols; c++)
            square += row[c] * row[c];
        factor = 1.0f / sqrtf(square + 1e-6f);
        random_blocks(types[i], data + 1, rows[i] * (cols / info->block), factor);
        free(row);
        w.part[i] = trueno_tensor_make(types[i], rows[i], cols, data + 1); /* not aligned */
        w.rows += rows[i];
    }
    for (int s = 0; s < N_SIDES; s++)
        if (sides[s]->weight_new(sides[s], w.part, n, TRUENO_USE_MATMUL | TRUENO_USE_EMBED,
                                 &w.side[s], &err) < 0)
            die(&err);
    return w;
}

static inline void free_weight(weight_pair *w)
{
    for (int s = 0; s < N_SIDES; s++)
        sides[s]->weight_free(sides[s], w->side[s]);
    for (int i = 0; i < w->n_parts; i++)
        free((uint8_t *)(uintptr_t)w->part[i].data - 1);
}

#endif
