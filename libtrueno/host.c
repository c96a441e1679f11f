/* SPDX-License-Identifier: MIT */
/* Memory, sessions and steps of backends in host memory. */
#include "host.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { HEADER_BYTES = 64 }; /* before each allocation: its size */

static trueno_status host_alloc(trueno_backend *be, size_t bytes, void **out, trueno_error *err)
{
    host_backend *host = host_of(be);
    char *block = NULL;

    *out = NULL;
    if (bytes <= SIZE_MAX / 2)
        block = trueno_allocate(host->allocator, bytes + HEADER_BYTES, HEADER_BYTES);
    if (block == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY,
                           "no memory for %zu bytes of activations (%llu in use)", bytes,
                           (unsigned long long)host->activation_bytes);
    memcpy(block, &bytes, sizeof bytes);
    host->activation_bytes += bytes;
    *out = block + HEADER_BYTES;
    return TRUENO_OK;
}

static void host_release(trueno_backend *be, void *p)
{
    host_backend *host = host_of(be);
    size_t bytes;

    if (p == NULL)
        return;
    memcpy(&bytes, (char *)p - HEADER_BYTES, sizeof bytes);
    host->activation_bytes -= bytes;
    trueno_release(host->allocator, (char *)p - HEADER_BYTES, bytes + HEADER_BYTES);
}

static trueno_status host_copy(trueno_backend *be, void *to, const void *from, size_t bytes,
                               trueno_error *err)
{
    (void)be;
    (void)err;
    if (bytes > 0)
        memcpy(to, from, bytes);
    return TRUENO_OK;
}

static void host_memory_use(const trueno_backend *be, trueno_memory_use *out)
{
    const host_backend *host = (const host_backend *)be;

    *out = (trueno_memory_use){
        .weights = host->weight_bytes, .kv = host->kv_bytes, .activations = host->activation_bytes};
}

static trueno_status host_kv_new(trueno_backend *be, const trueno_kv_shape *shape, trueno_kv **out,
                                 trueno_error *err)
{
    return kv_store_new(out, shape, host_of(be)->allocator, err);
}

static void host_kv_free(trueno_backend *be, trueno_kv *kv)
{
    if (kv != NULL)
        host_of(be)->kv_bytes -= kv->committed_bytes;
    kv_store_free(kv);
}

static trueno_status host_kv_reserve(trueno_backend *be, trueno_kv *kv, int32_t n_positions,
                                     trueno_error *err)
{
    size_t before = kv->committed_bytes;
    trueno_status status = kv_store_reserve(kv, n_positions, err);

    host_of(be)->kv_bytes += kv->committed_bytes - before;
    return status;
}

static size_t host_kv_bytes(const trueno_kv *kv)
{
    return kv->committed_bytes;
}

void *host_scratch(host_backend *host, host_buffer *buffer, size_t bytes)
{
    if (bytes <= buffer->bytes)
        return buffer->data;
    trueno_release(host->allocator, buffer->data, buffer->bytes);
    host->activation_bytes -= buffer->bytes;
    bytes += bytes / 4; /* a session that grows by one position must not come back at once */
    buffer->data = trueno_allocate(host->allocator, bytes, 64);
    buffer->bytes = buffer->data != NULL ? bytes : 0;
    host->activation_bytes += buffer->bytes;
    if (buffer->data == NULL && host->failure.status == TRUENO_OK)
        (void)trueno_fail(&host->failure, TRUENO_NO_MEMORY,
                          "no memory for %zu bytes of scratch (%llu in use)", bytes,
                          (unsigned long long)host->activation_bytes);
    return buffer->data;
}

/* Positions of all rows; spans cover the rows in order. */
static void list_positions(const trueno_rows *rows, int32_t *positions)
{
    for (int32_t s = 0; s < rows->n_spans; s++) {
        const trueno_span *span = &rows->spans[s];

        assert(span->first_row >= 0 && span->first_row + span->n_rows <= rows->n_rows);
        for (int32_t i = 0; i < span->n_rows; i++)
            positions[span->first_row + i] = span->first_pos + i;
    }
}

static trueno_status host_step_begin(trueno_backend *be, const trueno_rows *rows, trueno_error *err)
{
    host_backend *host = host_of(be);
    int32_t *positions;

    host->failure = (trueno_error){0};
    host->step++;
    positions = host_scratch(host, &host->positions, (size_t)rows->n_rows * sizeof *positions);
    if (positions == NULL) {
        if (err != NULL)
            *err = host->failure;
        return TRUENO_NO_MEMORY;
    }
    host->rows = rows;
    list_positions(rows, positions);
    return TRUENO_OK;
}

static trueno_status host_step_end(trueno_backend *be, trueno_error *err)
{
    host_backend *host = host_of(be);

    host->rows = NULL;
    if (host->failure.status != TRUENO_OK && err != NULL)
        *err = host->failure;
    return host->failure.status;
}

void host_add(trueno_backend *be, const float *x, int32_t n, int32_t width, float *y)
{
    (void)be;
    for (int64_t i = 0; i < (int64_t)n * width; i++)
        y[i] += x[i];
}

void host_add_gated(trueno_backend *be, const float *gate, const float *x, int32_t n, int32_t width,
                    float *y)
{
    (void)be;
    for (int32_t i = 0; i < n; i++) {
        const float weight = (float)(1.0 / (1.0 + exp(-(double)gate[i])));

        for (int64_t c = (int64_t)i * width; c < (int64_t)(i + 1) * width; c++)
            y[c] += weight * x[c];
    }
}

void host_gather(trueno_backend *be, const float *x, const int32_t *rows, int32_t n, int32_t width,
                 float *y)
{
    (void)be;
    for (int32_t i = 0; i < n; i++)
        memcpy(y + (int64_t)i * width, x + (int64_t)rows[i] * width, (size_t)width * sizeof *y);
}

typedef struct turns_job {
    const trueno_rope *rope;
    const int32_t *positions;
    float *table;
} turns_job;

static void compute_turns(void *context, int64_t begin, int64_t end, int thread)
{
    const turns_job *job = context;
    int32_t half = job->rope->n_rot / 2;

    (void)thread;
    for (int64_t row = begin; row < end; row++) {
        float *turns = job->table + row * 2 * half;

        for (int32_t j = 0; j < half; j++) {
            float angle = (float)job->positions[row] * job->rope->inverse_frequency[j];

            turns[j] = cosf(angle) * job->rope->magnitude;
            turns[half + j] = sinf(angle) * job->rope->magnitude;
        }
    }
}

static bool same_rope(const trueno_rope *a, const trueno_rope *b)
{
    return a->inverse_frequency == b->inverse_frequency && a->n_rot == b->n_rot &&
           a->magnitude == b->magnitude;
}

/* The entry that holds these frequencies, else the one unused for longest. */
static host_turns *find_turns(host_backend *host, const trueno_rope *rope)
{
    host_turns *oldest = &host->turns[0];

    for (int i = 0; i < HOST_TURNS; i++) {
        if (same_rope(&host->turns[i].rope, rope))
            return &host->turns[i];
        if (host->turns[i].step < oldest->step)
            oldest = &host->turns[i];
    }
    return oldest;
}

const float *host_turns_for(host_backend *host, const trueno_rope *rope)
{
    host_turns *turns = find_turns(host, rope);
    turns_job job = {.rope = rope, .positions = host_positions(host)};

    if (turns->step == host->step && same_rope(&turns->rope, rope))
        return turns->table.data;
    job.table = host_scratch(host, &turns->table,
                             (size_t)host->rows->n_rows * (size_t)rope->n_rot * sizeof *job.table);
    if (job.table == NULL)
        return NULL;
    trueno_pool_for(host->pool, host->rows->n_rows, 16, compute_turns, &job);
    turns->rope = *rope;
    turns->step = host->step;
    return job.table;
}

trueno_status host_init(host_backend *host, const char *name, const trueno_backend_options *options,
                        trueno_error *err)
{
    int threads = options->threads > 0 ? options->threads : trueno_cpu_default_threads();

    host->allocator = options->allocator != NULL ? options->allocator : trueno_default_allocator();
    host->log = options->log;
    host->keep_mapping = options->keep_mapping;
    host->table.abi = TRUENO_BACKEND_ABI;
    host->table.name = name;
    host->table.alloc = host_alloc;
    host->table.release = host_release;
    host->table.write = host_copy;
    host->table.read = host_copy;
    host->table.memory_use = host_memory_use;
    host->table.kv_new = host_kv_new;
    host->table.kv_free = host_kv_free;
    host->table.kv_reserve = host_kv_reserve;
    host->table.kv_bytes = host_kv_bytes;
    host->table.step_begin = host_step_begin;
    host->table.step_end = host_step_end;
    host->table.bandwidth = host_bandwidth;
    return trueno_pool_new(&host->pool, threads, host->allocator, err);
}

void host_finish(host_backend *host)
{
    for (int i = 0; i < HOST_TURNS; i++)
        trueno_release(host->allocator, host->turns[i].table.data, host->turns[i].table.bytes);
    trueno_release(host->allocator, host->positions.data, host->positions.bytes);
    trueno_pool_free(host->pool);
}
