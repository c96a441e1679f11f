/* SPDX-License-Identifier: MIT */
/* Rows of planned tensors: gathered in the target's order, made floats and looked at, on all
 * threads. */
#include "plan_rows.h"

#include "blend.h"
#include "packed_tensors.h"
#include <math.h>
#include <pthread.h>
#include <string.h>
#include <trueno/sys/threads.h>

/* One visit's buffers and the piece in hand. */
typedef struct visit {
    const apr_model *m;
    const apr_planned *p;
    trueno_pool *pool;
    int64_t rows, cols;     /* of one part, as matrix */
    int64_t most;           /* rows of a piece */
    const apr_tensor *part; /* in hand, and the piece's first row of it */
    int64_t first;
    void *gathered; /* rows in their new order, in the source's type */
    float *floats;
    size_t gathered_bytes, floats_bytes;
    pthread_mutex_t lock; /* over the piece's sums */
    apr_piece piece;
} visit;

/* The row of the source that becomes row `row`: pairs (2i, 2i+1) and halves (i, i + d/2) change. */
static int64_t source_row(const visit *v, int64_t row)
{
    const int64_t d = v->rows / v->p->heads, head = row / d, at = row % d;

    if (v->p->to_norm)
        return head * d + at % 2 * (d / 2) + at / 2;
    return head * d + at % (d / 2) * 2 + at / (d / 2);
}

/* Rows [first, first + n) of a part in their new order: in place, or gathered. */
static trueno_tensor piece_rows(const visit *v, const trueno_tensor *part, int64_t first, int64_t n)
{
    if (v->p->heads == 0)
        return trueno_tensor_rows(part, first, n);
    for (int64_t i = 0; i < n; i++)
        memcpy((char *)v->gathered + (size_t)i * part->row_bytes,
               (const char *)part->data + (size_t)source_row(v, first + i) * part->row_bytes,
               part->row_bytes);
    return trueno_tensor_make(part->type, n, part->cols, v->gathered);
}

/* The first value that is not finite, or `n`. */
static int64_t first_bad(const float *x, int64_t n)
{
    enum { EXPONENT = 0x7f800000 };
    uint32_t found = 0;
    int64_t i = 0;

    for (int64_t c = 0; c < n; c++) { /* without a way out, so that it runs over vectors */
        uint32_t bits;

        memcpy(&bits, &x[c], sizeof bits);
        found |= (bits & EXPONENT) == EXPONENT;
    }
    while (found != 0 && isfinite(x[i]))
        i++;
    return found != 0 ? i : n;
}

/* What is told of a piece, over some of its rows. */
static void look_at(apr_piece *seen, const float *x, int64_t first, int64_t n)
{
    int64_t bad = first_bad(x, n);

    if (bad < n) {
        if (first + bad < seen->bad)
            seen->bad = first + bad;
        return;
    }
    for (int64_t c = 0; c < n; c++) {
        seen->min = x[c] < seen->min ? x[c] : seen->min;
        seen->max = x[c] > seen->max ? x[c] : seen->max;
        seen->zeros += x[c] == 0;
    }
}

static void add_seen(apr_piece *all, const apr_piece *some)
{
    all->min = some->min < all->min ? some->min : all->min;
    all->max = some->max > all->max ? some->max : all->max;
    all->bad = some->bad < all->bad ? some->bad : all->bad;
    all->zeros += some->zeros;
}

/* The values of row `i` of the piece, which is one of the source's rows. */
static void blend_row(const visit *v, int64_t i, float *row, int thread)
{
    const int64_t at = v->first + i, from = v->p->heads != 0 ? source_row(v, at) : at;

    v->m->blend->values(v->m->blend, v->part, (uint64_t)(from * v->cols), v->cols, row, thread);
}

static void make_floats(void *context, int64_t begin, int64_t end, int thread)
{
    visit *v = context;
    apr_piece seen = {.bad = INT64_MAX, .min = INFINITY, .max = -INFINITY};

    for (int64_t i = begin; i < end; i++) {
        float *row = v->floats + i * v->cols;

        trueno_tensor_row_to_f32(&v->piece.raw, i, row);
        if (v->m->blend != NULL)
            blend_row(v, i, row, thread);
        look_at(&seen, row, i * v->cols, v->cols);
        for (int64_t c = 0; v->p->add != 0 && c < v->cols; c++)
            row[c] += v->p->add;
    }
    (void)pthread_mutex_lock(&v->lock);
    add_seen(&v->piece, &seen);
    (void)pthread_mutex_unlock(&v->lock);
}

static void make_piece(visit *v, const trueno_tensor *part, int64_t row, int64_t n)
{
    enum { GRAIN = 8 };

    v->first = row;
    v->piece.raw = piece_rows(v, part, row, n);
    v->piece.values = v->floats;
    v->piece.rows = n;
    v->piece.cols = v->cols;
    v->piece.bad = INT64_MAX;
    v->piece.min = INFINITY;
    v->piece.max = -INFINITY;
    v->piece.zeros = 0;
    trueno_pool_for(v->pool, n, GRAIN, make_floats, v);
    if (v->p->add != 0 || v->m->blend != NULL)
        v->piece.raw.data = NULL;
}

/* A part as the matrix whose rows are converted; elements of a vector are rows when reordered. */
static trueno_tensor part_matrix(const visit *v, const apr_tensor *t)
{
    trueno_tensor view = apr_tensor_matrix(v->m, t);

    if (v->p->heads != 0 && t->n_dims == 1)
        view = trueno_tensor_make(t->type, t->dims[0], 1, t->data);
    return view;
}

/* The rows' bytes in memory; reordered rows may come from anywhere in the tensor. */
static trueno_status fetch_rows(const visit *v, const apr_tensor *t, const trueno_tensor *part,
                                int64_t row, int64_t n, trueno_error *err)
{
    if (v->p->heads != 0)
        return apr_packed_fetch(v->m, t, 0, trueno_tensor_bytes(part), err);
    return apr_packed_fetch(v->m, t, (uint64_t)row * part->row_bytes, (uint64_t)n * part->row_bytes,
                            err);
}

static trueno_status visit_parts(visit *v, apr_piece_fn fn, void *user, trueno_error *err)
{
    trueno_status status = TRUENO_OK;

    for (int32_t i = 0; i < v->p->n_parts && status == TRUENO_OK; i++) {
        trueno_tensor part = part_matrix(v, v->p->parts[i]);

        v->part = v->p->parts[i];
        if (v->m->blend != NULL &&
            (status = v->m->blend->begin(v->m->blend, v->part, v->pool, err)) < 0)
            return status;
        for (int64_t row = 0; row < v->rows && status == TRUENO_OK; row += v->most) {
            const int64_t n = v->rows - row < v->most ? v->rows - row : v->most;

            if ((status = fetch_rows(v, v->p->parts[i], &part, row, n, err)) < 0)
                return status;
            make_piece(v, &part, row, n);
            v->piece.first = i * v->rows + row;
            status = fn(user, &v->piece, err);
        }
        if (part.mapped && status == TRUENO_OK)
            trueno_map_drop(part.data, trueno_tensor_bytes(&part)); /* it can be read again */
    }
    return status;
}

static trueno_status allocate_buffers(visit *v, trueno_error *err)
{
    const trueno_allocator *a = v->m->options.allocator;

    v->most = APR_PIECE_BYTES / (v->cols * (int64_t)sizeof(float));
    if (v->most < 1)
        v->most = 1;
    if (v->most > v->rows)
        v->most = v->rows;
    v->floats_bytes = (size_t)(v->most * v->cols) * sizeof(float);
    if (v->p->heads != 0)
        v->gathered_bytes = (size_t)v->most * trueno_row_bytes(v->p->parts[0]->type, v->cols);
    v->floats = trueno_allocate(a, v->floats_bytes, 64);
    v->gathered = trueno_allocate(a, v->gathered_bytes, 64);
    if (v->floats == NULL || v->gathered == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for rows of %s", v->m->path,
                           v->p->name);
    return TRUENO_OK;
}

/* Values of the plan's own: one piece. */
static trueno_status visit_values(const apr_model *m, const apr_planned *p, apr_piece_fn fn,
                                  void *user, trueno_error *err)
{
    apr_piece piece = {.model = m,
                       .planned = p,
                       .rows = 1,
                       .cols = p->dims[0],
                       .values = p->values,
                       .raw = trueno_tensor_make(TRUENO_F32, 1, p->dims[0], p->values),
                       .bad = INT64_MAX,
                       .min = INFINITY,
                       .max = -INFINITY};

    look_at(&piece, p->values, 0, p->dims[0]);
    return fn(user, &piece, err);
}

trueno_status apr_plan_visit(const apr_model *m, const apr_planned *p, trueno_pool *pool,
                             apr_piece_fn fn, void *user, trueno_error *err)
{
    const trueno_allocator *a = m->options.allocator;
    visit v = {.m = m,
               .p = p,
               .pool = pool,
               .lock = PTHREAD_MUTEX_INITIALIZER,
               .piece = {.model = m, .planned = p}};
    trueno_tensor view;
    trueno_status status;

    if (p->values != NULL)
        return visit_values(m, p, fn, user, err);
    if (p->bytes == 0)
        return TRUENO_OK;
    view = part_matrix(&v, p->parts[0]);
    v.rows = view.rows;
    v.cols = view.cols;
    status = allocate_buffers(&v, err);
    if (status == TRUENO_OK)
        status = visit_parts(&v, fn, user, err);
    trueno_release(a, v.floats, v.floats_bytes);
    trueno_release(a, v.gathered, v.gathered_bytes);
    return status;
}
