/* SPDX-License-Identifier: MIT */
/* The JSON metadata of a .apr file, from a model of any format. */
#include "apr_shards.h"

#include "../config_json.h"
#include "../json_write.h"
#include "../reader.h"
#include "../unpack.h"
#include "source_keys.h"
#include <stdio.h>
#include <string.h>

static void put_bytes(apr_json *j, const char *key, const uint8_t *values, int32_t n)
{
    apr_json_put_open(j, key, '[');
    for (int32_t i = 0; i < n; i++)
        apr_json_int(j, values[i]);
    apr_json_close(j, ']');
}

/* Text that is UTF-8, else {"bytes": "hex"}. */
static void put_text(apr_json *j, apr_text text)
{
    static const char DIGITS[] = "0123456789abcdef";
    size_t at = 0, step = 1;

    while (at < text.length && step > 0) {
        step = apr_utf8_length(text.data + at, text.length - at);
        at += step;
    }
    if (step > 0) {
        apr_json_text(j, text.data, text.length);
        return;
    }
    apr_json_open(j, '{');
    apr_json_key(j, "bytes");
    apr_json_raw(j, "\"", 1);
    for (uint32_t i = 0; i < text.length; i++) {
        const unsigned char c = (unsigned char)text.data[i];
        const char pair[2] = {DIGITS[c >> 4], DIGITS[c & 15]};

        apr_json_more(j, pair, 2);
    }
    apr_json_more(j, "\"", 1);
    apr_json_close(j, '}');
}

static void put_texts(apr_json *j, const char *key, const apr_text *texts, int32_t n)
{
    apr_json_put_open(j, key, '[');
    for (int32_t i = 0; i < n; i++)
        put_text(j, texts[i]);
    apr_json_close(j, ']');
}

static void put_merges(apr_json *j, const apr_vocab *v)
{
    if (v->merges != NULL)
        put_texts(j, "tokenizer.merges", v->merges, v->n_merges);
    if (v->merge_pairs == NULL)
        return;
    apr_json_put_open(j, "tokenizer.merge_pairs", '[');
    for (int32_t i = 0; i < v->n_merges; i++) {
        apr_json_open(j, '[');
        put_text(j, v->merge_pairs[i][0]);
        put_text(j, v->merge_pairs[i][1]);
        apr_json_close(j, ']');
    }
    apr_json_close(j, ']');
}

static void put_steps(apr_json *j, const apr_vocab *v)
{
    if (v->n_steps == 0)
        return;
    apr_json_put_open(j, "tokenizer.steps", '[');
    for (int32_t i = 0; i < v->n_steps; i++) {
        const apr_text_step *s = &v->steps[i];

        apr_json_open(j, '{');
        apr_json_put_int(j, "kind", s->kind);
        apr_json_put_int(j, "behavior", s->behavior);
        apr_json_put_int(j, "flags", s->flags);
        apr_json_key(j, "normalizer");
        apr_json_bool(j, s->normalizer);
        apr_json_key(j, "regex");
        apr_json_bool(j, s->regex);
        apr_json_key(j, "invert");
        apr_json_bool(j, s->invert);
        if (s->pattern != NULL)
            apr_json_put_string(j, "pattern", s->pattern);
        if (s->text != NULL)
            apr_json_put_string(j, "text", s->text);
        apr_json_close(j, '}');
    }
    apr_json_close(j, ']');
}

static void put_switches(apr_json *j, const apr_vocab *v)
{
    const struct {
        const char *key;
        bool value;
    } rows[] = {{"tokenizer.byte_level", v->byte_level},
                {"tokenizer.byte_fallback", v->byte_fallback},
                {"tokenizer.ignore_merges", v->ignore_merges},
                {"tokenizer.fuse_unknown", v->fuse_unknown},
                {"tokenizer.add_space_prefix", v->add_space_prefix},
                {"tokenizer.remove_extra_whitespace", v->remove_extra_whitespace},
                {"tokenizer.add_bos_token", v->add_bos},
                {"tokenizer.add_eos_token", v->add_eos}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        apr_json_key(j, rows[i].key);
        apr_json_bool(j, rows[i].value);
    }
}

static void put_ids(apr_json *j, const apr_vocab *v)
{
    const struct {
        const char *key;
        int32_t id;
    } rows[] = {{"tokenizer.bos_token_id", v->bos},
                {"tokenizer.eos_token_id", v->eos},
                {"tokenizer.unknown_token_id", v->unk},
                {"tokenizer.padding_token_id", v->pad},
                {"tokenizer.eot_token_id", v->eot}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].id >= 0)
            apr_json_put_int(j, rows[i].key, rows[i].id);
    apr_json_put_open(j, "tokenizer.eos_token_ids", '[');
    for (int32_t i = 0; i < v->n_eos; i++)
        apr_json_int(j, v->eos_ids[i]);
    apr_json_close(j, ']');
}

static void put_vocab(apr_json *j, const apr_vocab *v)
{
    static const char *const KINDS[] = {"bpe", "spm", "other"};

    apr_json_put_string(j, "tokenizer.kind", KINDS[v->kind]);
    apr_json_put_string(j, "tokenizer.model_type", v->model);
    if (v->pre != NULL)
        apr_json_put_string(j, "tokenizer.pre_type", v->pre);
    apr_json_put_int(j, "tokenizer.vocab_size", v->n_tokens);
    put_switches(j, v);
    put_ids(j, v);
    put_steps(j, v);
    put_bytes(j, "tokenizer.token_type", v->types, v->n_tokens);
    put_bytes(j, "tokenizer.token_flags", v->flags, v->n_tokens);
    if (v->scores != NULL)
        apr_json_put_floats(j, "tokenizer.scores", v->scores, v->n_tokens);
    put_merges(j, v);
    put_texts(j, "tokenizer.vocabulary", v->tokens, v->n_tokens);
}

static void put_default(apr_json *j, const char *key, float value)
{
    if (value < 0)
        return;
    apr_json_key(j, key);
    apr_json_float(j, value);
}

static void put_defaults(apr_json *j, const apr_generation_defaults *d)
{
    apr_json_put_open(j, "generation", '{');
    put_default(j, "temperature", d->temperature);
    put_default(j, "top_p", d->top_p);
    put_default(j, "min_p", d->min_p);
    put_default(j, "repetition_penalty", d->repeat_penalty);
    if (d->top_k >= 0)
        apr_json_put_int(j, "top_k", d->top_k);
    if (d->do_sample >= 0) {
        apr_json_key(j, "do_sample");
        apr_json_bool(j, d->do_sample != 0);
    }
    apr_json_close(j, '}');
}

/* True for entries that a .apr file keeps as they are. */
static bool is_kept(const apr_source_keys *keys, const apr_meta *meta)
{
    const apr_entry_kind kind = apr_source_kind(keys, meta);

    return kind != APR_ENTRY_MADE && (kind != APR_ENTRY_GGUF || !apr_source_in_vocab(meta->key));
}

/* Everything else the source says; of GGUF entries also the types, so that they can be restored. */
static void put_source(apr_json *j, const apr_model *m)
{
    apr_source_keys keys = apr_source_keys_of(m);

    for (size_t i = 0; i < m->n_meta; i++) {
        if (!is_kept(&keys, &m->meta[i]))
            continue;
        apr_json_key(j, m->meta[i].key);
        apr_source_put(j, &m->meta[i]);
    }
    if (apr_source_has_kind(&keys, APR_ENTRY_GGUF)) {
        apr_json_put_open(j, APR_SOURCE_TYPES, '{');
        for (size_t i = 0; i < m->n_meta; i++)
            if (is_kept(&keys, &m->meta[i]) && apr_source_type(&keys, &m->meta[i]) != NULL)
                apr_json_put_string(j, m->meta[i].key, apr_source_type(&keys, &m->meta[i]));
        apr_json_close(j, '}');
    }
    apr_source_keys_free(&keys);
}

/* The format that the weights first came in. */
static void put_origin(apr_json *j, const apr_model *m)
{
    const apr_meta *before = apr_model_meta_find(m, "original_format");

    apr_json_key(j, "original_format");
    if (before != NULL && before->kind == APR_META_STRING)
        apr_json_text(j, before->text.data, before->text.length);
    else
        apr_json_string(j, strncmp(m->format, "GGUF", 4) == 0 ? "gguf" : "safetensors");
}

/* How tensors are compressed. */
static void put_codecs(apr_json *j, const apr_plan *plan)
{
    bool any = false;

    for (size_t i = 0; i < plan->n; i++) {
        const apr_planned *t = &plan->tensors[i];

        if (!t->packed)
            continue;
        if (!any) {
            apr_json_put_open(j, "tensor_codec", '{');
        }
        any = true;
        apr_json_put_open(j, t->name, '{');
        apr_json_put_string(j, "codec", apr_codec_name(APR_CODEC_ZSTD));
        apr_json_put_int(j, "raw_size", (int64_t)t->bytes);
        apr_json_close(j, '}');
    }
    if (any)
        apr_json_close(j, '}');
}

static void put_sharding(apr_json *j, const apr_sharding *s)
{
    apr_json_put_open(j, "sharding", '{');
    apr_json_put_int(j, "shard_count", s->count);
    apr_json_put_int(j, "shard_index", s->index);
    apr_json_put_int(j, "total_size", s->total_bytes);
    apr_json_put_int(j, "tensor_count", s->n_tensors);
    apr_json_put_string(j, "set", s->set);
    apr_json_close(j, '}');
}

/* All that is known of the model. */
static void put_model(apr_json *j, const apr_model *m, const apr_config *config)
{
    put_origin(j, m);
    apr_config_write(j, config);
    if (config->n_rope_factors > 0) {
        apr_json_put_floats(j, "rope_long_factors", config->rope_long_factors,
                            config->n_rope_factors);
        apr_json_put_floats(j, "rope_short_factors", config->rope_short_factors,
                            config->n_rope_factors);
    }
    if (m->chat_template != NULL)
        apr_json_put_string(j, "chat_template", m->chat_template);
    put_defaults(j, &m->defaults);
    put_source(j, m);
    if (m->has_vocab)
        put_vocab(j, &m->vocab);
}

trueno_status apr_format_metadata(const apr_model *m, const apr_plan *plan,
                                  const apr_sharding *sharding, char **out, size_t *bytes,
                                  trueno_error *err)
{
    const apr_config *config = &plan->config;
    apr_json j = {.buffer.allocator = m->options.allocator};

    apr_json_open(&j, '{');
    apr_json_put_string(&j, "apr_dtype_table", "ggml");
    apr_json_put_string(&j, "model_type", config->architecture);
    apr_json_put_string(&j, "architecture", config->architecture);
    apr_json_put_string(&j, "name", config->name);
    if (sharding != NULL)
        put_sharding(&j, sharding);
    put_codecs(&j, plan);
    if (sharding == NULL || sharding->index == 0)
        put_model(&j, m, config);
    apr_json_close(&j, '}');
    return apr_json_finish(&j, m->path, out, bytes, err);
}
