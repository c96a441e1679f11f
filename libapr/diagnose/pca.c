/* SPDX-License-Identifier: MIT */
/* Principal components by one-sided Jacobi rotations of the centred columns. */
#include "learn.h"

#include <math.h>
#include <string.h>

/* The centred data by columns and the rotations made so far, a column of each beside the other. */
typedef struct rotation {
    size_t n, d;
    double *a; /* column j: a[j * n ...] */
    double *v; /* column j: v[j * d ...] */
} rotation;

static void turn(double *p, double *q, size_t n, double c, double s)
{
    for (size_t i = 0; i < n; i++) {
        double x = p[i], y = q[i];

        p[i] = c * x - s * y;
        q[i] = s * x + c * y;
    }
}

/* Make columns p and q orthogonal; false when they are already. */
static bool orthogonalize(rotation *r, size_t p, size_t q)
{
    double *a = r->a + p * r->n, *b = r->a + q * r->n, aa = 0, bb = 0, ab = 0, zeta, t, c;

    for (size_t i = 0; i < r->n; i++) {
        aa += a[i] * a[i];
        bb += b[i] * b[i];
        ab += a[i] * b[i];
    }
    if (fabs(ab) <= 1e-15 * sqrt(aa) * sqrt(bb))
        return false;
    zeta = (bb - aa) / (2 * ab);
    t = (zeta >= 0 ? 1 : -1) / (fabs(zeta) + hypot(1, zeta)); /* tangent of the smaller angle */
    c = 1 / hypot(1, t);
    turn(a, b, r->n, c, c * t);
    turn(r->v + p * r->d, r->v + q * r->d, r->d, c, c * t);
    return true;
}

/* Sweep over all pairs until none turns; convergence is quadratic, ten sweeps are many. */
static bool diagonalize(rotation *r)
{
    for (int sweep = 0; sweep < 60; sweep++) {
        bool turned = false;

        for (size_t p = 0; p + 1 < r->d; p++)
            for (size_t q = p + 1; q < r->d; q++)
                turned |= orthogonalize(r, p, q);
        if (!turned)
            return true;
    }
    return false;
}

static void centre(rotation *r, const double *x, double *mean)
{
    for (size_t j = 0; j < r->d; j++) {
        double sum = 0;

        for (size_t i = 0; i < r->n; i++)
            sum += x[i * r->d + j];
        mean[j] = sum / (double)r->n;
        for (size_t i = 0; i < r->n; i++)
            r->a[j * r->n + i] = x[i * r->d + j] - mean[j];
        r->v[j * r->d + j] = 1;
    }
}

/* Direction j of the rotation as a row, its largest entry positive. */
static void write_component(const rotation *r, size_t j, double *out)
{
    const double *v = r->v + j * r->d;
    size_t largest = 0;

    for (size_t i = 1; i < r->d; i++)
        if (fabs(v[i]) > fabs(v[largest]))
            largest = i;
    for (size_t i = 0; i < r->d; i++)
        out[i] = v[largest] < 0 ? -v[i] : v[i];
}

/* The m columns of most variance, in order. */
static void write_largest(const rotation *r, size_t m, double *components, double *variance,
                          double *total)
{
    double all[APR_LEARN_MAX_COLUMNS], sum = 0;

    for (size_t j = 0; j < r->d; j++) {
        all[j] = 0;
        for (size_t i = 0; i < r->n; i++)
            all[j] += r->a[j * r->n + i] * r->a[j * r->n + i];
        all[j] /= (double)(r->n - 1);
        sum += all[j];
    }
    for (size_t k = 0; k < m; k++) {
        size_t best = 0;

        for (size_t j = 1; j < r->d; j++)
            if (all[j] > all[best])
                best = j;
        variance[k] = all[best];
        write_component(r, best, components + k * r->d);
        all[best] = -1;
    }
    if (total != NULL)
        *total = sum;
}

trueno_status apr_pca_fit(const double *x, size_t n, size_t d, size_t m, double *mean,
                          double *components, double *variance, double *total,
                          const trueno_allocator *allocator, trueno_error *err)
{
    trueno_status status = apr_learn_check(x, n, m + 1, d, err);
    rotation r = {.n = n, .d = d};
    size_t bytes;

    if (status < 0)
        return status;
    if (m == 0 || m > d)
        return trueno_fail(err, TRUENO_USAGE, "%zu components of %zu columns", m, d);
    bytes = (n * d + d * d) * sizeof(double);
    if ((r.a = trueno_allocate_zero(allocator, bytes)) == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %zu observations", n);
    r.v = r.a + n * d;
    centre(&r, x, mean);
    if (diagonalize(&r))
        write_largest(&r, m, components, variance, total);
    else
        status = trueno_fail(err, TRUENO_INTERNAL, "principal components did not converge");
    trueno_release(allocator, r.a, bytes);
    return status;
}

void apr_pca_project(const double *mean, const double *components, size_t m, const double *x,
                     size_t d, double *out)
{
    for (size_t k = 0; k < m; k++) {
        out[k] = 0;
        for (size_t j = 0; j < d; j++)
            out[k] += components[k * d + j] * (x[j] - mean[j]);
    }
}
