/* SPDX-License-Identifier: MIT */
/* Parts of GGUF files: keys and tensors byte for byte, numbered as llama.cpp's tools do. */
#include "split.h"

#include "formats/gguf.h"
#include "formats/gguf_write.h"
#include "file_limits.h"
#include "output.h"
#include <endian.h>
#include <string.h>

enum { HEADER_BYTES = 24 };

/* Pass over a value of that type number. */
static trueno_status skip_value(apr_reader *r, uint32_t type, trueno_error *err)
{
    const uint8_t *bytes;
    uint32_t element;
    uint64_t n;
    apr_text text;
    trueno_status status;

    if (type == APR_VALUE_STRING)
        return apr_read_text(r, "value", UINT64_MAX, &text, err);
    if (type != APR_VALUE_ARRAY)
        return apr_read_bytes(r, "value", apr_value_type_get((int)type)->bytes, &bytes, err);
    if ((status = apr_read_u32(r, "element type", &element, err)) < 0 ||
        (status = apr_read_u64(r, "count", &n, err)) < 0)
        return status;
    if (element != APR_VALUE_STRING)
        return apr_read_bytes(r, "elements", n * apr_value_type_get((int)element)->bytes, &bytes,
                              err);
    for (uint64_t i = 0; i < n && status == TRUENO_OK; i++)
        status = apr_read_text(r, "element", UINT64_MAX, &text, err);
    return status;
}

/* The keys of the first file as they are, without those that number parts. */
static trueno_status copy_keys(const apr_model *m, apr_gguf_keys *keys, trueno_error *err)
{
    const apr_source *s = &m->sources[0];
    apr_reader r = {.data = s->map.data, .bytes = s->map.bytes, .file = s->path};
    trueno_status status = TRUENO_OK;

    r.position = HEADER_BYTES;
    for (size_t i = 0; i < m->n_meta && status == TRUENO_OK; i++) {
        const size_t begin = r.position;
        uint32_t type;
        apr_text key;

        if ((status = apr_read_text(&r, "key", APR_LIMIT_KEY_BYTES, &key, err)) < 0 ||
            (status = apr_read_u32(&r, "type", &type, err)) < 0 ||
            (status = skip_value(&r, type, err)) < 0)
            break;
        if (key.length > 6 && memcmp(key.data, "split.", 6) == 0)
            continue;
        apr_buffer_append(&keys->bytes, r.data + begin, r.position - begin);
        keys->n++;
    }
    return status;
}

static void put_u16(apr_gguf_keys *keys, const char *name, uint16_t value)
{
    value = htole16(value);
    apr_gguf_key(keys, name, APR_VALUE_U16);
    apr_buffer_append(&keys->bytes, &value, sizeof value);
}

static void put_numbers(const apr_split *s, int32_t number, apr_gguf_keys *keys)
{
    const int32_t n_tensors = (int32_t)htole32((uint32_t)s->m->n_tensors);

    put_u16(keys, "split.no", (uint16_t)number);
    put_u16(keys, "split.count", (uint16_t)s->n_parts);
    apr_gguf_key(keys, "split.tensors.count", APR_VALUE_I32);
    apr_buffer_append(&keys->bytes, &n_tensors, sizeof n_tensors);
}

/* Without a key for it, 32. */
static uint64_t alignment_of(const apr_model *m)
{
    const apr_meta *meta = apr_model_meta_find(m, "general.alignment");

    return meta != NULL ? meta->u : 32;
}

static uint64_t round_up(uint64_t n, uint64_t alignment)
{
    return (n + alignment - 1) & ~(alignment - 1);
}

/* Number of dimensions as the file has it: that of a single number may be none. */
static void put_infos(const apr_split *s, const apr_split_part *part, uint64_t alignment,
                      apr_buffer *b)
{
    uint64_t offset = 0;

    for (size_t i = part->first; i < part->first + part->n; i++) {
        const apr_tensor *t = &s->m->tensors[i];

        apr_gguf_put_text(b, t->name, strlen(t->name));
        apr_gguf_put_u32(b, (uint32_t)t->n_dims);
        for (int d = t->n_dims - 1; d >= 0; d--)
            apr_gguf_put_u64(b, (uint64_t)t->dims[d]);
        apr_gguf_put_u32(b, (uint32_t)t->type);
        apr_gguf_put_u64(b, offset);
        offset = round_up(offset + t->bytes, alignment);
    }
}

/* Zeros up to the alignment, which may be larger than one write of them. */
static trueno_status pad(apr_output *out, uint64_t alignment, trueno_error *err)
{
    const uint64_t end = round_up(out->offset, alignment);
    trueno_status status = TRUENO_OK;

    while (out->offset < end && status == TRUENO_OK)
        status = apr_output_pad_to(out, end - out->offset > 4096 ? out->offset + 4096 : end, err);
    return status;
}

static trueno_status write_tensors(const apr_split *s, const apr_split_part *part,
                                   uint64_t alignment, apr_output *out, trueno_error *err)
{
    trueno_status status = pad(out, alignment, err);

    for (size_t i = part->first; i < part->first + part->n && status == TRUENO_OK; i++) {
        const apr_tensor *t = &s->m->tensors[i];

        if ((status = apr_output_write(out, t->data, (size_t)t->bytes, err)) == TRUENO_OK)
            status = pad(out, alignment, err);
        if (s->m->sources[t->file].map.mapped)
            trueno_map_drop(t->data, (size_t)t->bytes);
    }
    return status;
}

static trueno_status write_part(const apr_split *s, int32_t number, apr_gguf_keys *keys,
                                apr_output *out, trueno_error *err)
{
    const apr_split_part *part = &s->parts[number];
    const uint64_t alignment = alignment_of(s->m);
    apr_buffer b = {.allocator = s->m->options.allocator};
    trueno_status status;

    apr_buffer_append(&b, "GGUF", 4);
    apr_gguf_put_u32(&b, strcmp(s->m->format, "GGUF v2") == 0 ? 2 : 3);
    apr_gguf_put_u64(&b, part->n);
    apr_gguf_put_u64(&b, keys->n);
    apr_buffer_append(&b, keys->bytes.data, keys->bytes.length);
    put_infos(s, part, alignment, &b);
    if (b.failed || keys->bytes.failed)
        status = trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for the tables", s->m->path);
    else
        status = apr_output_write(out, b.data, b.length, err);
    apr_buffer_free(&b);
    return status < 0 ? status : write_tensors(s, part, alignment, out, err);
}

trueno_status apr_split_write_gguf(const apr_split *s, int32_t number, const char *path,
                                   trueno_error *err)
{
    apr_gguf_keys keys = {.bytes.allocator = s->m->options.allocator};
    apr_output out;
    trueno_status status = TRUENO_OK;

    if (number == 0)
        status = copy_keys(s->m, &keys, err);
    else if (apr_model_meta_find(s->m, "general.alignment") != NULL)
        apr_gguf_key_u32(&keys, "general.alignment", (uint32_t)alignment_of(s->m));
    if (s->n_parts > 1)
        put_numbers(s, number, &keys);
    if (status == TRUENO_OK && (status = apr_output_open(&out, path, false, err)) == TRUENO_OK) {
        if ((status = write_part(s, number, &keys, &out, err)) == TRUENO_OK &&
            (status = apr_output_finish(&out, err)) == TRUENO_OK)
            status = apr_output_commit(&out, err);
        apr_output_abandon(&out);
    }
    apr_buffer_free(&keys.bytes);
    return status;
}
