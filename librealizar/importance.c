/* SPDX-License-Identifier: MIT */
/* Importance matrices: a listener of products' inputs. */
#include <realizar/importance.h>

#include "internal.h"

/* A product of the forward pass, and the matrices that share its input. */
static const struct product {
    apr_role event;
    apr_role matrices[4];
    int n;
} PRODUCTS[] = {
    {APR_ATTN_QKV, {APR_ATTN_Q, APR_ATTN_K, APR_ATTN_V, APR_ATTN_QKV}, 4},
    {APR_ATTN_OUT, {APR_ATTN_OUT}, 1},
    {APR_FFN_GATE_UP, {APR_FFN_GATE, APR_FFN_UP, APR_FFN_GATE_UP}, 3},
    {APR_FFN_DOWN, {APR_FFN_DOWN}, 1},
    {APR_FFN_SHARED_GATE, {APR_FFN_SHARED_GATE, APR_FFN_SHARED_UP}, 2},
    {APR_FFN_SHARED_DOWN, {APR_FFN_SHARED_DOWN}, 1},
    {APR_FFN_GATE_EXPERTS, {APR_FFN_GATE_EXPERTS, APR_FFN_UP_EXPERTS}, 2},
    {APR_FFN_DOWN_EXPERTS, {APR_FFN_DOWN_EXPERTS}, 1},
};

typedef struct gathering {
    apr_importance *out;
    const apr_model *model;
    trueno_status status;
    trueno_error *err;
} gathering;

static void add_input(gathering *g, const struct product *p, const realizar_event *event)
{
    const int32_t n_experts = apr_model_config(g->model)->n_experts;

    for (int i = 0; i < p->n && g->status == TRUENO_OK; i++) {
        char name[96];

        if (event->expert < 0 && apr_model_role(g->model, p->matrices[i], event->layer) == NULL)
            continue;
        apr_role_name(p->matrices[i], event->layer, name, sizeof name);
        g->status =
            event->expert < 0
                ? apr_importance_add(g->out, name, event->data, event->n_rows, event->width, g->err)
                : apr_importance_add_expert(g->out, name, event->expert, n_experts, event->data,
                                            event->n_rows, event->width, g->err);
    }
}

static void take_event(void *user, const realizar_event *event)
{
    gathering *g = user;

    if (event->kind != REALIZAR_PRODUCT_INPUT || g->status < 0)
        return;
    if (event->data == NULL) {
        g->status = trueno_fail(g->err, TRUENO_NO_MEMORY, "no memory for the inputs of a product");
        return;
    }
    for (size_t i = 0; i < sizeof PRODUCTS / sizeof PRODUCTS[0]; i++)
        if (PRODUCTS[i].event == event->role)
            add_input(g, &PRODUCTS[i], event);
}

trueno_status realizar_importance_add(apr_importance *out, realizar_session *session,
                                      const int32_t *ids, int32_t count, trueno_error *err)
{
    gathering g = {
        .out = out, .model = realizar_engine_model(realizar_session_engine(session)), .err = err};
    const realizar_watch watch = {take_event, &g, REALIZAR_WANT_INPUTS};
    trueno_status status;

    realizar_session_rewind(session, 0);
    realizar_session_watch(session, &watch);
    status = realizar_session_append(session, ids, count, err);
    realizar_session_watch(session, NULL);
    if (status < 0 || g.status < 0)
        return status < 0 ? status : g.status;
    apr_importance_end_chunk(out);
    return TRUENO_OK;
}
