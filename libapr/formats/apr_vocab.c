/* SPDX-License-Identifier: MIT */
/* The vocabulary within .apr metadata. */
#include "apr.h"

#include "../file_limits.h"
#include "../vocab.h"
#include <string.h>

/* Bytes of a text, or of {"bytes": "hex"} for what is no UTF-8; SIZE_MAX when it is neither. */
static size_t text_bytes(const json_t *value)
{
    const json_t *hex = json_object_get(value, "bytes");

    if (json_is_string(value))
        return json_string_length(value);
    return json_is_string(hex) && json_string_length(hex) % 2 == 0 ? json_string_length(hex) / 2
                                                                   : SIZE_MAX;
}

static int hex_digit(char c)
{
    static const char DIGITS[] = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(DIGITS, c) : NULL;

    return at != NULL ? (int)(at - DIGITS) : 0;
}

static apr_text copy_text(char *to, const json_t *value)
{
    const char *hex = json_string_value(json_object_get(value, "bytes"));
    size_t n = text_bytes(value);

    if (json_is_string(value)) {
        memcpy(to, json_string_value(value), n);
    } else {
        for (size_t i = 0; i < n; i++)
            to[i] = (char)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
    }
    return (apr_text){to, (uint32_t)n};
}

/* A list of texts, or of lists of `width` texts, one after the other. */
static trueno_status read_texts(apr_model *m, const json_t *list, const char *key, size_t width,
                                const apr_text **out, trueno_error *err)
{
    size_t n = json_array_size(list), total = 0, used = 0;
    apr_text *texts;
    char *pool;
    trueno_status status;

    for (size_t i = 0; i < n * width; i++) {
        const json_t *value = json_array_get(list, i / width);
        size_t bytes = text_bytes(width > 1 ? json_array_get(value, i % width) : value);

        if (bytes == SIZE_MAX || (width > 1 && json_array_size(value) != width))
            return trueno_fail(err, TRUENO_FORMAT, "%s: %s: entry %zu is no text", m->path, key,
                               i / width);
        total += bytes;
    }
    if ((status = apr_model_allocate(m, &texts, n * width, sizeof *texts, key, err)) < 0 ||
        (status = apr_model_allocate(m, &pool, total, 1, key, err)) < 0)
        return status;
    for (size_t i = 0; i < n * width; i++) {
        const json_t *value = json_array_get(list, i / width);

        texts[i] = copy_text(pool + used, width > 1 ? json_array_get(value, i % width) : value);
        used += texts[i].length;
    }
    *out = texts;
    return TRUENO_OK;
}

/* A list of small numbers, one a token; *out stays NULL when the file has none. */
static trueno_status read_bytes(apr_model *m, const json_t *metadata, const char *key, int least,
                                int most, const uint8_t **out, trueno_error *err)
{
    const json_t *list = json_object_get(metadata, key);
    size_t n = json_array_size(list);
    uint8_t *numbers;
    trueno_status status;

    if (n != (size_t)m->vocab.n_tokens)
        return trueno_fail(err, TRUENO_FORMAT, "%s: %s has %zu entries for %d tokens", m->path, key,
                           n, m->vocab.n_tokens);
    if ((status = apr_model_allocate(m, &numbers, n, 1, key, err)) < 0)
        return status;
    for (size_t i = 0; i < n; i++) {
        json_int_t value = json_integer_value(json_array_get(list, i));

        if (value < least || value > most)
            return trueno_fail(err, TRUENO_FORMAT, "%s: %s: entry %zu is %lld", m->path, key, i,
                               (long long)value);
        numbers[i] = (uint8_t)value;
    }
    *out = numbers;
    return TRUENO_OK;
}

static trueno_status read_scores(apr_model *m, const json_t *metadata, trueno_error *err)
{
    const json_t *list = json_object_get(metadata, "tokenizer.scores");
    size_t n = json_array_size(list);
    float *scores;
    trueno_status status;

    if (list == NULL)
        return TRUENO_OK;
    if (n != (size_t)m->vocab.n_tokens)
        return trueno_fail(err, TRUENO_FORMAT, "%s: tokenizer.scores has %zu entries for %d tokens",
                           m->path, n, m->vocab.n_tokens);
    if ((status = apr_model_allocate(m, &scores, n, sizeof *scores, "token scores", err)) < 0)
        return status;
    for (size_t i = 0; i < n; i++)
        scores[i] = (float)json_number_value(json_array_get(list, i));
    m->vocab.scores = scores;
    return TRUENO_OK;
}

static trueno_status read_merges(apr_model *m, const json_t *metadata, trueno_error *err)
{
    const json_t *joined = json_object_get(metadata, "tokenizer.merges");
    const json_t *pairs = json_object_get(metadata, "tokenizer.merge_pairs");
    const json_t *list = pairs != NULL ? pairs : joined;
    const apr_text *texts = NULL;
    trueno_status status;

    if (json_array_size(list) > 4 * (size_t)APR_LIMIT_TOKENS)
        return trueno_fail(err, TRUENO_FORMAT, "%s: %zu merges", m->path, json_array_size(list));
    status = read_texts(m, list, "tokenizer.merges", pairs != NULL ? 2 : 1, &texts, err);
    if (status < 0 || list == NULL)
        return status;
    m->vocab.n_merges = (int32_t)json_array_size(list);
    if (pairs != NULL)
        m->vocab.merge_pairs = (const apr_text(*)[2])(const void *)texts;
    else
        m->vocab.merges = texts;
    return TRUENO_OK;
}

static trueno_status copy_string(apr_model *m, const json_t *object, const char *key,
                                 const char **out, trueno_error *err)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_string(value))
        return TRUENO_OK;
    *out = trueno_arena_string(&m->arena, json_string_value(value), json_string_length(value));
    if (*out == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for %s", m->path, key);
    return TRUENO_OK;
}

static int32_t small_integer(const json_t *object, const char *key, int32_t absent)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return absent;
    return json_integer_value(value) > INT32_MAX ? INT32_MAX : (int32_t)json_integer_value(value);
}

/* Steps as the writer lists them; kinds and behaviours by their numbers in vocab.h. */
static trueno_status read_steps(apr_model *m, const json_t *metadata, trueno_error *err)
{
    const json_t *list = json_object_get(metadata, "tokenizer.steps");
    size_t n = json_array_size(list);
    apr_text_step *steps;
    trueno_status status;

    if (n > 64)
        return trueno_fail(err, TRUENO_FORMAT, "%s: tokenizer.steps has %zu entries", m->path, n);
    if ((status = apr_model_allocate(m, &steps, n, sizeof *steps, "tokenizer steps", err)) < 0)
        return status;
    for (size_t i = 0; i < n; i++) {
        const json_t *node = json_array_get(list, i);
        int32_t kind = small_integer(node, "kind", -1),
                behavior = small_integer(node, "behavior", 0);

        if (kind < 0 || kind > APR_STEP_BYTE_LEVEL || behavior > APR_SPLIT_CONTIGUOUS)
            return trueno_fail(err, TRUENO_UNSUPPORTED, "%s: tokenizer.steps: entry %zu is unknown",
                               m->path, i);
        steps[i] = (apr_text_step){.kind = (apr_text_step_kind)kind,
                                   .behavior = (apr_split_behavior)behavior,
                                   .normalizer = json_is_true(json_object_get(node, "normalizer")),
                                   .regex = json_is_true(json_object_get(node, "regex")),
                                   .invert = json_is_true(json_object_get(node, "invert")),
                                   .flags = (uint32_t)small_integer(node, "flags", 0)};
        if ((status = copy_string(m, node, "pattern", &steps[i].pattern, err)) < 0 ||
            (status = copy_string(m, node, "text", &steps[i].text, err)) < 0)
            return status;
    }
    m->vocab.steps = steps;
    m->vocab.n_steps = (int32_t)n;
    return TRUENO_OK;
}

static void read_switches(apr_vocab *v, const json_t *metadata)
{
    const struct {
        const char *key;
        bool *out;
    } rows[] = {{"tokenizer.byte_level", &v->byte_level},
                {"tokenizer.byte_fallback", &v->byte_fallback},
                {"tokenizer.ignore_merges", &v->ignore_merges},
                {"tokenizer.fuse_unknown", &v->fuse_unknown},
                {"tokenizer.add_space_prefix", &v->add_space_prefix},
                {"tokenizer.remove_extra_whitespace", &v->remove_extra_whitespace},
                {"tokenizer.add_bos_token", &v->add_bos},
                {"tokenizer.add_eos_token", &v->add_eos}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        *rows[i].out = json_is_true(json_object_get(metadata, rows[i].key));
}

static void read_ids(apr_vocab *v, const json_t *metadata)
{
    const json_t *ends = json_object_get(metadata, "tokenizer.eos_token_ids");

    v->bos = small_integer(metadata, "tokenizer.bos_token_id", -1);
    v->eos = small_integer(metadata, "tokenizer.eos_token_id", -1);
    v->unk = small_integer(metadata, "tokenizer.unknown_token_id", -1);
    v->pad = small_integer(metadata, "tokenizer.padding_token_id", -1);
    v->eot = small_integer(metadata, "tokenizer.eot_token_id", -1);
    for (size_t i = 0; i < json_array_size(ends) && v->n_eos < APR_MAX_EOS; i++) {
        json_int_t id = json_integer_value(json_array_get(ends, i));

        apr_vocab_add_end(v, id > INT32_MAX ? INT32_MAX : (int32_t)id);
    }
}

trueno_status apr_format_read_vocab(apr_model *m, const json_t *metadata, trueno_error *err)
{
    const json_t *tokens = json_object_get(metadata, "tokenizer.vocabulary");
    const char *kind = json_string_value(json_object_get(metadata, "tokenizer.kind"));
    apr_vocab *v = &m->vocab;
    trueno_status status;

    apr_vocab_init(v);
    if (tokens == NULL)
        return TRUENO_OK;
    if (json_array_size(tokens) == 0 || json_array_size(tokens) > APR_LIMIT_TOKENS || kind == NULL)
        return trueno_fail(err, TRUENO_FORMAT,
                           "%s: tokenizer.vocabulary has %zu entries, or tokenizer.kind is missing",
                           m->path, json_array_size(tokens));
    v->kind = strcmp(kind, "bpe") == 0   ? APR_VOCAB_BPE
              : strcmp(kind, "spm") == 0 ? APR_VOCAB_SPM
                                         : APR_VOCAB_OTHER;
    v->model = kind;
    v->n_tokens = (int32_t)json_array_size(tokens);
    if ((status = copy_string(m, metadata, "tokenizer.model_type", &v->model, err)) < 0 ||
        (status = copy_string(m, metadata, "tokenizer.pre_type", &v->pre, err)) < 0 ||
        (status = read_texts(m, tokens, "tokenizer.vocabulary", 1, &v->tokens, err)) < 0 ||
        (status = read_bytes(m, metadata, "tokenizer.token_type", 1, 6, &v->types, err)) < 0 ||
        (status = read_bytes(m, metadata, "tokenizer.token_flags", 0, 63, &v->flags, err)) < 0 ||
        (status = read_scores(m, metadata, err)) < 0 ||
        (status = read_merges(m, metadata, err)) < 0 || (status = read_steps(m, metadata, err)) < 0)
        return status;
    read_switches(v, metadata);
    read_ids(v, metadata);
    if (v->model == kind)
        return trueno_fail(err, TRUENO_FORMAT, "%s: tokenizer.model_type is missing", m->path);
    m->has_vocab = true;
    return apr_vocab_finish(m, err);
}
