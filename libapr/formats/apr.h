/* SPDX-License-Identifier: MIT */
/* The .apr format: what its reader and its writer share. */
#ifndef APR_APR_FORMAT_H
#define APR_APR_FORMAT_H

#include "../json_read.h"
#include "../model_private.h"
#include <stdint.h>

/* Sizes and places; docs/formats/apr.md is the description. */
enum {
    APR_HEADER_BYTES = 64,
    APR_ALIGNMENT = 64, /* of the index, of the data and of every tensor */
    APR_FOOTER_BYTES = 4,
    APR_VERSION_MAJOR = 2,
    APR_VERSION_MINOR = 0,
    APR_AT_CHECKSUM = 40,        /* CRC-32 of the header without these four bytes */
    APR_AT_TABLES_CHECKSUM = 44, /* CRC-32 of every byte between header and data */
    APR_INDEX_LEAST = 2 + 1 + 1 + 1 + 8 + 8
};

/* Flags of the header. */
enum {
    APR_FLAG_LZ4 = 1 << 0,
    APR_FLAG_ZSTD = 1 << 1,
    APR_FLAG_ENCRYPTED = 1 << 2,
    APR_FLAG_SIGNED = 1 << 3,
    APR_FLAG_SHARDED = 1 << 4,
    APR_FLAG_QUANTIZED = 1 << 5,
    APR_FLAG_VOCABULARY = 1 << 9,
    APR_FLAG_ROW_MAJOR = 1 << 10,
    APR_FLAG_COLUMN_MAJOR = 1 << 11,
    APR_FLAG_TABLES_CHECKSUM = 1 << 12
};

/* The header in numbers. */
typedef struct apr_header {
    uint8_t major, minor;
    uint16_t flags;
    uint32_t n_tensors;
    uint64_t metadata_offset;
    uint32_t metadata_bytes;
    uint64_t index_offset, data_offset;
    uint32_t checksum, tables_checksum;
} apr_header;

/* The 64 bytes of a header, checksum of the header included. */
void apr_header_encode(const apr_header *h, uint8_t out[APR_HEADER_BYTES]);

/* The vocabulary from the metadata; TRUENO_OK without one when there is none. */
trueno_status apr_format_read_vocab(apr_model *m, const json_t *metadata, trueno_error *err);

/* The metadata of a model as JSON text, for the caller to release (*bytes + 1 bytes). */
trueno_status apr_format_metadata(const apr_model *m, const apr_config *config, char **out,
                                  size_t *bytes, trueno_error *err);

#endif
