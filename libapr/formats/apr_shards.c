/* SPDX-License-Identifier: MIT */
/* Reading sets of .apr files: any shard opens it, and its manifest does. */
#include "apr_shards.h"

#include "../file_limits.h"
#include "../formats.h"
#include "../packed_tensors.h"
#include <endian.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MANIFEST_END ".apr.index.json"

bool apr_shard_name(const char *stem, int64_t index, int64_t count, char *out, size_t capacity)
{
    const int n = snprintf(out, capacity, "%s-%05lld-of-%05lld.apr", stem, (long long)index + 1,
                           (long long)count);

    return n > 0 && (size_t)n < capacity;
}

bool apr_manifest_name(const char *stem, char *out, size_t capacity)
{
    const int n = snprintf(out, capacity, "%s" MANIFEST_END, stem);

    return n > 0 && (size_t)n < capacity;
}

static trueno_status read_sharding(const apr_part *part, apr_sharding *out, trueno_error *err)
{
    const json_t *said = json_object_get(part->metadata, "sharding");
    const char *set = json_string_value(json_object_get(said, "set"));
    const struct {
        const char *key;
        int64_t *out, least, most;
    } rows[] = {{"shard_count", &out->count, 1, APR_LIMIT_SPLITS},
                {"shard_index", &out->index, 0, APR_LIMIT_SPLITS - 1},
                {"tensor_count", &out->n_tensors, 1, APR_LIMIT_TENSORS},
                {"total_size", &out->total_bytes, 1, INT64_MAX}};

    *out = (apr_sharding){0};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const json_t *value = json_object_get(said, rows[i].key);

        *rows[i].out = json_integer_value(value);
        if (!json_is_integer(value) || *rows[i].out < rows[i].least || *rows[i].out > rows[i].most)
            return trueno_fail(err, TRUENO_FORMAT,
                               "%s: a shard whose metadata have no sharding.%s from %lld to %lld",
                               part->reader.file, rows[i].key, (long long)rows[i].least,
                               (long long)rows[i].most);
    }
    if (set == NULL || strlen(set) >= sizeof out->set || out->index >= out->count)
        return trueno_fail(err, TRUENO_FORMAT,
                           "%s: shard %lld of %lld, or sharding.set is missing or too long",
                           part->reader.file, (long long)out->index + 1, (long long)out->count);
    memcpy(out->set, set, strlen(set) + 1);
    return TRUENO_OK;
}

/* The path without "-00001-of-00003.apr". */
static trueno_status find_stem(const char *path, const apr_sharding *s, char *out, size_t capacity,
                               trueno_error *err)
{
    enum { END = sizeof "-00001-of-00003.apr" - 1 };
    const size_t length = strlen(path);
    const char *end = length >= END ? path + length - END : "";
    int number = 0, count = 0, used = 0;

    if (sscanf(end, "-%5d-of-%5d.apr%n", &number, &count, &used) != 2 || used != END ||
        count != s->count)
        return trueno_fail(err, TRUENO_UNSUPPORTED,
                           "%s: one of %lld shards, but the name does not end in "
                           "-00001-of-%05lld.apr, so that the others cannot be found",
                           path, (long long)s->count, (long long)s->count);
    if (length >= capacity)
        return trueno_fail(err, TRUENO_USAGE, "%.100s...: the path is too long", path);
    memcpy(out, path, length - END);
    out[length - END] = '\0';
    return TRUENO_OK;
}

/* Map every shard, in order, instead of the one that was opened. */
static trueno_status map_shards(apr_model *m, const char *stem, int64_t count, trueno_error *err)
{
    apr_source *sources;
    char path[PATH_MAX];
    trueno_status status =
        apr_model_allocate(m, &sources, (size_t)count, sizeof *sources, "files", err);

    if (status < 0)
        return status;
    trueno_map_close(&m->sources[0].map);
    m->n_sources = 0;
    m->sources = sources;
    for (int64_t i = 0; i < count && status == TRUENO_OK; i++) {
        if (!apr_shard_name(stem, i, count, path, sizeof path))
            return trueno_fail(err, TRUENO_USAGE, "%.100s...: the path is too long", stem);
        status = apr_model_add_file(m, path, err);
        if (status == TRUENO_NOT_FOUND)
            status = trueno_fail(err, TRUENO_UNSUPPORTED, "%s: shard %lld of %lld is missing", path,
                                 (long long)i + 1, (long long)count);
    }
    return status;
}

/* A shard must be the one that its name says, of the set that the first says. */
static trueno_status check_shard(const apr_part *part, const apr_sharding *set, trueno_error *err)
{
    apr_sharding own;
    trueno_status status;

    if ((part->header.flags & APR_FLAG_SHARDED) == 0)
        return trueno_fail(err, TRUENO_FORMAT, "%s: a file for itself, wanted shard %d of %lld",
                           part->reader.file, part->file + 1, (long long)set->count);
    if ((status = read_sharding(part, &own, err)) < 0)
        return status;
    if (own.index != part->file || own.count != set->count)
        return trueno_fail(err, TRUENO_FORMAT,
                           "%s: says it is shard %lld of %lld, wanted shard %d of %lld",
                           part->reader.file, (long long)own.index + 1, (long long)own.count,
                           part->file + 1, (long long)set->count);
    if (strcmp(own.set, set->set) != 0 || own.n_tensors != set->n_tensors)
        return trueno_fail(err, TRUENO_FORMAT,
                           "%s: a shard of another set: %s of %lld tensors, wanted %s of %lld",
                           part->reader.file, own.set, (long long)own.n_tensors, set->set,
                           (long long)set->n_tensors);
    return TRUENO_OK;
}

/* Room for the tensors of all shards. */
static trueno_status allocate_tensors(apr_model *m, const apr_part *parts, int64_t n,
                                      const apr_sharding *set, trueno_error *err)
{
    uint64_t total = 0;
    bool packed = false;
    trueno_status status;

    for (int64_t i = 0; i < n; i++) {
        total += parts[i].header.n_tensors;
        packed = packed || (parts[i].header.flags & APR_FLAG_PACKED) != 0;
    }
    if (total != (uint64_t)set->n_tensors)
        return trueno_fail(err, TRUENO_FORMAT,
                           "%s: %llu tensors in the set, sharding.tensor_count is %lld", m->path,
                           (unsigned long long)total, (long long)set->n_tensors);
    status =
        apr_model_allocate(m, &m->tensors, (size_t)total, sizeof *m->tensors, "tensor table", err);
    return status < 0 || !packed ? status : apr_packed_new(m, (size_t)total, err);
}

static trueno_status read_parts(apr_model *m, apr_part *parts, const apr_sharding *set,
                                trueno_error *err)
{
    trueno_status status = TRUENO_OK;

    for (int64_t i = 0; i < set->count && status == TRUENO_OK; i++)
        if ((status = apr_part_open(m, (int32_t)i, &parts[i], err)) == TRUENO_OK)
            status = check_shard(&parts[i], set, err);
    if (status == TRUENO_OK)
        status = allocate_tensors(m, parts, set->count, set, err);
    for (int64_t i = 0; i < set->count && status == TRUENO_OK; i++)
        if ((status = apr_index_read(m, &parts[i], err)) == TRUENO_OK)
            status = apr_part_verify(m, &parts[i], err);
    if (status < 0)
        return status;
    return apr_format_read_metadata(m, parts[0].metadata, parts[0].dialect, err);
}

/* What the manifest says of one shard, against the file. */
static bool shard_fits(const apr_model *m, const json_t *said, size_t i)
{
    const trueno_map *map = &m->sources[i].map;
    const char *path = m->sources[i].path, *slash = strrchr(path, '/');
    const char *name = json_string_value(json_object_get(said, "filename"));
    const char *checksum = json_string_value(json_object_get(said, "checksum"));
    uint32_t footer;
    char found[APR_SET_WORD];

    memcpy(&footer, map->data + map->bytes - APR_FOOTER_BYTES, sizeof footer);
    (void)snprintf(found, sizeof found, "%08x", le32toh(footer));
    return name != NULL && strcmp(name, slash != NULL ? slash + 1 : path) == 0 &&
           checksum != NULL && strcmp(checksum, found) == 0 &&
           (uint64_t)json_integer_value(json_object_get(said, "size")) == map->bytes;
}

/* The set as it was read, against its manifest. */
static trueno_status check_manifest(const apr_model *m, const char *path, const json_t *manifest,
                                    trueno_error *err)
{
    const json_t *shards = json_object_get(manifest, "shards");
    const json_t *map = json_object_get(manifest, "weight_map");

    if (json_array_size(shards) != m->n_sources || json_object_size(map) != m->n_tensors)
        return trueno_fail(
            err, TRUENO_FORMAT, "%s: %zu shards and %zu tensors, the set has %zu and %zu", path,
            json_array_size(shards), json_object_size(map), m->n_sources, m->n_tensors);
    for (size_t i = 0; i < m->n_sources; i++)
        if (!shard_fits(m, json_array_get(shards, i), i))
            return trueno_fail(err, TRUENO_FORMAT,
                               "%s: name, size or checksum are not those that %s has of shard %zu",
                               m->sources[i].path, path, i + 1);
    for (size_t i = 0; i < m->n_tensors; i++) {
        const json_t *file = json_object_get(map, m->tensors[i].name);

        if (!json_is_integer(file) || json_integer_value(file) != m->tensors[i].file)
            return trueno_fail(err, TRUENO_FORMAT, "%s: tensor %s is in shard %d, not said so",
                               path, m->tensors[i].name, m->tensors[i].file + 1);
    }
    return TRUENO_OK;
}

/* A manifest need not be there. */
static trueno_status find_manifest(const apr_model *m, const char *stem, trueno_error *err)
{
    char path[PATH_MAX];
    json_t *manifest;
    trueno_status status;

    if (!apr_manifest_name(stem, path, sizeof path) || access(path, F_OK) != 0)
        return TRUENO_OK;
    if ((status = apr_json_load(path, APR_LIMIT_INDEX_BYTES, false, &manifest, err)) < 0)
        return status;
    status = check_manifest(m, path, manifest, err);
    json_decref(manifest);
    return apr_model_tolerate(m, status, err);
}

trueno_status apr_shards_read(apr_model *m, apr_part *opened, trueno_error *err)
{
    const trueno_allocator *a = m->options.allocator;
    char stem[PATH_MAX];
    apr_sharding set;
    apr_part *parts;
    size_t bytes;
    trueno_status status = read_sharding(opened, &set, err);

    if (status < 0)
        return status;
    if (!m->sources[0].map.mapped)
        return trueno_fail(err, TRUENO_UNSUPPORTED, "%s: one of %lld shards; the others are needed",
                           m->path, (long long)set.count);
    if ((status = find_stem(m->sources[0].path, &set, stem, sizeof stem, err)) < 0 ||
        (status = map_shards(m, stem, set.count, err)) < 0)
        return status;
    bytes = (size_t)set.count * sizeof *parts;
    if ((parts = trueno_allocate_zero(a, bytes)) == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for %lld shards", m->path,
                           (long long)set.count);
    status = read_parts(m, parts, &set, err);
    for (int64_t i = 0; i < set.count; i++)
        apr_part_close(&parts[i]);
    trueno_release(a, parts, bytes);
    return status < 0 ? status : find_manifest(m, stem, err);
}

bool apr_manifest_probe(const json_t *root)
{
    return json_is_array(json_object_get(root, "shards")) &&
           json_is_object(json_object_get(root, "weight_map"));
}

trueno_status apr_manifest_read(apr_model *m, const json_t *manifest, trueno_error *err)
{
    const json_t *first = json_array_get(json_object_get(manifest, "shards"), 0);
    const char *name = json_string_value(json_object_get(first, "filename"));
    const char *slash = strrchr(m->path, '/');
    const int folder = slash != NULL ? (int)(slash - m->path) + 1 : 0;
    char path[PATH_MAX];
    trueno_status status;

    if (name == NULL || strchr(name, '/') != NULL || (size_t)folder + strlen(name) >= sizeof path)
        return trueno_fail(err, TRUENO_FORMAT, "%s: shards.0.filename is no file of the folder",
                           m->path);
    (void)snprintf(path, sizeof path, "%.*s%s", folder, m->path, name);
    trueno_map_close(&m->sources[0].map);
    m->n_sources = 0;
    m->format = "APR";
    status = apr_model_add_file(m, path, err);
    if (status == TRUENO_NOT_FOUND)
        return trueno_fail(err, TRUENO_UNSUPPORTED, "%s: the manifest names it, it is missing",
                           path);
    if (status == TRUENO_OK)
        status = apr_format_read_apr(m, err);
    return status < 0 ? status
                      : apr_model_tolerate(m, check_manifest(m, m->path, manifest, err), err);
}
