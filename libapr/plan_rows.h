/* SPDX-License-Identifier: MIT */
/* The rows of a planned tensor as floats, piece by piece: what is written, and what is compared. */
#ifndef APR_PLAN_ROWS_H
#define APR_PLAN_ROWS_H

#include "plan.h"

/* Rows of a planned tensor in the target's order, with the target's norm offset. */
typedef struct apr_piece {
    const apr_model *model;
    const apr_planned *planned;
    int64_t first;       /* of the tensor's rows; parts lie one behind the other */
    int64_t rows, cols;  /* of this piece */
    const float *values; /* [rows, cols] */
    trueno_tensor raw; /* the same rows in the source's type; data NULL where values were changed */
    int64_t bad;       /* least index of a value that is not finite; INT64_MAX: none */
    float min, max;    /* of the finite values */
    uint64_t zeros;
} apr_piece;

/* Takes a piece; a negative status stops the visit. */
typedef trueno_status (*apr_piece_fn)(void *user, const apr_piece *piece, trueno_error *err);

/* Most bytes of floats in a piece, unless one row is longer. */
enum { APR_PIECE_BYTES = 4 << 20 };

/*
 * Visit every piece of a planned tensor whose source types are of the registry, in order; rows are
 * made on the pool's threads. TRUENO_NO_MEMORY, or what `fn` returned.
 */
trueno_status apr_plan_visit(const apr_model *m, const apr_planned *p, trueno_pool *pool,
                             apr_piece_fn fn, void *user, trueno_error *err);

#endif
