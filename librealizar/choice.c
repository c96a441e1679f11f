/* SPDX-License-Identifier: MIT */
/* Choices of tokens on the device: the sampler's settings as the backend wants them. */
#include "internal.h"

#include <string.h>

_Static_assert(sizeof(trueno_bias) == sizeof(realizar_logit_bias) &&
                   offsetof(trueno_bias, bias) == offsetof(realizar_logit_bias, bias),
               "a list of one is a list of the other");
_Static_assert(REALIZAR_TOKEN_CHOSEN == TRUENO_TOKEN_CHOSEN, "tokens go through as they are");

trueno_status choice_prepare(realizar_engine *e, trueno_error *err)
{
    size_t bytes = (size_t)e->vocab_rows;
    trueno_status status;
    bool any = false;
    uint8_t *host;

    if (e->backend->choose == NULL || e->tokenizer == NULL)
        return TRUENO_OK;
    host = trueno_allocate(e->allocator, bytes, 64);
    if (host == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for marks of %d tokens",
                           e->vocab_rows);
    for (int32_t id = 0; id < e->vocab_rows; id++) {
        host[id] = realizar_tokenizer_is_unused(e->tokenizer, id);
        any = any || host[id];
    }
    status = any ? e->backend->alloc(e->backend, bytes, &e->forbidden, err) : TRUENO_OK;
    if (any && status == TRUENO_OK)
        status = e->backend->write(e->backend, e->forbidden, host, bytes, err);
    trueno_release(e->allocator, host, bytes);
    return status;
}

static bool has_penalties(const realizar_sampling *s)
{
    return s->repeat_last_n > 0 && (s->repeat_penalty != 1.0f || s->frequency_penalty != 0.0f ||
                                    s->presence_penalty != 0.0f);
}

bool choice_possible(const realizar_engine *e, const realizar_sampler *sampler)
{
    const realizar_sampling *s = sampler_settings(sampler);
    bool top_k = s->temperature == 0 || (s->top_k > 0 && s->top_k <= TRUENO_MOST_CANDIDATES);

    return e->backend->choose != NULL && top_k && s->n_bias <= TRUENO_MOST_BIAS &&
           (!has_penalties(s) || s->repeat_last_n <= TRUENO_MOST_RECENT);
}

/* Up to `most` last tokens before the choice, the one that is not known yet left out. */
static void take_recent(const realizar_session *s, const int32_t *tokens, int32_t count,
                        int32_t most, choice_memory *m)
{
    bool known = tokens[0] != TRUENO_TOKEN_CHOSEN;
    int32_t room = known ? most : most - 1, n_new = known ? count : 0, n_old;

    n_new = n_new < room ? n_new : room;
    n_old = s->length < room - n_new ? s->length : room - n_new;
    memcpy(m->recent, s->tokens + s->length - n_old, (size_t)n_old * sizeof *m->recent);
    memcpy(m->recent + n_old, tokens + count - n_new, (size_t)n_new * sizeof *m->recent);
    m->choice.recent = m->recent;
    m->choice.n_recent = n_old + n_new;
    m->choice.recent_chosen = !known;
}

void choice_make(const realizar_session *s, realizar_sampler *sampler, const int32_t *tokens,
                 int32_t count, choice_memory *m)
{
    const realizar_sampling *o = sampler_settings(sampler);

    memset(m, 0, sizeof *m);
    m->choice.kv = s->kv;
    m->choice.forbidden = s->engine->forbidden;
    m->choice.bias = (const trueno_bias *)o->bias;
    m->choice.n_bias = o->n_bias;
    m->choice.repeat_penalty = o->repeat_penalty;
    m->choice.frequency_penalty = o->frequency_penalty;
    m->choice.presence_penalty = o->presence_penalty;
    m->choice.top_k = o->temperature == 0 ? 1 : o->top_k;
    m->choice.top_p = o->top_p;
    m->choice.min_p = o->min_p;
    m->choice.temperature = o->temperature;
    m->choice.random = o->temperature == 0 ? 0 : sampler_random(sampler);
    if (has_penalties(o))
        take_recent(s, tokens, count, o->repeat_last_n, m);
}

trueno_status choice_result(const realizar_session *s, const trueno_choice *choice,
                            realizar_candidate *out, trueno_error *err)
{
    trueno_backend *be = s->engine->backend;
    trueno_chosen chosen;
    trueno_status status = be->chosen(be, s->kv, choice->ticket, &chosen, err);

    if (status < 0)
        return status;
    if (chosen.id == TRUENO_CHOSEN_NOT_FINITE)
        return trueno_fail(err, TRUENO_INFERENCE,
                           "one of %d logits is NaN or infinite: the model's output is not finite",
                           s->engine->vocab_rows);
    if (chosen.id < 0)
        return trueno_fail(err, TRUENO_INFERENCE,
                           "every token is forbidden by the logit bias, or all logits are "
                           "-infinity");
    *out = (realizar_candidate){chosen.id, chosen.log_probability, chosen.probability};
    return TRUENO_OK;
}
