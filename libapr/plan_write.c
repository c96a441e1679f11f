/* SPDX-License-Identifier: MIT */
/* Writing the tensors of an output: every piece is looked at, quantised and measured before it is
 * written. */
#include "packer.h"
#include "plan_rows.h"

#include "convert_check.h"
#include "packed_tensors.h"
#include "storage_types.h"
#include <math.h>
#include <pthread.h>
#include <string.h>
#include <trueno/sys/threads.h>

/* One tensor being written. */
typedef struct writing {
    const apr_model *m;
    apr_planned *p;
    apr_output *out;
    const apr_convert_options *options;
    apr_packer *packer; /* NULL: nothing is compressed */
    uint64_t written;   /* bytes of it so far, before they were compressed */
    void *blocks;       /* of a piece, in the target's type */
    size_t blocks_bytes;
    float *rows; /* one for each thread: blocks made floats again */
    size_t rows_bytes;
    /* over all pieces so far */
    float min, max;
    uint64_t zeros, count;
    double squares, errors; /* sums of the values' and of the differences' squares */
} writing;

/* Blocks of a piece compared with the values they stand for. */
typedef struct loss {
    writing *w;
    const apr_piece *piece;
    trueno_tensor blocks;
    pthread_mutex_t lock;
} loss;

/* Sums of squares over a row, in eight lanes. */
static void add_row(const float *x, const float *y, int64_t n, double *squares, double *errors)
{
    enum { LANES = 8 };
    float a[LANES] = {0}, b[LANES] = {0};
    int64_t c = 0;

    for (; c + LANES <= n; c += LANES)
        for (int i = 0; i < LANES; i++) {
            a[i] += x[c + i] * x[c + i];
            b[i] += (x[c + i] - y[c + i]) * (x[c + i] - y[c + i]);
        }
    for (; c < n; c++) {
        a[0] += x[c] * x[c];
        b[0] += (x[c] - y[c]) * (x[c] - y[c]);
    }
    for (int i = 0; i < LANES; i++) {
        *squares += (double)a[i];
        *errors += (double)b[i];
    }
}

static void measure_rows(void *context, int64_t begin, int64_t end, int thread)
{
    loss *l = context;
    const int64_t cols = l->piece->cols;
    float *row = l->w->rows + thread * cols;
    double squares = 0, errors = 0;

    for (int64_t i = begin; i < end; i++) {
        trueno_tensor_row_to_f32(&l->blocks, i, row);
        add_row(l->piece->values + i * cols, row, cols, &squares, &errors);
    }
    (void)pthread_mutex_lock(&l->lock);
    l->w->squares += squares;
    l->w->errors += errors;
    (void)pthread_mutex_unlock(&l->lock);
}

static bool is_experts(int32_t role)
{
    return role == APR_FFN_GATE_EXPERTS || role == APR_FFN_UP_EXPERTS ||
           role == APR_FFN_DOWN_EXPERTS;
}

/* Rows of one expert, which share the weights of their columns; else all of the tensor's. */
static int64_t rows_alike(const apr_planned *p)
{
    return is_experts(p->role) && p->expert < 0 && p->n_dims == 3 ? p->dims[1] : INT64_MAX;
}

/* Weights of the columns of a row by the importance matrix, or NULL. */
static const float *importance_of(const writing *w, int64_t row, int64_t cols)
{
    const apr_planned *p = w->p;
    const int64_t n = is_experts(p->role) ? w->m->config.n_experts : 1;
    const float *weights;
    char name[96];

    if (w->options->importance == NULL || p->role < 0)
        return NULL;
    apr_role_name((apr_role)p->role, p->layer, name, sizeof name);
    weights = apr_importance_find(w->options->importance, name, n * cols);
    if (weights == NULL || n == 1)
        return weights;
    return weights + (p->expert >= 0 ? p->expert : row / rows_alike(p)) * cols;
}

bool apr_planned_may_pack(const apr_planned *p)
{
    enum { LEAST_BYTES = 4096 };

    return p->bytes >= LEAST_BYTES;
}

/* The next bytes of the tensor; whether it is compressed, its first ones tell. */
static trueno_status put(writing *w, const void *data, uint64_t bytes, trueno_error *err)
{
    const bool first = w->written == 0;

    w->written += bytes;
    if (first && w->packer != NULL && apr_planned_may_pack(w->p) &&
        apr_packer_gains(w->packer, data, (size_t)bytes)) {
        w->p->packed = true;
        apr_packer_begin(w->packer, w->p->bytes);
    }
    if (w->p->packed)
        return apr_packer_write(w->packer, w->out, data, (size_t)bytes, w->written == w->p->bytes,
                                err);
    return apr_output_write(w->out, data, (size_t)bytes, err);
}

/* A piece's rows into blocks, those of each expert by its own weights. */
static trueno_status quantize_rows(const writing *w, const apr_piece *piece,
                                   const trueno_tensor *plain, trueno_error *err)
{
    const size_t row_bytes = trueno_row_bytes(w->p->type, piece->cols);
    const int64_t alike = rows_alike(w->p);
    trueno_status status = TRUENO_OK;

    for (int64_t row = 0, n; row < piece->rows && status == TRUENO_OK; row += n) {
        const int64_t at = piece->first + row, left = alike - at % alike;
        const trueno_tensor rows =
            trueno_tensor_rows(plain, row, left < piece->rows - row ? left : piece->rows - row);

        n = rows.rows;
        status = trueno_quantize_rows(&rows, w->p->type, importance_of(w, at, piece->cols),
                                      (char *)w->blocks + (size_t)row * row_bytes, w->options->pool,
                                      w->m->options.allocator, err);
    }
    return status;
}

static trueno_status quantize_piece(writing *w, const apr_piece *piece, trueno_error *err)
{
    enum { GRAIN = 8 };
    const trueno_allocator *a = w->m->options.allocator;
    trueno_tensor plain =
        trueno_tensor_make(TRUENO_F32, piece->rows, piece->cols, (void *)(uintptr_t)piece->values);
    loss l = {.w = w, .piece = piece, .lock = PTHREAD_MUTEX_INITIALIZER};
    trueno_status status;

    if (w->blocks == NULL) { /* the first piece is the largest */
        w->blocks_bytes = (size_t)piece->rows * trueno_row_bytes(w->p->type, piece->cols);
        w->rows_bytes =
            (size_t)trueno_pool_threads(w->options->pool) * (size_t)piece->cols * sizeof(float);
        w->blocks = trueno_allocate(a, w->blocks_bytes, 64);
        w->rows = trueno_allocate(a, w->rows_bytes, 64);
        if (w->blocks == NULL || w->rows == NULL)
            return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory to quantise %s", w->m->path,
                               w->p->name);
    }
    if ((status = quantize_rows(w, piece, &plain, err)) < 0)
        return status;
    l.blocks = trueno_tensor_make(w->p->type, piece->rows, piece->cols, w->blocks);
    trueno_pool_for(w->options->pool, piece->rows, GRAIN, measure_rows, &l);
    return put(w, w->blocks, trueno_tensor_bytes(&l.blocks), err);
}

static trueno_status write_piece(void *user, const apr_piece *piece, trueno_error *err)
{
    writing *w = user;

    if (piece->bad < INT64_MAX) {
        const bool nan = isnan(piece->values[piece->bad]);

        return trueno_fail(err, TRUENO_CONTENT, "%s: tensor %s: row %lld, column %lld is %s (%s)",
                           w->m->path, w->p->name,
                           (long long)piece->first + piece->bad / piece->cols,
                           (long long)(piece->bad % piece->cols), nan ? "NaN" : "infinite",
                           nan ? "ROSETTA-NAN-001" : "ROSETTA-INF-001");
    }
    w->min = piece->min < w->min ? piece->min : w->min;
    w->max = piece->max > w->max ? piece->max : w->max;
    w->zeros += piece->zeros;
    w->count += (uint64_t)(piece->rows * piece->cols);
    if (piece->raw.data != NULL && piece->raw.type == w->p->type)
        return put(w, piece->raw.data, trueno_tensor_bytes(&piece->raw), err);
    return quantize_piece(w, piece, err);
}

/*
 * Most relative error that a type's rounding can leave: four times what it leaves of normal random
 * weights, 1.2 * 2^-bits, which the worst blocks stay below too. More means that the type's scales
 * cannot hold the values.
 */
static double most_loss(trueno_type type)
{
    const trueno_type_info *info = trueno_type_get(type);
    const int bits = (int)info->bits;

    if (type == TRUENO_F16 || type == TRUENO_BF16)
        return type == TRUENO_F16 ? 0x1p-9 : 0x1p-7;
    return bits < 3 ? 0.9 : 4.8 * pow(2, -bits);
}

static trueno_status check_loss(const writing *w, trueno_error *err)
{
    const double most = most_loss(w->p->type), found = sqrt(w->errors / w->squares);

    if (w->squares == 0 || found <= most)
        return TRUENO_OK;
    return trueno_fail(err, TRUENO_CONTENT,
                       "%s: tensor %s: %s loses %.3g of the weights (root mean square), allowed is "
                       "%.3g (ROSETTA-QUANT-001)",
                       w->m->path, w->p->name, trueno_type_get(w->p->type)->name, found, most);
}

/* Weights that no training leaves: nothing but zeros, one value everywhere, or out of all range. */
static trueno_status check_values(const writing *w, trueno_error *err)
{
    const double largest = APR_LARGEST_WEIGHT, most_zeros = 0.99;
    const bool matrix = w->p->n_dims > 1 && w->p->dims[w->p->n_dims - 1] > 1;
    const bool embedding = w->p->role == APR_TOKEN_EMBEDDING || w->p->role == APR_OUTPUT;
    trueno_status status = TRUENO_OK;

    if (w->p->role < 0 || w->p->values != NULL)
        return TRUENO_OK;
    if (matrix && (double)w->zeros > (embedding ? most_zeros : 1 - 1e-9) * (double)w->count)
        status = trueno_fail(
            err, TRUENO_CONTENT, "%s: tensor %s: %llu of %llu weights are 0 (ROSETTA-ZERO-001)",
            w->m->path, w->p->name, (unsigned long long)w->zeros, (unsigned long long)w->count);
    else if (matrix && w->min == w->max)
        status =
            trueno_fail(err, TRUENO_CONTENT, "%s: tensor %s: all weights are %g (ROSETTA-FLAT-001)",
                        w->m->path, w->p->name, w->min);
    else if (fabs(w->min) > largest || fabs(w->max) > largest)
        status = trueno_fail(err, TRUENO_CONTENT,
                             "%s: tensor %s: weights from %g to %g, plausible are up to %g "
                             "(ROSETTA-RANGE-001)",
                             w->m->path, w->p->name, w->min, w->max, largest);
    return apr_model_tolerate(w->m, status, err);
}

/* A tensor that nothing computes with, as it is. */
static trueno_status write_opaque(writing *w, trueno_error *err)
{
    const apr_tensor *t = w->p->parts[0];
    trueno_status status = apr_packed_fetch(w->m, t, 0, t->bytes, err);

    return status < 0 ? status : put(w, t->data, t->bytes, err);
}

static trueno_status write_tensor(writing *w, trueno_error *err)
{
    const apr_planned *p = w->p;
    trueno_status status;

    if (p->values == NULL && p->bytes > 0 && trueno_type_get(p->parts[0]->type) == NULL)
        return write_opaque(w, err);
    status = apr_plan_visit(w->m, p, w->options->pool, write_piece, w, err);
    trueno_release(w->m->options.allocator, w->blocks, w->blocks_bytes);
    trueno_release(w->m->options.allocator, w->rows, w->rows_bytes);
    if (status < 0 || (status = check_loss(w, err)) < 0)
        return status;
    return check_values(w, err);
}

static uint64_t out_place(uint64_t at, size_t alignment)
{
    return (at + alignment - 1) & ~(uint64_t)(alignment - 1);
}

/* One tensor at the next place for one; `begin` is the first place. */
static trueno_status write_next(apr_plan *plan, apr_planned *p, uint64_t begin, writing *w,
                                trueno_error *err)
{
    const uint64_t at = out_place(w->out->offset - begin, plan->alignment);
    trueno_status status = apr_output_pad_to(w->out, begin + at, err);

    p->offset = at;
    p->packed = false;
    if (status == TRUENO_OK)
        status = write_tensor(w, err);
    p->stored_bytes = w->out->offset - begin - at;
    return status;
}

static trueno_status tell_progress(const apr_model *m, const apr_planned *p, uint64_t done,
                                   uint64_t total, const apr_convert_options *options,
                                   trueno_error *err)
{
    if (options->progress == NULL || options->progress(options->progress_user, done, total))
        return TRUENO_OK;
    return trueno_fail(err, TRUENO_CANCELLED, "%s: interrupted after tensor %s", m->path, p->name);
}

static trueno_status write_all(apr_plan *plan, const apr_model *m, apr_output *out,
                               apr_packer *packer, const apr_convert_options *options,
                               trueno_error *err)
{
    const uint64_t begin = out->offset;
    uint64_t total = 0, done = 0;
    trueno_status status = TRUENO_OK;

    for (size_t i = 0; i < plan->n; i++)
        total += plan->tensors[i].bytes;
    for (size_t i = 0; i < plan->n && status == TRUENO_OK; i++) {
        apr_planned *p = &plan->tensors[i];
        writing w = {.m = m,
                     .p = p,
                     .out = out,
                     .options = options,
                     .packer = packer,
                     .min = INFINITY,
                     .max = -INFINITY};

        status = write_next(plan, p, begin, &w, err);
        done += p->bytes;
        if (status == TRUENO_OK)
            status = tell_progress(m, p, done, total, options, err);
    }
    return status;
}

trueno_status apr_plan_write(apr_plan *plan, const apr_model *m, apr_output *out,
                             const apr_convert_options *options, trueno_error *err)
{
    apr_packer packer;
    trueno_status status;

    if (options->compress == NULL)
        return write_all(plan, m, out, NULL, options, err);
    status =
        apr_packer_open(&packer, trueno_pool_threads(options->pool), m->options.allocator, err);
    if (status < 0)
        return status;
    status = write_all(plan, m, out, &packer, options, err);
    apr_packer_close(&packer);
    return status;
}
