/* SPDX-License-Identifier: MIT */
/* Hyperparameters: one loop over the rows of config_fields.def, whatever the format. */
#include "config.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define APR_FIELD(name, kind, least, most, gguf, hf, apr, need)                  \
    {#name,           APR_FIELD_##kind, offsetof(apr_config, name), least, most, \
     {gguf, hf, apr}, APR_NEED_##need},

static const apr_field FIELDS[] = {
#include "config_fields.def"
};
#undef APR_FIELD

enum { N_FIELDS = sizeof FIELDS / sizeof FIELDS[0], KEY_BYTES = 160 };

/* Words for RoPE scaling; the first of a value is the one that is written. */
static const struct scaling_row {
    const char *name;
    int32_t value;
} SCALINGS[] = {
    {"none", APR_ROPE_SCALING_NONE},     {"default", APR_ROPE_SCALING_NONE},
    {"linear", APR_ROPE_SCALING_LINEAR}, {"yarn", APR_ROPE_SCALING_YARN},
    {"llama3", APR_ROPE_SCALING_LLAMA3}, {"longrope", APR_ROPE_SCALING_LONGROPE},
    {"su", APR_ROPE_SCALING_LONGROPE},
};

const apr_field *apr_config_field(unsigned index)
{
    return index < N_FIELDS ? &FIELDS[index] : NULL;
}

const char *apr_rope_scaling_name(int32_t scaling)
{
    for (size_t i = 0; i < sizeof SCALINGS / sizeof SCALINGS[0]; i++)
        if (SCALINGS[i].value == scaling)
            return SCALINGS[i].name;
    return "none";
}

/* Copy the next of "a|b|c" into key[], "%s" replaced by the architecture; NULL at the end. */
static const char *next_key(const char *keys, const char *architecture, char key[KEY_BYTES])
{
    size_t length = strcspn(keys, "|");

    if (length == 0)
        return NULL;
    if (strncmp(keys, "%s", 2) == 0)
        (void)snprintf(key, KEY_BYTES, "%s%.*s", architecture, (int)length - 2, keys + 2);
    else
        (void)snprintf(key, KEY_BYTES, "%.*s", (int)length, keys);
    return keys + length + (keys[length] == '|');
}

/* A scalar number (or bool) as a double; false when it is none. */
static bool as_number(const apr_meta *value, bool integer, double *out)
{
    switch (value->kind) {
    case APR_META_INT:
        *out = (double)value->i;
        return true;
    case APR_META_UINT:
        *out = (double)value->u;
        return true;
    case APR_META_FLOAT:
        *out = value->f;
        return !integer;
    default:
        return false;
    }
}

static trueno_status read_scaling(int32_t *out, const apr_meta *value, const char *key,
                                  const char *file, trueno_error *err)
{
    if (value->kind != APR_META_STRING)
        return trueno_fail(err, TRUENO_FORMAT, "%s: %s is not a string", file, key);
    for (size_t i = 0; i < sizeof SCALINGS / sizeof SCALINGS[0]; i++) {
        if (strlen(SCALINGS[i].name) == value->text.length &&
            memcmp(SCALINGS[i].name, value->text.data, value->text.length) == 0) {
            *out = SCALINGS[i].value;
            return TRUENO_OK;
        }
    }
    return trueno_fail(
        err, TRUENO_UNSUPPORTED, "%s: %s is '%.*s'; known are none, linear, yarn, llama3, longrope",
        file, key, (int)(value->text.length < 40 ? value->text.length : 40), value->text.data);
}

static trueno_status store(apr_config *config, const apr_field *field, const apr_meta *value,
                           const char *key, const char *file, trueno_error *err)
{
    void *target = (char *)config + field->offset;
    double number = 0;

    if (field->kind == APR_FIELD_SCALING)
        return read_scaling(target, value, key, file, err);
    if (value->kind == APR_META_ARRAY)
        return trueno_fail(err, TRUENO_UNSUPPORTED, "%s: %s differs between layers", file, key);
    if (field->kind == APR_FIELD_BOOL) {
        if (value->kind != APR_META_BOOL)
            return trueno_fail(err, TRUENO_FORMAT, "%s: %s is no boolean but %s", file, key,
                               value->type_name);
        *(bool *)target = value->i != 0;
        return TRUENO_OK;
    }
    if (!as_number(value, field->kind == APR_FIELD_INT, &number))
        return trueno_fail(err, TRUENO_FORMAT, "%s: %s is %s, wanted %s", file, key,
                           value->type_name,
                           field->kind == APR_FIELD_INT ? "an integer" : "a number");
    if (!(number >= field->least && number <= field->most))
        return trueno_fail(err, TRUENO_FORMAT, "%s: %s is %.9g, allowed are %.9g to %.9g", file,
                           key, number, field->least, field->most);
    if (field->kind == APR_FIELD_INT)
        *(int32_t *)target = (int32_t)number;
    else
        *(float *)target = (float)number;
    return TRUENO_OK;
}

static trueno_status read_field(apr_config *config, const apr_field *field,
                                const apr_config_source *source, trueno_error *err)
{
    const char *keys = field->keys[source->column];
    char key[KEY_BYTES], first[KEY_BYTES] = "";

    while ((keys = next_key(keys, config->architecture, key)) != NULL) {
        apr_meta value;

        if (first[0] == '\0')
            memcpy(first, key, sizeof first);
        if (!source->find(source->data, key, &value))
            continue;
        if (value.kind == APR_META_ARRAY && !source->ours)
            return TRUENO_OK;
        return store(config, field, &value, key, source->file, err);
    }
    if (field->need == APR_NEED_REQUIRED && source->complete)
        return trueno_fail(err, TRUENO_FORMAT, "%s: required key %s is missing", source->file,
                           first);
    return TRUENO_OK;
}

trueno_status apr_config_read(apr_config *config, const apr_config_source *source,
                              trueno_error *err)
{
    for (size_t i = 0; i < N_FIELDS; i++) {
        trueno_status status = read_field(config, &FIELDS[i], source, err);

        if (status < 0)
            return status;
    }
    return TRUENO_OK;
}

static trueno_status check_heads(const apr_config *c, const char *file, trueno_error *err)
{
    if (c->n_heads % c->n_kv_heads != 0)
        return trueno_fail(err, TRUENO_UNSUPPORTED,
                           "%s: %d query heads are no multiple of %d key-value heads", file,
                           c->n_heads, c->n_kv_heads);
    if (c->head_dim == 0)
        return trueno_fail(err, TRUENO_UNSUPPORTED,
                           "%s: hidden size %d is no multiple of %d heads, and no head size given",
                           file, c->hidden_size, c->n_heads);
    if (c->n_rot > c->head_dim || c->n_rot % 2 != 0)
        return trueno_fail(err, TRUENO_UNSUPPORTED,
                           "%s: %d rotated elements, wanted an even number up to the head's %d",
                           file, c->n_rot, c->head_dim);
    if (c->n_experts_used > c->n_experts)
        return trueno_fail(err, TRUENO_UNSUPPORTED, "%s: %d experts used of %d", file,
                           c->n_experts_used, c->n_experts);
    return TRUENO_OK;
}

trueno_status apr_config_finish(apr_config *c, const apr_architecture *row, const char *file,
                                trueno_error *err)
{
    if (c->n_kv_heads == 0)
        c->n_kv_heads = c->n_heads;
    if (c->head_dim == 0 && c->n_heads > 0 && c->hidden_size % c->n_heads == 0)
        c->head_dim = c->hidden_size / c->n_heads;
    if (c->n_rot == 0)
        c->n_rot = c->head_dim;
    if (c->rope_theta == 0)
        c->rope_theta = 10000; /* what both formats mean by its absence */
    if (row != NULL && c->sliding_window > 0) {
        if (c->sliding_window_pattern == 0)
            c->sliding_window_pattern = row->window_pattern;
        if (c->rope_local_theta == 0)
            c->rope_local_theta = row->local_theta;
    }
    if (row == NULL || c->n_heads == 0)
        return TRUENO_OK; /* to be looked at only */
    return check_heads(c, file, err);
}
