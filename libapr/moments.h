/* SPDX-License-Identifier: MIT */
/* Running moments and counts of floats, and joining those of two runs. */
#ifndef APR_MOMENTS_H
#define APR_MOMENTS_H

#include <apr/statistics.h>

/* Over the finite values of a run; zeroed: of none. */
typedef struct apr_moments {
    double min, max, mean;
    double m2, m3, m4; /* sums of powers of the distances from the mean */
    double l1, squares;
    uint64_t finite, nans, infinities, zeros;
} apr_moments;

/* Moments of x [n]. */
void apr_moments_of(apr_moments *out, const float *x, int64_t n);

/* Add those of the run that follows. */
void apr_moments_join(apr_moments *all, const apr_moments *next);

/* The statistics that they amount to. */
void apr_moments_finish(const apr_moments *all, apr_tensor_statistics *out);

#endif
