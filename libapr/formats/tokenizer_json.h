/* SPDX-License-Identifier: MIT */
/* What the two readers of tokenizer.json share: its tokens, and what it says of them. */
#ifndef APR_TOKENIZER_JSON_H
#define APR_TOKENIZER_JSON_H

#include "hf.h"

/*
 * Tokens and merges of the file at `path` into m->vocab, whose byte_fallback is set: tokens from
 * `model`, its "model", and from the `added` ones.
 */
trueno_status apr_tokenizer_json_tokens(apr_model *m, const json_t *model, const json_t *added,
                                        const char *path, trueno_error *err);

/* The id of a token, -1 when there is none or `text` is no text. */
int32_t apr_tokenizer_json_find(const apr_vocab *v, const json_t *text);

/* "PATH: WHAT 'TEXT'" as the error, the text in printable form; returns status. */
trueno_status apr_tokenizer_json_fail(const char *path, trueno_status status, const char *what,
                                      const char *text, trueno_error *err);

#endif
