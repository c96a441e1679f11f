/* SPDX-License-Identifier: MIT */
/* The vocabulary's keys of a GGUF file, from a vocabulary of any format. */
#include "gguf_write.h"
#include "pre_rows.h"

#include <stdio.h>
#include <string.h>

static trueno_status find_pre(const apr_model *m, const char **out, trueno_error *err)
{
    const apr_pre_row *row = m->vocab.pre == NULL ? apr_pre_of_steps(&m->vocab) : NULL;

    *out = row != NULL ? row->pre : m->vocab.pre;
    if (*out != NULL)
        return TRUENO_OK;
    return trueno_fail(err, TRUENO_UNSUPPORTED,
                       "%s: no GGUF name is known for the pre-tokeniser of tokenizer.json",
                       m->path);
}

/* Texts of all rows: behind the vocabulary's end, names that nothing can produce. */
static void put_tokens(const apr_vocab *v, int32_t rows, apr_gguf_keys *keys)
{
    char name[32];

    apr_gguf_key(keys, "tokenizer.ggml.tokens", APR_VALUE_ARRAY);
    apr_gguf_put_u32(&keys->bytes, APR_VALUE_STRING);
    apr_gguf_put_u64(&keys->bytes, (uint64_t)rows);
    for (int32_t id = 0; id < rows; id++) {
        int length = snprintf(name, sizeof name, "[PAD%d]", id);

        if (id < v->n_tokens && (v->types[id] != APR_TOKEN_UNUSED || v->tokens[id].length > 0))
            apr_gguf_put_text(&keys->bytes, v->tokens[id].data, v->tokens[id].length);
        else
            apr_gguf_put_text(&keys->bytes, name, (size_t)length);
    }
    apr_gguf_key(keys, "tokenizer.ggml.token_type", APR_VALUE_ARRAY);
    apr_gguf_put_u32(&keys->bytes, APR_VALUE_I32);
    apr_gguf_put_u64(&keys->bytes, (uint64_t)rows);
    for (int32_t id = 0; id < rows; id++)
        apr_gguf_put_u32(&keys->bytes, id < v->n_tokens ? v->types[id] : APR_TOKEN_UNUSED);
}

static void put_merges(const apr_vocab *v, apr_gguf_keys *keys)
{
    apr_gguf_key(keys, "tokenizer.ggml.merges", APR_VALUE_ARRAY);
    apr_gguf_put_u32(&keys->bytes, APR_VALUE_STRING);
    apr_gguf_put_u64(&keys->bytes, (uint64_t)v->n_merges);
    for (int32_t i = 0; i < v->n_merges; i++) {
        if (v->merges != NULL) {
            apr_gguf_put_text(&keys->bytes, v->merges[i].data, v->merges[i].length);
            continue;
        }
        apr_gguf_put_u64(&keys->bytes,
                         (uint64_t)v->merge_pairs[i][0].length + 1 + v->merge_pairs[i][1].length);
        apr_buffer_append(&keys->bytes, v->merge_pairs[i][0].data, v->merge_pairs[i][0].length);
        apr_buffer_append(&keys->bytes, " ", 1);
        apr_buffer_append(&keys->bytes, v->merge_pairs[i][1].data, v->merge_pairs[i][1].length);
    }
}

static void put_scores(const apr_vocab *v, int32_t rows, apr_gguf_keys *keys)
{
    const float none = 0;

    apr_gguf_key(keys, "tokenizer.ggml.scores", APR_VALUE_ARRAY);
    apr_gguf_put_u32(&keys->bytes, APR_VALUE_F32);
    apr_gguf_put_u64(&keys->bytes, (uint64_t)rows);
    for (int32_t id = 0; id < rows; id++)
        apr_buffer_append(&keys->bytes, id < v->n_tokens ? &v->scores[id] : &none, sizeof none);
}

static void put_ids(const apr_vocab *v, apr_gguf_keys *keys)
{
    const struct {
        const char *key;
        int32_t id;
    } rows[] = {{"tokenizer.ggml.bos_token_id", v->bos},
                {"tokenizer.ggml.eos_token_id", v->eos},
                {"tokenizer.ggml.unknown_token_id", v->unk},
                {"tokenizer.ggml.padding_token_id", v->pad},
                {"tokenizer.ggml.eot_token_id", v->eot}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].id >= 0)
            apr_gguf_key_u32(keys, rows[i].key, (uint32_t)rows[i].id);
    apr_gguf_key_bool(keys, "tokenizer.ggml.add_bos_token", v->add_bos);
    apr_gguf_key_bool(keys, "tokenizer.ggml.add_eos_token", v->add_eos);
}

trueno_status apr_gguf_write_vocab(const apr_model *m, apr_gguf_keys *keys, trueno_error *err)
{
    const apr_vocab *v = &m->vocab;
    const int32_t rows = m->config.vocab_size > v->n_tokens ? m->config.vocab_size : v->n_tokens;
    const char *pre = NULL;
    trueno_status status;

    if (v->kind == APR_VOCAB_OTHER || (v->kind == APR_VOCAB_BPE && !v->byte_level))
        return trueno_fail(err, TRUENO_UNSUPPORTED,
                           "%s: a vocabulary of the kind %s with%s byte fallback has no GGUF form "
                           "that keeps its ids",
                           m->path, v->model, v->byte_fallback ? "" : "out");
    if (v->kind == APR_VOCAB_BPE && (status = find_pre(m, &pre, err)) < 0)
        return status;
    apr_gguf_key_text(keys, "tokenizer.ggml.model", v->kind == APR_VOCAB_BPE ? "gpt2" : "llama");
    if (pre != NULL)
        apr_gguf_key_text(keys, "tokenizer.ggml.pre", pre);
    put_tokens(v, rows, keys);
    if (v->n_merges > 0)
        put_merges(v, keys);
    if (v->scores != NULL)
        put_scores(v, rows, keys);
    put_ids(v, keys);
    apr_gguf_key_bool(keys, "tokenizer.ggml.add_space_prefix", v->add_space_prefix);
    if (m->chat_template != NULL)
        apr_gguf_key_text(keys, "tokenizer.chat_template", m->chat_template);
    return TRUENO_OK;
}
