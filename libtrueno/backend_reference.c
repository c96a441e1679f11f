/* SPDX-License-Identifier: MIT */
/* The reference backend: weights dequantised, F32 activations, F32 keys and values, sums in double.
 */
#include "backends.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "experts.h"
#include "kernels/reference.h"
#include "plain_weight.h"

typedef struct reference_backend {
    host_backend host; /* first */
    host_buffer weight_rows, attention, experts;
} reference_backend;

static reference_backend *reference_of(trueno_backend *be)
{
    return (reference_backend *)be;
}

/* Weights of this backend are plain ones. */
static const plain_weight *plain_of(const trueno_weight *w)
{
    return (const plain_weight *)w;
}

static void reference_close(trueno_backend *be)
{
    reference_backend *ref = reference_of(be);
    const trueno_allocator *allocator = ref->host.allocator;

    trueno_release(allocator, ref->weight_rows.data, ref->weight_rows.bytes);
    trueno_release(allocator, ref->attention.data, ref->attention.bytes);
    trueno_release(allocator, ref->experts.data, ref->experts.bytes);
    host_finish(&ref->host);
    trueno_release(allocator, ref, sizeof *ref);
}

static trueno_status reference_weight_new(trueno_backend *be, const trueno_tensor *parts,
                                          int n_parts, unsigned uses, trueno_weight **out,
                                          trueno_error *err)
{
    plain_weight *w;
    trueno_status status = plain_weight_new(&w, host_of(be), parts, n_parts, err);

    (void)uses;
    *out = (trueno_weight *)w;
    return status;
}

static void reference_weight_free(trueno_backend *be, trueno_weight *w)
{
    plain_weight_free(host_of(be), (plain_weight *)w);
}

static trueno_status reference_kv_new(trueno_backend *be, const trueno_kv_shape *shape,
                                      trueno_kv **out, trueno_error *err)
{
    trueno_kv_shape exact = *shape;

    exact.type = TRUENO_KV_F32;
    return kv_store_new(out, &exact, host_of(be)->allocator, err);
}

static void reference_embed(trueno_backend *be, const trueno_weight *table, float factor, float *x)
{
    const trueno_rows *rows = host_of(be)->rows;
    const plain_weight *w = plain_of(table);

    for (int32_t i = 0; i < rows->n_rows; i++) {
        float *row = x + (int64_t)i * w->cols;

        plain_weight_row(w, rows->tokens[i], row);
        for (int64_t c = 0; c < w->cols; c++)
            row[c] *= factor;
    }
}

static void reference_norm_rows(trueno_backend *be, const trueno_norm *p, const float *x, int32_t n,
                                float *y)
{
    (void)be;
    for (int32_t i = 0; i < n; i++)
        reference_norm(p, x + (int64_t)i * p->width, y + (int64_t)i * p->width);
}

static void reference_matmul(trueno_backend *be, const trueno_weight *w, const float *bias,
                             const float *x, int32_t n, bool add, float *y)
{
    plain_weight_matmul(host_of(be), &reference_of(be)->weight_rows, plain_of(w), bias, x, n, add,
                        y);
}

/* Normalise the heads of one row where asked, and turn them. */
static void prepare_heads(const trueno_attention *p, const float *norm, int32_t n_heads,
                          const float *turns, float *heads)
{
    const trueno_norm head_norm = {TRUENO_NORM_RMS, p->head_dim, p->qk_norm_eps, norm, NULL};

    for (int32_t h = 0; h < n_heads; h++) {
        float *head = heads + (int64_t)h * p->head_dim;

        if (norm != NULL)
            reference_norm(&head_norm, head, head);
        reference_rotate(&p->rope, turns, head);
    }
}

static void store_row(const trueno_attention *p, const trueno_kv *kv, int32_t position,
                      const float *keys)
{
    const float *values = keys + (int64_t)p->n_kv_heads * p->head_dim;
    int32_t block = position / KV_BLOCK, slot = position % KV_BLOCK;

    for (int32_t h = 0; h < p->n_kv_heads; h++) {
        const kv_codec *codec = &kernels_c.kv[TRUENO_KV_F32];

        codec->store_key(kv_store_keys(kv, p->layer, h, block), p->head_dim, slot,
                         keys + (int64_t)h * p->head_dim);
        codec->store_value(kv_store_values(kv, p->layer, h, block), p->head_dim, slot,
                           values + (int64_t)h * p->head_dim);
    }
}

static int64_t qkv_width(const trueno_attention *p)
{
    return ((int64_t)p->n_heads + 2 * (int64_t)p->n_kv_heads) * p->head_dim;
}

static void reference_rope_store(trueno_backend *be, const trueno_attention *p, float *qkv)
{
    host_backend *host = host_of(be);
    const float *turns = host_turns_for(host, &p->rope);

    for (int32_t s = 0; turns != NULL && s < host->rows->n_spans; s++) {
        const trueno_span *span = &host->rows->spans[s];

        for (int32_t i = 0; i < span->n_rows; i++) {
            int64_t row = span->first_row + i;
            float *q = qkv + row * qkv_width(p), *k = q + (int64_t)p->n_heads * p->head_dim;

            prepare_heads(p, p->q_norm, p->n_heads, turns + row * p->rope.n_rot, q);
            prepare_heads(p, p->k_norm, p->n_kv_heads, turns + row * p->rope.n_rot, k);
            store_row(p, span->kv, span->first_pos + i, k);
        }
    }
}

typedef struct attention_job {
    const trueno_attention *p;
    const trueno_rows *rows;
    const float *qkv;
    float *out;
    const trueno_attention_watch *watch;
    double *scratch;
    size_t scratch_doubles; /* of one thread */
} attention_job;

static const trueno_span *span_of_row(const trueno_rows *rows, int32_t row)
{
    const trueno_span *span = rows->spans;

    while (row >= span->first_row + span->n_rows)
        span++;
    return span;
}

/* Item i is head i % n_heads of row i / n_heads. */
static void attend(void *context, int64_t begin, int64_t end, int thread)
{
    const attention_job *job = context;
    const trueno_attention *p = job->p;

    for (int64_t i = begin; i < end; i++) {
        int32_t row = (int32_t)(i / p->n_heads), head = (int32_t)(i % p->n_heads);
        const trueno_span *span = span_of_row(job->rows, row);
        reference_query query = {.p = p,
                                 .q = job->qkv + row * qkv_width(p) + (int64_t)head * p->head_dim,
                                 .kv = span->kv,
                                 .kv_head = head / (p->n_heads / p->n_kv_heads),
                                 .position = span->first_pos + row - span->first_row};

        reference_attention(&query, job->scratch + (size_t)thread * job->scratch_doubles,
                            job->out + i * p->head_dim,
                            job->watch != NULL ? &job->watch->log_sum_exp[i] : NULL,
                            job->watch != NULL ? &job->watch->mean_score[i] : NULL);
    }
}

static void reference_attention_rows(trueno_backend *be, const trueno_attention *p,
                                     const float *qkv, float *out,
                                     const trueno_attention_watch *watch)
{
    host_backend *host = host_of(be);
    attention_job job = {.p = p, .rows = host->rows, .qkv = qkv, .out = out, .watch = watch};
    int32_t last = 0;

    for (int32_t i = 0; i < host->rows->n_rows; i++)
        last = host_positions(host)[i] > last ? host_positions(host)[i] : last;
    job.scratch_doubles = reference_attention_doubles(last, p->head_dim);
    job.scratch = host_scratch(host, &reference_of(be)->attention,
                               (size_t)trueno_pool_threads(host->pool) * job.scratch_doubles *
                                   sizeof *job.scratch);
    if (job.scratch != NULL)
        trueno_pool_for(host->pool, (int64_t)host->rows->n_rows * p->n_heads, 1, attend, &job);
}

static void reference_glu(trueno_backend *be, trueno_activation act, const float *gate_up,
                          int32_t n, int32_t width, float *y)
{
    (void)be;
    for (int32_t i = 0; i < n; i++) {
        const float *gate = gate_up + (int64_t)i * 2 * width, *up = gate + width;

        for (int32_t c = 0; c < width; c++)
            y[(int64_t)i * width + c] = (float)(reference_activation(act, gate[c]) * up[c]);
    }
}

static void reference_activate(trueno_backend *be, trueno_activation act, const float *x, int32_t n,
                               int32_t width, float *y)
{
    (void)be;
    for (int64_t i = 0; i < (int64_t)n * width; i++)
        y[i] = (float)reference_activation(act, x[i]);
}

static void reference_softcap(trueno_backend *be, float cap, float *x, int32_t n, int32_t width)
{
    (void)be;
    for (int64_t i = 0; i < (int64_t)n * width; i++)
        x[i] = (float)((double)cap * tanh((double)x[i] / (double)cap));
}

static void reference_experts(trueno_backend *be, const trueno_weight *const *gate_up,
                              const trueno_weight *const *down, const float *router,
                              int32_t n_experts, int32_t n_used, bool renormalize,
                              trueno_activation act, const float *x, int32_t n, float *y)
{
    const experts_job job = {.gate_up = gate_up,
                             .down = down,
                             .router = router,
                             .x = x,
                             .y = y,
                             .n = n,
                             .n_experts = n_experts,
                             .n_used = n_used,
                             .cols = (int32_t)plain_of(gate_up[0])->cols,
                             .ff = (int32_t)plain_of(down[0])->cols,
                             .renormalize = renormalize,
                             .act = act};

    experts_run(host_of(be), &reference_of(be)->experts, &job);
}

trueno_status backend_reference_open(trueno_backend **out, const trueno_backend_options *options,
                                     trueno_error *err)
{
    const trueno_allocator *allocator =
        options->allocator != NULL ? options->allocator : trueno_default_allocator();
    reference_backend *ref = trueno_allocate_zero(allocator, sizeof *ref);
    trueno_backend *be = (trueno_backend *)ref;
    trueno_status status;

    *out = NULL;
    if (ref == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for the reference backend");
    if ((status = host_init(&ref->host, "reference", options, err)) < 0) {
        trueno_release(allocator, ref, sizeof *ref);
        return status;
    }
    (void)snprintf(be->device, sizeof be->device, "double precision, %d threads",
                   trueno_pool_threads(ref->host.pool));
    be->close = reference_close;
    be->weight_new = reference_weight_new;
    be->weight_free = reference_weight_free;
    be->kv_new = reference_kv_new;
    be->embed = reference_embed;
    be->norm = reference_norm_rows;
    be->matmul = reference_matmul;
    be->rope_store = reference_rope_store;
    be->attention = reference_attention_rows;
    be->glu = reference_glu;
    be->activate = reference_activate;
    be->add = host_add;
    be->add_gated = host_add_gated;
    be->gather = host_gather;
    be->softcap = reference_softcap;
    be->experts = reference_experts;
    *out = be;
    return TRUENO_OK;
}
