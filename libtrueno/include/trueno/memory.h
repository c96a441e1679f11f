/* SPDX-License-Identifier: MIT */
/** @file memory.h  The one allocation seam: every byte that the libraries own comes through it. */
#ifndef TRUENO_MEMORY_H
#define TRUENO_MEMORY_H

#include <stddef.h>
#include <trueno/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Allocation hooks, given when a model, engine or backend is made and used for all that it owns
 * (third-party libraries excepted; docs/embedding.md lists them). Must be callable from any thread.
 */
typedef struct trueno_allocator {
    /** `bytes` bytes aligned to `align` (a power of two), or NULL. Contents are undefined. */
    void *(*allocate)(void *user, size_t bytes, size_t align);
    /** Give back what allocate() returned, with the same `bytes`. `p` is never NULL. */
    void (*release)(void *user, void *p, size_t bytes);
    void *user;
} trueno_allocator;

/** The default allocator, over aligned_alloc() and free(); static, shared, thread-safe. */
TRUENO_API const trueno_allocator *trueno_default_allocator(void);

/** allocate() through `a`; NULL means the default allocator. Zero bytes give a valid pointer. */
TRUENO_API void *trueno_allocate(const trueno_allocator *a, size_t bytes, size_t align);

/** As trueno_allocate() with 64-byte alignment, the bytes set to zero. */
TRUENO_API void *trueno_allocate_zero(const trueno_allocator *a, size_t bytes);

/** release() through `a` (NULL: default); NULL `p` is fine. `bytes` as given to allocate. */
TRUENO_API void trueno_release(const trueno_allocator *a, void *p, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
