/* SPDX-License-Identifier: MIT */
/* Moments of floats in two passes over a piece that fits the cache. */
#include "moments.h"

#include <math.h>
#include <string.h>

/* Sums run in so many lanes, which lets the compiler use vectors without reordering anything. */
enum { LANES = 8 };

static bool all_finite(const float *x, int64_t n)
{
    enum { EXPONENT = 0x7f800000 };
    uint32_t found = 0;

    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;

        memcpy(&bits, &x[i], sizeof bits);
        found |= (bits & EXPONENT) == EXPONENT;
    }
    return found == 0;
}

static double sum_lanes(const double *lanes)
{
    double sum = 0;

    for (int k = 0; k < LANES; k++)
        sum += lanes[k];
    return sum;
}

/* The next values less `mean`; behind the last of them 0, which adds nothing to any sum. */
static inline void take_lanes(double *out, const float *x, int64_t left, double mean)
{
    if (left >= LANES)
        for (int k = 0; k < LANES; k++)
            out[k] = (double)x[k] - mean;
    else
        for (int k = 0; k < LANES; k++)
            out[k] = k < left ? (double)x[k] - mean : 0;
}

/* Sums that need no mean. */
static void first_pass(apr_moments *o, const float *x, int64_t n)
{
    double sum[LANES] = {0}, l1[LANES] = {0}, squares[LANES] = {0};
    float min = x[0], max = x[0];
    uint32_t zeros = 0;

    for (int64_t i = 0; i < n; i++) {
        min = x[i] < min ? x[i] : min;
        max = x[i] > max ? x[i] : max;
        zeros += x[i] == 0;
    }
    for (int64_t i = 0; i < n; i += LANES) {
        double v[LANES];

        take_lanes(v, x + i, n - i, 0);
        for (int k = 0; k < LANES; k++) {
            sum[k] += v[k];
            l1[k] += fabs(v[k]);
            squares[k] += v[k] * v[k];
        }
    }
    o->min = min;
    o->max = max;
    o->zeros = zeros;
    o->mean = sum_lanes(sum) / (double)n;
    o->l1 = sum_lanes(l1);
    o->squares = sum_lanes(squares);
}

static void second_pass(apr_moments *o, const float *x, int64_t n)
{
    double m2[LANES] = {0}, m3[LANES] = {0}, m4[LANES] = {0};

    for (int64_t i = 0; i < n; i += LANES) {
        double d[LANES];

        take_lanes(d, x + i, n - i, o->mean);
        for (int k = 0; k < LANES; k++) {
            const double square = d[k] * d[k];

            m2[k] += square;
            m3[k] += square * d[k];
            m4[k] += square * square;
        }
    }
    o->m2 = sum_lanes(m2);
    o->m3 = sum_lanes(m3);
    o->m4 = sum_lanes(m4);
}

void apr_moments_join(apr_moments *a, const apr_moments *b)
{
    const double na = (double)a->finite, nb = (double)b->finite, n = na + nb;
    const double d = b->mean - a->mean, part = n > 0 ? d / n : 0;

    a->nans += b->nans;
    a->infinities += b->infinities;
    if (b->finite == 0)
        return;
    a->min = a->finite == 0 || b->min < a->min ? b->min : a->min;
    a->max = a->finite == 0 || b->max > a->max ? b->max : a->max;
    a->m4 += b->m4 + d * part * part * part * na * nb * (na * na - na * nb + nb * nb) +
             6 * part * part * (na * na * b->m2 + nb * nb * a->m2) +
             4 * part * (na * b->m3 - nb * a->m3);
    a->m3 += b->m3 + d * part * part * na * nb * (na - nb) + 3 * part * (na * b->m2 - nb * a->m2);
    a->m2 += b->m2 + d * part * na * nb;
    a->mean += part * nb;
    a->l1 += b->l1;
    a->squares += b->squares;
    a->zeros += b->zeros;
    a->finite += b->finite;
}

/* Of values that are all finite. */
static void add_finite(apr_moments *all, const float *x, int64_t n)
{
    apr_moments next = {.finite = (uint64_t)n};

    if (n == 0)
        return;
    first_pass(&next, x, n);
    second_pass(&next, x, n);
    apr_moments_join(all, &next);
}

/* Of any values: the finite ones are gathered. */
static void add_some(apr_moments *all, const float *x, int64_t n)
{
    float kept[1024];
    int64_t n_kept = 0;

    for (int64_t i = 0; i < n; i++) {
        all->nans += isnan(x[i]) != 0;
        all->infinities += isinf(x[i]) != 0;
        if (isfinite(x[i]))
            kept[n_kept++] = x[i];
        if (n_kept == (int64_t)(sizeof kept / sizeof kept[0]) || i == n - 1) {
            add_finite(all, kept, n_kept);
            n_kept = 0;
        }
    }
}

void apr_moments_of(apr_moments *out, const float *x, int64_t n)
{
    *out = (apr_moments){0};
    if (all_finite(x, n))
        add_finite(out, x, n);
    else
        add_some(out, x, n);
}

void apr_moments_finish(const apr_moments *all, apr_tensor_statistics *out)
{
    const double n = (double)all->finite;
    const double variance = n > 0 ? all->m2 / n : 0;

    *out = (apr_tensor_statistics){.min = all->min,
                                   .max = all->max,
                                   .mean = all->mean,
                                   .std = sqrt(variance),
                                   .l1 = all->l1,
                                   .l2 = sqrt(all->squares),
                                   .count = all->finite + all->nans + all->infinities,
                                   .nans = all->nans,
                                   .infinities = all->infinities,
                                   .zeros = all->zeros};
    if (variance > 0) {
        out->skewness = all->m3 / n / (variance * out->std);
        out->kurtosis = all->m4 / n / (variance * variance) - 3;
    }
}
