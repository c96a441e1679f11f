/* SPDX-License-Identifier: MIT */
/* Making the tensors of an output: rows in their new order and type, piece by piece, checked. */
#include "plan.h"

#include "storage_types.h"
#include <math.h>
#include <stdatomic.h>
#include <string.h>
#include <trueno/sys/threads.h>

enum { PIECE_BYTES = 4 << 20 };

/* Buffers of one tensor's pieces. */
typedef struct maker {
    const apr_model *m;
    const apr_planned *p;
    apr_output *out;
    const apr_convert_options *options;
    int64_t rows, cols; /* of one part, as matrix */
    int64_t piece;      /* rows of a piece */
    void *gathered;     /* rows in their new order, in the source's type */
    float *floats;      /* rows as floats */
    void *blocks;       /* rows in the target's type */
    size_t gathered_bytes, floats_bytes, blocks_bytes;
} maker;

/* The row of the source that becomes row `row`: pairs (2i, 2i+1) and halves (i, i + d/2) change. */
static int64_t source_row(const maker *k, int64_t row)
{
    const int64_t d = k->rows / k->p->heads, head = row / d, at = row % d;

    if (k->p->to_norm)
        return head * d + at % 2 * (d / 2) + at / 2;
    return head * d + at % (d / 2) * 2 + at / (d / 2);
}

static trueno_status not_finite(const maker *k, const float *x, int64_t first, int64_t at,
                                trueno_error *err)
{
    return trueno_fail(err, TRUENO_CONTENT, "%s: tensor %s: row %lld, column %lld is %s (%s)",
                       k->m->path, k->p->name, (long long)(first + at / k->cols),
                       (long long)(at % k->cols), isnan(x[at]) ? "NaN" : "infinite",
                       isnan(x[at]) ? "ROSETTA-NAN-001" : "ROSETTA-INF-001");
}

/* Rows [first, first + n) of a part in their new order: in place, or gathered. */
static trueno_tensor piece_rows(const maker *k, const trueno_tensor *part, int64_t first, int64_t n)
{
    trueno_tensor rows;

    if (k->p->heads == 0)
        return trueno_tensor_rows(part, first, n);
    for (int64_t i = 0; i < n; i++)
        memcpy((char *)k->gathered + (size_t)i * part->row_bytes,
               (const char *)part->data + (size_t)source_row(k, first + i) * part->row_bytes,
               part->row_bytes);
    rows = trueno_tensor_make(part->type, n, part->cols, k->gathered);
    return rows;
}

/* Rows to be made floats, shared by the threads. */
typedef struct float_job {
    const maker *k;
    trueno_tensor rows;
    _Atomic int64_t bad; /* least element that is not finite; INT64_MAX: none */
} float_job;

/* The first element of a row that is not finite, or `n`. */
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

static void note_bad(float_job *job, int64_t at)
{
    int64_t least = job->bad;

    while (at < least && !atomic_compare_exchange_weak(&job->bad, &least, at))
        continue;
}

static void make_floats(void *context, int64_t begin, int64_t end, int thread)
{
    float_job *job = context;
    const maker *k = job->k;

    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        float *row = k->floats + i * k->cols;
        int64_t bad;

        trueno_tensor_row_to_f32(&job->rows, i, row);
        if ((bad = first_bad(row, k->cols)) < k->cols)
            note_bad(job, i * k->cols + bad);
        for (int64_t c = 0; k->p->add != 0 && c < k->cols; c++)
            row[c] += k->p->add;
    }
}

static trueno_status write_piece(const maker *k, const trueno_tensor *part, int64_t first,
                                 int64_t n, trueno_error *err)
{
    enum { GRAIN = 4 };
    float_job job = {.k = k, .rows = piece_rows(k, part, first, n), .bad = INT64_MAX};
    trueno_tensor plain = trueno_tensor_make(TRUENO_F32, n, k->cols, k->floats);
    trueno_status status;

    trueno_pool_for(k->options->pool, n, GRAIN, make_floats, &job);
    if (job.bad < INT64_MAX)
        return not_finite(k, k->floats, first, job.bad, err);
    if (k->p->add == 0 && job.rows.type == k->p->type)
        return apr_output_write(k->out, job.rows.data, trueno_tensor_bytes(&job.rows), err);
    status = trueno_quantize_rows(&plain, k->p->type, NULL, k->blocks, k->options->pool,
                                  k->m->options.allocator, err);
    if (status < 0)
        return status;
    return apr_output_write(k->out, k->blocks, (size_t)n * trueno_row_bytes(k->p->type, k->cols),
                            err);
}

/* A part as the matrix whose rows are converted; elements of a vector are rows when reordered. */
static trueno_tensor part_matrix(const maker *k, const apr_tensor *t)
{
    trueno_tensor view = apr_tensor_matrix(k->m, t);

    if (k->p->heads != 0 && t->n_dims == 1)
        view = trueno_tensor_make(t->type, t->dims[0], 1, t->data);
    return view;
}

static trueno_status allocate_buffers(maker *k, trueno_error *err)
{
    const trueno_allocator *a = k->m->options.allocator;
    const size_t source_row_bytes = trueno_row_bytes(k->p->parts[0]->type, k->cols);

    k->piece = PIECE_BYTES / (k->cols * (int64_t)sizeof(float));
    if (k->piece < 1)
        k->piece = 1;
    if (k->piece > k->rows)
        k->piece = k->rows;
    k->floats_bytes = (size_t)(k->piece * k->cols) * sizeof(float);
    k->blocks_bytes = (size_t)k->piece * trueno_row_bytes(k->p->type, k->cols);
    k->gathered_bytes = k->p->heads != 0 ? (size_t)k->piece * source_row_bytes : 0;
    k->floats = trueno_allocate(a, k->floats_bytes, 64);
    k->blocks = trueno_allocate(a, k->blocks_bytes, 64);
    k->gathered = trueno_allocate(a, k->gathered_bytes, 64);
    if (k->floats == NULL || k->blocks == NULL || k->gathered == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory to convert %s", k->m->path,
                           k->p->name);
    return TRUENO_OK;
}

static void free_buffers(maker *k)
{
    const trueno_allocator *a = k->m->options.allocator;

    trueno_release(a, k->floats, k->floats_bytes);
    trueno_release(a, k->blocks, k->blocks_bytes);
    trueno_release(a, k->gathered, k->gathered_bytes);
}

static trueno_status write_parts(maker *k, trueno_error *err)
{
    trueno_status status = TRUENO_OK;

    for (int32_t part = 0; part < k->p->n_parts; part++) {
        trueno_tensor view = part_matrix(k, k->p->parts[part]);

        for (int64_t row = 0; row < k->rows && status == TRUENO_OK; row += k->piece)
            status = write_piece(k, &view, row, k->rows - row < k->piece ? k->rows - row : k->piece,
                                 err);
        if (view.mapped && status == TRUENO_OK)
            trueno_map_drop(view.data, trueno_tensor_bytes(&view)); /* it can be read again */
    }
    return status;
}

static trueno_status write_tensor(const apr_model *m, const apr_planned *p, apr_output *out,
                                  const apr_convert_options *options, trueno_error *err)
{
    maker k = {.m = m, .p = p, .out = out, .options = options};
    trueno_tensor view;
    trueno_status status;

    if (p->values != NULL)
        return apr_output_write(out, p->values, p->bytes, err);
    if (p->bytes == 0)
        return TRUENO_OK;
    if (trueno_type_get(p->parts[0]->type) == NULL) /* nothing computes with it: as it is */
        return apr_output_write(out, p->parts[0]->data, p->parts[0]->bytes, err);
    view = part_matrix(&k, p->parts[0]);
    k.rows = view.rows;
    k.cols = view.cols;
    status = allocate_buffers(&k, err);
    if (status == TRUENO_OK)
        status = write_parts(&k, err);
    free_buffers(&k);
    return status;
}

trueno_status apr_plan_write(const apr_plan *plan, const apr_model *m, apr_output *out,
                             const apr_convert_options *options, trueno_error *err)
{
    const uint64_t begin = out->offset;
    const uint64_t total =
        plan->n > 0 ? plan->tensors[plan->n - 1].offset + plan->tensors[plan->n - 1].bytes : 0;
    trueno_status status = TRUENO_OK;

    for (size_t i = 0; i < plan->n && status == TRUENO_OK; i++) {
        const apr_planned *p = &plan->tensors[i];

        if ((status = apr_output_pad_to(out, begin + p->offset, err)) == TRUENO_OK)
            status = write_tensor(m, p, out, options, err);
        if (status == TRUENO_OK && options->progress != NULL)
            options->progress(options->progress_user, p->offset + p->bytes, total);
    }
    return status;
}
