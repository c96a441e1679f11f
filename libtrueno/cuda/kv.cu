/* SPDX-License-Identifier: MIT */
/* Sessions' keys and values: pages of 64 positions of all layers, found through a table on the
 * device. The word before the table is the token that was chosen last. */
#include "internal.h"

enum { BLOCK_BYTES = 4 << 20, PAGE_ALIGN = 256, TABLE_AT = 16 };

static int head_bytes(const trueno_kv_shape *s)
{
    int per_position = s->type == TRUENO_KV_F16   ? 2 * s->head_dim
                       : s->type == TRUENO_KV_F32 ? 4 * s->head_dim
                                                  : s->head_dim + s->head_dim / 32 * 2;

    return PAGE_POSITIONS * per_position;
}

trueno_status cuda_kv_new(trueno_backend *table, const trueno_kv_shape *shape, trueno_kv **out,
                          trueno_error *err)
{
    cuda_backend *be = cuda_of(table);
    trueno_kv *kv = (trueno_kv *)trueno_allocate_zero(be->allocator, sizeof *kv);
    trueno_status status;
    size_t bytes;

    *out = NULL;
    if (kv == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a session");
    kv->shape = *shape;
    if (shape->type == TRUENO_KV_Q8_0 && shape->head_dim % 32 != 0) {
        status = trueno_fail(
            err, TRUENO_UNSUPPORTED,
            "keys and values of Q8_0 need a head width that is a multiple of 32, not %d",
            shape->head_dim);
        goto failed;
    }
    kv->layer0.type = shape->type;
    kv->layer0.head_bytes = head_bytes(shape);
    kv->layer0.value_offset = kv->layer0.head_bytes * shape->n_kv_heads;
    kv->layer_bytes = 2 * kv->layer0.value_offset;
    kv->page_bytes =
        ((size_t)kv->layer_bytes * shape->n_layers + PAGE_ALIGN - 1) / PAGE_ALIGN * PAGE_ALIGN;
    if (kv->page_bytes > INT32_MAX) {
        status = trueno_fail(err, TRUENO_UNSUPPORTED,
                             "a page of keys and values of %zu bytes is too large", kv->page_bytes);
        goto failed;
    }
    kv->max_pages = (shape->n_positions + PAGE_POSITIONS - 1) / PAGE_POSITIONS;
    bytes = (size_t)kv->max_pages * sizeof *kv->pages;
    kv->blocks =
        (void **)trueno_allocate_zero(be->allocator, (size_t)kv->max_pages * sizeof *kv->blocks);
    if (kv->blocks == NULL) {
        status = trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a session of %d positions",
                             shape->n_positions);
        goto failed;
    }
    if ((status = cuda_check(cudaMallocHost((void **)&kv->pages_host,
                                            bytes + TRUENO_CHOICES_KEPT * sizeof *kv->choices),
                             "a session's pages", err)) < 0 ||
        (status = device_alloc(be, bytes + TABLE_AT, "a session's pages", &kv->table, err)) < 0)
        goto failed;
    kv->pages = (uint64_t *)((uint8_t *)kv->table + TABLE_AT);
    kv->choices = (choice_result *)(kv->pages_host + kv->max_pages);
    memset(kv->choices, 0, TRUENO_CHOICES_KEPT * sizeof *kv->choices);
    be->kv_bytes += cuda_kv_bytes(kv);
    if ((status = cuda_check(cudaMemsetAsync(kv->table, 0, TABLE_AT, be->stream),
                             "a session's pages", err)) < 0)
        goto failed;
    *out = kv;
    return TRUENO_OK;
failed:
    cuda_kv_free(table, kv);
    return status;
}

void cuda_kv_free(trueno_backend *table, trueno_kv *kv)
{
    cuda_backend *be = cuda_of(table);

    if (kv == NULL)
        return;
    (void)cudaStreamSynchronize(be->stream);
    for (int i = 0; i < kv->n_blocks; i++)
        (void)cudaFree(kv->blocks[i]);
    if (kv->table != NULL) {
        be->kv_bytes -= cuda_kv_bytes(kv);
        (void)cudaFree(kv->table);
    }
    (void)cudaFreeHost(kv->pages_host);
    trueno_release(be->allocator, kv->blocks, (size_t)kv->max_pages * sizeof *kv->blocks);
    trueno_release(be->allocator, kv, sizeof *kv);
}

trueno_status cuda_kv_reserve(trueno_backend *table, trueno_kv *kv, int32_t n_positions,
                              trueno_error *err)
{
    cuda_backend *be = cuda_of(table);
    int32_t needed = (n_positions + PAGE_POSITIONS - 1) / PAGE_POSITIONS, n, first = kv->n_pages;
    trueno_status status;
    uint8_t *block;

    if (needed <= kv->n_pages)
        return TRUENO_OK;
    n = needed - kv->n_pages;
    if ((size_t)n * kv->page_bytes < BLOCK_BYTES)
        n = (int32_t)(BLOCK_BYTES / kv->page_bytes) > n ? (int32_t)(BLOCK_BYTES / kv->page_bytes)
                                                        : n;
    if (n > kv->max_pages - kv->n_pages)
        n = kv->max_pages - kv->n_pages;
    if ((status = device_alloc(be, (size_t)n * kv->page_bytes, "keys and values", (void **)&block,
                               err)) < 0)
        return status;
    be->kv_bytes += (size_t)n * kv->page_bytes;
    kv->blocks[kv->n_blocks++] = block;
    for (int i = 0; i < n; i++)
        kv->pages_host[kv->n_pages++] = (uint64_t)(uintptr_t)(block + (size_t)i * kv->page_bytes);
    return cuda_check(cudaMemcpyAsync(kv->pages + first, kv->pages_host + first,
                                      (size_t)n * sizeof *kv->pages, cudaMemcpyHostToDevice,
                                      be->stream),
                      "a session's pages", err);
}

size_t cuda_kv_bytes(const trueno_kv *kv)
{
    return (size_t)kv->n_pages * kv->page_bytes + (size_t)kv->max_pages * sizeof *kv->pages +
           TABLE_AT;
}
