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

/* A block of exactly `size` bytes that begins behind its header; not linked yet. */
static struct trueno_arena_block *new_block(const trueno_arena *arena, size_t size)
{
    struct trueno_arena_block *block = trueno_allocate(arena->allocator, size, 64);

    if (block != NULL)
        *block = (struct trueno_arena_block){.bytes = size, .next = HEADER};
    return block;
}

/* The block in which the next `bytes` bytes begin at block->next. */
static struct trueno_arena_block *block_for(trueno_arena *arena, size_t bytes, size_t align)
{
    struct trueno_arena_block *last = arena->last, *block;
    size_t size = last == NULL ? FIRST_BLOCK : last->bytes * 2;
    size_t start = last == NULL ? 0 : (last->next + align - 1) & ~(align - 1);

    if (last != NULL && bytes <= last->bytes && start <= last->bytes - bytes) {
        last->next = start;
        return last;
    }
    if (size > LARGEST_BLOCK)
        size = LARGEST_BLOCK;
    if (bytes > size - HEADER) { /* a block of its own, behind the one that is still being filled */
        block = bytes > SIZE_MAX - HEADER ? NULL : new_block(arena, bytes + HEADER);
        if (block != NULL && last != NULL) {
            block->previous = last->previous;
            last->previous = block;
            return block;
        }
    } else {
        block = new_block(arena, size);
    }
    if (block != NULL) {
        block->previous = last;
        arena->last = block;
    }
    return block;
}

void *trueno_arena_alloc(trueno_arena *arena, size_t bytes)
{
    struct trueno_arena_block *block = block_for(arena, bytes, bytes >= 64 ? 64 : 16);
    char *start;

    if (block == NULL)
        return NULL;
    start = (char *)block + block->next;
    block->next += bytes;
    arena->used_bytes += bytes;
    return memset(start, 0, bytes);
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
