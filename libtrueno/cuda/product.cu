/* SPDX-License-Identifier: MIT */
/* One product, by the number of rows: fused matrix-vector kernels, halves through our own kernel,
 * or weights expanded a part at a time for cuBLAS. */
#include "internal.h"
#include "layout.h"

enum { MOST_VECTORS = 8, OWN_ROWS = 64, EXPANDED_BYTES = 32 << 20 };

static bool is_packed(const weight_segment *s)
{
    return s->row_bytes == 0;
}

static void few_rows(cuda_backend *be, const trueno_weight *w, const product *p)
{
    rounded_rows rounded;
    split_rows split;
    trueno_norm norm;
    product plain = *p;
    size_t groups = (size_t)(w->cols + 255) / 256 * 8;

    rounded.stride = p->n <= 4 ? 4 : 8;
    rounded.planes =
        (uint2 *)scratch_get(be, SCRATCH_PLANES, groups * rounded.stride * 8 * sizeof(uint2));
    rounded.scale =
        (float *)scratch_get(be, SCRATCH_SCALES, groups * rounded.stride * sizeof(float));
    rounded.sums =
        (float2 *)scratch_get(be, SCRATCH_SUMS, groups * rounded.stride * sizeof(float2));
    split.stride = (int)groups * 32 + 32;
    split.planes = (uint16_t *)scratch_get(
        be, SCRATCH_HALVES, (size_t)MOST_VECTORS * 2 * split.stride * sizeof(uint16_t));
    split.scale = (float *)scratch_get(be, SCRATCH_HALF_SCALES, MOST_VECTORS * sizeof(float));
    if (rounded.planes == NULL || rounded.scale == NULL || rounded.sums == NULL ||
        split.planes == NULL || split.scale == NULL)
        return;
    if (is_packed(&w->segment[0]) || w->n_segments > 1) {
        if (p->norm != NULL)
            norm = *p->norm;
        launch_round_rows(&be->launch, p->x, p->n, w->cols, p->norm != NULL ? &norm : NULL,
                          &rounded);
    }
    plain.norm = NULL;
    launch_matvec(&be->launch, w, &plain, &rounded, &split, NULL);
}

static bool get_halves(cuda_backend *be, int n, int cols, int tiles, half_rows *out)
{
    int padded = (n + OWN_ROWS - 1) / OWN_ROWS * OWN_ROWS;

    out->tiles = tiles;
    out->stride = (cols + 255) / 256 * 256;
    out->data = (uint16_t *)scratch_get(be, SCRATCH_HALVES,
                                        (size_t)padded * out->stride * sizeof(uint16_t));
    out->scale = (float *)scratch_get(be, SCRATCH_HALF_SCALES, (size_t)padded * sizeof(float));
    return out->data != NULL && out->scale != NULL;
}

/* A weight that is only segment i of `w`. */
static trueno_weight only_segment(const trueno_weight *w, int i)
{
    trueno_weight one = *w;

    one.n_segments = 1;
    one.segment[0] = w->segment[i];
    return one;
}

/* Rows [first, first + count) of the segment: c[n][ld] = x W'. */
static void library_part(cuda_backend *be, const weight_segment *s, int cols, const half_rows *x,
                         int n, int first, int count, float *c, int ld)
{
    const uint16_t *w = (const uint16_t *)s->data + (size_t)first * (s->row_bytes / 2);
    int stride = s->row_bytes / 2, width = is_packed(s) ? x->stride : cols;
    float factor = is_packed(s) ? 1.0f / 256 : 1.0f;

    if (s->type != TRUENO_F16) {
        uint16_t *expanded = (uint16_t *)scratch_get(
            be, SCRATCH_EXPANDED, (size_t)(count + 15) / 16 * 16 * x->stride * 2);

        if (expanded == NULL)
            return;
        stride = x->stride;
        width = is_packed(s) ? s->units * layout_get(s->type).steps * LAYOUT_STEP : cols;
        launch_expand(&be->launch, s, cols, first, count, stride, expanded);
        w = expanded;
    }
    if (!cublas_multiply(be, w, count, stride, x->data, n, width, x->stride, factor, c, ld) &&
        be->failure.status == TRUENO_OK)
        trueno_fail(&be->failure, TRUENO_INFERENCE, "cuBLAS failed on a product of %d x %d x %d", n,
                    count, cols);
}

static void library_segment(cuda_backend *be, const trueno_weight *w, const weight_segment *s,
                            const half_rows *x, const product *p, float *unpaired)
{
    int part = EXPANDED_BYTES / (x->stride * 2) / 16 * 16, ld;
    bool direct = !p->add && !p->activate && p->pair_rows == 0;
    float *c = direct ? p->y + s->first_row : p->pair_rows > 0 ? unpaired : NULL;

    ld = direct || p->pair_rows > 0 ? w->rows : s->rows;
    if (c == NULL)
        c = (float *)scratch_get(be, SCRATCH_PRODUCT, (size_t)p->n * s->rows * sizeof(float));
    if (c == NULL)
        return;
    for (int first = 0; first < s->rows; first += part)
        library_part(be, s, w->cols, x, p->n, first,
                     s->rows - first < part ? s->rows - first : part, c + first, ld);
    launch_finish(&be->launch, c, ld, x, p, 1.0f, s->rows, s->first_row,
                  p->pair_rows > 0 ? p->pair_rows : w->rows);
}

/* Our own kernel for a weight that is packed or plain throughout. */
static void own_product(cuda_backend *be, const trueno_weight *w, const half_rows *x,
                        const product *p)
{
    size_t floats, counters;
    float *partial = NULL;
    unsigned *arrived = NULL;

    batch_scratch(&be->launch, w, p, x->tiles, &floats, &counters);
    if (counters > 0) {
        partial = (float *)scratch_get(be, SCRATCH_PARTIAL, floats * sizeof *partial);
        arrived = (unsigned *)scratch_get(be, SCRATCH_ARRIVED, counters * sizeof *arrived);
        if (partial == NULL || arrived == NULL)
            return;
    }
    launch_batch(&be->launch, w, p, x, partial, arrived);
}

static void many_rows(cuda_backend *be, const trueno_weight *w, const product *p, float *unpaired)
{
    half_rows x;
    bool library = p->n > OWN_ROWS && cublas_ready(be);

    if (!get_halves(be, p->n, w->cols, library ? 0 : batch_row_tiles(&be->launch, p->n), &x))
        return;
    for (int i = 0; i < w->n_segments; i++) {
        const weight_segment *s = &w->segment[i];

        if (i == 0 || is_packed(s) != is_packed(s - 1))
            launch_half_rows(&be->launch, p->x, p->n, w->cols, p->norm, is_packed(s), &x);
        if (library) {
            library_segment(be, w, s, &x, p, unpaired);
        } else {
            trueno_weight one = only_segment(w, i);

            own_product(be, &one, &x, p);
        }
    }
}

void run_product(cuda_backend *be, const trueno_weight *w, const product *p, float *unpaired)
{
    if (p->n == 1)
        launch_matvec(&be->launch, w, p, NULL, NULL, NULL);
    else if (p->n <= MOST_VECTORS)
        few_rows(be, w, p);
    else
        many_rows(be, w, p, unpaired);
}
