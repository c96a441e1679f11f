/* SPDX-License-Identifier: MIT */
/* One product, by the number of rows: fused matrix-vector kernels, halves through our own kernel,
 * or weights expanded a part at a time for cuBLAS. */
#include "beside.cuh"
#include "internal.h"
#include "layout.h"

enum { MOST_VECTORS = 8, OWN_ROWS = 64, EXPANDED_BYTES = 32 << 20 };

static bool is_packed(const weight_segment *s)
{
    return s->row_bytes == 0;
}

static bool get_rounded(cuda_backend *be, int n, int cols, rounded_rows *out)
{
    size_t groups = (size_t)(cols + 255) / 256 * 8;

    out->stride = n <= 4 ? 4 : 8;
    out->planes =
        (uint2 *)scratch_get(be, SCRATCH_PLANES, groups * out->stride * 8 * sizeof *out->planes);
    out->scale =
        (float *)scratch_get(be, SCRATCH_SCALES, groups * out->stride * sizeof *out->scale);
    out->sums = (float2 *)scratch_get(be, SCRATCH_SUMS, groups * out->stride * sizeof *out->sums);
    return out->planes != NULL && out->scale != NULL && out->sums != NULL;
}

static void few_rows(cuda_backend *be, const trueno_weight *w, const product *p,
                     const ready_rows *ready)
{
    rounded_rows rounded;
    split_rows split;
    product plain = *p;

    split.stride = (w->cols + 255) / 256 * 256 + 32;
    split.planes = (uint16_t *)scratch_get(
        be, SCRATCH_HALVES, (size_t)MOST_VECTORS * 2 * split.stride * sizeof(uint16_t));
    split.scale = (float *)scratch_get(be, SCRATCH_HALF_SCALES, MOST_VECTORS * sizeof(float));
    if (!get_rounded(be, p->n, w->cols, &rounded) || split.planes == NULL || split.scale == NULL)
        return;
    if (ready != NULL)
        rounded = ready->rounded;
    else if (is_packed(&w->segment[0]) || w->n_segments > 1)
        launch_round_rows(&be->launch, p->x, p->n, w->cols, p->norm, &rounded);
    plain.norm = NULL;
    launch_matvec(&be->launch, w, &plain, &rounded, &split, NULL);
}

/* array: memory for the halves; NULL: scratch. */
static bool get_halves(cuda_backend *be, int n, int cols, int tiles, int planes, void *array,
                       half_rows *out)
{
    int padded = (n + OWN_ROWS - 1) / OWN_ROWS * OWN_ROWS;

    out->tiles = tiles;
    out->planes = planes;
    out->stride = (cols + 255) / 256 * 256;
    if (array == NULL)
        array = scratch_get(be, SCRATCH_HALVES,
                            (size_t)padded * planes * out->stride * sizeof(uint16_t));
    out->data = (uint16_t *)array;
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
    if (p->ready.halves.data != NULL)
        launch_finish_halves(&be->launch, c, ld, x, p, 1.0f);
    else
        launch_finish(&be->launch, c, ld, x, p, 1.0f, s->rows, s->first_row,
                      p->pair_rows > 0 ? p->pair_rows : w->rows);
}

/* Our own kernel for a weight that is packed or plain throughout. */
static void own_product(cuda_backend *be, const trueno_weight *w, const half_rows *x,
                        const product *p, beside side)
{
    size_t floats, counters;
    float *partial = NULL;
    unsigned *arrived = NULL;

    batch_scratch(&be->launch, w, p, x, &floats, &counters);
    if (counters > 0) {
        partial = (float *)scratch_get(be, SCRATCH_PARTIAL, floats * sizeof *partial);
        arrived = (unsigned *)scratch_get(be, SCRATCH_ARRIVED, counters * sizeof *arrived);
        if (partial == NULL || arrived == NULL)
            return;
    }
    launch_batch(&be->launch, w, p, x, partial, arrived, side);
}

static bool uses_library(cuda_backend *be, int n)
{
    return n > OWN_ROWS && cublas_ready(be);
}

/* Row tiles of a pass of the kernels that multiply n rows; the library takes rows as they are. */
static int product_tiles(cuda_backend *be, int n)
{
    return uses_library(be, n) ? 0 : batch_row_tiles(&be->launch, n);
}

/* Halves for a number of x where segment `s` takes it. */
static int segment_planes(cuda_backend *be, const weight_segment *s, const product *p)
{
    bool two = p->precise && p->pair_rows == 0 && !is_packed(s);

    return two && !uses_library(be, p->n) ? 2 : 1;
}

/* The same, for memory that does for all segments. */
static int most_planes(cuda_backend *be, const trueno_weight *w, const product *p)
{
    int planes = 1;

    for (int i = 0; i < w->n_segments; i++)
        if (segment_planes(be, &w->segment[i], p) > planes)
            planes = segment_planes(be, &w->segment[i], p);
    return planes;
}

/* The segments are all packed, or none is. */
static bool is_uniform(const trueno_weight *w)
{
    for (int i = 1; i < w->n_segments; i++)
        if (is_packed(&w->segment[i]) != is_packed(&w->segment[0]))
            return false;
    return true;
}

/* Can rows for it be made ready? What pads a row would have to be zeros. */
static bool takes_ready(const trueno_weight *w, ready_rows *out)
{
    memset(out, 0, sizeof *out);
    out->operands = is_packed(&w->segment[0]);
    return w->cols % 256 == 0 && is_uniform(w);
}

bool product_form(cuda_backend *be, const trueno_weight *w, int n, ready_rows *out)
{
    if (n < 2 || !takes_ready(w, out))
        return false;
    if (n <= MOST_VECTORS)
        return out->operands && get_rounded(be, n, w->cols, &out->rounded);
    /* behind attention our own kernels take plain weights' rows as two halves */
    return (out->operands || uses_library(be, n)) &&
           get_halves(be, n, w->cols, product_tiles(be, n), 1, NULL, &out->halves);
}

bool pairs_form(cuda_backend *be, const trueno_weight *w, int n, float *array, ready_rows *out)
{
    return uses_library(be, n) && takes_ready(w, out) &&
           get_halves(be, n, w->cols, 0, 1, array, &out->halves);
}

/* Are segments i and i + 1 packed, and is each added up by the blocks that have it? */
static bool can_be_beside(cuda_backend *be, const trueno_weight *w, int i, const half_rows *x,
                          const product *p)
{
    if (i + 1 >= w->n_segments)
        return false;
    for (int k = i; k < i + 2; k++) {
        trueno_weight one = only_segment(w, k);
        size_t floats, counters;

        batch_scratch(&be->launch, &one, p, x, &floats, &counters);
        if (!is_packed(&w->segment[k]) || counters > 0)
            return false;
    }
    return true;
}

static void many_rows(cuda_backend *be, const trueno_weight *w, const product *p, float *unpaired,
                      const ready_rows *ready)
{
    half_rows x;
    beside side = BESIDE_NONE;
    bool library = uses_library(be, p->n);

    if (ready != NULL)
        x = ready->halves;
    else if (!get_halves(be, p->n, w->cols, product_tiles(be, p->n), most_planes(be, w, p), NULL,
                         &x))
        return;
    for (int i = 0; i < w->n_segments; i++) {
        const weight_segment *s = &w->segment[i];

        if (ready == NULL)
            x.planes = segment_planes(be, s, p);
        if (ready == NULL && (i == 0 || is_packed(s) != is_packed(s - 1)))
            launch_half_rows(&be->launch, p->x, p->n, w->cols, p->norm, is_packed(s), &x);
        if (library) {
            library_segment(be, w, s, &x, p, unpaired);
        } else {
            trueno_weight one = only_segment(w, i);

            side = beside_of(side, can_be_beside(be, w, i, &x, p));
            own_product(be, &one, &x, p, side);
        }
    }
}

void run_product(cuda_backend *be, const trueno_weight *w, const product *p, float *unpaired,
                 const ready_rows *ready)
{
    if (p->n == 1)
        launch_matvec(&be->launch, w, p, NULL, NULL, NULL);
    else if (p->n <= MOST_VECTORS)
        few_rows(be, w, p, ready);
    else
        many_rows(be, w, p, unpaired, ready);
}
