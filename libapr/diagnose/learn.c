/* SPDX-License-Identifier: MIT */
/* What the learners share: checks of their data, random numbers, standardised columns. */
#include "learn.h"

#include <math.h>

trueno_status apr_learn_check(const double *x, size_t n, size_t least, size_t d, trueno_error *err)
{
    if (d == 0 || d > APR_LEARN_MAX_COLUMNS || n < least || n > SIZE_MAX / sizeof(double) / (d + 1))
        return trueno_fail(err, TRUENO_USAGE,
                           "%zu observations of %zu columns; at least %zu of 1 to %d are needed", n,
                           d, least, APR_LEARN_MAX_COLUMNS);
    for (size_t i = 0; i < n * d; i++)
        if (!isfinite(x[i]))
            return trueno_fail(err, TRUENO_CONTENT, "observation %zu, column %zu is not finite",
                               i / d, i % d);
    return TRUENO_OK;
}

double apr_learn_distance2(const double *a, const double *b, size_t d)
{
    double sum = 0;

    for (size_t i = 0; i < d; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}

uint64_t apr_random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15U;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27) * 0x94d049bb133111ebU;
    return z ^ z >> 31;
}

double apr_random_unit(uint64_t *state)
{
    return (double)(apr_random_next(state) >> 11) * 0x1p-53;
}

size_t apr_random_below(uint64_t *state, size_t n)
{
    return (size_t)(apr_random_unit(state) * (double)n); /* below 2^53 things, bias below 2^-53 n */
}

trueno_status apr_standardize_fit(const double *x, size_t n, size_t d, double *mean, double *scale,
                                  trueno_error *err)
{
    trueno_status status = apr_learn_check(x, n, 1, d, err);

    if (status < 0)
        return status;
    for (size_t j = 0; j < d; j++) {
        double sum = 0, squares = 0, largest = 0;

        for (size_t i = 0; i < n; i++)
            sum += x[i * d + j];
        mean[j] = sum / (double)n;
        for (size_t i = 0; i < n; i++) {
            squares += (x[i * d + j] - mean[j]) * (x[i * d + j] - mean[j]);
            largest = fmax(largest, fabs(x[i * d + j]));
        }
        scale[j] = sqrt(squares / (double)n);
        if (scale[j] <= 1e-14 * largest) /* the mean's rounding alone */
            scale[j] = 1;
    }
    return TRUENO_OK;
}

void apr_standardize_apply(const double *x, size_t n, size_t d, const double *mean,
                           const double *scale, double *out)
{
    for (size_t i = 0; i < n * d; i++)
        out[i] = (x[i] - mean[i % d]) / scale[i % d];
}
