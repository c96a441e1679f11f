/* SPDX-License-Identifier: MIT */
/* Reading JSON: jansson's strict parser, its errors in our words, its values as metadata. */
#include "json_read.h"

#include "reader.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static trueno_status parse(const char *file, const void *data, size_t bytes, size_t flags,
                           json_t **out, trueno_error *err)
{
    json_error_t error;
    char text[JSON_ERROR_TEXT_LENGTH];

    *out = json_loadb(data, bytes, JSON_ALLOW_NUL | flags, &error);
    if (*out == NULL && json_error_code(&error) == json_error_out_of_memory)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for %zu bytes of JSON", file,
                           bytes);
    if (*out == NULL) {
        apr_printable(text, sizeof text, error.text, strlen(error.text));
        return trueno_fail(err, TRUENO_FORMAT, "%s: line %d, column %d: %s", file, error.line,
                           error.column, text);
    }
    if (!json_is_object(*out)) {
        json_decref(*out);
        *out = NULL;
        return trueno_fail(err, TRUENO_FORMAT, "%s: the JSON is no object", file);
    }
    return TRUENO_OK;
}

trueno_status apr_json_parse(const char *file, const void *data, size_t bytes, json_t **out,
                             trueno_error *err)
{
    return parse(file, data, bytes, JSON_REJECT_DUPLICATES, out, err);
}

trueno_status apr_json_parse_last(const char *file, const void *data, size_t bytes, json_t **out,
                                  trueno_error *err)
{
    return parse(file, data, bytes, 0, out, err);
}

static trueno_status load(const char *path, size_t limit, bool optional, size_t flags, json_t **out,
                          trueno_error *err)
{
    trueno_map map;
    trueno_status status = trueno_map_open(&map, path, err);

    *out = NULL;
    if (status == TRUENO_NOT_FOUND)
        return optional ? TRUENO_OK
                        : trueno_fail(err, TRUENO_UNSUPPORTED, "%s: the file is missing", path);
    if (status < 0)
        return status;
    if (map.bytes > limit)
        status = trueno_fail(err, TRUENO_FORMAT, "%s: %zu bytes of JSON, at most %zu allowed", path,
                             map.bytes, limit);
    else
        status = parse(path, map.data, map.bytes, JSON_REJECT_DUPLICATES | flags, out, err);
    trueno_map_close(&map);
    return status;
}

trueno_status apr_json_load(const char *path, size_t limit, bool optional, json_t **out,
                            trueno_error *err)
{
    return load(path, limit, optional, 0, out, err);
}

trueno_status apr_json_load_reals(const char *path, size_t limit, json_t **out, trueno_error *err)
{
    return load(path, limit, true, JSON_DECODE_INT_AS_REAL, out, err);
}

const json_t *apr_json_at(const json_t *root, const char *dotted)
{
    while (root != NULL && *dotted != '\0') {
        size_t length = strcspn(dotted, ".");
        char key[96];

        if (length >= sizeof key)
            return NULL;
        memcpy(key, dotted, length);
        key[length] = '\0';
        root = json_object_get(root, key);
        dotted += length + (dotted[length] == '.');
    }
    return root != NULL && !json_is_null(root) ? root : NULL;
}

bool apr_json_scalar(const json_t *value, apr_meta *out)
{
    *out = (apr_meta){0};
    switch (value != NULL ? json_typeof(value) : JSON_NULL) {
    case JSON_INTEGER:
        out->kind = APR_META_INT;
        out->type_name = "an integer";
        out->i = json_integer_value(value);
        return true;
    case JSON_REAL:
        out->kind = APR_META_FLOAT;
        out->type_name = "a number with a fraction";
        out->f = json_real_value(value);
        return true;
    case JSON_TRUE:
    case JSON_FALSE:
        out->kind = APR_META_BOOL;
        out->type_name = "a boolean";
        out->i = json_is_true(value);
        return true;
    case JSON_STRING:
        out->kind = APR_META_STRING;
        out->type_name = "a string";
        out->text = (apr_text){json_string_value(value), (uint32_t)json_string_length(value)};
        return true;
    default:
        return false;
    }
}

/* Anything else as JSON text in the arena. */
static trueno_status dump(apr_model *m, const json_t *value, apr_meta *out, trueno_error *err)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    char *copy = text != NULL ? trueno_arena_string(&m->arena, text, strlen(text)) : NULL;

    if (copy == NULL) {
        free(text);
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for metadata", m->path);
    }
    *out = (apr_meta){
        .kind = APR_META_JSON, .type_name = "JSON", .text = {copy, (uint32_t)strlen(text)}};
    free(text);
    return TRUENO_OK;
}

static trueno_status member(apr_model *m, const char *prefix, const char *key, const json_t *value,
                            apr_meta *out, trueno_error *err)
{
    size_t before = strlen(prefix), length = strlen(key);
    char *name = trueno_arena_alloc(&m->arena, before + length + 1), *copy;
    trueno_status status;

    if (name == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for metadata", m->path);
    (void)snprintf(name, before + length + 1, "%s%s", prefix, key);
    if (!apr_json_scalar(value, out)) {
        if ((status = dump(m, value, out, err)) < 0)
            return status;
    } else if (out->kind == APR_META_STRING) {
        copy = trueno_arena_string(&m->arena, out->text.data, out->text.length);
        if (copy == NULL)
            return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for metadata", m->path);
        out->text.data = copy;
    }
    out->key = name;
    return TRUENO_OK;
}

trueno_status apr_json_to_meta(apr_model *m, const json_t *object, const char *prefix,
                               trueno_error *err)
{
    size_t n = json_object_size(object);
    apr_meta *meta;
    const char *key;
    json_t *value;
    trueno_status status =
        apr_model_allocate(m, &meta, m->n_meta + n, sizeof *meta, "metadata", err);

    if (status < 0)
        return status;
    if (m->n_meta > 0)
        memcpy(meta, m->meta, m->n_meta * sizeof *meta);
    m->meta = meta;
    json_object_foreach((json_t *)object, key, value)
    {
        if ((status = member(m, prefix, key, value, &m->meta[m->n_meta], err)) < 0)
            return status;
        m->n_meta++;
    }
    return TRUENO_OK;
}
