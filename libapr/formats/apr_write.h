/* SPDX-License-Identifier: MIT */
/* Writing one .apr file, which may be a shard of a set. */
#ifndef APR_APR_WRITE_H
#define APR_APR_WRITE_H

#include "../plan.h"
#include "apr_shards.h"

typedef struct apr_file {
    const apr_model *m;
    apr_plan *plan;               /* of this file's tensors, sorted by name */
    const apr_sharding *sharding; /* NULL: the model is one file */
    const apr_convert_options *options;
    uint32_t checksum;    /* in the footer */
    uint64_t index, data; /* where they begin */
} apr_file;

/* What a .apr file of the model has, in the model's order. */
trueno_status apr_file_plan(apr_plan *plan, const apr_model *m, const apr_convert_options *options,
                            trueno_error *err);

/* The whole file, into an output that is empty. */
trueno_status apr_file_write(apr_file *f, apr_output *out, trueno_error *err);

#endif
