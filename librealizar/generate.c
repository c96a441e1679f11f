/* SPDX-License-Identifier: MIT */
/* Generation: prompt -> sync -> (sample, decode, emit)*. */
#include "held_text.h"
#include "internal.h"

#include <realizar/generate.h>
#include <math.h>
#include <string.h>
#include <time.h>

struct realizar_generation {
    realizar_session *session;
    realizar_generation_options o;
    realizar_sampler *sampler;
    held_text text;
    int32_t *ids; /* sampled, [capacity] */
    int32_t n_ids, capacity, most;
    bool pending;     /* the last id is sampled but not yet computed */
    bool ahead;       /* tokens are chosen by the backend, from the second on */
    int32_t n_queued; /* choices of the session under way that are this one's */
    int32_t start;    /* tokens of the prompt */
    realizar_finish finish;
    realizar_timings timings;
    double started, first_at;
};

static double now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

const char *realizar_finish_name(realizar_finish finish)
{
    static const char *const NAMES[] = {"running", "stop", "length", "stop_text", "cancelled"};

    return NAMES[finish];
}

void realizar_generation_options_init(realizar_generation_options *o, size_t size,
                                      const realizar_engine *engine)
{
    memset(o, 0, size);
    o->size = size;
    realizar_sampling_init(&o->sampling, sizeof o->sampling);
    if (engine != NULL)
        realizar_sampling_from_model(&o->sampling,
                                     apr_model_generation_defaults(realizar_engine_model(engine)));
}

static trueno_status check_options(const realizar_generation_options *o, trueno_error *err)
{
    if (o->max_tokens < 0)
        return trueno_fail(err, TRUENO_USAGE, "max_tokens is %d, it must not be negative",
                           o->max_tokens);
    for (int32_t i = 0; i < o->n_stops; i++)
        if (o->stops[i][0] == '\0')
            return trueno_fail(err, TRUENO_USAGE, "stop text %d is empty", i + 1);
    return TRUENO_OK;
}

/* With ignore_eos, ends of turns are forbidden like any biased token. */
static trueno_status make_sampler(realizar_generation *g, trueno_error *err)
{
    const realizar_engine *e = g->session->engine;
    realizar_sampling s = g->o.sampling;
    const apr_vocab *vocab = e->tokenizer != NULL ? realizar_tokenizer_vocab(e->tokenizer) : NULL;
    int32_t n_ends = g->o.ignore_eos && vocab != NULL ? vocab->n_eos : 0;
    size_t bytes = (size_t)(s.n_bias + n_ends) * sizeof(realizar_logit_bias);
    realizar_logit_bias *bias = trueno_allocate(e->allocator, bytes, 16);
    trueno_status status;

    if (bias == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %zu bytes of logit bias", bytes);
    if (s.n_bias > 0)
        memcpy(bias, s.bias, (size_t)s.n_bias * sizeof *bias);
    for (int32_t i = 0; i < n_ends; i++)
        bias[s.n_bias + i] = (realizar_logit_bias){vocab->eos_ids[i], -INFINITY};
    s.bias = bias;
    s.n_bias += n_ends;
    status = realizar_sampler_new(&g->sampler, &s, e->tokenizer, e->vocab_rows, e->allocator, err);
    trueno_release(e->allocator, bias, bytes);
    return status;
}

static trueno_status prepare(realizar_generation *g, const int32_t *ids, int32_t count,
                             trueno_error *err)
{
    realizar_session *s = g->session;
    trueno_status status = check_options(&g->o, err);
    int32_t room = s->context - count + 1; /* the last sampled token is never computed */

    if (status < 0)
        return status;
    if (count > s->context)
        return trueno_fail(err, TRUENO_USAGE,
                           "the prompt has %d tokens, the context only %d positions", count,
                           s->context);
    g->most = g->o.max_tokens > 0 && g->o.max_tokens < room ? g->o.max_tokens : room;
    g->capacity = g->most < 256 ? g->most : 256;
    g->ids = trueno_allocate(s->engine->allocator, (size_t)g->capacity * sizeof *g->ids, 64);
    if (g->ids == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %d tokens", g->capacity);
    if ((status = held_text_init(&g->text, g->o.stops, (size_t)g->o.n_stops, s->engine->allocator,
                                 err)) < 0 ||
        (status = make_sampler(g, err)) < 0)
        return status;
    g->started = now_ms();
    status = realizar_session_sync(s, ids, count, &g->timings.reused_tokens, err);
    g->timings.prompt_ms = now_ms() - g->started;
    g->timings.prompt_tokens = count;
    g->start = count;
    g->ahead = g->o.run_ahead && choice_possible(s->engine, g->sampler);
    return status;
}

trueno_status realizar_generation_start(realizar_generation **out, realizar_session *session,
                                        const int32_t *ids, int32_t count,
                                        const realizar_generation_options *options,
                                        trueno_error *err)
{
    realizar_generation *g = trueno_allocate_zero(session->engine->allocator, sizeof *g);
    trueno_status status;

    *out = NULL;
    if (g == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a generation");
    g->session = session;
    realizar_generation_options_init(&g->o, sizeof g->o, session->engine);
    if (options != NULL)
        memcpy(&g->o, options, options->size < sizeof g->o ? options->size : sizeof g->o);
    status = prepare(g, ids, count, err);
    if (status < 0) {
        realizar_generation_free(g);
        return status;
    }
    *out = g;
    return TRUENO_OK;
}

/* Remember a sampled id, growing the list by half as it fills. */
static trueno_status keep_id(realizar_generation *g, int32_t id, trueno_error *err)
{
    const trueno_allocator *allocator = g->session->engine->allocator;

    if (g->n_ids == g->capacity) {
        int32_t capacity = g->capacity + g->capacity / 2 + 16;
        int32_t *larger = trueno_allocate(allocator, (size_t)capacity * sizeof *larger, 64);

        if (larger == NULL)
            return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %d tokens", capacity);
        memcpy(larger, g->ids, (size_t)g->n_ids * sizeof *larger);
        trueno_release(allocator, g->ids, (size_t)g->capacity * sizeof *larger);
        g->ids = larger;
        g->capacity = capacity;
    }
    g->ids[g->n_ids++] = id;
    return TRUENO_OK;
}

/* Logits -> id, with the session's tokens as what came before. */
static trueno_status sample(realizar_generation *g, realizar_candidate *chosen, trueno_error *err)
{
    realizar_session *s = g->session;
    const realizar_watch *watch = s->watch.fn != NULL ? &s->watch : NULL;
    realizar_event event = {.kind = REALIZAR_STAGE_BEGIN,
                            .stage = REALIZAR_STAGE_SAMPLER,
                            .layer = -1,
                            .first_position = s->length,
                            .n_rows = 1};
    double began = now_ms();
    trueno_status status;

    if (watch != NULL)
        watch->fn(watch->user, &event);
    status = realizar_sampler_choose(g->sampler, s->logits, s->tokens, s->length, chosen, err);
    if (watch != NULL && status == TRUENO_OK) {
        float id = (float)chosen->id;

        event.kind = REALIZAR_STAGE_END;
        event.nanoseconds = (uint64_t)((now_ms() - began) * 1e6);
        event.width = 1;
        event.data = &id;
        watch->fn(watch->user, &event);
    }
    return status;
}

/* Begin a step for the last token, known or not, and the choice of the one behind it. */
static trueno_status queue_step(realizar_generation *g, int32_t token, trueno_error *err)
{
    realizar_step_item item = {.session = g->session,
                               .tokens = &token,
                               .count = 1,
                               .wanted = REALIZAR_ROWS_LAST,
                               .sampler = g->sampler};
    trueno_status status = realizar_step_ahead(g->session->engine, &item, 1, err);

    if (status == TRUENO_OK)
        g->n_queued++;
    return status;
}

/* The next token from the backend. Before waiting for it, the step behind it is begun, unless the
 * text ends with it for sure. */
static trueno_status take_queued(realizar_generation *g, realizar_candidate *chosen,
                                 trueno_error *err)
{
    trueno_status status = TRUENO_OK;

    if (g->n_queued == 0)
        status = queue_step(g, g->ids[g->n_ids - 1], err);
    if (status == TRUENO_OK && g->n_ids + g->n_queued < g->most)
        status = queue_step(g, REALIZAR_TOKEN_CHOSEN, err);
    if (status == TRUENO_OK)
        status = realizar_session_chosen(g->session, chosen, err);
    if (status == TRUENO_OK)
        g->n_queued--;
    return status;
}

/* Forget steps whose results nobody asked for. */
static void drop_queued(realizar_generation *g)
{
    if (g->n_queued > 0)
        realizar_session_rewind(g->session, g->start + g->n_ids - 1);
    g->n_queued = 0;
}

/* Compute the token sampled last, so that there are logits to sample from. */
static trueno_status catch_up(realizar_generation *g, trueno_error *err)
{
    trueno_status status = TRUENO_OK;

    if (g->pending)
        status = realizar_session_append(g->session, &g->ids[g->n_ids - 1], 1, err);
    if (status == TRUENO_OK)
        g->pending = false;
    return status;
}

static trueno_status choose_token(realizar_generation *g, realizar_candidate *chosen,
                                  trueno_error *err)
{
    trueno_status status;

    if (g->ahead && g->n_ids > 0 && g->session->watch.fn == NULL)
        return take_queued(g, chosen, err);
    drop_queued(g);
    status = catch_up(g, err);
    return status < 0 ? status : sample(g, chosen, err);
}

/* Why the text ends with the token just sampled, or REALIZAR_RUNNING. */
static realizar_finish judge(const realizar_generation *g, bool is_end)
{
    if (is_end)
        return REALIZAR_FINISH_STOP;
    if (g->text.stopped)
        return REALIZAR_FINISH_STOP_TEXT;
    return g->n_ids >= g->most ? REALIZAR_FINISH_LENGTH : REALIZAR_RUNNING;
}

static void note_times(realizar_generation *g)
{
    double t = now_ms();

    if (g->n_ids == 1) {
        g->first_at = t;
        g->timings.first_token_ms = t - g->started;
    }
    g->timings.decode_ms = t - g->first_at;
    g->timings.completion_tokens = g->n_ids;
}

static int emit(realizar_generation *g, realizar_piece *piece, const realizar_candidate *chosen)
{
    bool all = g->finish != REALIZAR_RUNNING;

    piece->text = held_text_take(&g->text, all, &piece->bytes);
    piece->id = chosen->id;
    piece->log_probability = chosen->log_probability;
    return 1;
}

static int next_token(realizar_generation *g, realizar_piece *piece, trueno_error *err)
{
    const realizar_tokenizer *tokenizer = g->session->engine->tokenizer;
    realizar_candidate chosen;
    bool is_end;
    trueno_status status;

    if ((status = choose_token(g, &chosen, err)) < 0 || (status = keep_id(g, chosen.id, err)) < 0) {
        drop_queued(g);
        if (status == TRUENO_CANCELLED)
            g->finish = REALIZAR_FINISH_CANCELLED;
        return status;
    }
    g->pending = true;
    is_end =
        tokenizer != NULL && !g->o.ignore_eos && realizar_tokenizer_is_end(tokenizer, chosen.id);
    if (tokenizer != NULL && !is_end) {
        apr_text text = realizar_tokenizer_piece(tokenizer, chosen.id, g->o.show_special);

        if ((status = held_text_add(&g->text, text.data, text.length, err)) < 0)
            return status;
    } else if ((status = held_text_add(&g->text, NULL, 0, err)) < 0) {
        return status;
    }
    g->finish = judge(g, is_end);
    if (g->finish != REALIZAR_RUNNING)
        drop_queued(g);
    note_times(g);
    return emit(g, piece, &chosen);
}

int realizar_generation_next(realizar_generation *g, realizar_piece *piece, trueno_error *err)
{
    return g->finish != REALIZAR_RUNNING ? 0 : next_token(g, piece, err);
}

realizar_finish realizar_generation_finish(const realizar_generation *g)
{
    return g->finish;
}

const int32_t *realizar_generation_ids(const realizar_generation *g, int32_t *count)
{
    *count = g->n_ids;
    return g->ids;
}

int32_t realizar_generation_top(const realizar_generation *g, realizar_candidate *out, int32_t n)
{
    return g->ahead && g->n_ids > 1 ? 0 : realizar_sampler_top(g->sampler, out, n);
}

void realizar_generation_timings(const realizar_generation *g, realizar_timings *out)
{
    *out = g->timings;
}

void realizar_generation_free(realizar_generation *g)
{
    const trueno_allocator *allocator;

    if (g == NULL)
        return;
    allocator = g->session->engine->allocator;
    drop_queued(g);
    realizar_sampler_free(g->sampler);
    held_text_free(&g->text);
    trueno_release(allocator, g->ids, (size_t)g->capacity * sizeof *g->ids);
    trueno_release(allocator, g, sizeof *g);
}
