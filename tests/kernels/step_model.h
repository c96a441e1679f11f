/* SPDX-License-Identifier: MIT */
/* A transformer of random weights over the backend's table: the sequence of operations of a forward
 * pass without files, tokens or an engine. For tests of whole steps and for benchmarks. */
#ifndef TESTS_KERNELS_STEP_MODEL_H
#define TESTS_KERNELS_STEP_MODEL_H

#include "weights.h"

#include <trueno/backend.h>

typedef struct model_shape {
    const char *name;
    int hidden, ff, n_heads, n_kv_heads, dim, n_layers, vocab;
    bool bias;
} model_shape;

/* Weight types by role; v and down of layers that get `more` bits. */
typedef struct type_mix {
    const char *name;
    trueno_type base, v, down, v_more, down_more, output;
} type_mix;

typedef struct model_layer {
    trueno_weight *qkv, *out, *gate_up, *down;
    float *norm, *ffn_norm, *bias;
} model_layer;

typedef struct step_model {
    trueno_backend *be;
    model_shape s;
    model_layer *layer;
    trueno_weight *embedding, *output;
    float *norm, frequency[128];
    float *x, *h, *qkv, *attn, *gate_up, *ff, *last, *logits;
    int rows, results;
    uint64_t bytes; /* of the weights that a token reads */
} step_model;

static inline void model_die(const trueno_error *err)
{
    printf("FAILED: %s\n", err->message);
    exit(1);
}

static inline float *model_array(trueno_backend *be, size_t n)
{
    trueno_error err = {0};
    void *p;

    if (be->alloc(be, n * sizeof(float), &p, &err) < 0)
        model_die(&err);
    return p;
}

static inline float *model_vector(trueno_backend *be, int n, float middle, float spread)
{
    float *host = malloc((size_t)n * sizeof *host), *p = model_array(be, (size_t)n);
    trueno_error err = {0};

    for (int i = 0; i < n; i++)
        host[i] = middle + spread * test_float();
    if (be->write(be, p, host, (size_t)n * sizeof *host, &err) < 0)
        model_die(&err);
    free(host);
    return p;
}

/* Random blocks for `rows` rows: a few thousand different ones, repeated. */
static inline uint8_t *model_blocks(trueno_type type, int64_t rows, int64_t cols)
{
    const trueno_type_info *info = trueno_type_get(type);
    size_t bytes = trueno_row_bytes(type, cols) * (size_t)rows, have, pool = 4096;
    uint8_t *data = malloc(bytes);
    int64_t blocks = (int64_t)(bytes / (size_t)info->bytes);
    float values[256], square = 0, factor;

    random_blocks(type, data, 1, 1.0f);
    for (int i = 0; i < 16 && i < blocks; i++) {
        random_blocks(type, data, 1, 1.0f);
        info->dequantize(data, values, info->block);
        for (int k = 0; k < info->block; k++)
            square += values[k] * values[k] / (float)info->block / 16;
    }
    factor = 1.0f / sqrtf(square * (float)cols);
    if (info->block == 1)
        pool = 65536;
    pool = (size_t)blocks < pool ? (size_t)blocks : pool;
    random_blocks(type, data, (int64_t)pool, factor);
    for (have = pool * (size_t)info->bytes; have < bytes; have *= 2)
        memcpy(data + have, data, have < bytes - have ? have : bytes - have);
    return data;
}

static inline trueno_weight *model_weight(step_model *m, const trueno_type *types,
                                          const int64_t *rows, int n, int64_t cols)
{
    trueno_tensor part[4];
    trueno_weight *w;
    trueno_error err = {0};

    for (int i = 0; i < n; i++)
        part[i] =
            trueno_tensor_make(types[i], rows[i], cols, model_blocks(types[i], rows[i], cols));
    if (m->be->weight_new(m->be, part, n, TRUENO_USE_MATMUL | TRUENO_USE_EMBED, &w, &err) < 0)
        model_die(&err);
    for (int i = 0; i < n; i++) {
        m->bytes += trueno_tensor_bytes(&part[i]);
        free((void *)(uintptr_t)part[i].data);
    }
    return w;
}

/* In a mixed file, the layers whose v and down have more bits. */
static inline bool model_more_bits(int layer, int n)
{
    return layer < n / 8 || layer >= 7 * n / 8 || (layer - n / 8) % 3 == 2;
}

static inline void model_layer_make(step_model *m, int l, const type_mix *mix)
{
    const model_shape *s = &m->s;
    model_layer *layer = &m->layer[l];
    bool more = model_more_bits(l, s->n_layers);
    int64_t q = (int64_t)s->n_heads * s->dim, kv = (int64_t)s->n_kv_heads * s->dim;
    trueno_type v = more ? mix->v_more : mix->v, down = more ? mix->down_more : mix->down;

    layer->qkv = model_weight(m, (trueno_type[]){mix->base, mix->base, v}, (int64_t[]){q, kv, kv},
                              3, s->hidden);
    layer->out = model_weight(m, &mix->base, (int64_t[]){s->hidden}, 1, q);
    layer->gate_up = model_weight(m, (trueno_type[]){mix->base, mix->base},
                                  (int64_t[]){s->ff, s->ff}, 2, s->hidden);
    layer->down = model_weight(m, &down, (int64_t[]){s->hidden}, 1, s->ff);
    layer->norm = model_vector(m->be, s->hidden, 1, 0.2f);
    layer->ffn_norm = model_vector(m->be, s->hidden, 1, 0.2f);
    layer->bias = s->bias ? model_vector(m->be, (int)(q + 2 * kv), 0, 1) : NULL;
}

static inline void model_rows(step_model *m, int rows, int results)
{
    const model_shape *s = &m->s;
    float **arrays[] = {&m->x, &m->h, &m->qkv, &m->attn, &m->gate_up, &m->ff, &m->last, &m->logits};
    size_t n = (size_t)rows, widths[] = {n * (size_t)s->hidden,
                                         n * (size_t)s->hidden,
                                         n * (size_t)((s->n_heads + 2 * s->n_kv_heads) * s->dim),
                                         n * (size_t)(s->n_heads * s->dim),
                                         n * 2 * (size_t)s->ff,
                                         n * (size_t)s->ff,
                                         (size_t)results * (size_t)s->hidden,
                                         (size_t)results * (size_t)s->vocab};

    for (int i = 0; i < 8; i++) {
        m->be->release(m->be, *arrays[i]);
        *arrays[i] = model_array(m->be, widths[i]);
    }
    m->rows = rows;
    m->results = results;
}

static inline void model_make(step_model *m, trueno_backend *be, const model_shape *s,
                              const type_mix *mix)
{
    memset(m, 0, sizeof *m);
    m->be = be;
    m->s = *s;
    m->layer = calloc((size_t)s->n_layers, sizeof *m->layer);
    m->embedding = model_weight(m, &mix->output, (int64_t[]){s->vocab}, 1, s->hidden);
    m->output = m->embedding; /* tied */
    for (int l = 0; l < s->n_layers; l++)
        model_layer_make(m, l, mix);
    m->norm = model_vector(be, s->hidden, 1, 0.2f);
    for (int i = 0; i < s->dim / 2; i++)
        m->frequency[i] = (float)pow(1e6, -2.0 * i / s->dim);
}

static inline void model_free(step_model *m)
{
    trueno_backend *be = m->be;

    for (int l = 0; l < m->s.n_layers; l++) {
        model_layer *w = &m->layer[l];

        be->weight_free(be, w->qkv), be->weight_free(be, w->out);
        be->weight_free(be, w->gate_up), be->weight_free(be, w->down);
        be->release(be, w->norm), be->release(be, w->ffn_norm), be->release(be, w->bias);
    }
    be->weight_free(be, m->embedding);
    be->release(be, m->norm);
    be->release(be, m->x), be->release(be, m->h), be->release(be, m->qkv), be->release(be, m->attn);
    be->release(be, m->gate_up), be->release(be, m->ff), be->release(be, m->last),
        be->release(be, m->logits);
    free(m->layer);
}

static inline trueno_kv *model_session(step_model *m, int n_positions, trueno_kv_type type)
{
    trueno_kv_shape shape = {m->s.n_layers, m->s.n_kv_heads, m->s.dim, n_positions, type};
    trueno_error err = {0};
    trueno_kv *kv;

    if (m->be->kv_new(m->be, &shape, &kv, &err) < 0)
        model_die(&err);
    return kv;
}

static inline trueno_attention model_attention(const step_model *m, int layer)
{
    const model_shape *s = &m->s;
    trueno_rope rope = {TRUENO_ROPE_NEOX, s->dim, 1, m->frequency};

    return (trueno_attention){.layer = layer,
                              .n_heads = s->n_heads,
                              .n_kv_heads = s->n_kv_heads,
                              .head_dim = s->dim,
                              .scale = 1.0f / sqrtf((float)s->dim),
                              .rope = rope};
}

/* One pass; logits of step rows results[0 .. n_results) are queued into m->logits. `apart` reads
 * after every operation, as a watcher would, so that nothing is fused. The caller ends the step. */
static inline void model_step(step_model *m, const trueno_rows *rows, const int32_t *results,
                              int n_results, bool apart)
{
    trueno_backend *be = m->be;
    const model_shape *s = &m->s;
    int32_t n = rows->n_rows;
    trueno_error err = {0};
    float one;

#define AFTER(array)                                              \
    if (apart && be->read(be, &one, array, sizeof one, &err) < 0) \
    model_die(&err)
    for (int32_t i = 0; i < rows->n_spans; i++)
        if (be->kv_reserve(be, rows->spans[i].kv, rows->spans[i].first_pos + rows->spans[i].n_rows,
                           &err) < 0)
            model_die(&err);
    if (be->step_begin(be, rows, &err) < 0)
        model_die(&err);
    be->embed(be, m->embedding, 1, m->x);
    AFTER(m->x);
    for (int l = 0; l < s->n_layers; l++) {
        const model_layer *w = &m->layer[l];
        trueno_attention facts = model_attention(m, l);
        trueno_norm norm = {TRUENO_NORM_RMS, s->hidden, 1e-6f, w->norm, NULL};

        be->norm(be, &norm, m->x, n, m->h);
        AFTER(m->h);
        be->matmul(be, w->qkv, w->bias, m->h, n, false, m->qkv);
        AFTER(m->qkv);
        be->rope_store(be, &facts, m->qkv);
        AFTER(m->qkv);
        be->attention(be, &facts, m->qkv, m->attn, NULL);
        AFTER(m->attn);
        be->matmul(be, w->out, NULL, m->attn, n, true, m->x);
        AFTER(m->x);
        norm.weight = w->ffn_norm;
        be->norm(be, &norm, m->x, n, m->h);
        AFTER(m->h);
        be->matmul(be, w->gate_up, NULL, m->h, n, false, m->gate_up);
        AFTER(m->gate_up);
        be->glu(be, TRUENO_SILU, m->gate_up, n, s->ff, m->ff);
        AFTER(m->ff);
        be->matmul(be, w->down, NULL, m->ff, n, true, m->x);
        AFTER(m->x);
    }
    if (n_results > 0) {
        trueno_norm norm = {TRUENO_NORM_RMS, s->hidden, 1e-6f, m->norm, NULL};

        be->gather(be, m->x, results, n_results, s->hidden, m->last);
        be->norm(be, &norm, m->last, n_results, m->last);
        be->matmul(be, m->output, NULL, m->last, n_results, false, m->logits);
    }
#undef AFTER
}

#endif
