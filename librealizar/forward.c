/* SPDX-License-Identifier: MIT */
/* THE ONE forward pass: rows of many sessions in, logits of the wanted rows out. */
#include "internal.h"
#include "watch.h"

#include <math.h>
#include <string.h>

/* What every part of one pass needs. */
typedef struct pass {
    realizar_engine *e;
    trueno_backend *be;
    const apr_config *config;
    const forward_rows *step;
    activations *a;
    int32_t n; /* rows */
    watcher w;
} pass;

static void embed(pass *p)
{
    const model_weights *m = &p->e->weights;
    float scale = p->config->embedding_scale > 0 ? p->config->embedding_scale
                  : p->e->arch->scaled_embedding ? sqrtf((float)p->config->hidden_size)
                                                 : 1.0f;

    stage_begin(&p->w, REALIZAR_STAGE_EMBEDDING, -1, APR_TOKEN_EMBEDDING);
    p->be->embed(p->be, m->embedding, scale, p->a->x);
    stage_end(&p->w, REALIZAR_STAGE_EMBEDDING, -1, APR_TOKEN_EMBEDDING, p->a->x,
              p->config->hidden_size, m->embedding_bytes * (uint64_t)p->n);
}

static void normalize(pass *p, int32_t layer, apr_role role, const trueno_norm *norm,
                      const float *x, float *y)
{
    stage_begin(&p->w, REALIZAR_STAGE_NORM, layer, role);
    p->be->norm(p->be, norm, x, p->n, y);
    stage_end(&p->w, REALIZAR_STAGE_NORM, layer, role, y, norm->width, 0);
}

/* x += W y, or with a norm after the block: x += norm(W y), through `scratch`. */
static void add_block(pass *p, const trueno_weight *w, const float *bias, const float *y,
                      const trueno_norm *after, int32_t layer, apr_role role, float *scratch)
{
    if (after->width == 0) {
        p->be->matmul(p->be, w, bias, y, p->n, true, p->a->x);
        return;
    }
    p->be->matmul(p->be, w, bias, y, p->n, false, scratch);
    normalize(p, layer, role, after, scratch, scratch);
    p->be->add(p->be, scratch, p->n, p->config->hidden_size, p->a->x);
}

static void attention_block(pass *p, const layer_weights *w, int32_t layer)
{
    const trueno_attention *facts = &w->attention;
    int32_t q_width = facts->n_heads * facts->head_dim;
    int32_t qkv_width = q_width + 2 * facts->n_kv_heads * facts->head_dim;
    trueno_attention_watch heads;
    activations *a = p->a;

    normalize(p, layer, APR_ATTN_NORM, &w->attn_norm, a->x, a->h);

    product_input(&p->w, layer, APR_ATTN_QKV, a->h, p->config->hidden_size);
    stage_begin(&p->w, REALIZAR_STAGE_QKV, layer, APR_ATTN_QKV);
    p->be->matmul(p->be, w->qkv, w->qkv_bias, a->h, p->n, false, a->qkv);
    stage_end(&p->w, REALIZAR_STAGE_QKV, layer, APR_ATTN_QKV, a->qkv, qkv_width, w->qkv_bytes);

    stage_begin(&p->w, REALIZAR_STAGE_POSITION, layer, APR_ATTN_QKV);
    p->be->rope_store(p->be, facts, a->qkv);
    stage_end(&p->w, REALIZAR_STAGE_POSITION, layer, APR_ATTN_QKV, a->qkv, qkv_width, 0);

    stage_begin(&p->w, REALIZAR_STAGE_ATTENTION, layer, APR_ATTN_OUT);
    p->be->attention(p->be, facts, a->qkv, a->attn, watcher_heads(&p->w, &heads));
    stage_end(&p->w, REALIZAR_STAGE_ATTENTION, layer, APR_ATTN_OUT, a->attn, q_width, 0);

    product_input(&p->w, layer, APR_ATTN_OUT, a->attn, q_width);
    add_block(p, w->attn_out, w->attn_out_bias, a->attn, &w->attn_post_norm, layer,
              APR_ATTN_POST_NORM, a->h);
}

/* ff = act(gate h) * up h, or act(up h). */
static void dense_inner(pass *p, const layer_weights *w, int32_t layer)
{
    activations *a = p->a;
    int32_t width = p->config->intermediate_size;
    trueno_activation act = p->e->arch->activation;

    product_input(&p->w, layer, APR_FFN_GATE_UP, a->h, p->config->hidden_size);
    p->be->matmul(p->be, w->gate_up, w->gate_up_bias, a->h, p->n, false, a->gate_up);
    if (p->e->arch->gated)
        p->be->glu(p->be, act, a->gate_up, p->n, width, a->ff);
    else
        p->be->activate(p->be, act, a->gate_up, p->n, width, a->ff);
    product_input(&p->w, layer, APR_FFN_DOWN, a->ff, width);
}

/* x += the chosen experts' mixture of h; the router's scores pass through the gate_up array. */
static void mixture(pass *p, const layer_weights *w, int32_t layer)
{
    const apr_config *c = p->config;
    activations *a = p->a;

    product_input(&p->w, layer, APR_FFN_ROUTER, a->h, c->hidden_size);
    p->be->matmul(p->be, w->router, NULL, a->h, p->n, false, a->gate_up);
    expert_inputs(&p->w, w, layer, a->h, a->gate_up);
    p->be->experts(p->be, (const trueno_weight *const *)w->expert_gate_up,
                   (const trueno_weight *const *)w->expert_down, a->gate_up, c->n_experts,
                   c->n_experts_used, c->expert_renormalize, p->e->arch->activation, a->h, p->n,
                   a->ff);
    p->be->add(p->be, a->ff, p->n, c->hidden_size, a->x);
}

/* x += sigmoid(score) * the expert that every row uses; its arrays are free after attention. */
static void shared_expert(pass *p, const layer_weights *w, int32_t layer)
{
    const apr_config *c = p->config;
    activations *a = p->a;
    float *score = a->qkv, *out = a->attn;

    product_input(&p->w, layer, APR_FFN_SHARED_GATE, a->h, c->hidden_size);
    p->be->matmul(p->be, w->shared_router, NULL, a->h, p->n, false, score);
    p->be->matmul(p->be, w->shared_gate_up, NULL, a->h, p->n, false, a->gate_up);
    p->be->glu(p->be, p->e->arch->activation, a->gate_up, p->n, c->shared_expert_intermediate_size,
               a->ff);
    product_input(&p->w, layer, APR_FFN_SHARED_DOWN, a->ff, c->shared_expert_intermediate_size);
    p->be->matmul(p->be, w->shared_down, NULL, a->ff, p->n, false, out);
    p->be->add_gated(p->be, score, out, p->n, c->hidden_size, a->x);
}

static void feed_forward_block(pass *p, const layer_weights *w, int32_t layer)
{
    activations *a = p->a;

    normalize(p, layer, APR_FFN_NORM, &w->ffn_norm, a->x, a->h);

    stage_begin(&p->w, REALIZAR_STAGE_FFN, layer, APR_FFN_DOWN);
    if (w->router != NULL) {
        mixture(p, w, layer);
        if (w->shared_router != NULL)
            shared_expert(p, w, layer);
    } else {
        dense_inner(p, w, layer);
        add_block(p, w->down, w->down_bias, a->ff, &w->ffn_post_norm, layer, APR_FFN_POST_NORM,
                  a->h);
    }
    stage_end(&p->w, REALIZAR_STAGE_FFN, layer, APR_FFN_DOWN, a->x, p->config->hidden_size,
              w->ffn_bytes);
}

/* Copy result rows [first, first + n) of the wanted list to the places their spans asked for. */
static trueno_status deliver(pass *p, const float *rows, int32_t width, int32_t first, int32_t n,
                             bool logits, trueno_error *err)
{
    int32_t index = 0; /* of the span's first wanted row in the wanted list */

    for (int32_t s = 0; s < p->step->rows.n_spans; s++) {
        const forward_span *span = &p->step->spans[s];
        int32_t wanted = span->wanted == REALIZAR_ROWS_ALL    ? span->n_rows
                         : span->wanted == REALIZAR_ROWS_LAST ? 1
                                                              : 0;
        float *place = logits ? span->logits : span->hidden;
        int32_t begin = index > first ? index : first;
        int32_t end = index + wanted < first + n ? index + wanted : first + n;
        trueno_status status = TRUENO_OK;

        if (place != NULL && end > begin) {
            status = p->be->read(p->be, place + (size_t)(begin - index) * (size_t)width,
                                 rows + (size_t)(begin - first) * (size_t)width,
                                 (size_t)(end - begin) * (size_t)width * sizeof(float), err);
            if (status < 0)
                return status;
        }
        index += wanted;
        if (logits && span->last_logits != NULL && index > first && index <= first + n) {
            status = p->be->read(p->be, span->last_logits,
                                 rows + (size_t)(index - 1 - first) * (size_t)width,
                                 (size_t)width * sizeof(float), err);
            if (status < 0)
                return status;
        }
    }
    return TRUENO_OK;
}

/* Queue the choices after rows [first, first + n) of the wanted list. */
static trueno_status choose(pass *p, int32_t first, int32_t n, trueno_error *err)
{
    trueno_choice list[LOGIT_GROUP], *asked[LOGIT_GROUP] = {NULL};
    int32_t index = 0, count = 0;
    trueno_status status;

    memset(list, 0, sizeof list);
    for (int32_t s = 0; s < p->step->rows.n_spans; s++) {
        const forward_span *span = &p->step->spans[s];
        int32_t last;

        index += span->wanted == REALIZAR_ROWS_ALL    ? span->n_rows
                 : span->wanted == REALIZAR_ROWS_LAST ? 1
                                                      : 0;
        last = index - 1 - first;
        if (span->choice == NULL || last < 0 || last >= n)
            continue;
        list[last] = *span->choice;
        asked[last] = span->choice;
        count++;
    }
    if (count == 0)
        return TRUENO_OK;
    status = p->be->choose(p->be, p->a->logits, n, p->e->vocab_rows, list, err);
    for (int32_t i = 0; i < n; i++)
        if (asked[i] != NULL)
            asked[i]->ticket = list[i].ticket;
    return status;
}

/* Final norm and output matrix for the wanted rows, a group at a time. */
static trueno_status results(pass *p, trueno_error *err)
{
    const model_weights *m = &p->e->weights;
    int32_t hidden = p->config->hidden_size, vocab = p->e->vocab_rows;
    activations *a = p->a;

    for (int32_t first = 0; first < p->step->n_wanted; first += LOGIT_GROUP) {
        int32_t left = p->step->n_wanted - first, n = left < LOGIT_GROUP ? left : LOGIT_GROUP;
        trueno_status status;

        p->n = p->w.n_rows = n;
        p->be->gather(p->be, a->x, p->step->wanted_rows + first, n, hidden, a->last);
        normalize(p, -1, APR_OUTPUT_NORM, &m->output_norm, a->last, a->last);
        product_input(&p->w, -1, APR_OUTPUT, a->last, hidden);
        stage_begin(&p->w, REALIZAR_STAGE_LM_HEAD, -1, APR_OUTPUT);
        p->be->matmul(p->be, m->output, m->output_bias, a->last, n, false, a->logits);
        if (p->config->logit_softcap > 0)
            p->be->softcap(p->be, p->config->logit_softcap, a->logits, n, vocab);
        stage_end(&p->w, REALIZAR_STAGE_LM_HEAD, -1, APR_OUTPUT, a->logits, vocab, m->output_bytes);
        /* hidden rows first: what is begun for a choice keeps the logits alone */
        if ((status = deliver(p, a->last, hidden, first, n, false, err)) < 0 ||
            (status = choose(p, first, n, err)) < 0 ||
            (status = deliver(p, a->logits, vocab, first, n, true, err)) < 0)
            return status;
    }
    return TRUENO_OK;
}

static bool cancelled(const forward_rows *step)
{
    for (int32_t s = 0; s < step->rows.n_spans; s++)
        if (atomic_load_explicit(&step->spans[s].session->cancelled, memory_order_relaxed))
            return true;
    return false;
}

static trueno_status run_layers(pass *p, trueno_error *err)
{
    embed(p);
    for (int32_t layer = 0; layer < p->config->n_layers; layer++) {
        if (cancelled(p->step))
            return trueno_fail(err, TRUENO_CANCELLED, "cancelled");
        attention_block(p, &p->e->weights.layer[layer], layer);
        feed_forward_block(p, &p->e->weights.layer[layer], layer);
    }
    return results(p, err);
}

trueno_status forward_compute(realizar_engine *e, const forward_rows *step, trueno_error *err)
{
    pass p = {.e = e,
              .be = e->backend,
              .config = e->config,
              .step = step,
              .a = &e->a,
              .n = step->rows.n_rows,
              .w = {.e = e,
                    .watch = step->watch,
                    .n_rows = step->rows.n_rows,
                    .first_position = step->rows.spans[0].first_pos}};
    trueno_status status, ended;

    if ((status = activations_reserve(e, step->rows.n_rows, step->n_wanted, err)) < 0 ||
        (status = e->backend->step_begin(e->backend, &step->rows, err)) < 0)
        return status;
    status = run_layers(&p, err);
    ended = step->leave ? e->backend->step_leave(e->backend, status < 0 ? NULL : err)
                        : e->backend->step_end(e->backend, status < 0 ? NULL : err);
    p.w.n_rows = step->rows.n_rows;
    watcher_free(&p.w);
    return status < 0 ? status : ended;
}
