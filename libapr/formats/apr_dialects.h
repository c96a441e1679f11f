/* SPDX-License-Identifier: MIT */
/* .apr files of writers before the table of element types was settled, for lenient readers. */
#ifndef APR_APR_DIALECTS_H
#define APR_APR_DIALECTS_H

#include "../json_read.h"
#include "../model_private.h"

/* How a writer's files differ from the format as it is described. */
typedef struct apr_dialect {
    const char *name;
    bool canonical; /* types are GGML's numbers */
    bool sorted;    /* the index is in order */
    bool footer;
    apr_role_names names;
} apr_dialect;

/*
 * The dialect of a file by its metadata. TRUENO_UNSUPPORTED for those that only a lenient reader
 * takes; such a reader is told on the log.
 */
trueno_status apr_dialect_find(const apr_model *m, const json_t *metadata, const apr_dialect **out,
                               trueno_error *err);

/* GGML's number for an element type of the dialect, given the entry's elements and bytes; or -1. */
int apr_dialect_type(const apr_dialect *dialect, int type, uint64_t elements, uint64_t bytes);

/* The order of Q and K rows that the dialect's files have where they do not say it. */
int32_t apr_dialect_rope(const apr_dialect *dialect, const apr_architecture *row);

#endif
