/* SPDX-License-Identifier: MIT */
/** @file arena.h  Bump memory for things that die together. For sister libraries; no ABI promise. */
#ifndef TRUENO_SYS_ARENA_H
#define TRUENO_SYS_ARENA_H

#include <stddef.h>
#include <trueno/memory.h>

#ifdef __cplusplus
extern "C" {
#endif

struct trueno_arena_block;

/** A zeroed arena is ready to use with the default allocator. Not thread-safe. */
typedef struct trueno_arena {
    const trueno_allocator *allocator; /* NULL: default */
    struct trueno_arena_block *last;
    size_t used_bytes; /* of all blocks, for reports */
} trueno_arena;

/** `bytes` zeroed bytes aligned to 16 (64 when bytes >= 64), or NULL. Lives until the arena is freed. */
TRUENO_API void *trueno_arena_alloc(trueno_arena *arena, size_t bytes);

/** `count * size` zeroed bytes with the product checked, or NULL. */
TRUENO_API void *trueno_arena_array(trueno_arena *arena, size_t count, size_t size);

/** A NUL-terminated copy of `length` bytes, or NULL. */
TRUENO_API char *trueno_arena_string(trueno_arena *arena, const char *text, size_t length);

/** Free everything; the arena can be used again. */
TRUENO_API void trueno_arena_free(trueno_arena *arena);

#ifdef __cplusplus
}
#endif
#endif
