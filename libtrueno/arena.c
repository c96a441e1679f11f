/* SPDX-License-Identifier: MIT */
/* Bump memory: blocks that double in size up to 1 MiB, freed whole. */
#include <trueno/sys/arena.h>

#include <stdint.h>
#include <string.h>

enum { FIRST_BLOCK = 4096, LARGEST_BLOCK = 1 << 20, HEADER = 64 };

struct trueno_arena_block {
    struct trueno_arena_block *previous;
    size_t bytes; /* of the whole block, header included */
    size_t next;  /* offset of the first free byte */
};

static struct trueno_arena_block *add_block(trueno_arena *arena, size_t need)
{
    size_t size = arena->last == NULL ? FIRST_BLOCK : arena->last->bytes * 2;
    struct trueno_arena_block *block;

    if (size > LARGEST_BLOCK)
        size = LARGEST_BLOCK;
    if (need > SIZE_MAX - HEADER - 64)
        return NULL;
    if (size < need + HEADER + 64)
        size = need + HEADER + 64;
    block = trueno_allocate(arena->allocator, size, 64);
    if (block == NULL)
        return NULL;
    block->previous = arena->last;
    block->bytes = size;
    block->next = HEADER;
    arena->last = block;
    return block;
}

void *trueno_arena_alloc(trueno_arena *arena, size_t bytes)
{
    size_t align = bytes >= 64 ? 64 : 16;
    struct trueno_arena_block *block = arena->last;
    size_t start;

    if (block == NULL || bytes > block->bytes ||
        (start = (block->next + align - 1) & ~(align - 1)) > block->bytes - bytes) {
        block = add_block(arena, bytes);
        if (block == NULL)
            return NULL;
        start = HEADER;
    }
    block->next = start + bytes;
    arena->used_bytes += bytes;
    return memset((char *)block + start, 0, bytes);
}

void *trueno_arena_array(trueno_arena *arena, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    return trueno_arena_alloc(arena, count * size);
}

char *trueno_arena_string(trueno_arena *arena, const char *text, size_t length)
{
    char *copy = length == SIZE_MAX ? NULL : trueno_arena_alloc(arena, length + 1);

    if (copy != NULL && length > 0)
        memcpy(copy, text, length);
    return copy;
}

void trueno_arena_free(trueno_arena *arena)
{
    struct trueno_arena_block *block = arena->last;

    while (block != NULL) {
        struct trueno_arena_block *previous = block->previous;

        trueno_release(arena->allocator, block, block->bytes);
        block = previous;
    }
    arena->last = NULL;
    arena->used_bytes = 0;
}
