/* SPDX-License-Identifier: MIT */
/* Telling a listener about the forward pass: one predictable branch when nobody listens. */
#ifndef REALIZAR_WATCH_H
#define REALIZAR_WATCH_H

#include "internal.h"

/* State of one watched pass. `watch` NULL: nobody listens. */
typedef struct watcher {
    realizar_engine *e;
    const realizar_watch *watch;
    int32_t n_rows, first_position;
    uint64_t began;
    float *host; /* copy of an output, [host_floats] */
    size_t host_floats;
    float *heads; /* log-sum-exp and mean score, [2][n_rows, n_heads] */
} watcher;

void watcher_begin(watcher *w, realizar_stage stage, int32_t layer, apr_role role);
void watcher_end(watcher *w, realizar_stage stage, int32_t layer, apr_role role,
                 const float *output, int32_t width, uint64_t weight_bytes);
void watcher_input(watcher *w, int32_t layer, apr_role role, const float *x, int32_t width);

/*
 * The inputs of each expert's products, for the watched rows of a layer: its rows of h [n, hidden]
 * by the router's scores [n, n_experts], and what its own gate and up make of them. Device arrays;
 * computed a second time for the listener alone.
 */
void watcher_experts(watcher *w, const layer_weights *weights, int32_t layer, const float *h,
                     const float *router);

/* Where attention leaves its per-head figures, or NULL when not asked for. */
const trueno_attention_watch *watcher_heads(watcher *w, trueno_attention_watch *place);

void watcher_free(watcher *w);

static inline void stage_begin(watcher *w, realizar_stage stage, int32_t layer, apr_role role)
{
    if (w->watch != NULL)
        watcher_begin(w, stage, layer, role);
}

static inline void stage_end(watcher *w, realizar_stage stage, int32_t layer, apr_role role,
                             const float *output, int32_t width, uint64_t weight_bytes)
{
    if (w->watch != NULL)
        watcher_end(w, stage, layer, role, output, width, weight_bytes);
}

static inline void product_input(watcher *w, int32_t layer, apr_role role, const float *x,
                                 int32_t width)
{
    if (w->watch != NULL && (w->watch->wants & REALIZAR_WANT_INPUTS))
        watcher_input(w, layer, role, x, width);
}

/* As above, where it is wanted. */
static inline void expert_inputs(watcher *w, const layer_weights *weights, int32_t layer,
                                 const float *h, const float *router)
{
    if (w->watch != NULL && (w->watch->wants & REALIZAR_WANT_INPUTS))
        watcher_experts(w, weights, layer, h, router);
}

#endif
