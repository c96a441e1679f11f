/* SPDX-License-Identifier: MIT */
/* What stops a conversion before and after the weights: shapes, counts, and what must stay. */
#ifndef APR_CONVERT_CHECK_H
#define APR_CONVERT_CHECK_H

#include "model_private.h"

/* Weights of larger size are in no trained model. */
#define APR_LARGEST_WEIGHT 1e6

/* The embedding against hidden size and vocabulary of the config: ROSETTA-HIDDEN-001, -VOCAB-001.
 */
trueno_status apr_check_sizes(const apr_model *m, trueno_error *err);

/* Every known tensor's shape: ROSETTA-DIM-001. */
trueno_status apr_check_shapes(const apr_model *m, trueno_error *err);

/* No layer past the last, and the same parts in all: ROSETTA-LAYER-001, -COUNT-001. */
trueno_status apr_check_layers(const apr_model *m, trueno_error *err);

/*
 * A model whose tensors do not fit its own config is not converted: TRUENO_CONTENT with
 * ROSETTA-HIDDEN-001, -VOCAB-001, -LAYER-001, -DIM-001 or -COUNT-001.
 */
trueno_status apr_convert_check_source(const apr_model *m, trueno_error *err);

/* What was written must say the same as its source: TRUENO_CONTENT with the code of the difference.
 */
trueno_status apr_convert_check_result(const apr_model *before, const apr_model *after,
                                       trueno_error *err);

#endif
