/* SPDX-License-Identifier: MIT */
/* A model's tensors as points, in the directions in which their statistics differ most. */
#include "diagnosis.h"

#include <apr/statistics.h>
#include <math.h>

/* The statistics of all tensors while they are gathered. */
typedef struct gathering {
    apr_diagnosis *d;
    double *x;
} gathering;

static double grown(double v)
{
    return v < 0 ? -log1p(-v) : log1p(v);
}

/*
 * Twelve numbers, all on logarithmic scales: they span decades, and so have one unit, in which
 * their variances can be compared without dividing any by its own.
 */
static trueno_status gather(void *user, const apr_tensor *tensor, const apr_tensor_statistics *s,
                            trueno_error *err)
{
    gathering *g = user;
    double *x = g->x + g->d->n_points * POINT_FEATURES;

    (void)err;
    if (s == NULL || s->count == 0)
        return TRUENO_OK;
    x[0] = grown(1e3 * s->mean);
    x[1] = log(s->std + 1e-9);
    x[2] = grown(1e3 * s->min);
    x[3] = grown(1e3 * s->max);
    x[4] = grown(s->kurtosis);
    x[5] = grown(s->skewness);
    x[6] = (double)s->zeros / (double)s->count;
    x[7] = log(s->l1 + 1e-9);
    x[8] = log(s->l2 + 1e-9);
    x[9] = log(fmax(s->max, -s->min) + 1e-9);
    x[10] = grown((double)s->nans);
    x[11] = grown((double)s->infinities);
    g->d->points[g->d->n_points++].tensor = tensor;
    return TRUENO_OK;
}

trueno_status diagnosis_project(apr_diagnosis *d, trueno_error *err)
{
    size_t n = apr_model_tensor_count(d->model);
    const apr_tensors_stats_options o = {.size = sizeof o, .threads = d->o.threads};
    double *x = trueno_arena_array(&d->arena, n * POINT_FEATURES, sizeof *x);
    double mean[POINT_FEATURES], variance[POINT_DIMENSIONS], total = 0;
    double components[POINT_DIMENSIONS * POINT_FEATURES];
    gathering g = {d, x};
    trueno_status status;

    d->points = trueno_arena_array(&d->arena, n, sizeof *d->points);
    if (x == NULL || d->points == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %zu tensors", n);
    if ((status = apr_tensors_stats(d->model, &o, gather, &g, err)) < 0)
        return status;
    status = apr_pca_fit(x, d->n_points, POINT_FEATURES, POINT_DIMENSIONS, mean, components,
                         variance, &total, d->allocator, err);
    if (status < 0)
        return status;
    for (size_t i = 0; i < d->n_points; i++)
        apr_pca_project(mean, components, POINT_DIMENSIONS, x + i * POINT_FEATURES, POINT_FEATURES,
                        d->points[i].at);
    d->criteria[2] = (apr_criterion){
        "F-PCA-001", "share of the variance of twelve statistics in three directions",
        total > 0 ? (variance[0] + variance[1] + variance[2]) / total : 1, 0.8,
        (int32_t)d->n_points};
    return TRUENO_OK;
}
