/* SPDX-License-Identifier: MIT */
/* Importance matrices: gathered, written and read. */
#include <apr/importance.h>

#include "buffer.h"
#include "output.h"
#include "reader.h"
#include <apr/model.h>
#include <endian.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <trueno/sys/mapfile.h>

enum { NAME_BYTES = 256, MOST_ENTRIES = 1 << 20, MOST_WIDTH = 1 << 24, ROWS_IN_A_CALL = 512 };

typedef struct entry {
    char name[NAME_BYTES];
    int32_t width;    /* of all parts */
    int32_t parts;    /* experts of a stack, each of width / parts values; else 1 */
    double *sums;     /* [width] of squares */
    float *means;     /* [width] */
    double *n_rows;   /* [parts], that the sums are over */
    double most_rows; /* of a part */
} entry;

struct apr_importance {
    entry *entries;
    size_t n, room;
    int32_t chunks;
};

trueno_status apr_importance_new(apr_importance **out, trueno_error *err)
{
    *out = calloc(1, sizeof **out);
    return *out != NULL ? TRUENO_OK
                        : trueno_fail(err, TRUENO_NO_MEMORY, "no memory for an importance matrix");
}

void apr_importance_free(apr_importance *m)
{
    for (size_t i = 0; m != NULL && i < m->n; i++) {
        free(m->entries[i].sums);
        free(m->entries[i].means);
        free(m->entries[i].n_rows);
    }
    if (m != NULL)
        free(m->entries);
    free(m);
}

static entry *find(const apr_importance *m, const char *name)
{
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->entries[i].name, name) == 0)
            return &m->entries[i];
    return NULL;
}

/* A new entry of zeros; its name is a text of `length` bytes. `width` is that of all parts. */
static trueno_status add_entry(apr_importance *m, const char *name, size_t length, int32_t width,
                               int32_t parts, entry **out, trueno_error *err)
{
    entry *e;

    if (length == 0 || length >= NAME_BYTES || memchr(name, '\0', length) != NULL)
        return trueno_fail(err, TRUENO_USAGE, "a name of %zu bytes, allowed are 1 to %d", length,
                           NAME_BYTES - 1);
    if (m->n == m->room) {
        const size_t room = m->room > 0 ? 2 * m->room : 256;
        entry *larger = realloc(m->entries, room * sizeof *larger);

        if (larger == NULL)
            return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %zu matrices", room);
        m->entries = larger;
        m->room = room;
    }
    e = &m->entries[m->n];
    *e = (entry){.width = width,
                 .parts = parts,
                 .sums = calloc((size_t)width, sizeof(double)),
                 .means = calloc((size_t)width, sizeof(float)),
                 .n_rows = calloc((size_t)parts, sizeof(double))};
    memcpy(e->name, name, length);
    m->n++; /* so that it is freed */
    *out = e;
    if (e->sums == NULL || e->means == NULL || e->n_rows == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %d inputs of %s", width, e->name);
    return TRUENO_OK;
}

/* Of an expert that saw no row all inputs weigh the same. */
static void set_means(entry *e, int32_t part)
{
    const int32_t width = e->width / e->parts;
    const double n = e->n_rows[part];

    for (int32_t i = part * width; i < (part + 1) * width; i++)
        e->means[i] = n > 0 ? (float)(e->sums[i] / n) : 1;
    e->most_rows = n > e->most_rows ? n : e->most_rows;
}

/* Add rows to a part; all parts have their weights from the first rows of any on. */
static trueno_status add_rows(entry *e, int32_t part, const float *rows, int32_t n_rows,
                              int32_t width, trueno_error *err)
{
    double *sums = e->sums + (size_t)part * (size_t)width;

    for (int32_t r = 0; r < n_rows; r++)
        for (int32_t i = 0; i < width; i++) {
            const double x = rows[(size_t)r * (size_t)width + (size_t)i];

            if (!isfinite(x))
                return trueno_fail(err, TRUENO_CONTENT, "%s: input %d is not finite", e->name, i);
            sums[i] += x * x;
        }
    e->n_rows[part] += n_rows;
    set_means(e, part);
    return TRUENO_OK;
}

trueno_status apr_importance_add_expert(apr_importance *m, const char *name, int32_t expert,
                                        int32_t n_experts, const float *rows, int32_t n_rows,
                                        int32_t width, trueno_error *err)
{
    entry *e = find(m, name);
    trueno_status status;

    if (expert < 0 || expert >= n_experts || width < 1 || n_experts > MOST_WIDTH / width)
        return trueno_fail(err, TRUENO_USAGE, "%s: inputs of %d values, expert %d of %d", name,
                           width, expert, n_experts);
    if (e == NULL) {
        status = add_entry(m, name, strlen(name), n_experts * width, n_experts, &e, err);
        if (status < 0)
            return status;
        for (int32_t i = 0; i < n_experts; i++)
            set_means(e, i);
    }
    if (e->parts != n_experts || e->width / e->parts != width)
        return trueno_fail(err, TRUENO_USAGE, "%s: inputs of %d and of %d values", name,
                           e->width / e->parts, width);
    return add_rows(e, expert, rows, n_rows, width, err);
}

trueno_status apr_importance_add(apr_importance *m, const char *name, const float *rows,
                                 int32_t n_rows, int32_t width, trueno_error *err)
{
    return apr_importance_add_expert(m, name, 0, 1, rows, n_rows, width, err);
}

void apr_importance_end_chunk(apr_importance *m)
{
    m->chunks++;
}

size_t apr_importance_count(const apr_importance *m)
{
    return m->n;
}

int32_t apr_importance_chunks(const apr_importance *m)
{
    return m->chunks;
}

const float *apr_importance_find(const apr_importance *m, const char *name, int64_t width)
{
    const entry *e = find(m, name);

    return e != NULL && e->width == width && e->most_rows > 0 ? e->means : NULL;
}

static void put_int(apr_buffer *b, int32_t v)
{
    v = (int32_t)htole32((uint32_t)v);
    apr_buffer_append(b, &v, sizeof v);
}

/* Values are means times the number of calls, which the reader divides by. */
static void put_entry(apr_buffer *b, const entry *e)
{
    const double calls = e->most_rows < ROWS_IN_A_CALL ? 1 : floor(e->most_rows / ROWS_IN_A_CALL);

    put_int(b, (int32_t)strlen(e->name));
    apr_buffer_append(b, e->name, strlen(e->name));
    put_int(b, (int32_t)calls);
    put_int(b, e->width);
    for (int32_t i = 0; i < e->width; i++) {
        const float value = (float)(e->means[i] * calls);
        uint32_t bits;

        memcpy(&bits, &value, sizeof bits);
        put_int(b, (int32_t)bits);
    }
}

trueno_status apr_importance_write(const apr_importance *m, const char *path, const char *dataset,
                                   bool force, trueno_error *err)
{
    apr_buffer b = {0};
    apr_output out = {.fd = -1};
    trueno_status status = TRUENO_OK;

    put_int(&b, (int32_t)m->n);
    for (size_t i = 0; i < m->n; i++)
        put_entry(&b, &m->entries[i]);
    put_int(&b, m->chunks);
    put_int(&b, (int32_t)strlen(dataset));
    apr_buffer_append(&b, dataset, strlen(dataset));
    if (b.failed)
        status = trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for the file", path);
    if (status == TRUENO_OK && (status = apr_output_open(&out, path, force, err)) == TRUENO_OK &&
        (status = apr_output_write(&out, b.data, b.length, err)) == TRUENO_OK &&
        (status = apr_output_finish(&out, err)) == TRUENO_OK)
        status = apr_output_commit(&out, err);
    apr_output_abandon(&out);
    apr_buffer_free(&b);
    return status;
}

static trueno_status check_value(const apr_reader *r, double x, trueno_error *err)
{
    return isfinite(x) && x >= 0
               ? TRUENO_OK
               : apr_reader_fail(r, TRUENO_CONTENT, err, "a mean square is %g", x);
}

static trueno_status read_entry(apr_importance *m, apr_reader *r, trueno_error *err)
{
    const uint8_t *name = NULL, *values = NULL;
    uint32_t length = 0, calls = 0, width = 0;
    entry *e;
    trueno_status status;

    if ((status = apr_read_u32(r, "length of a name", &length, err)) < 0)
        return status;
    if (length == 0 || length >= NAME_BYTES)
        return apr_reader_fail(r, TRUENO_FORMAT, err, "a name of %u bytes, allowed are 1 to %d",
                               length, NAME_BYTES - 1);
    if ((status = apr_read_bytes(r, "name", length, &name, err)) < 0 ||
        (status = apr_read_u32(r, "number of calls", &calls, err)) < 0 ||
        (status = apr_read_u32(r, "number of values", &width, err)) < 0)
        return status;
    if (width == 0 || width > MOST_WIDTH || calls > INT32_MAX)
        return apr_reader_fail(r, TRUENO_FORMAT, err, "%u values over %u calls", width, calls);
    if ((status = apr_read_bytes(r, "values", (size_t)width * sizeof(float), &values, err)) < 0 ||
        (status = add_entry(m, (const char *)name, length, (int32_t)width, 1, &e, err)) < 0)
        return status;
    e->n_rows[0] = calls;
    for (uint32_t i = 0; i < width; i++) {
        uint32_t bits;
        float x;

        memcpy(&bits, values + (size_t)i * sizeof bits, sizeof bits);
        bits = le32toh(bits);
        memcpy(&x, &bits, sizeof x);
        if ((status = check_value(r, (double)x, err)) < 0)
            return status;
        e->sums[i] = (double)x;
    }
    set_means(e, 0);
    return TRUENO_OK;
}

static trueno_status read_old(apr_importance *m, apr_reader *r, trueno_error *err)
{
    uint32_t n = 0, chunks = 0;
    trueno_status status = apr_read_u32(r, "number of matrices", &n, err);

    if (status < 0)
        return status;
    if (n == 0 || n > MOST_ENTRIES)
        return apr_reader_fail(r, TRUENO_FORMAT, err, "%u matrices, allowed are 1 to %d", n,
                               MOST_ENTRIES);
    for (uint32_t i = 0; i < n && status == TRUENO_OK; i++)
        status = read_entry(m, r, err);
    if (status < 0 || r->position == r->bytes) /* the oldest files end here */
        return status;
    status = apr_read_u32(r, "number of chunks", &chunks, err);
    m->chunks = chunks <= INT32_MAX ? (int32_t)chunks : 0;
    return status;
}

/* Sums of squares and numbers of rows as floats, which may lie unaligned. */
static trueno_status take_sums(entry *e, const apr_reader *r, const char *sums, const char *counts,
                               trueno_error *err)
{
    trueno_status status = TRUENO_OK;
    float x;

    for (int32_t i = 0; i < e->width && status == TRUENO_OK; i++) {
        memcpy(&x, sums + (size_t)i * sizeof x, sizeof x);
        status = check_value(r, (double)x, err);
        e->sums[i] = (double)x;
    }
    for (int32_t i = 0; i < e->parts && status == TRUENO_OK; i++) {
        memcpy(&x, counts + (size_t)i * sizeof x, sizeof x);
        status = check_value(r, (double)x, err);
        e->n_rows[i] = (double)x;
        set_means(e, i);
    }
    return status;
}

/* "NAME.in_sum2" holds sums of squares, "NAME.counts" over how many rows. */
static trueno_status read_sums(apr_importance *m, const apr_reader *r, const apr_model *file,
                               const apr_tensor *t, trueno_error *err)
{
    static const char SUMS[] = ".in_sum2";
    const size_t length = strlen(t->name), stem = length - (sizeof SUMS - 1);
    char counts_name[NAME_BYTES + 16];
    const apr_tensor *counts;
    entry *e;
    trueno_status status;

    if (length < sizeof SUMS || strcmp(t->name + stem, SUMS) != 0 || stem >= NAME_BYTES)
        return TRUENO_OK;
    (void)snprintf(counts_name, sizeof counts_name, "%.*s.counts", (int)stem, t->name);
    counts = apr_model_find(file, counts_name);
    if (counts == NULL || t->type != TRUENO_F32 || counts->type != TRUENO_F32)
        return apr_reader_fail(r, TRUENO_FORMAT, err, "%s has no %s of floats", t->name,
                               counts_name);
    if (apr_tensor_elements(counts) > apr_tensor_elements(t) ||
        apr_tensor_elements(t) % apr_tensor_elements(counts) != 0 ||
        apr_tensor_elements(t) > MOST_WIDTH)
        return apr_reader_fail(r, TRUENO_FORMAT, err, "%s has %llu values, %s %llu", t->name,
                               (unsigned long long)apr_tensor_elements(t), counts_name,
                               (unsigned long long)apr_tensor_elements(counts));
    status = add_entry(m, t->name, stem, (int32_t)apr_tensor_elements(t),
                       (int32_t)apr_tensor_elements(counts), &e, err);
    return status < 0 ? status : take_sums(e, r, t->data, counts->data, err);
}

static trueno_status read_gguf(apr_importance *m, const apr_reader *r, trueno_error *err)
{
    apr_model_options options;
    apr_model *file;
    trueno_status status;

    apr_model_options_init(&options, sizeof options);
    options.vocab_only = true;
    if ((status = apr_model_open_memory(&file, r->data, r->bytes, &options, err)) < 0)
        return trueno_prefix(err, r->file);
    for (size_t i = 0; i < apr_model_tensor_count(file) && status == TRUENO_OK; i++)
        status = read_sums(m, r, file, apr_model_tensor(file, i), err);
    if (status == TRUENO_OK && m->n == 0)
        status = apr_reader_fail(r, TRUENO_FORMAT, err, "no importance matrix is in the file");
    if (apr_model_meta_find(file, "imatrix.chunk_count") != NULL)
        m->chunks = (int32_t)apr_model_meta_find(file, "imatrix.chunk_count")->u;
    apr_model_close(file);
    return status;
}

trueno_status apr_importance_open(apr_importance **out, const char *path, trueno_error *err)
{
    trueno_map map;
    apr_importance *m;
    trueno_status status = apr_importance_new(&m, err);

    *out = NULL;
    if (status < 0)
        return status;
    if ((status = trueno_map_open(&map, path, err)) == TRUENO_OK) {
        apr_reader r = {.data = map.data, .bytes = map.bytes, .file = path};

        status = map.bytes >= 4 && memcmp(map.data, "GGUF", 4) == 0 ? read_gguf(m, &r, err)
                                                                    : read_old(m, &r, err);
        trueno_map_close(&map);
    }
    if (status < 0) {
        apr_importance_free(m);
        return status;
    }
    *out = m;
    return TRUENO_OK;
}
