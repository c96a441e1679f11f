/* SPDX-License-Identifier: MIT */
/* The tables of each format, field by field. They were checked when the model was opened. */
#include "formats/apr.h"
#include "layout.h"
#include "packed_tensors.h"
#include "value_types.h"
#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* "[2, 3]" */
static void print_dims(const apr_tensor *t, char *out, size_t capacity)
{
    size_t used = 1;

    out[0] = '[';
    for (int i = 0; i < t->n_dims && used < capacity; i++)
        used += (size_t)snprintf(out + used, capacity - used, "%s%lld", i > 0 ? ", " : "",
                                 (long long)t->dims[i]);
    if (used < capacity)
        (void)snprintf(out + used, capacity - used, "]");
}

/* Where the data of a file's tensors lie, up to the limit. */
static void walk_data(apr_walk *w, const apr_model *m, size_t source)
{
    uint64_t told = 0, left = 0;

    for (size_t i = 0; i < m->n_tensors; i++) {
        const apr_tensor *t = &m->tensors[i];
        char dims[80];

        if ((size_t)t->file != source)
            continue;
        if (told >= w->limit) {
            left++;
            continue;
        }
        told++;
        print_dims(t, dims, sizeof dims);
        w->position = t->offset;
        (void)apr_walk_field(w, apr_packed_stored(m, t), t->name, "%s %s%s",
                             apr_tensor_type_name(t), dims, t->packed > 0 ? ", compressed" : "");
    }
    if (left > 0)
        apr_walk_remark(w, "more tensors", "%" PRIu64, left);
}

/* A key's value; *array bytes are found by walking over its elements. */
static void walk_value(apr_walk *w, const apr_meta *meta)
{
    bool array;
    const int type = apr_value_type_find(meta->type_name, &array);

    if (meta->kind == APR_META_ARRAY) {
        apr_meta_cursor cursor = {0};
        apr_meta element;

        (void)apr_walk_number(w, 4, "type of elements");
        (void)apr_walk_number(w, 8, "number of elements");
        while (apr_meta_next(meta, &cursor, &element))
            continue;
        (void)apr_walk_field(w, cursor.offset, "elements", "%s", meta->type_name);
    } else if (meta->kind == APR_META_STRING) {
        (void)apr_walk_number(w, 8, "length");
        apr_walk_text(w, meta->text.length, "value");
    } else if (meta->kind == APR_META_FLOAT) {
        (void)apr_walk_field(w, apr_value_type_get(type)->bytes, "value", "%.9g", meta->f);
    } else {
        (void)apr_walk_number(w, (int)apr_value_type_get(type)->bytes, "value");
    }
}

/* A key; beyond the limit its bytes are passed over. */
static void walk_key(apr_walk *w, const apr_meta *meta, bool told)
{
    const apr_region_fn fn = w->fn;
    void *user = w->user;

    if (!told)
        w->fn = NULL;
    (void)apr_walk_number(w, 8, "length of key");
    apr_walk_text(w, strlen(meta->key), "key");
    (void)apr_walk_field(w, 4, "type of value", "%s", meta->type_name);
    walk_value(w, meta);
    w->fn = fn;
    w->user = user;
}

static void walk_gguf_tensor(apr_walk *w, const apr_tensor *t)
{
    uint64_t n_dims;

    (void)apr_walk_number(w, 8, "length of name");
    apr_walk_text(w, strlen(t->name), "tensor");
    n_dims = apr_walk_number(w, 4, "number of dimensions");
    for (uint64_t i = 0; i < n_dims && !w->ended; i++)
        (void)apr_walk_number(w, 8, i == 0 ? "dimension, fastest" : "dimension");
    (void)apr_walk_field(w, 4, "type", "%s", apr_tensor_type_name(t));
    (void)apr_walk_number(w, 8, "offset in the data");
}

void apr_walk_gguf(apr_walk *w, const apr_model *m, size_t source)
{
    uint64_t n_keys, n_tensors;

    apr_walk_text(w, 4, "magic");
    (void)apr_walk_number(w, 4, "version");
    n_tensors = apr_walk_number(w, 8, "number of tensors");
    n_keys = apr_walk_number(w, 8, "number of keys");
    if (source > 0) {
        apr_walk_remark(w, "part", "%zu; its keys say only that", source + 1);
        walk_data(w, m, source);
        return;
    }
    for (uint64_t i = 0; i < n_keys && i < m->n_meta; i++)
        walk_key(w, &m->meta[i], i < w->limit);
    if (n_keys > w->limit)
        apr_walk_remark(w, "more keys", "%" PRIu64, n_keys - w->limit);
    for (uint64_t i = 0; i < n_tensors && i < m->n_tensors && i < w->limit; i++)
        walk_gguf_tensor(w, &m->tensors[i]);
    walk_data(w, m, source);
}

static void walk_flags(apr_walk *w)
{
    static const struct {
        uint16_t flag;
        const char *word;
    } WORDS[] = {{APR_FLAG_LZ4, "lz4"},
                 {APR_FLAG_ZSTD, "zstd"},
                 {APR_FLAG_SHARDED, "sharded"},
                 {APR_FLAG_QUANTIZED, "quantized"},
                 {APR_FLAG_VOCABULARY, "vocabulary"},
                 {APR_FLAG_ROW_MAJOR, "row-major"},
                 {APR_FLAG_TABLES_CHECKSUM, "checksum of tables"},
                 {APR_FLAG_PACKED, "compressed tensors"}};
    char text[APR_VALUE_BYTES] = "";
    uint16_t flags = 0;
    size_t used = 0;

    if (w->bytes - w->position < sizeof flags)
        return;
    memcpy(&flags, w->data + w->position, sizeof flags);
    flags = le16toh(flags);
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0] && used < sizeof text; i++)
        if ((flags & WORDS[i].flag) != 0)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", used > 0 ? ", " : "",
                                     WORDS[i].word);
    (void)apr_walk_field(w, sizeof flags, "flags", "0x%04x: %.100s", flags, text);
}

/* An entry of the index. */
static void walk_apr_entry(apr_walk *w)
{
    const uint64_t length = apr_walk_number(w, 2, "length of name");
    uint64_t n_dims;

    apr_walk_text(w, length, "tensor");
    (void)apr_walk_number(w, 1, "type, GGML's number");
    n_dims = apr_walk_number(w, 1, "number of dimensions");
    for (uint64_t i = 0; i < n_dims && !w->ended; i++)
        (void)apr_walk_number(w, 8, i == 0 ? "dimension, outermost" : "dimension");
    (void)apr_walk_number(w, 8, "offset in the data");
    (void)apr_walk_number(w, 8, "bytes");
}

void apr_walk_apr(apr_walk *w, const apr_model *m, size_t source)
{
    uint64_t n_tensors, metadata_bytes, index;
    const bool expanded = !m->sources[source].map.mapped;

    if (expanded)
        apr_walk_remark(w, "in memory", "offsets are of the file as expanded, or as built in");
    (void)apr_walk_field(w, 4, "magic", "APR, 0");
    (void)apr_walk_number(w, 1, "version, major");
    (void)apr_walk_number(w, 1, "version, minor");
    walk_flags(w);
    n_tensors = apr_walk_number(w, 4, "number of tensors");
    (void)apr_walk_number(w, 8, "metadata offset");
    metadata_bytes = apr_walk_number(w, 4, "metadata bytes");
    index = apr_walk_number(w, 8, "index offset");
    (void)apr_walk_number(w, 8, "data offset");
    (void)apr_walk_field(w, 4, "CRC-32 of the header", "checked at every open");
    (void)apr_walk_field(w, 4, "CRC-32 of metadata and index", "checked at every open");
    (void)apr_walk_field(w, 16, "reserved", "%s", "");
    apr_walk_text(w, metadata_bytes, "metadata");
    if (index > w->bytes)
        return;
    w->position = index;
    for (uint64_t i = 0; i < n_tensors && i < w->limit && !w->ended; i++)
        walk_apr_entry(w);
    if (n_tensors > w->limit)
        apr_walk_remark(w, "more entries", "%" PRIu64, n_tensors - w->limit);
    walk_data(w, m, source);
    w->position = w->bytes - APR_FOOTER_BYTES;
    (void)apr_walk_field(w, APR_FOOTER_BYTES, "CRC-32 of all before", "checked by apr validate");
}

void apr_walk_safetensors(apr_walk *w, const apr_model *m, size_t source)
{
    const uint64_t length = apr_walk_number(w, 8, "header bytes");

    apr_walk_text(w, length, "header");
    walk_data(w, m, source);
}
