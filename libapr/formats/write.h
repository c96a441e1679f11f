/* SPDX-License-Identifier: MIT */
/* The writers of formats: each puts a whole model into an output. */
#ifndef APR_WRITE_H
#define APR_WRITE_H

#include "../json_write.h"
#include "../model_private.h"
#include "../output.h"
#include "../plan.h"
#include <apr/convert.h>

/* What each format asks of the tensors of `m`. */
apr_plan_target apr_target_apr(const apr_model *m);
apr_plan_target apr_target_gguf(const apr_model *m);
apr_plan_target apr_target_safetensors(const apr_model *m);

trueno_status apr_write_apr(const apr_model *m, apr_output *out, const apr_convert_options *options,
                            trueno_error *err);
trueno_status apr_write_gguf(const apr_model *m, apr_output *out,
                             const apr_convert_options *options, trueno_error *err);

/* Into an existing empty folder: model.safetensors, config.json and what goes with them. */
trueno_status apr_write_safetensors(const apr_model *m, const char *folder,
                                    const apr_convert_options *options, trueno_error *err);

/* How many files a set of at most options->shard_bytes each has; TRUENO_USAGE: too many. */
trueno_status apr_count_shards(const apr_model *m, const apr_convert_options *options,
                               int32_t *count, trueno_error *err);

/* Into an existing empty folder: the files of a set called `stem`, and its manifest. */
trueno_status apr_write_shards(const apr_model *m, const char *folder, const char *stem,
                               const apr_convert_options *options, trueno_error *err);

/* Finish a document and write it as a file of the folder. */
trueno_status apr_write_document(const apr_model *m, apr_json *j, const char *folder,
                                 const char *name, trueno_error *err);

#endif
