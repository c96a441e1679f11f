/* SPDX-License-Identifier: MIT */
/* JSON text of a file as a tree, strictly: duplicate keys, trailing text and bad UTF-8 are refused.
 */
#ifndef APR_JSON_READ_H
#define APR_JSON_READ_H

#include "model_private.h"
#include <jansson.h>

/*
 * Parse `bytes` bytes; *out is the caller's to json_decref(). TRUENO_FORMAT with `file`, line and
 * column; the top must be an object.
 */
trueno_status apr_json_parse(const char *file, const void *data, size_t bytes, json_t **out,
                             trueno_error *err);

/* As above, but of a key that occurs twice the last value stays: for lenient readers. */
trueno_status apr_json_parse_last(const char *file, const void *data, size_t bytes, json_t **out,
                                  trueno_error *err);

/*
 * Parse a file of at most `limit` bytes. A file that is not there gives TRUENO_OK and *out NULL
 * when `optional`, else TRUENO_UNSUPPORTED saying what is missing.
 */
trueno_status apr_json_load(const char *path, size_t limit, bool optional, json_t **out,
                            trueno_error *err);

/*
 * As apr_json_load(), optional, with all numbers as reals: for files in which integers beyond 64
 * bits are common (tokenizer_config.json's model_max_length) and no number is used.
 */
trueno_status apr_json_load_reals(const char *path, size_t limit, json_t **out, trueno_error *err);

/* The value at "a.b.c", or NULL when a part is missing or null. */
const json_t *apr_json_at(const json_t *root, const char *dotted);

/* A scalar (strings borrowed) as a metadata value; false for objects, arrays and null. */
bool apr_json_scalar(const json_t *value, apr_meta *out);

/* Append every member of an object as a metadata entry of the model, `prefix` before its key. */
trueno_status apr_json_to_meta(apr_model *m, const json_t *object, const char *prefix,
                               trueno_error *err);

#endif
