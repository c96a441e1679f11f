/* SPDX-License-Identifier: MIT */
/* What the metadata of a .apr file say: hyperparameters, template, defaults, further keys. */
#include "apr.h"

#include "../config.h"
#include "../reader.h"
#include <string.h>

static bool find_value(const void *data, const char *key, apr_meta *value)
{
    const json_t *found = json_object_get(data, key);

    if (found == NULL || json_is_null(found))
        return false;
    if (!apr_json_scalar(found, value))
        *value = (apr_meta){.kind = APR_META_JSON, .type_name = "a list or an object"};
    return true;
}

static trueno_status read_factors(apr_model *m, const json_t *metadata, const char *key, float *out,
                                  trueno_error *err)
{
    const json_t *list = json_object_get(metadata, key);
    size_t n = json_array_size(list);

    if (n > APR_MAX_ROPE_FACTORS || n != (size_t)m->config.n_rot / 2)
        return trueno_fail(err, TRUENO_UNSUPPORTED, "%s: %s has %zu entries, wanted %d", m->path,
                           key, n, m->config.n_rot / 2);
    for (size_t i = 0; i < n; i++)
        out[i] = (float)json_number_value(json_array_get(list, i));
    m->config.n_rope_factors = (int32_t)n;
    return TRUENO_OK;
}

static trueno_status read_config(apr_model *m, const json_t *metadata, const apr_dialect *dialect,
                                 trueno_error *err)
{
    const char *architecture = json_string_value(json_object_get(metadata, "architecture"));
    const char *name = json_string_value(json_object_get(metadata, "name"));
    apr_config_source source = {find_value, metadata, APR_COLUMN_APR, m->path, false, false};
    apr_config *c = &m->config;
    trueno_status status;

    if (architecture == NULL || strlen(architecture) >= sizeof c->architecture)
        return trueno_fail(err, TRUENO_FORMAT, "%s: metadata: architecture is missing or too long",
                           m->path);
    apr_copy_line(c->architecture, sizeof c->architecture,
                  (apr_text){architecture, (uint32_t)strlen(architecture)});
    if (name != NULL)
        apr_copy_line(c->name, sizeof c->name, (apr_text){name, (uint32_t)strlen(name)});
    m->architecture = apr_architecture_find(c->architecture);
    source.ours = m->architecture != NULL;
    source.complete = source.ours && !m->options.vocab_only;
    c->rope_type = -1; /* never guessed */
    if ((status = apr_config_read(c, &source, err)) < 0 ||
        (status = apr_config_finish(c, m->architecture, m->path, err)) < 0)
        return status;
    if (c->rope_type < 0)
        c->rope_type = apr_dialect_rope(dialect, m->architecture);
    if (source.complete && (c->rope_type < 0 || c->vocab_size == 0))
        return trueno_fail(err, TRUENO_FORMAT, "%s: metadata: rope_type or vocab_size is missing",
                           m->path);
    if (c->rope_scaling != APR_ROPE_SCALING_LONGROPE)
        return TRUENO_OK;
    status = read_factors(m, metadata, "rope_long_factors", c->rope_long_factors, err);
    return status < 0 ? status
                      : read_factors(m, metadata, "rope_short_factors", c->rope_short_factors, err);
}

static void read_defaults(apr_model *m, const json_t *metadata)
{
    const json_t *g = json_object_get(metadata, "generation");
    apr_generation_defaults *d = &m->defaults;
    const struct {
        const char *key;
        float *out;
    } rows[] = {{"temperature", &d->temperature},
                {"top_p", &d->top_p},
                {"min_p", &d->min_p},
                {"repetition_penalty", &d->repeat_penalty}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (json_is_number(json_object_get(g, rows[i].key)))
            *rows[i].out = (float)json_number_value(json_object_get(g, rows[i].key));
    if (json_is_integer(json_object_get(g, "top_k")))
        d->top_k = (int32_t)json_integer_value(json_object_get(g, "top_k"));
    if (json_is_boolean(json_object_get(g, "do_sample")))
        d->do_sample = json_is_true(json_object_get(g, "do_sample"));
}

/* Lists of the vocabulary, which apr_model_vocab() tells, and what is said of the file alone stay
 * out of the entries. */
static trueno_status keep_meta(apr_model *m, json_t *metadata, trueno_error *err)
{
    static const char *const LISTS[] = {"tokenizer.vocabulary",  "tokenizer.merges",
                                        "tokenizer.merge_pairs", "tokenizer.token_type",
                                        "tokenizer.token_flags", "tokenizer.scores",
                                        "tensor_codec",          "sharding"};

    for (size_t i = 0; i < sizeof LISTS / sizeof LISTS[0]; i++)
        (void)json_object_del(metadata, LISTS[i]);
    return apr_json_to_meta(m, metadata, "", err);
}

trueno_status apr_format_read_metadata(apr_model *m, json_t *metadata, const apr_dialect *dialect,
                                       trueno_error *err)
{
    const json_t *text = json_object_get(metadata, "chat_template");
    trueno_status status;

    if ((status = read_config(m, metadata, dialect, err)) < 0 ||
        (status = apr_format_read_vocab(m, metadata, err)) < 0)
        return status;
    read_defaults(m, metadata);
    if (json_is_string(text)) {
        m->chat_template =
            trueno_arena_string(&m->arena, json_string_value(text), json_string_length(text));
        if (m->chat_template == NULL)
            return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for the template", m->path);
    }
    if (m->has_vocab && m->config.vocab_size > 0 && m->vocab.n_tokens > m->config.vocab_size)
        return trueno_fail(err, TRUENO_UNSUPPORTED,
                           "%s: a vocabulary of %d tokens, but the model has only %d", m->path,
                           m->vocab.n_tokens, m->config.vocab_size);
    if ((status = keep_meta(m, metadata, err)) < 0)
        return status;
    return apr_model_index_meta(m, err);
}
