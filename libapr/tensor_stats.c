/* SPDX-License-Identifier: MIT */
/* Statistics over the weights of tensors: pieces on all threads, joined in order. */
#include <apr/statistics.h>

#include "model_private.h"
#include "moments.h"
#include "names.h"
#include "packed_tensors.h"
#include "storage_types.h"
#include <string.h>
#include <trueno/cpu.h>
#include <trueno/sys/threads.h>

/* A multiple of every type's block; the pieces of a batch are one loop of the pool. */
enum { PIECE = 65536, BATCH = 512 };

/* One tensor being read. */
typedef struct reading {
    const uint8_t *data;
    apr_storage_type type;
    uint64_t count; /* of values */
    uint64_t first; /* of the batch's pieces */
    float *rows;    /* [threads, PIECE] */
    apr_moments *pieces;
} reading;

static int64_t piece_length(uint64_t count, uint64_t piece)
{
    const uint64_t left = count - piece * PIECE;

    return left < PIECE ? (int64_t)left : PIECE;
}

static void read_pieces(void *context, int64_t begin, int64_t end, int thread)
{
    reading *r = context;
    float *x = r->rows + (size_t)thread * PIECE;

    for (int64_t i = begin; i < end; i++) {
        const uint64_t piece = r->first + (uint64_t)i;
        const size_t offset =
            (size_t)(piece * PIECE / (uint64_t)r->type.block) * (size_t)r->type.bytes;
        const int64_t n = piece_length(r->count, piece);

        (void)apr_storage_to_f32(r->type.id, r->data + offset, x, n);
        apr_moments_of(&r->pieces[i], x, n);
    }
}

static void read_tensor(reading *r, trueno_pool *pool, bool mapped, apr_moments *all)
{
    const uint64_t n_pieces = (r->count + PIECE - 1) / PIECE;

    for (r->first = 0; r->first < n_pieces; r->first += BATCH) {
        const uint64_t left = n_pieces - r->first;
        const int64_t n = left < BATCH ? (int64_t)left : BATCH;

        if (pool != NULL)
            trueno_pool_for(pool, n, 1, read_pieces, r);
        else
            read_pieces(r, 0, n, 0);
        for (int64_t i = 0; i < n; i++)
            apr_moments_join(all, &r->pieces[i]);
    }
    if (mapped)
        trueno_map_drop(r->data,
                        (size_t)(r->count / (uint64_t)r->type.block) * (size_t)r->type.bytes);
}

trueno_status apr_tensor_stats(const apr_model *m, const apr_tensor *tensor, trueno_pool *pool,
                               apr_tensor_statistics *out, trueno_error *err)
{
    const trueno_allocator *allocator = m->options.allocator;
    const size_t threads = pool != NULL ? (size_t)trueno_pool_threads(pool) : 1;
    const size_t rows_bytes = threads * PIECE * sizeof(float);
    const size_t pieces_bytes = BATCH * sizeof(apr_moments);
    reading r = {.data = tensor->data, .count = apr_tensor_elements(tensor)};
    apr_moments all = {0};
    trueno_status status = TRUENO_OK;

    *out = (apr_tensor_statistics){.count = r.count};
    if (apr_storage_type_get(tensor->type, &r.type) != 0 || !apr_storage_is_readable(r.type.id))
        return trueno_fail(err, TRUENO_UNSUPPORTED, "%s: %s holds %s, which is not computed with",
                           m->path, tensor->name, apr_tensor_type_name(tensor));
    if ((status = apr_packed_fetch(m, tensor, 0, tensor->bytes, err)) < 0)
        return status;
    r.rows = trueno_allocate(allocator, rows_bytes, 64);
    r.pieces = trueno_allocate(allocator, pieces_bytes, 64);
    if (r.rows == NULL || r.pieces == NULL)
        status =
            trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory to read %s", m->path, tensor->name);
    else
        read_tensor(&r, pool, apr_tensor_matrix(m, tensor).mapped, &all);
    if (status == TRUENO_OK)
        apr_moments_finish(&all, out);
    trueno_release(allocator, r.rows, rows_bytes);
    trueno_release(allocator, r.pieces, pieces_bytes);
    return status;
}

void apr_tensor_values_stats(const float *values, uint64_t n, apr_tensor_statistics *out)
{
    apr_moments all = {0}, next;

    for (uint64_t piece = 0; piece * PIECE < n; piece++) {
        apr_moments_of(&next, values + piece * PIECE, piece_length(n, piece));
        apr_moments_join(&all, &next);
    }
    apr_moments_finish(&all, out);
}

static trueno_status read_tensors(const apr_model *m, const apr_tensors_stats_options *o,
                                  trueno_pool *pool, apr_tensors_stats_fn fn, void *user,
                                  trueno_error *err)
{
    trueno_status status = TRUENO_OK;
    size_t n_read = 0;

    for (size_t i = 0; i < m->n_tensors && status == TRUENO_OK; i++) {
        const apr_tensor *t = &m->tensors[i];
        apr_tensor_statistics s;
        trueno_error problem = {0};

        if (!apr_name_matches(t->name, o->filter) || (o->limit != 0 && n_read == o->limit))
            continue;
        n_read++;
        status = apr_tensor_stats(m, t, pool, &s, &problem);
        if (status == TRUENO_OK || status == TRUENO_UNSUPPORTED)
            status = fn(user, t, status == TRUENO_OK ? &s : NULL, err);
        else
            (void)trueno_fail(err, status, "%s", problem.message);
    }
    return status;
}

trueno_status apr_tensors_stats(const apr_model *m, const apr_tensors_stats_options *options,
                                apr_tensors_stats_fn fn, void *user, trueno_error *err)
{
    apr_tensors_stats_options o = {0};
    trueno_pool *pool;
    trueno_status status;

    if (options != NULL)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    status = trueno_pool_new(&pool, o.threads > 0 ? o.threads : trueno_cpu_default_threads(),
                             m->options.allocator, err);
    if (status < 0)
        return status;
    status = read_tensors(m, &o, pool, fn, user, err);
    trueno_pool_free(pool);
    return status;
}
