/* SPDX-License-Identifier: MIT */
/* GGUF files made byte by byte, right or wrong. */
#ifndef TEST_APR_GGUF_BUILD_H
#define TEST_APR_GGUF_BUILD_H

#include <stddef.h>
#include <stdint.h>

/* GGUF's value types. */
enum { V_U8, V_I8, V_U16, V_I16, V_U32, V_I32, V_F32, V_BOOL, V_STR, V_ARR, V_U64, V_I64, V_F64 };

/* A growing run of bytes. */
typedef struct byte_run {
    uint8_t *data;
    size_t n, room;
} byte_run;

void put(byte_run *b, const void *data, size_t n);
void put_u8(byte_run *b, uint8_t v);
void put_u32(byte_run *b, uint32_t v);
void put_u64(byte_run *b, uint64_t v);
void put_f32(byte_run *b, float v);
void put_text(byte_run *b, const char *text);
void put_text_n(byte_run *b, const char *text, size_t n);
void byte_run_free(byte_run *b);

/* A file in the making. Counts in the header follow from what was added, unless overridden. */
typedef struct gguf_build {
    uint32_t version;
    uint32_t alignment; /* used for padding; does not write the key */
    uint64_t n_keys, n_tensors;
    int64_t more_keys, more_tensors; /* added to the counts that the header tells */
    byte_run keys, infos, data;
} gguf_build;

void build_init(gguf_build *g);
void build_free(gguf_build *g);

/* Begin a key: its value follows by put...(&g->keys, ...). */
void key(gguf_build *g, const char *name, uint32_t type);
void key_u32(gguf_build *g, const char *name, uint32_t value);
void key_f32(gguf_build *g, const char *name, float value);
void key_str(gguf_build *g, const char *name, const char *value);
void key_bool(gguf_build *g, const char *name, uint8_t value);
/* An array key's element type and count; elements follow. */
void key_array(gguf_build *g, const char *name, uint32_t element, uint64_t count);

/* A tensor of F32 zeros, dims as GGUF lists them (fastest first). */
void tensor(gguf_build *g, const char *name, uint32_t n_dims, const uint64_t *dims);
/* A tensor's row in the table alone. */
void tensor_info(gguf_build *g, const char *name, uint32_t n_dims, const uint64_t *dims,
                 uint32_t type, uint64_t offset);

/* The finished file; the caller frees it with byte_run_free(). */
byte_run build_finish(const gguf_build *g);
/* The same, and the build is freed. */
byte_run build_end(gguf_build *g);

/* A small valid qwen2 model: config, vocabulary of 6 tokens, tensors. */
enum { TINY_HIDDEN = 8, TINY_VOCAB = 6, TINY_FFN = 12 };
void tiny_config(gguf_build *g);
void tiny_vocab(gguf_build *g);
void tiny_tensors(gguf_build *g);
/* A build of all three. */
gguf_build build_tiny(void);

#endif
