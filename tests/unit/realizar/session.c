/* SPDX-License-Identifier: MIT */
/*
 * The invariants of the forward pass: a row's logits do not depend on how the rows before it were
 * cut into steps, on rewinds, on other sessions' rows, on the number of threads, or on being
 * watched.
 */
#include "internal.h"
#include "support.h"

#include <pthread.h>
#include <trueno/sys/half.h>

enum { LENGTH = 150 };

typedef struct fixture {
    realizar_engine *engine;
    int32_t tokens[LENGTH];
    float *whole; /* [LENGTH, vocab]: all rows in one step */
    int32_t vocab;
} fixture;

static void compute_whole(fixture *f)
{
    realizar_session *s = open_session(f->engine);
    realizar_step_item item = {s, f->tokens, LENGTH, REALIZAR_ROWS_ALL, f->whole, NULL, NULL, NULL};
    trueno_error err = {0};

    CHECK_OK(realizar_step(f->engine, &item, 1, &err));
    realizar_session_free(s);
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    f->engine = open_demo(NULL);
    f->vocab = realizar_engine_vocab_size(f->engine);
    fill_tokens(f->tokens, LENGTH, demo_vocab(f->engine), 7);
    f->whole = calloc((size_t)LENGTH * (size_t)f->vocab, sizeof *f->whole);
    compute_whole(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;

    realizar_engine_close(f->engine);
    free(f->whole);
    free(f);
    return 0;
}

static void check_row(const fixture *f, const float *logits, int32_t position)
{
    const float *want = f->whole + (size_t)position * (size_t)f->vocab;

    assert_non_null(logits);
    for (int32_t i = 0; i < f->vocab; i++)
        if (trueno_f32_bits(logits[i]) != trueno_f32_bits(want[i]))
            fail_msg("position %d, logit %d: %.9g, whole prompt gives %.9g", position, i,
                     (double)logits[i], (double)want[i]);
}

static void chunks_equal_whole(void **state)
{
    static const int32_t SIZES[] = {1, 2, 3, 7, 16, 31, 33, 64, 149};
    fixture *f = *state;
    trueno_error err = {0};

    for (size_t k = 0; k < sizeof SIZES / sizeof SIZES[0]; k++) {
        realizar_session *s = open_session(f->engine);

        for (int32_t at = 0; at < LENGTH; at += SIZES[k]) {
            int32_t n = LENGTH - at < SIZES[k] ? LENGTH - at : SIZES[k];

            CHECK_OK(realizar_session_append(s, f->tokens + at, n, &err));
            check_row(f, realizar_session_logits(s), at + n - 1);
        }
        assert_int_equal(realizar_session_length(s), LENGTH);
        assert_memory_equal(realizar_session_tokens(s), f->tokens, sizeof f->tokens);
        realizar_session_free(s);
    }
}

static void rewinds_and_syncs(void **state)
{
    static const int32_t TO[] = {149, 100, 64, 63, 1, 0, 120};
    fixture *f = *state;
    realizar_session *s = open_session(f->engine);
    int32_t other[LENGTH], reused = -1;
    trueno_error err = {0};

    fill_tokens(other, LENGTH, demo_vocab(f->engine), 99);
    for (size_t k = 0; k < sizeof TO / sizeof TO[0]; k++) {
        /* a timeline that shares TO[k] tokens with ours, then goes elsewhere */
        memcpy(other, f->tokens, (size_t)TO[k] * sizeof *other);
        other[TO[k] < LENGTH ? TO[k] : LENGTH - 1] ^= 1;
        CHECK_OK(realizar_session_sync(s, other, LENGTH, NULL, &err));
        CHECK_OK(realizar_session_sync(s, f->tokens, LENGTH, &reused, &err));
        assert_int_equal(reused, TO[k]);
        check_row(f, realizar_session_logits(s), LENGTH - 1);
    }
    CHECK_OK(realizar_session_sync(s, f->tokens, LENGTH, &reused, &err));
    assert_int_equal(reused, LENGTH); /* nothing new: nothing computed */
    CHECK_OK(realizar_session_sync(s, f->tokens, 40, &reused, &err));
    assert_int_equal(reused, 39); /* the last token again, for its logits */
    check_row(f, realizar_session_logits(s), 39);
    realizar_session_rewind(s, 10);
    assert_null(realizar_session_logits(s));
    realizar_session_free(s);
}

static void mixed_batches_equal_alone(void **state)
{
    fixture *f = *state;
    realizar_session *s[4];
    int32_t at[4] = {0};
    trueno_error err = {0};
    uint32_t seed = 11;

    for (int i = 0; i < 4; i++)
        s[i] = open_session(f->engine);
    while (at[0] + at[1] + at[2] + at[3] < 4 * LENGTH) { /* steps of random mixtures */
        realizar_step_item items[4];
        int32_t n = 0;

        for (int i = 0; i < 4; i++) {
            int32_t left = LENGTH - at[i], count;

            seed = seed * 1664525u + 1013904223u;
            count = (int32_t)(seed >> 16) % (i == 0 ? 2 : 20 * i);
            count = count < left ? count : left;
            if (count > 0)
                items[n++] = (realizar_step_item){
                    s[i], f->tokens + at[i], count, REALIZAR_ROWS_LAST, NULL, NULL, NULL, NULL};
            at[i] += count;
        }
        CHECK_OK(realizar_step(f->engine, items, n, &err));
        for (int32_t k = 0; k < n; k++)
            check_row(f, realizar_session_logits(items[k].session),
                      realizar_session_length(items[k].session) - 1);
    }
    for (int i = 0; i < 4; i++)
        realizar_session_free(s[i]);
}

static void threads_and_step_sizes_are_equal(void **state)
{
    static const struct {
        int32_t threads, step_rows;
    } CASES[] = {{1, 0}, {2, 5}, {3, 64}, {5, 1}};
    const fixture *f = *state;

    for (size_t k = 0; k < sizeof CASES / sizeof CASES[0]; k++) {
        fixture g = *f;
        realizar_engine_options o;

        realizar_engine_options_init(&o, sizeof o);
        o.threads = CASES[k].threads;
        o.step_rows = CASES[k].step_rows;
        g.engine = open_demo(&o);
        g.whole = calloc((size_t)LENGTH * (size_t)f->vocab, sizeof *g.whole);
        compute_whole(&g);
        for (int32_t i = 0; i < LENGTH; i++)
            check_row(f, g.whole + (size_t)i * (size_t)f->vocab, i);
        free(g.whole);
        realizar_engine_close(g.engine);
    }
}

typedef struct caller {
    pthread_t thread;
    fixture *f;
    int32_t chunk;
    bool wrong;
} caller;

static void *append_all(void *context)
{
    caller *c = context;
    realizar_session *s = open_session(c->f->engine);
    trueno_error err = {0};

    for (int32_t at = 0; at < LENGTH && !c->wrong; at += c->chunk) {
        int32_t n = LENGTH - at < c->chunk ? LENGTH - at : c->chunk;
        const float *want = c->f->whole + (size_t)(at + n - 1) * (size_t)c->f->vocab;

        c->wrong =
            realizar_session_append(s, c->f->tokens + at, n, &err) < 0 ||
            memcmp(realizar_session_logits(s), want, (size_t)c->f->vocab * sizeof *want) != 0;
    }
    realizar_session_free(s);
    return NULL;
}

static void callers_on_threads_are_gathered(void **state)
{
    caller callers[6];

    for (int i = 0; i < 6; i++) {
        callers[i] = (caller){.f = *state, .chunk = 1 + 3 * i};
        assert_int_equal(pthread_create(&callers[i].thread, NULL, append_all, &callers[i]), 0);
    }
    for (int i = 0; i < 6; i++) {
        pthread_join(callers[i].thread, NULL);
        assert_false(callers[i].wrong);
    }
}

typedef struct seen {
    int begins[REALIZAR_STAGE_COUNT + 1], ends[REALIZAR_STAGE_COUNT + 1], inputs;
    int finite, with_heads;
} seen;

static void count_event(void *user, const realizar_event *e)
{
    seen *s = user;

    s->begins[e->stage] += e->kind == REALIZAR_STAGE_BEGIN;
    s->ends[e->stage] += e->kind == REALIZAR_STAGE_END;
    s->inputs += e->kind == REALIZAR_PRODUCT_INPUT;
    if (e->kind == REALIZAR_STAGE_END) {
        assert_non_null(e->data);
        for (int32_t i = 0; i < e->n_rows * e->width; i++)
            assert_true(e->data[i] == e->data[i] && e->data[i] - e->data[i] == 0);
        s->finite++;
    }
    if (e->log_sum_exp != NULL)
        for (int32_t i = 0; i < e->n_rows; i++)
            s->with_heads += e->log_sum_exp[i] - e->log_sum_exp[i] == 0 &&
                             e->mean_score[i] <= e->log_sum_exp[i] + 1e-4f;
}

static void watching_changes_nothing(void **state)
{
    fixture *f = *state;
    const apr_config *c = apr_model_config(realizar_engine_model(f->engine));
    realizar_session *s = open_session(f->engine);
    seen seen_events = {0};
    realizar_watch watch = {count_event, &seen_events,
                            REALIZAR_WANT_TIME | REALIZAR_WANT_OUTPUT | REALIZAR_WANT_ATTENTION |
                                REALIZAR_WANT_INPUTS};
    trueno_error err = {0};

    realizar_session_watch(s, &watch);
    CHECK_OK(realizar_session_append(s, f->tokens, 50, &err));
    check_row(f, realizar_session_logits(s), 49);
    assert_int_equal(seen_events.begins[REALIZAR_STAGE_EMBEDDING], 1);
    assert_int_equal(seen_events.ends[REALIZAR_STAGE_QKV], c->n_layers);
    assert_int_equal(seen_events.ends[REALIZAR_STAGE_POSITION], c->n_layers);
    assert_int_equal(seen_events.ends[REALIZAR_STAGE_ATTENTION], c->n_layers);
    assert_int_equal(seen_events.ends[REALIZAR_STAGE_FFN], c->n_layers);
    assert_int_equal(seen_events.ends[REALIZAR_STAGE_NORM], 2 * c->n_layers + 1);
    assert_int_equal(seen_events.ends[REALIZAR_STAGE_LM_HEAD], 1);
    assert_int_equal(seen_events.inputs, 4 * c->n_layers + 1);
    assert_int_equal(seen_events.with_heads, 50 * c->n_layers);
    realizar_session_watch(s, NULL);
    CHECK_OK(realizar_session_append(s, f->tokens + 50, 1, &err));
    check_row(f, realizar_session_logits(s), 50);
    realizar_session_free(s);
}

static void cancelled_sessions_stop(void **state)
{
    fixture *f = *state;
    realizar_session *s = open_session(f->engine);
    trueno_error err = {0};

    CHECK_OK(realizar_session_append(s, f->tokens, 10, &err));
    realizar_session_cancel(s);
    assert_int_equal(realizar_session_append(s, f->tokens + 10, 20, &err), TRUENO_CANCELLED);
    assert_int_equal(realizar_session_length(s), 10);
    CHECK_OK(realizar_session_append(s, f->tokens + 10, 20, &err)); /* goes on afterwards */
    check_row(f, realizar_session_logits(s), 29);
    realizar_session_free(s);
}

static void bad_items_are_refused(void **state)
{
    fixture *f = *state;
    realizar_session *s = open_session(f->engine), *t = NULL;
    int32_t bad[2] = {0, demo_vocab(f->engine)}, negative = -1;
    realizar_step_item twice[2] = {{s, f->tokens, 1, REALIZAR_ROWS_LAST, NULL, NULL, NULL, NULL},
                                   {s, f->tokens, 1, REALIZAR_ROWS_LAST, NULL, NULL, NULL, NULL}};
    trueno_error err = {0};

    assert_int_equal(realizar_session_append(s, bad, 2, &err), TRUENO_USAGE);
    assert_non_null(strstr(err.message, "vocabulary"));
    assert_int_equal(realizar_session_append(s, &negative, 1, &err), TRUENO_USAGE);
    assert_int_equal(realizar_session_append(s, bad, 0, &err), TRUENO_USAGE);
    assert_int_equal(realizar_step(f->engine, twice, 2, &err), TRUENO_USAGE);
    assert_int_equal(realizar_session_length(s), 0);
    assert_int_equal(realizar_session_new(&t, f->engine, 1 << 30, &err), TRUENO_USAGE);
    assert_null(t);
    CHECK_OK(realizar_session_new(&t, f->engine, 5, &err));
    assert_int_equal(realizar_session_append(t, f->tokens, 6, &err), TRUENO_USAGE);
    CHECK_OK(realizar_session_append(t, f->tokens, 5, &err));
    assert_int_equal(realizar_session_append(t, f->tokens, 1, &err), TRUENO_USAGE);
    realizar_session_free(s);
    realizar_session_free(t);
}

static void bandwidth_is_measured(void **state)
{
    realizar_engine *e = open_demo(NULL);
    trueno_error err = {0};
    double gb_s = 0;

    (void)state;
    CHECK_OK(realizar_engine_bandwidth(e, &gb_s, &err));
    assert_true(gb_s > 0);
    e->backend->bandwidth = NULL;
    assert_int_equal(realizar_engine_bandwidth(e, &gb_s, &err), TRUENO_UNSUPPORTED);
    assert_int_equal((int)gb_s, 0);
    realizar_engine_close(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_equal_whole),
        cmocka_unit_test(rewinds_and_syncs),
        cmocka_unit_test(mixed_batches_equal_alone),
        cmocka_unit_test(threads_and_step_sizes_are_equal),
        cmocka_unit_test(callers_on_threads_are_gathered),
        cmocka_unit_test(watching_changes_nothing),
        cmocka_unit_test(cancelled_sessions_stop),
        cmocka_unit_test(bad_items_are_refused),
        cmocka_unit_test(bandwidth_is_measured),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
