/* SPDX-License-Identifier: MIT */
/* What the entries of a model's metadata are, so that none is lost on the way through formats. */
#include "source_keys.h"

#include "../config.h"
#include "../config_json.h"
#include "../value_types.h"
#include <stdio.h>
#include <string.h>

static bool is_gguf(const apr_model *m)
{
    return strncmp(m->format, "GGUF", 4) == 0;
}

apr_source_keys apr_source_keys_of(const apr_model *m)
{
    const apr_meta *types = apr_model_meta_find(m, APR_SOURCE_TYPES);

    return (apr_source_keys){.m = m,
                             .types =
                                 !is_gguf(m) && types != NULL && types->kind == APR_META_JSON
                                     ? json_loadb(types->text.data, types->text.length, 0, NULL)
                                     : NULL};
}

void apr_source_keys_free(apr_source_keys *s)
{
    json_decref(s->types);
    s->types = NULL;
}

const char *apr_source_type(const apr_source_keys *s, const apr_meta *meta)
{
    bool array;

    if (!is_gguf(s->m))
        return json_string_value(json_object_get(s->types, meta->key));
    return apr_value_type_find(meta->type_name, &array) >= 0 ? meta->type_name : NULL;
}

static bool is_among(const char *key, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], key) == 0)
            return true;
    return false;
}

static bool begins(const char *key, const char *prefix)
{
    return strncmp(key, prefix, strlen(prefix)) == 0;
}

bool apr_source_in_vocab(const char *key)
{
    static const char *const NAMES[] = {"tokenizer.ggml.model",
                                        "tokenizer.ggml.pre",
                                        "tokenizer.ggml.tokens",
                                        "tokenizer.ggml.token_type",
                                        "tokenizer.ggml.scores",
                                        "tokenizer.ggml.merges",
                                        "tokenizer.ggml.bos_token_id",
                                        "tokenizer.ggml.eos_token_id",
                                        "tokenizer.ggml.unknown_token_id",
                                        "tokenizer.ggml.padding_token_id",
                                        "tokenizer.ggml.eot_token_id",
                                        "tokenizer.ggml.add_bos_token",
                                        "tokenizer.ggml.add_eos_token",
                                        "tokenizer.ggml.add_space_prefix",
                                        "tokenizer.ggml.remove_extra_whitespaces",
                                        "tokenizer.chat_template"};

    return is_among(key, NAMES, sizeof NAMES / sizeof NAMES[0]);
}

/* One of a field's names, "%s.a|%s.b", with the architecture put in. */
static bool field_has(const apr_field *field, const char *architecture, const char *key)
{
    const size_t before = strlen(architecture);

    for (const char *name = field->keys[APR_COLUMN_GGUF]; *name != '\0';) {
        const size_t length = strcspn(name, "|");

        if (length > 2 && begins(key, architecture) && strlen(key + before) == length - 2 &&
            strncmp(key + before, name + 2, length - 2) == 0)
            return true;
        name += length + (name[length] == '|');
    }
    return false;
}

bool apr_source_in_config(const apr_model *m, const char *key)
{
    static const char *const NAMES[] = {"general.sampling.temp", "general.sampling.top_k",
                                        "general.sampling.top_p", "general.sampling.min_p",
                                        "general.sampling.penalty_repeat"};
    const size_t before = strlen(m->config.architecture);
    const apr_field *field;

    if (is_among(key, NAMES, sizeof NAMES / sizeof NAMES[0]) ||
        (begins(key, m->config.architecture) &&
         strcmp(key + before, ".attention.value_length") == 0))
        return true;
    for (unsigned i = 0; (field = apr_config_field(i)) != NULL; i++)
        if (field_has(field, m->config.architecture, key))
            return true;
    return false;
}

/* What one file says of itself, and what every writer says of the model. */
static bool is_made(const apr_source_keys *s, const char *key)
{
    static const char *const NAMES[] = {"apr_dtype_table",      "model_type",
                                        "original_format",      "generation",
                                        "rope_long_factors",    "rope_short_factors",
                                        "tensor_codec",         "sharding",
                                        "architectures",        "dtype",
                                        "torch_dtype",          "tie_word_embeddings",
                                        "general.architecture", "general.alignment",
                                        APR_SOURCE_TYPES,       APR_SOURCE_METADATA,
                                        APR_SOURCE_BAG};
    static const char *const DEFAULTS[] = {
        "generation.temperature",  "generation.top_k",        "generation.top_p",
        "generation.min_p",        "generation.do_sample",    "generation.repetition_penalty",
        "generation.bos_token_id", "generation.eos_token_id", "generation.pad_token_id"};
    const size_t n = strlen(key), end = strlen("_token_id");

    if (is_among(key, NAMES, sizeof NAMES / sizeof NAMES[0]) ||
        is_among(key, DEFAULTS, sizeof DEFAULTS / sizeof DEFAULTS[0]) || begins(key, "split."))
        return true;
    if (strchr(key, '.') == NULL && n > end && strcmp(key + n - end, "_token_id") == 0)
        return s->m->has_vocab; /* the vocabulary says it */
    return apr_config_names(key);
}

apr_entry_kind apr_source_kind(const apr_source_keys *s, const apr_meta *meta)
{
    const char *key = meta->key;

    if (is_made(s, key) || apr_model_meta_find(s->m, key) != meta)
        return APR_ENTRY_MADE;
    if (apr_source_type(s, meta) != NULL)
        return APR_ENTRY_GGUF;
    if (begins(key, "tokenizer."))
        return APR_ENTRY_MADE; /* .apr's own words for the vocabulary */
    if (begins(key, "generation."))
        return APR_ENTRY_GENERATION;
    return strchr(key, '.') == NULL ? APR_ENTRY_CONFIG : APR_ENTRY_OTHER;
}

void apr_source_put(apr_json *j, const apr_meta *meta)
{
    if (meta->kind == APR_META_UINT && meta->u > INT64_MAX) {
        char text[32];

        (void)snprintf(text, sizeof text, "%llu", (unsigned long long)meta->u);
        apr_json_string(j, text);
    } else if (meta->kind == APR_META_ARRAY) {
        apr_meta_cursor cursor = {0};
        apr_meta element;

        apr_json_open(j, '[');
        while (apr_meta_next(meta, &cursor, &element))
            apr_source_put(j, &element);
        apr_json_close(j, ']');
    } else {
        apr_json_meta(j, meta, UINT64_MAX);
    }
}

void apr_source_put_kind(apr_json *j, const apr_source_keys *s, apr_entry_kind kind)
{
    const size_t prefix = kind == APR_ENTRY_GENERATION ? strlen("generation.") : 0;

    for (size_t i = 0; i < s->m->n_meta; i++) {
        const apr_meta *meta = &s->m->meta[i];

        if (apr_source_kind(s, meta) != kind)
            continue;
        apr_json_key(j, meta->key + prefix);
        apr_source_put(j, meta);
    }
}

bool apr_source_has_kind(const apr_source_keys *s, apr_entry_kind kind)
{
    for (size_t i = 0; i < s->m->n_meta; i++)
        if (apr_source_kind(s, &s->m->meta[i]) == kind)
            return true;
    return false;
}

static bool has_entry(const apr_model *m, const char *key)
{
    for (size_t i = 0; i < m->n_meta; i++)
        if (strcmp(m->meta[i].key, key) == 0)
            return true;
    return false;
}

trueno_status apr_source_take(apr_model *m, json_t *object, trueno_error *err)
{
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe(object, next, key, value)
    {
        if (has_entry(m, key))
            (void)json_object_del(object, key);
    }
    return apr_json_to_meta(m, object, "", err);
}
