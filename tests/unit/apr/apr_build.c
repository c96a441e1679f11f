/* SPDX-License-Identifier: MIT */
/* Building .apr files byte by byte from docs/formats/apr.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "apr_build.h"
#include "memory_fixture.h"
#include <string.h>
#include <zlib.h>

static void put_u16(byte_run *b, uint16_t v)
{
    put(b, &v, sizeof v);
}

void apr_build_entry(byte_run *b, const char *name, uint8_t type, uint8_t n_dims,
                     const uint64_t *dims, uint64_t offset, uint64_t size)
{
    put_u16(b, (uint16_t)strlen(name));
    put(b, name, strlen(name));
    put_u8(b, type);
    put_u8(b, n_dims);
    for (int i = 0; i < n_dims; i++)
        put_u64(b, dims[i]);
    put_u64(b, offset);
    put_u64(b, size);
}

apr_build apr_build_good(void)
{
    static const uint64_t EMBEDDING[] = {2, 4}, NORM[] = {4};
    apr_build b = {.metadata = APR_BUILD_METADATA,
                   .magic = {'A', 'P', 'R', 0},
                   .major = 2,
                   .flags = 1 << 9 | 1 << 10 | 1 << 12,
                   .data = 128};

    apr_build_entry(&b.index, "model.embed_tokens.weight", 0, 2, EMBEDDING, 0, 32);
    apr_build_entry(&b.index, "model.norm.weight", 0, 1, NORM, 64, 16);
    return b;
}

static void pad_to_64(byte_run *b)
{
    while (b->n % 64 != 0)
        put_u8(b, 0);
}

byte_run apr_build_finish(apr_build *b, size_t *tables)
{
    byte_run file = {0}, body = {0};
    const uint64_t index = 64 + (strlen(b->metadata) + 63) / 64 * 64;
    uint32_t crc;

    put(&body, b->metadata, strlen(b->metadata));
    pad_to_64(&body);
    put(&body, b->index.data, b->index.n);
    pad_to_64(&body);
    put(&file, b->magic, 4);
    put_u8(&file, b->major);
    put_u8(&file, 0);
    put_u16(&file, b->flags);
    put_u32(&file, 2 + b->more_tensors);
    put_u64(&file, 64);
    put_u32(&file, (uint32_t)strlen(b->metadata));
    put_u64(&file, index + b->move_index);
    put_u64(&file, 64 + body.n + b->move_data);
    put_u32(&file, 0);
    put_u32(&file, (uint32_t)crc32(0, body.data, (unsigned)body.n) ^ b->break_tables);
    while (file.n < 64)
        put_u8(&file, 0);
    crc = (uint32_t)crc32(crc32(0, file.data, 40), file.data + 44, 20) ^ b->break_header;
    memcpy(file.data + 40, &crc, 4);
    put(&file, body.data, body.n);
    *tables = file.n;
    put(&file, b->content.data, b->content.n);
    for (size_t i = b->content.n; i < b->data; i++)
        put_u8(&file, (uint8_t)(i % 3));
    put_u32(&file, (uint32_t)crc32(0, file.data, (unsigned)file.n));
    byte_run_free(&body);
    byte_run_free(&b->index);
    byte_run_free(&b->content);
    return file;
}

trueno_status apr_build_open(const byte_run *file, size_t n, bool verify, trueno_error *err)
{
    guarded g = guarded_copy(file->data, n);
    apr_model_options options;
    apr_model *m;
    counting c;
    trueno_status status;

    options = counted_options(&c);
    options.verify = verify;
    *err = (trueno_error){0};
    status = apr_model_open_memory(&m, g.data, n, &options, err);
    if (status < 0)
        assert_null(strchr(err->message, '\n'));
    apr_model_close(m);
    assert_int_equal(c.live, 0);
    guarded_free(&g);
    return status;
}
