/* SPDX-License-Identifier: MIT */
/* The sampler against hand-computed distributions, its order of settings, and bad logits. */
#include "support.h"

#include <math.h>

static realizar_sampler *make(const realizar_sampling *s, int32_t vocab)
{
    realizar_sampler *p;
    trueno_error err = {0};

    CHECK_OK(realizar_sampler_new(&p, s, NULL, vocab, NULL, &err));
    return p;
}

static realizar_sampling plain(void)
{
    realizar_sampling s;

    realizar_sampling_init(&s, sizeof s);
    s.temperature = 1.0f;
    s.top_k = 0;
    s.top_p = 1.0f;
    s.min_p = 0.0f;
    return s;
}

/* Draw `n` times and compare each token's frequency with `want` (5 standard deviations). */
static void check_frequencies(const realizar_sampling *s, const float *logits, const double *want,
                              int32_t vocab)
{
    enum { N = 40000 };
    realizar_sampler *p = make(s, vocab);
    int counts[16] = {0};
    trueno_error err = {0};

    for (int i = 0; i < N; i++) {
        realizar_candidate c;

        CHECK_OK(realizar_sampler_choose(p, logits, NULL, 0, &c, &err));
        counts[c.id]++;
    }
    for (int32_t id = 0; id < vocab; id++) {
        double spread = 5 * sqrt(N * want[id] * (1 - want[id]));

        if (fabs(counts[id] - N * want[id]) > spread)
            fail_msg("token %d came %d times, %.0f +- %.0f were expected", id, counts[id],
                     N * want[id], spread);
    }
    realizar_sampler_free(p);
}

/* Logits of these probabilities: 0.4 0.3 0.15 0.1 0.05. */
static const double P[5] = {0.15, 0.4, 0.05, 0.3, 0.1};

static void set_logits(float *logits)
{
    for (int i = 0; i < 5; i++)
        logits[i] = (float)log(P[i]) + 2.5f;
}

static void settings_shape_the_distribution(void **state)
{
    float logits[5];
    realizar_sampling s = plain();

    (void)state;
    set_logits(logits);
    check_frequencies(&s, logits, P, 5);
    s.top_k = 2;
    check_frequencies(&s, logits, (const double[]){0, 4.0 / 7, 0, 3.0 / 7, 0}, 5);
    s = plain();
    s.top_p = 0.71f; /* 0.4 + 0.3 is not enough, the third comes along */
    check_frequencies(&s, logits, (const double[]){0.15 / 0.85, 0.4 / 0.85, 0, 0.3 / 0.85, 0}, 5);
    s.top_p = 0.0f; /* at least one stays */
    check_frequencies(&s, logits, (const double[]){0, 1, 0, 0, 0}, 5);
    s = plain();
    s.min_p = 0.3f; /* of 0.4: 0.12 */
    check_frequencies(&s, logits, (const double[]){0.15 / 0.85, 0.4 / 0.85, 0, 0.3 / 0.85, 0}, 5);
    s = plain();
    s.temperature = 0.5f; /* squares */
    check_frequencies(
        &s, logits,
        (const double[]){0.0225 / 0.285, 0.16 / 0.285, 0.0025 / 0.285, 0.09 / 0.285, 0.01 / 0.285},
        5);
    s.top_p = 0.45f; /* nucleus before temperature: 0.4, then 0.3 */
    check_frequencies(&s, logits, (const double[]){0, 16.0 / 25, 0, 9.0 / 25, 0}, 5);
}

static void bias_forbids_and_forces(void **state)
{
    const realizar_logit_bias bias[] = {{1, -INFINITY}, {2, 100.0f}};
    float logits[5];
    realizar_sampling s = plain();

    (void)state;
    set_logits(logits);
    s.bias = bias;
    s.n_bias = 1;
    check_frequencies(&s, logits, (const double[]){0.25, 0, 0.05 / 0.6, 0.5, 0.1 / 0.6}, 5);
    s.n_bias = 2;
    check_frequencies(&s, logits, (const double[]){0, 0, 1, 0, 0}, 5);
}

static int32_t choose(const realizar_sampling *s, const float *logits, int32_t vocab,
                      const int32_t *recent, int32_t n_recent)
{
    realizar_sampler *p = make(s, vocab);
    realizar_candidate c;
    trueno_error err = {0};

    CHECK_OK(realizar_sampler_choose(p, logits, recent, n_recent, &c, &err));
    realizar_sampler_free(p);
    return c.id;
}

static void penalties_lower_what_came(void **state)
{
    const float logits[4] = {2.0f, 1.9f, -1.0f, -1.1f};
    const int32_t recent[] = {0, 0, 3};
    realizar_sampling s = plain();

    (void)state;
    s.temperature = 0;
    assert_int_equal(choose(&s, logits, 4, recent, 3), 0);
    s.repeat_penalty = 1.1f; /* 2.0 / 1.1 < 1.9 */
    assert_int_equal(choose(&s, logits, 4, recent, 3), 1);
    s.repeat_last_n = 1; /* only token 3 is seen */
    assert_int_equal(choose(&s, logits, 4, recent, 3), 0);
    s = plain();
    s.temperature = 0;
    s.frequency_penalty = 0.06f; /* twice: 1.88 */
    assert_int_equal(choose(&s, logits, 4, recent, 3), 1);
    s.frequency_penalty = 0.04f; /* twice: 1.92 */
    assert_int_equal(choose(&s, logits, 4, recent, 3), 0);
    s.frequency_penalty = 0;
    s.presence_penalty = 0.09f; /* once: 1.91 */
    assert_int_equal(choose(&s, logits, 4, recent, 3), 0);
    s.presence_penalty = 0.11f;
    assert_int_equal(choose(&s, logits, 4, recent, 3), 1);
    assert_int_equal(choose(&s, (const float[4]){1, 3, 3, 2}, 4, NULL, 0), 1); /* tie: lowest id */
}

static void bad_logits_are_named(void **state)
{
    const float nan_logits[3] = {0, NAN, 1}, none[3] = {-INFINITY, -INFINITY, -INFINITY};
    const float infinite[3] = {0, INFINITY, 1};
    realizar_sampling s = plain();
    realizar_sampler *p = make(&s, 3);
    realizar_candidate c;
    trueno_error err = {0};

    (void)state;
    assert_int_equal(realizar_sampler_choose(p, nan_logits, NULL, 0, &c, &err), TRUENO_INFERENCE);
    assert_non_null(strstr(err.message, "logit 1"));
    assert_int_equal(realizar_sampler_choose(p, none, NULL, 0, &c, &err), TRUENO_INFERENCE);
    assert_int_equal(realizar_sampler_choose(p, infinite, NULL, 0, &c, &err), TRUENO_INFERENCE);
    realizar_sampler_free(p);
}

static void bad_settings_are_named(void **state)
{
    realizar_sampler *p;
    realizar_sampling s = plain();
    const realizar_logit_bias far = {9, 1.0f};
    trueno_error err = {0};

    (void)state;
    s.temperature = NAN;
    assert_int_equal(realizar_sampler_new(&p, &s, NULL, 5, NULL, &err), TRUENO_USAGE);
    assert_non_null(strstr(err.message, "temperature"));
    s = plain();
    s.top_p = 1.5f;
    assert_int_equal(realizar_sampler_new(&p, &s, NULL, 5, NULL, &err), TRUENO_USAGE);
    s = plain();
    s.bias = &far;
    s.n_bias = 1;
    assert_int_equal(realizar_sampler_new(&p, &s, NULL, 5, NULL, &err), TRUENO_USAGE);
    assert_non_null(strstr(err.message, "9"));
    assert_null(p);
}

static void log_probabilities_are_the_models(void **state)
{
    float logits[5];
    realizar_sampling s = plain();
    realizar_candidate c, top[3];
    realizar_sampler *p;
    trueno_error err = {0};

    (void)state;
    set_logits(logits);
    s.temperature = 0;
    p = make(&s, 5);
    CHECK_OK(realizar_sampler_choose(p, logits, NULL, 0, &c, &err));
    assert_int_equal(c.id, 1);
    assert_true(fabs(c.log_probability - log(0.4)) < 1e-5);
    assert_int_equal(realizar_sampler_top(p, top, 3), 3);
    assert_int_equal(top[0].id, 1);
    assert_int_equal(top[1].id, 3);
    assert_int_equal(top[2].id, 0);
    assert_true(fabs(top[2].log_probability - log(0.15)) < 1e-5);
    realizar_sampler_free(p);
}

/* All of a large vocabulary in order: the selection against a full sort. */
static void large_vocabularies_are_ordered(void **state)
{
    enum { N = 5000 };
    float *logits = malloc(N * sizeof *logits);
    realizar_candidate top[N];
    realizar_sampling s = plain();
    realizar_sampler *p = make(&s, N);
    realizar_candidate c;
    uint32_t seed = 5;
    trueno_error err = {0};

    (void)state;
    for (int i = 0; i < N; i++) {
        seed = seed * 1664525u + 1013904223u;
        logits[i] = (float)(seed >> 20) * 0.01f; /* many ties */
    }
    CHECK_OK(realizar_sampler_choose(p, logits, NULL, 0, &c, &err));
    assert_int_equal(realizar_sampler_top(p, top, N), N);
    for (int i = 1; i < N; i++)
        assert_true(logits[top[i].id] < logits[top[i - 1].id] ||
                    (logits[top[i].id] == logits[top[i - 1].id] && top[i].id > top[i - 1].id));
    realizar_sampler_free(p);
    free(logits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_shape_the_distribution),
        cmocka_unit_test(bias_forbids_and_forces),
        cmocka_unit_test(penalties_lower_what_came),
        cmocka_unit_test(bad_logits_are_named),
        cmocka_unit_test(bad_settings_are_named),
        cmocka_unit_test(log_probabilities_are_the_models),
        cmocka_unit_test(large_vocabularies_are_ordered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
