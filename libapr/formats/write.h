/* SPDX-License-Identifier: MIT */
/* The writers of formats: each puts a whole model into an output. */
#ifndef APR_WRITE_H
#define APR_WRITE_H

#include "../output.h"
#include <apr/convert.h>

trueno_status apr_write_apr(const apr_model *m, apr_output *out, const apr_convert_options *options,
                            trueno_error *err);
trueno_status apr_write_gguf(const apr_model *m, apr_output *out,
                             const apr_convert_options *options, trueno_error *err);

/* Into an existing empty folder: model.safetensors, config.json and what goes with them. */
trueno_status apr_write_safetensors(const apr_model *m, const char *folder,
                                    const apr_convert_options *options, trueno_error *err);

#endif
