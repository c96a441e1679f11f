/* SPDX-License-Identifier: MIT */
/* A CPU backend that chooses tokens and leaves steps as a device does. */
#ifndef FAKE_DEVICE_H
#define FAKE_DEVICE_H

#include "../../support/choice_rules.h"
#include "internal.h"
#include "support.h"

enum { MOST_SESSIONS = 8, MOST_TOKENS = 512 };

/* What the fake operations know of a session. */
typedef struct fake_session {
    const trueno_kv *kv;
    int32_t last;
    uint64_t n;
    trueno_chosen result[TRUENO_CHOICES_KEPT];
} fake_session;

static struct {
    trueno_status (*step_begin)(trueno_backend *be, const trueno_rows *rows, trueno_error *err);
    fake_session session[MOST_SESSIONS];
    trueno_rows rows;
    int32_t tokens[MOST_TOKENS];
    int n_chosen_tokens, n_left, fail_at;
} fake;

static fake_session *find(const trueno_kv *kv)
{
    for (int i = 0; i < MOST_SESSIONS; i++)
        if (fake.session[i].kv == kv || fake.session[i].kv == NULL) {
            fake.session[i].kv = kv;
            return &fake.session[i];
        }
    fail_msg("too many sessions");
    return NULL;
}

/* Put the chosen tokens in, as a device does it by itself. */
static trueno_status fake_begin(trueno_backend *be, const trueno_rows *rows, trueno_error *err)
{
    fake.rows = *rows;
    assert_true(rows->n_rows <= MOST_TOKENS);
    for (int32_t s = 0; s < rows->n_spans; s++)
        for (int32_t i = 0; i < rows->spans[s].n_rows; i++) {
            int32_t row = rows->spans[s].first_row + i, token = rows->tokens[row];

            fake.n_chosen_tokens += token == TRUENO_TOKEN_CHOSEN;
            fake.tokens[row] = token == TRUENO_TOKEN_CHOSEN ? find(rows->spans[s].kv)->last : token;
        }
    fake.rows.tokens = fake.tokens;
    return fake.step_begin(be, &fake.rows, err);
}

static trueno_status fake_choose(trueno_backend *be, const float *logits, int32_t n, int32_t width,
                                 trueno_choice *choices, trueno_error *err)
{
    candidate *list = malloc((size_t)width * sizeof *list);

    (void)be;
    (void)err;
    for (int32_t i = 0; i < n; i++) {
        trueno_choice *c = &choices[i];
        fake_session *s;
        trueno_chosen *out;
        int kept, at;

        if (c->top_k == 0)
            continue;
        s = find(c->kv);
        c->ticket = ++s->n;
        out = &s->result[c->ticket % TRUENO_CHOICES_KEPT];
        kept = list_candidates(logits + (size_t)i * (size_t)width, c->forbidden, width, c, s->last,
                               list);
        at = kept > 1 ? draw_candidate(list, kept, c->random) : 0;
        *out = (trueno_chosen){kept > 0 ? list[at].id : TRUENO_CHOSEN_NONE, -1, 1};
        s->last = out->id;
    }
    free(list);
    return TRUENO_OK;
}

static trueno_status fake_chosen(trueno_backend *be, const trueno_kv *kv, uint64_t ticket,
                                 trueno_chosen *out, trueno_error *err)
{
    fake_session *s = find(kv);

    (void)be;
    assert_true(ticket <= s->n && ticket + TRUENO_CHOICES_KEPT > s->n);
    if (fake.fail_at > 0 && --fake.fail_at == 0)
        return trueno_fail(err, TRUENO_INFERENCE, "the device is lost");
    *out = s->result[ticket % TRUENO_CHOICES_KEPT];
    return TRUENO_OK;
}

static trueno_status fake_leave(trueno_backend *be, trueno_error *err)
{
    fake.n_left++;
    return be->step_end(be, err);
}

static inline realizar_engine *open_fake(void)
{
    realizar_engine *e = open_demo(NULL);

    memset(&fake, 0, sizeof fake);
    fake.step_begin = e->backend->step_begin;
    e->backend->step_begin = fake_begin;
    e->backend->choose = fake_choose;
    e->backend->chosen = fake_chosen;
    e->backend->step_leave = fake_leave;
    assert_true(realizar_engine_chooses(e));
    return e;
}

/* A later session may get the same address. */
static inline void fake_forget_sessions(void)
{
    memset(fake.session, 0, sizeof fake.session);
}

#endif
