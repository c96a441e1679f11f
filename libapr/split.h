/* SPDX-License-Identifier: MIT */
/* Writing parts of a model as they lie in its files. */
#ifndef APR_SPLIT_PRIVATE_H
#define APR_SPLIT_PRIVATE_H

#include "model_private.h"
#include <apr/split.h>

/* One file of a set: tensors [first, first + n) of the model. */
typedef struct apr_split_part {
    size_t first, n;
} apr_split_part;

/* How a model is divided. A single part is the whole model again. */
typedef struct apr_split {
    const apr_model *m;
    const apr_split_part *parts;
    int32_t n_parts;
} apr_split;

/* Write part `number` of a GGUF file to `path`. */
trueno_status apr_split_write_gguf(const apr_split *s, int32_t number, const char *path,
                                   trueno_error *err);

/* Fill a folder with all parts, their index and copies of the model's other files. */
trueno_status apr_split_write_safetensors(const apr_split *s, const char *folder,
                                          trueno_error *err);

#endif
