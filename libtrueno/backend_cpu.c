/* SPDX-License-Identifier: MIT */
/* The CPU backend: the table of operations over the kernels and the threads. */
#include "backends.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "attention_rows.h"
#include "experts.h"
#include "packed.h"

/*
 * Handing a loop to the threads costs a few microseconds, as long as one thread needs for about
 * this many floats of a simple operation.
 */
enum { GRAIN_FLOATS = 16384 };

typedef struct cpu_backend {
    host_backend host; /* first */
    const kernel_table *kernels;
    packed_work *work;
    host_buffer experts;
    attention_scratch attention;
} cpu_backend;

static cpu_backend *cpu_of(trueno_backend *be)
{
    return (cpu_backend *)be;
}

/* Rows of `width` floats a thread takes at a time. */
static int64_t grain_of(int64_t width)
{
    return width >= GRAIN_FLOATS ? 1 : GRAIN_FLOATS / width;
}

static void cpu_close(trueno_backend *be)
{
    cpu_backend *cpu = cpu_of(be);
    const trueno_allocator *allocator = cpu->host.allocator;

    attention_scratch_free(&cpu->host, &cpu->attention);
    trueno_release(allocator, cpu->experts.data, cpu->experts.bytes);
    packed_work_free(cpu->work);
    host_finish(&cpu->host);
    trueno_release(allocator, cpu, sizeof *cpu);
}

/* Weights of this backend are packed ones. */
static const packed_weight *packed_of(const trueno_weight *w)
{
    return (const packed_weight *)w;
}

static trueno_status cpu_weight_new(trueno_backend *be, const trueno_tensor *parts, int n_parts,
                                    unsigned uses, trueno_weight **out, trueno_error *err)
{
    host_backend *host = host_of(be);
    packed_weight *w = NULL;
    trueno_status status =
        packed_new(&w, cpu_of(be)->work, parts, n_parts, host->keep_mapping, err);

    *out = (trueno_weight *)w;
    if (status < 0)
        return status;
    if (uses & TRUENO_USE_LOGITS) /* rows for embed() can be read from any packed weight */
        packed_set_fine(w);
    host->weight_bytes += packed_bytes(w);
    return TRUENO_OK;
}

static void cpu_weight_free(trueno_backend *be, trueno_weight *w)
{
    if (w != NULL)
        host_of(be)->weight_bytes -= packed_bytes(packed_of(w));
    packed_free((packed_weight *)w);
}

static void cpu_memory_use(const trueno_backend *be, trueno_memory_use *out)
{
    const cpu_backend *cpu = (const cpu_backend *)be;

    *out = (trueno_memory_use){.weights = cpu->host.weight_bytes,
                               .kv = cpu->host.kv_bytes,
                               .activations =
                                   cpu->host.activation_bytes + packed_work_bytes(cpu->work)};
}

static void cpu_matmul(trueno_backend *be, const trueno_weight *w, const float *bias,
                       const float *x, int32_t n, bool add, float *y)
{
    packed_matmul(cpu_of(be)->work, packed_of(w), bias, x, n, add, y);
}

typedef struct embed_job {
    const packed_weight *table;
    const int32_t *tokens;
    float factor, *x;
    int64_t width;
} embed_job;

static void embed_rows(void *context, int64_t begin, int64_t end, int thread)
{
    const embed_job *job = context;

    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        float *row = job->x + i * job->width;

        packed_row(job->table, job->tokens[i], row);
        if (job->factor != 1.0f)
            for (int64_t c = 0; c < job->width; c++)
                row[c] *= job->factor;
    }
}

static void cpu_embed(trueno_backend *be, const trueno_weight *table, float factor, float *x)
{
    host_backend *host = host_of(be);
    embed_job job = {.table = packed_of(table),
                     .tokens = host->rows->tokens,
                     .factor = factor,
                     .x = x,
                     .width = packed_cols(packed_of(table))};

    trueno_pool_for(host->pool, host->rows->n_rows, grain_of(job.width), embed_rows, &job);
}

typedef struct rows_job {
    const kernel_table *kernels;
    const trueno_norm *norm;
    trueno_activation act;
    const float *x;
    float *y, factor;
    int64_t width;
} rows_job;

static void norm_rows(void *context, int64_t begin, int64_t end, int thread)
{
    const rows_job *job = context;
    const trueno_norm *p = job->norm;

    (void)thread;
    for (int64_t i = begin; i < end; i++)
        (p->kind == TRUENO_NORM_RMS ? job->kernels->rms_norm : job->kernels->layer_norm)(
            job->x + i * p->width, p->weight, p->bias, p->width, p->eps, job->y + i * p->width);
}

static void cpu_norm(trueno_backend *be, const trueno_norm *p, const float *x, int32_t n, float *y)
{
    rows_job job = {.kernels = cpu_of(be)->kernels, .norm = p, .x = x, .y = y};

    trueno_pool_for(host_of(be)->pool, n, grain_of(p->width), norm_rows, &job);
}

/* Normalise the heads of one row where asked, and turn them. */
static void prepare_heads(const kernel_table *kernels, const trueno_attention *p, const float *norm,
                          int32_t n_heads, const float *turns, float *heads)
{
    for (int32_t h = 0; h < n_heads; h++) {
        float *head = heads + (int64_t)h * p->head_dim;

        if (norm != NULL)
            kernels->rms_norm(head, norm, NULL, p->head_dim, p->qk_norm_eps, head);
        kernels->rotate(p->rope.type, p->rope.n_rot, turns, head);
    }
}

typedef struct store_job {
    const kernel_table *kernels;
    const trueno_attention *p;
    const trueno_rows *rows;
    const float *turns;
    float *qkv;
} store_job;

static void store_row(const store_job *job, const trueno_kv *kv, int32_t position,
                      const float *keys)
{
    const trueno_attention *p = job->p;
    const kv_codec *codec = &job->kernels->kv[kv->shape.type];
    int32_t block = position / KV_BLOCK, slot = position % KV_BLOCK;
    const float *values = keys + (int64_t)p->n_kv_heads * p->head_dim;

    for (int32_t h = 0; h < p->n_kv_heads; h++) {
        codec->store_key(kv_store_keys(kv, p->layer, h, block), p->head_dim, slot,
                         keys + (int64_t)h * p->head_dim);
        codec->store_value(kv_store_values(kv, p->layer, h, block), p->head_dim, slot,
                           values + (int64_t)h * p->head_dim);
    }
}

static void rope_store_rows(void *context, int64_t begin, int64_t end, int thread)
{
    const store_job *job = context;
    const trueno_attention *p = job->p;
    int64_t width = ((int64_t)p->n_heads + 2 * (int64_t)p->n_kv_heads) * p->head_dim;
    const trueno_span *span = job->rows->spans;

    (void)thread;
    for (int64_t row = begin; row < end; row++) {
        float *q = job->qkv + row * width, *k = q + (int64_t)p->n_heads * p->head_dim;
        const float *turns = job->turns + row * p->rope.n_rot;

        while (row >= span->first_row + span->n_rows)
            span++;
        prepare_heads(job->kernels, p, p->q_norm, p->n_heads, turns, q);
        prepare_heads(job->kernels, p, p->k_norm, p->n_kv_heads, turns, k);
        store_row(job, span->kv, span->first_pos + (int32_t)row - span->first_row, k);
    }
}

static void cpu_rope_store(trueno_backend *be, const trueno_attention *p, float *qkv)
{
    host_backend *host = host_of(be);
    store_job job = {cpu_of(be)->kernels, p, host->rows, host_turns_for(host, &p->rope), qkv};

    if (job.turns != NULL) /* pieces of whole groups of positions: threads share no cache line */
        trueno_pool_for(host->pool, host->rows->n_rows, KERNEL_LANES, rope_store_rows, &job);
}

static void cpu_attention(trueno_backend *be, const trueno_attention *p, const float *qkv,
                          float *out, const trueno_attention_watch *watch)
{
    attention_rows(host_of(be), cpu_of(be)->kernels, &cpu_of(be)->attention, p, qkv, out, watch);
}

static void glu_rows(void *context, int64_t begin, int64_t end, int thread)
{
    const rows_job *job = context;

    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        const float *gate = job->x + i * 2 * job->width;

        job->kernels->glu(job->act, gate, gate + job->width, job->width, job->y + i * job->width);
    }
}

static void cpu_glu(trueno_backend *be, trueno_activation act, const float *gate_up, int32_t n,
                    int32_t width, float *y)
{
    rows_job job = {
        .kernels = cpu_of(be)->kernels, .act = act, .x = gate_up, .y = y, .width = width};

    trueno_pool_for(host_of(be)->pool, n, grain_of(width), glu_rows, &job);
}

static void activate_floats(void *context, int64_t begin, int64_t end, int thread)
{
    const rows_job *job = context;

    (void)thread;
    job->kernels->activate(job->act, job->x + begin, end - begin, job->y + begin);
}

static void cpu_activate(trueno_backend *be, trueno_activation act, const float *x, int32_t n,
                         int32_t width, float *y)
{
    rows_job job = {.kernels = cpu_of(be)->kernels, .act = act, .x = x, .y = y};

    trueno_pool_for(host_of(be)->pool, (int64_t)n * width, GRAIN_FLOATS, activate_floats, &job);
}

static void softcap_floats(void *context, int64_t begin, int64_t end, int thread)
{
    const rows_job *job = context;

    (void)thread;
    job->kernels->softcap(job->factor, job->y + begin, end - begin);
}

static void cpu_softcap(trueno_backend *be, float cap, float *x, int32_t n, int32_t width)
{
    rows_job job = {.kernels = cpu_of(be)->kernels, .y = x, .factor = cap};

    trueno_pool_for(host_of(be)->pool, (int64_t)n * width, GRAIN_FLOATS, softcap_floats, &job);
}

static void cpu_experts(trueno_backend *be, const trueno_weight *const *gate_up,
                        const trueno_weight *const *down, const float *router, int32_t n_experts,
                        int32_t n_used, bool renormalize, trueno_activation act, const float *x,
                        int32_t n, float *y)
{
    const experts_job job = {.gate_up = gate_up,
                             .down = down,
                             .router = router,
                             .x = x,
                             .y = y,
                             .n = n,
                             .n_experts = n_experts,
                             .n_used = n_used,
                             .cols = (int32_t)packed_cols(packed_of(gate_up[0])),
                             .ff = (int32_t)packed_cols(packed_of(down[0])),
                             .renormalize = renormalize,
                             .act = act};

    experts_run(host_of(be), &cpu_of(be)->experts, &job);
}

static trueno_status cpu_argmax(trueno_backend *be, const float *logits, int32_t n, int32_t width,
                                int32_t *ids, trueno_error *err)
{
    (void)err;
    for (int32_t i = 0; i < n; i++)
        ids[i] = cpu_of(be)->kernels->argmax(logits + (int64_t)i * width, width);
    return TRUENO_OK;
}

static void fill_table(trueno_backend *be)
{
    be->close = cpu_close;
    be->memory_use = cpu_memory_use;
    be->weight_new = cpu_weight_new;
    be->weight_free = cpu_weight_free;
    be->embed = cpu_embed;
    be->norm = cpu_norm;
    be->matmul = cpu_matmul;
    be->rope_store = cpu_rope_store;
    be->attention = cpu_attention;
    be->glu = cpu_glu;
    be->activate = cpu_activate;
    be->add = host_add;
    be->add_gated = host_add_gated;
    be->gather = host_gather;
    be->softcap = cpu_softcap;
    be->experts = cpu_experts;
    be->argmax = cpu_argmax;
}

trueno_status backend_cpu_open(trueno_backend **out, const trueno_backend_options *options,
                               trueno_error *err)
{
    const trueno_allocator *allocator =
        options->allocator != NULL ? options->allocator : trueno_default_allocator();
    cpu_backend *cpu = trueno_allocate_zero(allocator, sizeof *cpu);
    trueno_backend *be = (trueno_backend *)cpu;
    trueno_status status;

    *out = NULL;
    if (cpu == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for the CPU backend");
    if ((status = host_init(&cpu->host, "cpu", options, err)) < 0 ||
        (status = packed_work_new(&cpu->work, cpu->host.pool, allocator, err)) < 0) {
        cpu_close(be);
        return status;
    }
    cpu->kernels = kernels_for(trueno_cpu_flags());
    fill_table(be);
    (void)snprintf(be->device, sizeof be->device, "%s, %d threads",
                   trueno_cpu_level_name(trueno_cpu_flags()), trueno_pool_threads(cpu->host.pool));
    *out = be;
    return TRUENO_OK;
}
