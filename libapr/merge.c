/* SPDX-License-Identifier: MIT */
/* Merging models: the methods, and a blend of the first model that is converted as any other. */
#include "merge.h"

#include "plan.h"
#include "storage_types.h"
#include <apr/convert.h>
#include <math.h>
#include <string.h>
#include <trueno/cpu.h>
#include <trueno/sys/threads.h>

/* A method's row: how it joins values [first, first + n), x being the first model's. */
typedef struct method_row {
    const char *name;
    bool needs_weights, needs_base;
    size_t most; /* models */
    trueno_status (*begin)(apr_merge *m, const apr_tensor *t, trueno_pool *pool, trueno_error *err);
    void (*join)(const apr_merge *m, const apr_tensor *t, uint64_t first, int64_t n, float *x,
                 float *scratch);
} method_row;

/* A sum over the models with their weights. */
static void join_weighted(const apr_merge *m, const apr_tensor *t, uint64_t first, int64_t n,
                          float *x, float *scratch)
{
    double total = 0;

    for (size_t k = 0; k < m->n; k++)
        total += m->weights[k];
    for (size_t k = 1; k < m->n; k++)
        apr_merge_read(m, t, k, first, n, scratch + k * (size_t)m->row);
    for (int64_t i = 0; i < n; i++) {
        double sum = m->weights[0] * (double)x[i];

        for (size_t k = 1; k < m->n; k++)
            sum += m->weights[k] * (double)scratch[k * (size_t)m->row + (size_t)i];
        x[i] = (float)(sum / total);
    }
}

static void join_sphere(const apr_merge *m, const apr_tensor *t, uint64_t first, int64_t n,
                        float *x, float *scratch)
{
    apr_merge_read(m, t, 1, first, n, scratch);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(m->part_first * (double)x[i] + m->part_second * (double)scratch[i]);
}

/* The differences from the base that stay, in place of the models' values. */
static void trim(const apr_merge *m, int64_t n, float *rows, const float *base)
{
    for (size_t k = 0; k < m->n; k++) {
        float *x = rows + k * (size_t)m->row;

        for (int64_t i = 0; i < n; i++) {
            x[i] -= base[i];
            if (fabsf(x[i]) < m->thresholds[k])
                x[i] = 0;
        }
    }
}

/* The mean of one value's differences that have the sign of their sum. */
static double elect(const apr_merge *m, const float *rows, int64_t i)
{
    double sum = 0, agreed = 0, weight = 0;

    for (size_t k = 0; k < m->n; k++)
        sum += m->weights[k] * (double)rows[k * (size_t)m->row + (size_t)i];
    for (size_t k = 0; k < m->n; k++) {
        const double d = rows[k * (size_t)m->row + (size_t)i];

        if (d == 0 || (d > 0) != (sum >= 0))
            continue;
        agreed += m->weights[k] * d;
        weight += m->weights[k];
    }
    return weight > 0 ? agreed / weight : 0;
}

static void join_ties(const apr_merge *m, const apr_tensor *t, uint64_t first, int64_t n, float *x,
                      float *scratch)
{
    float *base = scratch + m->n * (size_t)m->row;

    for (size_t k = 0; k < m->n; k++)
        apr_merge_read(m, t, k, first, n, scratch + k * (size_t)m->row);
    apr_merge_read(m, t, m->n, first, n, base);
    trim(m, n, scratch, base);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)((double)base[i] + m->o.lambda * elect(m, scratch, i));
}

static const method_row METHODS[] = {
    {"average", false, false, APR_MERGE_MOST, NULL, join_weighted},
    {"weighted", true, false, APR_MERGE_MOST, NULL, join_weighted},
    {"slerp", false, false, 2, apr_merge_find_angle, join_sphere},
    {"ties", false, true, APR_MERGE_MOST, apr_merge_find_thresholds, join_ties},
};

static const method_row *find_method(const char *name)
{
    for (size_t i = 0; name != NULL && i < sizeof METHODS / sizeof METHODS[0]; i++)
        if (strcmp(METHODS[i].name, name) == 0)
            return &METHODS[i];
    return NULL;
}

static trueno_status blend_begin(apr_blend *b, const apr_tensor *t, trueno_pool *pool,
                                 trueno_error *err)
{
    apr_merge *m = (apr_merge *)(void *)b;
    const method_row *method = find_method(m->o.method);

    return method->begin != NULL ? method->begin(m, t, pool, err) : TRUENO_OK;
}

static void blend_values(const apr_blend *b, const apr_tensor *t, uint64_t first, int64_t n,
                         float *x, int thread)
{
    const apr_merge *m = (const apr_merge *)(const void *)b;

    find_method(m->o.method)
        ->join(m, t, first, n, x, m->scratch + (size_t)thread * (m->n + 1) * (size_t)m->row);
}

void apr_merge_options_init(apr_merge_options *o, size_t size)
{
    const apr_merge_options defaults = {
        .size = size, .method = "average", .t = 0.5, .density = 0.5, .lambda = 1};

    memset(o, 0, size);
    memcpy(o, &defaults, size < sizeof defaults ? size : sizeof defaults);
}

static trueno_status check_weights(apr_merge *m, const method_row *method, trueno_error *err)
{
    double sum = 0;

    if (method->needs_weights && m->o.weights == NULL)
        return trueno_fail(err, TRUENO_USAGE, "%s needs a weight for each model", method->name);
    for (size_t i = 0; i < m->n; i++) {
        m->weights[i] = m->o.weights != NULL ? m->o.weights[i] : 1;
        if (!isfinite(m->weights[i]) || m->weights[i] < 0)
            return trueno_fail(err, TRUENO_USAGE, "weight %zu is %g, allowed are 0 and more", i + 1,
                               m->weights[i]);
        sum += m->weights[i];
    }
    return sum > 0 ? TRUENO_OK : trueno_fail(err, TRUENO_USAGE, "all weights are 0");
}

static trueno_status check_options(apr_merge *m, trueno_error *err)
{
    const method_row *method = find_method(m->o.method);

    if (method == NULL)
        return trueno_fail(err, TRUENO_USAGE,
                           "'%s' is no way to merge; known are average, weighted, slerp, ties",
                           m->o.method != NULL ? m->o.method : "");
    if (m->n > method->most || m->n < (method->needs_base ? 1u : 2u))
        return trueno_fail(err, TRUENO_USAGE, "%s merges %s%zu models, given are %zu", method->name,
                           method->most == 2 ? "" : "up to ", method->most, m->n);
    if ((m->o.base != NULL) != method->needs_base)
        return trueno_fail(err, TRUENO_USAGE, "%s %s a base model", method->name,
                           method->needs_base ? "needs" : "takes no");
    if (!(m->o.t >= 0 && m->o.t <= 1) || !(m->o.density > 0 && m->o.density <= 1) ||
        !isfinite(m->o.lambda))
        return trueno_fail(err, TRUENO_USAGE, "t %g, density %g or lambda %g is out of its range",
                           m->o.t, m->o.density, m->o.lambda);
    return check_weights(m, method, err);
}

/* Every model's tensor that plays the part of the first's, with the same shape. */
static trueno_status match_tensors(const apr_model *first, const apr_model *other,
                                   const apr_tensor **out, size_t step, trueno_error *err)
{
    for (size_t i = 0; i < first->n_tensors; i++) {
        const apr_tensor *t = &first->tensors[i];
        const apr_tensor *found = apr_tensor_like(other, t->role, t->layer, t->expert, t->name);

        if (found == NULL)
            return trueno_fail(err, TRUENO_CONTENT, "%s: no tensor %s as in %s (ROSETTA-COUNT-001)",
                               other->path, t->name, first->path);
        if (found->n_dims != t->n_dims || memcmp(found->dims, t->dims, sizeof t->dims) != 0)
            return trueno_fail(err, TRUENO_CONTENT,
                               "%s: %s has %lld x %lld values, in %s %lld x %lld "
                               "(ROSETTA-DIM-001)",
                               other->path, found->name, (long long)found->dims[0],
                               (long long)found->dims[1], first->path, (long long)t->dims[0],
                               (long long)t->dims[1]);
        if (trueno_type_get(t->type) != NULL && !apr_storage_is_readable(found->type))
            return trueno_fail(err, TRUENO_UNSUPPORTED, "%s: %s is %s, which nothing computes with",
                               other->path, found->name, apr_tensor_type_name(found));
        out[i * step] = found;
    }
    return TRUENO_OK;
}

static trueno_status match_models(apr_merge *m, trueno_arena *arena, trueno_error *err)
{
    const apr_model *first = m->models[0];
    trueno_status status = TRUENO_OK;

    m->others = trueno_arena_array(arena, first->n_tensors * m->n, sizeof(apr_tensor *));
    m->bases = trueno_arena_array(arena, first->n_tensors, sizeof(apr_tensor *));
    if (m->others == NULL || m->bases == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory to merge", first->path);
    for (size_t k = 0; k <= m->n && status == TRUENO_OK; k++) {
        const apr_model *other = k < m->n ? m->models[k] : m->o.base;

        if (other == NULL)
            continue;
        if (other->packed != NULL && (other->options.lazy || other->options.vocab_only))
            return trueno_fail(err, TRUENO_USAGE, "%s: opened as lazy, which cannot be merged",
                               other->path);
        if ((status = apr_merge_check(first, other, err)) == TRUENO_OK)
            status = match_tensors(first, other, k < m->n ? m->others + k : m->bases,
                                   k < m->n ? m->n : 1, err);
    }
    return status;
}

static void find_longest_row(apr_merge *m)
{
    for (size_t i = 0; i < m->models[0]->n_tensors; i++) {
        const apr_tensor *t = &m->models[0]->tensors[i];
        const int64_t cols = t->dims[t->n_dims - 1];

        m->row = cols > m->row ? cols : m->row;
    }
}

/* The first model with the blend in place of its weights, converted. */
static trueno_status write_blend(apr_merge *m, const char *path, trueno_pool *pool,
                                 trueno_error *err)
{
    apr_model blended = *m->models[0]; /* a view: nothing of it is freed */
    apr_convert_options options;

    apr_convert_options_init(&options, sizeof options);
    options.format = m->o.format;
    options.mix = m->o.mix;
    options.force = m->o.force;
    options.pool = pool;
    m->blend = (apr_blend){blend_begin, blend_values};
    blended.blend = &m->blend;
    return apr_convert_model(&blended, path, &options, err);
}

static trueno_status merge(apr_merge *m, const char *path, trueno_arena *arena, trueno_error *err)
{
    const trueno_allocator *allocator = m->models[0]->options.allocator;
    const int threads = m->o.threads > 0 ? m->o.threads : trueno_cpu_default_threads();
    trueno_pool *pool;
    size_t bytes;
    trueno_status status = match_models(m, arena, err);

    if (status < 0 || (status = trueno_pool_new(&pool, threads, allocator, err)) < 0)
        return status;
    find_longest_row(m);
    bytes = (size_t)threads * (m->n + 1) * (size_t)m->row * sizeof(float);
    m->scratch = trueno_allocate(allocator, bytes, 64);
    status = m->scratch != NULL
                 ? write_blend(m, path, pool, err)
                 : trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for rows", m->models[0]->path);
    trueno_release(allocator, m->scratch, bytes);
    trueno_pool_free(pool);
    return status;
}

trueno_status apr_merge_models(const apr_model *const *models, size_t n, const char *path,
                               const apr_merge_options *options, trueno_error *err)
{
    apr_merge m = {.models = models, .n = n};
    trueno_arena arena = {0};
    trueno_status status;

    apr_merge_options_init(&m.o, sizeof m.o);
    if (options != NULL)
        memcpy(&m.o, options, options->size < sizeof m.o ? options->size : sizeof m.o);
    if (n == 0 || n > APR_MERGE_MOST)
        return trueno_fail(err, TRUENO_USAGE, "%zu models, merged are 1 to %d", n, APR_MERGE_MOST);
    if ((status = check_options(&m, err)) < 0)
        return status;
    arena.allocator = models[0]->options.allocator;
    status = merge(&m, path, &arena, err);
    trueno_arena_free(&arena);
    return status;
}
