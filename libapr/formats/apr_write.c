/* SPDX-License-Identifier: MIT */
/*
 * Writer of .apr files. Tensors are written as they are made, in constant memory; header, metadata
 * and index come last, into room that was left for them: compressed sizes are not known before.
 */
#include "apr_write.h"

#include "../file_limits.h"
#include "write.h"
#include <endian.h>
#include <string.h>
#include <zlib.h>

static uint64_t round_up(uint64_t n)
{
    return (n + APR_ALIGNMENT - 1) & ~(uint64_t)(APR_ALIGNMENT - 1);
}

static uint64_t index_bytes(const apr_plan *plan)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < plan->n; i++)
        bytes += 2 + strlen(plan->tensors[i].name) + 2 + 8 * (uint64_t)plan->tensors[i].n_dims + 16;
    return bytes;
}

static uint8_t *put64(uint8_t *p, uint64_t v)
{
    v = htole64(v);
    memcpy(p, &v, sizeof v);
    return p + sizeof v;
}

static void encode_index(const apr_plan *plan, uint8_t *p)
{
    for (size_t i = 0; i < plan->n; i++) {
        const apr_planned *t = &plan->tensors[i];
        const size_t length = strlen(t->name);

        *p++ = (uint8_t)length;
        *p++ = (uint8_t)(length >> 8);
        memcpy(p, t->name, length);
        p += length;
        *p++ = (uint8_t)t->type;
        *p++ = (uint8_t)t->n_dims;
        for (int d = 0; d < t->n_dims; d++)
            p = put64(p, (uint64_t)t->dims[d]);
        p = put64(put64(p, t->offset), t->stored_bytes);
    }
}

static bool has_quantized(const apr_plan *plan)
{
    for (size_t i = 0; i < plan->n; i++) {
        const trueno_type_info *info = trueno_type_get(plan->tensors[i].type);

        if (info != NULL && info->block > 1)
            return true;
    }
    return false;
}

static uint16_t find_flags(const apr_file *f)
{
    bool packed = false;

    for (size_t i = 0; i < f->plan->n; i++)
        packed = packed || f->plan->tensors[i].packed;
    return (uint16_t)(APR_FLAG_ROW_MAJOR | APR_FLAG_TABLES_CHECKSUM |
                      (has_quantized(f->plan) ? APR_FLAG_QUANTIZED : 0) |
                      (packed ? APR_FLAG_PACKED : 0) |
                      (f->sharding != NULL ? APR_FLAG_SHARDED : 0) |
                      (f->m->has_vocab && (f->sharding == NULL || f->sharding->index == 0)
                           ? APR_FLAG_VOCABULARY
                           : 0));
}

/* Leave room for header, metadata and index: the metadata as if all that may be were compressed. */
static trueno_status leave_room(apr_file *f, apr_output *out, trueno_error *err)
{
    char *metadata;
    size_t bytes;
    trueno_status status;

    for (size_t i = 0; i < f->plan->n; i++)
        f->plan->tensors[i].packed =
            f->options->compress != NULL && apr_planned_may_pack(&f->plan->tensors[i]);
    status = apr_format_metadata(f->m, f->plan, f->sharding, &metadata, &bytes, err);
    if (status < 0)
        return status;
    trueno_release(f->m->options.allocator, metadata, bytes + 1);
    if (bytes > APR_LIMIT_METADATA_BYTES)
        return trueno_fail(err, TRUENO_UNSUPPORTED,
                           "%s: %zu bytes of metadata, a .apr file holds at most %d", f->m->path,
                           bytes, APR_LIMIT_METADATA_BYTES);
    f->index = APR_HEADER_BYTES + round_up(bytes);
    f->data = f->index + round_up(index_bytes(f->plan));
    return apr_output_reserve(out, f->data, err);
}

/* Header, metadata and index, when the places of all tensors are known. */
static trueno_status fill_room(const apr_file *f, apr_output *out, trueno_error *err)
{
    const trueno_allocator *a = f->m->options.allocator;
    uint8_t *tables = trueno_allocate_zero(a, (size_t)f->data);
    char *metadata = NULL;
    size_t bytes = 0;
    apr_header h = {.major = APR_VERSION_MAJOR,
                    .minor = APR_VERSION_MINOR,
                    .flags = find_flags(f),
                    .n_tensors = (uint32_t)f->plan->n,
                    .metadata_offset = APR_HEADER_BYTES,
                    .index_offset = f->index,
                    .data_offset = f->data};
    trueno_status status =
        tables != NULL
            ? apr_format_metadata(f->m, f->plan, f->sharding, &metadata, &bytes, err)
            : trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for %llu bytes of tables",
                          f->m->path, (unsigned long long)f->data);

    if (status == TRUENO_OK) {
        memcpy(tables + APR_HEADER_BYTES, metadata, bytes);
        encode_index(f->plan, tables + f->index);
        h.metadata_bytes = (uint32_t)bytes;
        h.tables_checksum =
            (uint32_t)crc32_z(0, tables + APR_HEADER_BYTES, (size_t)f->data - APR_HEADER_BYTES);
        apr_header_encode(&h, tables);
        status = apr_output_fill(out, tables, (size_t)f->data, err);
        trueno_release(a, metadata, bytes + 1);
    }
    trueno_release(a, tables, (size_t)f->data);
    return status;
}

trueno_status apr_file_write(apr_file *f, apr_output *out, trueno_error *err)
{
    uint32_t footer;
    trueno_status status;

    (void)apr_plan_place(f->plan, APR_ALIGNMENT);
    if ((status = leave_room(f, out, err)) < 0 ||
        (status = apr_plan_write(f->plan, f->m, out, f->options, err)) < 0 ||
        (status = apr_output_pad_to(out, round_up(out->offset), err)) < 0 ||
        (status = fill_room(f, out, err)) < 0)
        return status;
    f->checksum = out->crc;
    footer = htole32(f->checksum);
    return apr_output_write(out, &footer, sizeof footer, err);
}

apr_plan_target apr_target_apr(const apr_model *m)
{
    (void)m;
    return (apr_plan_target){.names = APR_NAMES_HF, .rope_type = -1, .norm_weight_offset = -1};
}

trueno_status apr_file_plan(apr_plan *plan, const apr_model *m, const apr_convert_options *options,
                            trueno_error *err)
{
    const apr_plan_target target = apr_target_apr(m);

    return apr_plan_make(plan, m, &target, options, err);
}

trueno_status apr_write_apr(const apr_model *m, apr_output *out, const apr_convert_options *options,
                            trueno_error *err)
{
    apr_plan plan;
    apr_file f = {.m = m, .plan = &plan, .options = options};
    trueno_status status = apr_file_plan(&plan, m, options, err);

    if (status == TRUENO_OK)
        status = apr_plan_sort(&plan, 0, plan.n, err);
    if (status == TRUENO_OK)
        status = apr_file_write(&f, out, err);
    trueno_arena_free(&plan.arena);
    return status;
}
