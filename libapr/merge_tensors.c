/* SPDX-License-Identifier: MIT */
/* What slerp and ties must know of a whole tensor before they join its values. */
#include "merge.h"

#include "storage_types.h"
#include <math.h>
#include <string.h>
#include <trueno/sys/threads.h>

/* Values of a piece of a tensor: a multiple of every type's block. */
enum { PIECE = 16384, HALF_VALUES = 1 << 16 };

void apr_merge_read(const apr_merge *m, const apr_tensor *t, size_t i, uint64_t first, int64_t n,
                    float *out)
{
    const size_t index = (size_t)(t - m->models[0]->tensors);
    const apr_tensor *from = i < m->n ? m->others[index * m->n + i] : m->bases[index];
    apr_storage_type type = {.block = 1};

    (void)apr_storage_type_get(from->type, &type);
    (void)apr_storage_to_f32(
        from->type,
        (const uint8_t *)from->data + first / (uint64_t)type.block * (uint64_t)type.bytes, out, n);
}

static int64_t piece_length(uint64_t count, int64_t piece)
{
    const uint64_t left = count - (uint64_t)piece * PIECE;

    return left < PIECE ? (int64_t)left : PIECE;
}

/* Sums over pieces, for the angle. */
typedef struct angle_sums {
    const apr_merge *m;
    const apr_tensor *t;
    uint64_t count;
    double (*pieces)[3]; /* x x, x y, y y */
} angle_sums;

static void add_products(void *context, int64_t begin, int64_t end, int thread)
{
    enum { PART = 1024 };
    angle_sums *a = context;
    float x[PART], y[PART];

    (void)thread;
    for (int64_t piece = begin; piece < end; piece++) {
        double *sums = a->pieces[piece];
        const int64_t n = piece_length(a->count, piece);

        for (int64_t at = 0; at < n; at += PART) {
            const int64_t some = n - at < PART ? n - at : PART;
            const uint64_t first = (uint64_t)(piece * PIECE + at);

            apr_merge_read(a->m, a->t, 0, first, some, x);
            apr_merge_read(a->m, a->t, 1, first, some, y);
            for (int64_t i = 0; i < some; i++) {
                sums[0] += (double)x[i] * (double)x[i];
                sums[1] += (double)x[i] * (double)y[i];
                sums[2] += (double)y[i] * (double)y[i];
            }
        }
    }
}

/* The shares of both models by the angle; those of a straight line where there is none. */
static void set_parts(apr_merge *m, double xx, double xy, double yy)
{
    const double t = m->o.t, cosine = xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : 1;
    double angle;

    m->part_first = 1 - t;
    m->part_second = t;
    if (fabs(cosine) > 0.9995)
        return;
    angle = acos(cosine);
    m->part_first = sin((1 - t) * angle) / sin(angle);
    m->part_second = sin(t * angle) / sin(angle);
}

trueno_status apr_merge_find_angle(apr_merge *m, const apr_tensor *t, trueno_pool *pool,
                                   trueno_error *err)
{
    const trueno_allocator *allocator = m->models[0]->options.allocator;
    angle_sums a = {.m = m, .t = t, .count = apr_tensor_elements(t)};
    const int64_t n_pieces = (int64_t)((a.count + PIECE - 1) / PIECE);
    const size_t bytes = ((size_t)n_pieces + 1) * sizeof *a.pieces;
    double sums[3] = {0};

    a.pieces = trueno_allocate_zero(allocator, bytes);
    if (a.pieces == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory to merge %s", m->models[0]->path,
                           t->name);
    trueno_pool_for(pool, n_pieces, 1, add_products, &a);
    for (int64_t i = 0; i < n_pieces; i++) /* in order: the same for any number of threads */
        for (int k = 0; k < 3; k++)
            sums[k] += a.pieces[i][k];
    trueno_release(allocator, a.pieces, bytes);
    set_parts(m, sums[0], sums[1], sums[2]);
    return TRUENO_OK;
}

/* Counting sizes of a model's differences from the base, by the upper or lower half of their bits,
 * which are in the order of the sizes. */
typedef struct size_counts {
    const apr_merge *m;
    const apr_tensor *t;
    size_t model;
    uint64_t count;
    bool lower; /* of those whose upper half is `upper` */
    uint32_t upper;
    uint64_t *counts; /* [threads][HALF_VALUES] */
} size_counts;

static void count_sizes(void *context, int64_t begin, int64_t end, int thread)
{
    enum { PART = 1024 };
    size_counts *s = context;
    uint64_t *counts = s->counts + (size_t)thread * HALF_VALUES;
    float x[PART], base[PART];

    for (int64_t piece = begin; piece < end; piece++) {
        const int64_t n = piece_length(s->count, piece);

        for (int64_t at = 0; at < n; at += PART) {
            const int64_t some = n - at < PART ? n - at : PART;
            const uint64_t first = (uint64_t)(piece * PIECE + at);

            apr_merge_read(s->m, s->t, s->model, first, some, x);
            apr_merge_read(s->m, s->t, s->m->n, first, some, base);
            for (int64_t i = 0; i < some; i++) {
                const float size = fabsf(x[i] - base[i]);
                uint32_t bits;

                memcpy(&bits, &size, sizeof bits);
                if (!s->lower)
                    counts[bits >> 16]++;
                else if (bits >> 16 == s->upper)
                    counts[bits & 0xffff]++;
            }
        }
    }
}

/* The half in which the rank-th largest (from 0) is; *rank becomes that within it. */
static uint32_t find_half(size_counts *s, trueno_pool *pool, uint64_t *rank)
{
    const int threads = trueno_pool_threads(pool);
    const int64_t n_pieces = (int64_t)((s->count + PIECE - 1) / PIECE);
    uint32_t half = HALF_VALUES;

    memset(s->counts, 0, (size_t)threads * HALF_VALUES * sizeof *s->counts);
    trueno_pool_for(pool, n_pieces, 1, count_sizes, s);
    while (half-- > 0) {
        uint64_t here = 0;

        for (int i = 0; i < threads; i++)
            here += s->counts[(size_t)i * HALF_VALUES + half];
        if (*rank < here)
            return half;
        *rank -= here;
    }
    return 0;
}

trueno_status apr_merge_find_thresholds(apr_merge *m, const apr_tensor *t, trueno_pool *pool,
                                        trueno_error *err)
{
    const trueno_allocator *allocator = m->models[0]->options.allocator;
    const size_t bytes = (size_t)trueno_pool_threads(pool) * HALF_VALUES * sizeof(uint64_t);
    size_counts s = {.m = m, .t = t, .count = apr_tensor_elements(t)};
    const uint64_t kept = (uint64_t)(m->o.density * (double)s.count);

    s.counts = trueno_allocate(allocator, bytes, 64);
    if (s.counts == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory to merge %s", m->models[0]->path,
                           t->name);
    for (s.model = 0; s.model < m->n; s.model++) {
        uint64_t rank = kept > 0 ? kept - 1 : 0;
        uint32_t bits;

        s.lower = false;
        s.upper = find_half(&s, pool, &rank);
        s.lower = true;
        bits = s.upper << 16 | find_half(&s, pool, &rank);
        memcpy(&m->thresholds[s.model], &bits, sizeof bits);
    }
    trueno_release(allocator, s.counts, bytes);
    return TRUENO_OK;
}
