/* SPDX-License-Identifier: MIT */
/**
 * @file host.h  What the backends that compute in host memory share: memory, sessions, steps, the
 * cosines and sines of a step's positions, scratch buffers.
 */
#ifndef HOST_H
#define HOST_H

#include <trueno/backend.h>
#include <trueno/sys/threads.h>

#include "kv_store.h"

/** A buffer that grows and is kept, so that steps do not allocate once they have met their sizes.
 */
typedef struct host_buffer {
    void *data;
    size_t bytes;
} host_buffer;

/** Cosines and sines of the positions of one step for one set of frequencies. */
typedef struct host_turns {
    trueno_rope rope;
    uint64_t step;     /* number of the step that `table` was made for */
    host_buffer table; /* [n_rows][n_rot / 2 cosines, n_rot / 2 sines] */
} host_turns;

enum { HOST_TURNS = 2 }; /* models with sliding windows use two sets of frequencies */

typedef struct host_backend {
    trueno_backend table; /* first: a trueno_backend * of this kind is a host_backend * */
    const trueno_allocator *allocator;
    trueno_pool *pool;
    trueno_log log;
    bool keep_mapping;
    uint64_t activation_bytes, weight_bytes, kv_bytes;

    const trueno_rows *rows; /* of the step under way, or NULL */
    uint64_t step;           /* counts steps, from 1 */
    trueno_error failure;    /* first failure of the step; step_end() reports it */
    host_turns turns[HOST_TURNS];
    host_buffer positions; /* int32_t of each row of the step */
} host_backend;

/** Fill the memory, session and step entries of the table and start the threads. */
trueno_status host_init(host_backend *host, const char *name, const trueno_backend_options *options,
                        trueno_error *err);

/** bandwidth.c: the table's bandwidth(), with the pool's threads. */
trueno_status host_bandwidth(trueno_backend *be, double *gb_s, trueno_error *err);

/** Free what host_init() and steps made, not `host` itself. */
void host_finish(host_backend *host);

static inline host_backend *host_of(trueno_backend *be)
{
    return (host_backend *)be;
}

/**
 * At least `bytes` in `buffer`, 64-byte aligned, contents undefined; counted as activations. NULL
 * when there is no memory: the step then fails, and the operation must do nothing.
 */
void *host_scratch(host_backend *host, host_buffer *buffer, size_t bytes);

/** Position of every row of the step. */
static inline const int32_t *host_positions(const host_backend *host)
{
    return host->positions.data;
}

/** The table's add(), add_gated() and gather(). */
void host_add(trueno_backend *be, const float *x, int32_t n, int32_t width, float *y);
void host_add_gated(trueno_backend *be, const float *gate, const float *x, int32_t n, int32_t width,
                    float *y);
void host_gather(trueno_backend *be, const float *x, const int32_t *rows, int32_t n, int32_t width,
                 float *y);

/**
 * Cosines and sines for every row of the step, [n_rows][n_rot]; computed once a step. Angles are
 * float products position * inverse_frequency[j], cosine and sine of them in float, times
 * magnitude: the order of operations of the models' reference implementation. NULL: no memory, as
 * above.
 */
const float *host_turns_for(host_backend *host, const trueno_rope *rope);

#endif
