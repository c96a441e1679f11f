/* SPDX-License-Identifier: MIT */
/* Chooses the experts of each row, groups rows by expert and multiplies each group at once. */
#include "experts.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Is `e` among the first `n` chosen? */
static bool is_chosen(const int32_t *chosen, int32_t n, int32_t e)
{
    for (int32_t i = 0; i < n; i++)
        if (chosen[i] == e)
            return true;
    return false;
}

/* Put `e` into the rising list of n. */
static void insert_rising(int32_t *chosen, int32_t n, int32_t e)
{
    while (n > 0 && chosen[n - 1] > e) {
        chosen[n] = chosen[n - 1];
        n--;
    }
    chosen[n] = e;
}

void experts_choose(const float *router, int32_t n_experts, int32_t n_used, bool renormalize,
                    int32_t *chosen, float *weights)
{
    double all = 0.0, used = 0.0, max = -INFINITY;

    assert(n_used >= 1 && n_used <= n_experts);
    for (int32_t i = 0; i < n_used; i++) {
        int32_t best = -1;

        for (int32_t e = 0; e < n_experts; e++)
            if (!is_chosen(chosen, i, e) && (best < 0 || router[e] > router[best]))
                best = e;
        insert_rising(chosen, i, best);
        max = router[best] > max ? router[best] : max;
    }
    for (int32_t e = 0; e < n_experts; e++)
        all += exp(router[e] - max);
    for (int32_t i = 0; i < n_used; i++)
        used += exp(router[chosen[i]] - max);
    for (int32_t i = 0; i < n_used; i++)
        weights[i] = (float)(exp(router[chosen[i]] - max) / (renormalize ? used : all));
}

/* Scratch memory, cut into its arrays. */
typedef struct experts_memory {
    int32_t *chosen;            /* [n, n_used] */
    float *weights;             /* [n, n_used] */
    int32_t *rows;              /* [n] of the expert at hand */
    float *row_weights;         /* [n] */
    float *x, *gate_up, *h, *y; /* [n, cols], [n, 2 ff], [n, ff], [n, cols] */
} experts_memory;

static bool cut_memory(host_backend *host, host_buffer *scratch, const experts_job *job,
                       experts_memory *m)
{
    size_t n = (size_t)job->n, cols = (size_t)job->cols, ff = (size_t)job->ff;
    size_t pairs = n * (size_t)job->n_used;
    float *floats =
        host_scratch(host, scratch, (n * (2 * cols + 3 * ff + 2) + 2 * pairs) * sizeof *floats);

    if (floats == NULL)
        return false;
    m->x = floats;
    m->y = m->x + n * cols;
    m->gate_up = m->y + n * cols;
    m->h = m->gate_up + 2 * n * ff;
    m->weights = m->h + n * ff;
    m->row_weights = m->weights + pairs;
    m->chosen = (int32_t *)(void *)(m->row_weights + n);
    m->rows = m->chosen + pairs;
    return true;
}

/* Collect the rows that chose expert `e`; returns how many. */
static int32_t gather_rows(const experts_job *job, const experts_memory *m, int32_t e)
{
    int32_t count = 0;

    for (int32_t row = 0; row < job->n; row++)
        for (int32_t i = 0; i < job->n_used; i++) {
            size_t pair = (size_t)row * (size_t)job->n_used + (size_t)i;

            if (m->chosen[pair] != e)
                continue;
            m->rows[count] = row;
            m->row_weights[count] = m->weights[pair];
            memcpy(m->x + (size_t)count * (size_t)job->cols,
                   job->x + (size_t)row * (size_t)job->cols, (size_t)job->cols * sizeof *m->x);
            count++;
        }
    return count;
}

static void run_expert(host_backend *host, const experts_job *job, const experts_memory *m,
                       int32_t e, int32_t count)
{
    trueno_backend *be = &host->table;
    size_t cols = (size_t)job->cols;

    be->matmul(be, job->gate_up[e], NULL, m->x, count, false, m->gate_up);
    be->glu(be, job->act, m->gate_up, count, job->ff, m->h);
    be->matmul(be, job->down[e], NULL, m->h, count, false, m->y);
    for (int32_t i = 0; i < count; i++) {
        float *y = job->y + (size_t)m->rows[i] * cols;
        const float *part = m->y + (size_t)i * cols;

        for (size_t c = 0; c < cols; c++)
            y[c] += m->row_weights[i] * part[c];
    }
}

void experts_run(host_backend *host, host_buffer *scratch, const experts_job *job)
{
    experts_memory m;

    if (!cut_memory(host, scratch, job, &m))
        return;
    for (int32_t row = 0; row < job->n; row++)
        experts_choose(job->router + (size_t)row * (size_t)job->n_experts, job->n_experts,
                       job->n_used, job->renormalize, m.chosen + (size_t)row * (size_t)job->n_used,
                       m.weights + (size_t)row * (size_t)job->n_used);
    memset(job->y, 0, (size_t)job->n * (size_t)job->cols * sizeof *job->y);
    for (int32_t e = 0; e < job->n_experts; e++) {
        int32_t count = gather_rows(job, &m, e);

        if (count > 0)
            run_expert(host, job, &m, e, count);
    }
}
