/* SPDX-License-Identifier: MIT */
/* Products of packed weights: round the activations, share groups of rows among threads. */
#include "packed_inner.h"

#include <assert.h>

enum {
    FLOAT_PAIR = 2,
    RUN_GROUPS = 8,    /* groups of one product of one token */
    QUANTIZE_APART = 4 /* rows from which rounding is worth waking the threads */
};

/* Activations whose rounded rows exceed this are walked in chunks of K, strip by strip. */
#define RESIDENT_BYTES (512 << 10)

/* One product of at most TOKENS_LIMIT rows. */
typedef struct product {
    packed_work *work;
    const packed_weight *w;
    const float *bias, *x;
    float *y;
    activations act;
    int64_t strip; /* groups that a thread handles together */
    int planes;    /* 2: token 2 i + 1 is what rounding left of token 2 i */
    bool quantized, floats, spread, halved, add;
} product;

/* What rounding left of row x[cols], which is token `token`: x - scale q, in row `token` of a->x.
 */
static const float *rounding_error(const activations *a, const float *x, int64_t cols,
                                   int64_t token)
{
    int64_t w = a->width, at = token / w * a->n_blocks * w + token % w;
    float *error = a->x + token * cols;

    for (int64_t k = 0; k < cols; k++) {
        int64_t block = at + k / BLOCK_WEIGHTS * w;

        error[k] = x[k] - a->scale[block] * (float)a->q[block * BLOCK_WEIGHTS + k % BLOCK_WEIGHTS];
    }
    return error;
}

/* Rows [begin, end) of x; each is p->planes tokens. */
static void round_tokens(void *context, int64_t begin, int64_t end, int thread)
{
    const product *p = context;
    const matmul_kernels *k = &p->work->kernels;

    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        const float *x = p->x + i * p->w->cols;
        int64_t t = i * p->planes;
        int64_t cols = t < p->act.n_tokens ? p->w->cols : 0; /* the rest of a panel: zeros */

        if (p->quantized)
            k->quantize(x, cols, &p->act, t);
        if (p->spread)
            k->spread(x, cols, &p->act, t);
        if (p->halved)
            k->halve(x, cols, &p->act, t);
        if (p->planes == 2)
            k->quantize(rounding_error(&p->act, x, cols, t), cols, &p->act, t + 1);
    }
}

/*
 * Token t of groups [begin, end) from their sums, `stride` floats apart, so that lines beside each
 * other in y are written one after another. Rows that end inside a group go through a copy. The
 * second plane of a row is added to the first.
 */
static void store_groups(const product *p, const packed_segment *s, int64_t t, int64_t begin,
                         int64_t end, const float *products, const float *minima, int64_t stride)
{
    int64_t row = s->first_row + begin * GROUP_ROWS, whole = s->source.rows / GROUP_ROWS - begin;
    float *y = p->y + t / p->planes * p->w->rows + row, tail[GROUP_ROWS];
    bool second = t % p->planes != 0, add = p->add || second;
    const float *bias = p->bias == NULL || second ? NULL : p->bias + row;
    const matmul_kernels *k = &p->work->kernels;

    if (whole > end - begin)
        whole = end - begin;
    k->finish(products, minima, stride, whole, bias, add, y);
    if (whole == end - begin)
        return;
    products += whole * stride;
    k->finish(products, minima == NULL ? NULL : minima + whole * stride, stride, 1, NULL, false,
              tail);
    for (int64_t r = 0, i = whole * GROUP_ROWS; r < s->source.rows % GROUP_ROWS; r++, i++) {
        float v = bias == NULL ? tail[r] : tail[r] + bias[i];

        y[i] = add ? v + y[i] : v;
    }
}

/* Packed units of a group: where they lie, or rearranged now. */
static const uint8_t *units_of(const product *p, const packed_segment *s, int64_t group,
                               int64_t first, int64_t n, int thread)
{
    uint8_t *units = p->work->threads[thread].units;

    if (s->groups != NULL)
        return s->groups + (size_t)group * s->group_bytes +
               (size_t)first * s->f->lines * LINE_BYTES;
    packed_pack_units(&p->work->kernels, s, group, first, n, units);
    return units;
}

/* The activations of plane `plane` of a lone token. */
static activations plane_of(const activations *a, int plane)
{
    activations one = *a;
    int64_t blocks = plane * a->n_blocks;

    one.q += blocks * BLOCK_WEIGHTS;
    one.scale += blocks;
    for (int i = 0; i < 2; i++) {
        one.sum[i] += blocks * (i + 1);
        one.offset[i] += blocks * (i + 1);
    }
    return one;
}

/* One token, groups [begin, end) of a segment. The weights are unpacked once for both planes. */
static void multiply_one(const product *p, const packed_segment *s, int64_t begin, int64_t end,
                         int thread)
{
    one_fn one = p->work->kernels.of[s->source.type].one;
    one_fn two = p->work->kernels.of[s->source.type].two;
    const activations a[2] = {p->act, p->planes == 2 ? plane_of(&p->act, 1) : p->act};
    float sums[RUN_GROUPS * 2 * GROUP_ROWS];
    bool together = p->planes == 2 && two != NULL;
    int64_t run = s->groups == NULL || (p->planes == 2 && !together) ? 1 : RUN_GROUPS;

    for (int64_t g = begin; g < end; g += run) {
        int64_t n = end - g < run ? end - g : run;
        const uint8_t *units = units_of(p, s, g, 0, s->n_units, thread);

        if (together)
            two(units, s->group_bytes, n, a, sums);
        for (int plane = 0; plane < p->planes; plane++) {
            if (!together)
                one(units, s->group_bytes, n, &a[plane], sums);
            store_groups(p, s, plane, g, g + n, together ? sums + (size_t)plane * GROUP_ROWS : sums,
                         NULL, together ? 2 * GROUP_ROWS : GROUP_ROWS);
        }
    }
}

/* Sums of one kind of a group. */
static int64_t plane_floats(const product *p)
{
    return p->act.n_panels * p->act.width * GROUP_ROWS;
}

/* Units [first, first + n) of a group, times all tokens, into acc: products, then minima. */
static void multiply_chunk(const product *p, const packed_segment *s, int64_t group, int64_t first,
                           int64_t n, float *acc, int thread)
{
    const matmul_kernels *k = &p->work->kernels;
    uint8_t *stripe = p->work->threads[thread].stripe;
    int64_t steps = s->f->unit / BLOCK_WEIGHTS;

    k->of[s->source.type].unpack(units_of(p, s, group, first, n, thread), n, stripe);
    k->tile(s->f, stripe, first * steps, n * steps, &p->act, acc);
    if (s->f->minimum)
        k->minima(s->f, stripe, first * steps, n * steps, &p->act, acc + plane_floats(p));
}

/* The same for one or two groups of a float type. */
static void multiply_floats(const product *p, const packed_segment *s, int64_t group,
                            int64_t n_groups, int64_t first, int64_t n, float *acc, int thread)
{
    const matmul_kernels *k = &p->work->kernels;
    bool halves = k->of[s->source.type].halves;
    uint8_t *stripe = p->work->threads[thread].stripe;
    int64_t cols = n * s->f->unit, blocks = (cols + BLOCK_WEIGHTS - 1) / BLOCK_WEIGHTS;
    int64_t bytes = GROUP_ROWS * (halves ? blocks * BLOCK_WEIGHTS * (int64_t)sizeof(uint16_t)
                                         : cols * (int64_t)sizeof(float));

    for (int64_t i = 0; i < n_groups; i++)
        k->of[s->source.type].unpack(units_of(p, s, group + i, first, n, thread), n,
                                     stripe + i * bytes);
    first *= s->f->unit;
    if (halves)
        k->tile_halves((uint16_t *)(void *)stripe, (int)n_groups, first, cols, &p->act, acc,
                       2 * plane_floats(p));
    else
        k->tile_float((float *)(void *)stripe, (int)n_groups, first, cols, &p->act, acc,
                      2 * plane_floats(p));
}

/* Many tokens, groups [begin, end) of a segment: unpack a chunk once, multiply every token by it.
 */
static void multiply_many(const product *p, const packed_segment *s, int64_t begin, int64_t end,
                          int thread)
{
    bool halves = p->work->kernels.of[s->source.type].halves;
    int64_t chunk = (s->f->sub != 0 ? CHUNK : halves ? CHUNK_HALVES : CHUNK_FLOAT) / s->f->unit;
    int64_t plane = plane_floats(p);
    float *acc = p->work->threads[thread].acc;

    for (int64_t first = 0; first < s->n_units; first += chunk) {
        int64_t n = s->n_units - first < chunk ? s->n_units - first : chunk;

        for (int64_t g = begin, step; g < end; g += step) {
            float *sums = acc + 2 * (g - begin) * plane;

            step = s->f->sub == 0 && end - g >= FLOAT_PAIR ? FLOAT_PAIR : 1;
            if (s->f->sub == 0)
                multiply_floats(p, s, g, step, first, n, sums, thread);
            else
                multiply_chunk(p, s, g, first, n, sums, thread);
        }
    }
    for (int64_t t = 0; t < p->act.n_tokens; t++, acc += GROUP_ROWS)
        store_groups(p, s, t, begin, end, acc, s->f->minimum ? acc + plane : NULL, 2 * plane);
}

/* Groups [begin, end), counted over all segments. */
static void multiply_groups(void *context, int64_t begin, int64_t end, int thread)
{
    const product *p = context;
    int64_t before = 0;

    for (int i = 0; i < p->w->n_segments; i++) {
        const packed_segment *s = &p->w->segments[i];
        bool one = p->act.width == 1 && p->work->kernels.of[s->source.type].one != NULL;
        int64_t from = begin > before ? begin - before : 0, to = end - before;

        if (to > s->n_groups)
            to = s->n_groups;
        if (from < to && one)
            multiply_one(p, s, from, to, thread);
        else
            for (; from < to; from += p->strip)
                multiply_many(p, s, from, to - from < p->strip ? to : from + p->strip, thread);
        before += s->n_groups;
    }
}

static int64_t groups_of(const packed_weight *w)
{
    int64_t n = 0;

    for (int i = 0; i < w->n_segments; i++)
        n += w->segments[i].n_groups;
    return n;
}

static int64_t between(int64_t low, int64_t x, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

static void multiply_tokens(product *p, int64_t n)
{
    trueno_pool *pool = p->work->pool;
    activations *a = &p->act;
    int64_t groups = groups_of(p->w), threads = trueno_pool_threads(pool), grain, rows;

    a->n_tokens = n * p->planes;
    a->width = n == 1 ? 1 : PANEL_TOKENS;
    a->n_panels = (a->n_tokens + a->width - 1) / a->width;
    rows = a->n_panels * a->width / p->planes;
    if (n < QUANTIZE_APART)
        round_tokens(p, 0, rows, 0);
    else
        trueno_pool_for(pool, rows, 4, round_tokens, p);
    grain = between(1, groups / (threads * 8), STRIP_GROUPS);
    if (p->floats && grain < FLOAT_PAIR)
        grain = FLOAT_PAIR;
    p->strip = n * p->w->cols * 2 > RESIDENT_BYTES ? grain : p->floats ? FLOAT_PAIR : 1;
    trueno_pool_for(pool, groups, grain, multiply_groups, p);
}

void packed_matmul(packed_work *work, const packed_weight *w, const float *bias, const float *x,
                   int64_t n, bool add, float *y)
{
    product p = {.work = work, .w = w, .bias = bias, .act = work->act, .add = add};
    int64_t limit;

    assert(n >= 1);
    p.act.n_blocks = (w->cols + 63) / 64 * 2;
    p.act.x_cols = (w->cols + 15) / 16 * 16;
    for (int i = 0; i < w->n_segments; i++) {
        bool is_float = w->segments[i].f->sub == 0;
        bool halved = work->kernels.of[w->segments[i].source.type].halves;

        p.quantized |= !is_float;
        p.floats |= is_float;
        p.halved |= halved;
        p.spread |= is_float && !halved;
    }
    p.planes = w->fine && !p.floats ? 2 : 1;
    limit = TOKENS_LIMIT / p.planes;
    for (int64_t t = 0; t < n; t += limit) {
        p.x = x + t * w->cols;
        p.y = y + t * w->rows;
        multiply_tokens(&p, n - t < limit ? n - t : limit);
    }
}
