/* SPDX-License-Identifier: MIT */
/* Memory that tells on the code under test: guarded copies, counted and failing allocations. */
#ifndef TEST_APR_MEMORY_FIXTURE_H
#define TEST_APR_MEMORY_FIXTURE_H

#include <apr/model.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <trueno/error.h>
#include <trueno/memory.h>

/* Bytes whose end is the end of a page that nothing may touch. */
typedef struct guarded {
    uint8_t *data;
    size_t bytes;
    void *map;
    size_t map_bytes;
} guarded;

/* A guarded copy; `bytes` may be 0. */
guarded guarded_copy(const void *data, size_t bytes);
void guarded_free(guarded *g);

/* Counts what is allocated, and fails allocation number fail_at (from 1; 0: none), or from it on.
 */
typedef struct counting {
    trueno_allocator allocator;
    size_t live, peak, calls, largest;
    size_t fail_at;
    bool fail_for_good;
} counting;

/* Make *c ready; c->allocator is the one to give to the code under test. */
void counting_init(counting *c);

/* The same, and the options of a model that is opened with it. */
apr_model_options counted_options(counting *c);

/* Something that is tried with counted allocations, one of which may fail; its status. */
typedef trueno_status counted_attempt(counting *c, void *user);

/*
 * Try it with allocation 1, 2, ... failing, once and then for good, until so many are never asked
 * for. Whatever fails must be TRUENO_NO_MEMORY. Returns how many allocations it takes.
 */
size_t fail_each_allocation(counted_attempt *attempt, void *user);

#endif
