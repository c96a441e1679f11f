/* SPDX-License-Identifier: MIT */
/* What a GGUF file says of the model: hyperparameters, generation defaults, chat template. */
#include "gguf.h"

#include "../config.h"
#include "../file_limits.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* An array that holds one value over and over (heads by layer) as that value. */
static void flatten(const apr_meta *array, apr_meta *out)
{
    apr_meta_cursor cursor = {0};
    apr_meta first, next;

    *out = *array;
    if (!apr_meta_next(array, &cursor, &first))
        return;
    while (apr_meta_next(array, &cursor, &next))
        if (next.kind == APR_META_STRING || next.u != first.u)
            return;
    *out = first;
}

static bool find_value(const void *data, const char *key, apr_meta *value)
{
    const apr_meta *meta = apr_model_meta_find(data, key);

    if (meta == NULL)
        return false;
    if (meta->kind == APR_META_ARRAY)
        flatten(meta, value);
    else
        *value = *meta;
    return true;
}

/* An importance matrix in GGUF, which is no model: only its tensors are wanted. */
static bool is_matrix_alone(const apr_model *m)
{
    static const char TYPE[] = "imatrix";
    const apr_meta *type = apr_model_meta_find(m, "general.type");

    return m->options.vocab_only && type != NULL && type->kind == APR_META_STRING &&
           type->text.length == sizeof TYPE - 1 &&
           memcmp(type->text.data, TYPE, sizeof TYPE - 1) == 0;
}

/* general.architecture: a word, since the keys of all other fields begin with it. */
static trueno_status read_architecture(apr_model *m, trueno_error *err)
{
    const char *key = "general.architecture";
    const size_t most = sizeof m->config.architecture - 1;
    const apr_meta *meta;
    trueno_status status = apr_gguf_find(m, key, APR_META_STRING, &meta, err);

    if (status < 0)
        return status;
    if (meta == NULL && is_matrix_alone(m))
        return TRUENO_OK;
    if (meta == NULL)
        return trueno_fail(err, TRUENO_FORMAT, "%s: required key %s is missing", m->path, key);
    if (meta->text.length > most)
        return trueno_fail(err, TRUENO_FORMAT, "%s: %s has %u bytes, at most %zu allowed", m->path,
                           key, meta->text.length, most);
    for (uint32_t i = 0; i < meta->text.length; i++)
        if (meta->text.data[i] <= ' ' || meta->text.data[i] > '~')
            return trueno_fail(err, TRUENO_FORMAT, "%s: %s is no word", m->path, key);
    memcpy(m->config.architecture, meta->text.data, meta->text.length);
    m->architecture = apr_architecture_find(m->config.architecture);
    return TRUENO_OK;
}

static trueno_status read_float(const apr_model *m, const char *key, float *out, trueno_error *err)
{
    const apr_meta *meta = apr_model_meta_find(m, key);

    if (meta == NULL)
        return TRUENO_OK;
    if (meta->kind != APR_META_FLOAT || !isfinite(meta->f))
        return trueno_fail(err, TRUENO_FORMAT, "%s: %s is no finite number", m->path, key);
    *out = (float)meta->f;
    return TRUENO_OK;
}

static trueno_status read_defaults(apr_model *m, trueno_error *err)
{
    apr_generation_defaults *d = &m->defaults;
    int64_t top_k = -1;
    trueno_status status;

    if ((status = read_float(m, "general.sampling.temp", &d->temperature, err)) < 0 ||
        (status = read_float(m, "general.sampling.top_p", &d->top_p, err)) < 0 ||
        (status = read_float(m, "general.sampling.min_p", &d->min_p, err)) < 0 ||
        (status = read_float(m, "general.sampling.penalty_repeat", &d->repeat_penalty, err)) < 0 ||
        (status = apr_gguf_integer(m, "general.sampling.top_k", -1, INT32_MAX, &top_k, err)) < 0)
        return status;
    d->top_k = (int32_t)top_k;
    if (d->temperature == 0)
        d->do_sample = 0;
    return TRUENO_OK;
}

static trueno_status read_template(apr_model *m, trueno_error *err)
{
    const apr_meta *meta;
    trueno_status status = apr_gguf_find(m, "tokenizer.chat_template", APR_META_STRING, &meta, err);

    if (status < 0 || meta == NULL)
        return status;
    if (meta->text.length > APR_LIMIT_TEMPLATE_BYTES ||
        memchr(meta->text.data, '\0', meta->text.length) != NULL)
        return trueno_fail(err, TRUENO_FORMAT,
                           "%s: tokenizer.chat_template has %u bytes (at most %d allowed), or a "
                           "zero byte",
                           m->path, meta->text.length, APR_LIMIT_TEMPLATE_BYTES);
    m->chat_template = trueno_arena_string(&m->arena, meta->text.data, meta->text.length);
    if (m->chat_template == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for the chat template", m->path);
    return TRUENO_OK;
}

/* Facts of the architecture that GGUF files leave out. */
static trueno_status add_unwritten(apr_model *m, trueno_error *err)
{
    const apr_architecture *row = m->architecture;
    apr_config *c = &m->config;
    char key[96];
    int64_t value_length = c->head_dim;
    trueno_status status;

    (void)snprintf(key, sizeof key, "%s.attention.value_length", c->architecture);
    if ((status = apr_gguf_integer(m, key, 1, 4096, &value_length, err)) < 0)
        return status;
    if (value_length != c->head_dim && row != NULL)
        return trueno_fail(err, TRUENO_UNSUPPORTED,
                           "%s: value heads of %lld elements, key heads of %d", m->path,
                           (long long)value_length, c->head_dim);
    c->rope_type = row != NULL ? row->gguf_rope : -1;
    if (c->rope_scaling == APR_ROPE_SCALING_NONE && c->rope_scaling_factor > 1)
        c->rope_scaling = APR_ROPE_SCALING_LINEAR; /* what a factor alone means */
    if (row != NULL && row->experts_renormalized)
        c->expert_renormalize = true;
    if (row != NULL && row->wide_query_layers == c->n_layers && c->n_heads > 0)
        c->query_scale = (float)c->hidden_size / (float)c->n_heads;
    return TRUENO_OK;
}

trueno_status apr_gguf_read_config(apr_model *m, trueno_error *err)
{
    apr_config_source source = {find_value, m, APR_COLUMN_GGUF, m->path, false, false};
    const apr_meta *name;
    trueno_status status;

    if ((status = read_architecture(m, err)) < 0 ||
        (status = apr_gguf_find(m, "general.name", APR_META_STRING, &name, err)) < 0)
        return status;
    if (name != NULL)
        apr_copy_line(m->config.name, sizeof m->config.name, name->text);
    source.ours = m->architecture != NULL;
    source.complete = source.ours && !m->options.vocab_only && m->n_tensors > 0;
    if ((status = apr_config_read(&m->config, &source, err)) < 0 ||
        (status = apr_config_finish(&m->config, m->architecture, m->path, err)) < 0 ||
        (status = add_unwritten(m, err)) < 0 || (status = read_defaults(m, err)) < 0)
        return status;
    return read_template(m, err);
}

/* Copy one table of RoPE factors; absent: *found stays false. */
static trueno_status copy_factors(apr_model *m, const char *name, float *out, bool *found,
                                  trueno_error *err)
{
    const apr_tensor *t = apr_model_find(m, name);
    apr_config *c = &m->config;
    uint64_t n = t != NULL ? apr_tensor_elements(t) : 0;

    if (t == NULL)
        return TRUENO_OK;
    if (t->type != TRUENO_F32 || n > APR_MAX_ROPE_FACTORS || n != (uint64_t)c->n_rot / 2)
        return trueno_fail(err, TRUENO_UNSUPPORTED,
                           "%s: %s has %llu elements of %s, wanted %d (at most %d) of F32", m->path,
                           name, (unsigned long long)n, apr_tensor_type_name(t), c->n_rot / 2,
                           APR_MAX_ROPE_FACTORS);
    memcpy(out, t->data, (size_t)n * sizeof *out);
    c->n_rope_factors = (int32_t)n;
    *found = true;
    return TRUENO_OK;
}

trueno_status apr_gguf_config_from_tensors(apr_model *m, trueno_error *err)
{
    const apr_tensor *embedding = apr_model_find(m, "token_embd.weight");
    apr_config *c = &m->config;
    bool has_long = false, has_short = false;
    trueno_status status;

    if (c->vocab_size == 0 && embedding != NULL && embedding->n_dims == 2 &&
        embedding->dims[0] <= APR_LIMIT_TOKENS)
        c->vocab_size = (int32_t)embedding->dims[0];
    c->tied_embeddings = embedding != NULL && apr_model_find(m, "output.weight") == NULL;
    if ((status = copy_factors(m, "rope_factors_long.weight", c->rope_long_factors, &has_long,
                               err)) < 0 ||
        (status = copy_factors(m, "rope_factors_short.weight", c->rope_short_factors, &has_short,
                               err)) < 0)
        return status;
    if (has_long != has_short)
        return trueno_fail(err, TRUENO_UNSUPPORTED,
                           "%s: only one of the long and short RoPE factors", m->path);
    if (has_long)
        c->rope_scaling = APR_ROPE_SCALING_LONGROPE;
    if (m->has_vocab && c->vocab_size == 0)
        c->vocab_size = m->vocab.n_tokens;
    if (m->has_vocab && m->vocab.n_tokens > c->vocab_size)
        return trueno_fail(err, TRUENO_UNSUPPORTED,
                           "%s: a vocabulary of %d tokens, but the model has only %d", m->path,
                           m->vocab.n_tokens, c->vocab_size);
    return TRUENO_OK;
}
