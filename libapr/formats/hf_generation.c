/* SPDX-License-Identifier: MIT */
/* What a folder's small files say of generation: defaults, special tokens, chat template. */
#include "hf.h"

#include "../file_limits.h"
#include "../vocab.h"
#include <limits.h>
#include <math.h>
#include <string.h>

static trueno_status read_number(const apr_model *m, const json_t *root, const char *key,
                                 float *out, trueno_error *err)
{
    const json_t *value = apr_json_at(root, key);

    if (value == NULL)
        return TRUENO_OK;
    if (!json_is_number(value) || !isfinite((float)json_number_value(value)))
        return trueno_fail(err, TRUENO_FORMAT, "%s: generation_config.json: %s is no number",
                           m->path, key);
    *out = (float)json_number_value(value);
    return TRUENO_OK;
}

static trueno_status read_defaults(apr_model *m, const json_t *root, trueno_error *err)
{
    apr_generation_defaults *d = &m->defaults;
    const json_t *sample = apr_json_at(root, "do_sample"), *top_k = apr_json_at(root, "top_k");
    trueno_status status;

    if ((status = read_number(m, root, "temperature", &d->temperature, err)) < 0 ||
        (status = read_number(m, root, "top_p", &d->top_p, err)) < 0 ||
        (status = read_number(m, root, "min_p", &d->min_p, err)) < 0 ||
        (status = read_number(m, root, "repetition_penalty", &d->repeat_penalty, err)) < 0)
        return status;
    if (top_k != NULL && (!json_is_integer(top_k) || json_integer_value(top_k) < 0 ||
                          json_integer_value(top_k) > INT32_MAX))
        return trueno_fail(err, TRUENO_FORMAT, "%s: generation_config.json: top_k is no count",
                           m->path);
    if (top_k != NULL)
        d->top_k = (int32_t)json_integer_value(top_k);
    if (sample != NULL)
        d->do_sample = json_is_true(sample);
    return TRUENO_OK;
}

/* One id, or a list of them, that end a turn. */
static trueno_status read_ends(apr_model *m, const json_t *root, const char *file,
                               trueno_error *err)
{
    const json_t *ids = apr_json_at(root, "eos_token_id");
    size_t n = json_is_array(ids) ? json_array_size(ids) : ids != NULL;

    for (size_t i = 0; i < n; i++) {
        const json_t *id = json_is_array(ids) ? json_array_get(ids, i) : ids;

        if (!json_is_integer(id) || json_integer_value(id) > INT32_MAX ||
            json_integer_value(id) < INT32_MIN)
            return trueno_fail(err, TRUENO_FORMAT, "%s: %s: eos_token_id is no token id", m->path,
                               file);
        apr_vocab_add_end(&m->vocab, (int32_t)json_integer_value(id));
    }
    return TRUENO_OK;
}

static int32_t find_token(const apr_vocab *v, const char *text, size_t length)
{
    for (int32_t id = 0; id < v->n_tokens; id++)
        if (v->tokens[id].length == length && memcmp(v->tokens[id].data, text, length) == 0)
            return id;
    return -1;
}

/* A special token named by its text, plain or as an object's "content"; *id keeps its value else.
 */
static trueno_status read_named(const apr_model *m, const json_t *root, const char *key,
                                int32_t *id, trueno_error *err)
{
    const json_t *value = apr_json_at(root, key);
    int32_t found;

    if (json_is_object(value))
        value = json_object_get(value, "content");
    if (value == NULL || *id >= 0)
        return TRUENO_OK;
    if (!json_is_string(value))
        return trueno_fail(err, TRUENO_FORMAT, "%s: tokenizer_config.json: %s is no text", m->path,
                           key);
    found = find_token(&m->vocab, json_string_value(value), json_string_length(value));
    if (found >= 0)
        *id = found;
    return TRUENO_OK;
}

/* An id given as a number; taken only when no text named the token. */
static void read_numbered(const json_t *root, const char *key, int32_t *id)
{
    const json_t *value = apr_json_at(root, key);

    if (json_is_integer(value) && *id < 0 && json_integer_value(value) >= 0)
        *id =
            json_integer_value(value) > INT32_MAX ? INT32_MAX : (int32_t)json_integer_value(value);
}

static trueno_status read_specials(apr_model *m, const apr_hf_files *f, trueno_error *err)
{
    const json_t *const files[] = {f->tokenizer_config, f->special_tokens};
    apr_vocab *v = &m->vocab;
    trueno_status status;

    for (size_t i = 0; i < 2; i++) {
        if ((status = read_named(m, files[i], "bos_token", &v->bos, err)) < 0 ||
            (status = read_named(m, files[i], "eos_token", &v->eos, err)) < 0 ||
            (status = read_named(m, files[i], "unk_token", &v->unk, err)) < 0 ||
            (status = read_named(m, files[i], "pad_token", &v->pad, err)) < 0)
            return status;
    }
    read_numbered(f->config, "bos_token_id", &v->bos);
    read_numbered(f->config, "pad_token_id", &v->pad);
    apr_vocab_add_end(v, v->eos);
    if ((status = read_ends(m, f->generation, "generation_config.json", err)) < 0 ||
        (status = read_ends(m, f->config, "config.json", err)) < 0)
        return status;
    if (v->eos < 0 && v->n_eos > 0)
        v->eos = v->eos_ids[0];
    return apr_vocab_finish(m, err);
}

trueno_status apr_hf_generation(apr_model *m, const apr_hf_files *files, trueno_error *err)
{
    trueno_status status = TRUENO_OK;

    if (files->generation != NULL)
        status = read_defaults(m, files->generation, err);
    if (status == TRUENO_OK && m->has_vocab)
        status = read_specials(m, files, err);
    return status;
}

static trueno_status keep_template(apr_model *m, const char *text, size_t length, trueno_error *err)
{
    if (length > APR_LIMIT_TEMPLATE_BYTES || memchr(text, '\0', length) != NULL)
        return trueno_fail(err, TRUENO_FORMAT,
                           "%s: a chat template of %zu bytes (at most %d allowed), or with a zero "
                           "byte",
                           m->path, length, APR_LIMIT_TEMPLATE_BYTES);
    m->chat_template = trueno_arena_string(&m->arena, text, length);
    if (m->chat_template == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for the chat template", m->path);
    return TRUENO_OK;
}

/* tokenizer_config.json has one template, or a list of named ones: "default" is meant then. */
static trueno_status template_from_config(apr_model *m, const json_t *config, trueno_error *err)
{
    const json_t *value = apr_json_at(config, "chat_template");
    size_t n = json_array_size(value);

    for (size_t i = 0; i < n; i++) {
        const json_t *named = json_array_get(value, i);
        const char *name = json_string_value(json_object_get(named, "name"));

        if (name != NULL && strcmp(name, "default") == 0) {
            value = json_object_get(named, "template");
            break;
        }
    }
    if (value == NULL || (json_is_array(value) && n == 0))
        return TRUENO_OK;
    if (!json_is_string(value))
        return trueno_fail(err, TRUENO_FORMAT,
                           "%s: tokenizer_config.json: chat_template is no text, and no list with "
                           "a \"default\"",
                           m->path);
    return keep_template(m, json_string_value(value), json_string_length(value), err);
}

trueno_status apr_hf_chat_template(apr_model *m, const char *folder, const json_t *tokenizer_config,
                                   trueno_error *err)
{
    char path[PATH_MAX];
    trueno_map map;
    trueno_status status;

    if ((status = apr_hf_path(folder, "chat_template.jinja", path, sizeof path, err)) < 0)
        return status;
    status = trueno_map_open(&map, path, err);
    if (status == TRUENO_NOT_FOUND)
        return template_from_config(m, tokenizer_config, err);
    if (status < 0)
        return status;
    status = keep_template(m, (const char *)map.data, map.bytes, err);
    trueno_map_close(&map);
    return status;
}
