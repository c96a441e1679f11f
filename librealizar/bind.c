/* SPDX-License-Identifier: MIT */
/* Roles to weights: every tensor the architecture needs is found, checked and given to the backend.
 */
#include "internal.h"

#include <math.h>
#include <string.h>

enum { MAX_PARTS = 4 };

/* What a binding needs and collects: parts of one stacked weight. */
typedef struct binder {
    realizar_engine *e;
    int32_t layer;
    trueno_tensor part[MAX_PARTS];
    int n_parts;
    uint64_t bytes; /* of the parts */
    trueno_error *err;
} binder;

static trueno_status missing(const binder *b, apr_role role)
{
    char name[128];

    apr_model_role_name(b->e->model, role, b->layer, name, sizeof name);
    return trueno_fail(b->err, TRUENO_UNSUPPORTED,
                       "tensor %s is missing (architecture %s, %d layers)", name, b->e->arch->name,
                       b->e->config->n_layers);
}

static const apr_tensor *find(const binder *b, apr_role role)
{
    return apr_model_role(b->e->model, role, b->layer);
}

static trueno_status check_type(const binder *b, const apr_tensor *t)
{
    return trueno_type_get(t->type) != NULL
               ? TRUENO_OK
               : trueno_fail(b->err, TRUENO_UNSUPPORTED, "%s: weight type %s has no kernel",
                             t->name, apr_tensor_type_name(t));
}

/* Add the role's matrix as the next part. */
static trueno_status take(binder *b, apr_role role)
{
    const apr_tensor *t = find(b, role);

    if (t == NULL)
        return missing(b, role);
    if (check_type(b, t) < 0)
        return TRUENO_UNSUPPORTED;
    b->part[b->n_parts] = apr_tensor_matrix(b->e->model, t);
    b->bytes += t->bytes;
    b->n_parts++;
    return TRUENO_OK;
}

/* Hand the collected parts to the backend as one stacked weight. */
static trueno_status finish(binder *b, unsigned uses, trueno_weight **out, uint64_t *bytes)
{
    trueno_status status =
        b->e->backend->weight_new(b->e->backend, b->part, b->n_parts, uses, out, b->err);

    *bytes += b->bytes;
    b->n_parts = 0;
    b->bytes = 0;
    return status;
}

static trueno_status bind_one(binder *b, apr_role role, trueno_weight **out, uint64_t *bytes)
{
    trueno_status status = take(b, role);

    return status < 0 ? status : finish(b, TRUENO_USE_MATMUL, out, bytes);
}

/* Concatenate the roles' vectors as F32 (+ offset) in the backend's memory; NULL when none exists.
 */
static trueno_status bind_vectors(binder *b, const apr_role *roles, int n_roles, float offset,
                                  float **out)
{
    realizar_engine *e = b->e;
    size_t total = 0, at = 0;
    int present = 0;
    float *host;
    void *device = NULL;
    trueno_status status;

    for (int i = 0; i < n_roles; i++) {
        const apr_tensor *t = find(b, roles[i]);

        present += t != NULL;
        total += t != NULL ? apr_tensor_elements(t) : 0;
    }
    if (present == 0)
        return TRUENO_OK;
    for (int i = 0; i < n_roles; i++) {
        if (find(b, roles[i]) == NULL)
            return missing(b, roles[i]);
        if (check_type(b, find(b, roles[i])) < 0)
            return TRUENO_UNSUPPORTED;
    }
    host = trueno_allocate(e->allocator, total * sizeof *host, 64);
    if (host == NULL)
        return trueno_fail(b->err, TRUENO_NO_MEMORY, "no memory for a vector of %zu", total);
    for (int i = 0; i < n_roles; i++) {
        const apr_tensor *t = find(b, roles[i]);
        trueno_tensor view = apr_tensor_matrix(e->model, t);

        trueno_tensor_row_to_f32(&view, 0, host + at);
        at += apr_tensor_elements(t);
    }
    for (size_t i = 0; i < total; i++)
        host[i] += offset;
    status = e->backend->alloc(e->backend, total * sizeof *host, &device, b->err);
    if (status == TRUENO_OK)
        status = e->backend->write(e->backend, device, host, total * sizeof *host, b->err);
    trueno_release(e->allocator, host, total * sizeof *host);
    *out = device;
    return status;
}

static trueno_status bind_vector(binder *b, apr_role role, float offset, float **out)
{
    return bind_vectors(b, &role, 1, offset, out);
}

static trueno_status bind_norm(binder *b, apr_role weight, apr_role bias, bool required,
                               trueno_norm *out)
{
    const apr_config *c = b->e->config;
    float *w = NULL, *shift = NULL;
    trueno_status status = bind_vector(b, weight, c->norm_weight_offset, &w);

    if (status == TRUENO_OK && w == NULL)
        return required ? missing(b, weight) : TRUENO_OK;
    if (status == TRUENO_OK && bias < APR_ROLE_COUNT)
        status = bind_vector(b, bias, 0.0f, &shift);
    *out = (trueno_norm){b->e->arch->norm, c->hidden_size, c->norm_eps, w, shift};
    return status;
}

static trueno_status bind_head_norm(binder *b, apr_role role, const float **out)
{
    float *w = NULL;
    trueno_status status = bind_vector(b, role, b->e->config->norm_weight_offset, &w);

    *out = w;
    return status;
}

static trueno_status bind_qkv(binder *b, layer_weights *w)
{
    static const apr_role BIASES[] = {APR_ATTN_Q_BIAS, APR_ATTN_K_BIAS, APR_ATTN_V_BIAS};
    trueno_status status;

    if (find(b, APR_ATTN_QKV) != NULL) {
        if ((status = take(b, APR_ATTN_QKV)) < 0 ||
            (status = bind_vector(b, APR_ATTN_QKV_BIAS, 0.0f, &w->qkv_bias)) < 0)
            return status;
    } else if ((status = take(b, APR_ATTN_Q)) < 0 || (status = take(b, APR_ATTN_K)) < 0 ||
               (status = take(b, APR_ATTN_V)) < 0 ||
               (status = bind_vectors(b, BIASES, 3, 0.0f, &w->qkv_bias)) < 0) {
        return status;
    }
    return finish(b, TRUENO_USE_MATMUL, &w->qkv, &w->qkv_bytes);
}

static void attention_facts(const binder *b, layer_weights *w)
{
    const realizar_engine *e = b->e;
    const apr_config *c = e->config;
    trueno_attention *a = &w->attention;
    bool local;

    a->layer = b->layer;
    a->n_heads = c->n_heads;
    a->n_kv_heads = c->n_kv_heads;
    a->head_dim = c->head_dim;
    a->window = architecture_window(e->arch, c, b->layer);
    a->scale = 1.0f / sqrtf(c->query_scale > 0 ? c->query_scale : (float)c->head_dim);
    a->softcap = c->attention_softcap;
    a->qk_norm_eps = c->norm_eps;
    local = e->arch->local_rope && a->window > 0;
    a->rope = (trueno_rope){
        (trueno_rope_type)c->rope_type, c->n_rot, local ? 1.0f : e->weights.rope_magnitude,
        local ? e->weights.rope_local_frequencies : e->weights.rope_frequencies};
}

static trueno_status bind_attention(binder *b, layer_weights *w)
{
    trueno_status status;

    attention_facts(b, w);
    if ((status = bind_norm(b, APR_ATTN_NORM, APR_ATTN_NORM_BIAS, true, &w->attn_norm)) < 0 ||
        (status = bind_qkv(b, w)) < 0 ||
        (status = bind_head_norm(b, APR_ATTN_Q_NORM, &w->attention.q_norm)) < 0 ||
        (status = bind_head_norm(b, APR_ATTN_K_NORM, &w->attention.k_norm)) < 0 ||
        (status = bind_one(b, APR_ATTN_OUT, &w->attn_out, &w->attn_out_bytes)) < 0 ||
        (status = bind_vector(b, APR_ATTN_OUT_BIAS, 0.0f, &w->attn_out_bias)) < 0)
        return status;
    return bind_norm(b, APR_ATTN_POST_NORM, APR_ROLE_COUNT, false, &w->attn_post_norm);
}

static trueno_status bind_gate_up(binder *b, layer_weights *w)
{
    static const apr_role BIASES[] = {APR_FFN_GATE_BIAS, APR_FFN_UP_BIAS};
    const bool gated = b->e->arch->gated;
    trueno_status status;

    if (gated && find(b, APR_FFN_GATE_UP) != NULL)
        return bind_one(b, APR_FFN_GATE_UP, &w->gate_up, &w->ffn_bytes);
    if (gated && (status = take(b, APR_FFN_GATE)) < 0)
        return status;
    /* one value for every stacked row: both biases or none */
    if ((status = take(b, APR_FFN_UP)) < 0 ||
        (status = bind_vectors(b, BIASES + !gated, 1 + gated, 0.0f, &w->gate_up_bias)) < 0)
        return status;
    return finish(b, TRUENO_USE_MATMUL, &w->gate_up, &w->ffn_bytes);
}

/* Expert `index`'s matrix as the next part. */
static trueno_status take_expert(binder *b, apr_role role, int32_t index)
{
    trueno_tensor *part = &b->part[b->n_parts];

    if (!apr_model_expert(b->e->model, role, b->layer, index, part))
        return missing(b, role);
    if (part->row_bytes == 0)
        return trueno_fail(b->err, TRUENO_UNSUPPORTED,
                           "layer %d: experts of a type without a kernel", b->layer);
    b->bytes += trueno_tensor_bytes(part);
    b->n_parts++;
    return TRUENO_OK;
}

static trueno_status bind_experts(binder *b, layer_weights *w)
{
    const apr_config *c = b->e->config;
    uint64_t all = 0; /* bytes of every expert; a row reads n_experts_used of them */
    trueno_status status = bind_one(b, APR_FFN_ROUTER, &w->router, &w->ffn_bytes);

    w->expert_gate_up =
        trueno_arena_array(&b->e->arena, (size_t)c->n_experts, sizeof(trueno_weight *));
    w->expert_down =
        trueno_arena_array(&b->e->arena, (size_t)c->n_experts, sizeof(trueno_weight *));
    if (w->expert_gate_up == NULL || w->expert_down == NULL)
        return trueno_fail(b->err, TRUENO_NO_MEMORY, "no memory for %d experts", c->n_experts);
    for (int32_t i = 0; i < c->n_experts && status == TRUENO_OK; i++) {
        if ((status = take_expert(b, APR_FFN_GATE_EXPERTS, i)) < 0 ||
            (status = take_expert(b, APR_FFN_UP_EXPERTS, i)) < 0 ||
            (status = finish(b, TRUENO_USE_MATMUL, &w->expert_gate_up[i], &all)) < 0 ||
            (status = take_expert(b, APR_FFN_DOWN_EXPERTS, i)) < 0)
            return status;
        status = finish(b, TRUENO_USE_MATMUL, &w->expert_down[i], &all);
    }
    w->ffn_bytes += all / (uint64_t)c->n_experts * (uint64_t)c->n_experts_used;
    return status;
}

/* The expert that every row uses, where the model has one. */
static trueno_status bind_shared_expert(binder *b, layer_weights *w)
{
    trueno_status status;

    if (b->e->config->shared_expert_intermediate_size == 0)
        return TRUENO_OK;
    if ((status = bind_one(b, APR_FFN_SHARED_ROUTER, &w->shared_router, &w->ffn_bytes)) < 0 ||
        (status = take(b, APR_FFN_SHARED_GATE)) < 0 || (status = take(b, APR_FFN_SHARED_UP)) < 0 ||
        (status = finish(b, TRUENO_USE_MATMUL, &w->shared_gate_up, &w->ffn_bytes)) < 0)
        return status;
    return bind_one(b, APR_FFN_SHARED_DOWN, &w->shared_down, &w->ffn_bytes);
}

static trueno_status bind_feed_forward(binder *b, layer_weights *w)
{
    trueno_status status = bind_norm(b, APR_FFN_NORM, APR_FFN_NORM_BIAS, true, &w->ffn_norm);

    if (status < 0)
        return status;
    if (b->e->arch->experts)
        return (status = bind_experts(b, w)) < 0 ? status : bind_shared_expert(b, w);
    if ((status = bind_gate_up(b, w)) < 0 ||
        (status = bind_one(b, APR_FFN_DOWN, &w->down, &w->ffn_bytes)) < 0 ||
        (status = bind_vector(b, APR_FFN_DOWN_BIAS, 0.0f, &w->down_bias)) < 0)
        return status;
    return bind_norm(b, APR_FFN_POST_NORM, APR_ROLE_COUNT, false, &w->ffn_post_norm);
}

/* Embedding and output matrix: one weight for both when the file has no output or says they are
 * tied. */
static trueno_status bind_ends(realizar_engine *e, trueno_error *err)
{
    binder b = {.e = e, .layer = -1, .err = err};
    model_weights *m = &e->weights;
    const unsigned logits = TRUENO_USE_MATMUL | TRUENO_USE_LOGITS;
    bool tied = find(&b, APR_OUTPUT) == NULL;
    trueno_status status = take(&b, APR_TOKEN_EMBEDDING);

    if (status < 0)
        return status;
    e->vocab_rows = (int32_t)b.part[0].rows;
    m->embedding_bytes = b.part[0].row_bytes;
    if (tied)
        m->output_bytes = b.bytes;
    status = finish(&b, tied ? logits | TRUENO_USE_EMBED : TRUENO_USE_EMBED, &m->embedding,
                    &(uint64_t){0});
    m->output = m->embedding;
    if (status == TRUENO_OK && !tied)
        status = take(&b, APR_OUTPUT);
    if (status == TRUENO_OK && !tied)
        status = finish(&b, logits, &m->output, &m->output_bytes);
    if (status == TRUENO_OK)
        status = bind_vector(&b, APR_OUTPUT_BIAS, 0.0f, &m->output_bias);
    if (status == TRUENO_OK)
        status = bind_norm(&b, APR_OUTPUT_NORM, APR_OUTPUT_NORM_BIAS, true, &m->output_norm);
    return status;
}

trueno_status bind_weights(realizar_engine *e, trueno_error *err)
{
    binder b = {.e = e, .err = err};
    trueno_status status = apr_model_check_shapes(e->model, err);

    e->weights.layer =
        trueno_arena_array(&e->arena, (size_t)e->config->n_layers, sizeof *e->weights.layer);
    if (e->weights.layer == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %d layers", e->config->n_layers);
    if (status < 0 || (status = rope_prepare(e, err)) < 0 || (status = bind_ends(e, err)) < 0)
        return status;
    for (b.layer = 0; b.layer < e->config->n_layers; b.layer++) {
        layer_weights *w = &e->weights.layer[b.layer];

        if ((status = bind_attention(&b, w)) < 0 || (status = bind_feed_forward(&b, w)) < 0)
            return status;
    }
    return TRUENO_OK;
}

static void free_vector(realizar_engine *e, const float *v)
{
    e->backend->release(e->backend, (void *)(uintptr_t)v);
}

static void free_norm(realizar_engine *e, const trueno_norm *norm)
{
    free_vector(e, norm->weight);
    free_vector(e, norm->bias);
}

static void unbind_experts(realizar_engine *e, trueno_weight **list)
{
    for (int32_t i = 0; list != NULL && i < e->config->n_experts; i++)
        e->backend->weight_free(e->backend, list[i]);
}

static void unbind_layer(realizar_engine *e, layer_weights *w)
{
    trueno_weight *weights[] = {w->qkv,    w->attn_out,      w->gate_up,        w->down,
                                w->router, w->shared_router, w->shared_gate_up, w->shared_down};
    const float *vectors[] = {w->qkv_bias,  w->attn_out_bias,    w->gate_up_bias,
                              w->down_bias, w->attention.q_norm, w->attention.k_norm};
    const trueno_norm *norms[] = {&w->attn_norm, &w->attn_post_norm, &w->ffn_norm,
                                  &w->ffn_post_norm};

    for (size_t i = 0; i < sizeof weights / sizeof weights[0]; i++)
        e->backend->weight_free(e->backend, weights[i]);
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
        free_vector(e, vectors[i]);
    for (size_t i = 0; i < sizeof norms / sizeof norms[0]; i++)
        free_norm(e, norms[i]);
    unbind_experts(e, w->expert_gate_up);
    unbind_experts(e, w->expert_down);
}

void unbind_weights(realizar_engine *e)
{
    model_weights *m = &e->weights;

    if (m->layer != NULL)
        for (int32_t layer = 0; layer < e->config->n_layers; layer++)
            unbind_layer(e, &m->layer[layer]);
    if (m->output != m->embedding)
        e->backend->weight_free(e->backend, m->output);
    e->backend->weight_free(e->backend, m->embedding);
    free_vector(e, m->output_bias);
    free_norm(e, &m->output_norm);
}
