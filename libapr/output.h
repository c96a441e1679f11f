/* SPDX-License-Identifier: MIT */
/* Writing a file that is either complete or not there: temporary name, fsync, rename. */
#ifndef APR_OUTPUT_H
#define APR_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <trueno/memory.h>

typedef struct apr_output {
    int fd; /* -1: not open */
    uint64_t offset;
    uint32_t crc; /* CRC-32 of all bytes written */
    char path[4096], temporary[4128];
} apr_output;

/*
 * Begin a file. TRUENO_USAGE when `path` exists and not `force`, or is a folder; nothing of that
 * name is touched before apr_output_commit().
 */
trueno_status apr_output_open(apr_output *out, const char *path, bool force, trueno_error *err);

/* Append bytes. TRUENO_IO. */
trueno_status apr_output_write(apr_output *out, const void *data, size_t bytes, trueno_error *err);

/* Append zeros up to byte `offset` of the file, at most 4096 of them. */
trueno_status apr_output_pad_to(apr_output *out, uint64_t offset, trueno_error *err);

/* Leave room for the first `bytes` bytes of a file that has none yet, for apr_output_fill(). */
trueno_status apr_output_reserve(apr_output *out, uint64_t bytes, trueno_error *err);

/* Write the bytes that room was left for. */
trueno_status apr_output_fill(apr_output *out, const void *data, size_t bytes, trueno_error *err);

/*
 * Bring all to the disk and read it back: TRUENO_CONTENT with ROSETTA-CRC-001 when it is not what
 * was written. The file still has its temporary name, and can be opened by it.
 */
trueno_status apr_output_finish(apr_output *out, trueno_error *err);

/* Give the finished file its name. */
trueno_status apr_output_commit(apr_output *out, trueno_error *err);

/* Remove what was written, unless it was committed. */
void apr_output_abandon(apr_output *out);

#endif
