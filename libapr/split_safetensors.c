/* SPDX-License-Identifier: MIT */
/* Shards of SafeTensors models: tensors byte for byte, their index, and the files beside them. */
#include "split.h"

#include "formats/safetensors.h"
#include "formats/write.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is copied when it lies beside the weights. */
static const char *const COMPANIONS[] = {
    "config.json",        "generation_config.json",
    "tokenizer.json",     "tokenizer_config.json",
    "added_tokens.json",  "special_tokens_map.json",
    "vocab.json",         "merges.txt",
    "tokenizer.model",    "chat_template.jinja",
    "chat_template.json", "preprocessor_config.json",
    "README.md",          "LICENSE",
};

/* The parsed headers of the model's files while parts are written. */
typedef struct headers {
    json_t **list;
    size_t n;
} headers;

static void drop_headers(const apr_model *m, headers *h)
{
    for (size_t i = 0; h->list != NULL && i < h->n; i++)
        json_decref(h->list[i]);
    trueno_release(m->options.allocator, h->list, h->n * sizeof(json_t *));
}

static trueno_status read_headers(const apr_model *m, headers *h, trueno_error *err)
{
    trueno_status status = TRUENO_OK;
    size_t data;

    h->n = m->n_sources;
    h->list = trueno_allocate_zero(m->options.allocator, h->n * sizeof(json_t *));
    if (h->list == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for headers", m->path);
    for (size_t i = 0; i < h->n && status == TRUENO_OK; i++)
        status = apr_safetensors_header(m, i, &h->list[i], &data, err);
    return status;
}

static void put_raw(apr_json *j, const char *key, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

    if (text == NULL) {
        j->buffer.failed = true;
        return;
    }
    apr_json_key(j, key);
    apr_json_raw(j, text, strlen(text));
    free(text);
}

/* Bytes of a tensor in its file, whatever was made of it in memory. */
static uint64_t stored_bytes(const headers *h, const apr_tensor *t)
{
    const json_t *offsets =
        json_object_get(json_object_get(h->list[t->file], t->name), "data_offsets");

    return (uint64_t)(json_integer_value(json_array_get(offsets, 1)) -
                      json_integer_value(json_array_get(offsets, 0)));
}

/* The header as the format's own library writes it: no spaces but those that pad it to 8. */
static trueno_status put_header(apr_json *j, const apr_split *s, const apr_split_part *part,
                                const headers *h, uint8_t length[8], trueno_error *err)
{
    uint64_t offset = 0;

    apr_json_open(j, '{');
    if (json_object_get(h->list[0], "__metadata__") != NULL)
        put_raw(j, "__metadata__", json_object_get(h->list[0], "__metadata__"));
    for (size_t i = part->first; i < part->first + part->n; i++) {
        const apr_tensor *t = &s->m->tensors[i];
        const json_t *entry = json_object_get(h->list[t->file], t->name);
        const uint64_t bytes = stored_bytes(h, t);

        apr_json_put_open(j, t->name, '{');
        put_raw(j, "dtype", json_object_get(entry, "dtype"));
        put_raw(j, "shape", json_object_get(entry, "shape"));
        apr_json_put_open(j, "data_offsets", '[');
        apr_json_uint(j, offset);
        apr_json_uint(j, offset + bytes);
        apr_json_close(j, ']');
        apr_json_close(j, '}');
        offset += bytes;
    }
    apr_json_close(j, '}');
    while (j->buffer.length % 8 != 0 && !j->buffer.failed)
        apr_json_more(j, " ", 1);
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)(j->buffer.length >> 8 * i);
    return j->buffer.failed
               ? trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for a header", s->m->path)
               : TRUENO_OK;
}

static trueno_status write_tensors(const apr_split *s, const apr_split_part *part, const headers *h,
                                   apr_output *out, trueno_error *err)
{
    trueno_status status = TRUENO_OK;

    for (size_t i = part->first; i < part->first + part->n && status == TRUENO_OK; i++) {
        const apr_tensor *t = &s->m->tensors[i];
        const trueno_map *map = &s->m->sources[t->file].map;

        status = apr_output_write(out, map->data + t->offset, (size_t)stored_bytes(h, t), err);
        if (map->mapped)
            trueno_map_drop(map->data + t->offset, (size_t)stored_bytes(h, t));
    }
    return status;
}

static trueno_status write_part(const apr_split *s, int32_t number, const headers *h,
                                const char *path, trueno_error *err)
{
    apr_json j = {.buffer.allocator = s->m->options.allocator};
    apr_output out;
    uint8_t length[8];
    trueno_status status = put_header(&j, s, &s->parts[number], h, length, err);

    if (status == TRUENO_OK && (status = apr_output_open(&out, path, false, err)) == TRUENO_OK) {
        if ((status = apr_output_write(&out, length, sizeof length, err)) == TRUENO_OK &&
            (status = apr_output_write(&out, j.buffer.data, j.buffer.length, err)) == TRUENO_OK &&
            (status = write_tensors(s, &s->parts[number], h, &out, err)) == TRUENO_OK &&
            (status = apr_output_finish(&out, err)) == TRUENO_OK)
            status = apr_output_commit(&out, err);
        apr_output_abandon(&out);
    }
    apr_json_drop(&j);
    return status;
}

static void part_name(const apr_split *s, int32_t number, char *out, size_t capacity)
{
    if (s->n_parts == 1)
        (void)snprintf(out, capacity, "model.safetensors");
    else
        (void)snprintf(out, capacity, "model-%05d-of-%05d.safetensors", number + 1, s->n_parts);
}

static trueno_status write_index(const apr_split *s, const headers *h, const char *folder,
                                 trueno_error *err)
{
    apr_json j = {.buffer.allocator = s->m->options.allocator};
    char name[64];
    uint64_t total = 0;

    for (size_t i = 0; i < s->m->n_tensors; i++)
        total += stored_bytes(h, &s->m->tensors[i]);
    apr_json_open(&j, '{');
    apr_json_put_open(&j, "metadata", '{');
    apr_json_put_uint(&j, "total_size", total);
    apr_json_close(&j, '}');
    apr_json_put_open(&j, "weight_map", '{');
    for (int32_t p = 0; p < s->n_parts; p++) {
        part_name(s, p, name, sizeof name);
        for (size_t i = 0; i < s->parts[p].n; i++)
            apr_json_put_string(&j, s->m->tensors[s->parts[p].first + i].name, name);
    }
    apr_json_close(&j, '}');
    apr_json_close(&j, '}');
    return apr_write_document(s->m, &j, folder, "model.safetensors.index.json", err);
}

/* A file beside the weights, when it is there. */
static trueno_status copy_companion(const apr_model *m, const char *name, const char *folder,
                                    trueno_error *err)
{
    const char *weights = m->sources[0].path, *slash = strrchr(weights, '/');
    char from[4096], to[4096];
    apr_output out;
    trueno_map map;
    trueno_status status;

    if (snprintf(from, sizeof from, "%.*s%s", slash != NULL ? (int)(slash - weights) + 1 : 0,
                 weights, name) >= (int)sizeof from ||
        snprintf(to, sizeof to, "%s/%s", folder, name) >= (int)sizeof to)
        return trueno_fail(err, TRUENO_USAGE, "%.100s...: the path is too long", weights);
    if (trueno_map_open(&map, from, NULL) < 0)
        return TRUENO_OK; /* not there, or empty */
    if ((status = apr_output_open(&out, to, false, err)) == TRUENO_OK &&
        (status = apr_output_write(&out, map.data, map.bytes, err)) == TRUENO_OK &&
        (status = apr_output_finish(&out, err)) == TRUENO_OK)
        status = apr_output_commit(&out, err);
    apr_output_abandon(&out);
    trueno_map_close(&map);
    return status;
}

static trueno_status write_parts(const apr_split *s, const headers *h, const char *folder,
                                 trueno_error *err)
{
    char name[64], path[4096];
    trueno_status status = TRUENO_OK;

    if (strlen(folder) + sizeof name > sizeof path)
        return trueno_fail(err, TRUENO_USAGE, "%.100s...: the path is too long", folder);
    for (int32_t i = 0; i < s->n_parts && status == TRUENO_OK; i++) {
        part_name(s, i, name, sizeof name);
        (void)snprintf(path, sizeof path, "%.4000s/%s", folder, name);
        status = write_part(s, i, h, path, err);
    }
    if (status == TRUENO_OK && s->n_parts > 1)
        status = write_index(s, h, folder, err);
    return status;
}

trueno_status apr_split_write_safetensors(const apr_split *s, const char *folder, trueno_error *err)
{
    headers h = {0};
    trueno_status status = read_headers(s->m, &h, err);

    if (status == TRUENO_OK)
        status = write_parts(s, &h, folder, err);
    for (size_t i = 0; i < sizeof COMPANIONS / sizeof COMPANIONS[0] && status == TRUENO_OK; i++)
        status = copy_companion(s->m, COMPANIONS[i], folder, err);
    drop_headers(s->m, &h);
    return status;
}
