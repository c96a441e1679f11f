/* SPDX-License-Identifier: MIT */
/* The .apr format: what its reader and its writer share. */
#ifndef APR_APR_FORMAT_H
#define APR_APR_FORMAT_H

#include "../json_read.h"
#include "../model_private.h"
#include "../reader.h"
#include "apr_dialects.h"
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
    APR_FLAG_TABLES_CHECKSUM = 1 << 12,
    APR_FLAG_PACKED = 1 << 13 /* some tensors are compressed, as the metadata say */
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

/* One file of a model while it is read. */
typedef struct apr_part {
    apr_reader reader; /* over the whole file */
    apr_header header;
    json_t *metadata;
    const apr_dialect *dialect;
    int32_t file; /* among the model's sources */
} apr_part;

/*
 * Header and metadata of source `file`; the payload is expanded when it is compressed as a whole.
 * Close the part in every case.
 */
trueno_status apr_part_open(apr_model *m, int32_t file, apr_part *part, trueno_error *err);
void apr_part_close(apr_part *part);

/* Check the whole file's checksum, where that is asked for. */
trueno_status apr_part_verify(apr_model *m, const apr_part *part, trueno_error *err);

/* The 64 bytes of a header, checksum of the header included. */
void apr_header_encode(const apr_header *h, uint8_t out[APR_HEADER_BYTES]);

/* CRC-32 of a header without its own four bytes. */
uint32_t apr_header_checksum(const uint8_t header[APR_HEADER_BYTES]);

/* The header, and the checksum of what lies before the data: all that can be checked of both. */
trueno_status apr_header_read(const apr_model *m, apr_reader *r, apr_header *h, trueno_error *err);

/* Append the tensors of a file's index to the model's, which have room. */
trueno_status apr_index_read(apr_model *m, const apr_part *part, trueno_error *err);

/* All that the metadata say of the model; long lists are taken out of them. */
trueno_status apr_format_read_metadata(apr_model *m, json_t *metadata, const apr_dialect *dialect,
                                       trueno_error *err);

/* The vocabulary from the metadata; TRUENO_OK without one when there is none. */
trueno_status apr_format_read_vocab(apr_model *m, const json_t *metadata, trueno_error *err);

#endif
