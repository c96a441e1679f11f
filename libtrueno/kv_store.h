/* SPDX-License-Identifier: MIT */
/**
 * @file kv_store.h  One session's keys and values in host memory.
 *
 * Storage is a list of blocks of KV_BLOCK positions; a block holds all layers and heads of its
 * positions, so that the memory in use is a prefix that grows with the session. Address space for
 * all positions is reserved when the store is made; pages are committed as positions are reserved.
 */
#ifndef KV_STORE_H
#define KV_STORE_H

#include <trueno/backend.h>

#include "kernels/kernels.h"

struct trueno_kv {
    trueno_kv_shape shape;
    const trueno_allocator *allocator;
    char *base;
    size_t reserved_bytes;         /* of address space */
    size_t committed_bytes;        /* whole pages */
    size_t key_bytes, value_bytes; /* of one head in one block */
    size_t block_bytes;            /* all layers, heads, keys and values */
};

/** Reserve address space for `shape`. Errors: TRUENO_USAGE (shape), TRUENO_NO_MEMORY. */
trueno_status kv_store_new(trueno_kv **out, const trueno_kv_shape *shape,
                           const trueno_allocator *allocator, trueno_error *err);

/** NULL is fine. */
void kv_store_free(trueno_kv *kv);

/** Commit memory for positions [0, n_positions). Errors: TRUENO_USAGE (too many), TRUENO_NO_MEMORY.
 */
trueno_status kv_store_reserve(trueno_kv *kv, int32_t n_positions, trueno_error *err);

/** Keys of `head` in `layer` of block `block`; its values follow at kv->key_bytes. */
static inline char *kv_store_keys(const trueno_kv *kv, int32_t layer, int32_t head, int32_t block)
{
    size_t plane = (size_t)layer * (size_t)kv->shape.n_kv_heads + (size_t)head;

    return kv->base + (size_t)block * kv->block_bytes + plane * (kv->key_bytes + kv->value_bytes);
}

static inline char *kv_store_values(const trueno_kv *kv, int32_t layer, int32_t head, int32_t block)
{
    return kv_store_keys(kv, layer, head, block) + kv->key_bytes;
}

#endif
