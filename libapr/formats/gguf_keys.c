/* SPDX-License-Identifier: MIT */
/* GGUF's key-value table: typed scalars, strings and arrays, each checked before it is believed. */
#include "gguf.h"
#include "gguf_write.h"

#include "../file_limits.h"
#include <endian.h>
#include <string.h>

enum { GGUF_STRING = 8, GGUF_ARRAY = 9 };

/* One row per value type; the row number is the file's. */
static const struct value_type {
    const char *name, *array_name;
    apr_meta_kind kind;
    size_t bytes; /* of the value; of a string at least */
} TYPES[] = {
    {"u8", "arr[u8]", APR_META_UINT, 1},     {"i8", "arr[i8]", APR_META_INT, 1},
    {"u16", "arr[u16]", APR_META_UINT, 2},   {"i16", "arr[i16]", APR_META_INT, 2},
    {"u32", "arr[u32]", APR_META_UINT, 4},   {"i32", "arr[i32]", APR_META_INT, 4},
    {"f32", "arr[f32]", APR_META_FLOAT, 4},  {"bool", "arr[bool]", APR_META_BOOL, 1},
    {"str", "arr[str]", APR_META_STRING, 8}, {"arr", "arr[arr]", APR_META_ARRAY, 12},
    {"u64", "arr[u64]", APR_META_UINT, 8},   {"i64", "arr[i64]", APR_META_INT, 8},
    {"f64", "arr[f64]", APR_META_FLOAT, 8},
};

enum { N_TYPES = sizeof TYPES / sizeof TYPES[0] };

int apr_gguf_type_number(const char *name, bool *array)
{
    for (int i = 0; i < N_TYPES; i++) {
        *array = strcmp(TYPES[i].array_name, name) == 0;
        if (*array || strcmp(TYPES[i].name, name) == 0)
            return i;
    }
    return -1;
}

size_t apr_gguf_type_bytes(int number)
{
    return TYPES[number].bytes;
}

static uint64_t load_bits(const uint8_t *p, size_t bytes)
{
    uint64_t bits = 0;

    memcpy(&bits, p, bytes);
    return le64toh(bits);
}

static double load_float(uint64_t bits, size_t bytes)
{
    uint32_t low = (uint32_t)bits;
    float single;
    double wide;

    memcpy(&single, &low, sizeof single);
    memcpy(&wide, &bits, sizeof wide);
    return bytes == 4 ? (double)single : wide;
}

/* A number or bool of `storage` at p, whose bytes were checked. */
static void decode_scalar(const uint8_t *p, int32_t storage, apr_meta *out)
{
    const struct value_type *type = &TYPES[storage];
    uint64_t bits = load_bits(p, type->bytes);
    unsigned unused = 64 - 8 * (unsigned)type->bytes;

    out->kind = type->kind;
    out->type_name = type->name;
    out->storage = storage;
    if (type->kind == APR_META_FLOAT)
        out->f = load_float(bits, type->bytes);
    else if (type->kind == APR_META_INT)
        out->i = (int64_t)(bits << unused) >> unused;
    else
        out->u = bits;
}

static trueno_status read_type(apr_reader *r, const char *field, int32_t *out, trueno_error *err)
{
    uint32_t type;
    trueno_status status = apr_read_u32(r, field, &type, err);

    if (status < 0)
        return status;
    if (type >= N_TYPES)
        return apr_reader_fail(r, TRUENO_FORMAT, err, "%s is %u, known are 0 to %d", field, type,
                               N_TYPES - 1);
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
    const uint8_t *p;
    trueno_status status;

    if ((status = read_type(r, "element type", &out->storage, err)) < 0)
        return status;
    if (out->storage == GGUF_ARRAY)
        return apr_reader_fail(r, TRUENO_UNSUPPORTED, err, "is an array of arrays");
    out->kind = APR_META_ARRAY;
    out->element = TYPES[out->storage].kind;
    out->type_name = TYPES[out->storage].array_name;
    if ((status = apr_read_count(r, "number of elements", TYPES[out->storage].bytes, UINT64_MAX,
                                 &out->count, err)) < 0)
        return status;
    out->data = r->data + r->position;
    if (out->storage != GGUF_STRING) {
        status = apr_read_bytes(r, "array", out->count * TYPES[out->storage].bytes, &p, err);
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
    const uint8_t *p;
    trueno_status status = read_type(r, "value type", &out->storage, err);

    if (status < 0)
        return status;
    if (out->storage == GGUF_ARRAY)
        return read_array(r, out, err);
    if (out->storage == GGUF_STRING) {
        out->kind = APR_META_STRING;
        out->type_name = TYPES[GGUF_STRING].name;
        return apr_read_text(r, "string", UINT32_MAX, &out->text, err);
    }
    status = apr_read_bytes(r, "value", TYPES[out->storage].bytes, &p, err);
    if (status < 0)
        return status;
    if (TYPES[out->storage].kind == APR_META_BOOL && (status = check_bools(r, p, 1, err)) < 0)
        return status;
    decode_scalar(p, out->storage, out);
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

bool apr_meta_next(const apr_meta *array, apr_meta_cursor *cursor, apr_meta *out)
{
    const uint8_t *p;

    if (array->kind != APR_META_ARRAY || cursor->index >= array->count)
        return false;
    p = (const uint8_t *)array->data + cursor->offset;
    *out = (apr_meta){.storage = array->storage};
    cursor->index++;
    if (array->storage != GGUF_STRING) {
        decode_scalar(p, array->storage, out);
        cursor->offset += TYPES[array->storage].bytes;
        return true;
    }
    out->kind = APR_META_STRING;
    out->type_name = TYPES[GGUF_STRING].name;
    out->text = (apr_text){(const char *)p + 8, (uint32_t)load_bits(p, 8)};
    cursor->offset += 8 + (size_t)out->text.length;
    return true;
}

bool apr_meta_element(const apr_meta *array, uint64_t index, apr_meta *out)
{
    apr_meta_cursor cursor = {0};

    if (array->kind != APR_META_ARRAY || index >= array->count)
        return false;
    if (array->storage != GGUF_STRING) {
        cursor.index = index;
        cursor.offset = (size_t)index * TYPES[array->storage].bytes;
        return apr_meta_next(array, &cursor, out);
    }
    while (cursor.index <= index)
        if (!apr_meta_next(array, &cursor, out))
            return false;
    return true;
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
