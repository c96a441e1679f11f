/* SPDX-License-Identifier: MIT */
/* Writer of .apr files: sizes are known before the first byte, so that it writes from begin to end.
 */
#include "apr.h"

#include "../file_limits.h"
#include "../plan.h"
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
        p = put64(put64(p, t->offset), t->bytes);
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

/* Header, metadata and index, padded up to the data. */
static trueno_status write_tables(const apr_model *m, const apr_plan *plan, const char *metadata,
                                  size_t metadata_bytes, apr_output *out, trueno_error *err)
{
    const uint64_t index = APR_HEADER_BYTES + round_up(metadata_bytes);
    const uint64_t data = index + round_up(index_bytes(plan));
    apr_header h = {.major = APR_VERSION_MAJOR,
                    .minor = APR_VERSION_MINOR,
                    .flags = APR_FLAG_ROW_MAJOR | APR_FLAG_TABLES_CHECKSUM |
                             (has_quantized(plan) ? APR_FLAG_QUANTIZED : 0) |
                             (m->has_vocab ? APR_FLAG_VOCABULARY : 0),
                    .n_tensors = (uint32_t)plan->n,
                    .metadata_offset = APR_HEADER_BYTES,
                    .metadata_bytes = (uint32_t)metadata_bytes,
                    .index_offset = index,
                    .data_offset = data};
    uint8_t *tables = trueno_allocate_zero(m->options.allocator, (size_t)data);
    trueno_status status;

    if (tables == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for %llu bytes of tables", m->path,
                           (unsigned long long)data);
    memcpy(tables + APR_HEADER_BYTES, metadata, metadata_bytes);
    encode_index(plan, tables + index);
    h.tables_checksum =
        (uint32_t)crc32_z(0, tables + APR_HEADER_BYTES, (size_t)data - APR_HEADER_BYTES);
    apr_header_encode(&h, tables);
    status = apr_output_write(out, tables, (size_t)data, err);
    trueno_release(m->options.allocator, tables, (size_t)data);
    return status;
}

static trueno_status write_footer(apr_output *out, trueno_error *err)
{
    uint32_t crc;
    trueno_status status = apr_output_pad_to(out, round_up(out->offset), err);

    if (status < 0)
        return status;
    crc = htole32(out->crc);
    return apr_output_write(out, &crc, sizeof crc, err);
}

static trueno_status write_planned(const apr_model *m, apr_plan *plan, apr_output *out,
                                   const apr_convert_options *options, trueno_error *err)
{
    size_t bytes;
    char *metadata;
    trueno_status status;

    if ((status = apr_plan_sort(plan, err)) < 0)
        return status;
    (void)apr_plan_place(plan, APR_ALIGNMENT);
    if ((status = apr_format_metadata(m, &plan->config, &metadata, &bytes, err)) < 0)
        return status;
    if (bytes > APR_LIMIT_METADATA_BYTES)
        status = trueno_fail(err, TRUENO_UNSUPPORTED,
                             "%s: %zu bytes of metadata, a .apr file holds at most %d", m->path,
                             bytes, APR_LIMIT_METADATA_BYTES);
    else
        status = write_tables(m, plan, metadata, bytes, out, err);
    trueno_release(m->options.allocator, metadata, bytes + 1);
    if (status < 0 || (status = apr_plan_write(plan, m, out, options, err)) < 0)
        return status;
    return write_footer(out, err);
}

trueno_status apr_write_apr(const apr_model *m, apr_output *out, const apr_convert_options *options,
                            trueno_error *err)
{
    const apr_plan_target target = {
        .names = APR_NAMES_HF, .rope_type = -1, .norm_weight_offset = -1};
    apr_plan plan;
    trueno_status status = apr_plan_make(&plan, m, &target, options, err);

    if (status == TRUENO_OK)
        status = write_planned(m, &plan, out, options, err);
    trueno_arena_free(&plan.arena);
    return status;
}
