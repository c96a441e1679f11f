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

enum { MOST_LISTS = 16 };

static json_t *recorded;
static uint64_t seed;

/* Lists of the case at hand, freed before the next. */
static void *lists[MOST_LISTS];
static int n_lists;

static void *new_list(size_t bytes)
{
    void *list = malloc(bytes);

    assert_non_null(list);
    assert_true(n_lists < MOST_LISTS);
    lists[n_lists++] = list;
    return list;
}

static void free_lists(void)
{
    while (n_lists > 0)
        free(lists[--n_lists]);
}

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
    free_lists();
    json_decref(recorded);
    return 0;
}

/* A matrix or list of a case as one run of doubles. */
static double *numbers(const json_t *c, const char *key, size_t *rows, size_t *cols)
{
    const json_t *list = json_object_get(c, key);
    size_t n = json_array_size(list), d = 1, at = 0;
    double *out;

    assert_non_null(list);
    if (json_is_array(json_array_get(list, 0)))
        d = json_array_size(json_array_get(list, 0));
    out = new_list((n * d + 1) * sizeof *out);
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
    int32_t *out = new_list((json_array_size(list) + 1) * sizeof *out);

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

static void regression(const json_t *c)
{
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
}

/* Two labellings are the same up to the names of the clusters. */
static void same_partition(const int32_t *a, const int32_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            if ((a[i] == a[j]) != (b[i] == b[j]))
                fail_msg("points %zu and %zu: together in one, apart in the other", i, j);
}

static void kmeans(const json_t *c)
{
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
}

static void pca(const json_t *c)
{
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
}

static void bayes(const json_t *c)
{
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
        assert_int_equal(apr_bayes_predict(priors, means, variances, classes, x + p * d, d, share),
                         chosen[p]);
        near(share, want + p * classes, classes, 1e-9);
    }
}

static void mahalanobis(const json_t *c)
{
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
}

static void standardize(const json_t *c)
{
    size_t n, d;
    double *x = numbers(c, "x", &n, &d), *mean_wanted = numbers(c, "mean", NULL, NULL);
    double *scale_wanted = numbers(c, "scale", NULL, NULL), mean[8], scale[8];
    trueno_error err;

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
}

static void wilson(const json_t *c)
{
    double low, high;

    apr_wilson_interval((uint64_t)number(c, "k"), (uint64_t)number(c, "n"), number(c, "z"), &low,
                        &high);
    assert_true(fabs(low - number(c, "low")) < 1e-9 && fabs(high - number(c, "high")) < 1e-9);
    apr_wilson_interval(0, 0, 1.96, &low, &high);
    assert_true(low == 0 && high == 1);
}

/* What is recorded under a name, and the check that each case of it goes through. */
typedef struct learner {
    const char *name;
    void (*check)(const json_t *c);
} learner;

static void as_recorded(void **state)
{
    const learner *l = *state;
    const json_t *cases = json_object_get(recorded, l->name);

    assert_true(json_array_size(cases) > 0);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        free_lists();
        l->check(json_array_get(cases, i));
    }
}

int main(void)
{
    static learner learners[] = {
        {"regression", regression},   {"kmeans", kmeans},      {"pca", pca},      {"bayes", bayes},
        {"mahalanobis", mahalanobis}, {"scaled", standardize}, {"wilson", wilson}};
    enum { N = sizeof learners / sizeof learners[0] };
    struct CMUnitTest tests[N];

    for (int i = 0; i < N; i++)
        tests[i] = (struct CMUnitTest){
            .name = learners[i].name, .test_func = as_recorded, .initial_state = &learners[i]};
    return cmocka_run_group_tests(tests, load, unload);
}
