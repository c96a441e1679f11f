/* SPDX-License-Identifier: MIT */
/* .apr files made by hand, for tests: an example that opens, and what a case changes in it. */
#ifndef TESTS_APR_BUILD_H
#define TESTS_APR_BUILD_H

#include "gguf_build.h"
#include <apr/model.h>
#include <stdbool.h>

#define APR_BUILD_METADATA                                                                         \
    "{\"apr_dtype_table\":\"ggml\",\"architecture\":\"qwen2\",\"num_layers\":1,\"hidden_size\":4," \
    "\"num_heads\":2,\"num_kv_heads\":1,\"intermediate_size\":4,\"max_position_embeddings\":8,"    \
    "\"rms_norm_eps\":1e-6,\"vocab_size\":2,\"rope_type\":2,\"tokenizer.kind\":\"bpe\","           \
    "\"tokenizer.model_type\":\"gpt2\",\"tokenizer.token_type\":[1,3],"                            \
    "\"tokenizer.token_flags\":[0,3],\"tokenizer.vocabulary\":[\"a\",{\"bytes\":\"ff00\"}]}"

/* What a case changes before the checksums are made. */
typedef struct apr_build {
    const char *metadata;
    uint8_t magic[4], major;
    uint16_t flags;
    uint32_t more_tensors;
    uint64_t move_index, move_data;
    byte_run index;
    bool break_header, break_tables;
    size_t data;      /* bytes of it, after `content` by a rule */
    byte_run content; /* the first of them */
} apr_build;

/* A model of two tensors and two tokens. */
apr_build apr_build_good(void);

/* An entry of the index. */
void apr_build_entry(byte_run *b, const char *name, uint8_t type, uint8_t n_dims,
                     const uint64_t *dims, uint64_t offset, uint64_t size);

/* The file, and in *tables where its data begin; the build's own memory is freed. */
byte_run apr_build_finish(apr_build *b, size_t *tables);

/* Open the first n bytes in guarded memory, and close: one line of message, and no memory kept. */
trueno_status apr_build_open(const byte_run *file, size_t n, bool verify, trueno_error *err);

#endif
