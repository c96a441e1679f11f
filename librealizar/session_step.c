/* SPDX-License-Identifier: MIT */
/* The primitive's door: items are checked, and tokens chosen behind their rows are waited for, or
 * left under way and remembered by their sessions until somebody asks. */
#include "internal.h"

#include <string.h>
#include <unistd.h>

/* The choice that is asked for next, oldest first, or NULL. */
static pending_choice *oldest(realizar_session *s)
{
    return s->n_pending > 0 ? &s->pending[s->first_pending] : NULL;
}

static pending_choice *newest(realizar_session *s)
{
    return s->n_pending > 0 ? &s->pending[(s->first_pending + s->n_pending - 1) % MOST_PENDING]
                            : NULL;
}

void session_forget_choices(realizar_session *s)
{
    while (s->n_pending > 0 && newest(s)->at >= s->length)
        s->n_pending--;
}

static pending_choice *next_place(realizar_session *s)
{
    return &s->pending[(s->first_pending + s->n_pending) % MOST_PENDING];
}

static bool is_chosen(const realizar_step_item *item)
{
    return item->count == 1 && item->tokens[0] == REALIZAR_TOKEN_CHOSEN;
}

/* Wait for a choice; where its token has been computed already, the timeline gets it. */
static trueno_status await_choice(realizar_session *s, pending_choice *p, trueno_error *err)
{
    trueno_status status;

    if (p->known)
        return TRUENO_OK;
    status = choice_result(s, &p->memory.choice, &p->chosen, err);
    if (status < 0) { /* positions of unknown tokens are worth nothing */
        realizar_session_rewind(s, p->at);
        session_forget_choices(s);
        return status;
    }
    p->known = true;
    if (p->at < s->length)
        s->tokens[p->at] = p->chosen.id;
    return TRUENO_OK;
}

trueno_status realizar_session_chosen(realizar_session *s, realizar_candidate *out,
                                      trueno_error *err)
{
    pending_choice *p = oldest(s);
    trueno_status status;

    if (p == NULL)
        return trueno_fail(err, TRUENO_USAGE,
                           "no token of the session is chosen that was not asked for");
    if ((status = await_choice(s, p, err)) < 0)
        return status;
    *out = p->chosen;
    s->first_pending = (s->first_pending + 1) % MOST_PENDING;
    s->n_pending--;
    return TRUENO_OK;
}

/* Choices under way are forgotten, those whose tokens have been computed waited for. */
static trueno_status settle(realizar_session *s, trueno_error *err)
{
    realizar_candidate chosen;
    trueno_status status = TRUENO_OK;

    while (s->n_pending > 0 && oldest(s)->at < s->length && status == TRUENO_OK)
        status = realizar_session_chosen(s, &chosen, err);
    session_forget_choices(s);
    return status;
}

static trueno_status check_tokens(const realizar_engine *e, const realizar_step_item *item,
                                  bool ahead, trueno_error *err)
{
    const pending_choice *last = newest(item->session);

    if (ahead && is_chosen(item) && last != NULL && last->at == item->session->length)
        return TRUENO_OK;
    if (ahead && is_chosen(item))
        return trueno_fail(err, TRUENO_USAGE,
                           "no token of the session is chosen that was not asked for");
    for (int32_t i = 0; i < item->count; i++)
        if (item->tokens[i] < 0 || item->tokens[i] >= e->config->vocab_size)
            return trueno_fail(err, TRUENO_USAGE, "token id %d, the vocabulary has %d",
                               item->tokens[i], e->config->vocab_size);
    return TRUENO_OK;
}

static trueno_status check_item(const realizar_engine *e, const realizar_step_item *item,
                                bool ahead, trueno_error *err)
{
    const realizar_session *s = item->session;

    if (s->engine != e)
        return trueno_fail(err, TRUENO_USAGE, "a session of another engine in a step");
    if (item->count <= 0)
        return trueno_fail(err, TRUENO_USAGE, "a step item of %d tokens, at least 1 is needed",
                           item->count);
    if (item->count > s->context - s->length)
        return trueno_fail(err, TRUENO_USAGE,
                           "%d tokens after %d do not fit the context of %d positions", item->count,
                           s->length, s->context);
    if (item->sampler != NULL && item->wanted == REALIZAR_ROWS_NONE)
        return trueno_fail(err, TRUENO_USAGE, "a sampler without a wanted row");
    if (item->sampler != NULL && !ahead && item->chosen == NULL)
        return trueno_fail(err, TRUENO_USAGE, "a sampler without a place for its token");
    if (item->sampler != NULL && is_chosen(item) && s->n_pending == MOST_PENDING)
        return trueno_fail(err, TRUENO_USAGE,
                           "%d tokens of a session are chosen and not asked for, no more may be",
                           MOST_PENDING);
    return check_tokens(e, item, ahead, err);
}

static trueno_status check_items(const realizar_engine *e, const realizar_step_item *items,
                                 int32_t n_items, bool ahead, trueno_error *err)
{
    if (getpid() != e->process)
        return trueno_fail(
            err, TRUENO_USAGE,
            "the engine was opened by process %d, of which %d is a fork: open it anew",
            (int)e->process, (int)getpid());
    for (int32_t i = 0; i < n_items; i++) {
        trueno_status status = check_item(e, &items[i], ahead, err);

        if (status < 0)
            return status;
        for (int32_t j = 0; j < i; j++)
            if (items[j].session == items[i].session)
                return trueno_fail(err, TRUENO_USAGE, "a session twice in one step (items %d, %d)",
                                   j, i);
    }
    return TRUENO_OK;
}

static bool backend_chooses(const realizar_step_item *item)
{
    return item->sampler != NULL && item->session->watch.fn == NULL &&
           choice_possible(item->session->engine, item->sampler);
}

/* The item as it is computed: a chosen token that is known by its number, a choice of the backend
 * in the session's next place. Choices under way end where the host has to know the tokens, and
 * where other tokens come behind them. */
static trueno_status make_ready(realizar_step_item *item, trueno_error *err)
{
    realizar_session *s = item->session;
    pending_choice *last = newest(s);
    bool on_device = backend_chooses(item);
    trueno_status status = TRUENO_OK;

    s->asked = NULL;
    if (!is_chosen(item))
        status = settle(s, err);
    else if (item->sampler != NULL && !on_device)
        status = await_choice(s, last, err);
    if (status < 0)
        return status;
    if (is_chosen(item) && last->known)
        item->tokens = &last->chosen.id;
    next_place(s)->at = s->length + item->count;
    if (on_device) {
        choice_memory *memory = &next_place(s)->memory;

        choice_make(s, item->sampler, item->tokens, item->count, memory);
        s->asked = &memory->choice;
    }
    return TRUENO_OK;
}

/* What is chosen behind the item's last row, if all its rows are computed: a step that fails for
 * one session may be done for others. */
static trueno_status remember(const realizar_step_item *item, trueno_error *err)
{
    realizar_session *s = item->session;
    pending_choice *next = next_place(s);
    trueno_status status = TRUENO_OK;

    if (item->sampler == NULL || s->length != next->at)
        return TRUENO_OK;
    next->known = s->asked == NULL;
    if (next->known)
        status = realizar_sampler_choose(item->sampler, s->logits, s->tokens, s->length,
                                         &next->chosen, err);
    if (status == TRUENO_OK)
        s->n_pending++;
    return status;
}

static trueno_status compute(realizar_engine *e, const realizar_step_item *items, int32_t n_items,
                             bool leave, trueno_error *err)
{
    size_t bytes = (size_t)n_items * sizeof *items;
    realizar_step_item one, *ready = &one;
    trueno_status status = TRUENO_OK;

    if (n_items > 1 && (ready = trueno_allocate(e->allocator, bytes, 16)) == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a step of %d items", n_items);
    memcpy(ready, items, bytes);
    for (int32_t i = 0; i < n_items && status == TRUENO_OK; i++)
        status = make_ready(&ready[i], err);
    if (status == TRUENO_OK) {
        status = step_compute(e, ready, n_items, leave, err);
        for (int32_t i = 0; i < n_items; i++) {
            trueno_status chosen = remember(&ready[i], status < 0 ? NULL : err);

            status = status < 0 ? status : chosen;
        }
    }
    if (ready != &one)
        trueno_release(e->allocator, ready, bytes);
    return status;
}

trueno_status realizar_step(realizar_engine *e, const realizar_step_item *items, int32_t n_items,
                            trueno_error *err)
{
    trueno_status status = check_items(e, items, n_items, false, err);

    if (status < 0 || n_items == 0)
        return status;
    status = compute(e, items, n_items, false, err);
    for (int32_t i = 0; i < n_items && status == TRUENO_OK; i++)
        if (items[i].sampler != NULL)
            status = realizar_session_chosen(items[i].session, items[i].chosen, err);
    for (int32_t i = 0; i < n_items && status < 0; i++)
        session_forget_choices(items[i].session);
    return status;
}

trueno_status realizar_step_ahead(realizar_engine *e, const realizar_step_item *items,
                                  int32_t n_items, trueno_error *err)
{
    trueno_status status = check_items(e, items, n_items, true, err);

    if (status == TRUENO_OK && n_items > 0)
        status = compute(e, items, n_items, e->backend->choose != NULL, err);
    return status;
}
