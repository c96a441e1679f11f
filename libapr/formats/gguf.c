/* SPDX-License-Identifier: MIT */
/*
 * GGUF files, versions 2 and 3: header, key-value table, tensor table, aligned data. GGUF lists the
 * fastest dimension first; the order is turned here and nowhere else.
 * Source: the GGUF description in ggml's documentation.
 */
#include "gguf.h"

#include "../formats.h"
#include "../file_limits.h"
#include "../storage_types.h"
#include "source_keys.h"
#include <limits.h>
#include <string.h>

enum { KEY_LEAST = 14, TENSOR_LEAST = 25, DEFAULT_ALIGNMENT = 32 };

/* One file of the set while it is read. */
typedef struct gguf_file {
    apr_reader reader;
    apr_gguf_header header;
    size_t alignment;
    int32_t index; /* among the model's sources */
} gguf_file;

bool apr_gguf_probe(const uint8_t *data, size_t bytes)
{
    return bytes >= 4 && memcmp(data, "GGUF", 4) == 0;
}

static trueno_status read_header(gguf_file *f, trueno_error *err)
{
    apr_reader *r = &f->reader;
    const uint8_t *magic;
    trueno_status status;

    if ((status = apr_read_bytes(r, "magic", 4, &magic, err)) < 0 ||
        (status = apr_read_u32(r, "version", &f->header.version, err)) < 0)
        return status;
    if (memcmp(magic, "GGUF", 4) != 0)
        return apr_reader_fail(r, TRUENO_FORMAT, err, "a part of a set without the GGUF magic");
    if (f->header.version == 0x02000000 || f->header.version == 0x03000000)
        return apr_reader_fail(r, TRUENO_FORMAT, err,
                               "a big-endian GGUF file; only little-endian ones are read");
    if (f->header.version != 2 && f->header.version != 3)
        return apr_reader_fail(r, TRUENO_FORMAT, err, "GGUF version %u, read are 2 and 3",
                               f->header.version);
    if ((status = apr_read_count(r, "number of tensors", TENSOR_LEAST, APR_LIMIT_GGUF_TENSORS,
                                 &f->header.n_tensors, err)) < 0)
        return status;
    return apr_read_count(r, "number of keys", KEY_LEAST, APR_LIMIT_GGUF_KEYS, &f->header.n_keys,
                          err);
}

/* Bytes of a tensor's data from its dimensions, which are as in GGUF: fastest first. */
static trueno_status tensor_bytes(apr_reader *r, const apr_storage_type *type,
                                  const uint64_t dims[APR_LIMIT_DIMS], uint64_t *out,
                                  trueno_error *err)
{
    uint64_t elements = 1;

    for (int i = 0; i < APR_LIMIT_DIMS; i++) {
        if (dims[i] == 0)
            return apr_reader_fail(r, TRUENO_FORMAT, err, "dimension %d is 0", i);
        if (dims[i] > INT64_MAX || __builtin_mul_overflow(elements, dims[i], &elements) ||
            elements > INT64_MAX)
            return apr_reader_fail(r, TRUENO_FORMAT, err,
                                   "the product of the dimensions exceeds 2^63");
    }
    if (dims[0] % (uint64_t)type->block != 0)
        return apr_reader_fail(r, TRUENO_FORMAT, err,
                               "rows of %llu elements, no multiple of the %d of a block of %s",
                               (unsigned long long)dims[0], type->block, type->name);
    if (__builtin_mul_overflow(elements / (uint64_t)type->block, (uint64_t)type->bytes, out))
        return apr_reader_fail(r, TRUENO_FORMAT, err, "its size exceeds 2^64 bytes");
    return TRUENO_OK;
}

static trueno_status read_shape(apr_reader *r, apr_tensor *t, uint64_t dims[APR_LIMIT_DIMS],
                                trueno_error *err)
{
    uint32_t n_dims;
    trueno_status status = apr_read_u32(r, "number of dimensions", &n_dims, err);

    if (status < 0)
        return status;
    if (n_dims > APR_LIMIT_DIMS)
        return apr_reader_fail(r, TRUENO_FORMAT, err, "%u dimensions, at most %d allowed", n_dims,
                               APR_LIMIT_DIMS);
    t->n_dims = n_dims > 0 ? (int32_t)n_dims : 1; /* none: a single number */
    for (uint32_t i = 0; i < APR_LIMIT_DIMS; i++) {
        dims[i] = 1;
        if (i < n_dims && (status = apr_read_u64(r, "dimension", &dims[i], err)) < 0)
            return status;
    }
    for (int32_t i = 0; i < APR_LIMIT_DIMS; i++)
        t->dims[i] = i < t->n_dims ? (int64_t)dims[t->n_dims - 1 - i] : 1;
    return TRUENO_OK;
}

/* One row of the tensor table; t->offset is still relative to the data's begin. */
static trueno_status read_tensor(apr_model *m, gguf_file *f, apr_tensor *t, trueno_error *err)
{
    apr_reader *r = &f->reader;
    uint64_t dims[APR_LIMIT_DIMS];
    apr_storage_type type;
    uint32_t id;
    trueno_status status;

    if ((status = apr_gguf_read_name(m, r, "tensor", APR_LIMIT_NAME_BYTES, &t->name, err)) < 0 ||
        (status = read_shape(r, t, dims, err)) < 0 ||
        (status = apr_read_u32(r, "element type", &id, err)) < 0 ||
        (status = apr_read_u64(r, "offset", &t->offset, err)) < 0)
        return status;
    if (id >= APR_TYPE_U8 || apr_storage_type_get(id, &type) != 0)
        return apr_reader_fail(r, TRUENO_UNSUPPORTED, err, "element type %u is not known", id);
    t->type = (trueno_type)id;
    t->file = f->index;
    if (t->offset % f->alignment != 0)
        return apr_reader_fail(r, TRUENO_FORMAT, err, "offset %llu is no multiple of %zu",
                               (unsigned long long)t->offset, f->alignment);
    return tensor_bytes(r, &type, dims, &t->bytes, err);
}

/* Where a tensor's data lie, after the table: all of it must be in the file. */
static trueno_status place_tensor(const gguf_file *f, apr_tensor *t, trueno_error *err)
{
    const apr_reader *r = &f->reader;
    size_t left = apr_reader_left(r);

    if (t->offset > left || t->bytes > left - t->offset)
        return trueno_fail(err, TRUENO_FORMAT,
                           "%s: tensor %s of %llu bytes at byte %llu of the data, which has %zu",
                           r->file, t->name, (unsigned long long)t->bytes,
                           (unsigned long long)t->offset, left);
    t->offset += r->position;
    t->data = r->data + t->offset;
    return TRUENO_OK;
}

static trueno_status read_tensors(apr_model *m, gguf_file *f, apr_tensor *tensors,
                                  trueno_error *err)
{
    trueno_status status = TRUENO_OK;

    for (uint64_t i = 0; i < f->header.n_tensors && status == TRUENO_OK; i++)
        status = read_tensor(m, f, &tensors[i], err);
    f->reader.item[0] = '\0';
    if (status < 0 || f->header.n_tensors == 0)
        return status;
    if (!apr_reader_align(&f->reader, f->alignment))
        return apr_reader_fail(&f->reader, TRUENO_FORMAT, err,
                               "the file ends before its tensors' data");
    for (uint64_t i = 0; i < f->header.n_tensors && status == TRUENO_OK; i++)
        status = place_tensor(f, &tensors[i], err);
    return status;
}

static trueno_status read_alignment(const apr_model *m, gguf_file *f, const char *path,
                                    trueno_error *err)
{
    const apr_meta *meta = apr_model_meta_find(m, "general.alignment");

    f->alignment = DEFAULT_ALIGNMENT;
    if (meta == NULL)
        return TRUENO_OK;
    if (meta->kind != APR_META_UINT)
        return trueno_fail(err, TRUENO_FORMAT, "%s: general.alignment is of type %s, wanted u32",
                           path, meta->type_name);
    if (meta->u == 0 || meta->u > APR_LIMIT_ALIGNMENT || (meta->u & (meta->u - 1)) != 0)
        return trueno_fail(err, TRUENO_FORMAT,
                           "%s: general.alignment is %llu, allowed are powers of two up to %d",
                           path, (unsigned long long)meta->u, APR_LIMIT_ALIGNMENT);
    f->alignment = (size_t)meta->u;
    return TRUENO_OK;
}

static void begin_file(const apr_model *m, gguf_file *f, size_t index)
{
    const apr_source *source = &m->sources[index];

    *f = (gguf_file){.index = (int32_t)index};
    f->reader =
        (apr_reader){.data = source->map.data, .bytes = source->map.bytes, .file = source->path};
}

/*
 * Header and keys of one file. The keys of the first file are the model's; those of further parts
 * are indexed in its place only while the part is read.
 */
static trueno_status read_file_keys(apr_model *m, gguf_file *f, trueno_error *err)
{
    trueno_status status;

    if ((status = read_header(f, err)) < 0)
        return status;
    m->n_meta = 0;
    if ((status = apr_model_allocate(m, &m->meta, f->header.n_keys, sizeof *m->meta,
                                     "key-value table", err)) < 0)
        return status;
    m->n_meta = f->header.n_keys;
    if ((status = apr_gguf_read_keys(m, &f->reader, m->meta, m->n_meta, err)) < 0 ||
        (status = apr_model_index_meta(m, err)) < 0)
        return status;
    return read_alignment(m, f, f->reader.file, err);
}

static trueno_status read_file_tensors(apr_model *m, gguf_file *f, size_t room, trueno_error *err)
{
    trueno_status status;

    if (f->header.n_tensors > room - m->n_tensors)
        return trueno_fail(err, TRUENO_IO, "%s: the file changed while it was read",
                           f->reader.file);
    status = read_tensors(m, f, m->tensors + m->n_tensors, err);
    if (status == TRUENO_OK)
        m->n_tensors += f->header.n_tensors;
    return status;
}

/* The file is missing: of a set that is an incomplete model, not a wrong path. */
static trueno_status add_part(apr_model *m, const char *path, int64_t number, int64_t count,
                              trueno_error *err)
{
    trueno_status status = apr_model_add_file(m, path, err);

    if (status != TRUENO_NOT_FOUND)
        return status;
    return trueno_fail(err, TRUENO_UNSUPPORTED, "%s: part %lld of %lld is missing", path,
                       (long long)number + 1, (long long)count);
}

/* Keys of part `number`, which only have to say that it is that part; then its tensors. */
static trueno_status read_part(apr_model *m, int64_t number, int64_t count, size_t room,
                               trueno_error *err)
{
    apr_model part = *m; /* its keys are its own and are dropped again */
    int64_t its_number, its_count;
    gguf_file f;
    trueno_status status;

    begin_file(m, &f, (size_t)number);
    part.arena = (trueno_arena){.allocator = m->arena.allocator};
    part.path = f.reader.file;
    if ((status = read_file_keys(&part, &f, err)) == TRUENO_OK &&
        (status = apr_gguf_split(&part, &its_number, &its_count, err)) == TRUENO_OK &&
        (its_number != number || its_count != count))
        status = trueno_fail(err, TRUENO_FORMAT,
                             "%s: says it is part %lld of %lld, wanted part %lld of %lld",
                             part.path, (long long)its_number + 1, (long long)its_count,
                             (long long)number + 1, (long long)count);
    trueno_arena_free(&part.arena);
    return status < 0 ? status : read_file_tensors(m, &f, room, err);
}

/* Map the other parts, and count the tensors of all by their headers. */
static trueno_status map_parts(apr_model *m, int64_t count, size_t *total, trueno_error *err)
{
    apr_source *sources;
    char path[PATH_MAX];
    gguf_file f;
    trueno_status status;

    if ((status = apr_model_allocate(m, &sources, (size_t)count, sizeof *sources, "files", err)) <
        0)
        return status;
    sources[0] = m->sources[0];
    m->sources = sources;
    for (int64_t i = 1; i < count; i++) {
        if ((status = apr_gguf_split_path(m->path, i, count, path, sizeof path, err)) < 0 ||
            (status = add_part(m, path, i, count, err)) < 0)
            return status;
        begin_file(m, &f, (size_t)i);
        if ((status = read_header(&f, err)) < 0)
            return status;
        *total += f.header.n_tensors;
    }
    return TRUENO_OK;
}

/* All tensors of the file, or of the files of the set in order. */
static trueno_status read_set(apr_model *m, gguf_file *first, trueno_error *err)
{
    size_t total = first->header.n_tensors;
    int64_t number, count, announced;
    trueno_status status;

    if ((status = apr_gguf_split(m, &number, &count, err)) < 0)
        return status;
    if (number != 0)
        return trueno_fail(err, TRUENO_FORMAT, "%s: says it is part %lld, wanted part 1",
                           first->reader.file, (long long)number + 1);
    if (count > 1 && (status = map_parts(m, count, &total, err)) < 0)
        return status;
    announced = (int64_t)total;
    if (count > 1 && (status = apr_gguf_integer(m, "split.tensors.count", 0, APR_LIMIT_GGUF_TENSORS,
                                                &announced, err)) < 0)
        return status;
    if ((size_t)announced != total || total > APR_LIMIT_GGUF_TENSORS)
        return trueno_fail(err, TRUENO_FORMAT,
                           "%s: %zu tensors in the set, split.tensors.count is %lld", m->path,
                           total, (long long)announced);
    status = apr_model_allocate(m, &m->tensors, total, sizeof *m->tensors, "tensor table", err);
    if (status == TRUENO_OK)
        status = read_file_tensors(m, first, total, err);
    for (int64_t i = 1; i < count && status == TRUENO_OK; i++)
        status = read_part(m, i, count, total, err);
    return status;
}

/* A set opened by another part than its first: begin again with that one, whose keys count. */
static trueno_status begin_with_first_part(apr_model *m, gguf_file *f, trueno_error *err)
{
    int64_t number, count;
    char path[PATH_MAX];
    trueno_status status;

    if ((status = apr_gguf_split(m, &number, &count, err)) < 0 || count <= 1)
        return status;
    if (!m->sources[0].map.mapped)
        return trueno_fail(err, TRUENO_UNSUPPORTED, "%s: one of %lld parts; the others are needed",
                           m->path, (long long)count);
    if ((status = apr_gguf_split_path(m->path, 0, count, path, sizeof path, err)) < 0 ||
        number == 0)
        return status;
    trueno_map_close(&m->sources[0].map);
    m->n_sources = 0;
    if ((status = add_part(m, path, 0, count, err)) < 0)
        return status;
    begin_file(m, f, 0);
    return read_file_keys(m, f, err);
}

/* Entries of other formats that a conversion put into one key become entries again. */
static trueno_status open_bag(apr_model *m, trueno_error *err)
{
    const apr_meta *bag = apr_model_meta_find(m, APR_SOURCE_BAG);
    json_t *object;
    trueno_status status;

    if (bag == NULL || bag->kind != APR_META_STRING ||
        apr_json_parse(m->path, bag->text.data, bag->text.length, &object, NULL) < 0)
        return TRUENO_OK;
    if (m->defaults.do_sample < 0 && json_is_true(json_object_get(object, APR_SOURCE_DO_SAMPLE)))
        m->defaults.do_sample = 1;
    status = apr_source_take(m, object, err);
    json_decref(object);
    return status < 0 ? status : apr_model_index_meta(m, err);
}

trueno_status apr_gguf_read(apr_model *m, trueno_error *err)
{
    gguf_file first;
    trueno_status status;

    begin_file(m, &first, 0);
    if ((status = read_file_keys(m, &first, err)) < 0 ||
        (status = begin_with_first_part(m, &first, err)) < 0 ||
        (status = read_set(m, &first, err)) < 0)
        return status;
    m->format = first.header.version == 2 ? "GGUF v2" : "GGUF v3";
    if ((status = apr_model_index_tensors(m, err)) < 0 ||
        (status = apr_model_check_extents(m, err)) < 0 ||
        (status = apr_gguf_read_config(m, err)) < 0 || (status = apr_gguf_read_vocab(m, err)) < 0 ||
        (status = apr_gguf_config_from_tensors(m, err)) < 0 || (status = open_bag(m, err)) < 0)
        return status;
    return apr_model_assign_roles(m, APR_NAMES_GGUF, err);
}
