/* SPDX-License-Identifier: MIT */
/*
 * Reader of .apr files: a 64-byte header, JSON metadata, an index sorted by name, aligned tensors,
 * and checksums over all of it. The layout is described in docs/formats/apr.md.
 */
#include "apr.h"
#include "apr_dialects.h"
#include "apr_payload.h"

#include "../config.h"
#include "../file_limits.h"
#include "../formats.h"
#include "../reader.h"
#include "../storage_types.h"
#include <endian.h>
#include <string.h>
#include <zlib.h>

bool apr_format_probe_apr(const uint8_t *data, size_t bytes)
{
    return bytes >= 4 && memcmp(data, "APR", 3) == 0;
}

static void put16(uint8_t *p, uint16_t v)
{
    v = htole16(v);
    memcpy(p, &v, sizeof v);
}

static void put32(uint8_t *p, uint32_t v)
{
    v = htole32(v);
    memcpy(p, &v, sizeof v);
}

static void put64(uint8_t *p, uint64_t v)
{
    v = htole64(v);
    memcpy(p, &v, sizeof v);
}

/* CRC-32 of a header without its own four bytes. */
static uint32_t header_checksum(const uint8_t header[APR_HEADER_BYTES])
{
    uLong crc = crc32(0, header, APR_AT_CHECKSUM);

    return (uint32_t)crc32(crc, header + APR_AT_TABLES_CHECKSUM,
                           APR_HEADER_BYTES - APR_AT_TABLES_CHECKSUM);
}

void apr_header_encode(const apr_header *h, uint8_t out[APR_HEADER_BYTES])
{
    memset(out, 0, APR_HEADER_BYTES);
    memcpy(out, "APR", 4);
    out[4] = h->major;
    out[5] = h->minor;
    put16(out + 6, h->flags);
    put32(out + 8, h->n_tensors);
    put64(out + 12, h->metadata_offset);
    put32(out + 20, h->metadata_bytes);
    put64(out + 24, h->index_offset);
    put64(out + 32, h->data_offset);
    put32(out + APR_AT_TABLES_CHECKSUM, h->tables_checksum);
    put32(out + APR_AT_CHECKSUM, header_checksum(out));
}

/* Magics of other formats of the name, which are told apart in words only. */
static trueno_status check_magic(const apr_reader *r, const uint8_t *magic, trueno_error *err)
{
    static const struct {
        char magic[5];
        const char *what;
    } OTHERS[] = {{"APRN", "version 1 of .apr, for classic machine learning models"},
                  {"APR1", "whisper.apr; convert it from its source again"}};

    if (memcmp(magic, "APR\0", 4) == 0 || memcmp(magic, "APR2", 4) == 0)
        return TRUENO_OK;
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++)
        if (memcmp(magic, OTHERS[i].magic, 4) == 0)
            return apr_reader_fail(r, TRUENO_UNSUPPORTED, err, "%s; not read", OTHERS[i].what);
    return apr_reader_fail(r, TRUENO_FORMAT, err, "the magic is no APR and a zero byte");
}

static trueno_status read_fields(apr_reader *r, apr_header *h, trueno_error *err)
{
    const uint8_t *magic = NULL, *reserved = NULL;
    trueno_status status;

    if ((status = apr_read_bytes(r, "magic", 4, &magic, err)) < 0 ||
        (status = check_magic(r, magic, err)) < 0 ||
        (status = apr_read_u8(r, "version", &h->major, err)) < 0 ||
        (status = apr_read_u8(r, "version", &h->minor, err)) < 0 ||
        (status = apr_read_u16(r, "flags", &h->flags, err)) < 0 ||
        (status = apr_read_u32(r, "number of tensors", &h->n_tensors, err)) < 0 ||
        (status = apr_read_u64(r, "metadata offset", &h->metadata_offset, err)) < 0 ||
        (status = apr_read_u32(r, "metadata size", &h->metadata_bytes, err)) < 0 ||
        (status = apr_read_u64(r, "index offset", &h->index_offset, err)) < 0 ||
        (status = apr_read_u64(r, "data offset", &h->data_offset, err)) < 0 ||
        (status = apr_read_u32(r, "header checksum", &h->checksum, err)) < 0 ||
        (status = apr_read_u32(r, "checksum of metadata and index", &h->tables_checksum, err)) < 0)
        return status;
    return apr_read_bytes(r, "reserved bytes", 16, &reserved, err);
}

/* What the flags say that this reader cannot do, or must not. */
static trueno_status check_flags(const apr_reader *r, uint16_t flags, trueno_error *err)
{
    static const struct {
        uint16_t flag;
        const char *what;
    } REFUSED[] = {{APR_FLAG_COLUMN_MAJOR, "its matrices are column-major, which .apr forbids"},
                   {APR_FLAG_ENCRYPTED, "encrypted"},
                   {APR_FLAG_SIGNED, "signed; the signature cannot be checked"},
                   {APR_FLAG_SHARDED, "one of several shards"},
                   {(uint16_t)~0x1fff, "unknown flags"}};

    for (size_t i = 0; i < sizeof REFUSED / sizeof REFUSED[0]; i++)
        if ((flags & REFUSED[i].flag) != 0)
            return apr_reader_fail(r, TRUENO_UNSUPPORTED, err, "flags 0x%04x: %s; not read", flags,
                                   REFUSED[i].what);
    return TRUENO_OK;
}

/* A mismatch that a lenient reader lets pass, in words. */
static trueno_status wrong_checksum(const apr_model *m, const apr_reader *r, const char *what,
                                    uint32_t found, uint32_t computed, trueno_error *err)
{
    trueno_status status = apr_reader_fail(
        r, TRUENO_FORMAT, err, "the checksum of %s is %08x, computed %08x: the file is damaged",
        what, found, computed);

    return apr_model_tolerate(m, status, err);
}

/* Metadata, index and data in this order, aligned, within the file. */
static trueno_status check_places(const apr_reader *r, const apr_header *h, trueno_error *err)
{
    const uint64_t end = r->bytes >= APR_FOOTER_BYTES ? r->bytes - APR_FOOTER_BYTES : 0;

    if (h->metadata_offset != APR_HEADER_BYTES || h->index_offset % APR_ALIGNMENT != 0 ||
        h->data_offset % APR_ALIGNMENT != 0)
        return apr_reader_fail(r, TRUENO_FORMAT, err,
                               "metadata at %llu (wanted %d), index at %llu, data at %llu (wanted "
                               "multiples of %d)",
                               (unsigned long long)h->metadata_offset, APR_HEADER_BYTES,
                               (unsigned long long)h->index_offset,
                               (unsigned long long)h->data_offset, APR_ALIGNMENT);
    if (h->metadata_bytes > APR_LIMIT_METADATA_BYTES)
        return apr_reader_fail(r, TRUENO_FORMAT, err, "%u bytes of metadata, at most %d allowed",
                               h->metadata_bytes, APR_LIMIT_METADATA_BYTES);
    if (h->data_offset > end || h->index_offset > h->data_offset ||
        h->index_offset < APR_HEADER_BYTES ||
        h->metadata_bytes > h->index_offset - APR_HEADER_BYTES)
        return apr_reader_fail(r, TRUENO_FORMAT, err,
                               "%u bytes of metadata, index at %llu, data at %llu do not fit the "
                               "file of %zu bytes",
                               h->metadata_bytes, (unsigned long long)h->index_offset,
                               (unsigned long long)h->data_offset, r->bytes);
    if (h->n_tensors > APR_LIMIT_TENSORS ||
        h->n_tensors > (h->data_offset - h->index_offset) / APR_INDEX_LEAST)
        return apr_reader_fail(r, TRUENO_FORMAT, err,
                               "%u tensors do not fit an index of %llu bytes", h->n_tensors,
                               (unsigned long long)(h->data_offset - h->index_offset));
    return TRUENO_OK;
}

static trueno_status read_header(const apr_model *m, apr_reader *r, apr_header *h,
                                 trueno_error *err)
{
    uint32_t computed;
    trueno_status status;

    if ((status = read_fields(r, h, err)) < 0)
        return status;
    if (h->major != APR_VERSION_MAJOR)
        return apr_reader_fail(r, TRUENO_UNSUPPORTED, err, "version %u.%u, read is 2", h->major,
                               h->minor);
    computed = header_checksum(r->data);
    if (h->checksum != computed &&
        (status = wrong_checksum(m, r, "the header", h->checksum, computed, err)) < 0)
        return status;
    if ((status = check_flags(r, h->flags, err)) < 0 || (status = check_places(r, h, err)) < 0)
        return status;
    if ((h->flags & APR_FLAG_TABLES_CHECKSUM) == 0)
        return TRUENO_OK;
    computed =
        (uint32_t)crc32_z(0, r->data + APR_HEADER_BYTES, (size_t)h->data_offset - APR_HEADER_BYTES);
    if (h->tables_checksum != computed)
        return wrong_checksum(m, r, "metadata and index", h->tables_checksum, computed, err);
    return TRUENO_OK;
}

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

/* Bytes that type and dimensions ask for must be those of the entry. */
static trueno_status check_size(const apr_reader *r, const apr_tensor *t, trueno_error *err)
{
    uint64_t elements = 1, bytes;
    apr_storage_type type;

    if ((int)t->type >= APR_TYPE_U8 || apr_storage_type_get(t->type, &type) != 0)
        return apr_reader_fail(r, TRUENO_UNSUPPORTED, err, "element type %d is not known", t->type);
    for (int i = 0; i < t->n_dims; i++)
        if (__builtin_mul_overflow(elements, (uint64_t)t->dims[i], &elements))
            return apr_reader_fail(r, TRUENO_FORMAT, err, "too many elements");
    if (t->dims[t->n_dims - 1] % type.block != 0 ||
        __builtin_mul_overflow(elements / (uint64_t)type.block, (uint64_t)type.bytes, &bytes) ||
        bytes != t->bytes)
        return apr_reader_fail(
            r, TRUENO_FORMAT, err, "%llu elements of %s do not take the %llu bytes of its entry",
            (unsigned long long)elements, type.name, (unsigned long long)t->bytes);
    return TRUENO_OK;
}

/* Move an entry's offset from the data's begin to the file's, and point at its bytes. */
static trueno_status place(const apr_reader *r, const apr_header *h, const apr_dialect *dialect,
                           apr_tensor *t, trueno_error *err)
{
    const uint64_t end = r->bytes - (dialect->footer ? APR_FOOTER_BYTES : 0);

    if (t->offset % APR_ALIGNMENT != 0 || t->offset > end - h->data_offset ||
        t->bytes > end - h->data_offset - t->offset)
        return apr_reader_fail(r, TRUENO_FORMAT, err,
                               "%llu bytes at byte %llu of the data: unaligned, or past their end "
                               "at %llu",
                               (unsigned long long)t->bytes, (unsigned long long)t->offset,
                               (unsigned long long)(end - h->data_offset));
    t->offset += h->data_offset;
    t->data = r->data + t->offset;
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

static trueno_status read_entry(apr_model *m, apr_reader *r, const apr_dialect *dialect,
                                apr_tensor *t, trueno_error *err)
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
    if ((status = read_dims(r, t, err)) < 0 ||
        (status = apr_read_u64(r, "offset", &t->offset, err)) < 0 ||
        (status = apr_read_u64(r, "size", &t->bytes, err)) < 0 ||
        (status = find_type(r, dialect, t, err)) < 0)
        return status;
    return check_size(r, t, err);
}

static trueno_status read_index(apr_model *m, const apr_reader *file, const apr_header *h,
                                const apr_dialect *dialect, trueno_error *err)
{
    apr_reader r = *file;
    trueno_status status =
        apr_model_allocate(m, &m->tensors, h->n_tensors, sizeof *m->tensors, "tensor table", err);

    if (status < 0)
        return status;
    r.bytes = (size_t)h->data_offset; /* the index ends before the data */
    r.position = (size_t)h->index_offset;
    for (uint32_t i = 0; i < h->n_tensors; i++) {
        apr_tensor *t = &m->tensors[i];

        if ((status = read_entry(m, &r, dialect, t, err)) < 0)
            return status;
        if (i > 0 && dialect->sorted && strcmp(m->tensors[i - 1].name, t->name) >= 0)
            return apr_reader_fail(&r, TRUENO_FORMAT, err, "not in order after %s",
                                   m->tensors[i - 1].name);
        if ((status = place(file, h, dialect, t, err)) < 0)
            return status;
        m->n_tensors++;
    }
    if ((status = apr_model_index_tensors(m, err)) < 0)
        return status;
    return apr_model_check_extents(m, err);
}

static bool find_value(const void *data, const char *key, apr_meta *value)
{
    const json_t *found = json_object_get(data, key);

    if (found == NULL || json_is_null(found))
        return false;
    if (!apr_json_scalar(found, value))
        *value = (apr_meta){.kind = APR_META_JSON, .type_name = "a list or an object"};
    return true;
}

static trueno_status read_factors(apr_model *m, const json_t *metadata, const char *key, float *out,
                                  trueno_error *err)
{
    const json_t *list = json_object_get(metadata, key);
    size_t n = json_array_size(list);

    if (n > APR_MAX_ROPE_FACTORS || n != (size_t)m->config.n_rot / 2)
        return trueno_fail(err, TRUENO_UNSUPPORTED, "%s: %s has %zu entries, wanted %d", m->path,
                           key, n, m->config.n_rot / 2);
    for (size_t i = 0; i < n; i++)
        out[i] = (float)json_number_value(json_array_get(list, i));
    m->config.n_rope_factors = (int32_t)n;
    return TRUENO_OK;
}

static trueno_status read_config(apr_model *m, const json_t *metadata, const apr_dialect *dialect,
                                 trueno_error *err)
{
    const char *architecture = json_string_value(json_object_get(metadata, "architecture"));
    const char *name = json_string_value(json_object_get(metadata, "name"));
    apr_config_source source = {find_value, metadata, APR_COLUMN_APR, m->path, false, false};
    apr_config *c = &m->config;
    trueno_status status;

    if (architecture == NULL || strlen(architecture) >= sizeof c->architecture)
        return trueno_fail(err, TRUENO_FORMAT, "%s: metadata: architecture is missing or too long",
                           m->path);
    apr_copy_line(c->architecture, sizeof c->architecture,
                  (apr_text){architecture, (uint32_t)strlen(architecture)});
    if (name != NULL)
        apr_copy_line(c->name, sizeof c->name, (apr_text){name, (uint32_t)strlen(name)});
    m->architecture = apr_architecture_find(c->architecture);
    source.ours = m->architecture != NULL;
    source.complete = source.ours && !m->options.vocab_only;
    c->rope_type = -1; /* never guessed */
    if ((status = apr_config_read(c, &source, err)) < 0 ||
        (status = apr_config_finish(c, m->architecture, m->path, err)) < 0)
        return status;
    if (c->rope_type < 0)
        c->rope_type = apr_dialect_rope(dialect, m->architecture);
    if (source.complete && (c->rope_type < 0 || c->vocab_size == 0))
        return trueno_fail(err, TRUENO_FORMAT, "%s: metadata: rope_type or vocab_size is missing",
                           m->path);
    if (c->rope_scaling != APR_ROPE_SCALING_LONGROPE)
        return TRUENO_OK;
    status = read_factors(m, metadata, "rope_long_factors", c->rope_long_factors, err);
    return status < 0 ? status
                      : read_factors(m, metadata, "rope_short_factors", c->rope_short_factors, err);
}

static void read_defaults(apr_model *m, const json_t *metadata)
{
    const json_t *g = json_object_get(metadata, "generation");
    apr_generation_defaults *d = &m->defaults;
    const struct {
        const char *key;
        float *out;
    } rows[] = {{"temperature", &d->temperature},
                {"top_p", &d->top_p},
                {"min_p", &d->min_p},
                {"repetition_penalty", &d->repeat_penalty}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (json_is_number(json_object_get(g, rows[i].key)))
            *rows[i].out = (float)json_number_value(json_object_get(g, rows[i].key));
    if (json_is_integer(json_object_get(g, "top_k")))
        d->top_k = (int32_t)json_integer_value(json_object_get(g, "top_k"));
    if (json_is_boolean(json_object_get(g, "do_sample")))
        d->do_sample = json_is_true(json_object_get(g, "do_sample"));
}

/* Lists of the vocabulary, which apr_model_vocab() tells, stay out of the entries. */
static trueno_status keep_meta(apr_model *m, json_t *metadata, trueno_error *err)
{
    static const char *const LISTS[] = {"tokenizer.vocabulary",  "tokenizer.merges",
                                        "tokenizer.merge_pairs", "tokenizer.token_type",
                                        "tokenizer.token_flags", "tokenizer.scores"};

    for (size_t i = 0; i < sizeof LISTS / sizeof LISTS[0]; i++)
        (void)json_object_del(metadata, LISTS[i]);
    return apr_json_to_meta(m, metadata, "", err);
}

static trueno_status read_metadata(apr_model *m, json_t *metadata, const apr_dialect **dialect,
                                   trueno_error *err)
{
    const json_t *text = json_object_get(metadata, "chat_template");
    trueno_status status;

    if ((status = apr_dialect_find(m, metadata, dialect, err)) < 0 ||
        (status = read_config(m, metadata, *dialect, err)) < 0 ||
        (status = apr_format_read_vocab(m, metadata, err)) < 0)
        return status;
    read_defaults(m, metadata);
    if (json_is_string(text)) {
        m->chat_template =
            trueno_arena_string(&m->arena, json_string_value(text), json_string_length(text));
        if (m->chat_template == NULL)
            return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for the template", m->path);
    }
    if (m->has_vocab && m->config.vocab_size > 0 && m->vocab.n_tokens > m->config.vocab_size)
        return trueno_fail(err, TRUENO_UNSUPPORTED,
                           "%s: a vocabulary of %d tokens, but the model has only %d", m->path,
                           m->vocab.n_tokens, m->config.vocab_size);
    if ((status = keep_meta(m, metadata, err)) < 0)
        return status;
    return apr_model_index_meta(m, err);
}

/* The network of a classic model, as JSON text under the same header: its index is a list. */
static trueno_status check_index_form(const apr_reader *r, const apr_header *h, trueno_error *err)
{
    const uint8_t *index = r->data + h->index_offset;

    if (h->data_offset - h->index_offset < 2 || index[0] != '[' || index[1] > 127)
        return TRUENO_OK;
    if (index[1] != '{' && index[1] != ']' && index[1] != '\n' && index[1] != ' ')
        return TRUENO_OK;
    return apr_reader_fail(r, TRUENO_UNSUPPORTED, err,
                           "the index is JSON: a classic model's network, not read");
}

/* The file behind a compressed payload; a header whose checksum is wrong is told by read_header().
 */
static trueno_status expand_payload(apr_model *m, apr_reader *r, trueno_error *err)
{
    uint16_t flags;
    uint32_t stored;
    trueno_status status;

    if (r->bytes < APR_HEADER_BYTES || memcmp(r->data, "APR\0", 4) != 0)
        return TRUENO_OK;
    memcpy(&flags, r->data + 6, sizeof flags);
    memcpy(&stored, r->data + APR_AT_CHECKSUM, sizeof stored);
    flags = le16toh(flags) & (APR_FLAG_LZ4 | APR_FLAG_ZSTD);
    if (flags == 0 || le32toh(stored) != header_checksum(r->data))
        return TRUENO_OK;
    if ((status = apr_format_expand(m, flags, err)) < 0)
        return status;
    r->data = m->sources[0].map.data;
    r->bytes = m->sources[0].map.bytes;
    return TRUENO_OK;
}

/* CRC-32 of the whole file before the footer, which holds it. */
static trueno_status check_footer(apr_model *m, const apr_reader *file, trueno_error *err)
{
    apr_reader r = *file;
    uint32_t stored, computed;
    trueno_status status;

    r.position = r.bytes - APR_FOOTER_BYTES;
    if ((status = apr_read_u32(&r, "footer", &stored, err)) < 0)
        return status;
    computed = (uint32_t)crc32_z(0, r.data, r.bytes - APR_FOOTER_BYTES);
    m->checksum = stored == computed ? APR_CHECKSUM_VALID : APR_CHECKSUM_WRONG;
    if (stored == computed)
        return TRUENO_OK;
    return trueno_fail(err, TRUENO_CONTENT,
                       "%s: the file's checksum is %08x, computed %08x: weights are damaged",
                       m->path, stored, computed);
}

/* The metadata; keys that occur twice are let pass by lenient readers. */
static trueno_status parse_metadata(const apr_model *m, const apr_reader *r, const apr_header *h,
                                    json_t **out, trueno_error *err)
{
    const uint8_t *text = r->data + APR_HEADER_BYTES;
    trueno_error strict = {0}, last = {0};
    trueno_status status = apr_json_parse(m->path, text, h->metadata_bytes, out, &strict);

    if (status == TRUENO_OK)
        return TRUENO_OK;
    if (status == TRUENO_FORMAT && m->options.lenient &&
        apr_json_parse_last(m->path, text, h->metadata_bytes, out, &last) == TRUENO_OK)
        return apr_model_tolerate(m, status, &strict);
    return trueno_fail(err, status, "%s", strict.message);
}

trueno_status apr_format_read_apr(apr_model *m, trueno_error *err)
{
    const apr_source *source = &m->sources[0];
    apr_reader r = {.data = source->map.data, .bytes = source->map.bytes, .file = source->path};
    apr_header h;
    json_t *metadata;
    const apr_dialect *dialect = NULL;
    trueno_status status;

    if ((status = expand_payload(m, &r, err)) < 0 || (status = read_header(m, &r, &h, err)) < 0 ||
        (status = check_index_form(&r, &h, err)) < 0 ||
        (status = parse_metadata(m, &r, &h, &metadata, err)) < 0)
        return status;
    status = read_metadata(m, metadata, &dialect, err);
    json_decref(metadata);
    if (status < 0 || (status = read_index(m, &r, &h, dialect, err)) < 0)
        return status;
    if (m->options.verify && dialect->footer && (status = check_footer(m, &r, err)) < 0)
        return status;
    return apr_model_assign_roles(m, dialect->names, err);
}
