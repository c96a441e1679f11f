/* SPDX-License-Identifier: MIT */
/*
 * The SafeTensors container: a 64-bit length, a JSON header, tensors back to back. Read as strictly
 * as its description has it; data are not aligned to anything.
 * Source: the format's description in its repository's README.
 */
#include "safetensors.h"

#include "../file_limits.h"
#include "../formats.h"
#include "../names.h"
#include "../reader.h"
#include "../storage_types.h"
#include <string.h>

enum { LENGTH_BYTES = 8 };

/* Element types by their names here; the numbers are GGML's, or ours where GGML has none. */
static const struct dtype_row {
    const char *name;
    int32_t type;
} DTYPES[] = {
    {"F32", TRUENO_F32},     {"F16", TRUENO_F16},           {"BF16", TRUENO_BF16},
    {"F64", APR_TYPE_F64},   {"I64", APR_TYPE_I64},         {"I32", APR_TYPE_I32},
    {"I16", APR_TYPE_I16},   {"I8", APR_TYPE_I8},           {"U8", APR_TYPE_U8},
    {"BOOL", APR_TYPE_BOOL}, {"U16", APR_TYPE_U16},         {"U32", APR_TYPE_U32},
    {"U64", APR_TYPE_U64},   {"F8_E4M3", APR_TYPE_F8_E4M3}, {"F8_E5M2", APR_TYPE_F8_E5M2},
};

static uint64_t header_length(const uint8_t *data)
{
    uint64_t length = 0;

    for (int i = LENGTH_BYTES - 1; i >= 0; i--)
        length = length << 8 | data[i];
    return length;
}

bool apr_safetensors_probe(const uint8_t *data, size_t bytes)
{
    return bytes > LENGTH_BYTES && data[LENGTH_BYTES] == '{' &&
           header_length(data) <= APR_LIMIT_HEADER_BYTES;
}

trueno_status apr_safetensors_header(const apr_model *m, size_t index, json_t **out, size_t *data,
                                     trueno_error *err)
{
    const apr_source *source = &m->sources[index];
    apr_reader r = {.data = source->map.data, .bytes = source->map.bytes, .file = source->path};
    const uint8_t *text = NULL;
    uint64_t length = 0;
    trueno_status status;

    *out = NULL;
    if ((status = apr_read_u64(&r, "header length", &length, err)) < 0)
        return status;
    if (length > APR_LIMIT_HEADER_BYTES)
        return apr_reader_fail(&r, TRUENO_FORMAT, err, "a header of %llu bytes, at most %d allowed",
                               (unsigned long long)length, APR_LIMIT_HEADER_BYTES);
    if ((status = apr_read_bytes(&r, "header", length, &text, err)) < 0)
        return status;
    if (length == 0 || text[0] != '{')
        return apr_reader_fail(&r, TRUENO_FORMAT, err, "the header does not begin with '{'");
    *data = r.position;
    return apr_json_parse(source->path, text, (size_t)length, out, err);
}

size_t apr_safetensors_count(const json_t *header)
{
    return json_object_size(header) - (json_object_get(header, "__metadata__") != NULL);
}

static trueno_status read_dtype(const apr_source *s, apr_tensor *t, const json_t *entry,
                                apr_storage_type *type, trueno_error *err)
{
    const char *name = json_string_value(json_object_get(entry, "dtype"));
    char shown[40];

    for (size_t i = 0; name != NULL && i < sizeof DTYPES / sizeof DTYPES[0]; i++) {
        if (strcmp(DTYPES[i].name, name) == 0) {
            t->type = (trueno_type)DTYPES[i].type;
            (void)apr_storage_type_get(t->type, type);
            return TRUENO_OK;
        }
    }
    apr_printable(shown, sizeof shown, name != NULL ? name : "", name != NULL ? strlen(name) : 0);
    return trueno_fail(err, name != NULL ? TRUENO_UNSUPPORTED : TRUENO_FORMAT,
                       "%s: tensor %s: dtype '%s' is not known", s->path, t->name, shown);
}

/* Shape, as listed (outermost first), and the number of elements. */
static trueno_status read_shape(const apr_source *s, apr_tensor *t, const json_t *entry,
                                uint64_t *elements, trueno_error *err)
{
    const json_t *shape = json_object_get(entry, "shape");
    size_t n = json_array_size(shape);

    if (!json_is_array(shape))
        return trueno_fail(err, TRUENO_FORMAT, "%s: tensor %s: no shape", s->path, t->name);
    if (n > APR_LIMIT_DIMS)
        return trueno_fail(err, TRUENO_UNSUPPORTED,
                           "%s: tensor %s: %zu dimensions, at most %d read", s->path, t->name, n,
                           APR_LIMIT_DIMS);
    *elements = 1;
    t->n_dims = n > 0 ? (int32_t)n : 1; /* none: a single number */
    for (size_t i = 0; i < APR_LIMIT_DIMS; i++) {
        const json_t *dim = i < n ? json_array_get(shape, i) : NULL;

        t->dims[i] = i < n ? json_integer_value(dim) : 1;
        if ((i < n && !json_is_integer(dim)) || t->dims[i] < 0 ||
            __builtin_mul_overflow(*elements, (uint64_t)t->dims[i], elements) ||
            *elements > INT64_MAX)
            return trueno_fail(err, TRUENO_FORMAT,
                               "%s: tensor %s: dimension %zu is no count, or the product is too "
                               "large",
                               s->path, t->name, i);
    }
    return TRUENO_OK;
}

static trueno_status read_offsets(const apr_source *s, apr_tensor *t, const json_t *entry,
                                  size_t data, trueno_error *err)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *first = json_array_get(offsets, 0), *second = json_array_get(offsets, 1);
    const json_int_t begin = json_integer_value(first), end = json_integer_value(second);

    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(second) ||
        begin < 0 || end < begin)
        return trueno_fail(err, TRUENO_FORMAT,
                           "%s: tensor %s: data_offsets are no two counts in order", s->path,
                           t->name);
    if ((uint64_t)end > s->map.bytes - data)
        return trueno_fail(err, TRUENO_FORMAT,
                           "%s: tensor %s: ends at byte %lld of the data, which have %zu", s->path,
                           t->name, (long long)end, s->map.bytes - data);
    t->offset = data + (uint64_t)begin;
    t->bytes = (uint64_t)(end - begin);
    t->data = s->map.data + t->offset;
    return TRUENO_OK;
}

static trueno_status read_entry(apr_model *m, size_t index, const char *name, const json_t *entry,
                                size_t data, trueno_error *err)
{
    const apr_source *s = &m->sources[index];
    apr_tensor *t = &m->tensors[m->n_tensors];
    size_t length = strlen(name);
    apr_storage_type type;
    uint64_t elements = 0;
    char shown[64];
    trueno_status status;

    apr_printable(shown, sizeof shown, name, length);
    if (length == 0 || length > APR_LIMIT_NAME_BYTES)
        return trueno_fail(err, TRUENO_FORMAT,
                           "%s: tensor %s: a name of %zu bytes, allowed 1 to %d", s->path, shown,
                           length, APR_LIMIT_NAME_BYTES);
    t->name = trueno_arena_string(&m->arena, name, length);
    if (t->name == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for names", s->path);
    t->file = (int32_t)index;
    if ((status = read_dtype(s, t, entry, &type, err)) < 0 ||
        (status = read_shape(s, t, entry, &elements, err)) < 0 ||
        (status = read_offsets(s, t, entry, data, err)) < 0)
        return status;
    if (elements > UINT64_MAX / 8 || elements * (uint64_t)type.bytes != t->bytes)
        return trueno_fail(err, TRUENO_FORMAT,
                           "%s: tensor %s: %llu elements of %s take %llu bytes, its offsets hold "
                           "%llu",
                           s->path, shown, (unsigned long long)elements, type.name,
                           (unsigned long long)elements * (unsigned)type.bytes,
                           (unsigned long long)t->bytes);
    m->n_tensors++;
    return TRUENO_OK;
}

/* By first byte, empty tensors before those that have bytes. */
static int place_order(const void *things, uint32_t a, uint32_t b)
{
    const apr_tensor *x = (const apr_tensor *)things + a, *y = (const apr_tensor *)things + b;

    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* Tensors in the order of their bytes: each begins where the one before ends, the last at the end.
 */
static trueno_status check_cover(const apr_model *m, size_t index, const apr_tensor *sorted,
                                 size_t n, size_t data, trueno_error *err)
{
    const apr_source *s = &m->sources[index];
    uint64_t at = data;

    for (size_t i = 0; i < n; i++) {
        if (sorted[i].offset != at)
            return trueno_fail(err, TRUENO_FORMAT,
                               "%s: tensor %s begins at byte %llu, the one before it ends at %llu",
                               s->path, sorted[i].name, (unsigned long long)sorted[i].offset,
                               (unsigned long long)at);
        at += sorted[i].bytes;
    }
    if (at != s->map.bytes)
        return trueno_fail(err, TRUENO_FORMAT, "%s: the last tensor ends at byte %llu of %zu",
                           s->path, (unsigned long long)at, s->map.bytes);
    return TRUENO_OK;
}

/* Put the n tensors from `first` on into the order of their bytes. */
static trueno_status sort_tensors(apr_model *m, size_t first, size_t n, trueno_error *err)
{
    const size_t index_bytes = n * sizeof(uint32_t), copy_bytes = n * sizeof(apr_tensor);
    uint32_t *order = trueno_allocate(m->options.allocator, index_bytes, 64);
    apr_tensor *copy = trueno_allocate(m->options.allocator, copy_bytes, 64);
    trueno_status status = TRUENO_OK;

    if (order == NULL || copy == NULL) {
        status =
            trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory to sort %zu tensors", m->path, n);
    } else if (n > 0) {
        memcpy(copy, m->tensors + first, copy_bytes);
        apr_make_index(order, n, copy, place_order);
        for (size_t i = 0; i < n; i++)
            m->tensors[first + i] = copy[order[i]];
    }
    trueno_release(m->options.allocator, order, index_bytes);
    trueno_release(m->options.allocator, copy, copy_bytes);
    return status;
}

static trueno_status check_metadata(const apr_source *s, const json_t *metadata, trueno_error *err)
{
    const char *key;
    json_t *value;

    if (!json_is_object(metadata))
        return trueno_fail(err, TRUENO_FORMAT, "%s: __metadata__ is no object", s->path);
    json_object_foreach((json_t *)metadata, key, value)
    {
        if (!json_is_string(value))
            return trueno_fail(err, TRUENO_FORMAT, "%s: a value of __metadata__ is no string",
                               s->path);
    }
    return TRUENO_OK;
}

trueno_status apr_safetensors_tensors(apr_model *m, size_t index, const json_t *header, size_t data,
                                      trueno_error *err)
{
    const size_t first = m->n_tensors;
    const char *name;
    json_t *entry;
    trueno_status status = TRUENO_OK;

    json_object_foreach((json_t *)header, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0)
            status = check_metadata(&m->sources[index], entry, err);
        else
            status = read_entry(m, index, name, entry, data, err);
        if (status < 0)
            return status;
    }
    if ((status = sort_tensors(m, first, m->n_tensors - first, err)) < 0)
        return status;
    return check_cover(m, index, m->tensors + first, m->n_tensors - first, data, err);
}

static trueno_status narrow(apr_model *m, apr_tensor *t, trueno_error *err)
{
    const uint64_t n = apr_tensor_elements(t);
    float *narrow = NULL;
    double wide;
    trueno_status status =
        apr_model_allocate(m, &narrow, (size_t)n, sizeof *narrow, "weights of F64", err);

    if (status < 0)
        return status;
    for (uint64_t i = 0; i < n; i++) {
        memcpy(&wide, (const char *)t->data + i * sizeof wide, sizeof wide); /* may be unaligned */
        narrow[i] = (float)wide;
    }
    t->data = narrow;
    t->type = TRUENO_F32;
    t->bytes = n * sizeof *narrow;
    return TRUENO_OK;
}

trueno_status apr_safetensors_narrow(apr_model *m, trueno_error *err)
{
    trueno_status status = TRUENO_OK;

    for (size_t i = 0; i < m->n_tensors && status == TRUENO_OK; i++)
        if ((int32_t)m->tensors[i].type == APR_TYPE_F64 && m->tensors[i].role >= 0)
            status = narrow(m, &m->tensors[i], err);
    return status;
}
