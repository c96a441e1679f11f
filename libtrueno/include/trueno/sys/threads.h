/* SPDX-License-Identifier: MIT */
/** @file threads.h  A pool of threads that runs loops over rows or heads. No ABI promise. */
#ifndef TRUENO_SYS_THREADS_H
#define TRUENO_SYS_THREADS_H

#include <stdint.h>
#include <trueno/memory.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct trueno_pool trueno_pool;

/** Handles items [begin, end) of a loop on thread `thread` (0 .. threads - 1). */
typedef void (*trueno_loop_fn)(void *context, int64_t begin, int64_t end, int thread);

/**
 * A pool of `threads` threads, the caller being thread 0; the others are started here and wait:
 * they spin for a bounded time, then sleep on a futex. Close with trueno_pool_free().
 * TRUENO_USAGE when there cannot be so many; TRUENO_NO_MEMORY, also when the system gives no
 * thread.
 */
TRUENO_API trueno_status trueno_pool_new(trueno_pool **out, int threads,
                                         const trueno_allocator *allocator, trueno_error *err);

/** Stop and join the threads; NULL is fine. */
TRUENO_API void trueno_pool_free(trueno_pool *pool);

/** Number of threads, the caller included. */
TRUENO_API int trueno_pool_threads(const trueno_pool *pool);

/**
 * Run items [0, n) in pieces of `grain` (the last may be shorter) on all threads and return when
 * all are done. Each thread first takes pieces of its own contiguous share, then helps with others'
 * shares, so a thread that lost its core delays nobody by more than the piece it holds. Which
 * thread runs which piece is not fixed: items must not depend on each other. One caller at a time.
 */
TRUENO_API void trueno_pool_for(trueno_pool *pool, int64_t n, int64_t grain, trueno_loop_fn fn,
                                void *context);

#ifdef __cplusplus
}
#endif
#endif
