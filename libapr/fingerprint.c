/* SPDX-License-Identifier: MIT */
/* A model's fingerprint: moments, percentiles and a checksum of every tensor. */
#include <apr/compare.h>
#include <apr/statistics.h>

#include "json_write.h"
#include "model_private.h"
#include "names.h"
#include "packed_tensors.h"
#include <stdio.h>
#include <string.h>
#include <zlib.h>

static const struct {
    const char *key;
    double p;
} PERCENTILES[] = {{"p1", 0.01},  {"p5", 0.05},  {"p25", 0.25}, {"p50", 0.5},
                   {"p75", 0.75}, {"p95", 0.95}, {"p99", 0.99}};

enum { N_PERCENTILES = sizeof PERCENTILES / sizeof PERCENTILES[0], HALF_VALUES = 1 << 16 };

/*
 * Exact percentiles in two passes without keeping the values: floats in an order-preserving
 * integer form are counted by their upper halves, then by the lower halves of those bins that hold
 * a percentile.
 */
typedef struct ranks {
    uint64_t *counts; /* [1 + N_PERCENTILES][HALF_VALUES]: upper halves, then lower ones */
    uint32_t bin[N_PERCENTILES];
    uint64_t rank[N_PERCENTILES]; /* left within the bin */
    float value[N_PERCENTILES];
} ranks;

static uint32_t ordered(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

static float unordered(uint32_t key)
{
    uint32_t bits = (key & 0x80000000u) != 0 ? key & 0x7fffffffu : ~key;
    float x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

static bool is_finite_bits(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return (bits & 0x7f800000u) != 0x7f800000u;
}

static void count_row(ranks *r, const float *x, int64_t n, bool second_pass)
{
    for (int64_t i = 0; i < n; i++) {
        const uint32_t key = ordered(x[i]);

        if (!is_finite_bits(x[i]))
            continue;
        if (!second_pass)
            r->counts[key >> 16]++;
        for (int p = 0; second_pass && p < N_PERCENTILES; p++)
            if (r->bin[p] == key >> 16)
                r->counts[(size_t)(p + 1) * HALF_VALUES + (key & 0xffff)]++;
    }
}

/* The entry of a histogram that holds rank *rank, which becomes the rank within it. */
static uint32_t find_rank(const uint64_t *counts, uint64_t *rank)
{
    uint32_t at = 0;

    while (at < HALF_VALUES - 1 && *rank >= counts[at])
        *rank -= counts[at++];
    return at;
}

static void read_tensor(ranks *r, const trueno_tensor *view, float *row, bool second_pass)
{
    for (int64_t i = 0; i < view->rows; i++) {
        trueno_tensor_row_to_f32(view, i, row);
        count_row(r, row, view->cols, second_pass);
    }
}

static void find_percentiles(ranks *r, const trueno_tensor *view, float *row, uint64_t finite)
{
    memset(r->counts, 0, (size_t)(1 + N_PERCENTILES) * HALF_VALUES * sizeof *r->counts);
    if (finite == 0)
        return;
    read_tensor(r, view, row, false);
    for (int p = 0; p < N_PERCENTILES; p++) {
        r->rank[p] = (uint64_t)(PERCENTILES[p].p * (double)(finite - 1));
        r->bin[p] = find_rank(r->counts, &r->rank[p]);
    }
    read_tensor(r, view, row, true);
    for (int p = 0; p < N_PERCENTILES; p++) {
        uint32_t low = find_rank(r->counts + (size_t)(p + 1) * HALF_VALUES, &r->rank[p]);

        r->value[p] = unordered(r->bin[p] << 16 | low);
    }
}

static trueno_status put_values(apr_json *j, const apr_model *m, const apr_tensor *t, ranks *r,
                                trueno_error *err)
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
    find_percentiles(r, &view, row, s.count - s.nans - s.infinities);
    trueno_release(m->options.allocator, row, bytes);
    apr_json_put_uint(j, "count", s.count);
    apr_json_put_double(j, "mean", s.mean);
    apr_json_put_double(j, "std", s.std);
    apr_json_put_double(j, "min", s.min);
    apr_json_put_double(j, "max", s.max);
    for (int p = 0; p < N_PERCENTILES; p++) {
        apr_json_key(j, PERCENTILES[p].key);
        apr_json_float(j, r->value[p]);
    }
    apr_json_put_uint(j, "zero_count", s.zeros);
    apr_json_put_uint(j, "nan_count", s.nans);
    apr_json_put_uint(j, "inf_count", s.infinities);
    return TRUENO_OK;
}

static trueno_status put_tensor(apr_json *j, const apr_model *m, const apr_tensor *t,
                                const char *name, ranks *r, trueno_error *err)
{
    trueno_status status = TRUENO_OK;
    char crc[16];

    apr_json_open(j, '{');
    apr_json_put_string(j, "name", name);
    apr_json_put_string(j, "dtype", apr_tensor_type_name(t));
    apr_json_key(j, "shape");
    apr_json_open(j, '[');
    for (int i = 0; i < t->n_dims; i++)
        apr_json_int(j, t->dims[i]);
    apr_json_close(j, ']');
    if ((status = apr_packed_fetch(m, t, 0, t->bytes, err)) < 0)
        return status;
    if (trueno_type_get(t->type) != NULL)
        status = put_values(j, m, t, r, err);
    (void)snprintf(crc, sizeof crc, "%08x", (uint32_t)crc32_z(0, t->data, (size_t)t->bytes));
    apr_json_put_string(j, "crc32", crc);
    apr_json_close(j, '}');
    if (apr_tensor_matrix(m, t).mapped)
        trueno_map_drop(t->data, (size_t)t->bytes);
    return status;
}

static trueno_status put_tensors(apr_json *j, const apr_model *m, const char *filter, ranks *r,
                                 trueno_error *err)
{
    trueno_status status = TRUENO_OK;
    char name[160];

    for (size_t i = 0; i < m->n_tensors && status == TRUENO_OK; i++) {
        const apr_tensor *t = &m->tensors[i];

        name[0] = '\0';
        if (t->role >= 0 && t->expert < 0)
            apr_role_name((apr_role)t->role, t->layer, name, sizeof name);
        if (apr_name_matches(name[0] != '\0' ? name : t->name, filter))
            status = put_tensor(j, m, t, name[0] != '\0' ? name : t->name, r, err);
    }
    return status;
}

trueno_status apr_fingerprint_json(const apr_model *m, const char *filter, char **out,
                                   size_t *bytes, trueno_error *err)
{
    const size_t counts = (size_t)(1 + N_PERCENTILES) * HALF_VALUES * sizeof(uint64_t);
    apr_json j = {.buffer.allocator = m->options.allocator};
    ranks r = {.counts = trueno_allocate(m->options.allocator, counts, 64)};
    trueno_status status;

    *out = NULL;
    *bytes = 0;
    if (r.counts == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for percentiles", m->path);
    apr_json_open(&j, '{');
    apr_json_put_int(&j, "schema", 1);
    apr_json_put_string(&j, "file", m->path);
    apr_json_put_string(&j, "format", m->format);
    apr_json_put_string(&j, "architecture", m->config.architecture);
    apr_json_key(&j, "tensors");
    apr_json_open(&j, '[');
    status = put_tensors(&j, m, filter, &r, err);
    apr_json_close(&j, ']');
    apr_json_close(&j, '}');
    trueno_release(m->options.allocator, r.counts, counts);
    if (status < 0) {
        apr_json_drop(&j);
        return status;
    }
    return apr_json_finish(&j, m->path, out, bytes, err);
}
