/* SPDX-License-Identifier: MIT */
/* The learners against scikit-learn's results on the same data (tests/references/learn.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <apr/learn.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(regression_as_recorded),  cmocka_unit_test(kmeans_as_recorded),
        cmocka_unit_test(pca_as_recorded),         cmocka_unit_test(bayes_as_recorded),
        cmocka_unit_test(mahalanobis_as_recorded), cmocka_unit_test(standardize_as_recorded),
        cmocka_unit_test(wilson_as_recorded),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
