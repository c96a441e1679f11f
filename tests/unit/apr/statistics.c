/* SPDX-License-Identifier: MIT */
/* Statistics of tensors against numpy and scipy, over every type, on any number of threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gguf_build.h"
#include "memory_fixture.h"
#include "storage_types.h"
#include <apr/statistics.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The rule of tests/references/tensor_statistics.py. */
static void make_values(float *x, int n, float offset, int bad)
{
    const float odd[] = {NAN, INFINITY, -INFINITY, 0};
    uint64_t state = 12345;

    for (int i = 0; i < n; i++) {
        float u, square;

        state = state * 6364136223846793005u + 1442695040888963407u;
        u = (float)((double)(state >> 40) / 16777216 - 0.5);
        square = u * u;
        x[i] = square * u;
        x[i] += offset;
        if (bad != 0 && i % bad == 0)
            x[i] = odd[i / bad % 4];
    }
}

static void near(double got, double want, double scale, const char *what, int line)
{
    if (!(fabs(got - want) <= 1e-12 * scale))
        fail_msg("line %d: %s: %.17g, wanted %.17g", line, what, got, want);
}

static void test_reference(void **state)
{
    FILE *f = fopen(TEST_DATA_DIR "/statistics.txt", "r");
    char line[512];
    int n_lines = 0;

    (void)state;
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        apr_tensor_statistics s, w = {0};
        float offset, *x;
        int n, bad;

        n_lines++;
        if (line[0] == '#')
            continue;
        assert_int_equal(sscanf(line, "%d %f %d %lf %lf %lf %lf %lf %lf %lf %lf %lu %lu %lu", &n,
                                &offset, &bad, &w.min, &w.max, &w.mean, &w.std, &w.skewness,
                                &w.kurtosis, &w.l1, &w.l2, &w.nans, &w.infinities, &w.zeros),
                         14);
        x = malloc((size_t)n * sizeof *x);
        assert_non_null(x);
        make_values(x, n, offset, bad);
        apr_tensor_values_stats(x, (uint64_t)n, &s);
        assert_true(s.min == w.min && s.max == w.max);
        near(s.mean, w.mean, 1 + fabs(w.mean), "mean", n_lines);
        near(s.std, w.std, 1 + fabs(w.mean), "std", n_lines);
        near(s.skewness, w.skewness, 1e4, "skewness", n_lines);
        near(s.kurtosis, w.kurtosis, 1e4, "kurtosis", n_lines);
        near(s.l1, w.l1, 1 + w.l1, "l1", n_lines);
        near(s.l2, w.l2, 1 + w.l2, "l2", n_lines);
        assert_true(s.count == (uint64_t)n && s.nans == w.nans && s.infinities == w.infinities);
        assert_true(s.zeros == w.zeros);
        free(x);
    }
    assert_int_equal(n_lines, 8);
    (void)fclose(f);
}

static void test_empty(void **state)
{
    const float nans[] = {NAN, NAN};
    apr_tensor_statistics s;

    (void)state;
    apr_tensor_values_stats(NULL, 0, &s);
    assert_true(s.count == 0 && s.std == 0 && s.min == 0);
    apr_tensor_values_stats(nans, 2, &s);
    assert_true(s.count == 2 && s.nans == 2 && s.max == 0 && s.mean == 0);
}

/* A file of one F32 tensor "x" of n values. */
static apr_model *open_values(byte_run *file, const float *x, uint64_t n,
                              const trueno_allocator *allocator)
{
    apr_model_options options;
    trueno_error err = {0};
    gguf_build g;
    apr_model *m;

    build_init(&g);
    tiny_config(&g);
    tensor(&g, "x", 1, &n);
    memcpy(g.data.data, x, (size_t)n * sizeof *x);
    *file = build_end(&g);
    apr_model_options_init(&options, sizeof options);
    options.allocator = allocator;
    if (apr_model_open_memory(&m, file->data, file->n, &options, &err) < 0)
        fail_msg("%s", err.message);
    return m;
}

static trueno_status keep(void *user, const apr_tensor *t, const apr_tensor_statistics *s,
                          trueno_error *err)
{
    (void)err;
    if (strcmp(t->name, "x") == 0) {
        assert_non_null(s);
        memcpy(user, s, sizeof *s);
    }
    return TRUENO_OK;
}

static trueno_status refuse(void *user, const apr_tensor *t, const apr_tensor_statistics *s,
                            trueno_error *err)
{
    (void)user;
    (void)s;
    return trueno_fail(err, TRUENO_CONTENT, "%s: refused", t->name);
}

/* Bit for bit the same on 1, 2 and 5 threads, from a tensor and from memory. */
static void test_threads(void **state)
{
    enum { N = 200003 };
    float *x = malloc(N * sizeof *x);
    apr_tensors_stats_options options = {.size = sizeof options, .filter = "x", .limit = 1};
    apr_tensor_statistics one, many;
    trueno_error err = {0};
    byte_run file;
    apr_model *m;

    (void)state;
    assert_non_null(x);
    make_values(x, N, 0, 1001);
    m = open_values(&file, x, N, NULL);
    apr_tensor_values_stats(x, N, &one);
    for (int threads = 1; threads <= 5; threads += threads) {
        options.threads = threads;
        assert_int_equal(apr_tensors_stats(m, &options, keep, &many, &err), TRUENO_OK);
        assert_memory_equal(&one, &many, sizeof one);
    }
    assert_int_equal(apr_tensors_stats(m, NULL, refuse, NULL, &err), TRUENO_CONTENT);
    apr_model_close(m);
    byte_run_free(&file);
    free(x);
}

/* Want of memory, wherever it comes, is said and leaves nothing. */
static void test_no_memory(void **state)
{
    const float x[] = {1, 2, 3, 4};
    counting c;

    (void)state;
    for (size_t at = 1; at < 8; at++) {
        apr_tensor_statistics s;
        trueno_error err = {0};
        byte_run file;
        apr_model *m;
        trueno_status status;

        counting_init(&c);
        m = open_values(&file, x, 4, &c.allocator);
        c.fail_at = c.calls + at;
        status = apr_tensors_stats(m, NULL, keep, &s, &err);
        assert_true(status == TRUENO_NO_MEMORY || (status == TRUENO_OK && at > 2));
        apr_model_close(m);
        assert_int_equal(c.live, 0);
        byte_run_free(&file);
    }
}

/* Element types that are no weight types, as floats. */
static void test_plain_types(void **state)
{
    static const struct {
        int32_t type, bytes;
        uint64_t bits;
        float want;
    } rows[] = {
        {APR_TYPE_I8, 1, 0x80, -128},
        {APR_TYPE_I8, 1, 0x7f, 127},
        {APR_TYPE_I16, 2, 0xfffe, -2},
        {APR_TYPE_I32, 4, 0xffffffff, -1},
        {APR_TYPE_I64, 8, UINT64_MAX, -1},
        {APR_TYPE_U8, 1, 0xff, 255},
        {APR_TYPE_BOOL, 1, 1, 1},
        {APR_TYPE_U16, 2, 0xffff, 65535},
        {APR_TYPE_U32, 4, 0x80000000, 2147483648.0F},
        {APR_TYPE_U64, 8, UINT64_MAX, 18446744073709551616.0F},
        {APR_TYPE_F64, 8, 0x3ff8000000000000, 1.5F},
        {APR_TYPE_F8_E4M3, 1, 0x7e, 448}, /* the largest */
        {APR_TYPE_F8_E4M3, 1, 0x01, 0x1p-9F},
        {APR_TYPE_F8_E4M3, 1, 0xb8, -1},
        {APR_TYPE_F8_E5M2, 1, 0x7b, 57344},
        {APR_TYPE_F8_E5M2, 1, 0xfc, -INFINITY},
    };
    float x;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(apr_storage_to_f32(rows[i].type, &rows[i].bits, &x, 1));
        if (x != rows[i].want)
            fail_msg("row %zu: %g, wanted %g", i, (double)x, (double)rows[i].want);
    }
    assert_true(apr_storage_to_f32(APR_TYPE_F8_E4M3, "\x7f", &x, 1) && isnan(x));
    assert_false(apr_storage_to_f32(17, "", &x, 0)); /* IQ2_XS: known, but not read */
    assert_false(apr_storage_is_readable(17));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference),   cmocka_unit_test(test_empty),
        cmocka_unit_test(test_threads),     cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_plain_types),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
