/* SPDX-License-Identifier: MIT */
/* The learners against scikit-learn's results on the same data (tests/references/learn.py), and
 * properties on fresh random data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "memory_fixture.h"
#include <apr/learn.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static json_t *recorded;
static uint64_t seed;

static int load(void **state)
{
    const char *given = getenv("TEST_SEED"); /* to repeat a run */
    json_error_t problem;

    (void)state;
    recorded = json_load_file(TEST_DATA_DIR "/learn.json", 0, &problem);
    seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    print_message("TEST_SEED=%llu\n", (unsigned long long)seed);
    return recorded == NULL;
}

static int unload(void **state)
{
    (void)state;
    json_decref(recorded);
    return 0;
}

/* A matrix or list of a case as one run of doubles; the caller frees it. */
static double *numbers(const json_t *c, const char *key, size_t *rows, size_t *cols)
{
    const json_t *list = json_object_get(c, key);
    size_t n = json_array_size(list), d = 1, at = 0;
    double *out;

    assert_non_null(list);
    if (json_is_array(json_array_get(list, 0)))
        d = json_array_size(json_array_get(list, 0));
    out = malloc((n * d + 1) * sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < d; j++) {
            const json_t *row = json_array_get(list, i);

            out[at++] = json_number_value(json_is_array(row) ? json_array_get(row, j) : row);
        }
    if (rows != NULL)
        *rows = n;
    if (cols != NULL)
        *cols = d;
    return out;
}

static int32_t *whole_numbers(const json_t *c, const char *key)
{
    const json_t *list = json_object_get(c, key);
    int32_t *out = malloc((json_array_size(list) + 1) * sizeof *out);

    assert_non_null(out);
    for (size_t i = 0; i < json_array_size(list); i++)
        out[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return out;
}

static double number(const json_t *c, const char *key)
{
    assert_non_null(json_object_get(c, key));
    return json_number_value(json_object_get(c, key));
}

static void near(const double *got, const double *want, size_t n, double tolerance)
{
    double size = 0;

    for (size_t i = 0; i < n; i++)
        size = fmax(size, fabs(want[i]));
    for (size_t i = 0; i < n; i++)
        if (!(fabs(got[i] - want[i]) <= tolerance * fmax(size, 1e-300)))
            fail_msg("value %zu of %zu: %.17g, wanted %.17g", i, n, got[i], want[i]);
}

static void poison(double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = NAN;
}

static void ok(trueno_status status, const trueno_error *err)
{
    if (status < 0)
        fail_msg("%s", err->message);
}

static const json_t *cases_of(const char *name)
{
    const json_t *list = json_object_get(recorded, name);

    assert_true(json_array_size(list) > 0);
    return list;
}

static void regression_as_recorded(void **state)
{
    const json_t *list = cases_of("regression");

    (void)state;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *c = json_array_get(list, i);
        size_t n, d, wanted, rank = 99;
        double *x = numbers(c, "x", &n, &d), *y = numbers(c, "y", NULL, NULL);
        double *want = numbers(c, "weights", &wanted, NULL);
        double *predicted = numbers(c, "predicted", NULL, NULL), got[16], line[128];
        trueno_error err;

        poison(got, 16);
        ok(apr_regression_fit(x, y, n, d, got, &rank, NULL, &err), &err);
        if (wanted > 0) /* else columns depend on each other, and weights are not unique */
            for (size_t j = 0; j < d; j++)
                near(&got[1 + j], &want[1 + j], 1, 1e-6); /* units differ by 1e8 */
        for (size_t k = 0; k < n; k++)
            line[k] = apr_regression_predict(got, x + k * d, d);
        near(line, predicted, n, 1e-10);
        assert_int_equal(rank, (size_t)number(c, "rank"));
        assert_true(fabs(apr_regression_r2(y, line, n) - number(c, "r2")) < 1e-10);
        free(x);
        free(y);
        free(want);
        free(predicted);
    }
}

/* Two labellings are the same up to the names of the clusters. */
static void same_partition(const int32_t *a, const int32_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            if ((a[i] == a[j]) != (b[i] == b[j]))
                fail_msg("points %zu and %zu: together in one, apart in the other", i, j);
}

static void kmeans_as_recorded(void **state)
{
    const json_t *list = cases_of("kmeans");

    (void)state;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *c = json_array_get(list, i);
        const size_t k = (size_t)number(c, "k");
        apr_kmeans_options options = {.size = sizeof options, .seed = seed, .restarts = 2000};
        double centres[64], inertia = NAN, silhouette = NAN;
        int32_t *want = whole_numbers(c, "labels"), got[128];
        trueno_error err;
        size_t n, d;
        double *x = numbers(c, "x", &n, &d);

        ok(apr_kmeans_fit(x, n, d, k, &options, centres, got, &inertia, NULL, &err), &err);
        /* never worse than the best of scikit-learn's 200 runs */
        assert_true(inertia <= number(c, "inertia") * (1 + 1e-9));
        if (inertia >= number(c, "inertia") * (1 - 1e-9))
            same_partition(got, want, n);
        ok(apr_silhouette(x, want, n, d, k, &silhouette, NULL, &err), &err);
        assert_true(fabs(silhouette - number(c, "silhouette")) < 1e-12);
        for (size_t p = 0; p < n; p++)
            assert_int_equal(apr_kmeans_nearest(centres, k, x + p * d, d), got[p]);
        free(x);
        free(want);
    }
}

static void pca_as_recorded(void **state)
{
    const json_t *list = cases_of("pca");

    (void)state;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *c = json_array_get(list, i);
        const size_t m = (size_t)number(c, "m");
        size_t n, d;
        double *x = numbers(c, "x", &n, &d), *want = numbers(c, "components", NULL, NULL);
        double *mean_wanted = numbers(c, "mean", NULL, NULL);
        double *variance_wanted = numbers(c, "variance", NULL, NULL);
        double *ratio = numbers(c, "ratio", NULL, NULL),
               *projected = numbers(c, "projected", NULL, NULL);
        double mean[16], components[256], variance[16], total = NAN, out[16];
        trueno_error err;

        poison(components, 256);
        ok(apr_pca_fit(x, n, d, m, mean, components, variance, &total, NULL, &err), &err);
        near(mean, mean_wanted, d, 1e-12);
        near(variance, variance_wanted, m, 1e-12);
        near(components, want, m * d, 1e-7); /* those of little variance are the least certain */
        for (size_t k = 0; k < m; k++)
            assert_true(fabs(variance[k] / total - ratio[k]) < 1e-12);
        for (size_t p = 0; p < n; p++) {
            apr_pca_project(mean, components, m, x + p * d, d, out);
            near(out, projected + p * m, m, 1e-7);
        }
        free(x);
        free(want);
        free(mean_wanted);
        free(variance_wanted);
        free(ratio);
        free(projected);
    }
}

static void bayes_as_recorded(void **state)
{
    const json_t *list = cases_of("bayes");

    (void)state;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *c = json_array_get(list, i);
        const size_t classes = (size_t)number(c, "c");
        size_t n, d;
        double *x = numbers(c, "x", &n, &d), *want = numbers(c, "probabilities", NULL, NULL);
        double *wanted_priors = numbers(c, "priors", NULL, NULL);
        double *wanted_means = numbers(c, "means", NULL, NULL);
        double *wanted_variances = numbers(c, "variances", NULL, NULL);
        int32_t *labels = whole_numbers(c, "labels"), *chosen = whole_numbers(c, "chosen");
        double priors[8], means[64], variances[64], share[8];
        trueno_error err;

        ok(apr_bayes_fit(x, labels, n, d, classes, priors, means, variances, &err), &err);
        near(priors, wanted_priors, classes, 1e-15);
        near(means, wanted_means, classes * d, 1e-13);
        near(variances, wanted_variances, classes * d, 1e-12);
        for (size_t p = 0; p < n; p++) {
            assert_int_equal(
                apr_bayes_predict(priors, means, variances, classes, x + p * d, d, share),
                chosen[p]);
            near(share, want + p * classes, classes, 1e-9);
        }
        free(x);
        free(want);
        free(wanted_priors);
        free(wanted_means);
        free(wanted_variances);
        free(labels);
        free(chosen);
    }
}

static void mahalanobis_as_recorded(void **state)
{
    const json_t *list = cases_of("mahalanobis");

    (void)state;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *c = json_array_get(list, i);
        double mean[16], factor[256], covariance[256], scratch[16], got[16];
        double shrinkage = number(c, "given");
        size_t n, d, probes;
        double *x = numbers(c, "x", &n, &d), *want = numbers(c, "covariance", NULL, NULL);
        double *probe = numbers(c, "probe", &probes, NULL);
        double *distances = numbers(c, "distances", NULL, NULL);
        trueno_error err;

        ok(apr_mahalanobis_fit(x, n, d, mean, factor, &shrinkage, NULL, &err), &err);
        assert_true(fabs(shrinkage - number(c, "shrinkage")) < 1e-12);
        for (size_t a = 0; a < d; a++)
            for (size_t b = 0; b < d; b++) {
                covariance[a * d + b] = 0;
                for (size_t k = 0; k < d; k++)
                    covariance[a * d + b] += factor[a * d + k] * factor[b * d + k];
            }
        near(covariance, want, d * d, 1e-12);
        for (size_t p = 0; p < probes; p++)
            got[p] = apr_mahalanobis_distance(mean, factor, probe + p * d, d, scratch);
        near(got, distances, probes, 1e-9);
        free(x);
        free(want);
        free(probe);
        free(distances);
    }
}

static void standardize_as_recorded(void **state)
{
    const json_t *c = json_array_get(cases_of("scaled"), 0);
    size_t n, d;
    double *x = numbers(c, "x", &n, &d), *mean_wanted = numbers(c, "mean", NULL, NULL);
    double *scale_wanted = numbers(c, "scale", NULL, NULL), mean[8], scale[8];
    trueno_error err;

    (void)state;
    ok(apr_standardize_fit(x, n, d, mean, scale, &err), &err);
    for (size_t j = 0; j < d; j++) {
        near(&mean[j], &mean_wanted[j], 1, 1e-12);
        near(&scale[j], &scale_wanted[j], 1, 1e-9);
    }
    assert_true(scale[3] == 1); /* the constant column */
    apr_standardize_apply(x, n, d, mean, scale, x);
    ok(apr_standardize_fit(x, n, d, mean, scale, &err), &err);
    for (size_t j = 0; j < 3; j++)
        assert_true(fabs(mean[j]) < 1e-9 && fabs(scale[j] - 1) < 1e-9);
    free(x);
    free(mean_wanted);
    free(scale_wanted);
}

static void wilson_as_recorded(void **state)
{
    const json_t *list = cases_of("wilson");
    double low, high;

    (void)state;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *c = json_array_get(list, i);

        apr_wilson_interval((uint64_t)number(c, "k"), (uint64_t)number(c, "n"), number(c, "z"),
                            &low, &high);
        assert_true(fabs(low - number(c, "low")) < 1e-9 && fabs(high - number(c, "high")) < 1e-9);
    }
    apr_wilson_interval(0, 0, 1.96, &low, &high);
    assert_true(low == 0 && high == 1);
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
        cmocka_unit_test(regression_as_recorded),
        cmocka_unit_test(kmeans_as_recorded),
        cmocka_unit_test(pca_as_recorded),
        cmocka_unit_test(bayes_as_recorded),
        cmocka_unit_test(mahalanobis_as_recorded),
        cmocka_unit_test(standardize_as_recorded),
        cmocka_unit_test(wilson_as_recorded),
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

    return cmocka_run_group_tests(tests, load, unload);
}
