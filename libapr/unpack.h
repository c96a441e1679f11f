/* SPDX-License-Identifier: MIT */
/* Decompressing one frame piece by piece, into memory whose size is known before. */
#ifndef APR_UNPACK_H
#define APR_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How the bytes of a tensor are compressed: one frame of that format. */
typedef enum apr_codec { APR_CODEC_NONE, APR_CODEC_ZSTD, APR_CODEC_LZ4, APR_CODECS } apr_codec;

/* Its word in the metadata, NULL for APR_CODEC_NONE. */
const char *apr_codec_name(apr_codec codec);

/* The codec of that name, APR_CODEC_NONE when there is none. */
apr_codec apr_codec_find(const char *name);

typedef struct apr_unpacker {
    apr_codec codec;
    void *context; /* of the codec's library */
    const uint8_t *from;
    size_t from_bytes, used;
    uint8_t *to;
    size_t to_bytes, made;
    bool ended; /* the frame has */
} apr_unpacker;

/* Begin; false: no memory. The codec's own memory has a limit (a window of 128 MiB). */
bool apr_unpack_begin(apr_unpacker *u, apr_codec codec, const uint8_t *from, size_t from_bytes,
                      uint8_t *to, size_t to_bytes);

/*
 * Make all bytes up to `limit`; those made before need not be there any more. False: the frame is
 * damaged, or its content is not of exactly to_bytes.
 */
bool apr_unpack_to(apr_unpacker *u, size_t limit);

/* Free; one that was not begun is fine. */
void apr_unpack_end(apr_unpacker *u);

#endif
