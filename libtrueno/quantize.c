/* SPDX-License-Identifier: MIT */
/* Conversion of rows between weight types, over a pool of threads. */
#include <trueno/quantize.h>

#include <inttypes.h>
#include <string.h>
#include <trueno/sys/threads.h>

/* Weights a thread takes at a time: a fraction of a millisecond. */
#define GRAIN_WEIGHTS ((int64_t)64 * 1024)

typedef struct quantize_job {
    const trueno_tensor *from;
    const trueno_type_info *to;
    const float *importance;
    unsigned char *blocks;
    size_t row_bytes;
    float *scratch; /* cols floats a thread */
} quantize_job;

static void quantize_some(void *context, int64_t begin, int64_t end, int thread)
{
    const quantize_job *job = context;
    float *row = job->scratch + thread * job->from->cols;

    for (int64_t r = begin; r < end; r++) {
        trueno_tensor_row_to_f32(job->from, r, row);
        job->to->quantize(row, job->blocks + (size_t)r * job->row_bytes, job->from->cols,
                          job->importance);
    }
}

static void copy_some(void *context, int64_t begin, int64_t end, int thread)
{
    const quantize_job *job = context;

    (void)thread;
    for (int64_t r = begin; r < end; r++)
        memcpy(job->blocks + (size_t)r * job->row_bytes,
               (const unsigned char *)job->from->data + (size_t)r * job->from->row_bytes,
               job->row_bytes);
}

trueno_status trueno_quantize_rows(const trueno_tensor *from, trueno_type to,
                                   const float *importance, void *blocks, trueno_pool *pool,
                                   const trueno_allocator *allocator, trueno_error *err)
{
    quantize_job job = {.from = from,
                        .to = trueno_type_get(to),
                        .importance = importance,
                        .blocks = blocks,
                        .row_bytes = trueno_row_bytes(to, from->cols)};
    const trueno_loop_fn loop = from->type == to ? copy_some : quantize_some;
    const int threads = pool != NULL ? trueno_pool_threads(pool) : 1;
    const size_t scratch_bytes = (size_t)threads * (size_t)from->cols * sizeof(float);

    if (job.row_bytes == 0)
        return trueno_fail(err, TRUENO_UNSUPPORTED,
                           "rows of %" PRId64 " weights cannot be %s: its blocks hold %d",
                           from->cols, job.to != NULL ? job.to->name : "of an unknown type",
                           job.to != NULL ? job.to->block : 0);
    if (loop == quantize_some) {
        job.scratch = trueno_allocate(allocator, scratch_bytes, 64);
        if (job.scratch == NULL)
            return trueno_fail(err, TRUENO_NO_MEMORY, "%zu bytes for rows of %" PRId64 " weights",
                               scratch_bytes, from->cols);
    }
    if (pool != NULL)
        trueno_pool_for(pool, from->rows, 1 + GRAIN_WEIGHTS / from->cols, loop, &job);
    else
        loop(&job, 0, from->rows, 0);
    trueno_release(allocator, job.scratch, scratch_bytes);
    return TRUENO_OK;
}
