/* SPDX-License-Identifier: MIT */
/* Generation over the demo model: ends, stop texts, held-back text, memory, injected failures. */
#include "held_text.h"
#include "support.h"

/* Generate from QUESTION; the text in out (NUL-terminated), the finish as result. */
static realizar_finish answer(realizar_engine *e, const realizar_generation_options *o, char *out,
                              size_t capacity, int32_t *n_ids)
{
    realizar_session *s = open_session(e);
    realizar_generation *g;
    realizar_piece piece;
    realizar_finish finish;
    int32_t ids[128];
    size_t used = 0, count = encode(e, QUESTION, ids, 128);
    trueno_error err = {0};
    int more;

    CHECK_OK(realizar_generation_start(&g, s, ids, (int32_t)count, o, &err));
    while ((more = realizar_generation_next(g, &piece, &err)) == 1) {
        assert_true(used + piece.bytes < capacity);
        memcpy(out + used, piece.text, piece.bytes);
        used += piece.bytes;
        assert_true(piece.log_probability <= 0);
    }
    CHECK_OK((trueno_status)more);
    out[used] = '\0';
    (void)realizar_generation_ids(g, n_ids);
    finish = realizar_generation_finish(g);
    assert_int_equal(realizar_generation_next(g, &piece, &err), 0);
    realizar_generation_free(g);
    realizar_session_free(s);
    return finish;
}

static void ends_of_all_kinds(void **state)
{
    realizar_engine *e = open_demo(NULL);
    realizar_generation_options o;
    const char *stop[] = {"never in it", "="};
    char whole[400], text[400], *equals;
    int32_t n, all;

    (void)state;
    realizar_generation_options_init(&o, sizeof o, e);
    assert_true(o.sampling.temperature == 0); /* the demo's own default is greedy */
    assert_int_equal(answer(e, &o, whole, sizeof whole, &all), REALIZAR_FINISH_STOP);
    assert_non_null(strstr(whole, "4"));
    o.max_tokens = 2;
    assert_int_equal(answer(e, &o, text, sizeof text, &n), REALIZAR_FINISH_LENGTH);
    assert_int_equal(n, 2);
    assert_memory_equal(text, whole, strlen(text));
    o.max_tokens = 0;
    o.stops = stop;
    o.n_stops = 2;
    assert_int_equal(answer(e, &o, text, sizeof text, &n), REALIZAR_FINISH_STOP_TEXT);
    equals = strchr(whole, '=');
    assert_non_null(equals);
    assert_int_equal(strlen(text), equals - whole);
    assert_memory_equal(text, whole, strlen(text));
    o.n_stops = 0;
    o.ignore_eos = true;
    o.max_tokens = all + 3;
    assert_int_equal(answer(e, &o, text, sizeof text, &n), REALIZAR_FINISH_LENGTH);
    assert_int_equal(n, all + 3);
    realizar_engine_close(e);
}

static void context_is_never_cut(void **state)
{
    realizar_engine *e = open_demo(NULL);
    realizar_session *s;
    realizar_generation *g;
    realizar_generation_options o;
    realizar_piece piece;
    int32_t ids[128], n = 0;
    size_t count = encode(e, QUESTION, ids, 128);
    trueno_error err = {0};

    (void)state;
    realizar_generation_options_init(&o, sizeof o, e);
    o.ignore_eos = true;
    CHECK_OK(realizar_session_new(&s, e, (int32_t)count - 1, &err));
    assert_int_equal(realizar_generation_start(&g, s, ids, (int32_t)count, &o, &err), TRUENO_USAGE);
    assert_null(g);
    assert_non_null(strstr(err.message, "context"));
    realizar_session_free(s);

    CHECK_OK(realizar_session_new(&s, e, (int32_t)count + 3, &err));
    CHECK_OK(realizar_generation_start(&g, s, ids, (int32_t)count, &o, &err));
    while (realizar_generation_next(g, &piece, &err) == 1)
        n++;
    assert_int_equal(n, 4); /* three positions left, and one more token that needs none */
    assert_int_equal(realizar_generation_finish(g), REALIZAR_FINISH_LENGTH);
    realizar_generation_free(g);
    realizar_session_free(s);
    realizar_engine_close(e);
}

static void seeds_decide(void **state)
{
    realizar_engine *e = open_demo(NULL);
    realizar_generation_options o;
    char a[2000], b[2000];
    int32_t n;
    int different = 0;

    (void)state;
    realizar_generation_options_init(&o, sizeof o, e);
    o.sampling.temperature = 3.0f;
    o.sampling.top_k = 0;
    o.sampling.top_p = 1.0f;
    o.sampling.min_p = 0.0f;
    o.max_tokens = 20;
    for (o.sampling.seed = 1; o.sampling.seed < 6; o.sampling.seed++) {
        (void)answer(e, &o, a, sizeof a, &n);
        (void)answer(e, &o, b, sizeof b, &n);
        assert_string_equal(a, b);
        o.sampling.seed += 100;
        (void)answer(e, &o, b, sizeof b, &n);
        o.sampling.seed -= 100;
        different += strcmp(a, b) != 0;
    }
    assert_true(different >= 4);
    realizar_engine_close(e);
}

/* Open, generate and close with hooks; the status of the first call that failed. */
static trueno_status whole_run(const trueno_allocator *hooks, char *out, size_t capacity)
{
    realizar_engine_options o;
    realizar_engine *e = NULL;
    realizar_session *s = NULL;
    realizar_generation *g = NULL;
    realizar_piece piece;
    trueno_error err = {0};
    int32_t ids[128];
    size_t count = 0, used = 0;
    trueno_status status;
    int more;

    realizar_engine_options_init(&o, sizeof o);
    o.allocator = hooks;
    o.threads = 2;
    if ((status = realizar_engine_open_demo(&e, &o, &err)) < 0)
        goto done;
    status = realizar_tokenizer_encode(realizar_engine_tokenizer(e), QUESTION, strlen(QUESTION),
                                       REALIZAR_ENCODE_SPECIAL, ids, 128, &count, &err);
    if (status < 0 || (status = realizar_session_new(&s, e, 200, &err)) < 0 ||
        (status = realizar_generation_start(&g, s, ids, (int32_t)count, NULL, &err)) < 0)
        goto done;
    while ((more = realizar_generation_next(g, &piece, &err)) == 1 &&
           used + piece.bytes < capacity) {
        memcpy(out + used, piece.text, piece.bytes);
        used += piece.bytes;
    }
    status = (trueno_status)(more < 0 ? more : 0);
done:
    out[used] = '\0';
    realizar_generation_free(g);
    realizar_session_free(s);
    realizar_engine_close(e);
    if (status < 0)
        assert_true(err.message[0] != '\0');
    return status;
}

static void memory_failures_are_survived(void **state)
{
    char text[400];
    int failures = 0;

    (void)state;
    for (int fail_on = 0; fail_on < 2; fail_on++)
        for (long long at = 1;; at++) {
            test_allocator t = {.fail_at = at, .fail_on = fail_on};
            trueno_allocator hooks = test_hooks(&t);
            trueno_status status = whole_run(&hooks, text, sizeof text);

            assert_int_equal(t.blocks, 0);
            assert_int_equal(t.bytes, 0);
            if (t.calls < at) { /* the failing call never came: all was well */
                assert_int_equal(status, TRUENO_OK);
                assert_non_null(strstr(text, "4"));
                break;
            }
            failures += status == TRUENO_NO_MEMORY;
        }
    assert_true(failures > 20);
}

static void no_allocation_per_token(void **state)
{
    test_allocator t = {0};
    trueno_allocator hooks = test_hooks(&t);
    realizar_engine_options o;
    realizar_engine *e;
    realizar_session *s;
    trueno_error err = {0};
    int32_t ids[80];
    long long before;

    (void)state;
    realizar_engine_options_init(&o, sizeof o);
    o.allocator = &hooks;
    e = open_demo(&o);
    s = open_session(e);
    fill_tokens(ids, 80, demo_vocab(e), 3);
    CHECK_OK(realizar_session_append(s, ids, 10, &err));
    CHECK_OK(realizar_session_append(s, ids, 1, &err));
    before = t.calls;
    for (int i = 11; i < 60; i++)
        CHECK_OK(realizar_session_append(s, ids + i, 1, &err));
    assert_int_equal(t.calls, before);
    realizar_session_free(s);
    realizar_engine_close(e);
    assert_int_equal(t.blocks, 0);
}

/* Feed `parts`, collecting what is released after each; "|" in `want` marks the parts. */
static void check_held(const char *const *stops, size_t n_stops, const char *const *parts,
                       const char *want)
{
    held_text h;
    trueno_error err = {0};
    char got[200] = "";

    CHECK_OK(held_text_init(&h, stops, n_stops, NULL, &err));
    for (; *parts != NULL; parts++) {
        size_t n;
        const char *text;

        CHECK_OK(held_text_add(&h, *parts, strlen(*parts), &err));
        text = held_text_take(&h, parts[1] == NULL, &n);
        strncat(got, text != NULL ? text : "", n);
        strcat(got, "|");
    }
    assert_string_equal(got, want);
    held_text_free(&h);
}

static void text_is_held_back(void **state)
{
    const char *const stops[] = {"END", "E\n", "dog"};

    (void)state;
    check_held(NULL, 0, (const char *[]){"a", "\xe4", "\xbd", "\xa0!", "b", NULL}, "a|||你!|b|");
    check_held(NULL, 0, (const char *[]){"\xf0\x9f", "\x98\x80", "\xe4", NULL}, "|😀|\xe4|");
    check_held(NULL, 0, (const char *[]){"x\xffy", "\xff", NULL}, "x\xffy|\xff|");
    check_held(stops, 3, (const char *[]){"aE", "N", "D b", "c", NULL}, "a||||");
    check_held(stops, 3, (const char *[]){"aE", "N", "C", "x", NULL}, "a||ENC|x|");
    check_held(stops, 3, (const char *[]){"EE", "\n", "x", NULL}, "E|||");
    check_held(stops, 3, (const char *[]){"do", "dog", NULL}, "|do|");
    check_held(stops, 3, (const char *[]){"hot dogE", NULL}, "hot |");
    check_held(stops, 3, (const char *[]){"d", NULL}, "d|");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_of_all_kinds),
        cmocka_unit_test(context_is_never_cut),
        cmocka_unit_test(seeds_decide),
        cmocka_unit_test(memory_failures_are_survived),
        cmocka_unit_test(no_allocation_per_token),
        cmocka_unit_test(text_is_held_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
