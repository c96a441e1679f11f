/* SPDX-License-Identifier: MIT */
/*
 * A model's weights as every format of it has them: GGUF's names, order of rows and norms' offset,
 * experts stacked. What is recorded of one file so can be held against another.
 */
#ifndef APR_CANONICAL_H
#define APR_CANONICAL_H

#include "percentiles.h"
#include "plan.h"
#include <apr/statistics.h>

/* A model being read so. */
typedef struct apr_canonical {
    const apr_model *model;
    apr_plan plan; /* of tensors: those of the model, as GGUF would have them */
    trueno_pool *pool;
} apr_canonical;

/* What is read of a tensor. */
typedef struct apr_canonical_values {
    apr_tensor_statistics statistics;
    uint32_t crc; /* CRC-32 of the values as F32, or of the bytes of types that nothing reads */
} apr_canonical_values;

/*
 * `threads` 0: trueno_cpu_default_threads(). TRUENO_NO_MEMORY, TRUENO_UNSUPPORTED (incomplete
 * stacks of experts). Close with apr_canonical_close(), also after an error.
 */
trueno_status apr_canonical_open(apr_canonical *c, const apr_model *m, int32_t threads,
                                 trueno_error *err);
void apr_canonical_close(apr_canonical *c);

/* The tensor of that name, or NULL. */
const apr_planned *apr_canonical_find(const apr_canonical *c, const char *name);

/* Name of the element type that it is stored in. */
const char *apr_canonical_type(const apr_planned *p);

/* False for element types that nothing computes with: those have a checksum alone. */
bool apr_canonical_is_readable(const apr_planned *p);

/* True for tables of RoPE factors, which some formats keep in their config instead. */
bool apr_canonical_is_table(const char *name);

/*
 * Read every value of a tensor once, with `percentiles` (NULL: none are wanted) three times. The
 * result does not depend on the number of threads. TRUENO_NO_MEMORY, TRUENO_CONTENT (compressed
 * tensors that are damaged).
 */
trueno_status apr_canonical_read(const apr_canonical *c, const apr_planned *p,
                                 apr_percentiles *percentiles, apr_canonical_values *out,
                                 trueno_error *err);

#endif
