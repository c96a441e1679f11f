/* SPDX-License-Identifier: MIT */
/* How far a weight type moves a tensor's weights, predicted from its statistics. */
#include "error_model.h"

#include "learn.h"
#include <apr/statistics.h>
#include <math.h>
#include <string.h>

enum { PART_VALUES = 1 << 16, HELD_OUT = 4 };

/* Conversions of all tensors, one observation each. */
typedef struct samples {
    double x[ERROR_TENSORS * TRUENO_TYPE_LIMIT][ERROR_FEATURES];
    double y[ERROR_TENSORS * TRUENO_TYPE_LIMIT];
    bool held[ERROR_TENSORS * TRUENO_TYPE_LIMIT];
    int32_t row[ERROR_TENSORS * TRUENO_TYPE_LIMIT]; /* of the model's rows, or -1 */
    size_t n;
} samples;

/* Memory for one tensor's part, in floats, in blocks, and back. */
typedef struct part {
    float *values, *back;
    uint8_t *blocks;
    size_t floats; /* of each of the three */
} part;

static void part_free(part *p, const trueno_allocator *allocator)
{
    trueno_release(allocator, p->values, p->floats * sizeof *p->values);
    trueno_release(allocator, p->back, p->floats * sizeof *p->back);
    trueno_release(allocator, p->blocks, p->floats * sizeof *p->values);
}

static trueno_status part_new(part *p, size_t floats, const trueno_allocator *allocator,
                              trueno_error *err)
{
    p->floats = floats;
    p->values = trueno_allocate(allocator, floats * sizeof *p->values, 64);
    p->back = trueno_allocate(allocator, floats * sizeof *p->back, 64);
    p->blocks = trueno_allocate(allocator, floats * sizeof *p->values, 64);
    if (p->values != NULL && p->back != NULL && p->blocks != NULL)
        return TRUENO_OK;
    part_free(p, allocator);
    *p = (part){0};
    return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %zu weights", floats);
}

static int64_t part_rows(const apr_tensor *t)
{
    int64_t cols = t->dims[t->n_dims - 1], rows = (int64_t)apr_tensor_elements(t) / cols;
    int64_t some = PART_VALUES / cols > 0 ? PART_VALUES / cols : 1;

    return rows < some ? rows : some;
}

static bool is_usable(const apr_tensor *t)
{
    return t->n_dims == 2 && t->packed == 0 && trueno_type_get(t->type) != NULL &&
           t->dims[1] <= (int64_t)4 * PART_VALUES;
}

/* One conversion; *largest 0 when the type holds the weights exactly. */
static trueno_status convert_part(const part *p, int64_t rows, int64_t cols, trueno_type to,
                                  trueno_pool *pool, const trueno_allocator *allocator,
                                  double *largest, trueno_error *err)
{
    const trueno_tensor from = {.type = TRUENO_F32,
                                .rows = rows,
                                .cols = cols,
                                .data = p->values,
                                .row_bytes = (size_t)cols * sizeof(float)};
    trueno_status status = trueno_quantize_rows(&from, to, NULL, p->blocks, pool, allocator, err);

    if (status < 0)
        return status;
    trueno_type_get(to)->dequantize(p->blocks, p->back, rows * cols);
    *largest = 0;
    for (int64_t i = 0; i < rows * cols; i++)
        *largest = fmax(*largest, fabs((double)p->back[i] - (double)p->values[i]));
    return TRUENO_OK;
}

/* All types of one tensor. */
static trueno_status convert_tensor(error_model *m, samples *s, part *p, const apr_tensor *t,
                                    size_t number, trueno_type wanted, trueno_pool *pool,
                                    const trueno_allocator *allocator, trueno_error *err)
{
    int64_t cols = t->dims[1], rows = part_rows(t);
    apr_tensor_statistics of;

    trueno_type_get(t->type)->dequantize(t->data, p->values, rows * cols);
    apr_tensor_values_stats(p->values, (uint64_t)(rows * cols), &of);
    if (of.std == 0 || of.nans + of.infinities > 0)
        return TRUENO_OK;
    for (int32_t type = TRUENO_F16; type < TRUENO_TYPE_LIMIT; type++) {
        double *x = s->x[s->n], largest;
        trueno_status status;

        if (trueno_row_bytes(type, cols) == 0)
            continue;
        status = convert_part(p, rows, cols, (trueno_type)type, pool, allocator, &largest, err);
        if (status < 0)
            return status;
        if (largest == 0)
            continue;
        x[0] = log2((double)apr_tensor_elements(t));
        x[1] = trueno_type_get(type)->bits;
        x[2] = of.mean;
        x[3] = log2(of.std);
        s->held[s->n] = number % HELD_OUT == HELD_OUT - 1;
        s->row[s->n] = -1;
        if (type == (int32_t)wanted) {
            s->row[s->n] = m->n_rows;
            m->rows[m->n_rows++] = (error_row){.tensor = t, .measured = largest};
        }
        s->y[s->n++] = log2(largest);
    }
    return TRUENO_OK;
}

static trueno_status convert_all(error_model *m, samples *s, const apr_model *model,
                                 trueno_type wanted, trueno_pool *pool,
                                 const trueno_allocator *allocator, trueno_error *err)
{
    size_t usable = 0, seen = 0, taken = 0, floats = 0;
    trueno_status status;
    part p;

    for (size_t i = 0; i < apr_model_tensor_count(model); i++) {
        const apr_tensor *t = apr_model_tensor(model, i);

        if (is_usable(t)) {
            size_t n = (size_t)(part_rows(t) * t->dims[1]);

            usable++;
            floats = n > floats ? n : floats;
        }
    }
    if (usable == 0)
        return TRUENO_OK;
    if ((status = part_new(&p, floats, allocator, err)) < 0)
        return status;
    for (size_t i = 0; i < apr_model_tensor_count(model) && status == TRUENO_OK; i++) {
        const apr_tensor *t = apr_model_tensor(model, i);

        if (!is_usable(t) || seen++ * ERROR_TENSORS / usable < taken || taken == ERROR_TENSORS)
            continue;
        status = convert_tensor(m, s, &p, t, taken++, wanted, pool, allocator, err);
    }
    part_free(&p, allocator);
    return status;
}

/* Fit to those not held out, whose rows are moved to the front; then judge by the others. */
static trueno_status fit_and_judge(error_model *m, samples *s, const trueno_allocator *allocator,
                                   trueno_error *err)
{
    double *predictions = &s->x[0][0];
    size_t n = 0, held = 0;
    trueno_status status;

    for (size_t i = 0; i < s->n; i++) {
        double x[ERROR_FEATURES], y = s->y[i];
        int32_t row = s->row[i];

        if (s->held[i])
            continue;
        memcpy(x, s->x[i], sizeof x);
        memcpy(s->x[i], s->x[n], sizeof x);
        memcpy(s->x[n], x, sizeof x);
        s->y[i] = s->y[n];
        s->row[i] = s->row[n];
        s->held[i] = s->held[n];
        s->y[n] = y;
        s->row[n] = row;
        s->held[n++] = false;
    }
    held = s->n - n;
    if (n <= ERROR_FEATURES + 1 || held < 2)
        return trueno_fail(err, TRUENO_USAGE,
                           "%zu conversions to learn from and %zu to judge by: the model has too "
                           "few matrices",
                           n, held);
    status = apr_regression_fit(s->x[0], s->y, n, ERROR_FEATURES, m->weights, NULL, allocator, err);
    if (status < 0)
        return status;
    for (size_t i = 0; i < s->n; i++) {
        double predicted = apr_regression_predict(m->weights, s->x[i], ERROR_FEATURES);

        if (s->row[i] >= 0)
            m->rows[s->row[i]].predicted = exp2(predicted);
        if (i >= n)
            predictions[i - n] = predicted; /* over features that are not needed any more */
    }
    m->r2 = apr_regression_r2(s->y + n, predictions, held);
    m->n_held = (int32_t)held;
    return TRUENO_OK;
}

trueno_status error_model_fit(error_model *out, const apr_model *model, trueno_type wanted,
                              trueno_pool *pool, const trueno_allocator *allocator,
                              trueno_error *err)
{
    samples *s = trueno_allocate_zero(allocator, sizeof *s);
    trueno_status status;

    memset(out, 0, sizeof *out);
    if (s == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for the errors of conversions");
    status = convert_all(out, s, model, wanted, pool, allocator, err);
    if (status == TRUENO_OK)
        status = fit_and_judge(out, s, allocator, err);
    trueno_release(allocator, s, sizeof *s);
    return status;
}
