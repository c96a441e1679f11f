/* SPDX-License-Identifier: MIT */
/* A model's fingerprint: moments, percentiles and a checksum of every tensor. */
#include <apr/compare.h>
#include <apr/statistics.h>

#include "json_write.h"
#include "model_private.h"
#include "names.h"
#include "packed_tensors.h"
#include "percentiles.h"
#include <stdio.h>
#include <zlib.h>

/* Both readings of the tensor. */
static void find_percentiles(apr_percentiles *p, const trueno_tensor *view, float *row)
{
    apr_percentiles_begin(p);
    for (int reading = 0; reading < 2; reading++) {
        for (int64_t i = 0; i < view->rows; i++) {
            trueno_tensor_row_to_f32(view, i, row);
            apr_percentiles_count(p, row, view->cols);
        }
        if (reading == 0)
            apr_percentiles_again(p);
    }
    apr_percentiles_end(p);
}

static trueno_status put_values(apr_json *j, const apr_model *m, const apr_tensor *t,
                                apr_percentiles *p, trueno_error *err)
{
    const trueno_tensor view = apr_tensor_matrix(m, t);
    const size_t bytes = (size_t)view.cols * sizeof(float);
    apr_tensor_statistics s;
    trueno_status status = apr_tensor_stats(m, t, NULL, &s, err);
    float *row;

    if (status < 0)
        return status;
    row = trueno_allocate(m->options.allocator, bytes, 64);
    if (row == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for a row of %s", m->path,
                           t->name);
    find_percentiles(p, &view, row);
    trueno_release(m->options.allocator, row, bytes);
    apr_json_put_uint(j, "count", s.count);
    apr_json_put_double(j, "mean", s.mean);
    apr_json_put_double(j, "std", s.std);
    apr_json_put_double(j, "min", s.min);
    apr_json_put_double(j, "max", s.max);
    for (int k = 0; k < APR_PERCENTILES; k++) {
        apr_json_key(j, APR_PERCENTILE_KEYS[k]);
        apr_json_float(j, p->value[k]);
    }
    apr_json_put_uint(j, "zero_count", s.zeros);
    apr_json_put_uint(j, "nan_count", s.nans);
    apr_json_put_uint(j, "inf_count", s.infinities);
    return TRUENO_OK;
}

static trueno_status put_tensor(apr_json *j, const apr_model *m, const apr_tensor *t,
                                const char *name, apr_percentiles *p, trueno_error *err)
{
    trueno_status status = TRUENO_OK;
    char crc[16];

    apr_json_open(j, '{');
    apr_json_put_string(j, "name", name);
    apr_json_put_string(j, "dtype", apr_tensor_type_name(t));
    apr_json_put_ints(j, "shape", t->dims, t->n_dims);
    if ((status = apr_packed_fetch(m, t, 0, t->bytes, err)) < 0)
        return status;
    if (trueno_type_get(t->type) != NULL)
        status = put_values(j, m, t, p, err);
    (void)snprintf(crc, sizeof crc, "%08x", (uint32_t)crc32_z(0, t->data, (size_t)t->bytes));
    apr_json_put_string(j, "crc32", crc);
    apr_json_close(j, '}');
    if (apr_tensor_matrix(m, t).mapped)
        trueno_map_drop(t->data, (size_t)t->bytes);
    return status;
}

static trueno_status put_tensors(apr_json *j, const apr_model *m, const char *filter,
                                 apr_percentiles *p, trueno_error *err)
{
    trueno_status status = TRUENO_OK;
    char name[160];

    for (size_t i = 0; i < m->n_tensors && status == TRUENO_OK; i++) {
        const apr_tensor *t = &m->tensors[i];

        name[0] = '\0';
        if (t->role >= 0 && t->expert < 0)
            apr_role_name((apr_role)t->role, t->layer, name, sizeof name);
        if (apr_name_matches(name[0] != '\0' ? name : t->name, filter))
            status = put_tensor(j, m, t, name[0] != '\0' ? name : t->name, p, err);
    }
    return status;
}

trueno_status apr_fingerprint_json(const apr_model *m, const char *filter, char **out,
                                   size_t *bytes, trueno_error *err)
{
    apr_json j = {.buffer.allocator = m->options.allocator};
    apr_percentiles p;
    trueno_status status;

    *out = NULL;
    *bytes = 0;
    if ((status = apr_percentiles_init(&p, m->options.allocator, m->path, err)) < 0)
        return status;
    apr_json_open(&j, '{');
    apr_json_put_int(&j, "schema", 1);
    apr_json_put_string(&j, "file", m->path);
    apr_json_put_string(&j, "format", m->format);
    apr_json_put_string(&j, "architecture", m->config.architecture);
    apr_json_put_double(&j, "norm_weight_offset", (double)m->config.norm_weight_offset);
    apr_json_put_open(&j, "tensors", '[');
    status = put_tensors(&j, m, filter, &p, err);
    apr_json_close(&j, ']');
    apr_json_close(&j, '}');
    apr_percentiles_free(&p);
    if (status < 0) {
        apr_json_drop(&j);
        return status;
    }
    return apr_json_finish(&j, m->path, out, bytes, err);
}
