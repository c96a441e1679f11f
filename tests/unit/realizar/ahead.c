/* SPDX-License-Identifier: MIT */
/* Generation that runs ahead of its tokens, and steps that choose: the same tokens as without, and
 * sessions as they should be afterwards. */
#include "fake_device.h"

enum { ANSWER = 100 };

typedef struct answer_of {
    realizar_finish finish;
    int32_t ids[ANSWER], n;
    char text[1000];
} answer_of;

/* An answer in a session of its own; then the session's own account of it is checked. */
static void answer(realizar_engine *e, realizar_generation_options *o, bool ahead, answer_of *a)
{
    realizar_session *s = open_session(e);
    realizar_generation *g;
    realizar_piece piece;
    int32_t prompt[128], n;
    size_t used = 0, count = encode(e, QUESTION, prompt, 128);
    const int32_t *ids;
    trueno_error err = {0};
    int more;

    o->run_ahead = ahead;
    CHECK_OK(realizar_generation_start(&g, s, prompt, (int32_t)count, o, &err));
    while ((more = realizar_generation_next(g, &piece, &err)) == 1) {
        assert_true(used + piece.bytes < sizeof a->text);
        memcpy(a->text + used, piece.text, piece.bytes);
        used += piece.bytes;
    }
    CHECK_OK((trueno_status)more);
    a->text[used] = '\0';
    ids = realizar_generation_ids(g, &n);
    assert_true(n <= ANSWER);
    memcpy(a->ids, ids, (size_t)n * sizeof *ids);
    a->n = n;
    a->finish = realizar_generation_finish(g);
    assert_int_equal(realizar_session_length(s), (int32_t)count + n - 1);
    assert_memory_equal(realizar_session_tokens(s) + count, ids, (size_t)(n - 1) * sizeof *ids);
    realizar_generation_free(g);
    assert_int_equal(realizar_session_length(s), (int32_t)count + n - 1);
    realizar_session_free(s);
    fake_forget_sessions();
}

static void compare(realizar_engine *e, realizar_generation_options *o)
{
    answer_of plain, ahead;

    answer(e, o, false, &plain);
    answer(e, o, true, &ahead);
    assert_int_equal(ahead.finish, plain.finish);
    assert_int_equal(ahead.n, plain.n);
    assert_memory_equal(ahead.ids, plain.ids, (size_t)plain.n * sizeof *plain.ids);
    assert_string_equal(ahead.text, plain.text);
}

static void tokens_are_the_same(void **state)
{
    realizar_engine *e = open_fake();
    realizar_generation_options o;
    const char *stop[] = {"never in it", "="};

    (void)state;
    realizar_generation_options_init(&o, sizeof o, e);
    compare(e, &o);
    o.stops = stop;
    o.n_stops = 2;
    compare(e, &o);
    o.n_stops = 0;
    for (o.max_tokens = 1; o.max_tokens < 6; o.max_tokens++)
        compare(e, &o);
    o.max_tokens = 40;
    o.ignore_eos = true;
    fake.n_left = fake.n_chosen_tokens = 0;
    compare(e, &o);
    assert_int_equal(fake.n_left, 39); /* no step in vain when the length ends it */
    assert_int_equal(fake.n_chosen_tokens, 38);
    for (o.sampling.seed = 1; o.sampling.seed < 12; o.sampling.seed++) {
        o.sampling.temperature = o.sampling.seed % 2 ? 1.5f : 0.8f;
        o.sampling.top_k = o.sampling.seed % 3 ? 40 : 200;
        o.sampling.repeat_penalty = o.sampling.seed % 4 < 2 ? 1.0f : 1.4f;
        o.sampling.presence_penalty = o.sampling.seed % 4 == 1 ? 0.5f : 0;
        o.sampling.repeat_last_n = o.sampling.seed % 5 == 0 ? 3 : 64;
        compare(e, &o);
    }
    realizar_engine_close(e);
}

/* Settings that the device does not know are followed by the host. */
static void others_are_not_run_ahead(void **state)
{
    realizar_engine *e = open_fake();
    realizar_generation_options o;

    (void)state;
    realizar_generation_options_init(&o, sizeof o, e);
    o.max_tokens = 8;
    o.sampling.temperature = 1;
    o.sampling.top_k = 0;
    compare(e, &o);
    o.sampling.top_k = TRUENO_MOST_CANDIDATES + 1;
    compare(e, &o);
    o.sampling.top_k = 40;
    o.sampling.repeat_penalty = 1.1f;
    o.sampling.repeat_last_n = TRUENO_MOST_RECENT + 1;
    compare(e, &o);
    assert_int_equal(fake.n_left, 0);
    realizar_engine_close(e);
}

/* Left in the middle, failed, cancelled: the session holds what was given out. */
static void ends_in_the_middle(void **state)
{
    realizar_engine *e = open_fake();
    realizar_generation_options o;
    int32_t prompt[128], count = (int32_t)encode(e, QUESTION, prompt, 128), n;

    (void)state;
    realizar_generation_options_init(&o, sizeof o, e);
    o.run_ahead = o.ignore_eos = true;
    for (int how = 0; how < 3; how++) {
        realizar_session *s = open_session(e);
        realizar_generation *g;
        realizar_piece piece;
        trueno_error err = {0};

        CHECK_OK(realizar_generation_start(&g, s, prompt, count, &o, &err));
        for (int i = 0; i < 5; i++)
            assert_int_equal(realizar_generation_next(g, &piece, &err), 1);
        fake.fail_at = how == 1;
        if (how == 2)
            realizar_session_cancel(s);
        if (how > 0)
            assert_int_equal(realizar_generation_next(g, &piece, &err),
                             how == 1 ? TRUENO_INFERENCE : TRUENO_CANCELLED);
        (void)realizar_generation_ids(g, &n);
        assert_int_equal(n, 5);
        realizar_generation_free(g);
        assert_int_equal(realizar_session_length(s), count + n - 1);
        realizar_session_free(s);
        fake_forget_sessions();
    }
    realizar_engine_close(e);
}

/* A step of several sessions with a sampler each, chosen by the backend or by the host. */
static void steps_choose(void **state)
{
    (void)state;
    for (int by_backend = 0; by_backend < 2; by_backend++) {
        realizar_engine *e = by_backend ? open_fake() : open_demo(NULL);
        realizar_session *s[3];
        realizar_sampler *sampler[3];
        realizar_sampling o;
        realizar_step_item items[3];
        realizar_candidate chosen[3];
        int32_t prompt[128], count = (int32_t)encode(e, QUESTION, prompt, 128);
        trueno_error err = {0};

        realizar_sampling_init(&o, sizeof o);
        o.temperature = 0;
        for (int i = 0; i < 3; i++) {
            s[i] = open_session(e);
            CHECK_OK(realizar_session_append(s[i], prompt, count - 1 - i, &err));
            CHECK_OK(realizar_sampler_new(&sampler[i], &o, realizar_engine_tokenizer(e),
                                          realizar_engine_vocab_size(e), NULL, &err));
            items[i] = (realizar_step_item){.session = s[i],
                                            .tokens = prompt + count - 1 - i,
                                            .count = 1,
                                            .wanted = REALIZAR_ROWS_LAST,
                                            .sampler = i < 2 ? sampler[i] : NULL,
                                            .chosen = &chosen[i]};
        }
        CHECK_OK(realizar_step(e, items, 3, &err));
        assert_non_null(realizar_session_logits(s[2]));
        for (int i = 0; i < 2; i++) {
            const float *logits;
            int32_t best = 0;

            assert_true((realizar_session_logits(s[i]) == NULL) == (by_backend == 1));
            realizar_session_rewind(s[i], count - 1 - i);
            CHECK_OK(realizar_session_append(s[i], prompt + count - 1 - i, 1, &err));
            logits = realizar_session_logits(s[i]);
            for (int32_t id = 0; id < realizar_engine_vocab_size(e); id++)
                if (logits[id] > logits[best] &&
                    !realizar_tokenizer_is_unused(realizar_engine_tokenizer(e), id))
                    best = id;
            assert_int_equal(chosen[i].id, best);
        }
        items[0].chosen = NULL;
        assert_int_equal(realizar_step(e, items, 1, &err), TRUENO_USAGE);
        items[0].chosen = &chosen[0];
        items[0].wanted = REALIZAR_ROWS_NONE;
        assert_int_equal(realizar_step(e, items, 1, &err), TRUENO_USAGE);
        for (int i = 0; i < 3; i++) {
            realizar_session_free(s[i]);
            realizar_sampler_free(sampler[i]);
        }
        realizar_engine_close(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_the_same),
        cmocka_unit_test(others_are_not_run_ahead),
        cmocka_unit_test(ends_in_the_middle),
        cmocka_unit_test(steps_choose),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
