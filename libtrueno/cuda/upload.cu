/* SPDX-License-Identifier: MIT */
/* Weights on their way: threads copy a file's bytes into pinned memory, from which they go to the
 * device while the next are copied; there a kernel gives them their form. One thread copies from a
 * mapped file much slower than the bus takes it. */
#include "internal.h"
#include "layout.h"

#include <trueno/cpu.h>
#include <trueno/sys/mapfile.h>

enum { STAGING_BYTES = 16 << 20, PIECE_BYTES = 1 << 20, MOST_COPIERS = 8 };

void staging_threads(cuda_backend *be, int32_t threads)
{
    int n = threads > 0 ? threads : trueno_cpu_default_threads();

    be->n_copiers = n < MOST_COPIERS ? n : (int)MOST_COPIERS;
}

static trueno_status staging_make(cuda_backend *be, trueno_error *err)
{
    trueno_status status = TRUENO_OK;

    if (be->copiers == NULL) /* without further threads this one copies */
        (void)trueno_pool_new(&be->copiers, be->n_copiers, be->allocator, NULL);
    for (int i = 0; i < N_STAGING && status == TRUENO_OK; i++) {
        if (be->staging[i] != NULL)
            continue;
        if ((status = cuda_check(cudaMallocHost(&be->staging[i], STAGING_BYTES), "pinned memory",
                                 err)) < 0)
            return status;
        if ((status = device_alloc(be, STAGING_BYTES, "uploads", &be->staging_device[i], err)) < 0)
            return status;
        be->activation_bytes += STAGING_BYTES;
        status = cuda_check(cudaEventCreateWithFlags(&be->staging_free[i], cudaEventDisableTiming),
                            "an event", err);
        if (status == TRUENO_OK)
            status = cuda_check(cudaEventRecord(be->staging_free[i], be->stream), "an event", err);
    }
    return status;
}

void staging_free(cuda_backend *be)
{
    trueno_pool_free(be->copiers);
    be->copiers = NULL;
    if (be->staging[0] == NULL)
        return;
    (void)cudaStreamSynchronize(be->stream);
    for (int i = 0; i < N_STAGING; i++) {
        be->activation_bytes -= be->staging_device[i] != NULL ? STAGING_BYTES : 0;
        if (be->staging_free[i] != NULL)
            (void)cudaEventDestroy(be->staging_free[i]);
        (void)cudaFreeHost(be->staging[i]);
        (void)cudaFree(be->staging_device[i]);
        be->staging[i] = be->staging_device[i] = NULL;
        be->staging_free[i] = NULL;
    }
}

/* Call `fn` for each run of rows of the segment's parts that lie one behind the other, `count` from
 * `row` on. */
template <class F>
static void each_run(const trueno_tensor *parts, int64_t row, int64_t count, F fn)
{
    while (count > 0) {
        int64_t n;
        size_t bytes;

        while (row >= parts->rows)
            row -= parts++->rows;
        n = parts->rows - row < count ? parts->rows - row : count;
        bytes = (size_t)n * parts->row_bytes;
        fn((const uint8_t *)parts->data + (size_t)row * parts->row_bytes, bytes, parts->mapped);
        row += n;
        count -= n;
    }
}

/* Rows [first, first + rows) of the parts, to be copied to `to`. */
typedef struct copy_job {
    const trueno_tensor *parts;
    int64_t first;
    uint8_t *to;
} copy_job;

/* Drops what was read from a mapping. */
static void copy_rows(void *context, int64_t begin, int64_t end, int thread)
{
    const copy_job *job = (const copy_job *)context;
    uint8_t *to = job->to + (size_t)begin * job->parts->row_bytes;

    (void)thread;
    each_run(job->parts, job->first + begin, end - begin,
             [&](const uint8_t *from, size_t bytes, bool mapped) {
                 memcpy(to, from, bytes);
                 if (mapped)
                     trueno_map_drop(from, bytes);
                 to += bytes;
             });
}

/* Have the system read rows of a mapping that will be copied next. */
static void expect_rows(const trueno_tensor *parts, int64_t first, int64_t count)
{
    each_run(parts, first, count, [](const uint8_t *from, size_t bytes, bool mapped) {
        if (mapped)
            trueno_map_prefetch(from, bytes);
    });
}

/* Rows [first, first + n) from pinned memory into their form on the device. */
static trueno_status send_rows(cuda_backend *be, const weight_segment *s, int64_t first, int64_t n,
                               size_t row_bytes, int cols, int slot, trueno_error *err)
{
    const uint8_t *rows = (const uint8_t *)be->staging_device[slot];
    trueno_status status =
        cuda_check(cudaMemcpyAsync(be->staging_device[slot], be->staging[slot],
                                   (size_t)n * row_bytes, cudaMemcpyHostToDevice, be->stream),
                   "uploading weights", err);

    if (status < 0)
        return status;
    if (s->row_bytes > 0)
        launch_pad(be->stream, rows, (int)n, row_bytes, s->row_bytes,
                   (uint8_t *)s->data + (size_t)first * s->row_bytes);
    else
        launch_pack(be->stream, s->type, rows, (int)n, row_bytes, cols, s->units,
                    (uint8_t *)s->data +
                        (size_t)(first / LAYOUT_ROWS) * s->units * layout_get(s->type).unit_bytes);
    status = cuda_check(cudaGetLastError(), "packing weights", err);
    if (status < 0)
        return status;
    return cuda_check(cudaEventRecord(be->staging_free[slot], be->stream), "an event", err);
}

trueno_status upload_segment(cuda_backend *be, const weight_segment *s, const trueno_tensor *parts,
                             int cols, trueno_error *err)
{
    size_t row_bytes = parts->row_bytes;
    int64_t most = (int64_t)(STAGING_BYTES / row_bytes) / LAYOUT_ROWS * LAYOUT_ROWS;
    trueno_status status = staging_make(be, err);

    if (status < 0)
        return status;
    if (most == 0)
        return trueno_fail(err, TRUENO_UNSUPPORTED, "rows of %zu bytes are too long for the GPU",
                           row_bytes);
    expect_rows(parts, 0, s->rows < most ? s->rows : most);
    for (int64_t first = 0, n; first < s->rows; first += n) {
        int64_t left = s->rows - first;
        int slot = be->staging_at++ % N_STAGING;
        copy_job job = {parts, first, (uint8_t *)be->staging[slot]};

        n = left < most ? left : most;
        expect_rows(parts, first + n, left - n < most ? left - n : most);
        if ((status = cuda_check(cudaEventSynchronize(be->staging_free[slot]),
                                 "waiting for an upload", err)) < 0)
            return status;
        if (be->copiers != NULL)
            trueno_pool_for(be->copiers, n, 1 + (int64_t)(PIECE_BYTES / row_bytes), copy_rows,
                            &job);
        else
            copy_rows(&job, 0, n, 0);
        if ((status = send_rows(be, s, first, n, row_bytes, cols, slot, err)) < 0)
            return status;
    }
    return TRUENO_OK;
}
