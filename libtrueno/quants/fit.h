/* SPDX-License-Identifier: MIT */
/* Choosing scales: the two searches that the quantisers share, compiled once a CPU level. */
#ifndef QUANTS_FIT_H
#define QUANTS_FIT_H

#include <stdint.h>

#define FIT_GROUPS    16 /* groups that one call handles */
#define FIT_GROUP_MAX 32

/* What a type's blocks look like to a search. */
typedef struct fit_shape {
    int group;     /* weights that share a scale: 16 or 32 */
    int per_super; /* groups that share a half-precision factor: 16, 8, or 1 */
    int levels;    /* affine: quants 0 .. levels; symmetric: -levels .. levels - 1; IQ4: 0 */
    int scales;    /* affine: integer scales 0 .. scales; symmetric: -scales .. scales - 1 */
} fit_shape;

/* Groups of w = d scale q - dmin min (affine) or w = d scale q (symmetric). */
typedef struct fit_result {
    uint8_t q[FIT_GROUPS * FIT_GROUP_MAX]; /* group g at q + g * group; symmetric: q + levels; IQ4:
                                              the level's index */
    int16_t scale[FIT_GROUPS], min[FIT_GROUPS];
    uint16_t d[FIT_GROUPS], dmin[FIT_GROUPS]; /* halves, of each group's super-block */
} fit_result;

/*
 * Find factors, scales and quants of `n_groups` (1..16) groups of x that make the squared error,
 * weighted by `importance` (NULL: see size_weights()), small. Any input gives finite factors; NaN
 * counts as 0.
 */
typedef void (*fit_fn)(const fit_shape *shape, const float *x, const float *importance,
                       int n_groups, fit_result *out);

typedef struct fit_functions {
    fit_fn affine, symmetric;
} fit_functions;

extern const fit_functions fit_functions_c;
#if defined(__x86_64__)
extern const fit_functions fit_functions_avx2, fit_functions_avx512;
#endif

/* The level for this processor (trueno_cpu_flags()); all levels give the same bits. */
const fit_functions *fit_choose(void);

/*
 * Search a run of n weights, FIT_GROUPS groups at a time; `store` packs each result into the blocks
 * of n_groups groups at `blocks` and returns the address past them.
 */
typedef void *(*fit_store_fn)(const fit_result *r, int n_groups, void *blocks);

void fit_run(fit_fn fn, const fit_shape *shape, const float *x, const float *importance, int64_t n,
             fit_store_fn store, void *blocks);

#endif
