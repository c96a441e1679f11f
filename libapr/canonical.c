/* SPDX-License-Identifier: MIT */
/* Weights in the one convention that all formats can be brought into, read on all threads. */
#include "canonical.h"

#include "formats/write.h"
#include "moments.h"
#include "packed_tensors.h"
#include "plan_rows.h"
#include <string.h>
#include <trueno/cpu.h>
#include <trueno/sys/threads.h>
#include <zlib.h>

/* What one thread takes at a time; sums of chunks are joined in order. */
enum { CHUNK = 1 << 14 };

/* One tensor being read. */
typedef struct reading {
    const apr_canonical *c;
    const float *values; /* of the piece in hand */
    int64_t n;
    apr_moments *moments; /* of each chunk */
    uint32_t *crcs;
    apr_moments all;
    uint32_t crc;
    apr_percentiles *percentiles;
} reading;

trueno_status apr_canonical_open(apr_canonical *c, const apr_model *m, int32_t threads,
                                 trueno_error *err)
{
    const apr_convert_options as_it_is = {.size = sizeof as_it_is};
    const apr_plan_target target = apr_target_gguf(m);
    trueno_status status;

    *c = (apr_canonical){.model = m};
    if ((status = apr_plan_make(&c->plan, m, &target, &as_it_is, err)) < 0)
        return status;
    return trueno_pool_new(&c->pool, threads > 0 ? threads : trueno_cpu_default_threads(),
                           m->options.allocator, err);
}

void apr_canonical_close(apr_canonical *c)
{
    trueno_pool_free(c->pool);
    trueno_arena_free(&c->plan.arena);
}

const apr_planned *apr_canonical_find(const apr_canonical *c, const char *name)
{
    for (size_t i = 0; i < c->plan.n; i++)
        if (strcmp(c->plan.tensors[i].name, name) == 0)
            return &c->plan.tensors[i];
    return NULL;
}

const char *apr_canonical_type(const apr_planned *p)
{
    return apr_tensor_type_name(p->parts[0]);
}

bool apr_canonical_is_readable(const apr_planned *p)
{
    return trueno_type_get(p->parts[0]->type) != NULL;
}

bool apr_canonical_is_table(const char *name)
{
    static const apr_role TABLES[] = {APR_ROPE_FREQUENCIES, APR_ROPE_FACTORS_LONG,
                                      APR_ROPE_FACTORS_SHORT};
    char table[64];

    for (size_t i = 0; i < sizeof TABLES / sizeof TABLES[0]; i++) {
        apr_role_name(TABLES[i], -1, table, sizeof table);
        if (strcmp(table, name) == 0)
            return true;
    }
    return false;
}

static void read_chunks(void *context, int64_t begin, int64_t end, int thread)
{
    reading *r = context;

    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        const float *x = r->values + i * CHUNK;
        const int64_t left = r->n - i * CHUNK, n = left < CHUNK ? left : CHUNK;

        apr_moments_of(&r->moments[i], x, n);
        r->crcs[i] = (uint32_t)crc32_z(0, (const Bytef *)x, (size_t)n * sizeof *x);
    }
}

static trueno_status read_piece(void *user, const apr_piece *piece, trueno_error *err)
{
    reading *r = user;
    int64_t chunks;

    (void)err;
    r->values = piece->values;
    r->n = piece->rows * piece->cols;
    chunks = (r->n + CHUNK - 1) / CHUNK;
    trueno_pool_for(r->c->pool, chunks, 1, read_chunks, r);
    for (int64_t i = 0; i < chunks; i++) {
        const int64_t left = r->n - i * CHUNK, n = left < CHUNK ? left : CHUNK;

        apr_moments_join(&r->all, &r->moments[i]);
        r->crc = (uint32_t)crc32_combine(r->crc, r->crcs[i], (z_off_t)n * (z_off_t)sizeof(float));
    }
    if (r->percentiles != NULL)
        apr_percentiles_count(r->percentiles, piece->values, r->n);
    return TRUENO_OK;
}

static trueno_status count_piece(void *user, const apr_piece *piece, trueno_error *err)
{
    (void)err;
    apr_percentiles_count(user, piece->values, piece->rows * piece->cols);
    return TRUENO_OK;
}

static trueno_status read_values(reading *r, const apr_planned *p, trueno_error *err)
{
    const apr_model *m = r->c->model;
    const int64_t most = APR_PIECE_BYTES / (int64_t)sizeof(float), row = p->dims[p->n_dims - 1];
    const size_t chunks = (size_t)((most > row ? most : row) / CHUNK + 1);
    trueno_status status;

    r->moments = trueno_allocate(m->options.allocator, chunks * sizeof *r->moments, 64);
    r->crcs = trueno_allocate(m->options.allocator, chunks * sizeof *r->crcs, 64);
    if (r->moments == NULL || r->crcs == NULL)
        status = trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory to read %s", m->path, p->name);
    else
        status = apr_plan_visit(m, p, r->c->pool, read_piece, r, err);
    if (status == TRUENO_OK && r->percentiles != NULL) {
        apr_percentiles_again(r->percentiles);
        status = apr_plan_visit(m, p, r->c->pool, count_piece, r->percentiles, err);
    }
    trueno_release(m->options.allocator, r->moments, chunks * sizeof *r->moments);
    trueno_release(m->options.allocator, r->crcs, chunks * sizeof *r->crcs);
    return status;
}

/* Of a type that nothing reads: its bytes' checksum. */
static trueno_status read_bytes(const apr_model *m, const apr_planned *p, uint32_t *crc,
                                trueno_error *err)
{
    trueno_status status = TRUENO_OK;

    for (int32_t i = 0; i < p->n_parts && status == TRUENO_OK; i++) {
        const apr_tensor *t = p->parts[i];

        if ((status = apr_packed_fetch(m, t, 0, t->bytes, err)) == TRUENO_OK)
            *crc = (uint32_t)crc32_z(*crc, t->data, (size_t)t->bytes);
    }
    return status;
}

trueno_status apr_canonical_read(const apr_canonical *c, const apr_planned *p,
                                 apr_percentiles *percentiles, apr_canonical_values *out,
                                 trueno_error *err)
{
    reading r = {.c = c, .percentiles = percentiles};
    trueno_status status;

    *out = (apr_canonical_values){0};
    if (percentiles != NULL)
        apr_percentiles_begin(percentiles);
    status = apr_canonical_is_readable(p) ? read_values(&r, p, err)
                                          : read_bytes(c->model, p, &r.crc, err);
    if (percentiles != NULL)
        apr_percentiles_end(percentiles);
    apr_moments_finish(&r.all, &out->statistics);
    out->crc = r.crc;
    return status;
}
