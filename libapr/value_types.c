/* SPDX-License-Identifier: MIT */
/* Types of metadata values, and the elements of arrays of them. */
#include "value_types.h"

#include <endian.h>
#include <string.h>

/* One row per type; the row number is the file's. */
static const apr_value_type TYPES[APR_N_VALUE_TYPES] = {
    {"u8", "arr[u8]", APR_META_UINT, 1},     {"i8", "arr[i8]", APR_META_INT, 1},
    {"u16", "arr[u16]", APR_META_UINT, 2},   {"i16", "arr[i16]", APR_META_INT, 2},
    {"u32", "arr[u32]", APR_META_UINT, 4},   {"i32", "arr[i32]", APR_META_INT, 4},
    {"f32", "arr[f32]", APR_META_FLOAT, 4},  {"bool", "arr[bool]", APR_META_BOOL, 1},
    {"str", "arr[str]", APR_META_STRING, 8}, {"arr", "arr[arr]", APR_META_ARRAY, 12},
    {"u64", "arr[u64]", APR_META_UINT, 8},   {"i64", "arr[i64]", APR_META_INT, 8},
    {"f64", "arr[f64]", APR_META_FLOAT, 8},
};

const apr_value_type *apr_value_type_get(int number)
{
    return &TYPES[number];
}

int apr_value_type_find(const char *name, bool *array)
{
    for (int i = 0; i < APR_N_VALUE_TYPES; i++) {
        *array = strcmp(TYPES[i].array_name, name) == 0;
        if (*array || strcmp(TYPES[i].name, name) == 0)
            return i;
    }
    return -1;
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

void apr_value_decode(const uint8_t *p, int32_t number, apr_meta *out)
{
    const apr_value_type *type = &TYPES[number];
    uint64_t bits = load_bits(p, type->bytes);
    unsigned unused = 64 - 8 * (unsigned)type->bytes;

    out->kind = type->kind;
    out->type_name = type->name;
    out->storage = number;
    if (type->kind == APR_META_FLOAT)
        out->f = load_float(bits, type->bytes);
    else if (type->kind == APR_META_INT)
        out->i = (int64_t)(bits << unused) >> unused;
    else
        out->u = bits;
}

bool apr_meta_next(const apr_meta *array, apr_meta_cursor *cursor, apr_meta *out)
{
    const uint8_t *p;

    if (array->kind != APR_META_ARRAY || cursor->index >= array->count)
        return false;
    p = (const uint8_t *)array->data + cursor->offset;
    *out = (apr_meta){.storage = array->storage};
    cursor->index++;
    if (array->storage != APR_VALUE_STRING) {
        apr_value_decode(p, array->storage, out);
        cursor->offset += TYPES[array->storage].bytes;
        return true;
    }
    out->kind = APR_META_STRING;
    out->type_name = TYPES[APR_VALUE_STRING].name;
    out->text = (apr_text){(const char *)p + 8, (uint32_t)load_bits(p, 8)};
    cursor->offset += 8 + (size_t)out->text.length;
    return true;
}

bool apr_meta_element(const apr_meta *array, uint64_t index, apr_meta *out)
{
    apr_meta_cursor cursor = {0};

    if (array->kind != APR_META_ARRAY || index >= array->count)
        return false;
    if (array->storage != APR_VALUE_STRING) {
        cursor.index = index;
        cursor.offset = (size_t)index * TYPES[array->storage].bytes;
        return apr_meta_next(array, &cursor, out);
    }
    while (cursor.index <= index)
        if (!apr_meta_next(array, &cursor, out))
            return false;
    return true;
}
