/* SPDX-License-Identifier: MIT */
/** @file mapfile.h  Read-only files in memory. For sister libraries; no ABI promise. */
#ifndef TRUENO_SYS_MAPFILE_H
#define TRUENO_SYS_MAPFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <trueno/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A file's bytes, mapped. A view of memory that somebody else owns has `mapped` false. */
typedef struct trueno_map {
    const uint8_t *data;
    size_t bytes;
    bool mapped;
} trueno_map;

/**
 * Map a regular file read-only. Errors: TRUENO_NOT_FOUND (missing, a folder, not a file),
 * TRUENO_IO, TRUENO_FORMAT (empty). The message carries the path. *map is yours to close; any
 * thread.
 */
TRUENO_API trueno_status trueno_map_open(trueno_map *map, const char *path, trueno_error *err);

/** Unmap; a zeroed or unmapped view is fine. */
TRUENO_API void trueno_map_close(trueno_map *map);

/** Ask the kernel to read [data, data+bytes) ahead. Any pointer inside a mapping; best effort. */
TRUENO_API void trueno_map_prefetch(const void *data, size_t bytes);

/**
 * Drop the resident pages that lie wholly inside [data, data+bytes) of a read-only file mapping;
 * reading them again brings them back from the file. Never call it on memory that is not a mapping.
 */
TRUENO_API void trueno_map_drop(const void *data, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
