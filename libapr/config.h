/* SPDX-License-Identifier: MIT */
/* Filling apr_config from any format's key-value pairs, by the rows of config_fields.def. */
#ifndef APR_CONFIG_READ_H
#define APR_CONFIG_READ_H

#include "architectures.h"
#include <apr/model.h>

/* Which column of config_fields.def a format uses. */
typedef enum apr_config_column { APR_COLUMN_GGUF, APR_COLUMN_HF, APR_COLUMN_APR } apr_config_column;

typedef enum apr_field_kind {
    APR_FIELD_INT,
    APR_FIELD_FLOAT,
    APR_FIELD_BOOL,
    APR_FIELD_SCALING
} apr_field_kind;

/* Whether a model must have a field: to run, to be described, or not at all. */
typedef enum apr_field_need { APR_NEED_OPTIONAL, APR_NEED_SHOWN, APR_NEED_REQUIRED } apr_field_need;

typedef struct apr_field {
    const char *name;
    apr_field_kind kind;
    size_t offset; /* in apr_config */
    double least, most;
    const char *keys[3]; /* by apr_config_column */
    apr_field_need need;
} apr_field;

/* Row `index` of config_fields.def, or NULL behind the last. */
const apr_field *apr_config_field(unsigned index);

/*
 * Where values come from: the scalar of `key` into *value and true, or false when there is none (a
 * JSON null is none). Arrays give their one repeated element; a list of differing values is left as
 * an ARRAY, and is refused.
 */
typedef struct apr_config_source {
    bool (*find)(const void *data, const char *key, apr_meta *value);
    const void *data;
    apr_config_column column;
    const char *file; /* for messages */
    bool complete;    /* required fields must be there */
    bool ours;        /* the architecture has a row; else values it cannot hold are left out */
} apr_config_source;

/* Fill *config by all rows; config->architecture is set. Absent fields stay zero. */
trueno_status apr_config_read(apr_config *config, const apr_config_source *source,
                              trueno_error *err);

/*
 * Fill what follows from the rest (head_dim, n_kv_heads, n_rot, RoPE defaults), and check that
 * head counts divide. `row` may be NULL for an architecture that is not ours.
 */
trueno_status apr_config_finish(apr_config *config, const apr_architecture *row, const char *file,
                                trueno_error *err);

/* The word for a kind of RoPE scaling as .apr files have it; never NULL. */
const char *apr_rope_scaling_name(int32_t scaling);

#endif
