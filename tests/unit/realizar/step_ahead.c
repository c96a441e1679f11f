/* SPDX-License-Identifier: MIT */
/* Steps of several sessions that choose tokens and leave them under way: the same tokens, chosen by
 * the host or by a device, and what becomes of tokens that nobody asked for. */
#include "fake_device.h"

enum { SESSIONS = 3, STEPS = 12 };

/* Sessions with a sampler each, as a server holds them. */
typedef struct batch_of {
    realizar_engine *engine;
    realizar_session *session[SESSIONS];
    realizar_sampler *sampler[SESSIONS];
    realizar_step_item items[SESSIONS];
    realizar_candidate chosen[SESSIONS];
    int32_t prompt[128], count;
} batch_of;

/* kind 0: the host chooses on a CPU; 1: the backend; 2: the host, beside a backend that could. */
static void open_batch(batch_of *b, int kind)
{
    realizar_sampling o;
    trueno_error err = {0};

    memset(b, 0, sizeof *b);
    b->engine = kind > 0 ? open_fake() : open_demo(NULL);
    b->count = (int32_t)encode(b->engine, QUESTION, b->prompt, 128);
    realizar_sampling_init(&o, sizeof o);
    for (int i = 0; i < SESSIONS; i++) {
        o.seed = (uint64_t)i + 5;
        o.temperature = i == 0 ? 0 : 1.2f;
        o.top_k = kind == 2 && i == 2 ? 0 : 50;
        o.presence_penalty = i == 2 ? -50.0f : 0; /* one of the last five */
        o.repeat_last_n = 5;
        b->session[i] = open_session(b->engine);
        CHECK_OK(realizar_sampler_new(&b->sampler[i], &o, realizar_engine_tokenizer(b->engine),
                                      realizar_engine_vocab_size(b->engine), NULL, &err));
        b->items[i] = (realizar_step_item){.session = b->session[i],
                                           .tokens = b->prompt + i,
                                           .count = b->count - i,
                                           .wanted = REALIZAR_ROWS_LAST,
                                           .sampler = b->sampler[i],
                                           .chosen = &b->chosen[i]};
    }
}

static void close_batch(batch_of *b)
{
    for (int i = 0; i < SESSIONS; i++) {
        realizar_session_free(b->session[i]);
        realizar_sampler_free(b->sampler[i]);
    }
    realizar_engine_close(b->engine);
}

/* Each step's tokens are asked for before the next. */
static void run_plainly(int kind, int32_t ids[STEPS][SESSIONS])
{
    batch_of b;
    trueno_error err = {0};

    open_batch(&b, kind);
    for (int t = 0; t < STEPS; t++) {
        CHECK_OK(realizar_step(b.engine, b.items, SESSIONS, &err));
        for (int i = 0; i < SESSIONS; i++) {
            ids[t][i] = b.chosen[i].id;
            b.items[i].tokens = &b.chosen[i].id;
            b.items[i].count = 1;
        }
    }
    close_batch(&b);
}

static const int32_t CHOSEN = REALIZAR_TOKEN_CHOSEN;

/* Begin a step behind the one under way, then ask for the tokens of that one. */
static void go_on(batch_of *b, int n)
{
    trueno_error err = {0};

    for (int i = 0; i < n; i++) {
        b->items[i].tokens = &CHOSEN;
        b->items[i].count = 1;
        b->items[i].chosen = NULL;
    }
    CHECK_OK(realizar_step_ahead(b->engine, b->items, n, &err));
    for (int i = 0; i < n; i++)
        CHECK_OK(realizar_session_chosen(b->session[i], &b->chosen[i], &err));
}

/* Prompts and tokens, of samplers of all kinds: the same as without running ahead, and the host's
 * are those of the backend. */
static void steps_run_ahead(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        int32_t ids[STEPS][SESSIONS], by_host[STEPS][SESSIONS];
        batch_of b;
        trueno_error err = {0};

        run_plainly(0, by_host);
        run_plainly(kind, ids);
        if (kind < 2)
            assert_memory_equal(ids, by_host, sizeof ids);
        open_batch(&b, kind);
        CHECK_OK(realizar_step_ahead(b.engine, b.items, SESSIONS, &err));
        for (int t = 0; t < STEPS - 1; t++) {
            go_on(&b, SESSIONS);
            for (int i = 0; i < SESSIONS; i++) {
                assert_int_equal(b.chosen[i].id, ids[t][i]);
                assert_int_equal(realizar_session_tokens(b.session[i])[b.count - i + t], ids[t][i]);
            }
        }
        for (int i = 0; i < SESSIONS; i++) {
            CHECK_OK(realizar_session_chosen(b.session[i], &b.chosen[i], &err));
            assert_int_equal(b.chosen[i].id, ids[STEPS - 1][i]);
            assert_int_equal(realizar_session_chosen(b.session[i], &b.chosen[i], &err),
                             TRUENO_USAGE);
        }
        assert_int_equal(fake.n_left, kind == 0 ? 0 : STEPS);
        close_batch(&b);
    }
}

/* `n` tokens of the first session computed, its next one chosen. */
static void begin_first(batch_of *b, int32_t at, int32_t n)
{
    trueno_error err = {0};

    realizar_session_rewind(b->session[0], at);
    b->items[0].tokens = b->prompt + at;
    b->items[0].count = n;
    b->items[0].sampler = b->sampler[0];
    CHECK_OK(realizar_step_ahead(b->engine, b->items, 1, &err));
    b->items[0].tokens = &CHOSEN;
    b->items[0].count = 1;
}

static trueno_status ahead_once(batch_of *b)
{
    trueno_error err = {0};

    return realizar_step_ahead(b->engine, b->items, 1, &err);
}

static void check_no_choice(batch_of *b, int i)
{
    trueno_error err = {0};

    assert_int_equal(realizar_session_chosen(b->session[i], &b->chosen[i], &err), TRUENO_USAGE);
}

static void too_many_and_none(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        batch_of b;
        trueno_error err = {0};

        open_batch(&b, kind);
        b.items[0].tokens = &CHOSEN;
        b.items[0].count = 1;
        assert_int_equal(ahead_once(&b), TRUENO_USAGE);
        begin_first(&b, 0, b.count);
        assert_int_equal(realizar_step(b.engine, b.items, 1, &err), TRUENO_USAGE);
        CHECK_OK(ahead_once(&b));
        assert_int_equal(ahead_once(&b), TRUENO_USAGE);
        assert_int_equal(realizar_session_length(b.session[0]), b.count + 1);
        b.items[0].tokens = b.prompt; /* in place of the token that nobody asked for */
        CHECK_OK(ahead_once(&b));
        assert_int_equal(realizar_session_length(b.session[0]), b.count + 2);
        CHECK_OK(realizar_session_chosen(b.session[0], &b.chosen[0], &err));
        check_no_choice(&b, 0);
        close_batch(&b);
    }
}

static void count_event(void *user, const realizar_event *event)
{
    *(int *)user += event->kind == REALIZAR_STAGE_END;
}

/* A watched session is told of its steps before they return, and chooses the same tokens. */
static void watched_steps_are_waited_for(void **state)
{
    int32_t ids[STEPS][SESSIONS];
    realizar_watch watch = {.fn = count_event};
    int n = 0, before;
    batch_of b;
    trueno_error err = {0};

    (void)state;
    run_plainly(1, ids);
    open_batch(&b, 1);
    begin_first(&b, 0, b.count);
    watch.user = &n;
    realizar_session_watch(b.session[0], &watch);
    for (int t = 0; t < 3; t++) {
        before = n;
        CHECK_OK(ahead_once(&b));
        assert_true(n > before);
        assert_int_equal(fake.n_left, 1); /* the one before there was a watcher */
        CHECK_OK(realizar_session_chosen(b.session[0], &b.chosen[0], &err));
        assert_int_equal(b.chosen[0].id, ids[t][0]);
    }
    close_batch(&b);
}

/* What other calls make of tokens that nobody asked for. */
static void other_calls_settle(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        int32_t ids[STEPS][SESSIONS];
        realizar_session *s;
        batch_of b;
        trueno_error err = {0};

        run_plainly(kind, ids);
        open_batch(&b, kind);
        s = b.session[0];
        begin_first(&b, 0, b.count);
        CHECK_OK(ahead_once(&b));
        CHECK_OK(realizar_session_append(s, b.prompt, 1, &err)); /* what is computed stays */
        assert_int_equal(realizar_session_tokens(s)[b.count], ids[0][0]);
        check_no_choice(&b, 0);

        begin_first(&b, b.count - 1, 1);
        CHECK_OK(ahead_once(&b));
        realizar_session_rewind(s, b.count);
        check_no_choice(&b, 0);

        begin_first(&b, 0, b.count); /* an unknown token is none that sync may keep */
        CHECK_OK(ahead_once(&b));
        CHECK_OK(realizar_session_sync(s, b.prompt, b.count, NULL, &err));
        assert_memory_equal(realizar_session_tokens(s), b.prompt,
                            (size_t)b.count * sizeof *b.prompt);
        check_no_choice(&b, 0);
        close_batch(&b);
    }
}

/* Behind the chosen token nothing is chosen: it may be asked for, but not be computed twice. */
static void the_last_step_has_no_sampler(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        int32_t ids[STEPS][SESSIONS];
        batch_of b;
        trueno_error err = {0};

        run_plainly(kind, ids);
        open_batch(&b, kind);
        begin_first(&b, 0, b.count);
        b.items[0].sampler = NULL;
        CHECK_OK(ahead_once(&b));
        assert_int_equal(ahead_once(&b), TRUENO_USAGE);
        assert_non_null(realizar_session_logits(b.session[0]));
        CHECK_OK(realizar_session_chosen(b.session[0], &b.chosen[0], &err));
        assert_int_equal(b.chosen[0].id, ids[0][0]);
        assert_int_equal(realizar_session_tokens(b.session[0])[b.count], ids[0][0]);
        close_batch(&b);
    }
}

/* The host chooses from the last row, wherever the caller wants the logits. */
static void host_chooses_from_the_last_row(void **state)
{
    batch_of b;
    float *logits;
    size_t vocab;
    trueno_error err = {0};

    (void)state;
    open_batch(&b, 0);
    vocab = (size_t)realizar_engine_vocab_size(b.engine);
    logits = calloc((size_t)b.count * vocab, sizeof *logits);
    for (int how = 0; how < 3; how++) {
        int32_t best = 0;

        b.items[0].wanted = how == 0 ? REALIZAR_ROWS_LAST : REALIZAR_ROWS_ALL;
        b.items[0].logits = how < 2 ? logits : NULL;
        realizar_session_rewind(b.session[0], 0);
        CHECK_OK(realizar_step(b.engine, b.items, 1, &err));
        for (size_t id = 0; id < vocab; id++)
            if (realizar_session_logits(b.session[0])[id] >
                realizar_session_logits(b.session[0])[best])
                best = (int32_t)id;
        assert_int_equal(b.chosen[0].id, best);
        if (how < 2)
            assert_memory_equal(logits + (how == 0 ? 0 : (size_t)(b.count - 1) * vocab),
                                realizar_session_logits(b.session[0]), vocab * sizeof *logits);
    }
    free(logits);
    close_batch(&b);
}

/* One session that is cancelled takes no token from the others. */
static void others_go_on_beside_a_cancelled_one(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        int32_t ids[STEPS][SESSIONS];
        batch_of b;
        trueno_error err = {0};

        run_plainly(kind, ids);
        open_batch(&b, kind);
        realizar_session_cancel(b.session[0]);
        assert_int_equal(realizar_step_ahead(b.engine, b.items, SESSIONS, &err), TRUENO_CANCELLED);
        check_no_choice(&b, 0);
        for (int i = 1; i < SESSIONS; i++) {
            CHECK_OK(realizar_session_chosen(b.session[i], &b.chosen[i], &err));
            assert_int_equal(b.chosen[i].id, ids[0][i]);
        }
        close_batch(&b);
    }
}

/* A device that fails leaves sessions whose tokens are all known. */
static void a_failed_choice(void **state)
{
    batch_of b;
    trueno_error err = {0};

    (void)state;
    open_batch(&b, 1);
    CHECK_OK(realizar_step_ahead(b.engine, b.items, SESSIONS, &err));
    b.items[0].tokens = &CHOSEN;
    b.items[0].count = 1;
    CHECK_OK(realizar_step_ahead(b.engine, b.items, 1, &err));
    fake.fail_at = 1;
    assert_int_equal(realizar_session_chosen(b.session[0], &b.chosen[0], &err), TRUENO_INFERENCE);
    assert_int_equal(realizar_session_length(b.session[0]), b.count);
    check_no_choice(&b, 0);
    CHECK_OK(realizar_session_chosen(b.session[1], &b.chosen[1], &err));

    b.items[0].tokens = b.prompt;
    b.items[1].tokens = b.prompt;
    b.items[1].count = 1;
    b.items[1].chosen = &b.chosen[1];
    fake.fail_at = 1;
    assert_int_equal(realizar_step(b.engine, b.items, 2, &err), TRUENO_INFERENCE);
    for (int i = 0; i < 2; i++)
        check_no_choice(&b, i);
    close_batch(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_run_ahead),
        cmocka_unit_test(too_many_and_none),
        cmocka_unit_test(watched_steps_are_waited_for),
        cmocka_unit_test(other_calls_settle),
        cmocka_unit_test(the_last_step_has_no_sampler),
        cmocka_unit_test(host_chooses_from_the_last_row),
        cmocka_unit_test(others_go_on_beside_a_cancelled_one),
        cmocka_unit_test(a_failed_choice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
