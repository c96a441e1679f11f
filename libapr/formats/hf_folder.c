/* SPDX-License-Identifier: MIT */
/*
 * A model in the files of a Hugging Face folder: finds the weights (one file, or shards by the
 * index), whichever file the path named, and has the JSON companions read.
 */
#include "hf.h"

#include "../file_limits.h"
#include "../formats.h"
#include "../vocab.h"
#include "apr_shards.h"
#include "safetensors.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SINGLE_NAME "model.safetensors"

/* Headers of all mapped files into one table of tensors; `headers` has n_sources places. */
static trueno_status read_headers(apr_model *m, json_t **headers, size_t *data, trueno_error *err)
{
    size_t total = 0;
    trueno_status status = TRUENO_OK;

    for (size_t i = 0; i < m->n_sources && status == TRUENO_OK; i++) {
        status = apr_safetensors_header(m, i, &headers[i], &data[i], err);
        total += status == TRUENO_OK ? apr_safetensors_count(headers[i]) : 0;
    }
    if (status < 0)
        return status;
    if (total > APR_LIMIT_TENSORS)
        return trueno_fail(err, TRUENO_FORMAT, "%s: %zu tensors, at most %d allowed", m->path,
                           total, APR_LIMIT_TENSORS);
    status = apr_model_allocate(m, &m->tensors, total, sizeof *m->tensors, "tensor table", err);
    for (size_t i = 0; i < m->n_sources && status == TRUENO_OK; i++)
        status = apr_safetensors_tensors(m, i, headers[i], data[i], err);
    return status;
}

static trueno_status read_weights(apr_model *m, trueno_error *err)
{
    const size_t n = m->n_sources, headers_bytes = n * sizeof(json_t *);
    json_t **headers = trueno_allocate_zero(m->options.allocator, headers_bytes);
    size_t *data = trueno_allocate_zero(m->options.allocator, n * sizeof(size_t));
    trueno_status status;

    if (headers == NULL || data == NULL)
        status = trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for %zu headers", m->path, n);
    else
        status = read_headers(m, headers, data, err);
    for (size_t i = 0; headers != NULL && i < n; i++)
        json_decref(headers[i]);
    trueno_release(m->options.allocator, headers, headers_bytes);
    trueno_release(m->options.allocator, data, n * sizeof(size_t));
    return status < 0 ? status : apr_model_index_tensors(m, err);
}

/* Map another file of the folder, once. */
static trueno_status add_shard(apr_model *m, const char *folder, const char *name,
                               trueno_error *err)
{
    char path[PATH_MAX];
    trueno_status status = apr_hf_path(folder, name, path, sizeof path, err);

    if (status < 0)
        return status;
    for (size_t i = 0; i < m->n_sources; i++)
        if (strcmp(m->sources[i].path, path) == 0)
            return TRUENO_OK;
    if (m->n_sources == APR_LIMIT_SPLITS)
        return trueno_fail(err, TRUENO_FORMAT, "%s: more than %d files", m->path, APR_LIMIT_SPLITS);
    status = apr_model_add_file(m, path, err);
    return status == TRUENO_NOT_FOUND
               ? trueno_fail(err, TRUENO_UNSUPPORTED,
                             "%s: the index names this file, it is missing", path)
               : status;
}

/* The index's map of names: every tensor it places must be in the file that it says. */
static trueno_status check_weight_map(const apr_model *m, const json_t *map, trueno_error *err)
{
    const char *name;
    json_t *file;

    json_object_foreach((json_t *)map, name, file)
    {
        const apr_tensor *t = apr_model_find(m, name);

        if (t == NULL || !apr_hf_ends_with(m->sources[t->file].path, json_string_value(file)))
            return trueno_fail(err, TRUENO_UNSUPPORTED,
                               "%s: tensor %.100s is missing from %.100s, where the index has it",
                               m->path, name, json_string_value(file));
    }
    return TRUENO_OK;
}

static trueno_status map_shards(apr_model *m, const char *folder, const json_t *map,
                                trueno_error *err)
{
    const char *name;
    json_t *file;
    trueno_status status = TRUENO_OK;

    json_object_foreach((json_t *)map, name, file)
    {
        const char *text = json_string_value(file);

        if (text == NULL || strchr(text, '/') != NULL || !apr_hf_ends_with(text, ".safetensors"))
            return trueno_fail(err, TRUENO_FORMAT,
                               "%s: the index places tensor %.100s in no .safetensors file of the "
                               "folder",
                               m->path, name);
        if ((status = add_shard(m, folder, text, err)) < 0)
            return status;
    }
    return status;
}

/* Close what is mapped and make room for a whole set. */
static trueno_status restart_sources(apr_model *m, trueno_error *err)
{
    for (size_t i = 0; i < m->n_sources; i++)
        trueno_map_close(&m->sources[i].map);
    m->n_sources = 0;
    return apr_model_allocate(m, &m->sources, APR_LIMIT_SPLITS, sizeof *m->sources, "files", err);
}

static trueno_status read_by_index(apr_model *m, const char *folder, const char *index_path,
                                   trueno_error *err)
{
    json_t *index;
    const json_t *map;
    trueno_status status = apr_json_load(index_path, APR_LIMIT_INDEX_BYTES, false, &index, err);

    if (status < 0)
        return status;
    map = json_object_get(index, "weight_map");
    if (!json_is_object(map) || json_object_size(map) == 0)
        status = trueno_fail(err, TRUENO_FORMAT, "%s: no weight_map", index_path);
    if (status == TRUENO_OK && (status = restart_sources(m, err)) == TRUENO_OK &&
        (status = map_shards(m, folder, map, err)) == TRUENO_OK &&
        (status = read_weights(m, err)) == TRUENO_OK)
        status = check_weight_map(m, map, err);
    json_decref(index);
    return status;
}

static trueno_status read_folder_weights(apr_model *m, const char *folder, trueno_error *err)
{
    char path[PATH_MAX];
    trueno_status status = apr_hf_path(folder, APR_HF_INDEX, path, sizeof path, err);

    if (status < 0)
        return status;
    if (access(path, F_OK) == 0)
        return read_by_index(m, folder, path, err);
    if ((status = apr_hf_path(folder, SINGLE_NAME, path, sizeof path, err)) < 0)
        return status;
    if (access(path, F_OK) != 0 &&
        (status = apr_hf_find_single(folder, path, sizeof path, err)) < 0)
        return status;
    if ((status = apr_model_add_file(m, path, err)) < 0)
        return status;
    return read_weights(m, err);
}

static trueno_status finish(apr_model *m, const char *folder, trueno_error *err)
{
    trueno_status status = apr_hf_read_companions(m, folder, err);

    m->format = "SafeTensors";
    if (status < 0 || (status = apr_model_assign_roles(m, APR_NAMES_HF, err)) < 0 ||
        m->options.vocab_only)
        return status;
    return apr_safetensors_narrow(m, err);
}

trueno_status apr_hf_read_folder(apr_model *m, trueno_error *err)
{
    char folder[PATH_MAX];
    trueno_status status = apr_hf_path(m->path, "", folder, sizeof folder, err);

    if (status < 0)
        return status;
    for (size_t n = strlen(folder); n > 1 && folder[n - 1] == '/'; n--)
        folder[n - 1] = '\0';
    if ((status = apr_hf_enter_snapshot(folder, sizeof folder, err)) < 0 ||
        (status = read_folder_weights(m, folder, err)) < 0)
        return status;
    return finish(m, folder, err);
}

/* The folder that holds m->path, "" for the working folder. */
static trueno_status parent_folder(const apr_model *m, char *out, size_t capacity,
                                   trueno_error *err)
{
    const char *slash = strrchr(m->path, '/');
    size_t n = slash != NULL ? (size_t)(slash - m->path) : 0;

    if (n + 2 > capacity)
        return trueno_fail(err, TRUENO_USAGE, "%.100s...: the path is too long", m->path);
    if (slash == m->path)
        n = 1; /* a file of the root folder */
    memcpy(out, m->path, n);
    out[n] = '\0';
    return TRUENO_OK;
}

/* True when the folder's index names this file. */
static bool is_indexed(const char *index_path, const char *name)
{
    json_t *index, *file;
    const char *tensor;
    bool found = false;

    if (access(index_path, F_OK) != 0 ||
        apr_json_load(index_path, APR_LIMIT_INDEX_BYTES, false, &index, NULL) < 0)
        return false;
    json_object_foreach(json_object_get(index, "weight_map"), tensor, file)
    {
        found = found || (json_is_string(file) && strcmp(json_string_value(file), name) == 0);
    }
    json_decref(index);
    return found;
}

trueno_status apr_safetensors_read(apr_model *m, trueno_error *err)
{
    const char *slash = strrchr(m->path, '/'), *name = slash != NULL ? slash + 1 : m->path;
    char folder[PATH_MAX], index[PATH_MAX];
    trueno_status status;

    if (!m->sources[0].map.mapped) { /* from memory: nothing can be beside it */
        if (!m->options.vocab_only)
            return trueno_fail(err, TRUENO_UNSUPPORTED, "%s: SafeTensors without a config.json",
                               m->path);
        apr_vocab_init(&m->vocab);
        m->format = "SafeTensors";
        status = read_weights(m, err);
        return status < 0 ? status : apr_model_index_meta(m, err);
    }
    if ((status = parent_folder(m, folder, sizeof folder, err)) < 0 ||
        (status = apr_hf_path(folder, APR_HF_INDEX, index, sizeof index, err)) < 0)
        return status;
    status = is_indexed(index, name) ? read_by_index(m, folder, index, err) : read_weights(m, err);
    return status < 0 ? status : finish(m, folder, err);
}

bool apr_hf_json_probe(const uint8_t *data, size_t bytes)
{
    size_t at = 0;

    while (at < bytes && at < 64 && strchr(" \t\r\n", data[at]) != NULL && data[at] != '\0')
        at++;
    return at < bytes && data[at] == '{';
}

/* A JSON file as the model: an index of shards, a manifest of .apr shards, or a tokenizer.json. */
trueno_status apr_hf_json_read(apr_model *m, trueno_error *err)
{
    const trueno_map *map = &m->sources[0].map;
    char folder[PATH_MAX];
    json_t *root;
    bool is_index;
    trueno_status status;

    if (map->bytes > APR_LIMIT_TOKENIZER_BYTES)
        return trueno_fail(err, TRUENO_FORMAT, "%s: %zu bytes of JSON, at most %d allowed", m->path,
                           map->bytes, APR_LIMIT_TOKENIZER_BYTES);
    if ((status = apr_json_parse(m->path, map->data, map->bytes, &root, err)) < 0)
        return status;
    if (apr_manifest_probe(root) && map->mapped) {
        status = apr_manifest_read(m, root, err);
        json_decref(root);
        return status;
    }
    is_index = json_object_get(root, "weight_map") != NULL && map->mapped;
    m->format = "tokenizer.json";
    apr_vocab_init(&m->vocab);
    if (is_index)
        status = parent_folder(m, folder, sizeof folder, err);
    else if (!json_is_object(json_object_get(root, "model")))
        status = trueno_fail(err, TRUENO_FORMAT,
                             "%s: JSON, but no index of shards and no tokenizer", m->path);
    else if (!m->options.vocab_only)
        status = trueno_fail(err, TRUENO_UNSUPPORTED, "%s: a tokenizer, no model", m->path);
    else if ((status = apr_hf_tokenizer(m, root, m->path, err)) == TRUENO_OK) {
        m->has_vocab = true;
        if ((status = apr_vocab_finish(m, err)) == TRUENO_OK)
            status = apr_model_index_meta(m, err);
    }
    json_decref(root);
    if (status < 0 || !is_index)
        return status;
    status = read_by_index(m, folder, m->path, err);
    return status < 0 ? status : finish(m, folder, err);
}
