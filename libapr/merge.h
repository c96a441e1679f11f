/* SPDX-License-Identifier: MIT */
/* A merge under way: its models, and what each method knows of the tensor in hand. */
#ifndef APR_MERGE_PRIVATE_H
#define APR_MERGE_PRIVATE_H

#include "blend.h"
#include <apr/merge.h>

typedef struct apr_merge {
    apr_blend blend; /* the first member: the blend is the merge */
    const apr_model *const *models;
    size_t n;
    apr_merge_options o;
    double weights[APR_MERGE_MOST];
    const apr_tensor **others; /* [tensors of the first][n]: the same tensor in every model */
    const apr_tensor **bases;  /* [tensors of the first], NULL without a base */
    float *scratch;            /* [threads][n + 1][row] */
    int64_t row;               /* longest row */
    /* of the tensor in hand */
    double part_first, part_second;   /* slerp */
    float thresholds[APR_MERGE_MOST]; /* ties */
} apr_merge;

/* Values of the tensor in model `i` (n: the base), as floats. */
void apr_merge_read(const apr_merge *m, const apr_tensor *t, size_t i, uint64_t first, int64_t n,
                    float *out);

/* The methods that look at a tensor as a whole first: TRUENO_NO_MEMORY. */
trueno_status apr_merge_find_angle(apr_merge *m, const apr_tensor *t, trueno_pool *pool,
                                   trueno_error *err);
trueno_status apr_merge_find_thresholds(apr_merge *m, const apr_tensor *t, trueno_pool *pool,
                                        trueno_error *err);

/* The agreement that a merge needs: TRUENO_CONTENT, TRUENO_UNSUPPORTED. */
trueno_status apr_merge_check(const apr_model *first, const apr_model *other, trueno_error *err);

#endif
