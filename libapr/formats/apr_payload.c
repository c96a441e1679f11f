/* SPDX-License-Identifier: MIT */
/* Whole compressed payloads of .apr files, expanded once at the open. */
#include "apr_payload.h"

#include "apr.h"
#include <endian.h>
#include <lz4.h>
#include <string.h>
#include <zstd.h>

/* Weights shrink by less than half; LZ4 cannot shrink anything by more than this. */
enum { MOST_GROWTH = 256, LZ4_SIZE_BYTES = 4 };

/* The size that the compressed bytes say they have, 0: they say none. */
static uint64_t expanded_bytes(const uint8_t *data, size_t bytes, bool lz4)
{
    unsigned long long said;
    uint32_t size;

    if (lz4) {
        if (bytes < LZ4_SIZE_BYTES)
            return 0;
        memcpy(&size, data, sizeof size);
        return le32toh(size);
    }
    said = ZSTD_getFrameContentSize(data, bytes);
    return said == ZSTD_CONTENTSIZE_UNKNOWN || said == ZSTD_CONTENTSIZE_ERROR ? 0 : said;
}

static bool expand(const uint8_t *data, size_t bytes, bool lz4, uint8_t *out, size_t size)
{
    if (!lz4)
        return ZSTD_decompress(out, size, data, bytes) == size;
    return bytes - LZ4_SIZE_BYTES <= INT32_MAX && size <= INT32_MAX &&
           LZ4_decompress_safe((const char *)data + LZ4_SIZE_BYTES, (char *)out,
                               (int)(bytes - LZ4_SIZE_BYTES), (int)size) == (int)size;
}

trueno_status apr_format_expand(apr_model *m, trueno_map *map, uint16_t flags, trueno_error *err)
{
    const bool lz4 = (flags & APR_FLAG_LZ4) != 0;
    const char *codec = lz4 ? "LZ4" : "Zstandard";
    const uint8_t *payload = map->data + APR_HEADER_BYTES;
    const size_t bytes = map->bytes - APR_HEADER_BYTES;
    const uint64_t size = expanded_bytes(payload, bytes, lz4);
    uint8_t *file;
    trueno_status status;

    if (size == 0)
        return trueno_fail(err, TRUENO_FORMAT, "%s: the payload of %zu bytes is no %s with a size",
                           m->path, bytes, codec);
    if (size / MOST_GROWTH > bytes)
        return trueno_fail(err, TRUENO_UNSUPPORTED,
                           "%s: %zu bytes of %s would become %llu, read are up to %d times as many",
                           m->path, bytes, codec, (unsigned long long)size, MOST_GROWTH);
    status = apr_model_allocate(m, &file, APR_HEADER_BYTES + (size_t)size, 1, "payload", err);
    if (status < 0)
        return status;
    if (!expand(payload, bytes, lz4, file + APR_HEADER_BYTES, (size_t)size))
        return trueno_fail(err, TRUENO_FORMAT, "%s: the %s payload is damaged", m->path, codec);
    memcpy(file, map->data, APR_HEADER_BYTES);
    trueno_map_close(map);
    *map = (trueno_map){.data = file, .bytes = APR_HEADER_BYTES + (size_t)size};
    return TRUENO_OK;
}
