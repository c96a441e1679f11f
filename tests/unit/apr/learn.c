/* SPDX-License-Identifier: MIT */
/* Properties of the learners on fresh random data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "memory_fixture.h"
#include <apr/learn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t seed;

static int choose_seed(void **state)
{
    const char *given = getenv("TEST_SEED"); /* to repeat a run */

    (void)state;
    seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    print_message("TEST_SEED=%llu\n", (unsigned long long)seed);
    return 0;
}

static void ok(trueno_status status, const trueno_error *err)
{
    if (status < 0)
        fail_msg("%s", err->message);
}

static double uniform(void)
{
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    return (double)(seed >> 11) * 0x1p-53;
}

/* Over random proportions and sample sizes, 95 % intervals hold the truth at least so often, on
 * average (F-CONF-001). */
static void wilson_covers(void **state)
{
    int held = 0, trials = 4000;

    (void)state;
    for (int i = 0; i < trials; i++) {
        const uint64_t n = 20 + (uint64_t)(uniform() * 200);
        double p = 0.02 + 0.96 * uniform(), low, high;
        uint64_t k = 0;

        for (uint64_t j = 0; j < n; j++)
            k += uniform() < p;
        apr_wilson_interval(k, n, 1.959964, &low, &high);
        held += low <= p && p <= high;
    }
    assert_in_range(held, trials * 94 / 100, trials * 97 / 100); /* 95 % within 3 deviations */
}

static void kmeans_repeats_itself(void **state)
{
    double x[200], a[20], b[20];
    int32_t one[100], two[100];
    apr_kmeans_options options = {.size = sizeof options, .seed = 7, .restarts = 3};
    trueno_error err;

    (void)state;
    for (int i = 0; i < 200; i++)
        x[i] = uniform();
    ok(apr_kmeans_fit(x, 100, 2, 10, &options, a, one, NULL, NULL, &err), &err);
    ok(apr_kmeans_fit(x, 100, 2, 10, &options, b, two, NULL, NULL, &err), &err);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_equal(one, two, sizeof one);
}

/* Many equal points: no cluster stays empty of what there is, and nothing divides by zero. */
static void kmeans_of_equal_points(void **state)
{
    double x[40] = {0}, centres[8], inertia;
    int32_t labels[20];
    trueno_error err;

    (void)state;
    x[38] = 5;
    ok(apr_kmeans_fit(x, 20, 2, 4, NULL, centres, labels, &inertia, NULL, &err), &err);
    assert_true(inertia == 0);
    for (int i = 0; i < 8; i++)
        assert_true(isfinite(centres[i]));
    assert_int_not_equal(labels[19], labels[0]);
}

static void pca_is_orthonormal(void **state)
{
    enum { N = 30, D = 20 };
    double x[N * D], mean[D], components[D * D], variance[D], total, sum = 0;
    trueno_error err;

    (void)state;
    for (int i = 0; i < N * D; i++)
        x[i] = (uniform() - 0.5) * pow(10, -(i % D) / 3.0);
    ok(apr_pca_fit(x, N, D, D, mean, components, variance, &total, NULL, &err), &err);
    for (int a = 0; a < D; a++) {
        sum += variance[a];
        assert_true(a == 0 || variance[a] <= variance[a - 1]);
        for (int b = 0; b < D; b++) {
            double dot = 0;

            for (int j = 0; j < D; j++)
                dot += components[a * D + j] * components[b * D + j];
            assert_true(fabs(dot - (a == b)) < 1e-12);
        }
    }
    assert_true(fabs(sum - total) < 1e-12 * total);
}

/* A column 1e8 away from zero costs no digits: the fits centre first. */
static void far_from_zero(void **state)
{
    double x[50], y[50], weights[2], mean, component, variance;
    trueno_error err;

    (void)state;
    for (int i = 0; i < 50; i++) {
        double t = uniform();

        x[i] = 1e8 + t;
        y[i] = 3 * (x[i] - 1e8) - 2;
    }
    ok(apr_regression_fit(x, y, 50, 1, weights, NULL, NULL, &err), &err);
    assert_true(fabs(weights[1] - 3) < 1e-6);
    ok(apr_pca_fit(x, 50, 1, 1, &mean, &component, &variance, NULL, NULL, &err), &err);
    assert_true(variance > 0.02 && variance < 0.2);
}

static void bayes_of_missing_class(void **state)
{
    const double x[] = {0, 0.1, 5, 5.1};
    const int32_t labels[] = {0, 0, 2, 2};
    double priors[3], means[3], variances[3], share[3];
    trueno_error err;

    (void)state;
    ok(apr_bayes_fit(x, labels, 4, 1, 3, priors, means, variances, &err), &err);
    assert_true(priors[1] == 0);
    assert_int_equal(apr_bayes_predict(priors, means, variances, 3, &x[1], 1, share), 0);
    assert_int_equal(apr_bayes_predict(priors, means, variances, 3, &x[2], 1, share), 2);
    assert_true(share[1] == 0 && fabs(share[0] + share[2] - 1) < 1e-12);
    double far = 1e9; /* densities underflow, shares do not */
    assert_int_equal(apr_bayes_predict(priors, means, variances, 3, &far, 1, share), 2);
    assert_true(share[2] > 0.5);
}

/* Fewer than one good conversion in twenty is called bad when the threshold is the 99 % quantile
 * of known good ones (F-ANOM-001), and a plainly bad one is caught. */
static void mahalanobis_false_alarms(void **state)
{
    enum { N = 1000, D = 6 };
    static double x[N * D];
    double mean[D], factor[D * D], scratch[D], shrinkage = -1, bad[D];
    trueno_error err;
    int alarms = 0;

    (void)state;
    for (int i = 0; i < N * D; i++)
        x[i] = uniform() + uniform() + uniform() - 1.5;
    ok(apr_mahalanobis_fit(x, N / 2, D, mean, factor, &shrinkage, NULL, &err), &err);
    for (int i = N / 2; i < N; i++) /* chi-squared of 6 degrees: 16.81 at 99 % */
        alarms += apr_mahalanobis_distance(mean, factor, x + (size_t)i * D, D, scratch) > 16.81;
    assert_true(alarms * 20 < N / 2);
    for (int j = 0; j < D; j++)
        bad[j] = 4;
    assert_true(apr_mahalanobis_distance(mean, factor, bad, D, scratch) > 10 * 16.81);
}

static void tarantula_ranks(void **state)
{
    apr_suspect s[] = {{.name = "innocent", .passed = 80, .failed = 0},
                       {.name = "common", .passed = 80, .failed = 20},
                       {.name = "never", .passed = 0, .failed = 0},
                       {.name = "guilty", .passed = 2, .failed = 20},
                       {.name = "rare", .passed = 19, .failed = 1}};

    (void)state;
    apr_tarantula_rank(s, 5, 80, 20);
    assert_string_equal(s[0].name, "guilty");
    assert_true(fabs(s[0].suspicion - 1 / (1 + 2.0 / 80)) < 1e-15);
    assert_int_equal(s[0].priority, APR_PRIORITY_CRITICAL);
    assert_string_equal(s[1].name, "common");
    assert_true(s[1].suspicion == 0.5);
    assert_int_equal(s[1].priority, APR_PRIORITY_HIGH); /* 20 % is not over 20 % */
    assert_string_equal(s[2].name, "rare");
    assert_int_equal(s[2].priority, APR_PRIORITY_LOW); /* 5 % is not over 5 % */
    assert_string_equal(s[3].name, "innocent");        /* equal to "never": the order given */
    assert_true(s[3].suspicion == 0 && s[4].suspicion == 0);
    apr_tarantula_rank(s, 5, 0, 0);
    assert_true(s[0].suspicion == 0);
}

/* One guilty decision among 20 that runs take at random: innocent ones rank above it in fewer than
 * 10 % of trials (F-SBFL-001). */
static void tarantula_accuses_rightly(void **state)
{
    int wrong = 0;

    (void)state;
    for (int trial = 0; trial < 200; trial++) {
        apr_suspect s[20] = {{0}};
        uint64_t passed = 0, failed = 0;

        for (int i = 0; i < 20; i++)
            s[i].name = i == 7 ? "guilty" : "innocent";
        for (int run = 0; run < 200; run++) {
            unsigned taken = (unsigned)(uniform() * (1 << 20));
            bool fails = (taken >> 7 & 1) != 0 && uniform() < 0.8;

            *(fails ? &failed : &passed) += 1;
            for (int i = 0; i < 20; i++)
                *(fails ? &s[i].failed : &s[i].passed) += taken >> i & 1;
        }
        apr_tarantula_rank(s, 20, passed, failed);
        wrong += strcmp(s[0].name, "guilty") != 0;
    }
    assert_in_range(wrong, 0, 19);
}

static void andon_levels(void **state)
{
    (void)state;
    assert_int_equal(apr_andon_level(0.9, 0.9), APR_ANDON_GREEN);
    assert_int_equal(apr_andon_level(0.89, 0.9), APR_ANDON_YELLOW);
    assert_int_equal(apr_andon_level(0.45, 0.9), APR_ANDON_YELLOW);
    assert_int_equal(apr_andon_level(0.44, 0.9), APR_ANDON_RED);
}

static void refusals(void **state)
{
    double x[8] = {1, 2, 3, 4, 5, 6, 7, 8}, y[4] = {1, 2, 3, 4}, out[64], s = 0;
    const double same[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    int32_t labels[4] = {0, 1, 0, 3};
    trueno_error err;

    (void)state;
    assert_int_equal(apr_regression_fit(x, y, 1, 2, out, NULL, NULL, &err), TRUENO_USAGE);
    assert_int_equal(apr_regression_fit(x, y, 4, 0, out, NULL, NULL, &err), TRUENO_USAGE);
    assert_int_equal(apr_kmeans_fit(x, 4, 2, 5, NULL, out, labels, NULL, NULL, &err), TRUENO_USAGE);
    assert_int_equal(apr_kmeans_fit(x, 4, 2, 0, NULL, out, labels, NULL, NULL, &err), TRUENO_USAGE);
    assert_int_equal(apr_pca_fit(x, 4, 2, 3, out, out, out, NULL, NULL, &err), TRUENO_USAGE);
    assert_int_equal(apr_bayes_fit(x, labels, 4, 2, 3, out, out, out, &err), TRUENO_USAGE);
    assert_non_null(strstr(err.message, "class"));
    memset(labels, 0, sizeof labels);
    assert_int_equal(apr_silhouette(x, labels, 4, 2, 2, out, NULL, &err), TRUENO_USAGE);
    assert_int_equal(apr_mahalanobis_fit(same, 4, 2, out, out + 8, &s, NULL, &err), TRUENO_CONTENT);
    x[5] = NAN;
    assert_int_equal(apr_regression_fit(x, y, 4, 2, out, NULL, NULL, &err), TRUENO_CONTENT);
    assert_string_equal(err.message, "observation 2, column 1 is not finite");
    x[5] = 6;
    y[3] = INFINITY;
    assert_int_equal(apr_regression_fit(x, y, 4, 2, out, NULL, NULL, &err), TRUENO_CONTENT);
}

static void without_memory(void **state)
{
    double x[20], y[10], out[64], s = 0.1;
    int32_t labels[10];
    counting c;
    trueno_error err;

    (void)state;
    for (int i = 0; i < 20; i++)
        x[i] = uniform();
    memcpy(y, x, sizeof y);
    counting_init(&c);
    c.fail_at = 1;
    c.fail_for_good = true;
    assert_int_equal(apr_regression_fit(x, y, 10, 2, out, NULL, &c.allocator, &err),
                     TRUENO_NO_MEMORY);
    assert_int_equal(apr_kmeans_fit(x, 10, 2, 2, NULL, out, labels, NULL, &c.allocator, &err),
                     TRUENO_NO_MEMORY);
    assert_int_equal(apr_pca_fit(x, 10, 2, 1, out, out + 8, out + 16, NULL, &c.allocator, &err),
                     TRUENO_NO_MEMORY);
    assert_int_equal(apr_mahalanobis_fit(x, 10, 2, out, out + 8, &s, &c.allocator, &err),
                     TRUENO_NO_MEMORY);
    memset(labels, 0, sizeof labels);
    assert_int_equal(apr_silhouette(x, labels, 10, 2, 2, out, &c.allocator, &err),
                     TRUENO_NO_MEMORY);
    assert_int_equal(c.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wilson_covers),
        cmocka_unit_test(kmeans_repeats_itself),
        cmocka_unit_test(kmeans_of_equal_points),
        cmocka_unit_test(pca_is_orthonormal),
        cmocka_unit_test(far_from_zero),
        cmocka_unit_test(bayes_of_missing_class),
        cmocka_unit_test(mahalanobis_false_alarms),
        cmocka_unit_test(tarantula_ranks),
        cmocka_unit_test(tarantula_accuses_rightly),
        cmocka_unit_test(andon_levels),
        cmocka_unit_test(refusals),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, choose_seed, NULL);
}
