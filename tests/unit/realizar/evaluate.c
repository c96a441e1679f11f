/* SPDX-License-Identifier: MIT */
/* Embeddings and scores against the rows of one step, whatever the chunks; refusals; no memory. */
#include "support.h"

#include <math.h>
#include <realizar/evaluate.h>

enum { LENGTH = 150 }; /* more than two groups of logits */

typedef struct rows {
    int32_t tokens[LENGTH], width, vocab;
    float *hidden, *logits; /* [LENGTH, width], [LENGTH, vocab] */
} rows;

static rows compute_rows(realizar_engine *e)
{
    rows r = {.width = realizar_engine_hidden_size(e), .vocab = realizar_engine_vocab_size(e)};
    realizar_session *s = open_session(e);
    trueno_error err = {0};

    fill_tokens(r.tokens, LENGTH, demo_vocab(e), 11);
    r.hidden = calloc((size_t)LENGTH * (size_t)r.width, sizeof *r.hidden);
    r.logits = calloc((size_t)LENGTH * (size_t)r.vocab, sizeof *r.logits);
    assert_true(r.hidden != NULL && r.logits != NULL);
    realizar_step_item item = {s, r.tokens, LENGTH, REALIZAR_ROWS_ALL, r.logits, r.hidden, NULL, NULL};
    CHECK_OK(realizar_step(e, &item, 1, &err));
    realizar_session_free(s);
    return r;
}

static realizar_engine *open_with_step_rows(int32_t step_rows)
{
    realizar_engine_options o;

    realizar_engine_options_init(&o, sizeof o);
    o.step_rows = step_rows;
    return open_demo(&o);
}

static void embedding_is_the_scaled_mean(void **state)
{
    static const int32_t STEP_ROWS[] = {0, 1, 31};
    float got[4096];

    (void)state;
    for (size_t k = 0; k < sizeof STEP_ROWS / sizeof STEP_ROWS[0]; k++) {
        realizar_engine *e = open_with_step_rows(STEP_ROWS[k]);
        rows r = compute_rows(e);
        realizar_session *s = open_session(e);
        trueno_error err = {0};
        double mean[4096] = {0}, length = 0, got_length = 0;

        assert_in_range(r.width, 1, 4096);
        for (int32_t i = 0; i < LENGTH * r.width; i++)
            mean[i % r.width] += (double)r.hidden[i] / LENGTH;
        for (int32_t i = 0; i < r.width; i++)
            length += mean[i] * mean[i];
        memset(got, 0xff, sizeof got);
        for (int twice = 0; twice < 2; twice++) /* on an empty and on a used session */
            CHECK_OK(realizar_embed(s, r.tokens, LENGTH, got, &err));
        for (int32_t i = 0; i < r.width; i++) {
            assert_true(fabs(got[i] - mean[i] / sqrt(length)) < 1e-6);
            got_length += (double)got[i] * got[i];
        }
        assert_true(fabs(got_length - 1) < 1e-6);
        realizar_session_free(s);
        realizar_engine_close(e);
        free(r.hidden);
        free(r.logits);
    }
}

static void scores_are_log_softmax(void **state)
{
    realizar_engine *e = open_demo(NULL);
    rows r = compute_rows(e);
    realizar_session *s = open_session(e);
    trueno_error err = {0};
    float got[LENGTH];

    (void)state;
    CHECK_OK(realizar_score(s, r.tokens, LENGTH, got, &err));
    for (int32_t i = 0; i + 1 < LENGTH; i++) {
        const float *logits = r.logits + (size_t)i * (size_t)r.vocab;
        double sum = 0;

        for (int32_t v = 0; v < r.vocab; v++) /* of the difference: no subtraction of the largest */
            sum += exp((double)logits[v] - logits[r.tokens[i + 1]]);
        assert_true(fabs(got[i] + log(sum)) < 1e-5);
    }
    realizar_session_free(s);
    realizar_engine_close(e);
    free(r.hidden);
    free(r.logits);
}

static void refusals(void **state)
{
    realizar_engine *e = open_demo(NULL);
    realizar_session *s;
    trueno_error err = {0};
    int32_t bad[LENGTH] = {0};
    float out[4096];

    (void)state;
    CHECK_OK(realizar_session_new(&s, e, 16, &err));
    assert_int_equal(realizar_embed(s, bad, 0, out, &err), TRUENO_USAGE);
    assert_int_equal(realizar_score(s, bad, 1, out, &err), TRUENO_USAGE);
    assert_int_equal(realizar_embed(s, bad, 17, out, &err), TRUENO_USAGE);
    assert_non_null(strstr(err.message, "17"));
    bad[15] = -1; /* in the chunk after the first group's last row */
    assert_int_equal(realizar_score(s, bad, 16, out, &err), TRUENO_USAGE);
    assert_int_equal(realizar_embed(s, bad, 16, out, &err), TRUENO_USAGE);
    bad[15] = 0;
    realizar_session_cancel(s);
    assert_int_equal(realizar_embed(s, bad, 16, out, &err), TRUENO_CANCELLED);
    CHECK_OK(realizar_embed(s, bad, 16, out, &err));
    realizar_session_free(s);
    realizar_engine_close(e);
}

static void no_memory(void **state)
{
    bool done = false;

    (void)state;
    for (long long at = 1; !done; at++) {
        test_allocator t = {0};
        trueno_allocator hooks;
        realizar_engine *e = open_counted(&t, &hooks);
        realizar_session *s = open_session(e);
        trueno_error err = {0};
        float out[4096];
        int32_t tokens[8] = {1, 2, 3, 4, 5, 6, 7, 8};
        trueno_status embedded, scored;

        t.fail_at = t.calls + at;
        embedded = realizar_embed(s, tokens, 8, out, &err);
        scored = realizar_score(s, tokens, 8, out, &err);
        done = embedded == TRUENO_OK && scored == TRUENO_OK;
        assert_true(embedded == TRUENO_OK || embedded == TRUENO_NO_MEMORY);
        assert_true(scored == TRUENO_OK || scored == TRUENO_NO_MEMORY);
        realizar_session_free(s);
        realizar_engine_close(e);
        assert_int_equal(t.blocks, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(embedding_is_the_scaled_mean),
        cmocka_unit_test(scores_are_log_softmax),
        cmocka_unit_test(refusals),
        cmocka_unit_test(no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
