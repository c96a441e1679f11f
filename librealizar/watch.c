/* SPDX-License-Identifier: MIT */
/* Stage events for a listener, with measured times and copies of outputs where it asked. */
#include "watch.h"

#include <time.h>

static uint64_t now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static realizar_event make_event(const watcher *w, realizar_event_kind kind, realizar_stage stage,
                                 int32_t layer, apr_role role)
{
    return (realizar_event){.kind = kind,
                            .stage = stage,
                            .layer = layer,
                            .role = role,
                            .first_position = w->first_position,
                            .n_rows = w->n_rows,
                            .expert = -1};
}

/* Copy rows to host memory; NULL when there is no memory. Waits for the device. */
static const float *copy_rows(watcher *w, const float *rows, int32_t width)
{
    size_t floats = (size_t)w->n_rows * (size_t)width;

    if (floats > w->host_floats) {
        trueno_release(w->e->allocator, w->host, w->host_floats * sizeof(float));
        w->host_floats = 0;
        w->host = trueno_allocate(w->e->allocator, floats * sizeof(float), 64);
        if (w->host == NULL)
            return NULL;
        w->host_floats = floats;
    }
    if (w->e->backend->read(w->e->backend, w->host, rows, floats * sizeof(float), NULL) < 0)
        return NULL;
    return w->host;
}

void watcher_begin(watcher *w, realizar_stage stage, int32_t layer, apr_role role)
{
    realizar_event event = make_event(w, REALIZAR_STAGE_BEGIN, stage, layer, role);

    w->watch->fn(w->watch->user, &event);
    if (w->watch->wants & REALIZAR_WANT_TIME)
        w->began = now();
}

void watcher_end(watcher *w, realizar_stage stage, int32_t layer, apr_role role,
                 const float *output, int32_t width, uint64_t weight_bytes)
{
    realizar_event event = make_event(w, REALIZAR_STAGE_END, stage, layer, role);

    if (w->watch->wants & REALIZAR_WANT_TIME) {
        (void)w->e->backend->read(w->e->backend, NULL, NULL, 0, NULL); /* waits */
        event.nanoseconds = now() - w->began;
    }
    event.weight_bytes = weight_bytes;
    event.width = width;
    if (w->watch->wants & REALIZAR_WANT_OUTPUT)
        event.data = copy_rows(w, output, width);
    if (stage == REALIZAR_STAGE_ATTENTION && w->heads != NULL) {
        (void)w->e->backend->read(w->e->backend, NULL, NULL, 0, NULL);
        event.log_sum_exp = w->heads;
        event.mean_score = w->heads + (size_t)w->n_rows * (size_t)w->e->config->n_heads;
    }
    w->watch->fn(w->watch->user, &event);
}

void watcher_input(watcher *w, int32_t layer, apr_role role, const float *x, int32_t width)
{
    realizar_event event = make_event(w, REALIZAR_PRODUCT_INPUT, REALIZAR_STAGE_QKV, layer, role);

    event.width = width;
    event.data = copy_rows(w, x, width);
    w->watch->fn(w->watch->user, &event);
}

static size_t head_floats(const watcher *w)
{
    return 2 * (size_t)w->n_rows * (size_t)w->e->config->n_heads;
}

const trueno_attention_watch *watcher_heads(watcher *w, trueno_attention_watch *place)
{
    if (w->watch == NULL || !(w->watch->wants & REALIZAR_WANT_ATTENTION))
        return NULL;
    if (w->heads == NULL)
        w->heads = trueno_allocate(w->e->allocator, head_floats(w) * sizeof(float), 64);
    if (w->heads == NULL)
        return NULL;
    place->log_sum_exp = w->heads;
    place->mean_score = w->heads + head_floats(w) / 2;
    return place;
}

void watcher_free(watcher *w)
{
    trueno_release(w->e->allocator, w->host, w->host_floats * sizeof(float));
    trueno_release(w->e->allocator, w->heads, head_floats(w) * sizeof(float));
}
