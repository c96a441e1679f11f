/* SPDX-License-Identifier: MIT */
/* Reserves and commits the memory of a session's keys and values. */
#include "kv_store.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

enum { MAX_LAYERS = 1 << 16, MAX_HEADS = 1 << 16, MAX_HEAD_DIM = 1 << 14 };

/* Bytes an element and a scale take, one row a storage type. */
static const struct {
    size_t element, scale;
} KV_SIZES[] = {
    [TRUENO_KV_F16] = {2, 0},
    [TRUENO_KV_F32] = {4, 0},
    [TRUENO_KV_Q8_0] = {1, 2},
};

static trueno_status check_shape(const trueno_kv_shape *s, trueno_error *err)
{
    if (s->n_layers < 1 || s->n_layers > MAX_LAYERS || s->n_kv_heads < 1 ||
        s->n_kv_heads > MAX_HEADS || s->head_dim < 1 || s->head_dim > MAX_HEAD_DIM ||
        s->n_positions < 1)
        return trueno_fail(
            err, TRUENO_USAGE,
            "key-value cache of %d layers, %d heads of %d, %d positions: out of range", s->n_layers,
            s->n_kv_heads, s->head_dim, s->n_positions);
    if ((unsigned)s->type >= sizeof KV_SIZES / sizeof KV_SIZES[0])
        return trueno_fail(err, TRUENO_USAGE, "key-value cache type %d is unknown", (int)s->type);
    return TRUENO_OK;
}

static size_t round_to_pages(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    return (bytes + page - 1) / page * page;
}

static size_t blocks_for(int32_t n_positions)
{
    return ((size_t)n_positions + KV_BLOCK - 1) / KV_BLOCK;
}

trueno_status kv_store_new(trueno_kv **out, const trueno_kv_shape *shape,
                           const trueno_allocator *allocator, trueno_error *err)
{
    trueno_status status;
    size_t scales, blocks;
    trueno_kv *kv;
    void *base;

    *out = NULL;
    if ((status = check_shape(shape, err)) < 0)
        return status;
    kv = trueno_allocate_zero(allocator, sizeof *kv);
    if (kv == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a key-value cache");
    kv->shape = *shape;
    kv->allocator = allocator;
    scales = (size_t)kv_scale_groups(shape->head_dim) * KV_SIZES[shape->type].scale;
    kv->key_bytes = KV_BLOCK * ((size_t)shape->head_dim * KV_SIZES[shape->type].element + scales);
    kv->value_bytes =
        KV_BLOCK * ((size_t)kv_stride(shape->head_dim) * KV_SIZES[shape->type].element + scales);
    kv->block_bytes =
        (kv->key_bytes + kv->value_bytes) * (size_t)shape->n_layers * (size_t)shape->n_kv_heads;
    blocks = blocks_for(shape->n_positions);
    if (kv->block_bytes > (SIZE_MAX / 2) / blocks) { /* half: room for rounding */
        status = trueno_fail(err, TRUENO_NO_MEMORY,
                             "key-value cache of %zu blocks of %zu bytes does not fit in memory",
                             blocks, kv->block_bytes);
        kv_store_free(kv);
        return status;
    }
    kv->reserved_bytes = round_to_pages(blocks * kv->block_bytes);
    base = mmap(NULL, kv->reserved_bytes, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
        status = trueno_fail(err, TRUENO_NO_MEMORY,
                             "cannot reserve %zu bytes for the keys and values of %d positions: %s",
                             kv->reserved_bytes, shape->n_positions, strerror(errno));
        kv_store_free(kv);
        return status;
    }
    kv->base = base;
    *out = kv;
    return TRUENO_OK;
}

void kv_store_free(trueno_kv *kv)
{
    if (kv == NULL)
        return;
    if (kv->base != NULL)
        (void)munmap(kv->base, kv->reserved_bytes);
    trueno_release(kv->allocator, kv, sizeof *kv);
}

trueno_status kv_store_reserve(trueno_kv *kv, int32_t n_positions, trueno_error *err)
{
    size_t wanted;

    if (n_positions < 0 || n_positions > kv->shape.n_positions)
        return trueno_fail(err, TRUENO_USAGE, "%d positions asked of a key-value cache of %d",
                           n_positions, kv->shape.n_positions);
    wanted = round_to_pages(blocks_for(n_positions) * kv->block_bytes);
    if (wanted <= kv->committed_bytes)
        return TRUENO_OK;
    /* now, so that a lack of memory is an error and not a signal; older kernels commit on touch */
    if (madvise(kv->base + kv->committed_bytes, wanted - kv->committed_bytes,
                MADV_POPULATE_WRITE) != 0 &&
        errno != EINVAL)
        return trueno_fail(err, TRUENO_NO_MEMORY,
                           "cannot commit %zu bytes for the keys and values of %d positions "
                           "(%zu in use): %s",
                           wanted - kv->committed_bytes, n_positions, kv->committed_bytes,
                           strerror(errno));
    kv->committed_bytes = wanted;
    return TRUENO_OK;
}
