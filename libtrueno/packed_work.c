/* SPDX-License-Identifier: MIT */
/* Scratch memory of products: rounded activations, and for each thread a stripe and its sums. */
#include "packed_inner.h"

#include <trueno/cpu.h>

enum {
    STRIPE_BYTES = CHUNK / BLOCK_WEIGHTS * 12 * LINE_BYTES,
    ACC_FLOATS = 2 * TOKENS_LIMIT * GROUP_ROWS /* products and minima */
};

trueno_status packed_work_new(packed_work **out, trueno_pool *pool,
                              const trueno_allocator *allocator, trueno_error *err)
{
    size_t n = (size_t)trueno_pool_threads(pool);
    packed_work *work = trueno_allocate_zero(allocator, sizeof *work);

    *out = NULL;
    if (work == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for the products' description");
    work->pool = pool;
    work->allocator = allocator;
    work->threads = trueno_allocate_zero(allocator, n * sizeof *work->threads);
    if (work->threads == NULL) {
        packed_work_free(work);
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %zu threads", n);
    }
    matmul_kernels_init(&work->kernels, trueno_cpu_flags());
    *out = work;
    return TRUENO_OK;
}

void packed_work_free(packed_work *work)
{
    if (work == NULL)
        return;
    trueno_release(work->allocator, work->memory, work->memory_bytes);
    trueno_release(work->allocator, work->threads,
                   (size_t)trueno_pool_threads(work->pool) * sizeof *work->threads);
    trueno_release(work->allocator, work, sizeof *work);
}

size_t packed_work_bytes(const packed_work *work)
{
    return work->memory_bytes;
}

/* Takes `bytes` from the memory at *at, or only counts them while memory is NULL. */
static void *take(uint8_t *memory, size_t *at, size_t bytes)
{
    void *p = memory == NULL ? NULL : memory + *at;

    *at += (bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
    return p;
}

static size_t lay_out(packed_work *work, int64_t cols, size_t group_bytes, bool halves,
                      uint8_t *memory)
{
    activations *a = &work->act;
    size_t at = 0, tokens = TOKENS_LIMIT, blocks = ((size_t)cols + 63) / 64 * 2;

    a->n_blocks = (int64_t)blocks;
    a->x_cols = (cols + 15) / 16 * 16;
    a->q = take(memory, &at, tokens * blocks * BLOCK_WEIGHTS);
    a->scale = take(memory, &at, tokens * blocks * sizeof *a->scale);
    for (size_t i = 0; i < 2; i++) {
        a->sum[i] = take(memory, &at, tokens * blocks * (i + 1) * sizeof *a->sum[i]);
        a->offset[i] = take(memory, &at, tokens * blocks * (i + 1) * sizeof *a->offset[i]);
    }
    a->x = take(memory, &at, tokens * (size_t)a->x_cols * sizeof *a->x);
    if (halves)
        a->halves = take(memory, &at, tokens * blocks * 2 * BLOCK_WEIGHTS * sizeof(uint16_t));
    for (int i = 0; i < trueno_pool_threads(work->pool); i++) {
        packed_scratch *t = &work->threads[i];

        t->stripe = take(memory, &at, STRIPE_BYTES);
        t->acc = take(memory, &at, (size_t)STRIP_GROUPS * ACC_FLOATS * sizeof *t->acc);
        t->units = take(memory, &at, group_bytes);
    }
    return at;
}

trueno_status packed_work_reserve(packed_work *work, int64_t cols, size_t group_bytes, bool halves,
                                  trueno_error *err)
{
    size_t bytes;

    if (cols <= work->cols && group_bytes <= work->group_bytes && halves <= work->halves)
        return TRUENO_OK;
    cols = cols > work->cols ? cols : work->cols;
    group_bytes = group_bytes > work->group_bytes ? group_bytes : work->group_bytes;
    halves |= work->halves;
    bytes = lay_out(work, cols, group_bytes, halves, NULL);
    trueno_release(work->allocator, work->memory, work->memory_bytes);
    work->memory_bytes = work->group_bytes = 0;
    work->cols = 0;
    work->memory = trueno_allocate(work->allocator, bytes, 4096);
    if (work->memory == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY,
                           "no memory for products of %lld columns: %zu bytes of scratch",
                           (long long)cols, bytes);
    work->memory_bytes = bytes;
    work->cols = cols;
    work->group_bytes = group_bytes;
    work->halves = halves;
    lay_out(work, cols, group_bytes, halves, work->memory);
    return TRUENO_OK;
}
