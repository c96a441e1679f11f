/* SPDX-License-Identifier: MIT */
/* The index of a .apr file: names, types, shapes and places of its tensors. */
#include "apr.h"

#include "../file_limits.h"
#include "../packed_tensors.h"
#include "../storage_types.h"
#include <string.h>

static trueno_status read_dims(apr_reader *r, apr_tensor *t, trueno_error *err)
{
    uint8_t n_dims;
    uint64_t dim;
    trueno_status status = apr_read_u8(r, "number of dimensions", &n_dims, err);

    if (status < 0)
        return status;
    if (n_dims == 0 || n_dims > APR_LIMIT_DIMS)
        return apr_reader_fail(r, n_dims > 8 || n_dims == 0 ? TRUENO_FORMAT : TRUENO_UNSUPPORTED,
                               err, "%u dimensions, read are 1 to %d", n_dims, APR_LIMIT_DIMS);
    t->n_dims = n_dims;
    for (int i = 0; i < APR_LIMIT_DIMS; i++) {
        dim = 1;
        if (i < n_dims && (status = apr_read_u64(r, "dimension", &dim, err)) < 0)
            return status;
        if (dim == 0 || dim > INT64_MAX)
            return apr_reader_fail(r, TRUENO_FORMAT, err, "dimension %d is %llu", i,
                                   (unsigned long long)dim);
        t->dims[i] = (int64_t)dim;
    }
    return TRUENO_OK;
}

/* The bytes that type and dimensions ask for. */
static trueno_status find_size(const apr_reader *r, const apr_tensor *t, uint64_t *bytes,
                               trueno_error *err)
{
    uint64_t elements = 1;
    apr_storage_type type;

    if ((int)t->type >= APR_TYPE_U8 || apr_storage_type_get(t->type, &type) != 0)
        return apr_reader_fail(r, TRUENO_UNSUPPORTED, err, "element type %d is not known", t->type);
    for (int i = 0; i < t->n_dims; i++)
        if (__builtin_mul_overflow(elements, (uint64_t)t->dims[i], &elements))
            return apr_reader_fail(r, TRUENO_FORMAT, err, "too many elements");
    if (t->dims[t->n_dims - 1] % type.block != 0 ||
        __builtin_mul_overflow(elements / (uint64_t)type.block, (uint64_t)type.bytes, bytes))
        return apr_reader_fail(r, TRUENO_FORMAT, err,
                               "%llu elements of %s are no whole rows of blocks, or too many",
                               (unsigned long long)elements, type.name);
    return TRUENO_OK;
}

/* How the metadata say that the tensor is compressed; the entry's size is then that of the frame.
 */
static trueno_status read_codec(const apr_reader *r, const json_t *said, uint64_t bytes,
                                apr_codec *codec, trueno_error *err)
{
    const char *name = json_string_value(json_object_get(said, "codec"));
    const json_t *size = json_object_get(said, "raw_size");

    *codec = apr_codec_find(name);
    if (*codec == APR_CODEC_NONE && name != NULL)
        return apr_reader_fail(r, TRUENO_UNSUPPORTED, err, "compressed by %.40s, which is not read",
                               name);
    if (*codec == APR_CODEC_NONE || !json_is_integer(size) ||
        (uint64_t)json_integer_value(size) != bytes)
        return apr_reader_fail(r, TRUENO_FORMAT, err,
                               "tensor_codec has no codec, or a raw_size of %lld where type and "
                               "shape take %llu bytes",
                               (long long)json_integer_value(size), (unsigned long long)bytes);
    return TRUENO_OK;
}

/* Move an entry's offset from the data's begin to the file's; all its bytes are in the file. */
static trueno_status place(const apr_part *part, apr_tensor *t, trueno_error *err)
{
    const apr_reader *r = &part->reader;
    const uint64_t data = part->header.data_offset;
    const uint64_t end = r->bytes - (part->dialect->footer ? APR_FOOTER_BYTES : 0);

    if (t->offset % APR_ALIGNMENT != 0 || t->offset > end - data ||
        t->bytes > end - data - t->offset)
        return trueno_fail(err, TRUENO_FORMAT,
                           "%s: tensor %s: %llu bytes at byte %llu of the data: unaligned, or past "
                           "their end at %llu",
                           r->file, t->name, (unsigned long long)t->bytes,
                           (unsigned long long)t->offset, (unsigned long long)(end - data));
    t->offset += data;
    return TRUENO_OK;
}

/* The data of an entry that is placed: in the file, or to be decompressed from there. */
static trueno_status find_data(apr_model *m, const apr_reader *r, const apr_part *part,
                               apr_tensor *t, trueno_error *err)
{
    const json_t *codecs = json_object_get(part->metadata, "tensor_codec");
    const json_t *said =
        (part->header.flags & APR_FLAG_PACKED) != 0 ? json_object_get(codecs, t->name) : NULL;
    const uint64_t stored = t->bytes;
    apr_codec codec;
    uint64_t bytes = 0;
    trueno_status status;

    t->data = part->reader.data + t->offset;
    if ((status = find_size(r, t, &bytes, err)) < 0)
        return status;
    if (said == NULL && bytes != stored)
        return apr_reader_fail(r, TRUENO_FORMAT, err,
                               "%llu elements of %s do not take the %llu bytes of its entry",
                               (unsigned long long)apr_tensor_elements(t), apr_tensor_type_name(t),
                               (unsigned long long)stored);
    if (said == NULL)
        return TRUENO_OK;
    if ((status = read_codec(r, said, bytes, &codec, err)) < 0)
        return status;
    t->bytes = bytes;
    apr_packed_add(m, t, codec, t->data, stored);
    return TRUENO_OK;
}

/* The entry's element type as GGML numbers it. */
static trueno_status find_type(const apr_reader *r, const apr_dialect *dialect, apr_tensor *t,
                               trueno_error *err)
{
    const uint64_t elements = (uint64_t)t->dims[0] * (uint64_t)t->dims[1] * (uint64_t)t->dims[2] *
                              (uint64_t)t->dims[3]; /* only compared: may overflow */
    const int type = apr_dialect_type(dialect, (int)t->type, elements, t->bytes);

    if (type < 0)
        return apr_reader_fail(r, TRUENO_UNSUPPORTED, err, "element type %d of %s is not read",
                               (int)t->type, dialect->name);
    t->type = (trueno_type)type;
    return TRUENO_OK;
}

static trueno_status read_entry(apr_model *m, apr_reader *r, const apr_part *part, apr_tensor *t,
                                trueno_error *err)
{
    const uint8_t *name = NULL;
    uint16_t length = 0;
    uint8_t type = 0;
    trueno_status status;

    apr_reader_item(r, "tensor", "", 0);
    if ((status = apr_read_u16(r, "length of the name", &length, err)) < 0)
        return status;
    if (length == 0 || length > APR_LIMIT_NAME_BYTES)
        return apr_reader_fail(r, TRUENO_FORMAT, err, "a name of %u bytes, allowed are 1 to %d",
                               length, APR_LIMIT_NAME_BYTES);
    if ((status = apr_read_bytes(r, "name", length, &name, err)) < 0)
        return status;
    apr_reader_item(r, "tensor", (const char *)name, length);
    if (memchr(name, '\0', length) != NULL)
        return apr_reader_fail(r, TRUENO_FORMAT, err, "the name holds a zero byte");
    t->name = trueno_arena_string(&m->arena, (const char *)name, length);
    if (t->name == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for %s", r->file, r->item);
    if ((status = apr_read_u8(r, "element type", &type, err)) < 0)
        return status;
    t->type = (trueno_type)type;
    t->file = part->file;
    if ((status = read_dims(r, t, err)) < 0 ||
        (status = apr_read_u64(r, "offset", &t->offset, err)) < 0 ||
        (status = apr_read_u64(r, "size", &t->bytes, err)) < 0 ||
        (status = find_type(r, part->dialect, t, err)) < 0 || (status = place(part, t, err)) < 0)
        return status;
    return find_data(m, r, part, t, err);
}

/* What the header says of compressed tensors against the metadata. */
static trueno_status check_codecs(const apr_part *part, trueno_error *err)
{
    const json_t *codecs = json_object_get(part->metadata, "tensor_codec");
    const bool flag = (part->header.flags & APR_FLAG_PACKED) != 0;

    if (flag == (codecs != NULL) && (!flag || json_is_object(codecs)))
        return TRUENO_OK;
    return trueno_fail(err, TRUENO_FORMAT,
                       "%s: flags 0x%04x and tensor_codec in the metadata do not fit each other",
                       part->reader.file, part->header.flags);
}

trueno_status apr_index_read(apr_model *m, const apr_part *part, trueno_error *err)
{
    const apr_header *h = &part->header;
    const size_t packed = m->packed != NULL ? m->packed->n : 0;
    size_t said;
    apr_reader r = part->reader;
    trueno_status status;

    if ((status = check_codecs(part, err)) < 0)
        return status;
    said = json_object_size(json_object_get(part->metadata, "tensor_codec"));
    if (said > h->n_tensors)
        return trueno_fail(err, TRUENO_FORMAT, "%s: %zu compressed tensors of %u", r.file, said,
                           h->n_tensors);
    r.bytes = (size_t)h->data_offset; /* the index ends before the data */
    r.position = (size_t)h->index_offset;
    for (uint32_t i = 0; i < h->n_tensors; i++) {
        apr_tensor *t = &m->tensors[m->n_tensors];

        if ((status = read_entry(m, &r, part, t, err)) < 0)
            return status;
        if (i > 0 && part->dialect->sorted && strcmp(t[-1].name, t->name) >= 0)
            return apr_reader_fail(&r, TRUENO_FORMAT, err, "not in order after %s", t[-1].name);
        m->n_tensors++;
    }
    if (said != (m->packed != NULL ? m->packed->n : 0) - packed)
        return trueno_fail(err, TRUENO_FORMAT,
                           "%s: tensor_codec names tensors that the index does not have", r.file);
    return TRUENO_OK;
}
