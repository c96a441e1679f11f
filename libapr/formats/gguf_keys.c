/* SPDX-License-Identifier: MIT */
/* GGUF's key-value table: typed scalars, strings and arrays, each checked before it is believed. */
#include "gguf.h"

#include "../file_limits.h"
#include "../value_types.h"
#include <string.h>

static trueno_status read_type(apr_reader *r, const char *field, int32_t *out, trueno_error *err)
{
    uint32_t type;
    trueno_status status = apr_read_u32(r, field, &type, err);

    if (status < 0)
        return status;
    if (type >= APR_N_VALUE_TYPES)
        return apr_reader_fail(r, TRUENO_FORMAT, err, "%s is %u, known are 0 to %d", field, type,
                               APR_N_VALUE_TYPES - 1);
    *out = (int32_t)type;
    return TRUENO_OK;
}

static trueno_status check_bools(apr_reader *r, const uint8_t *p, uint64_t count, trueno_error *err)
{
    for (uint64_t i = 0; i < count; i++)
        if (p[i] > 1)
            return apr_reader_fail(r, TRUENO_FORMAT, err, "a boolean is %u, allowed are 0 and 1",
                                   p[i]);
    return TRUENO_OK;
}

static trueno_status read_array(apr_reader *r, apr_meta *out, trueno_error *err)
{
    const apr_value_type *type;
    const uint8_t *p;
    trueno_status status;

    if ((status = read_type(r, "element type", &out->storage, err)) < 0)
        return status;
    if (out->storage == APR_VALUE_ARRAY)
        return apr_reader_fail(r, TRUENO_UNSUPPORTED, err, "is an array of arrays");
    type = apr_value_type_get(out->storage);
    out->kind = APR_META_ARRAY;
    out->element = type->kind;
    out->type_name = type->array_name;
    if ((status = apr_read_count(r, "number of elements", type->bytes, UINT64_MAX, &out->count,
                                 err)) < 0)
        return status;
    out->data = r->data + r->position;
    if (out->storage != APR_VALUE_STRING) {
        status = apr_read_bytes(r, "array", out->count * type->bytes, &p, err);
        if (status == TRUENO_OK && out->element == APR_META_BOOL)
            status = check_bools(r, p, out->count, err);
        return status;
    }
    for (uint64_t i = 0; i < out->count && status == TRUENO_OK; i++) {
        apr_text text;

        status = apr_read_text(r, "string of the array", UINT32_MAX, &text, err);
    }
    return status;
}

static trueno_status read_value(apr_reader *r, apr_meta *out, trueno_error *err)
{
    const apr_value_type *type;
    const uint8_t *p;
    trueno_status status = read_type(r, "value type", &out->storage, err);

    if (status < 0)
        return status;
    if (out->storage == APR_VALUE_ARRAY)
        return read_array(r, out, err);
    type = apr_value_type_get(out->storage);
    if (out->storage == APR_VALUE_STRING) {
        out->kind = APR_META_STRING;
        out->type_name = type->name;
        return apr_read_text(r, "string", UINT32_MAX, &out->text, err);
    }
    status = apr_read_bytes(r, "value", type->bytes, &p, err);
    if (status < 0)
        return status;
    if (type->kind == APR_META_BOOL && (status = check_bools(r, p, 1, err)) < 0)
        return status;
    apr_value_decode(p, out->storage, out);
    return TRUENO_OK;
}

trueno_status apr_gguf_read_name(apr_model *m, apr_reader *r, const char *kind, uint64_t limit,
                                 const char **out, trueno_error *err)
{
    apr_text name;
    trueno_status status;

    apr_reader_item(r, kind, "", 0);
    if ((status = apr_read_text(r, "name", limit, &name, err)) < 0)
        return status;
    apr_reader_item(r, kind, name.data, name.length);
    if (name.length == 0 || memchr(name.data, '\0', name.length) != NULL)
        return apr_reader_fail(r, TRUENO_FORMAT, err, "the name is empty or holds a zero byte");
    *out = trueno_arena_string(&m->arena, name.data, name.length);
    if (*out == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for %s", r->file, r->item);
    return TRUENO_OK;
}

static trueno_status read_key(apr_model *m, apr_reader *r, apr_meta *out, trueno_error *err)
{
    const trueno_status status =
        apr_gguf_read_name(m, r, "key", APR_LIMIT_KEY_BYTES, &out->key, err);

    return status < 0 ? status : read_value(r, out, err);
}

trueno_status apr_gguf_read_keys(apr_model *m, apr_reader *r, apr_meta *meta, size_t n_keys,
                                 trueno_error *err)
{
    trueno_status status = TRUENO_OK;

    for (size_t i = 0; i < n_keys && status == TRUENO_OK; i++)
        status = read_key(m, r, &meta[i], err);
    r->item[0] = '\0';
    return status;
}

static bool is_integer(apr_meta_kind kind)
{
    return kind == APR_META_INT || kind == APR_META_UINT;
}

static const char *kind_name(apr_meta_kind kind)
{
    static const char *const NAMES[] = {"an integer", "an integer", "a number", "a boolean",
                                        "a string",   "an array",   "JSON"};

    return NAMES[kind];
}

trueno_status apr_gguf_find(const apr_model *m, const char *key, apr_meta_kind kind,
                            const apr_meta **out, trueno_error *err)
{
    const apr_meta *meta = apr_model_meta_find(m, key);

    *out = meta;
    if (meta == NULL || meta->kind == kind || (is_integer(kind) && is_integer(meta->kind)))
        return TRUENO_OK;
    return trueno_fail(err, TRUENO_FORMAT, "%s: %s is of type %s, wanted %s", m->path, key,
                       meta->type_name, kind_name(kind));
}

trueno_status apr_gguf_integer(const apr_model *m, const char *key, int64_t least, int64_t most,
                               int64_t *out, trueno_error *err)
{
    const apr_meta *meta;
    trueno_status status = apr_gguf_find(m, key, APR_META_INT, &meta, err);

    if (status < 0 || meta == NULL)
        return status;
    if (meta->kind == APR_META_UINT && meta->u > INT64_MAX)
        return trueno_fail(err, TRUENO_FORMAT, "%s: %s is %llu, allowed are %lld to %lld", m->path,
                           key, (unsigned long long)meta->u, (long long)least, (long long)most);
    if (meta->i > most || meta->i < least)
        return trueno_fail(err, TRUENO_FORMAT, "%s: %s is %lld, allowed are %lld to %lld", m->path,
                           key, (long long)meta->i, (long long)least, (long long)most);
    *out = meta->i;
    return TRUENO_OK;
}

trueno_status apr_gguf_array(const apr_model *m, const char *key, apr_meta_kind element,
                             const apr_meta **out, trueno_error *err)
{
    trueno_status status = apr_gguf_find(m, key, APR_META_ARRAY, out, err);

    if (status < 0 || *out == NULL || (*out)->element == element ||
        (is_integer(element) && is_integer((*out)->element)))
        return status;
    return trueno_fail(err, TRUENO_FORMAT, "%s: %s is of type %s, its elements must be %s", m->path,
                       key, (*out)->type_name, kind_name(element) + 2);
}
