/* SPDX-License-Identifier: MIT */
/* k-means: Lloyd's method from k-means++ beginnings, the best of several. */
#include "learn.h"

#include <math.h>
#include <string.h>

/* One search. Arrays of the current run; the best is copied out. */
typedef struct search {
    const double *x;
    size_t n, d, k;
    uint64_t random;
    double *centres;   /* [k, d] */
    double *nearest;   /* [n] squared distance to the nearest centre */
    double *candidate; /* [n] the same, were a candidate a centre too */
    size_t *members;   /* [k] */
    int32_t *labels;   /* [n] */
} search;

static const double *point(const search *s, size_t i)
{
    return s->x + i * s->d;
}

/* A point drawn with probability proportional to nearest[]; any one when all are 0. */
static size_t draw(search *s, double total)
{
    double at = apr_random_unit(&s->random) * total;

    if (!(total > 0))
        return apr_random_below(&s->random, s->n);
    for (size_t i = 0; i < s->n; i++) {
        at -= s->nearest[i];
        if (at < 0)
            return i;
    }
    return s->n - 1;
}

/* candidate[] and its sum, if point `i` became a centre. */
static double try_centre(search *s, size_t i)
{
    double total = 0;

    for (size_t p = 0; p < s->n; p++) {
        s->candidate[p] = fmin(s->nearest[p], apr_learn_distance2(point(s, p), point(s, i), s->d));
        total += s->candidate[p];
    }
    return total;
}

static void take_centre(search *s, size_t c, size_t i)
{
    memcpy(s->centres + c * s->d, point(s, i), s->d * sizeof(double));
    (void)try_centre(s, i);
    memcpy(s->nearest, s->candidate, s->n * sizeof(double));
}

static void begin(search *s)
{
    const int tries = 2 + (int)log((double)s->k);

    for (size_t p = 0; p < s->n; p++)
        s->nearest[p] = INFINITY;
    take_centre(s, 0, apr_random_below(&s->random, s->n));
    for (size_t c = 1; c < s->k; c++) {
        double total = 0, least = INFINITY;
        size_t best = 0;

        for (size_t p = 0; p < s->n; p++)
            total += s->nearest[p];
        for (int i = 0; i < tries; i++) {
            size_t drawn = draw(s, total);
            double left = try_centre(s, drawn);

            if (left < least) {
                least = left;
                best = drawn;
            }
        }
        take_centre(s, c, best);
    }
}

/* Label every point; true when a label changed. */
static bool assign(search *s, double *inertia)
{
    bool changed = false;

    *inertia = 0;
    for (size_t p = 0; p < s->n; p++) {
        int32_t label = apr_kmeans_nearest(s->centres, s->k, point(s, p), s->d);

        s->nearest[p] = apr_learn_distance2(s->centres + (size_t)label * s->d, point(s, p), s->d);
        *inertia += s->nearest[p];
        changed |= label != s->labels[p];
        s->labels[p] = label;
    }
    return changed;
}

/* Give each empty cluster the point farthest from its centre, of those not alone in theirs. */
static void fill_empty(search *s)
{
    for (size_t c = 0; c < s->k; c++) {
        size_t far = s->n;

        if (s->members[c] > 0)
            continue;
        for (size_t p = 0; p < s->n; p++)
            if (s->members[s->labels[p]] > 1 && (far == s->n || s->nearest[p] > s->nearest[far]))
                far = p;
        if (far == s->n)
            continue;
        s->members[s->labels[far]]--;
        s->members[c] = 1;
        s->labels[far] = (int32_t)c;
        s->nearest[far] = 0;
    }
}

static void move_centres(search *s)
{
    memset(s->members, 0, s->k * sizeof *s->members);
    for (size_t p = 0; p < s->n; p++)
        s->members[s->labels[p]]++;
    fill_empty(s);
    memset(s->centres, 0, s->k * s->d * sizeof(double));
    for (size_t p = 0; p < s->n; p++)
        for (size_t j = 0; j < s->d; j++)
            s->centres[(size_t)s->labels[p] * s->d + j] += point(s, p)[j];
    for (size_t c = 0; c < s->k; c++)
        for (size_t j = 0; j < s->d && s->members[c] > 0; j++)
            s->centres[c * s->d + j] /= (double)s->members[c];
}

static double run(search *s, int32_t max_steps)
{
    double inertia;

    begin(s);
    for (size_t p = 0; p < s->n; p++)
        s->labels[p] = -1;
    for (int32_t step = 0; assign(s, &inertia) && step < max_steps; step++)
        move_centres(s);
    return inertia;
}

/* All arrays of a search from one block. */
static void *allocate_search(search *s, const trueno_allocator *allocator, size_t *bytes)
{
    double *block;

    *bytes =
        (s->k * s->d + 2 * s->n) * sizeof(double) + s->k * sizeof(size_t) + s->n * sizeof(int32_t);
    block = trueno_allocate(allocator, *bytes, 64);
    if (block == NULL)
        return NULL;
    s->centres = block;
    s->nearest = s->centres + s->k * s->d;
    s->candidate = s->nearest + s->n;
    s->members = (size_t *)(void *)(s->candidate + s->n);
    s->labels = (int32_t *)(void *)(s->members + s->k);
    return block;
}

trueno_status apr_kmeans_fit(const double *x, size_t n, size_t d, size_t k,
                             const apr_kmeans_options *options, double *centres, int32_t *labels,
                             double *inertia, const trueno_allocator *allocator, trueno_error *err)
{
    apr_kmeans_options o = {0};
    search s = {.x = x, .n = n, .d = d, .k = k};
    trueno_status status = apr_learn_check(x, n, k > 0 ? k : SIZE_MAX, d, err);
    double least = INFINITY;
    size_t bytes;
    void *block;

    if (status < 0)
        return status;
    if (options != NULL)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    if ((block = allocate_search(&s, allocator, &bytes)) == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory to cluster %zu observations", n);
    s.random = o.seed;
    for (int32_t i = 0; i < (o.restarts > 0 ? o.restarts : 20); i++) {
        double here = run(&s, o.max_steps > 0 ? o.max_steps : 300);

        if (here >= least)
            continue;
        least = here;
        memcpy(centres, s.centres, k * d * sizeof(double));
        memcpy(labels, s.labels, n * sizeof *labels);
    }
    if (inertia != NULL)
        *inertia = least;
    trueno_release(allocator, block, bytes);
    return TRUENO_OK;
}

int32_t apr_kmeans_nearest(const double *centres, size_t k, const double *x, size_t d)
{
    double least = INFINITY;
    int32_t best = 0;

    for (size_t c = 0; c < k; c++) {
        double here = apr_learn_distance2(centres + c * d, x, d);

        if (here < least) {
            least = here;
            best = (int32_t)c;
        }
    }
    return best;
}

/* Silhouette of point i; sums [k] is overwritten. */
static double silhouette_of(const double *x, const int32_t *labels, size_t n, size_t d, size_t k,
                            const size_t *members, size_t i, double *sums)
{
    const int32_t own = labels[i];
    double inside, outside = INFINITY;

    if (members[own] < 2)
        return 0;
    memset(sums, 0, k * sizeof *sums);
    for (size_t p = 0; p < n; p++)
        sums[labels[p]] += sqrt(apr_learn_distance2(x + i * d, x + p * d, d));
    inside = sums[own] / (double)(members[own] - 1);
    for (size_t c = 0; c < k; c++)
        if ((int32_t)c != own && members[c] > 0)
            outside = fmin(outside, sums[c] / (double)members[c]);
    return fmax(inside, outside) > 0 ? (outside - inside) / fmax(inside, outside) : 0;
}

trueno_status apr_silhouette(const double *x, const int32_t *labels, size_t n, size_t d, size_t k,
                             double *out, const trueno_allocator *allocator, trueno_error *err)
{
    trueno_status status = apr_learn_check(x, n, 2, d, err);
    size_t bytes = k * (sizeof(double) + sizeof(size_t)), used = 0, *members;
    double *sums, total = 0;

    if (status < 0)
        return status;
    if ((sums = trueno_allocate_zero(allocator, bytes)) == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %zu clusters", k);
    members = (size_t *)(void *)(sums + k);
    for (size_t p = 0; p < n; p++)
        used += members[labels[p]]++ == 0;
    if (used < 2)
        status = trueno_fail(err, TRUENO_USAGE, "a silhouette needs two clusters with members");
    for (size_t p = 0; p < n && status == TRUENO_OK; p++)
        total += silhouette_of(x, labels, n, d, k, members, p, sums);
    if (status == TRUENO_OK)
        *out = total / (double)n;
    trueno_release(allocator, sums, bytes);
    return status;
}
