/* SPDX-License-Identifier: MIT */
/* apr rosetta compare-inference: two models on one prompt, token by token and logit by logit. */
#include "commands.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One model's side. */
typedef struct side {
    realizar_engine *engine;
    realizar_session *session;
    int32_t *ids; /* of the prompt */
    size_t n_ids;
} side;

/* What the steps add up to. */
typedef struct inference {
    side first, second;
    json_t *tokens_first, *tokens_second;
    double largest; /* difference of two logits */
    int matching, steps;
} inference;

static trueno_status open_side(const cli_arguments *a, const char *model, const char *prompt,
                               side *s, trueno_error *err)
{
    double milliseconds;
    trueno_status status = load_engine(a, model, false, &s->engine, &milliseconds, err);

    if (status == TRUENO_OK)
        status = encode_ids(realizar_engine_tokenizer(s->engine), prompt, strlen(prompt),
                            REALIZAR_ENCODE_SPECIAL | REALIZAR_ENCODE_BOS, &s->ids, &s->n_ids, err);
    if (status < 0)
        return status;
    if (s->n_ids == 0)
        return trueno_fail(err, TRUENO_USAGE, "the prompt is empty");
    return realizar_session_new(&s->session, s->engine, 0, err);
}

static void close_side(side *s)
{
    free(s->ids);
    realizar_session_free(s->session);
    realizar_engine_close(s->engine);
}

static int32_t best(const float *logits, int32_t n)
{
    int32_t at = 0;

    for (int32_t i = 1; i < n; i++)
        if (logits[i] > logits[at])
            at = i;
    return at;
}

static trueno_status same_prompt(const inference *t, trueno_error *err)
{
    const int32_t n = realizar_engine_vocab_size(t->first.engine);
    const int32_t m = realizar_engine_vocab_size(t->second.engine);

    if (n != m)
        return trueno_fail(err, TRUENO_CONTENT, "vocabularies of %d and %d tokens", n, m);
    if (t->first.n_ids != t->second.n_ids ||
        memcmp(t->first.ids, t->second.ids, t->first.n_ids * sizeof *t->first.ids) != 0)
        return trueno_fail(err, TRUENO_CONTENT,
                           "the prompt has %zu tokens in one, %zu in the other "
                           "model, and they are not the same",
                           t->first.n_ids, t->second.n_ids);
    return TRUENO_OK;
}

/* Both models after the same tokens: logits compared, the first's choice goes on. */
static trueno_status compare_steps(inference *t, int steps, trueno_error *err)
{
    const int32_t n = realizar_engine_vocab_size(t->first.engine);
    const int32_t *next = t->first.ids;
    int32_t count = (int32_t)t->first.n_ids, chosen;

    for (t->steps = 0; t->steps < steps; t->steps++) {
        const float *x, *y;
        trueno_status status;

        if ((status = realizar_session_append(t->first.session, next, count, err)) < 0 ||
            (status = realizar_session_append(t->second.session, next, count, err)) < 0)
            return status;
        x = realizar_session_logits(t->first.session);
        y = realizar_session_logits(t->second.session);
        for (int32_t i = 0; i < n; i++) {
            const double distance = fabs((double)x[i] - (double)y[i]);

            if (!(distance <= t->largest))
                t->largest = distance;
        }
        chosen = best(x, n);
        t->matching += chosen == best(y, n);
        (void)json_array_append_new(t->tokens_first, json_integer(chosen));
        (void)json_array_append_new(t->tokens_second, json_integer(best(y, n)));
        if (realizar_tokenizer_is_end(realizar_engine_tokenizer(t->first.engine), chosen)) {
            t->steps++;
            break;
        }
        next = &chosen;
        count = 1;
    }
    return TRUENO_OK;
}

static trueno_status judge(const cli_arguments *a, const inference *t, double tolerance,
                           trueno_error *err)
{
    if (t->matching < t->steps || !(t->largest <= tolerance))
        return trueno_fail(err, TRUENO_CONTENT,
                           "%s and %s: %d of %d tokens are the same, logits differ by up to %.4g, "
                           "allowed is %g",
                           a->positional[0], a->positional[1], t->matching, t->steps, t->largest,
                           tolerance);
    return TRUENO_OK;
}

static trueno_status report(cli_arguments *a, const inference *t, double tolerance,
                            trueno_error *err)
{
    trueno_status status = judge(a, t, tolerance, err);

    if (a->o.json)
        return finish_report(
            a,
            json_pack("{s:i, s:s, s:s, s:O, s:O, s:i, s:i, s:o, s:o, s:b}", "schema", 1, "first",
                      a->positional[0], "second", a->positional[1], "tokens_first", t->tokens_first,
                      "tokens_second", t->tokens_second, "matching", t->matching, "tokens",
                      t->steps, "max_logit_diff", json_number(t->largest), "tolerance",
                      json_number(tolerance), "passed", status == TRUENO_OK),
            status, err);
    (void)printf("%d of %d tokens are the same, logits differ by up to %.4g\n", t->matching,
                 t->steps, t->largest);
    return status;
}

trueno_status rosetta_inference_command(cli_arguments *a, trueno_error *err)
{
    enum { DEFAULT_TOKENS = 5 };
    const char *prompt = a->o.prompt != NULL ? a->o.prompt : "2+2=";
    const int steps = option_given(a, "max-tokens") ? (int)a->o.max_tokens : DEFAULT_TOKENS;
    const double tolerance = option_given(a, "tolerance") ? a->o.tolerance : 0.1;
    inference t = {.tokens_first = json_array(), .tokens_second = json_array()};
    trueno_status status = open_side(a, a->positional[0], prompt, &t.first, err);

    if (status == TRUENO_OK)
        status = open_side(a, a->positional[1], prompt, &t.second, err);
    if (status == TRUENO_OK)
        status = same_prompt(&t, err);
    if (status == TRUENO_OK)
        status = compare_steps(&t, steps, err);
    if (status == TRUENO_OK)
        status = report(a, &t, tolerance, err);
    json_decref(t.tokens_first);
    json_decref(t.tokens_second);
    close_side(&t.first);
    close_side(&t.second);
    return status;
}
