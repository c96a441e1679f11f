/* SPDX-License-Identifier: MIT */
/*
 * Gathering: threads that want rows computed queue them; one of them leads and computes everybody's
 * rows as one step. A long prompt goes through in chunks, so others' rows ride along with each.
 */
#include "internal.h"

#include <string.h>

/* One caller's item, on its stack while it waits. */
typedef struct step_request {
    struct step_request *next;
    realizar_step_item item;
    int32_t done; /* tokens computed */
    bool leave, finished;
    trueno_status status;
    trueno_error error;
} step_request;

/* One step as it is put together; the leader's, arrays of step_rows made with the engine. */
struct step_plan {
    forward_rows forward;
    trueno_span *spans;
    int32_t *tokens, *wanted;
    step_request **owner; /* [n_spans] */
};

static void finish(realizar_engine *e, step_request *r, trueno_status status,
                   const trueno_error *why)
{
    step_request **link = &e->first;

    while (*link != r)
        link = &(*link)->next;
    *link = r->next;
    if (e->last == r) {
        e->last = NULL;
        for (step_request *q = e->first; q != NULL; q = q->next)
            e->last = q;
    }
    r->status = status;
    if (why != NULL)
        r->error = *why;
    r->finished = true;
}

static bool is_watched(const step_request *r)
{
    return r->item.session->watch.fn != NULL;
}

/* How many requests, from the first, share the next step: a watched one is computed alone. */
static int32_t count_together(const realizar_engine *e)
{
    int32_t n = 0;

    for (const step_request *r = e->first; r != NULL && n < e->step_rows; r = r->next) {
        if (is_watched(r))
            return n > 0 ? n : 1;
        n++;
    }
    return n;
}

trueno_status step_prepare(realizar_engine *e, trueno_error *err)
{
    size_t rows = (size_t)e->step_rows;
    step_plan *plan = trueno_arena_alloc(&e->arena, sizeof *plan);

    e->plan = plan;
    if (plan != NULL) {
        plan->spans = trueno_arena_array(&e->arena, rows, sizeof *plan->spans);
        plan->forward.spans = trueno_arena_array(&e->arena, rows, sizeof *plan->forward.spans);
        plan->owner = trueno_arena_array(&e->arena, rows, sizeof(step_request *));
        plan->tokens = trueno_arena_array(&e->arena, rows, sizeof *plan->tokens);
        plan->wanted = trueno_arena_array(&e->arena, rows, sizeof *plan->wanted);
    }
    if (plan == NULL || plan->spans == NULL || plan->forward.spans == NULL || plan->owner == NULL ||
        plan->tokens == NULL || plan->wanted == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for steps of %d rows", e->step_rows);
    return TRUENO_OK;
}

static void plan_wanted(step_plan *plan, const forward_span *span)
{
    int32_t first = span->wanted == REALIZAR_ROWS_ALL    ? 0
                    : span->wanted == REALIZAR_ROWS_LAST ? span->n_rows - 1
                                                         : span->n_rows;

    for (int32_t i = first; i < span->n_rows; i++)
        plan->wanted[plan->forward.n_wanted++] = span->first_row + i;
}

/* Put up to `most` tokens of a request into the plan. */
static void plan_span(step_plan *plan, step_request *r, int32_t most)
{
    realizar_session *session = r->item.session;
    int32_t left = r->item.count - r->done, n = left < most ? left : most;
    trueno_rows *rows = &plan->forward.rows;
    forward_span *span = &plan->forward.spans[rows->n_spans];
    size_t vocab = (size_t)session->engine->vocab_rows;
    size_t hidden = (size_t)session->engine->config->hidden_size;
    bool all = r->item.wanted == REALIZAR_ROWS_ALL, last = n == left;

    *span = (forward_span){.session = session, .first_row = rows->n_rows, .n_rows = n};
    span->wanted = all || last ? r->item.wanted : REALIZAR_ROWS_NONE;
    if (r->item.logits != NULL)
        span->logits = r->item.logits + (all ? (size_t)r->done * vocab : 0);
    else if (span->wanted == REALIZAR_ROWS_LAST && session->asked == NULL)
        span->logits = session->logits;
    span->choice = last ? session->asked : NULL;
    if (last && r->item.sampler != NULL && session->asked == NULL)
        span->last_logits = session->logits; /* the host chooses from them */
    if (r->item.hidden != NULL)
        span->hidden = r->item.hidden + (all ? (size_t)r->done * hidden : 0);
    plan->spans[rows->n_spans] = (trueno_span){session->kv, rows->n_rows, n, session->length};
    plan->owner[rows->n_spans] = r;
    memcpy(plan->tokens + rows->n_rows, r->item.tokens + r->done, (size_t)n * sizeof(int32_t));
    plan_wanted(plan, span);
    rows->n_rows += n;
    rows->n_spans++;
}

/* A step of what waits. Rows are dealt in order of arrival; every request gets at least one. */
static void plan_fill(realizar_engine *e, step_plan *plan, int32_t n_requests)
{
    step_request *r = e->first;
    int32_t room = e->step_rows;

    plan->forward.leave = true;
    for (int32_t i = 0; i < n_requests; i++, r = r->next) {
        plan_span(plan, r, room - (n_requests - 1 - i));
        plan->forward.leave = plan->forward.leave && r->leave;
        room = e->step_rows - plan->forward.rows.n_rows;
    }
    plan->forward.rows.tokens = plan->tokens;
    plan->forward.rows.spans = plan->spans;
    plan->forward.wanted_rows = plan->wanted;
    if (n_requests == 1 && is_watched(e->first)) {
        plan->forward.watch = &e->first->item.session->watch;
        plan->forward.leave = false; /* a watcher is told what a step has computed */
    }
}

/* The rows of a step were computed: their sessions grow, and whole requests are finished. */
static void advance(realizar_engine *e, const step_plan *plan)
{
    for (int32_t s = 0; s < plan->forward.rows.n_spans; s++) {
        const forward_span *span = &plan->forward.spans[s];
        realizar_session *session = span->session;
        step_request *r = plan->owner[s];

        memcpy(session->tokens + session->length, plan->tokens + span->first_row,
               (size_t)span->n_rows * sizeof(int32_t));
        session->length += span->n_rows;
        session->has_logits = span->logits == session->logits || span->last_logits != NULL;
        r->done += span->n_rows;
        if (r->done == r->item.count)
            finish(e, r, TRUENO_OK, NULL);
    }
}

/* Cancelled requests leave; any other failure ends all that took part. */
static void fail_step(realizar_engine *e, const step_plan *plan, trueno_status status,
                      const trueno_error *why)
{
    for (int32_t s = 0; s < plan->forward.rows.n_spans; s++) {
        step_request *r = plan->owner[s];

        if (status == TRUENO_CANCELLED && !atomic_load(&r->item.session->cancelled))
            continue;
        if (status == TRUENO_CANCELLED)
            atomic_store(&r->item.session->cancelled, false);
        finish(e, r, status, why);
    }
}

static trueno_status reserve_kv(realizar_engine *e, const step_plan *plan, trueno_error *err)
{
    for (int32_t s = 0; s < plan->forward.rows.n_spans; s++) {
        const trueno_span *span = &plan->spans[s];
        trueno_status status =
            e->backend->kv_reserve(e->backend, span->kv, span->first_pos + span->n_rows, err);

        if (status < 0)
            return status;
    }
    return TRUENO_OK;
}

/* Compute one step of what waits. Called and left with the lock held, released while computing. */
static void lead_step(realizar_engine *e)
{
    step_plan *plan = e->plan;
    trueno_error error = {0};
    trueno_status status;

    plan->forward.rows = (trueno_rows){0};
    plan->forward.n_wanted = 0;
    plan->forward.watch = NULL;
    plan_fill(e, plan, count_together(e));
    pthread_mutex_unlock(&e->lock);
    status = reserve_kv(e, plan, &error);
    if (status == TRUENO_OK)
        status = forward_compute(e, &plan->forward, &error);
    pthread_mutex_lock(&e->lock);
    if (status < 0)
        fail_step(e, plan, status, &error);
    else
        advance(e, plan);
}

static void enqueue(realizar_engine *e, step_request *r)
{
    if (e->last != NULL)
        e->last->next = r;
    else
        e->first = r;
    e->last = r;
}

static bool all_finished(const step_request *requests, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        if (!requests[i].finished)
            return false;
    return true;
}

/* Queue the requests, lead or wait until they are done. */
static void run_requests(realizar_engine *e, step_request *requests, int32_t n)
{
    pthread_mutex_lock(&e->lock);
    for (int32_t i = 0; i < n; i++)
        enqueue(e, &requests[i]);
    while (!all_finished(requests, n)) {
        if (e->leading) {
            pthread_cond_wait(&e->changed, &e->lock);
            continue;
        }
        e->leading = true;
        lead_step(e);
        e->leading = false;
        pthread_cond_broadcast(&e->changed);
    }
    pthread_mutex_unlock(&e->lock);
}

trueno_status step_compute(realizar_engine *e, const realizar_step_item *items, int32_t n_items,
                           bool leave, trueno_error *err)
{
    size_t bytes = (size_t)n_items * sizeof(step_request);
    step_request one = {0}, *requests = &one;
    trueno_status status = TRUENO_OK;

    if (n_items > 1 && (requests = trueno_allocate_zero(e->allocator, bytes)) == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a step of %d items", n_items);
    for (int32_t i = 0; i < n_items; i++) {
        requests[i].item = items[i];
        requests[i].leave = leave;
    }
    run_requests(e, requests, n_items);
    for (int32_t i = 0; i < n_items && status == TRUENO_OK; i++) {
        status = requests[i].status;
        if (status < 0 && err != NULL)
            *err = requests[i].error;
    }
    if (requests != &one)
        trueno_release(e->allocator, requests, bytes);
    return status;
}
