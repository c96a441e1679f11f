/* SPDX-License-Identifier: MIT */
/* GGUF files made byte by byte. */
#include "gguf_build.h"

#include <stdlib.h>
#include <string.h>

void put(byte_run *b, const void *data, size_t n)
{
    if (b->n + n > b->room) {
        b->room = (b->n + n) * 2;
        b->data = realloc(b->data, b->room);
        if (b->data == NULL)
            abort();
    }
    if (n > 0)
        memcpy(b->data + b->n, data, n);
    b->n += n;
}

void put_u8(byte_run *b, uint8_t v)
{
    put(b, &v, sizeof v);
}

void put_u32(byte_run *b, uint32_t v)
{
    put(b, &v, sizeof v);
}

void put_u64(byte_run *b, uint64_t v)
{
    put(b, &v, sizeof v);
}

void put_f32(byte_run *b, float v)
{
    put(b, &v, sizeof v);
}

void put_text_n(byte_run *b, const char *text, size_t n)
{
    put_u64(b, n);
    put(b, text, n);
}

void put_text(byte_run *b, const char *text)
{
    put_text_n(b, text, strlen(text));
}

void byte_run_free(byte_run *b)
{
    free(b->data);
    *b = (byte_run){0};
}

void build_init(gguf_build *g)
{
    *g = (gguf_build){.version = 3, .alignment = 32};
}

void build_free(gguf_build *g)
{
    byte_run_free(&g->keys);
    byte_run_free(&g->infos);
    byte_run_free(&g->data);
}

void key(gguf_build *g, const char *name, uint32_t type)
{
    g->n_keys++;
    put_text(&g->keys, name);
    put_u32(&g->keys, type);
}

void key_u32(gguf_build *g, const char *name, uint32_t value)
{
    key(g, name, V_U32);
    put_u32(&g->keys, value);
}

void key_f32(gguf_build *g, const char *name, float value)
{
    key(g, name, V_F32);
    put_f32(&g->keys, value);
}

void key_str(gguf_build *g, const char *name, const char *value)
{
    key(g, name, V_STR);
    put_text(&g->keys, value);
}

void key_bool(gguf_build *g, const char *name, uint8_t value)
{
    key(g, name, V_BOOL);
    put_u8(&g->keys, value);
}

void key_array(gguf_build *g, const char *name, uint32_t element, uint64_t count)
{
    key(g, name, V_ARR);
    put_u32(&g->keys, element);
    put_u64(&g->keys, count);
}

void tensor_info(gguf_build *g, const char *name, uint32_t n_dims, const uint64_t *dims,
                 uint32_t type, uint64_t offset)
{
    g->n_tensors++;
    put_text(&g->infos, name);
    put_u32(&g->infos, n_dims);
    for (uint32_t i = 0; i < n_dims; i++)
        put_u64(&g->infos, dims[i]);
    put_u32(&g->infos, type);
    put_u64(&g->infos, offset);
}

static void pad(byte_run *b, size_t alignment)
{
    while (b->n % alignment != 0)
        put_u8(b, 0);
}

void tensor(gguf_build *g, const char *name, uint32_t n_dims, const uint64_t *dims)
{
    uint64_t elements = 1;

    pad(&g->data, g->alignment);
    tensor_info(g, name, n_dims, dims, 0, g->data.n);
    for (uint32_t i = 0; i < n_dims; i++)
        elements *= dims[i];
    for (uint64_t i = 0; i < elements; i++)
        put_f32(&g->data, 0);
}

byte_run build_finish(const gguf_build *g)
{
    byte_run file = {0};

    put(&file, "GGUF", 4);
    put_u32(&file, g->version);
    put_u64(&file, g->n_tensors + (uint64_t)g->more_tensors);
    put_u64(&file, g->n_keys + (uint64_t)g->more_keys);
    put(&file, g->keys.data, g->keys.n);
    put(&file, g->infos.data, g->infos.n);
    if (g->n_tensors > 0)
        pad(&file, g->alignment);
    put(&file, g->data.data, g->data.n);
    return file;
}

byte_run build_end(gguf_build *g)
{
    byte_run file = build_finish(g);

    build_free(g);
    return file;
}

void tiny_config(gguf_build *g)
{
    key_str(g, "general.architecture", "qwen2");
    key_u32(g, "qwen2.block_count", 1);
    key_u32(g, "qwen2.context_length", 64);
    key_u32(g, "qwen2.embedding_length", TINY_HIDDEN);
    key_u32(g, "qwen2.feed_forward_length", TINY_FFN);
    key_u32(g, "qwen2.attention.head_count", 2);
    key_u32(g, "qwen2.attention.head_count_kv", 1);
    key_f32(g, "qwen2.attention.layer_norm_rms_epsilon", 1e-6F);
}

void tiny_vocab(gguf_build *g)
{
    static const char *const TOKENS[TINY_VOCAB] = {"a", "b", "ab", "c", "<|im_end|>", "<tool>"};
    static const uint32_t TYPES[TINY_VOCAB] = {1, 1, 1, 1, 3, 4};

    key_str(g, "tokenizer.ggml.model", "gpt2");
    key_str(g, "tokenizer.ggml.pre", "qwen2");
    key_array(g, "tokenizer.ggml.tokens", V_STR, TINY_VOCAB);
    for (int i = 0; i < TINY_VOCAB; i++)
        put_text(&g->keys, TOKENS[i]);
    key_array(g, "tokenizer.ggml.token_type", V_I32, TINY_VOCAB);
    put(&g->keys, TYPES, sizeof TYPES);
    key_array(g, "tokenizer.ggml.merges", V_STR, 1);
    put_text(&g->keys, "a b");
}

void tiny_tensors(gguf_build *g)
{
    const uint64_t norm[] = {TINY_HIDDEN}, embedding[] = {TINY_HIDDEN, TINY_VOCAB};
    const uint64_t square[] = {TINY_HIDDEN, TINY_HIDDEN}, kv[] = {TINY_HIDDEN, TINY_HIDDEN / 2};
    const uint64_t up[] = {TINY_HIDDEN, TINY_FFN}, down[] = {TINY_FFN, TINY_HIDDEN};

    tensor(g, "token_embd.weight", 2, embedding);
    tensor(g, "output_norm.weight", 1, norm);
    tensor(g, "blk.0.attn_norm.weight", 1, norm);
    tensor(g, "blk.0.attn_q.weight", 2, square);
    tensor(g, "blk.0.attn_k.weight", 2, kv);
    tensor(g, "blk.0.attn_v.weight", 2, kv);
    tensor(g, "blk.0.attn_output.weight", 2, square);
    tensor(g, "blk.0.ffn_norm.weight", 1, norm);
    tensor(g, "blk.0.ffn_gate.weight", 2, up);
    tensor(g, "blk.0.ffn_up.weight", 2, up);
    tensor(g, "blk.0.ffn_down.weight", 2, down);
}

gguf_build build_tiny(void)
{
    gguf_build g;

    build_init(&g);
    tiny_config(&g);
    tiny_vocab(&g);
    tiny_tensors(&g);
    return g;
}
