/* SPDX-License-Identifier: MIT */
/* The parts of the GGUF writer. */
#ifndef APR_GGUF_WRITE_H
#define APR_GGUF_WRITE_H

#include "../buffer.h"
#include "../model_private.h"
#include "../value_types.h"

/* Keys collected for a file. */
typedef struct apr_gguf_keys {
    apr_buffer bytes;
    uint64_t n;
} apr_gguf_keys;

void apr_gguf_put_u32(apr_buffer *b, uint32_t v);
void apr_gguf_put_u64(apr_buffer *b, uint64_t v);
void apr_gguf_put_text(apr_buffer *b, const char *text, size_t length);

/* Begin a key; its value follows in keys->bytes. */
void apr_gguf_key(apr_gguf_keys *keys, const char *name, uint32_t type);
void apr_gguf_key_u32(apr_gguf_keys *keys, const char *name, uint32_t value);
void apr_gguf_key_f32(apr_gguf_keys *keys, const char *name, float value);
void apr_gguf_key_bool(apr_gguf_keys *keys, const char *name, bool value);
void apr_gguf_key_text(apr_gguf_keys *keys, const char *name, const char *text);

/* Keys of the source that are kept as they are, and what follows from the config. */
trueno_status apr_gguf_write_config(const apr_model *m, const apr_config *config,
                                    apr_gguf_keys *keys, trueno_error *err);

/* The vocabulary's keys, when the source is no GGUF file. */
trueno_status apr_gguf_write_vocab(const apr_model *m, apr_gguf_keys *keys, trueno_error *err);

#endif
