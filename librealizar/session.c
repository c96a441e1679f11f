/* SPDX-License-Identifier: MIT */
/* One timeline: tokens, keys and values, logits; sync to a prefix, append, rewind. */
#include "internal.h"

static trueno_status session_alloc(realizar_session *s, trueno_error *err)
{
    const realizar_engine *e = s->engine;
    const apr_config *c = e->config;
    trueno_kv_shape shape = {c->n_layers, c->n_kv_heads, c->head_dim, s->context, e->kv_type};

    s->tokens = trueno_allocate(e->allocator, (size_t)s->context * sizeof *s->tokens, 64);
    s->logits = trueno_allocate(e->allocator, (size_t)e->vocab_rows * sizeof *s->logits, 64);
    if (s->tokens == NULL || s->logits == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a session of %d positions",
                           s->context);
    return e->backend->kv_new(e->backend, &shape, &s->kv, err);
}

trueno_status realizar_session_new(realizar_session **out, realizar_engine *e, int32_t context,
                                   trueno_error *err)
{
    realizar_session *s;
    trueno_status status;

    *out = NULL;
    if (context < 0 || context > e->context)
        return trueno_fail(err, TRUENO_USAGE, "context %d, the engine allows 1 to %d", context,
                           e->context);
    s = trueno_allocate_zero(e->allocator, sizeof *s);
    if (s == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a session");
    s->engine = e;
    s->context = context > 0 ? context : e->context;
    atomic_init(&s->cancelled, false);
    pthread_mutex_lock(&e->lock);
    while (e->leading) /* the backend belongs to the leading thread */
        pthread_cond_wait(&e->changed, &e->lock);
    status = session_alloc(s, err);
    pthread_mutex_unlock(&e->lock);
    if (status < 0) {
        realizar_session_free(s);
        return status;
    }
    *out = s;
    return TRUENO_OK;
}

void realizar_session_free(realizar_session *s)
{
    realizar_engine *e;

    if (s == NULL)
        return;
    e = s->engine;
    pthread_mutex_lock(&e->lock);
    while (e->leading)
        pthread_cond_wait(&e->changed, &e->lock);
    if (s->kv != NULL)
        e->backend->kv_free(e->backend, s->kv);
    pthread_mutex_unlock(&e->lock);
    trueno_release(e->allocator, s->tokens, (size_t)s->context * sizeof *s->tokens);
    trueno_release(e->allocator, s->logits, (size_t)e->vocab_rows * sizeof *s->logits);
    trueno_release(e->allocator, s, sizeof *s);
}

realizar_engine *realizar_session_engine(const realizar_session *s)
{
    return s->engine;
}

int32_t realizar_session_length(const realizar_session *s)
{
    return s->length;
}

const int32_t *realizar_session_tokens(const realizar_session *s)
{
    return s->tokens;
}

int32_t realizar_session_context(const realizar_session *s)
{
    return s->context;
}

size_t realizar_session_kv_bytes(const realizar_session *s)
{
    return s->engine->backend->kv_bytes(s->kv);
}

const float *realizar_session_logits(const realizar_session *s)
{
    return s->has_logits ? s->logits : NULL;
}

void realizar_session_cancel(realizar_session *s)
{
    atomic_store(&s->cancelled, true);
}

void realizar_session_watch(realizar_session *s, const realizar_watch *watch)
{
    s->watch = watch != NULL ? *watch : (realizar_watch){0};
}

void realizar_session_rewind(realizar_session *s, int32_t length)
{
    if (length < 0 || length >= s->length)
        return;
    s->length = length;
    s->has_logits = false;
    session_forget_choices(s);
}

trueno_status realizar_session_append(realizar_session *s, const int32_t *tokens, int32_t count,
                                      trueno_error *err)
{
    realizar_step_item item = {
        .session = s, .tokens = tokens, .count = count, .wanted = REALIZAR_ROWS_LAST};

    return realizar_step(s->engine, &item, 1, err);
}

trueno_status realizar_session_sync(realizar_session *s, const int32_t *tokens, int32_t count,
                                    int32_t *reused, trueno_error *err)
{
    int32_t same = 0, limit = count < s->length ? count : s->length;

    while (same < limit && s->tokens[same] == tokens[same])
        same++;
    if (same == count && s->length == count && s->has_logits && count > 0) {
        if (reused != NULL)
            *reused = same;
        return TRUENO_OK;
    }
    if (same == count && same > 0)
        same--; /* the last token again, for its logits */
    realizar_session_rewind(s, same);
    if (reused != NULL)
        *reused = same;
    return realizar_session_append(s, tokens + same, count - same, err);
}
