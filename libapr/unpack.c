/* SPDX-License-Identifier: MIT */
/* Frames of Zstandard and LZ4, decompressed as far as asked for. */
#include "unpack.h"

#include <lz4frame.h>
#include <string.h>
#include <zstd.h>

enum { MOST_WINDOW_LOG = 27 };

static const char *const NAMES[APR_CODECS] = {[APR_CODEC_ZSTD] = "zstd", [APR_CODEC_LZ4] = "lz4"};

const char *apr_codec_name(apr_codec codec)
{
    return NAMES[codec];
}

apr_codec apr_codec_find(const char *name)
{
    for (int i = 1; name != NULL && i < APR_CODECS; i++)
        if (strcmp(NAMES[i], name) == 0)
            return (apr_codec)i;
    return APR_CODEC_NONE;
}

bool apr_unpack_begin(apr_unpacker *u, apr_codec codec, const uint8_t *from, size_t from_bytes,
                      uint8_t *to, size_t to_bytes)
{
    LZ4F_dctx *lz4 = NULL;

    *u = (apr_unpacker){
        .codec = codec, .from = from, .from_bytes = from_bytes, .to = to, .to_bytes = to_bytes};
    if (codec == APR_CODEC_ZSTD) {
        u->context = ZSTD_createDCtx();
        if (u->context != NULL)
            (void)ZSTD_DCtx_setParameter(u->context, ZSTD_d_windowLogMax, MOST_WINDOW_LOG);
    } else if (!LZ4F_isError(LZ4F_createDecompressionContext(&lz4, LZ4F_VERSION))) {
        u->context = lz4;
    }
    return u->context != NULL;
}

/* One call of the library; false: the frame is damaged. */
static bool step_zstd(apr_unpacker *u, size_t limit)
{
    ZSTD_inBuffer in = {u->from, u->from_bytes, u->used};
    ZSTD_outBuffer out = {u->to, limit, u->made};
    const size_t left = ZSTD_decompressStream(u->context, &out, &in);

    u->used = in.pos;
    u->made = out.pos;
    u->ended = left == 0;
    return !ZSTD_isError(left);
}

static bool step_lz4(apr_unpacker *u, size_t limit)
{
    size_t made = limit - u->made, used = u->from_bytes - u->used;
    const size_t left =
        LZ4F_decompress(u->context, u->to + u->made, &made, u->from + u->used, &used, NULL);

    u->used += used;
    u->made += made;
    u->ended = left == 0;
    return !LZ4F_isError(left);
}

bool apr_unpack_to(apr_unpacker *u, size_t limit)
{
    while (u->made < limit || (limit == u->to_bytes && !u->ended)) {
        const size_t used = u->used, made = u->made;

        if (u->ended || !(u->codec == APR_CODEC_ZSTD ? step_zstd(u, limit) : step_lz4(u, limit)) ||
            (u->used == used && u->made == made && !u->ended))
            return false;
    }
    return limit < u->to_bytes || u->used == u->from_bytes;
}

void apr_unpack_end(apr_unpacker *u)
{
    if (u->codec == APR_CODEC_ZSTD)
        (void)ZSTD_freeDCtx(u->context);
    else if (u->context != NULL)
        (void)LZ4F_freeDecompressionContext(u->context);
    *u = (apr_unpacker){0};
}
