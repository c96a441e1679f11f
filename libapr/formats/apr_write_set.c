/* SPDX-License-Identifier: MIT */
/* Writing a model as a set of .apr files of limited size, and the set's manifest. */
#include "apr_write.h"

#include "../file_limits.h"
#include "write.h"
#include <stdio.h>
#include <string.h>
#include <zlib.h>

/* Tensors from `first` on that go into one file: one at least. */
static size_t fill_shard(const apr_plan *plan, size_t first, uint64_t most)
{
    uint64_t bytes = plan->tensors[first].bytes;
    size_t n = 1;

    while (first + n < plan->n && plan->tensors[first + n].bytes <= most &&
           bytes <= most - plan->tensors[first + n].bytes) {
        bytes += plan->tensors[first + n].bytes;
        n++;
    }
    return n;
}

static int32_t count_shards(const apr_plan *plan, uint64_t most)
{
    int32_t count = 0;

    for (size_t first = 0; first < plan->n; count++)
        first += fill_shard(plan, first, most);
    return count;
}

trueno_status apr_count_shards(const apr_model *m, const apr_convert_options *options,
                               int32_t *count, trueno_error *err)
{
    apr_plan plan;
    trueno_status status = apr_file_plan(&plan, m, options, err);

    *count = status == TRUENO_OK ? count_shards(&plan, options->shard_bytes) : 0;
    trueno_arena_free(&plan.arena);
    if (*count > APR_LIMIT_SPLITS)
        return trueno_fail(err, TRUENO_USAGE, "%s: %d files of %llu bytes, a set has at most %d",
                           m->path, *count, (unsigned long long)options->shard_bytes,
                           APR_LIMIT_SPLITS);
    return status;
}

/* A set's word: a checksum of what all its tables say. */
static trueno_status name_set(const apr_model *m, const apr_plan *plan, apr_sharding *s,
                              trueno_error *err)
{
    char *metadata;
    size_t bytes;
    uLong crc;
    trueno_status status = apr_format_metadata(m, plan, NULL, &metadata, &bytes, err);

    if (status < 0)
        return status;
    crc = crc32_z(0, (const uint8_t *)metadata, bytes);
    trueno_release(m->options.allocator, metadata, bytes + 1);
    for (size_t i = 0; i < plan->n; i++) {
        const apr_planned *t = &plan->tensors[i];
        const uint8_t type = (uint8_t)t->type;

        crc = crc32_z(crc, (const uint8_t *)t->name, strlen(t->name) + 1);
        crc = crc32_z(crc, &type, 1);
        crc = crc32_z(crc, (const uint8_t *)t->dims, sizeof t->dims);
        s->total_bytes += (int64_t)t->bytes;
    }
    (void)snprintf(s->set, sizeof s->set, "%08lx", crc);
    s->n_tensors = (int64_t)plan->n;
    return TRUENO_OK;
}

/* One shard of a set: its tensors among the plan's, and what was written. */
typedef struct apr_shard {
    size_t first, n;
    uint64_t bytes;
    uint32_t checksum;
} apr_shard;

/* A set in the making. */
typedef struct apr_set {
    const apr_model *m;
    const char *folder, *stem;
    const apr_convert_options *options;
    apr_plan plan;
    apr_sharding sharding;
    apr_shard *shards;
} apr_set;

static trueno_status too_long(const apr_set *set, trueno_error *err)
{
    return trueno_fail(err, TRUENO_USAGE, "%.100s...: the name is too long", set->stem);
}

static trueno_status write_shard(apr_set *set, apr_shard *shard, trueno_error *err)
{
    apr_plan plan = set->plan; /* of its tensors alone; the memory is the whole plan's */
    apr_file f = {.m = set->m, .plan = &plan, .sharding = &set->sharding, .options = set->options};
    char name[512], path[4096];
    apr_output out;
    trueno_status status;

    plan.tensors += shard->first;
    plan.n = shard->n;
    if (!apr_shard_name(set->stem, set->sharding.index, set->sharding.count, name, sizeof name) ||
        snprintf(path, sizeof path, "%s/%s", set->folder, name) >= (int)sizeof path)
        return too_long(set, err);
    if ((status = apr_output_open(&out, path, false, err)) == TRUENO_OK &&
        (status = apr_file_write(&f, &out, err)) == TRUENO_OK &&
        (status = apr_output_finish(&out, err)) == TRUENO_OK)
        status = apr_output_commit(&out, err);
    apr_output_abandon(&out);
    shard->bytes = out.offset;
    shard->checksum = f.checksum;
    return status;
}

static void put_shard(apr_json *j, const apr_set *set, int64_t index)
{
    const apr_shard *shard = &set->shards[index];
    char text[512];

    apr_json_open(j, '{');
    (void)apr_shard_name(set->stem, index, set->sharding.count, text, sizeof text);
    apr_json_put_string(j, "filename", text);
    apr_json_put_int(j, "index", index);
    apr_json_put_int(j, "size", (int64_t)shard->bytes);
    (void)snprintf(text, sizeof text, "%08x", shard->checksum);
    apr_json_put_string(j, "checksum", text);
    apr_json_put_open(j, "tensors", '[');
    for (size_t i = 0; i < shard->n; i++)
        apr_json_string(j, set->plan.tensors[shard->first + i].name);
    apr_json_close(j, ']');
    apr_json_close(j, '}');
}

static trueno_status write_manifest(const apr_set *set, trueno_error *err)
{
    apr_json j = {.buffer.allocator = set->m->options.allocator};
    char name[512];

    if (!apr_manifest_name(set->stem, name, sizeof name))
        return too_long(set, err);
    apr_json_open(&j, '{');
    apr_json_put_string(&j, "version", "2.0");
    apr_json_put_int(&j, "shard_count", set->sharding.count);
    apr_json_put_int(&j, "total_size", set->sharding.total_bytes);
    apr_json_put_int(&j, "tensor_count", set->sharding.n_tensors);
    apr_json_put_open(&j, "shards", '[');
    for (int64_t i = 0; i < set->sharding.count; i++)
        put_shard(&j, set, i);
    apr_json_close(&j, ']');
    apr_json_put_open(&j, "weight_map", '{');
    for (int64_t i = 0; i < set->sharding.count; i++)
        for (size_t t = 0; t < set->shards[i].n; t++)
            apr_json_put_int(&j, set->plan.tensors[set->shards[i].first + t].name, i);
    apr_json_close(&j, '}');
    apr_json_close(&j, '}');
    return apr_write_document(set->m, &j, set->folder, name, err);
}

/* Which tensors each shard has; in the model's order, so that layers stay together. */
static trueno_status divide(apr_set *set, trueno_error *err)
{
    const uint64_t most = set->options->shard_bytes;
    size_t first = 0;
    trueno_status status = TRUENO_OK;

    set->sharding.count = count_shards(&set->plan, most);
    set->shards =
        trueno_arena_array(&set->plan.arena, (size_t)set->sharding.count, sizeof *set->shards);
    if (set->shards == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for %lld shards", set->m->path,
                           (long long)set->sharding.count);
    for (int64_t i = 0; i < set->sharding.count && status == TRUENO_OK; i++) {
        apr_shard *shard = &set->shards[i];

        shard->first = first;
        shard->n = fill_shard(&set->plan, first, most);
        first += shard->n;
        status = apr_plan_sort(&set->plan, shard->first, shard->n, err);
    }
    return status;
}

static trueno_status write_set(apr_set *set, trueno_error *err)
{
    trueno_status status;

    if ((status = divide(set, err)) < 0 ||
        (status = name_set(set->m, &set->plan, &set->sharding, err)) < 0)
        return status;
    for (int64_t i = 0; i < set->sharding.count && status == TRUENO_OK; i++) {
        set->sharding.index = i;
        status = write_shard(set, &set->shards[i], err);
    }
    return status < 0 ? status : write_manifest(set, err);
}

trueno_status apr_write_shards(const apr_model *m, const char *folder, const char *stem,
                               const apr_convert_options *options, trueno_error *err)
{
    apr_set set = {.m = m, .folder = folder, .stem = stem, .options = options};
    trueno_status status = apr_file_plan(&set.plan, m, options, err);

    if (status == TRUENO_OK)
        status = write_set(&set, err);
    trueno_arena_free(&set.plan.arena);
    return status;
}
