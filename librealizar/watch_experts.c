/* SPDX-License-Identifier: MIT */
/* What the experts of a mixture are fed, for a listener: each expert's own rows. */
#include "watch.h"

#include <math.h>
#include <string.h>

/* One layer's mixture, looked at. */
typedef struct look {
    watcher *w;
    const layer_weights *weights;
    int32_t layer, cols, width; /* of an expert's inputs, and of its inner rows */
    float *h, *scores;          /* host: [n, cols], [n, n_experts] */
    float *gathered;            /* host: rows of one expert, in, then inner */
    float *x, *gate_up, *inner; /* device: [n, cols], [n, 2 * width], [n, width] */
} look;

/* The best experts of a row get the score infinity. */
static void mark_best(float *scores, int32_t n_experts, int32_t n_used)
{
    for (int32_t i = 0; i < n_used; i++) {
        int32_t best = 0;

        for (int32_t e = 1; e < n_experts; e++)
            if (isinf(scores[best]) || (!isinf(scores[e]) && scores[e] > scores[best]))
                best = e;
        scores[best] = INFINITY;
    }
}

/* Rows that chose the expert, one behind the other: how many. */
static int32_t gather(const look *l, int32_t expert)
{
    const int32_t n_experts = l->w->e->config->n_experts;
    int32_t n = 0;

    for (int32_t row = 0; row < l->w->n_rows; row++) {
        if (!isinf(l->scores[(size_t)row * (size_t)n_experts + (size_t)expert]))
            continue;
        memcpy(l->gathered + (size_t)n * (size_t)l->cols, l->h + (size_t)row * (size_t)l->cols,
               (size_t)l->cols * sizeof(float));
        n++;
    }
    return n;
}

static void tell(const look *l, apr_role role, int32_t expert, int32_t n, int32_t width,
                 const float *data)
{
    const realizar_event event = {.kind = REALIZAR_PRODUCT_INPUT,
                                  .stage = REALIZAR_STAGE_FFN,
                                  .layer = l->layer,
                                  .role = role,
                                  .first_position = l->w->first_position,
                                  .n_rows = n,
                                  .width = width,
                                  .data = data,
                                  .expert = expert};

    l->w->watch->fn(l->w->watch->user, &event);
}

static void look_at(const look *l, int32_t expert)
{
    trueno_backend *be = l->w->e->backend;
    const int32_t n = gather(l, expert);
    const size_t in = (size_t)n * (size_t)l->cols * sizeof(float);
    const size_t out = (size_t)n * (size_t)l->width * sizeof(float);
    bool made;

    if (n == 0)
        return;
    tell(l, APR_FFN_GATE_EXPERTS, expert, n, l->cols, l->gathered);
    made = be->write(be, l->x, l->gathered, in, NULL) == TRUENO_OK;
    if (made) {
        be->matmul(be, l->weights->expert_gate_up[expert], NULL, l->x, n, false, l->gate_up);
        be->glu(be, l->w->e->arch->activation, l->gate_up, n, l->width, l->inner);
        made = be->read(be, l->gathered, l->inner, out, NULL) == TRUENO_OK;
    }
    tell(l, APR_FFN_DOWN_EXPERTS, expert, n, l->width, made ? l->gathered : NULL);
}

static float *host_rows(const look *l, int64_t width)
{
    return trueno_allocate(l->w->e->allocator, (size_t)l->w->n_rows * (size_t)width * sizeof(float),
                           64);
}

static void release_host(const look *l, float *p, int64_t width)
{
    trueno_release(l->w->e->allocator, p, (size_t)l->w->n_rows * (size_t)width * sizeof(float));
}

static float *device_rows(const look *l, int64_t width)
{
    trueno_backend *be = l->w->e->backend;
    void *p = NULL;

    if (be->alloc(be, (size_t)l->w->n_rows * (size_t)width * sizeof(float), &p, NULL) < 0)
        return NULL;
    return p;
}

static bool copy_rows(const look *l, const float *h, const float *router, int32_t n_experts)
{
    trueno_backend *be = l->w->e->backend;
    const size_t n = (size_t)l->w->n_rows * sizeof(float);

    return l->h != NULL && l->scores != NULL && l->gathered != NULL && l->x != NULL &&
           l->gate_up != NULL && l->inner != NULL &&
           be->read(be, l->h, h, n * (size_t)l->cols, NULL) == TRUENO_OK &&
           be->read(be, l->scores, router, n * (size_t)n_experts, NULL) == TRUENO_OK;
}

void watcher_experts(watcher *w, const layer_weights *weights, int32_t layer, const float *h,
                     const float *router)
{
    const apr_config *c = w->e->config;
    trueno_backend *be = w->e->backend;
    const int32_t width = c->expert_intermediate_size, cols = c->hidden_size;
    const int32_t widest = width > cols ? width : cols;
    look l = {.w = w, .weights = weights, .layer = layer, .cols = cols, .width = width};

    l.h = host_rows(&l, cols);
    l.scores = host_rows(&l, c->n_experts);
    l.gathered = host_rows(&l, widest);
    l.x = device_rows(&l, cols);
    l.gate_up = device_rows(&l, 2 * (int64_t)width);
    l.inner = device_rows(&l, width);
    if (copy_rows(&l, h, router, c->n_experts)) {
        for (int32_t row = 0; row < w->n_rows; row++)
            mark_best(l.scores + (size_t)row * (size_t)c->n_experts, c->n_experts,
                      c->n_experts_used);
        for (int32_t e = 0; e < c->n_experts; e++)
            look_at(&l, e);
    } else {
        tell(&l, APR_FFN_GATE_EXPERTS, 0, 0, cols, NULL);
    }
    be->release(be, l.x);
    be->release(be, l.gate_up);
    be->release(be, l.inner);
    release_host(&l, l.h, cols);
    release_host(&l, l.scores, c->n_experts);
    release_host(&l, l.gathered, widest);
}
