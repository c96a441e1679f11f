/* SPDX-License-Identifier: MIT */
/*
 * Reader of .apr files: a 64-byte header, JSON metadata, an index sorted by name, aligned tensors,
 * and checksums over all of it. The layout is described in docs/formats/apr.md.
 */
#include "apr.h"
#include "apr_dialects.h"
#include "apr_payload.h"
#include "apr_shards.h"

#include "../formats.h"
#include "../packed_tensors.h"
#include "../reader.h"
#include <endian.h>
#include <string.h>
#include <zlib.h>

bool apr_format_probe_apr(const uint8_t *data, size_t bytes)
{
    return bytes >= 4 && memcmp(data, "APR", 3) == 0;
}

/* The network of a classic model, as JSON text under the same header: its index is a list. */
static trueno_status check_index_form(const apr_reader *r, const apr_header *h, trueno_error *err)
{
    const uint8_t *index = r->data + h->index_offset;

    if (h->data_offset - h->index_offset < 2 || index[0] != '[' || index[1] > 127)
        return TRUENO_OK;
    if (index[1] != '{' && index[1] != ']' && index[1] != '\n' && index[1] != ' ')
        return TRUENO_OK;
    return apr_reader_fail(r, TRUENO_UNSUPPORTED, err,
                           "the index is JSON: a classic model's network, not read");
}

/* The file behind a compressed payload; apr_header_read() tells of a header's wrong checksum. */
static trueno_status expand_payload(apr_model *m, apr_part *part, trueno_error *err)
{
    trueno_map *map = &m->sources[part->file].map;
    apr_reader *r = &part->reader;
    uint16_t flags;
    uint32_t stored;
    trueno_status status;

    if (r->bytes < APR_HEADER_BYTES || memcmp(r->data, "APR\0", 4) != 0)
        return TRUENO_OK;
    memcpy(&flags, r->data + 6, sizeof flags);
    memcpy(&stored, r->data + APR_AT_CHECKSUM, sizeof stored);
    flags = le16toh(flags) & (APR_FLAG_LZ4 | APR_FLAG_ZSTD);
    if (flags == 0 || le32toh(stored) != apr_header_checksum(r->data))
        return TRUENO_OK;
    if ((status = apr_format_expand(m, map, flags, err)) < 0)
        return status;
    r->data = map->data;
    r->bytes = map->bytes;
    return TRUENO_OK;
}

/* CRC-32 of the whole file before the footer, which holds it. */
static trueno_status check_footer(apr_model *m, const apr_reader *file, trueno_error *err)
{
    apr_reader r = *file;
    uint32_t stored, computed;
    trueno_status status;

    r.position = r.bytes - APR_FOOTER_BYTES;
    if ((status = apr_read_u32(&r, "footer", &stored, err)) < 0)
        return status;
    computed = (uint32_t)crc32_z(0, r.data, r.bytes - APR_FOOTER_BYTES);
    m->checksum = stored == computed ? APR_CHECKSUM_VALID : APR_CHECKSUM_WRONG;
    if (stored == computed)
        return TRUENO_OK;
    return trueno_fail(err, TRUENO_CONTENT,
                       "%s: the file's checksum is %08x, computed %08x: weights are damaged",
                       r.file, stored, computed);
}

/* The metadata; keys that occur twice are let pass by lenient readers. */
static trueno_status parse_metadata(const apr_model *m, const apr_reader *r, const apr_header *h,
                                    json_t **out, trueno_error *err)
{
    const uint8_t *text = r->data + APR_HEADER_BYTES;
    trueno_error strict = {0}, last = {0};
    trueno_status status = apr_json_parse(r->file, text, h->metadata_bytes, out, &strict);

    if (status == TRUENO_OK)
        return TRUENO_OK;
    if (status == TRUENO_FORMAT && m->options.lenient &&
        apr_json_parse_last(r->file, text, h->metadata_bytes, out, &last) == TRUENO_OK)
        return apr_model_tolerate(m, status, &strict);
    return trueno_fail(err, status, "%s", strict.message);
}

trueno_status apr_part_open(apr_model *m, int32_t file, apr_part *part, trueno_error *err)
{
    const apr_source *source = &m->sources[file];
    apr_reader *r = &part->reader;
    trueno_status status;

    *part = (apr_part){
        .reader = {.data = source->map.data, .bytes = source->map.bytes, .file = source->path},
        .file = file};
    if ((status = expand_payload(m, part, err)) < 0 ||
        (status = apr_header_read(m, r, &part->header, err)) < 0 ||
        (status = check_index_form(r, &part->header, err)) < 0 ||
        (status = parse_metadata(m, r, &part->header, &part->metadata, err)) < 0)
        return status;
    return apr_dialect_find(m, part->metadata, &part->dialect, err);
}

void apr_part_close(apr_part *part)
{
    json_decref(part->metadata);
    *part = (apr_part){0};
}

trueno_status apr_part_verify(apr_model *m, const apr_part *part, trueno_error *err)
{
    return m->options.verify && part->dialect->footer ? check_footer(m, &part->reader, err)
                                                      : TRUENO_OK;
}

static trueno_status read_single(apr_model *m, apr_part *part, trueno_error *err)
{
    const size_t n = part->header.n_tensors;
    trueno_status status;

    if ((status = apr_model_allocate(m, &m->tensors, n, sizeof *m->tensors, "tensor table", err)) <
            0 ||
        ((part->header.flags & APR_FLAG_PACKED) != 0 && (status = apr_packed_new(m, n, err)) < 0) ||
        (status = apr_index_read(m, part, err)) < 0 ||
        (status = apr_format_read_metadata(m, part->metadata, part->dialect, err)) < 0)
        return status;
    return apr_part_verify(m, part, err);
}

trueno_status apr_format_read_apr(apr_model *m, trueno_error *err)
{
    const apr_dialect *dialect;
    apr_part part;
    trueno_status status = apr_part_open(m, 0, &part, err);

    dialect = part.dialect;
    if (status == TRUENO_OK)
        status = (part.header.flags & APR_FLAG_SHARDED) != 0 ? apr_shards_read(m, &part, err)
                                                             : read_single(m, &part, err);
    apr_part_close(&part);
    if (status < 0 || (status = apr_model_index_tensors(m, err)) < 0 ||
        (status = apr_model_check_extents(m, err)) < 0 || (status = apr_packed_open(m, err)) < 0)
        return status;
    return apr_model_assign_roles(m, dialect->names, err);
}
