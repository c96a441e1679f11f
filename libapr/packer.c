/* SPDX-License-Identifier: MIT */
/* Zstandard frames of tensors: one frame a tensor, with its size and a checksum. */
#include "packer.h"

#include <zstd.h>

enum { LEVEL = 3, SAMPLE_BYTES = 1 << 20, LEAST_GAIN = 16 };

trueno_status apr_packer_open(apr_packer *p, int threads, const trueno_allocator *allocator,
                              trueno_error *err)
{
    *p = (apr_packer){.allocator = allocator, .buffer_bytes = ZSTD_compressBound(SAMPLE_BYTES)};
    p->context = ZSTD_createCCtx();
    p->buffer = trueno_allocate(allocator, p->buffer_bytes, 64);
    if (p->context == NULL || p->buffer == NULL) {
        apr_packer_close(p);
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory to compress tensors");
    }
    (void)ZSTD_CCtx_setParameter(p->context, ZSTD_c_compressionLevel, LEVEL);
    (void)ZSTD_CCtx_setParameter(p->context, ZSTD_c_checksumFlag, 1);
    /* a library without threads refuses and works alone */
    (void)ZSTD_CCtx_setParameter(p->context, ZSTD_c_nbWorkers, threads);
    return TRUENO_OK;
}

bool apr_packer_gains(apr_packer *p, const void *data, size_t bytes)
{
    const size_t n = bytes < SAMPLE_BYTES ? bytes : SAMPLE_BYTES;
    size_t packed;

    (void)ZSTD_CCtx_reset(p->context, ZSTD_reset_session_only);
    packed = ZSTD_compress2(p->context, p->buffer, p->buffer_bytes, data, n);
    return !ZSTD_isError(packed) && packed <= n - n / LEAST_GAIN;
}

void apr_packer_begin(apr_packer *p, uint64_t bytes)
{
    (void)ZSTD_CCtx_reset(p->context, ZSTD_reset_session_only);
    (void)ZSTD_CCtx_setPledgedSrcSize(p->context, bytes);
}

trueno_status apr_packer_write(apr_packer *p, apr_output *out, const void *data, size_t bytes,
                               bool last, trueno_error *err)
{
    ZSTD_inBuffer in = {data, bytes, 0};
    size_t left;
    trueno_status status;

    do {
        ZSTD_outBuffer made = {p->buffer, p->buffer_bytes, 0};

        left = ZSTD_compressStream2(p->context, &made, &in, last ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left))
            return trueno_fail(err, TRUENO_NO_MEMORY, "%s: cannot compress: %s", out->path,
                               ZSTD_getErrorName(left));
        if ((status = apr_output_write(out, p->buffer, made.pos, err)) < 0)
            return status;
    } while (in.pos < in.size || (last && left > 0));
    return TRUENO_OK;
}

void apr_packer_close(apr_packer *p)
{
    (void)ZSTD_freeCCtx(p->context);
    trueno_release(p->allocator, p->buffer, p->buffer_bytes);
    *p = (apr_packer){0};
}
