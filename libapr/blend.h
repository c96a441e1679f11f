/* SPDX-License-Identifier: MIT */
/* A model whose weights are made on the way out, from its own and those of others. */
#ifndef APR_BLEND_H
#define APR_BLEND_H

#include "model_private.h"
#include <trueno/quantize.h>

typedef struct apr_blend {
    /* Once before the values of a tensor are asked for. */
    trueno_status (*begin)(struct apr_blend *b, const apr_tensor *t, trueno_pool *pool,
                           trueno_error *err);
    /* Values [first, first + n) of the tensor: in as the model has them, out blended. `first` and n
     * are whole rows. Called on the pool's threads. */
    void (*values)(const struct apr_blend *b, const apr_tensor *t, uint64_t first, int64_t n,
                   float *x, int thread);
} apr_blend;

#endif
