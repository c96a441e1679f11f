/* SPDX-License-Identifier: MIT */
/* What the learners share: checks of their data, random numbers. */
#ifndef APR_DIAGNOSE_LEARN_H
#define APR_DIAGNOSE_LEARN_H

#include <apr/learn.h>

/* TRUENO_USAGE for sizes out of range, TRUENO_CONTENT for a value that is not finite. */
trueno_status apr_learn_check(const double *x, size_t n, size_t least, size_t d, trueno_error *err);

/* Squared Euclidean distance. */
double apr_learn_distance2(const double *a, const double *b, size_t d);

/* Steele, Lea and Flood's SplitMix64: any state is a good one. */
uint64_t apr_random_next(uint64_t *state);

/* Uniform in [0, 1). */
double apr_random_unit(uint64_t *state);

/* Uniform in [0, n), n > 0. */
size_t apr_random_below(uint64_t *state, size_t n);

#endif
