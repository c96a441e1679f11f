/* SPDX-License-Identifier: MIT */
/* Ordinary least squares by Householder QR with column pivoting. */
#include "learn.h"

#include <math.h>
#include <string.h>

/* The problem while it is factored; columns are contiguous: a[j * n + i]. */
typedef struct system {
    size_t n, d;
    double *a, *y;
    double mean[APR_LEARN_MAX_COLUMNS], length[APR_LEARN_MAX_COLUMNS];
    double y_mean;
    size_t order[APR_LEARN_MAX_COLUMNS]; /* original number of column j */
    double diagonal[APR_LEARN_MAX_COLUMNS];
} system;

static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static double mean_of(const double *x, size_t n, size_t stride)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += x[i * stride];
    return sum / (double)n;
}

/* Columns centred and brought to length 1: the rank is then a matter of angles, not of units. */
static void load(system *s, const double *x, const double *y)
{
    s->y_mean = mean_of(y, s->n, 1);
    for (size_t i = 0; i < s->n; i++)
        s->y[i] = y[i] - s->y_mean;
    for (size_t j = 0; j < s->d; j++) {
        double *column = s->a + j * s->n, largest = 0;

        s->order[j] = j;
        s->mean[j] = mean_of(x + j, s->n, s->d);
        for (size_t i = 0; i < s->n; i++) {
            column[i] = x[i * s->d + j] - s->mean[j];
            largest = fmax(largest, fabs(x[i * s->d + j]));
        }
        s->length[j] = sqrt(dot(column, column, s->n));
        if (s->length[j] <= 1e-14 * largest * sqrt((double)s->n))
            s->length[j] = 0; /* constant but for rounding */
        for (size_t i = 0; i < s->n; i++)
            column[i] = s->length[j] > 0 ? column[i] / s->length[j] : 0;
    }
}

static void swap_columns(system *s, size_t a, size_t b)
{
    size_t number = s->order[a];

    if (a == b)
        return;
    s->order[a] = s->order[b];
    s->order[b] = number;
    for (size_t i = 0; i < s->n; i++) {
        double t = s->a[a * s->n + i];

        s->a[a * s->n + i] = s->a[b * s->n + i];
        s->a[b * s->n + i] = t;
    }
}

/* The longest of columns [k, d) below row k. */
static size_t longest_column(const system *s, size_t k, double *length)
{
    size_t best = k;

    *length = -1;
    for (size_t j = k; j < s->d; j++) {
        const double *column = s->a + j * s->n + k;
        double here = sqrt(dot(column, column, s->n - k));

        if (here > *length) {
            *length = here;
            best = j;
        }
    }
    return best;
}

/* x -= 2 v (v.x) / (v.v) over rows [k, n) */
static void reflect(const double *v, double vv, double *x, size_t n)
{
    double scale = 2 * dot(v, x, n) / vv;

    for (size_t i = 0; i < n; i++)
        x[i] -= scale * v[i];
}

/* Factor; the number of independent columns is the result. */
static size_t factor(system *s)
{
    size_t k = 0;

    for (; k < s->d && k + 1 < s->n; k++) {
        double length, vv;
        double *v;

        swap_columns(s, k, longest_column(s, k, &length));
        if (length <= 1e-10) /* within 1e-10 radians of the span of those before */
            break;
        v = s->a + k * s->n + k;
        s->diagonal[k] = v[0] > 0 ? -length : length;
        v[0] -= s->diagonal[k];
        vv = dot(v, v, s->n - k);
        for (size_t j = k + 1; j < s->d; j++)
            reflect(v, vv, s->a + j * s->n + k, s->n - k);
        reflect(v, vv, s->y + k, s->n - k);
    }
    return k;
}

static void solve(const system *s, size_t rank, double *weights)
{
    double solution[APR_LEARN_MAX_COLUMNS];

    for (size_t j = 0; j < s->d + 1; j++)
        weights[j] = 0;
    for (size_t k = rank; k-- > 0;) {
        double sum = s->y[k];

        for (size_t j = k + 1; j < rank; j++)
            sum -= s->a[j * s->n + k] * solution[j];
        solution[k] = sum / s->diagonal[k];
        weights[1 + s->order[k]] = solution[k] / s->length[s->order[k]];
    }
    weights[0] = s->y_mean;
    for (size_t j = 0; j < s->d; j++)
        weights[0] -= weights[1 + j] * s->mean[j];
}

trueno_status apr_regression_fit(const double *x, const double *y, size_t n, size_t d,
                                 double *weights, size_t *rank, const trueno_allocator *allocator,
                                 trueno_error *err)
{
    trueno_status status = apr_learn_check(x, n, 2, d, err);
    system s = {.n = n, .d = d};
    size_t bytes = n * (d + 1) * sizeof(double), found;

    if (status == TRUENO_OK)
        status = apr_learn_check(y, n, 2, 1, err);
    if (status < 0)
        return status;
    s.a = trueno_allocate(allocator, bytes, 64);
    if (s.a == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a fit of %zu observations", n);
    s.y = s.a + n * d;
    load(&s, x, y);
    found = factor(&s);
    solve(&s, found, weights);
    if (rank != NULL)
        *rank = found;
    trueno_release(allocator, s.a, bytes);
    return TRUENO_OK;
}

double apr_regression_predict(const double *weights, const double *x, size_t d)
{
    return weights[0] + dot(weights + 1, x, d);
}

double apr_regression_r2(const double *y, const double *predicted, size_t n)
{
    double mean = n > 0 ? mean_of(y, n, 1) : 0, total = 0, left = 0;

    for (size_t i = 0; i < n; i++) {
        total += (y[i] - mean) * (y[i] - mean);
        left += (y[i] - predicted[i]) * (y[i] - predicted[i]);
    }
    return total > 0 ? 1 - left / total : 0;
}
