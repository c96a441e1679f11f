/* SPDX-License-Identifier: MIT */
/*
 * apr eval: perplexity of a text, and the divergence from a saved base. The text is cut into chunks
 * of --ctx tokens; the second half of each is scored, so that every scored token has context.
 */
#include "eval.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The file cuts smaller probabilities: what it holds of them is no measurement. */
#define LEAST_LOG_P (-16.0f)

enum { DEFAULT_CONTEXT = 512 };

/* Everything measured over the scored tokens. */
typedef struct eval_result {
    double sum_nll, sum_nll2;
    double *kl; /* [scored], when compared with a base */
    int64_t scored, same_top;
} eval_result;

typedef struct eval_state {
    const cli_arguments *a;
    realizar_engine *engine;
    realizar_session *session;
    int32_t *tokens;
    float *logits; /* [context, vocab] */
    int32_t context, chunks, vocab;
    base_file base;
    eval_result result;
} eval_state;

static trueno_status read_tokens(eval_state *s, trueno_error *err)
{
    const realizar_tokenizer *tokenizer = realizar_engine_tokenizer(s->engine);
    text_buffer text = {0};
    trueno_status status = read_text_file(s->a->o.text, &text, err);
    size_t bound, count = 0;

    if (status < 0)
        return status;
    bound = realizar_tokenizer_encode_bound(tokenizer, text.bytes);
    s->tokens = malloc(bound * sizeof *s->tokens);
    if (s->tokens == NULL)
        status = trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %zu tokens", bound);
    else
        status = realizar_tokenizer_encode(tokenizer, text.data, text.bytes, REALIZAR_ENCODE_BOS,
                                           s->tokens, bound, &count, err);
    free(text.data);
    s->chunks = (int32_t)(count / (size_t)s->context);
    if (status == TRUENO_OK && s->chunks == 0)
        status = trueno_fail(err, TRUENO_USAGE, "%s has %zu tokens, one chunk needs %d",
                             s->a->o.text, count, s->context);
    return status;
}

/* The tokens come from the base when there is one, so that both see the same. */
static trueno_status take_tokens(eval_state *s, trueno_error *err)
{
    trueno_status status;

    if (s->a->o.kl_against == NULL)
        return read_tokens(s, err);
    status = base_open(&s->base, s->a->o.kl_against, err);
    if (status < 0)
        return status;
    if (s->base.vocab != s->vocab)
        return trueno_fail(err, TRUENO_USAGE, "%s: of a vocabulary of %d, the model has %d",
                           s->a->o.kl_against, s->base.vocab, s->vocab);
    s->context = s->base.context;
    s->chunks = s->base.chunks;
    s->tokens = s->base.tokens;
    s->base.tokens = NULL;
    return TRUENO_OK;
}

static trueno_status prepare(eval_state *s, trueno_error *err)
{
    const cli_options *o = &s->a->o;
    double load_ms;
    trueno_status status;

    if ((o->text == NULL) == (o->kl_against == NULL))
        return trueno_fail(err, TRUENO_USAGE, "one of --text FILE and --kl-against FILE is needed");
    if (o->kl_against != NULL && o->save_logits != NULL)
        return trueno_fail(err, TRUENO_USAGE,
                           "--save-logits and --kl-against contradict each other");
    s->context = o->ctx > 0 ? (int32_t)o->ctx : DEFAULT_CONTEXT;
    if (s->context < 4)
        return trueno_fail(err, TRUENO_USAGE, "--ctx: %d is too short to score", s->context);
    status = load_engine(s->a, s->a->positional[0], false, &s->engine, &load_ms, err);
    if (status < 0)
        return status;
    s->vocab = realizar_engine_vocab_size(s->engine);
    if ((status = take_tokens(s, err)) < 0)
        return status;
    if (s->context > realizar_engine_context(s->engine))
        return trueno_fail(err, TRUENO_USAGE, "chunks of %d tokens, the model allows %d",
                           s->context, realizar_engine_context(s->engine));
    s->logits = malloc((size_t)s->context * (size_t)s->vocab * sizeof *s->logits);
    s->result.kl = calloc((size_t)s->chunks * (size_t)s->context, sizeof *s->result.kl);
    if (s->logits == NULL || s->result.kl == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %d rows of %d logits", s->context,
                           s->vocab);
    if (o->save_logits != NULL)
        status =
            base_create(&s->base, o->save_logits, s->context, s->vocab, s->chunks, s->tokens, err);
    return status < 0 ? status : realizar_session_new(&s->session, s->engine, s->context, err);
}

/* log of the sum of exp(logits), in double. */
static double log_sum_exp(const float *logits, int32_t n)
{
    double sum = 0;
    float largest = logits[0];

    for (int32_t i = 1; i < n; i++)
        largest = logits[i] > largest ? logits[i] : largest;
    for (int32_t i = 0; i < n; i++)
        sum += exp((double)logits[i] - largest);
    return largest + log(sum);
}

static int32_t top(const float *x, int32_t n)
{
    int32_t best = 0;

    for (int32_t i = 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    return best;
}

static trueno_status score_token(eval_state *s, const float *logits, int32_t next,
                                 trueno_error *err)
{
    eval_result *r = &s->result;
    double total = log_sum_exp(logits, s->vocab), nll = total - logits[next];
    trueno_status status = TRUENO_OK;

    if (!isfinite(total))
        return trueno_fail(err, TRUENO_INFERENCE, "the logits are not finite");
    r->sum_nll += nll;
    r->sum_nll2 += nll * nll;
    if (s->a->o.save_logits != NULL)
        status = base_write(&s->base, logits, total, err);
    if (s->a->o.kl_against != NULL) {
        const float *base;

        if ((status = base_read(&s->base, &base, err)) < 0)
            return status;
        for (int32_t i = 0; i < s->vocab; i++)
            if (base[i] > LEAST_LOG_P)
                r->kl[r->scored] += exp((double)base[i]) * (base[i] - (logits[i] - total));
        r->same_top += top(base, s->vocab) == top(logits, s->vocab);
    }
    r->scored++;
    return status;
}

static trueno_status score_chunk(eval_state *s, int32_t chunk, trueno_error *err)
{
    const int32_t *tokens = s->tokens + (size_t)chunk * (size_t)s->context;
    int32_t half = s->context / 2;
    realizar_step_item items[2] = {
        {s->session, tokens, half, REALIZAR_ROWS_NONE, NULL, NULL, NULL, NULL},
        {s->session, tokens + half, s->context - half - 1, REALIZAR_ROWS_ALL, s->logits, NULL, NULL,
         NULL}};
    trueno_status status;

    realizar_session_rewind(s->session, 0);
    for (int i = 0; i < 2; i++)
        if ((status = realizar_step(s->engine, &items[i], 1, err)) < 0)
            return status;
    for (int32_t i = half; i < s->context - 1; i++) {
        status =
            score_token(s, s->logits + (size_t)(i - half) * (size_t)s->vocab, tokens[i + 1], err);
        if (status < 0)
            return status;
    }
    return TRUENO_OK;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static trueno_status print_result(eval_state *s, trueno_error *err)
{
    eval_result *r = &s->result;
    double n = (double)r->scored, mean = r->sum_nll / n, sum_kl = 0;
    double error = sqrt(fmax(r->sum_nll2 / n - mean * mean, 0) / n) * exp(mean);
    json_t *o = json_pack("{s:i, s:s, s:s, s:i, s:I, s:o, s:o}", "schema", 1, "model",
                          s->a->positional[0], "backend", realizar_engine_backend(s->engine), "ctx",
                          s->context, "scored_tokens", (json_int_t)r->scored, "perplexity",
                          json_number(exp(mean)), "perplexity_error", json_number(error));

    for (int64_t i = 0; i < r->scored; i++)
        sum_kl += r->kl[i];
    qsort(r->kl, (size_t)r->scored, sizeof *r->kl, compare_doubles);
    if (s->a->o.kl_against != NULL) {
        double p99 = r->kl[(int64_t)(0.99 * (n - 1))], most = r->kl[r->scored - 1];

        (void)json_object_set_new(o, "kl_divergence",
                                  json_pack("{s:o, s:o, s:o}", "mean", json_number(sum_kl / n),
                                            "p99", json_number(p99), "max", json_number(most)));
        (void)json_object_set_new(o, "top1_agreement", json_number((double)r->same_top / n));
        if (!s->a->o.json)
            (void)printf("KL divergence  mean %.3e  p99 %.3e  max %.3e\ntop-1 agreement %.4f\n",
                         sum_kl / n, p99, most, (double)r->same_top / n);
    }
    if (s->a->o.json)
        return print_json(o, err);
    json_decref(o);
    (void)printf("perplexity %.4f +- %.4f over %lld tokens\n", exp(mean), error,
                 (long long)r->scored);
    return TRUENO_OK;
}

trueno_status eval_command(cli_arguments *a, trueno_error *err)
{
    eval_state s = {.a = a};
    trueno_status status = prepare(&s, err);

    for (int32_t chunk = 0; chunk < s.chunks && status == TRUENO_OK; chunk++) {
        status = score_chunk(&s, chunk, err);
        if (a->o.verbose && status == TRUENO_OK)
            print_note(a, "chunk %d of %d: perplexity %.4f", chunk + 1, s.chunks,
                       exp(s.result.sum_nll / (double)s.result.scored));
    }
    if (status == TRUENO_OK)
        status = print_result(&s, err);
    if (status == TRUENO_OK)
        status = base_finish(&s.base, err);
    base_close(&s.base);
    realizar_session_free(s.session);
    realizar_engine_close(s.engine);
    free(s.tokens);
    free(s.logits);
    free(s.result.kl);
    return status;
}
