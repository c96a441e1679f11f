/* SPDX-License-Identifier: MIT */
/* What GGUF files are written of: numbers, texts and keys. */
#include "gguf_write.h"

#include <endian.h>
#include <string.h>

void apr_gguf_put_u32(apr_buffer *b, uint32_t v)
{
    v = htole32(v);
    apr_buffer_append(b, &v, sizeof v);
}

void apr_gguf_put_u64(apr_buffer *b, uint64_t v)
{
    v = htole64(v);
    apr_buffer_append(b, &v, sizeof v);
}

void apr_gguf_put_text(apr_buffer *b, const char *text, size_t length)
{
    apr_gguf_put_u64(b, length);
    apr_buffer_append(b, text, length);
}

void apr_gguf_key(apr_gguf_keys *keys, const char *name, uint32_t type)
{
    keys->n++;
    apr_gguf_put_text(&keys->bytes, name, strlen(name));
    apr_gguf_put_u32(&keys->bytes, type);
}

void apr_gguf_key_u32(apr_gguf_keys *keys, const char *name, uint32_t value)
{
    apr_gguf_key(keys, name, APR_VALUE_U32);
    apr_gguf_put_u32(&keys->bytes, value);
}

void apr_gguf_key_f32(apr_gguf_keys *keys, const char *name, float value)
{
    apr_gguf_key(keys, name, APR_VALUE_F32);
    apr_buffer_append(&keys->bytes, &value, sizeof value);
}

void apr_gguf_key_bool(apr_gguf_keys *keys, const char *name, bool value)
{
    apr_gguf_key(keys, name, APR_VALUE_BOOL);
    apr_buffer_append(&keys->bytes, value ? "\1" : "\0", 1);
}

void apr_gguf_key_text(apr_gguf_keys *keys, const char *name, const char *text)
{
    apr_gguf_key(keys, name, APR_VALUE_STRING);
    apr_gguf_put_text(&keys->bytes, text, strlen(text));
}
