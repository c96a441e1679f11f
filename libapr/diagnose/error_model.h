/* SPDX-License-Identifier: MIT */
/* How far a weight type moves a tensor's weights, predicted from its statistics. */
#ifndef APR_DIAGNOSE_ERROR_MODEL_H
#define APR_DIAGNOSE_ERROR_MODEL_H

#include <apr/diagnose.h>
#include <trueno/sys/threads.h>

enum { ERROR_FEATURES = 4, ERROR_TENSORS = 64 };

/* What one tensor's conversion to the wanted type was predicted to do, and did. */
typedef struct error_row {
    const apr_tensor *tensor;
    double predicted, measured; /* largest absolute difference */
} error_row;

typedef struct error_model {
    double weights[1 + ERROR_FEATURES]; /* of log2 of the largest difference */
    double r2;                          /* on tensors that were not fitted to */
    int32_t n_held;                     /* conversions there */
    error_row rows[ERROR_TENSORS];      /* of the wanted type */
    int32_t n_rows;
} error_model;

/*
 * Round up to 64 matrices of the model to every weight type but F32 (their first 65,536 weights or
 * so) and fit log2 of the largest difference to log2 of the size, bits a weight, mean, and log2 of
 * the standard deviation. Every fourth tensor is held out for r2.
 */
trueno_status error_model_fit(error_model *out, const apr_model *model, trueno_type wanted,
                              trueno_pool *pool, const trueno_allocator *allocator,
                              trueno_error *err);

#endif
