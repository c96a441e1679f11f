/* SPDX-License-Identifier: MIT */
/* apr bench: the time of generated tokens, of one session or of a batch. */
#include "bench.h"

#include <stdlib.h>

/* Samplers of the largest logit, one a session. */
static trueno_status make_samplers(bench_state *b, realizar_sampler **out, int32_t n,
                                   trueno_error *err)
{
    realizar_sampling o;
    trueno_status status = TRUENO_OK;

    realizar_sampling_init(&o, sizeof o);
    o.temperature = 0;
    for (int32_t i = 0; i < n && status == TRUENO_OK; i++)
        status = realizar_sampler_new(&out[i], &o, realizar_engine_tokenizer(b->engine),
                                      realizar_engine_vocab_size(b->engine), NULL, err);
    return status;
}

/* What a batch of single-token steps needs. */
typedef struct decode_batch {
    realizar_step_item *items;
    realizar_sampler **samplers; /* where the backend chooses tokens */
} decode_batch;

static void free_batch(decode_batch *d, int32_t n)
{
    for (int32_t i = 0; d->samplers != NULL && i < n; i++)
        realizar_sampler_free(d->samplers[i]);
    free(d->items);
    free(d->samplers);
}

static trueno_status make_batch(bench_state *b, decode_batch *d, int32_t n, trueno_error *err)
{
    *d = (decode_batch){calloc((size_t)n, sizeof *d->items),
                        calloc((size_t)n, sizeof(realizar_sampler *))};
    if (d->items == NULL || d->samplers == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %d sessions", n);
    return realizar_engine_chooses(b->engine) ? make_samplers(b, d->samplers, n, err) : TRUENO_OK;
}

/* Wait for the token that each session chose in the step before the last. */
static trueno_status take_tokens(realizar_session **s, int32_t batch, trueno_error *err)
{
    realizar_candidate chosen;
    trueno_status status = TRUENO_OK;

    for (int32_t i = 0; i < batch && status == TRUENO_OK; i++)
        status = realizar_session_chosen(s[i], &chosen, err);
    return status;
}

/* `n` single-token steps of `batch` sessions. Where the backend chooses tokens they are the next
 * ones, and a step is begun before those of the step before it are asked for; elsewhere the tokens
 * are made up, as choosing is no part of what is measured. */
static trueno_status time_batch(bench_state *b, realizar_session **s, int32_t batch, int32_t n,
                                double *tok_s, trueno_error *err)
{
    static const int32_t CHOSEN = REALIZAR_TOKEN_CHOSEN;
    decode_batch d;
    trueno_status status = make_batch(b, &d, batch, err);
    bool chooses = realizar_engine_chooses(b->engine);
    double began = now_milliseconds();

    for (int32_t t = 0; t < n && status == TRUENO_OK; t++) {
        for (int32_t i = 0; i < batch; i++)
            d.items[i] = (realizar_step_item){.session = s[i],
                                              .tokens = t > 0 && chooses ? &CHOSEN : &b->tokens[t],
                                              .count = 1,
                                              .wanted = REALIZAR_ROWS_LAST,
                                              .sampler = d.samplers[i]};
        status = realizar_step_ahead(b->engine, d.items, batch, err);
        if (status == TRUENO_OK && chooses && t > 0)
            status = take_tokens(s, batch, err);
    }
    if (status == TRUENO_OK && chooses)
        status = take_tokens(s, batch, err);
    *tok_s = (double)n * batch * 1e3 / (now_milliseconds() - began);
    free_batch(&d, batch);
    return status;
}

/* `n` tokens of one session as a program generates them, after the first: that one ends the prompt.
 */
static trueno_status time_generation(bench_state *b, realizar_session *s, int32_t n, double *tok_s,
                                     trueno_error *err)
{
    int32_t length = realizar_session_length(s);
    realizar_generation_options o;
    realizar_generation *g = NULL;
    realizar_piece piece;
    trueno_status status;
    int32_t made = 0;
    double began = 0;

    realizar_generation_options_init(&o, sizeof o, NULL);
    o.sampling.temperature = 0;
    o.max_tokens = n + 1;
    o.ignore_eos = o.run_ahead = true;
    status = realizar_generation_start(&g, s, b->tokens, length > 0 ? length : 1, &o, err);
    for (int32_t t = 0; t <= n && status == TRUENO_OK; t++) {
        int more = realizar_generation_next(g, &piece, err);

        if (more < 0)
            status = (trueno_status)more;
        made += more == 1;
        if (t == 0)
            began = now_milliseconds();
    }
    *tok_s = (made - 1) * 1e3 / (now_milliseconds() - began);
    realizar_generation_free(g);
    return status;
}

trueno_status time_decode(bench_state *b, realizar_session **s, int32_t batch, int32_t n,
                          double *tok_s, trueno_error *err)
{
    return batch == 1 && realizar_engine_chooses(b->engine)
               ? time_generation(b, s[0], n, tok_s, err)
               : time_batch(b, s, batch, n, tok_s, err);
}
