/* SPDX-License-Identifier: MIT */
/* Two models compared: the first is planned as the second's format has it, and visited beside it.
 */
#include <apr/compare.h>

#include "names.h"
#include "packed_tensors.h"
#include "plan_rows.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <trueno/cpu.h>
#include <trueno/sys/half.h>
#include <trueno/sys/threads.h>

/* One comparison. */
typedef struct comparing {
    const apr_model *second;
    apr_difference_fn fn;
    void *user;
    const char *filter;
    apr_comparison *sums;
    double total; /* of all absolute differences */
    uint64_t count;
} comparing;

/* One tensor's: what the pieces add up to. */
typedef struct one_tensor {
    const apr_model *model;
    trueno_tensor other;
    float *row; /* of the other */
    apr_tensor_difference *d;
    double total, squares, errors;
} one_tensor;

static void note_largest(one_tensor *o, const float *x, int64_t left, uint64_t at, int64_t column)
{
    enum { MOST = sizeof o->d->first_values / sizeof o->d->first_values[0] };
    apr_tensor_difference *d = o->d;

    d->at = at;
    d->n_values = left < MOST ? (int32_t)left : MOST;
    memcpy(d->first_values, x, (size_t)d->n_values * sizeof *x);
    memcpy(d->second_values, o->row + column, (size_t)d->n_values * sizeof *x);
}

static void compare_row(one_tensor *o, const float *x, uint64_t at, int64_t n)
{
    for (int64_t c = 0; c < n; c++) {
        double distance = fabs((double)x[c] - (double)o->row[c]);

        if (trueno_f32_bits(x[c]) == trueno_f32_bits(o->row[c]) || distance == 0)
            distance = 0;
        else
            o->d->differing++;
        if (isnan(distance))
            distance = INFINITY;
        if (distance > o->d->max) {
            o->d->max = distance;
            note_largest(o, x + c, n - c, at + (uint64_t)c, c);
        }
        o->total += distance;
        o->squares += (double)x[c] * (double)x[c];
        o->errors += distance * distance;
    }
    o->d->count += (uint64_t)n;
}

static trueno_status compare_piece(void *user, const apr_piece *piece, trueno_error *err)
{
    one_tensor *o = user;
    trueno_tensor rows;

    (void)err;
    if (o->other.rows != piece->planned->dims[0] && piece->cols == 1) /* a vector's elements */
        o->other = trueno_tensor_make(o->other.type, o->other.cols, 1, o->other.data);
    rows = trueno_tensor_rows(&o->other, piece->first, piece->rows);
    if (piece->raw.data != NULL && rows.type == piece->raw.type && piece->bad == INT64_MAX &&
        memcmp(rows.data, piece->raw.data, trueno_tensor_bytes(&rows)) == 0) {
        o->d->count += (uint64_t)(piece->rows * piece->cols);
        return TRUENO_OK;
    }
    for (int64_t i = 0; i < piece->rows; i++) {
        trueno_tensor_row_to_f32(&rows, i, o->row);
        compare_row(o, piece->values + i * piece->cols,
                    (uint64_t)((piece->first + i) * piece->cols), piece->cols);
    }
    return TRUENO_OK;
}

/* Dimensions of 1 in front say nothing. */
static bool same_shape(const int64_t *a, int32_t n, const int64_t *b, int32_t m)
{
    while (n > 1 && a[0] == 1) {
        a++;
        n--;
    }
    while (m > 1 && b[0] == 1) {
        b++;
        m--;
    }
    return n == m && memcmp(a, b, (size_t)n * sizeof *a) == 0;
}

static bool reversed(const apr_planned *p, const apr_tensor *t)
{
    return p->n_dims == 2 && t->n_dims == 2 && p->dims[0] == t->dims[1] && p->dims[1] == t->dims[0];
}

static trueno_status compare_values(const apr_model *first, const apr_planned *p,
                                    const apr_model *second, const apr_tensor *t, trueno_pool *pool,
                                    apr_tensor_difference *d, double *total, trueno_error *err)
{
    const size_t bytes = (size_t)t->dims[t->n_dims - 1] * sizeof(float);
    one_tensor o = {.model = first, .other = apr_tensor_matrix(second, t), .d = d};
    trueno_status status = apr_packed_fetch(second, t, 0, t->bytes, err);

    if (status < 0)
        return status;
    o.row = trueno_allocate(second->options.allocator, bytes, 64);
    if (o.row == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for a row of %s", second->path,
                           t->name);
    status = apr_plan_visit(first, p, pool, compare_piece, &o, err);
    trueno_release(second->options.allocator, o.row, bytes);
    if (o.other.mapped)
        trueno_map_drop(t->data, t->bytes);
    d->kind = d->differing > 0 ? APR_VALUES_DIFFER : APR_SAME;
    d->mean = d->count > 0 ? o.total / (double)d->count : 0;
    d->relative = o.squares > 0 ? sqrt(o.errors / o.squares) : 0;
    *total += o.total;
    return status;
}

static void tell(comparing *c, const apr_tensor_difference *d)
{
    apr_comparison *s = c->sums;

    s->tensors++;
    s->same += d->kind == APR_SAME;
    s->values_differ += d->kind == APR_VALUES_DIFFER;
    s->shapes_differ += d->kind == APR_SHAPES_DIFFER || d->kind == APR_TRANSPOSED;
    s->missing += d->kind == APR_ONLY_IN_FIRST || d->kind == APR_ONLY_IN_SECOND;
    s->max = d->max > s->max ? d->max : s->max;
    c->count += d->count;
    if (c->fn != NULL)
        c->fn(c->user, d);
}

/* Tensors that nothing computes with. */
static trueno_status compare_bytes(const apr_model *first, const apr_planned *p,
                                   const apr_model *second, const apr_tensor *t,
                                   apr_tensor_difference *d, trueno_error *err)
{
    trueno_status status = apr_packed_fetch(second, t, 0, t->bytes, err);

    if (status == TRUENO_OK && p->parts != NULL)
        status = apr_packed_fetch(first, p->parts[0], 0, p->parts[0]->bytes, err);
    if (status == TRUENO_OK)
        d->kind = p->parts != NULL && p->parts[0]->bytes == t->bytes &&
                          memcmp(p->parts[0]->data, t->data, t->bytes) == 0
                      ? APR_SAME
                      : APR_VALUES_DIFFER;
    return status;
}

static trueno_status compare_tensor(comparing *c, const apr_model *first, const apr_planned *p,
                                    const apr_tensor *t, trueno_pool *pool, trueno_error *err)
{
    apr_tensor_difference d = {.kind = APR_ONLY_IN_FIRST,
                               .name = t != NULL ? t->name : p->name,
                               .type_first =
                                   p->parts != NULL ? apr_tensor_type_name(p->parts[0]) : "F32",
                               .n_dims_first = p->n_dims};
    trueno_status status = TRUENO_OK;

    memcpy(d.dims_first, p->dims, sizeof d.dims_first);
    if (t != NULL) {
        d.type_second = apr_tensor_type_name(t);
        d.n_dims_second = t->n_dims;
        memcpy(d.dims_second, t->dims, sizeof d.dims_second);
        d.kind = same_shape(p->dims, p->n_dims, t->dims, t->n_dims) ? APR_SAME
                 : reversed(p, t)                                   ? APR_TRANSPOSED
                                                                    : APR_SHAPES_DIFFER;
    }
    if (d.kind == APR_SAME && (trueno_type_get(t->type) == NULL ||
                               (p->parts != NULL && trueno_type_get(p->parts[0]->type) == NULL)))
        status = compare_bytes(first, p, c->second, t, &d, err);
    else if (d.kind == APR_SAME)
        status = compare_values(first, p, c->second, t, pool, &d, &c->total, err);
    if (status == TRUENO_OK)
        tell(c, &d);
    return status;
}

static bool is_table(int32_t role)
{
    return role == APR_ROPE_FREQUENCIES || role == APR_ROPE_FACTORS_LONG ||
           role == APR_ROPE_FACTORS_SHORT;
}

/* Tensors of the second that nothing of the plan matched. */
static void tell_unmatched(comparing *c, const bool *matched)
{
    for (size_t i = 0; i < c->second->n_tensors; i++) {
        const apr_tensor *t = &c->second->tensors[i];
        apr_tensor_difference d = {.kind = APR_ONLY_IN_SECOND,
                                   .name = t->name,
                                   .type_second = apr_tensor_type_name(t),
                                   .n_dims_second = t->n_dims};

        if (matched[i] || is_table(t->role) || !apr_name_matches(t->name, c->filter))
            continue;
        memcpy(d.dims_second, t->dims, sizeof d.dims_second);
        tell(c, &d);
    }
}

/* True when the experts of a layer are tensors of their own. */
static bool experts_apart(const apr_model *m)
{
    for (size_t i = 0; i < m->n_tensors; i++)
        if (m->tensors[i].expert >= 0)
            return true;
    return false;
}

static trueno_status compare_planned(comparing *c, const apr_model *first, const apr_plan *plan,
                                     trueno_pool *pool, trueno_error *err)
{
    const size_t bytes = (c->second->n_tensors + 1) * sizeof(bool);
    bool *matched = trueno_allocate_zero(first->options.allocator, bytes);
    trueno_status status = TRUENO_OK;

    if (matched == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory to compare", first->path);
    for (size_t i = 0; i < plan->n && status == TRUENO_OK; i++) {
        const apr_planned *p = &plan->tensors[i];
        const apr_tensor *t = apr_tensor_like(c->second, p->role, p->layer, p->expert, p->name);

        if (t != NULL)
            matched[t - c->second->tensors] = true;
        if (is_table(p->role) || !apr_name_matches(t != NULL ? t->name : p->name, c->filter))
            continue;
        status = compare_tensor(c, first, p, t, pool, err);
    }
    if (status == TRUENO_OK)
        tell_unmatched(c, matched);
    trueno_release(first->options.allocator, matched, bytes);
    return status;
}

trueno_status apr_compare_models(const apr_model *first, const apr_model *second,
                                 const apr_compare_options *options, apr_difference_fn fn,
                                 void *user, apr_comparison *out, trueno_error *err)
{
    const bool gguf = strncmp(second->format, "GGUF", 4) == 0;
    const apr_plan_target target = {.names = gguf ? APR_NAMES_GGUF : APR_NAMES_HF,
                                    .rope_type = second->config.rope_type,
                                    .norm_weight_offset = second->config.norm_weight_offset,
                                    .stack_experts = !experts_apart(second),
                                    .split_experts = experts_apart(second)};
    const apr_convert_options as_it_is = {.size = sizeof as_it_is};
    apr_compare_options o = {0};
    comparing c = {.second = second, .fn = fn, .user = user, .sums = out};
    apr_plan plan;
    trueno_pool *pool = NULL;
    trueno_status status;

    if (options != NULL)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    *out = (apr_comparison){0};
    c.filter = o.filter;
    status = apr_plan_make(&plan, first, &target, &as_it_is, err);
    if (status == TRUENO_OK)
        status = trueno_pool_new(&pool, o.threads > 0 ? o.threads : trueno_cpu_default_threads(),
                                 first->options.allocator, err);
    if (status == TRUENO_OK)
        status = compare_planned(&c, first, &plan, pool, err);
    out->mean = c.count > 0 ? c.total / (double)c.count : 0;
    trueno_pool_free(pool);
    trueno_arena_free(&plan.arena);
    return status;
}
