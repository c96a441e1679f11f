/* SPDX-License-Identifier: MIT */
/* Distance from known good observations, under a covariance shrunk towards a ball. */
#include "learn.h"

#include <math.h>
#include <string.h>

/* Covariance of the rows, n in the denominator; `centred` [n, d] gets the rows less the mean. */
static void covariance(const double *x, size_t n, size_t d, double *mean, double *centred,
                       double *s)
{
    for (size_t j = 0; j < d; j++) {
        mean[j] = 0;
        for (size_t i = 0; i < n; i++)
            mean[j] += x[i * d + j];
        mean[j] /= (double)n;
    }
    for (size_t i = 0; i < n * d; i++)
        centred[i] = x[i] - mean[i % d];
    for (size_t a = 0; a < d; a++)
        for (size_t b = 0; b <= a; b++) {
            double sum = 0;

            for (size_t i = 0; i < n; i++)
                sum += centred[i * d + a] * centred[i * d + b];
            s[a * d + b] = s[b * d + a] = sum / (double)n;
        }
}

static double trace(const double *s, size_t d)
{
    double sum = 0;

    for (size_t j = 0; j < d; j++)
        sum += s[j * d + j];
    return sum;
}

/* Mean over the rows z of |z z' - S|^2, from |z|^4 and |S|^2 (both Frobenius norms). */
static double ledoit_wolf(const double *centred, const double *s, size_t n, size_t d)
{
    const double mu = trace(s, d) / (double)d;
    double fourth = 0, norm = 0, beta, delta;

    for (size_t i = 0; i < n; i++) {
        double length = 0;

        for (size_t j = 0; j < d; j++)
            length += centred[i * d + j] * centred[i * d + j];
        fourth += length * length;
    }
    for (size_t i = 0; i < d * d; i++)
        norm += s[i] * s[i];
    beta = (fourth / (double)n - norm) / (double)n;
    delta = norm - (double)d * mu * mu; /* |S - mu I|^2 */
    if (!(delta > 0))
        return 1;
    return fmin(fmax(beta, 0), delta) / delta;
}

/* Lower Cholesky factor in place; false when not positive definite. */
static bool cholesky(double *s, size_t d, double scale)
{
    for (size_t j = 0; j < d; j++) {
        double pivot = s[j * d + j];

        for (size_t k = 0; k < j; k++)
            pivot -= s[j * d + k] * s[j * d + k];
        if (!(pivot > 1e-14 * scale))
            return false;
        s[j * d + j] = sqrt(pivot);
        for (size_t i = j + 1; i < d; i++) {
            for (size_t k = 0; k < j; k++)
                s[i * d + j] -= s[i * d + k] * s[j * d + k];
            s[i * d + j] /= s[j * d + j];
        }
        for (size_t i = 0; i < j; i++)
            s[i * d + j] = 0;
    }
    return true;
}

trueno_status apr_mahalanobis_fit(const double *x, size_t n, size_t d, double *mean, double *factor,
                                  double *shrinkage, const trueno_allocator *allocator,
                                  trueno_error *err)
{
    trueno_status status = apr_learn_check(x, n, 2, d, err);
    size_t bytes = n * d * sizeof(double);
    double *centred, level;

    if (status < 0)
        return status;
    if (*shrinkage > 1)
        return trueno_fail(err, TRUENO_USAGE, "a shrinkage of %g is over 1", *shrinkage);
    if ((centred = trueno_allocate(allocator, bytes, 64)) == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %zu observations", n);
    covariance(x, n, d, mean, centred, factor);
    if (*shrinkage < 0)
        *shrinkage = ledoit_wolf(centred, factor, n, d);
    trueno_release(allocator, centred, bytes);
    level = trace(factor, d) / (double)d;
    for (size_t i = 0; i < d * d; i++)
        factor[i] = (1 - *shrinkage) * factor[i] + (i % (d + 1) == 0 ? *shrinkage * level : 0);
    if (!(level > 0) || !cholesky(factor, d, level))
        return trueno_fail(err, TRUENO_CONTENT,
                           "the covariance of %zu observations has no inverse at a shrinkage of %g",
                           n, *shrinkage);
    return TRUENO_OK;
}

double apr_mahalanobis_distance(const double *mean, const double *factor, const double *x, size_t d,
                                double *scratch)
{
    double sum = 0;

    for (size_t i = 0; i < d; i++) { /* solve L z = x - mean; the distance is |z|^2 */
        scratch[i] = x[i] - mean[i];
        for (size_t k = 0; k < i; k++)
            scratch[i] -= factor[i * d + k] * scratch[k];
        scratch[i] /= factor[i * d + i];
        sum += scratch[i] * scratch[i];
    }
    return sum;
}
