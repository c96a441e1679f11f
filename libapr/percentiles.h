/* SPDX-License-Identifier: MIT */
/* Exact percentiles of floats that are read twice and never kept. */
#ifndef APR_PERCENTILES_H
#define APR_PERCENTILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <trueno/memory.h>

enum { APR_PERCENTILES = 7 };

/* "p1" and the like, in ascending order. */
extern const char *const APR_PERCENTILE_KEYS[APR_PERCENTILES];

/*
 * Floats in an order-preserving integer form are counted by their upper halves, then by the lower
 * halves of those bins that hold a percentile. Those that are not finite are passed over.
 */
typedef struct apr_percentiles {
    const trueno_allocator *allocator;
    uint64_t *counts; /* [1 + APR_PERCENTILES][65536]: upper halves, then lower ones */
    uint32_t bin[APR_PERCENTILES];
    uint64_t rank[APR_PERCENTILES]; /* left within the bin */
    uint64_t finite;                /* values of the first reading */
    bool second;                    /* the second reading has begun */
    float value[APR_PERCENTILES];   /* after apr_percentiles_end() */
} apr_percentiles;

/* TRUENO_NO_MEMORY naming `file`. Free with apr_percentiles_free(). */
trueno_status apr_percentiles_init(apr_percentiles *p, const trueno_allocator *allocator,
                                   const char *file, trueno_error *err);
void apr_percentiles_free(apr_percentiles *p);

/* Begin with other values. */
void apr_percentiles_begin(apr_percentiles *p);

/* Count x [n]; all values come once, in any order, before apr_percentiles_again() and behind it. */
void apr_percentiles_count(apr_percentiles *p, const float *x, int64_t n);

/* Between the readings. */
void apr_percentiles_again(apr_percentiles *p);

/* value[]: that of rank floor(p * (finite - 1)); zeros where there are none. */
void apr_percentiles_end(apr_percentiles *p);

#endif
