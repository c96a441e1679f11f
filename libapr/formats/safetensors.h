/* SPDX-License-Identifier: MIT */
/* The SafeTensors container. */
#ifndef APR_SAFETENSORS_H
#define APR_SAFETENSORS_H

#include "../json_read.h"
#include "../model_private.h"

/*
 * Parse and check the JSON header of source `index`; *out is the caller's to json_decref(), *data
 * the first byte after it.
 */
trueno_status apr_safetensors_header(const apr_model *m, size_t index, json_t **out, size_t *data,
                                     trueno_error *err);

/* Tensors that the header lists. */
size_t apr_safetensors_count(const json_t *header);

/*
 * Append the header's tensors to m->tensors, which has room, in the order of their bytes, each
 * checked: dtype, shape against bytes, no overlap, no hole, no byte left over.
 */
trueno_status apr_safetensors_tensors(apr_model *m, size_t index, const json_t *header, size_t data,
                                      trueno_error *err);

/*
 * Round the model's weights of double precision, for which nothing has kernels, to F32 in memory of
 * the model's own. Tensors that play no part stay what they are.
 */
trueno_status apr_safetensors_narrow(apr_model *m, trueno_error *err);

#endif
