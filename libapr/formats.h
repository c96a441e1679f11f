/* SPDX-License-Identifier: MIT */
/* The file formats, one row each: how to know one by its first bytes, and its reader. */
#ifndef APR_FORMATS_H
#define APR_FORMATS_H

#include "model_private.h"

typedef struct apr_format {
    const char *name;
    /* True when the first bytes can only be this format. */
    bool (*probe)(const uint8_t *data, size_t bytes);
    /* Fill the model from source 0, opening further files of a set. */
    trueno_status (*read)(apr_model *m, trueno_error *err);
} apr_format;

/* The row whose probe matches, or NULL. */
const apr_format *apr_format_probe(const uint8_t *data, size_t bytes);

bool apr_format_probe_apr(const uint8_t *data, size_t bytes);
trueno_status apr_format_read_apr(apr_model *m, trueno_error *err);
bool apr_safetensors_probe(const uint8_t *data, size_t bytes);
trueno_status apr_safetensors_read(apr_model *m, trueno_error *err);
bool apr_hf_json_probe(const uint8_t *data, size_t bytes);
trueno_status apr_hf_json_read(apr_model *m, trueno_error *err);
bool apr_gguf_probe(const uint8_t *data, size_t bytes);
trueno_status apr_gguf_read(apr_model *m, trueno_error *err);

#endif
