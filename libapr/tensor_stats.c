/* SPDX-License-Identifier: MIT */
/* Statistics over the weights of one tensor. */
#include <apr/inspect.h>

#include "model_private.h"
#include <math.h>

/* Running sums; the mean is updated value by value (Welford), which does not cancel. */
typedef struct sums {
    apr_tensor_statistics *s;
    double squares; /* of the distances from the mean */
    uint64_t finite;
} sums;

static void add_value(sums *a, float x)
{
    double distance = x - a->s->mean;

    if (a->finite == 0)
        a->s->min = a->s->max = x;
    if (x < a->s->min)
        a->s->min = x;
    if (x > a->s->max)
        a->s->max = x;
    a->finite++;
    a->s->mean += distance / (double)a->finite;
    a->squares += distance * (x - a->s->mean);
    a->s->zeros += x == 0;
}

static void add_row(sums *a, const float *row, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        if (isnan(row[i]))
            a->s->nans++;
        else if (isinf(row[i]))
            a->s->infinities++;
        else
            add_value(a, row[i]);
    }
}

trueno_status apr_tensor_stats(const apr_model *m, const apr_tensor *tensor,
                               apr_tensor_statistics *out, trueno_error *err)
{
    trueno_tensor view = apr_tensor_matrix(m, tensor);
    size_t bytes = (size_t)view.cols * sizeof(float);
    sums a = {.s = out};
    float *row;

    *out = (apr_tensor_statistics){.count = apr_tensor_elements(tensor)};
    if (trueno_type_get(tensor->type) == NULL)
        return trueno_fail(err, TRUENO_UNSUPPORTED, "%s: %s holds %s, which is not computed with",
                           m->path, tensor->name, apr_tensor_type_name(tensor));
    row = trueno_allocate(m->options.allocator, bytes, 64);
    if (row == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for a row of %lld weights",
                           m->path, (long long)view.cols);
    for (int64_t r = 0; r < view.rows; r++) {
        trueno_tensor_row_to_f32(&view, r, row);
        add_row(&a, row, view.cols);
    }
    if (a.finite > 0)
        out->std = sqrt(a.squares / (double)a.finite);
    trueno_release(m->options.allocator, row, bytes);
    return TRUENO_OK;
}
