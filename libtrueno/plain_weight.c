/* SPDX-License-Identifier: MIT */
/* Products of dequantised weights in double precision. */
#include "plain_weight.h"

#include <string.h>

#include "kernels/reference.h"

static trueno_status check_parts(const trueno_tensor *parts, int n_parts, trueno_error *err)
{
    if (n_parts < 1 || n_parts > PLAIN_PARTS)
        return trueno_fail(err, TRUENO_USAGE, "a weight of %d parts: must be 1 to %d", n_parts,
                           PLAIN_PARTS);
    for (int i = 0; i < n_parts; i++) {
        if (trueno_type_get(parts[i].type) == NULL)
            return trueno_fail(err, TRUENO_UNSUPPORTED, "weight type %d is not known",
                               (int)parts[i].type);
        if (parts[i].rows < 1 || parts[i].cols < 1 || parts[i].cols != parts[0].cols ||
            parts[i].row_bytes != trueno_row_bytes(parts[i].type, parts[i].cols))
            return trueno_fail(err, TRUENO_USAGE,
                               "part %d of a weight is %lld x %lld of %s in rows of %zu bytes, "
                               "beside %lld columns",
                               i, (long long)parts[i].rows, (long long)parts[i].cols,
                               trueno_type_get(parts[i].type)->name, parts[i].row_bytes,
                               (long long)parts[0].cols);
    }
    return TRUENO_OK;
}

static trueno_status copy_parts(host_backend *host, plain_weight *w, trueno_error *err)
{
    char *to;

    for (int i = 0; i < w->n_parts; i++)
        w->copy_bytes += trueno_tensor_bytes(&w->parts[i]);
    w->copy = to = trueno_allocate(host->allocator, w->copy_bytes, 64);
    if (to == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY,
                           "no memory for %zu bytes of weights (%llu in use)", w->copy_bytes,
                           (unsigned long long)host->weight_bytes);
    for (int i = 0; i < w->n_parts; i++) {
        size_t bytes = trueno_tensor_bytes(&w->parts[i]);

        memcpy(to, w->parts[i].data, bytes);
        w->parts[i].data = to;
        w->parts[i].mapped = false;
        to += bytes;
    }
    host->weight_bytes += w->copy_bytes;
    return TRUENO_OK;
}

trueno_status plain_weight_new(plain_weight **out, host_backend *host, const trueno_tensor *parts,
                               int n_parts, trueno_error *err)
{
    trueno_status status = check_parts(parts, n_parts, err);
    plain_weight *w;

    *out = NULL;
    if (status < 0)
        return status;
    w = trueno_allocate_zero(host->allocator, sizeof *w);
    if (w == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a weight's description");
    w->n_parts = n_parts;
    w->cols = parts[0].cols;
    for (int i = 0; i < n_parts; i++) {
        w->parts[i] = parts[i];
        w->rows += parts[i].rows;
    }
    if (!host->keep_mapping && (status = copy_parts(host, w, err)) < 0) {
        trueno_release(host->allocator, w, sizeof *w);
        return status;
    }
    *out = w;
    return TRUENO_OK;
}

void plain_weight_free(host_backend *host, plain_weight *w)
{
    if (w == NULL)
        return;
    if (w->copy != NULL)
        host->weight_bytes -= w->copy_bytes;
    trueno_release(host->allocator, w->copy, w->copy_bytes);
    trueno_release(host->allocator, w, sizeof *w);
}

void plain_weight_row(const plain_weight *w, int64_t row, float *out)
{
    int part = 0;

    while (row >= w->parts[part].rows)
        row -= w->parts[part++].rows;
    trueno_tensor_row_to_f32(&w->parts[part], row, out);
}

typedef struct product_job {
    const plain_weight *w;
    const float *bias, *x;
    float *y, *rows; /* rows: [threads][cols] */
    int64_t n;
    bool add;
} product_job;

static void multiply_rows(void *context, int64_t begin, int64_t end, int thread)
{
    const product_job *job = context;
    const plain_weight *w = job->w;
    float *weights = job->rows + (int64_t)thread * w->cols;

    for (int64_t row = begin; row < end; row++) {
        plain_weight_row(w, row, weights);
        for (int64_t i = 0; i < job->n; i++) {
            float *y = &job->y[i * w->rows + row];
            double sum = reference_dot(weights, job->x + i * w->cols, w->cols);

            if (job->bias != NULL)
                sum += job->bias[row];
            *y = (float)(job->add ? sum + *y : sum);
        }
    }
}

void plain_weight_matmul(host_backend *host, host_buffer *scratch, const plain_weight *w,
                         const float *bias, const float *x, int64_t n, bool add, float *y)
{
    product_job job = {.w = w, .bias = bias, .x = x, .y = y, .n = n, .add = add};

    job.rows = host_scratch(
        host, scratch, (size_t)trueno_pool_threads(host->pool) * (size_t)w->cols * sizeof(float));
    if (job.rows != NULL)
        trueno_pool_for(host->pool, w->rows, 8, multiply_rows, &job);
}
