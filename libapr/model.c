/* SPDX-License-Identifier: MIT */
/* A model that formats fill and callers look at: memory, files and indices for the former, tensors
 * and metadata for the latter. */
#include "model_private.h"

#include "names.h"
#include "packed_tensors.h"
#include "storage_types.h"
#include <assert.h>
#include <string.h>

trueno_status apr_model_allocate(apr_model *m, void *out, size_t count, size_t size,
                                 const char *what, trueno_error *err)
{
    void *p = trueno_arena_array(&m->arena, count, size);

    memcpy(out, &p, sizeof p);
    if (p == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for the %s (%zu times %zu bytes)",
                           m->path, what, count, size);
    return TRUENO_OK;
}

trueno_status apr_model_tolerate(const apr_model *m, trueno_status status, trueno_error *err)
{
    if (status == TRUENO_OK || !m->options.lenient || status == TRUENO_NO_MEMORY)
        return status;
    if (err != NULL)
        trueno_log_write(&m->options.log, TRUENO_LOG_WARNING, "%s", err->message);
    return TRUENO_OK;
}

trueno_status apr_model_add_file(apr_model *m, const char *path, trueno_error *err)
{
    apr_source *source = &m->sources[m->n_sources];
    trueno_status status;

    source->path = trueno_arena_string(&m->arena, path, strlen(path));
    if (source->path == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for the path", path);
    status = trueno_map_open(&source->map, path, err);
    if (status == TRUENO_OK)
        m->n_sources++;
    return status;
}

static int tensor_order(const void *things, uint32_t a, uint32_t b)
{
    const apr_tensor *t = things;

    return strcmp(t[a].name, t[b].name);
}

trueno_status apr_model_index_tensors(apr_model *m, trueno_error *err)
{
    trueno_status status =
        apr_model_allocate(m, &m->by_name, m->n_tensors, sizeof *m->by_name, "tensor index", err);

    if (status < 0)
        return status;
    apr_make_index(m->by_name, m->n_tensors, m->tensors, tensor_order);
    for (size_t i = 1; i < m->n_tensors; i++) {
        const char *name = m->tensors[m->by_name[i]].name;

        if (strcmp(name, m->tensors[m->by_name[i - 1]].name) == 0)
            return trueno_fail(err, TRUENO_FORMAT, "%s: two tensors are named %s", m->path, name);
    }
    return TRUENO_OK;
}

/* By key; entries of one key in file order, so that the last one can be told. */
static int meta_order(const void *things, uint32_t a, uint32_t b)
{
    const apr_meta *meta = things;
    int order = strcmp(meta[a].key, meta[b].key);

    return order != 0 ? order : (a > b) - (a < b);
}

trueno_status apr_model_index_meta(apr_model *m, trueno_error *err)
{
    trueno_status status =
        apr_model_allocate(m, &m->by_key, m->n_meta, sizeof *m->by_key, "index of keys", err);

    if (status < 0)
        return status;
    apr_make_index(m->by_key, m->n_meta, m->meta, meta_order);
    for (size_t i = 1; i < m->n_meta; i++) {
        const char *key = m->meta[m->by_key[i]].key;

        if (strcmp(key, m->meta[m->by_key[i - 1]].key) != 0)
            continue;
        status = trueno_fail(err, TRUENO_FORMAT, "%s: the key %s occurs twice", m->path, key);
        if ((status = apr_model_tolerate(m, status, err)) < 0)
            return status;
    }
    return TRUENO_OK;
}

int apr_extent_order(const void *things, uint32_t a, uint32_t b)
{
    const apr_tensor *x = (const apr_tensor *)things + a, *y = (const apr_tensor *)things + b;

    if (x->file != y->file)
        return x->file < y->file ? -1 : 1;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

trueno_status apr_model_check_extents(const apr_model *m, trueno_error *err)
{
    size_t bytes = m->n_tensors * sizeof(uint32_t);
    uint32_t *index = trueno_allocate(m->options.allocator, bytes, 64);
    trueno_status status = TRUENO_OK;

    if (index == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory to check %zu tensors", m->path,
                           m->n_tensors);
    apr_make_index(index, m->n_tensors, m->tensors, apr_extent_order);
    for (size_t i = 1; i < m->n_tensors && status == TRUENO_OK; i++) {
        const apr_tensor *a = &m->tensors[index[i - 1]], *b = &m->tensors[index[i]];

        const uint64_t stored = apr_packed_stored(m, a);

        if (a->file == b->file && b->offset - a->offset < stored)
            status = trueno_fail(err, TRUENO_FORMAT,
                                 "%s: byte %llu: tensor %s begins inside tensor %s, which ends at "
                                 "%llu",
                                 m->sources[a->file].path, (unsigned long long)b->offset, b->name,
                                 a->name, (unsigned long long)a->offset + stored);
    }
    trueno_release(m->options.allocator, index, bytes);
    return status;
}

const char *apr_model_path(const apr_model *m)
{
    return m->path;
}

const char *apr_model_format(const apr_model *m)
{
    return m->format;
}

uint64_t apr_model_bytes(const apr_model *m)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < m->n_sources; i++)
        bytes += m->sources[i].map.bytes;
    return bytes;
}

const apr_config *apr_model_config(const apr_model *m)
{
    return &m->config;
}

const apr_vocab *apr_model_vocab(const apr_model *m)
{
    return m->has_vocab ? &m->vocab : NULL;
}

const char *apr_model_chat_template(const apr_model *m)
{
    return m->chat_template;
}

const apr_generation_defaults *apr_model_generation_defaults(const apr_model *m)
{
    return &m->defaults;
}

size_t apr_model_tensor_count(const apr_model *m)
{
    return m->n_tensors;
}

const apr_tensor *apr_model_tensor(const apr_model *m, size_t index)
{
    assert(index < m->n_tensors);
    return &m->tensors[index];
}

const apr_tensor *apr_model_find(const apr_model *m, const char *name)
{
    size_t low = 0, high = m->n_tensors;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const apr_tensor *t = &m->tensors[m->by_name[middle]];
        int order = strcmp(t->name, name);

        if (order == 0)
            return t;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

trueno_status apr_model_fetch(const apr_model *m, const apr_tensor *t, trueno_error *err)
{
    return apr_packed_fetch(m, t, 0, t->bytes, err);
}

uint64_t apr_tensor_stored_bytes(const apr_model *m, const apr_tensor *t)
{
    return apr_packed_stored(m, t);
}

const apr_tensor *apr_tensor_like(const apr_model *m, int32_t role, int32_t layer, int32_t expert,
                                  const char *name)
{
    for (size_t i = 0; role >= 0 && i < m->n_tensors; i++) {
        const apr_tensor *t = &m->tensors[i];

        if (t->role == role && t->expert == expert &&
            (t->layer == layer || !APR_ROLE_IS_PER_LAYER(role)))
            return t;
    }
    return role < 0 ? apr_model_find(m, name) : NULL;
}

size_t apr_model_meta_count(const apr_model *m)
{
    return m->n_meta;
}

const apr_meta *apr_model_meta(const apr_model *m, size_t index)
{
    assert(index < m->n_meta);
    return &m->meta[index];
}

const apr_meta *apr_model_meta_find(const apr_model *m, const char *key)
{
    size_t low = 0, high = m->n_meta;

    while (low < high) { /* the last entry that is not behind the key */
        size_t middle = low + (high - low) / 2;

        if (strcmp(m->meta[m->by_key[middle]].key, key) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || strcmp(m->meta[m->by_key[low - 1]].key, key) != 0)
        return NULL;
    return &m->meta[m->by_key[low - 1]];
}

const char *apr_tensor_type_name(const apr_tensor *t)
{
    apr_storage_type type;

    return apr_storage_type_get(t->type, &type) == 0 ? type.name : "unknown";
}

uint64_t apr_tensor_elements(const apr_tensor *t)
{
    return (uint64_t)t->dims[0] * (uint64_t)t->dims[1] * (uint64_t)t->dims[2] *
           (uint64_t)t->dims[3];
}

uint64_t apr_model_parameters(const apr_model *m)
{
    uint64_t n = 0;

    for (size_t i = 0; i < m->n_tensors; i++)
        n += apr_tensor_elements(&m->tensors[i]);
    return n;
}

trueno_tensor apr_tensor_matrix(const apr_model *m, const apr_tensor *t)
{
    int64_t cols = t->n_dims > 0 ? t->dims[t->n_dims - 1] : 1;
    int64_t rows = cols > 0 ? (int64_t)(apr_tensor_elements(t) / (uint64_t)cols) : 0;
    trueno_tensor view = trueno_tensor_make(t->type, rows, cols, t->data);
    const trueno_map *map = &m->sources[t->file].map;

    view.mapped = map->mapped && (const uint8_t *)t->data >= map->data &&
                  (const uint8_t *)t->data < map->data + map->bytes;
    return view;
}
