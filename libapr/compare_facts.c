/* SPDX-License-Identifier: MIT */
/* What two models say beside their weights: hyperparameters, entries of the files, vocabulary. */
#include <apr/compare.h>

#include "config_json.h"
#include "json_read.h"
#include <string.h>

/* One comparison. */
typedef struct comparing {
    const apr_model *first, *second;
    bool same_format; /* else conventions and entries of the formats differ of themselves */
    apr_fact_difference_fn fn;
    void *user;
    uint64_t differences;
} comparing;

static void tell(comparing *c, const char *group, const char *key, const char *first,
                 const char *second)
{
    const apr_fact_difference d = {group, key, first, second};

    c->differences++;
    if (c->fn != NULL)
        c->fn(c->user, &d);
}

/* Two values told as JSON texts; those of numbers and spelling alone are no differences. */
static bool same_value(const char *first, const char *second)
{
    json_t *a, *b;
    bool same;

    if (first == NULL || second == NULL || strcmp(first, second) == 0)
        return first == second || (first != NULL && second != NULL);
    a = json_loads(first, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    b = json_loads(second, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    same = json_is_number(a) && json_is_number(b) ? json_number_value(a) == json_number_value(b)
                                                  : json_equal(a, b) == 1;
    json_decref(a);
    json_decref(b);
    return same;
}

/* A model's value of one key as JSON text; *out NULL where it has none. */
typedef trueno_status value_text(const apr_model *m, const char *key, char **out, size_t *bytes,
                                 trueno_error *err);

static trueno_status compare_key(comparing *c, const char *group, const char *key, value_text *text,
                                 trueno_error *err)
{
    char *first = NULL, *second = NULL;
    size_t n = 0, m = 0;
    trueno_status status = text(c->first, key, &first, &n, err);

    if (status == TRUENO_OK)
        status = text(c->second, key, &second, &m, err);
    if (status == TRUENO_OK && !same_value(first, second))
        tell(c, group, key, first, second);
    if (first != NULL)
        trueno_release(c->first->options.allocator, first, n + 1);
    if (second != NULL)
        trueno_release(c->second->options.allocator, second, m + 1);
    return status;
}

/* A field of the config, by .apr's first name for it. */
static trueno_status config_text(const apr_model *m, const char *key, char **out, size_t *bytes,
                                 trueno_error *err)
{
    apr_json j = {.buffer.allocator = m->options.allocator};

    if (!apr_config_write_one(&j, &m->config, key))
        return TRUENO_OK;
    return apr_json_finish(&j, m->path, out, bytes, err);
}

static trueno_status word_text(const apr_model *m, const char *key, char **out, size_t *bytes,
                               trueno_error *err)
{
    apr_json j = {.buffer.allocator = m->options.allocator};
    const bool template = strcmp(key, "chat_template") == 0;

    if (template && m->chat_template == NULL)
        return TRUENO_OK;
    apr_json_string(&j, template                           ? m->chat_template
                        : strcmp(key, "architecture") == 0 ? m->config.architecture
                                                           : m->config.name);
    return apr_json_finish(&j, m->path, out, bytes, err);
}

static trueno_status compare_config(comparing *c, trueno_error *err)
{
    const apr_field *field;
    trueno_status status = compare_key(c, "config", "architecture", word_text, err);

    if (status == TRUENO_OK)
        status = compare_key(c, "config", "name", word_text, err);
    for (unsigned i = 0; status == TRUENO_OK && (field = apr_config_field(i)) != NULL; i++) {
        const char *keys = field->keys[APR_COLUMN_APR];
        char key[64] = "";

        memcpy(key, keys, strcspn(keys, "|"));
        if (!c->same_format &&
            (strcmp(key, "rope_type") == 0 || strcmp(key, "norm_weight_offset") == 0))
            continue;
        status = compare_key(c, "config", key, config_text, err);
    }
    return status;
}

static trueno_status meta_text(const apr_model *m, const char *key, char **out, size_t *bytes,
                               trueno_error *err)
{
    const apr_meta *meta = apr_model_meta_find(m, key);
    apr_json j = {.buffer.allocator = m->options.allocator};

    if (meta == NULL)
        return TRUENO_OK;
    apr_json_meta(&j, meta, UINT64_MAX);
    return apr_json_finish(&j, m->path, out, bytes, err);
}

/* Entries that the vocabulary, the config or the way of storing say. */
static bool is_said_elsewhere(const char *key)
{
    static const char *const PREFIXES[] = {"tokenizer.", "split.", "sharding"};
    static const char *const NAMES[] = {"source_types",     "tensor_codec",  "apr_dtype_table",
                                        "original_format",  "chat_template", "torch_dtype",
                                        "general.file_type"};

    for (size_t i = 0; i < sizeof PREFIXES / sizeof PREFIXES[0]; i++)
        if (strncmp(PREFIXES[i], key, strlen(PREFIXES[i])) == 0)
            return true;
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        if (strcmp(NAMES[i], key) == 0)
            return true;
    return apr_config_names(key);
}

/* Further entries: of one format all of them, of two those that both have. */
static trueno_status compare_meta(comparing *c, trueno_error *err)
{
    trueno_status status = TRUENO_OK;

    for (int side = 0; side < 2; side++) {
        const apr_model *m = side == 0 ? c->first : c->second;
        const apr_model *other = side == 0 ? c->second : c->first;

        for (size_t i = 0; i < m->n_meta && status == TRUENO_OK; i++) {
            const char *key = m->meta[i].key;
            const bool in_other = apr_model_meta_find(other, key) != NULL;

            if (is_said_elsewhere(key) || apr_model_meta_find(m, key) != &m->meta[i] ||
                (in_other ? side == 1 : !c->same_format))
                continue;
            status = compare_key(c, "metadata", key, meta_text, err);
        }
    }
    return status;
}

/* One model's side of a difference: a number, or where its list of texts parts from the other's. */
typedef struct side {
    int64_t number;
    const apr_text *text; /* NULL: the number */
    int32_t at, differing;
} side;

static void put_side(apr_json *j, const side *s)
{
    if (s->text == NULL) {
        apr_json_int(j, s->number);
        return;
    }
    apr_json_open(j, '{');
    apr_json_put_int(j, "differing", s->differing);
    apr_json_put_int(j, "first", s->at);
    apr_json_key(j, "text");
    apr_json_text(j, s->text->data, s->text->length);
    apr_json_close(j, '}');
}

static trueno_status tell_sides(comparing *c, const char *key, const side sides[2],
                                trueno_error *err)
{
    const apr_model *m = c->first;
    char *texts[2] = {NULL, NULL};
    size_t bytes[2] = {0, 0};
    trueno_status status = TRUENO_OK;

    for (int i = 0; i < 2 && status == TRUENO_OK; i++) {
        apr_json j = {.buffer.allocator = m->options.allocator};

        put_side(&j, &sides[i]);
        status = apr_json_finish(&j, m->path, &texts[i], &bytes[i], err);
    }
    if (status == TRUENO_OK)
        tell(c, "vocabulary", key, texts[0], texts[1]);
    for (int i = 0; i < 2; i++)
        if (texts[i] != NULL)
            trueno_release(m->options.allocator, texts[i], bytes[i] + 1);
    return status;
}

static trueno_status compare_numbers(comparing *c, const char *key, int64_t first, int64_t second,
                                     trueno_error *err)
{
    const side sides[] = {{.number = first}, {.number = second}};

    return first == second ? TRUENO_OK : tell_sides(c, key, sides, err);
}

static bool same_text(const apr_text *a, const apr_text *b)
{
    return a->length == b->length && (a->length == 0 || memcmp(a->data, b->data, a->length) == 0);
}

/* Texts that both lists have, compared one by one. */
static trueno_status compare_texts(comparing *c, const char *key, const apr_text *first,
                                   const apr_text *second, int32_t n, trueno_error *err)
{
    int32_t differing = 0, at = -1;

    for (int32_t i = 0; i < n; i++) {
        if (same_text(&first[i], &second[i]))
            continue;
        at = at < 0 ? i : at;
        differing++;
    }
    if (at < 0)
        return TRUENO_OK;
    return tell_sides(c, key,
                      (const side[]){{.text = &first[at], .at = at, .differing = differing},
                                     {.text = &second[at], .at = at, .differing = differing}},
                      err);
}

static int32_t least(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static trueno_status compare_vocab(comparing *c, trueno_error *err)
{
    const apr_vocab *a = &c->first->vocab, *b = &c->second->vocab;
    const struct {
        const char *key;
        int64_t first, second;
    } numbers[] = {{"kind", a->kind, b->kind},
                   {"tokens", a->n_tokens, b->n_tokens},
                   {"merges", a->n_merges, b->n_merges},
                   {"bos_token_id", a->bos, b->bos},
                   {"eos_token_id", a->eos, b->eos},
                   {"unknown_token_id", a->unk, b->unk},
                   {"padding_token_id", a->pad, b->pad},
                   {"add_bos_token", a->add_bos, b->add_bos},
                   {"add_eos_token", a->add_eos, b->add_eos}};
    trueno_status status = TRUENO_OK;

    if (!c->first->has_vocab || !c->second->has_vocab)
        return compare_numbers(c, "there", c->first->has_vocab, c->second->has_vocab, err);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && status == TRUENO_OK; i++)
        status = compare_numbers(c, numbers[i].key, numbers[i].first, numbers[i].second, err);
    if (status == TRUENO_OK)
        status = compare_texts(c, "token texts", a->tokens, b->tokens,
                               least(a->n_tokens, b->n_tokens), err);
    if (status == TRUENO_OK && a->merges != NULL && b->merges != NULL)
        status = compare_texts(c, "merge texts", a->merges, b->merges,
                               least(a->n_merges, b->n_merges), err);
    return status;
}

trueno_status apr_compare_facts(const apr_model *first, const apr_model *second,
                                apr_fact_difference_fn fn, void *user, uint64_t *differences,
                                trueno_error *err)
{
    comparing c = {.first = first,
                   .second = second,
                   .same_format = strncmp(first->format, second->format, 4) == 0,
                   .fn = fn,
                   .user = user};
    trueno_status status = compare_config(&c, err);

    if (status == TRUENO_OK)
        status = compare_key(&c, "config", "chat_template", word_text, err);
    if (status == TRUENO_OK)
        status = compare_meta(&c, err);
    if (status == TRUENO_OK)
        status = compare_vocab(&c, err);
    *differences = c.differences;
    return status;
}
