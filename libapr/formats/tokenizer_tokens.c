/* SPDX-License-Identifier: MIT */
/*
 * The tokens of tokenizer.json: model.vocab, added_tokens and model.merges as the tables of a
 * vocabulary. Everything is measured first, so that tables and texts are allocated once.
 */
#include "tokenizer_json.h"

#include "../file_limits.h"
#include "../reader.h"
#include <string.h>

/* The vocabulary's tables while they are filled. */
typedef struct table {
    apr_model *m;
    const char *path;
    apr_text *tokens;
    uint8_t *types, *flags;
    int32_t n;
    char *pool; /* texts of all tokens, then of the merges */
    size_t pool_used, pool_bytes;
} table;

trueno_status apr_tokenizer_json_fail(const char *path, trueno_status status, const char *what,
                                      const char *text, trueno_error *err)
{
    char shown[64];

    apr_printable(shown, sizeof shown, text, strlen(text));
    return trueno_fail(err, status, "%s: %s '%s'", path, what, shown);
}

/* Copy a text into the pool, which was sized for all of them. */
static apr_text keep(table *t, const char *text, size_t length)
{
    apr_text kept = {t->pool + t->pool_used, (uint32_t)length};

    memcpy(t->pool + t->pool_used, text, length);
    t->pool_used += length;
    return kept;
}

/* How many ids a table is made for: at most twice the entries, and some, are accepted. */
static size_t most_ids(size_t entries)
{
    const size_t most = 2 * entries + 4096;

    return most < APR_LIMIT_TOKENS ? most : APR_LIMIT_TOKENS;
}

static trueno_status check_id(const char *path, const json_t *id, size_t entries, const char *text,
                              trueno_error *err)
{
    json_int_t value = json_integer_value(id);

    if (json_is_integer(id) && value >= 0 && (size_t)value < most_ids(entries))
        return TRUENO_OK;
    return apr_tokenizer_json_fail(path, TRUENO_FORMAT, "no usable id of the token", text, err);
}

/* Texts of ids that no token has, as writers of GGUF files name them. */
enum { UNUSED_BYTES = sizeof "[PAD2147483647]" };

/* Ids up to the model's last row, and room for the texts of those that no token has. */
static void extend(table *t, size_t entries, size_t named)
{
    const int32_t rows = t->m->config.vocab_size;

    if (rows > t->n && (size_t)rows <= most_ids(entries))
        t->n = rows;
    if ((size_t)t->n > named)
        t->pool_bytes += ((size_t)t->n - named) * UNUSED_BYTES;
}

/* Largest id and bytes of all texts, for the tables' sizes. */
static trueno_status measure(const char *path, const json_t *vocab, const json_t *added, table *t,
                             trueno_error *err)
{
    size_t entries = json_object_size(vocab) + json_array_size(added);
    const char *text;
    json_t *id;
    trueno_status status;

    t->n = 0;
    json_object_foreach((json_t *)vocab, text, id)
    {
        if ((status = check_id(path, id, entries, text, err)) < 0)
            return status;
        if (json_integer_value(id) >= t->n)
            t->n = (int32_t)json_integer_value(id) + 1;
        t->pool_bytes += strlen(text);
    }
    for (size_t i = 0; i < json_array_size(added); i++) {
        const json_t *entry = json_array_get(added, i),
                     *content = json_object_get(entry, "content");

        if (!json_is_string(content) || json_string_length(content) == 0)
            return trueno_fail(err, TRUENO_FORMAT, "%s: added token %zu has no text", path, i);
        id = json_object_get(entry, "id");
        if ((status = check_id(path, id, entries, json_string_value(content), err)) < 0)
            return status;
        if (json_integer_value(id) >= t->n)
            t->n = (int32_t)json_integer_value(id) + 1;
        t->pool_bytes += json_string_length(content);
    }
    if (t->n == 0)
        return trueno_fail(err, TRUENO_FORMAT, "%s: no tokens", path);
    extend(t, entries, json_object_size(vocab));
    return TRUENO_OK;
}

/* "<0xNN>" of a vocabulary with byte fallback: two digits, no sign or space for one of them. */
static bool is_byte_token(const char *text)
{
    return strlen(text) == 6 && memcmp(text, "<0x", 3) == 0 && text[5] == '>' &&
           strspn(text + 3, "0123456789ABCDEFabcdef") == 2;
}

static trueno_status allocate(table *t, trueno_error *err)
{
    const size_t n = (size_t)t->n;
    trueno_status status;

    if ((status = apr_model_allocate(t->m, &t->tokens, n, sizeof *t->tokens, "tokens", err)) < 0 ||
        (status = apr_model_allocate(t->m, &t->types, n, 1, "token types", err)) < 0 ||
        (status = apr_model_allocate(t->m, &t->flags, n, 1, "token flags", err)) < 0)
        return status;
    return apr_model_allocate(t->m, &t->pool, t->pool_bytes, 1, "token texts", err);
}

static trueno_status fill_vocab(table *t, const json_t *vocab, trueno_error *err)
{
    const char *text;
    json_t *id_value;

    json_object_foreach((json_t *)vocab, text, id_value)
    {
        int32_t id = (int32_t)json_integer_value(id_value);

        if (t->types[id] != 0)
            return apr_tokenizer_json_fail(t->path, TRUENO_FORMAT, "another token has the id of",
                                           text, err);
        t->tokens[id] = keep(t, text, strlen(text));
        t->types[id] =
            t->m->vocab.byte_fallback && is_byte_token(text) ? APR_TOKEN_BYTE : APR_TOKEN_NORMAL;
    }
    return TRUENO_OK;
}

static uint8_t added_flags(const json_t *entry)
{
    static const struct {
        const char *key;
        uint8_t flag;
    } FLAGS[] = {{"special", APR_ADDED_SPECIAL},
                 {"lstrip", APR_ADDED_LSTRIP},
                 {"rstrip", APR_ADDED_RSTRIP},
                 {"single_word", APR_ADDED_SINGLE_WORD},
                 {"normalized", APR_ADDED_NORMALIZED}};
    uint8_t flags = APR_ADDED;

    for (size_t i = 0; i < sizeof FLAGS / sizeof FLAGS[0]; i++)
        if (json_is_true(json_object_get(entry, FLAGS[i].key)))
            flags |= FLAGS[i].flag;
    return flags;
}

/* Ids that no token has. */
static void fill_unused(table *t)
{
    char name[UNUSED_BYTES];

    for (int32_t id = 0; id < t->n; id++) {
        if (t->types[id] != 0)
            continue;
        t->types[id] = APR_TOKEN_UNUSED;
        t->tokens[id] = keep(t, name, (size_t)snprintf(name, sizeof name, "[PAD%d]", id));
    }
}

static trueno_status fill_added(table *t, const json_t *vocab, const json_t *added,
                                trueno_error *err)
{
    for (size_t i = 0; i < json_array_size(added); i++) {
        const json_t *entry = json_array_get(added, i);
        const json_t *content = json_object_get(entry, "content");
        const char *text = json_string_value(content);
        size_t length = json_string_length(content);
        int32_t id = (int32_t)json_integer_value(json_object_get(entry, "id"));
        const json_t *same = strlen(text) == length ? json_object_get(vocab, text) : NULL;

        if (same != NULL && json_integer_value(same) != id)
            return apr_tokenizer_json_fail(t->path, TRUENO_FORMAT, "two ids of the added token",
                                           text, err);
        if (t->types[id] != 0 &&
            (t->tokens[id].length != length || memcmp(t->tokens[id].data, text, length) != 0))
            return apr_tokenizer_json_fail(t->path, TRUENO_FORMAT, "another token has the id of",
                                           text, err);
        if (t->types[id] == 0)
            t->tokens[id] = keep(t, text, length);
        t->flags[id] = added_flags(entry);
        t->types[id] =
            t->flags[id] & APR_ADDED_SPECIAL ? APR_TOKEN_CONTROL : APR_TOKEN_USER_DEFINED;
    }
    fill_unused(t);
    return TRUENO_OK;
}

static trueno_status measure_merges(table *t, const json_t *merges, bool *pairs, trueno_error *err)
{
    *pairs = json_is_array(json_array_get(merges, 0));
    for (size_t i = 0; i < json_array_size(merges); i++) {
        const json_t *merge = json_array_get(merges, i);
        const json_t *left = *pairs ? json_array_get(merge, 0) : merge;
        const json_t *right = *pairs ? json_array_get(merge, 1) : merge;

        if (!json_is_string(left) || !json_is_string(right) ||
            (*pairs && json_array_size(merge) != 2))
            return trueno_fail(err, TRUENO_FORMAT, "%s: merge %zu is no pair of texts", t->path, i);
        t->pool_bytes += json_string_length(left) + (*pairs ? json_string_length(right) : 0);
    }
    return TRUENO_OK;
}

static apr_text keep_json(table *t, const json_t *text)
{
    return keep(t, json_string_value(text), json_string_length(text));
}

static trueno_status fill_merges(table *t, const json_t *merges, bool pairs, trueno_error *err)
{
    size_t n = json_array_size(merges);
    apr_text *list;
    trueno_status status =
        apr_model_allocate(t->m, &list, n * (pairs ? 2 : 1), sizeof *list, "merges", err);

    if (status < 0)
        return status;
    for (size_t i = 0; i < n; i++) {
        const json_t *merge = json_array_get(merges, i);

        if (pairs) {
            list[2 * i] = keep_json(t, json_array_get(merge, 0));
            list[2 * i + 1] = keep_json(t, json_array_get(merge, 1));
        } else {
            list[i] = keep_json(t, merge);
        }
    }
    t->m->vocab.n_merges = (int32_t)n;
    if (pairs)
        t->m->vocab.merge_pairs = (const apr_text(*)[2])(const void *)list;
    else
        t->m->vocab.merges = list;
    return TRUENO_OK;
}

int32_t apr_tokenizer_json_find(const apr_vocab *v, const json_t *text)
{
    for (int32_t id = 0; json_is_string(text) && id < v->n_tokens; id++)
        if (v->tokens[id].length == json_string_length(text) &&
            memcmp(v->tokens[id].data, json_string_value(text), v->tokens[id].length) == 0)
            return id;
    return -1;
}

trueno_status apr_tokenizer_json_tokens(apr_model *m, const json_t *model, const json_t *added,
                                        const char *path, trueno_error *err)
{
    const json_t *vocab = json_object_get(model, "vocab"),
                 *merges = json_object_get(model, "merges");
    apr_vocab *v = &m->vocab;
    table t = {.m = m, .path = path};
    bool pairs = false;
    trueno_status status;

    if (!json_is_object(vocab))
        return trueno_fail(err, TRUENO_FORMAT, "%s: model.vocab is no object", path);
    if (json_array_size(merges) > 4 * (size_t)APR_LIMIT_TOKENS)
        return trueno_fail(err, TRUENO_FORMAT, "%s: %zu merges", path, json_array_size(merges));
    if ((status = measure(path, vocab, added, &t, err)) < 0 ||
        (status = measure_merges(&t, merges, &pairs, err)) < 0 ||
        (status = allocate(&t, err)) < 0 || (status = fill_vocab(&t, vocab, err)) < 0 ||
        (status = fill_added(&t, vocab, added, err)) < 0 ||
        (status = fill_merges(&t, merges, pairs, err)) < 0)
        return status;
    v->n_tokens = t.n;
    v->tokens = t.tokens;
    v->types = t.types;
    v->flags = t.flags;
    v->unk = apr_tokenizer_json_find(v, json_object_get(model, "unk_token"));
    if (v->unk >= 0 && t.types[v->unk] == APR_TOKEN_NORMAL)
        t.types[v->unk] = APR_TOKEN_UNKNOWN;
    return TRUENO_OK;
}
