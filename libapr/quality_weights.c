/* SPDX-License-Identifier: MIT */
/* Quality of the weights, from their statistics. */
#include "quality.h"

#include "convert_check.h"
#include "packed_tensors.h"
#include "plan.h"
#include <math.h>
#include <stdlib.h>

static bool is_matrix(const apr_tensor *t)
{
    return t->n_dims > 1 && t->dims[t->n_dims - 1] > 1;
}

/* How a tensor fails a check: filled by a rule. */
typedef bool tensor_rule(const apr_model *m, const apr_tensor *t, const apr_tensor_statistics *s);

/* The first tensor that breaks a rule; *n: how many do. */
static const apr_tensor *find_broken(const apr_quality_look *l, tensor_rule *broken, size_t *n)
{
    const apr_tensor *first = NULL;

    *n = 0;
    for (size_t i = 0; i < l->m->n_tensors; i++) {
        const apr_tensor *t = &l->m->tensors[i];

        if (l->stats[i].count == 0 || !broken(l->m, t, &l->stats[i]))
            continue;
        first = first == NULL ? t : first;
        (*n)++;
    }
    return first;
}

static const apr_tensor_statistics *stats_of(const apr_quality_look *l, const apr_tensor *t)
{
    return &l->stats[t - l->m->tensors];
}

/* Of n tensors that have such values, the first has `odd`. */
static apr_quality_outcome say_odd_values(apr_quality_look *l, size_t n, const apr_tensor *t,
                                          uint64_t odd, const char *what)
{
    return apr_quality_say(l, APR_QUALITY_FAILED, "%zu tensors; %s has %llu %s of %llu", n, t->name,
                           (unsigned long long)odd, what,
                           (unsigned long long)stats_of(l, t)->count);
}

static bool has_nan(const apr_model *m, const apr_tensor *t, const apr_tensor_statistics *s)
{
    (void)m;
    (void)t;
    return s->nans > 0;
}

apr_quality_outcome apr_quality_nan(apr_quality_look *l)
{
    size_t n;
    const apr_tensor *t = find_broken(l, has_nan, &n);

    return t == NULL ? APR_QUALITY_PASSED : say_odd_values(l, n, t, stats_of(l, t)->nans, "NaN");
}

static bool has_infinite(const apr_model *m, const apr_tensor *t, const apr_tensor_statistics *s)
{
    (void)m;
    (void)t;
    return s->infinities > 0;
}

apr_quality_outcome apr_quality_infinite(apr_quality_look *l)
{
    size_t n;
    const apr_tensor *t = find_broken(l, has_infinite, &n);

    return t == NULL ? APR_QUALITY_PASSED
                     : say_odd_values(l, n, t, stats_of(l, t)->infinities, "infinite");
}

static bool is_zero(const apr_model *m, const apr_tensor *t, const apr_tensor_statistics *s)
{
    (void)m;
    return t->role >= 0 && is_matrix(t) && s->zeros == s->count;
}

apr_quality_outcome apr_quality_zero(apr_quality_look *l)
{
    size_t n;
    const apr_tensor *t = find_broken(l, is_zero, &n);

    return t == NULL
               ? APR_QUALITY_PASSED
               : apr_quality_say(l, APR_QUALITY_FAILED, "%zu are, the first is %s", n, t->name);
}

static bool is_flat(const apr_model *m, const apr_tensor *t, const apr_tensor_statistics *s)
{
    (void)m;
    return t->role >= 0 && is_matrix(t) && s->min == s->max && s->min != 0;
}

apr_quality_outcome apr_quality_flat(apr_quality_look *l)
{
    size_t n;
    const apr_tensor *t = find_broken(l, is_flat, &n);

    return t == NULL ? APR_QUALITY_PASSED
                     : apr_quality_say(l, APR_QUALITY_FAILED, "%zu do; all of %s is %g", n, t->name,
                                       stats_of(l, t)->min);
}

/* Root mean square of the weights that a norm multiplies by. */
static double norm_size(const apr_model *m, const apr_tensor_statistics *s)
{
    return hypot(s->std, s->mean + (double)m->config.norm_weight_offset);
}

static bool is_odd_norm(const apr_model *m, const apr_tensor *t, const apr_tensor_statistics *s)
{
    const double size = norm_size(m, s);

    return apr_role_is_norm(t->role) && (size < 1e-3 || size > 1e3);
}

apr_quality_outcome apr_quality_norms(apr_quality_look *l)
{
    size_t n;
    const apr_tensor *t = find_broken(l, is_odd_norm, &n);

    if (t == NULL)
        return APR_QUALITY_PASSED;
    return apr_quality_say(l, APR_QUALITY_FAILED,
                           "%zu have not; %s has a root mean square of %g, plausible are 1e-3 to "
                           "1e3",
                           n, t->name, norm_size(l->m, stats_of(l, t)));
}

static bool is_out_of_range(const apr_model *m, const apr_tensor *t, const apr_tensor_statistics *s)
{
    (void)m;
    return t->role >= 0 && (s->max > APR_LARGEST_WEIGHT || s->min < -APR_LARGEST_WEIGHT);
}

apr_quality_outcome apr_quality_range(apr_quality_look *l)
{
    size_t n;
    const apr_tensor *t = find_broken(l, is_out_of_range, &n);

    if (t == NULL)
        return APR_QUALITY_PASSED;
    return apr_quality_say(l, APR_QUALITY_FAILED, "%zu tensors; %s goes from %g to %g", n, t->name,
                           stats_of(l, t)->min, stats_of(l, t)->max);
}

/* Rows of nothing but zeros; -1: no memory for it. */
static int64_t dead_rows(const apr_model *m, const apr_tensor *t)
{
    const trueno_tensor view = apr_tensor_matrix(m, t);
    const size_t bytes = (size_t)view.cols * sizeof(float);
    float *row = trueno_allocate(m->options.allocator, bytes, 64);
    int64_t dead = 0;

    if (row == NULL || apr_packed_fetch(m, t, 0, t->bytes, NULL) < 0) {
        trueno_release(m->options.allocator, row, bytes);
        return -1;
    }
    for (int64_t r = 0; r < view.rows; r++) {
        int64_t c = 0;

        trueno_tensor_row_to_f32(&view, r, row);
        while (c < view.cols && row[c] == 0)
            c++;
        dead += c == view.cols;
    }
    if (view.mapped)
        trueno_map_drop(view.data, trueno_tensor_bytes(&view));
    trueno_release(m->options.allocator, row, bytes);
    return dead;
}

apr_quality_outcome apr_quality_embedding(apr_quality_look *l)
{
    const apr_tensor *t = apr_model_role(l->m, APR_TOKEN_EMBEDDING, 0);
    const apr_tensor_statistics *s = t != NULL ? stats_of(l, t) : NULL;
    int64_t dead;

    if (t == NULL || t->n_dims != 2 || trueno_type_get(t->type) == NULL)
        return apr_quality_say(l, APR_QUALITY_SKIPPED, "there is none that can be read");
    if (s->l2 <= 1e-6 || s->zeros > s->count / 2)
        return apr_quality_say(l, APR_QUALITY_FAILED,
                               "%s: %llu of %llu weights are 0, at most half may be; its length is "
                               "%g",
                               t->name, (unsigned long long)s->zeros, (unsigned long long)s->count,
                               s->l2);
    dead = dead_rows(l->m, t);
    if (dead < 0)
        return apr_quality_say(l, APR_QUALITY_SKIPPED, "no memory to read it");
    if (dead > t->dims[0] / 4)
        return apr_quality_say(l, APR_QUALITY_FAILED,
                               "%s: %lld of %lld rows are zeros, at most a quarter may be", t->name,
                               (long long)dead, (long long)t->dims[0]);
    return APR_QUALITY_PASSED;
}

static int number_order(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The middle deviation of a role's matrices; 0 where there are fewer than four. */
static double median_deviation(const apr_quality_look *l, int role)
{
    double found[APR_MAX_LAYERS];
    size_t n = 0;

    for (size_t i = 0; i < l->m->n_tensors && n < APR_MAX_LAYERS; i++)
        if (l->m->tensors[i].role == role && is_matrix(&l->m->tensors[i]) && l->stats[i].count > 0)
            found[n++] = l->stats[i].std;
    if (n < 4)
        return 0;
    qsort(found, n, sizeof found[0], number_order);
    return found[n / 2];
}

apr_quality_outcome apr_quality_outliers(apr_quality_look *l)
{
    const double most = 100;

    for (int role = APR_ATTN_NORM; role < APR_ROLE_COUNT; role++) {
        const double middle = median_deviation(l, role);

        for (size_t i = 0; i < l->m->n_tensors && middle > 0; i++) {
            const apr_tensor *t = &l->m->tensors[i];
            const double std = l->stats[i].std;

            if (t->role == role && l->stats[i].count > 0 &&
                (std > most * middle || std < middle / most))
                return apr_quality_say(l, APR_QUALITY_FAILED,
                                       "%s has %.3g, the middle of its kind is %.3g", t->name, std,
                                       middle);
        }
    }
    return APR_QUALITY_PASSED;
}
