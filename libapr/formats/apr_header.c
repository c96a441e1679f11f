/* SPDX-License-Identifier: MIT */
/* The 64 bytes at the beginning of .apr files: written, and read with all that can be checked of
 * them. */
#include "apr.h"

#include "../file_limits.h"
#include <endian.h>
#include <string.h>
#include <zlib.h>

static void put16(uint8_t *p, uint16_t v)
{
    v = htole16(v);
    memcpy(p, &v, sizeof v);
}

static void put32(uint8_t *p, uint32_t v)
{
    v = htole32(v);
    memcpy(p, &v, sizeof v);
}

static void put64(uint8_t *p, uint64_t v)
{
    v = htole64(v);
    memcpy(p, &v, sizeof v);
}

uint32_t apr_header_checksum(const uint8_t header[APR_HEADER_BYTES])
{
    uLong crc = crc32(0, header, APR_AT_CHECKSUM);

    return (uint32_t)crc32(crc, header + APR_AT_TABLES_CHECKSUM,
                           APR_HEADER_BYTES - APR_AT_TABLES_CHECKSUM);
}

void apr_header_encode(const apr_header *h, uint8_t out[APR_HEADER_BYTES])
{
    memset(out, 0, APR_HEADER_BYTES);
    memcpy(out, "APR", 4);
    out[4] = h->major;
    out[5] = h->minor;
    put16(out + 6, h->flags);
    put32(out + 8, h->n_tensors);
    put64(out + 12, h->metadata_offset);
    put32(out + 20, h->metadata_bytes);
    put64(out + 24, h->index_offset);
    put64(out + 32, h->data_offset);
    put32(out + APR_AT_TABLES_CHECKSUM, h->tables_checksum);
    put32(out + APR_AT_CHECKSUM, apr_header_checksum(out));
}

/* Magics of other formats of the name, which are told apart in words only. */
static trueno_status check_magic(const apr_reader *r, const uint8_t *magic, trueno_error *err)
{
    static const struct {
        char magic[5];
        const char *what;
    } OTHERS[] = {{"APRN", "version 1 of .apr, for classic machine learning models"},
                  {"APR1", "whisper.apr; convert it from its source again"}};

    if (memcmp(magic, "APR\0", 4) == 0 || memcmp(magic, "APR2", 4) == 0)
        return TRUENO_OK;
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++)
        if (memcmp(magic, OTHERS[i].magic, 4) == 0)
            return apr_reader_fail(r, TRUENO_UNSUPPORTED, err, "%s; not read", OTHERS[i].what);
    return apr_reader_fail(r, TRUENO_FORMAT, err, "the magic is no APR and a zero byte");
}

static trueno_status read_fields(apr_reader *r, apr_header *h, trueno_error *err)
{
    const uint8_t *magic = NULL, *reserved = NULL;
    trueno_status status;

    if ((status = apr_read_bytes(r, "magic", 4, &magic, err)) < 0 ||
        (status = check_magic(r, magic, err)) < 0 ||
        (status = apr_read_u8(r, "version", &h->major, err)) < 0 ||
        (status = apr_read_u8(r, "version", &h->minor, err)) < 0 ||
        (status = apr_read_u16(r, "flags", &h->flags, err)) < 0 ||
        (status = apr_read_u32(r, "number of tensors", &h->n_tensors, err)) < 0 ||
        (status = apr_read_u64(r, "metadata offset", &h->metadata_offset, err)) < 0 ||
        (status = apr_read_u32(r, "metadata size", &h->metadata_bytes, err)) < 0 ||
        (status = apr_read_u64(r, "index offset", &h->index_offset, err)) < 0 ||
        (status = apr_read_u64(r, "data offset", &h->data_offset, err)) < 0 ||
        (status = apr_read_u32(r, "header checksum", &h->checksum, err)) < 0 ||
        (status = apr_read_u32(r, "checksum of metadata and index", &h->tables_checksum, err)) < 0)
        return status;
    return apr_read_bytes(r, "reserved bytes", 16, &reserved, err);
}

/* What the flags say that this reader cannot do, or must not. */
static trueno_status check_flags(const apr_reader *r, uint16_t flags, trueno_error *err)
{
    static const struct {
        uint16_t flag;
        const char *what;
    } REFUSED[] = {{APR_FLAG_COLUMN_MAJOR, "its matrices are column-major, which .apr forbids"},
                   {APR_FLAG_ENCRYPTED, "encrypted"},
                   {APR_FLAG_SIGNED, "signed; the signature cannot be checked"},
                   {(uint16_t)~0x3fff, "unknown flags"}};

    for (size_t i = 0; i < sizeof REFUSED / sizeof REFUSED[0]; i++)
        if ((flags & REFUSED[i].flag) != 0)
            return apr_reader_fail(r, TRUENO_UNSUPPORTED, err, "flags 0x%04x: %s; not read", flags,
                                   REFUSED[i].what);
    return TRUENO_OK;
}

/* A mismatch that a lenient reader lets pass, in words. */
static trueno_status wrong_checksum(const apr_model *m, const apr_reader *r, const char *what,
                                    uint32_t found, uint32_t computed, trueno_error *err)
{
    trueno_status status = apr_reader_fail(
        r, TRUENO_FORMAT, err, "the checksum of %s is %08x, computed %08x: the file is damaged",
        what, found, computed);

    return apr_model_tolerate(m, status, err);
}

/* Metadata, index and data in this order, aligned, within the file. */
static trueno_status check_places(const apr_reader *r, const apr_header *h, trueno_error *err)
{
    const uint64_t end = r->bytes >= APR_FOOTER_BYTES ? r->bytes - APR_FOOTER_BYTES : 0;

    if (h->metadata_offset != APR_HEADER_BYTES || h->index_offset % APR_ALIGNMENT != 0 ||
        h->data_offset % APR_ALIGNMENT != 0)
        return apr_reader_fail(r, TRUENO_FORMAT, err,
                               "metadata at %llu (wanted %d), index at %llu, data at %llu (wanted "
                               "multiples of %d)",
                               (unsigned long long)h->metadata_offset, APR_HEADER_BYTES,
                               (unsigned long long)h->index_offset,
                               (unsigned long long)h->data_offset, APR_ALIGNMENT);
    if (h->metadata_bytes > APR_LIMIT_METADATA_BYTES)
        return apr_reader_fail(r, TRUENO_FORMAT, err, "%u bytes of metadata, at most %d allowed",
                               h->metadata_bytes, APR_LIMIT_METADATA_BYTES);
    if (h->data_offset > end || h->index_offset > h->data_offset ||
        h->index_offset < APR_HEADER_BYTES ||
        h->metadata_bytes > h->index_offset - APR_HEADER_BYTES)
        return apr_reader_fail(r, TRUENO_FORMAT, err,
                               "%u bytes of metadata, index at %llu, data at %llu do not fit the "
                               "file of %zu bytes",
                               h->metadata_bytes, (unsigned long long)h->index_offset,
                               (unsigned long long)h->data_offset, r->bytes);
    if (h->n_tensors > APR_LIMIT_TENSORS ||
        h->n_tensors > (h->data_offset - h->index_offset) / APR_INDEX_LEAST)
        return apr_reader_fail(r, TRUENO_FORMAT, err,
                               "%u tensors do not fit an index of %llu bytes", h->n_tensors,
                               (unsigned long long)(h->data_offset - h->index_offset));
    return TRUENO_OK;
}

trueno_status apr_header_read(const apr_model *m, apr_reader *r, apr_header *h, trueno_error *err)
{
    uint32_t computed;
    trueno_status status;

    if ((status = read_fields(r, h, err)) < 0)
        return status;
    if (h->major != APR_VERSION_MAJOR)
        return apr_reader_fail(r, TRUENO_UNSUPPORTED, err, "version %u.%u, read is 2", h->major,
                               h->minor);
    computed = apr_header_checksum(r->data);
    if (h->checksum != computed &&
        (status = wrong_checksum(m, r, "the header", h->checksum, computed, err)) < 0)
        return status;
    if ((status = check_flags(r, h->flags, err)) < 0 || (status = check_places(r, h, err)) < 0)
        return status;
    if ((h->flags & APR_FLAG_TABLES_CHECKSUM) == 0)
        return TRUENO_OK;
    computed =
        (uint32_t)crc32_z(0, r->data + APR_HEADER_BYTES, (size_t)h->data_offset - APR_HEADER_BYTES);
    if (h->tables_checksum != computed)
        return wrong_checksum(m, r, "metadata and index", h->tables_checksum, computed, err);
    return TRUENO_OK;
}
