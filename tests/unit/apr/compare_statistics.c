/* SPDX-License-Identifier: MIT */
/* Statistics against a reference: what deviates, by how much, in each kind of tensor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gguf_build.h"
#include <apr/compare.h>
#include <apr/inspect.h>
#include <apr/statistics.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char path[64];
static uint64_t state;

static float uniform(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (float)((double)(state >> 40) / 16777216 - 0.5);
}

/* A tiny model; the weights of one tensor are moved and stretched. */
typedef struct made {
    byte_run file;
    apr_model *m;
} made;

static made make_model(uint64_t seed, const char *name, float scale, float offset)
{
    trueno_error err = {0};
    gguf_build g = build_tiny();
    made out;
    const apr_tensor *t;
    float *w;

    state = seed;
    for (size_t i = 0; i < g.data.n / sizeof(float); i++)
        ((float *)(void *)g.data.data)[i] = uniform();
    out.file = build_end(&g);
    if (apr_model_open_memory(&out.m, out.file.data, out.file.n, NULL, &err) < 0)
        fail_msg("%s", err.message);
    t = apr_model_find(out.m, name);
    assert_non_null(t);
    w = (float *)(void *)(out.file.data + t->offset);
    for (uint64_t i = 0; i < apr_tensor_elements(t); i++)
        w[i] = w[i] * scale + offset;
    return out;
}

static void free_model(made *x)
{
    apr_model_close(x->m);
    byte_run_free(&x->file);
}

/* The difference that was told of one tensor, and how many were not near. */
typedef struct told {
    const char *name;
    apr_statistics_difference found;
    char what[40];
    int n_far;
} told;

static void take(void *user, const apr_statistics_difference *d)
{
    told *t = user;

    t->n_far += d->level != APR_STATISTICS_NEAR;
    if (t->name == NULL || strcmp(d->name, t->name) != 0)
        return;
    t->found = *d;
    (void)snprintf(t->what, sizeof t->what, "%s", d->what);
}

static told compare(const apr_model *m, const apr_model *reference, const char *fingerprints,
                    const char *name)
{
    const apr_compare_statistics_options o = {.size = sizeof o,
                                              .reference = reference,
                                              .fingerprints = fingerprints,
                                              .threshold = 1,
                                              .threads = 2};
    told t = {.name = name};
    apr_statistics_sums sums;
    trueno_error err = {0};

    if (apr_compare_statistics(m, &o, take, &t, &sums, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(sums.beyond + sums.suspicious, t.n_far);
    return t;
}

static void write_file(const char *text, size_t bytes)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
}

static void write_fingerprint(const apr_model *m)
{
    trueno_error err = {0};
    size_t bytes;
    char *text;

    if (apr_fingerprint_json(m, NULL, &text, &bytes, &err) < 0)
        fail_msg("%s", err.message);
    write_file(text, bytes);
    apr_inspect_free(m, text, bytes);
}

static double std_of(const apr_model *m, const char *name)
{
    apr_tensor_statistics s;
    trueno_error err = {0};

    assert_int_equal(apr_tensor_stats(m, apr_model_find(m, name), NULL, &s, &err), TRUENO_OK);
    return s.std;
}

/* One tensor moved by `deviation` standard deviations, against the model and its fingerprint. */
static void check_moved(const char *name, double deviation, double threshold, const char *kind,
                        apr_statistics_level level)
{
    const uint64_t seed = state;
    made a = make_model(seed, name, 1, 0);
    made b = make_model(seed, name, 1, (float)(deviation * std_of(a.m, name)));

    write_fingerprint(a.m);
    for (int recorded = 0; recorded < 2; recorded++) {
        told t = compare(b.m, recorded ? NULL : a.m, recorded ? path : NULL, name);

        assert_string_equal(t.found.kind, kind);
        assert_float_equal(t.found.deviation, deviation, 1e-5);
        assert_float_equal(t.found.threshold, threshold, 0);
        assert_int_equal(t.found.level, level);
        assert_int_equal(t.n_far, level != APR_STATISTICS_NEAR);
    }
    free_model(&a);
    free_model(&b);
}

static void test_thresholds(void **unused)
{
    (void)unused;
    check_moved("blk.0.attn_q.weight", 0, 1, "weight", APR_STATISTICS_NEAR);
    check_moved("blk.0.attn_q.weight", 0.09, 1, "weight", APR_STATISTICS_NEAR);
    check_moved("blk.0.attn_q.weight", 0.11, 1, "weight", APR_STATISTICS_SUSPICIOUS);
    check_moved("blk.0.attn_q.weight", 0.99, 1, "weight", APR_STATISTICS_SUSPICIOUS);
    check_moved("blk.0.attn_q.weight", 1.01, 1, "weight", APR_STATISTICS_BEYOND);
    check_moved("blk.0.attn_norm.weight", 0.49, 0.5, "norm", APR_STATISTICS_SUSPICIOUS);
    check_moved("blk.0.attn_norm.weight", 0.51, 0.5, "norm", APR_STATISTICS_BEYOND);
    check_moved("token_embd.weight", 1.99, 2, "embedding", APR_STATISTICS_SUSPICIOUS);
    check_moved("token_embd.weight", 2.01, 2, "embedding", APR_STATISTICS_BEYOND);
}

/* Which statistic is told, and values without a place in any. */
static void test_what(void **unused)
{
    const uint64_t seed = state;
    const char *name = "blk.0.ffn_up.weight";
    made a = make_model(seed, name, 1, 0), b = make_model(seed, name, 3, 0), c, d;
    told t = compare(b.m, a.m, NULL, name);

    (void)unused;
    assert_true(t.found.deviation > 1 && t.found.what != NULL);
    assert_float_equal(fabs(t.found.value - t.found.reference) / std_of(a.m, name),
                       t.found.deviation, 1e-9);
    c = make_model(seed, name, 0, 0); /* all the same: every percentile is 0 */
    t = compare(c.m, a.m, NULL, name);
    assert_true(t.found.level == APR_STATISTICS_BEYOND && t.found.deviation > 1);
    t = compare(a.m, c.m, NULL, name); /* a reference without deviation */
    assert_true(isinf(t.found.deviation));
    d = make_model(seed, name, NAN, 0);
    t = compare(d.m, a.m, NULL, name);
    assert_string_equal(t.what, "values that are not finite");
    assert_int_equal(t.found.level, APR_STATISTICS_BEYOND);
    free_model(&a);
    free_model(&b);
    free_model(&c);
    free_model(&d);
}

/* Tensors that one side lacks or has otherwise; formats that store norms otherwise. */
static void test_models(void **unused)
{
    static const char *const PAIRS[][2] = {
        {"gemma", "gemma.gguf"}, {"qwen2moe", "qwen2moe.gguf"}, {"llama", "llama.gguf"}};
    apr_model *a, *b;
    trueno_error err = {0};
    told t;

    (void)unused;
    for (size_t i = 0; i < sizeof PAIRS / sizeof PAIRS[0]; i++) {
        char files[2][300];

        for (int k = 0; k < 2; k++)
            (void)snprintf(files[k], sizeof files[k], TEST_DATA_DIR "/tiny/%s", PAIRS[i][k]);
        if (apr_model_open(&a, files[0], NULL, &err) < 0 ||
            apr_model_open(&b, files[1], NULL, &err) < 0)
            fail_msg("%s", err.message);
        assert_int_equal(compare(a, b, NULL, NULL).n_far, 0);
        write_fingerprint(i == 1 ? b : a); /* experts are stacked in a fingerprint of GGUF */
        assert_int_equal(compare(i == 1 ? a : b, NULL, path, NULL).n_far, 0);
        apr_model_close(a);
        apr_model_close(b);
    }
    if (apr_model_open(&a, TEST_DATA_DIR "/tiny/llama.gguf", NULL, &err) < 0 ||
        apr_model_open(&b, TEST_DATA_DIR "/tiny/qwen2.gguf", NULL, &err) < 0)
        fail_msg("%s", err.message);
    t = compare(a, b, NULL, "blk.0.attn_q.bias");
    assert_string_equal(t.what, "missing");
    t = compare(b, a, NULL, "blk.0.attn_q.bias");
    assert_string_equal(t.what, "not in the reference");
    t = compare(b, a, NULL, "token_embd.weight");
    assert_string_equal(t.what, "another shape");
    apr_model_close(a);
    apr_model_close(b);
}

static void test_refusals(void **unused)
{
    static const char *const TEXTS[] = {
        "",
        "[]",
        "{}",
        "{\"tensors\":{}}",
        "{\"tensors\":[1]}",
        "{\"tensors\":[{\"name\":\"a\"}]}",
        "{\"tensors\":[{\"name\":\"a\",\"shape\":[1,1,1,1,1]}]}",
        "{\"tensors\":[{\"name\":\"a\",\"shape\":[1],\"mean\":0,\"std\":0,\"p1\":\"0\"}]}"};
    apr_compare_statistics_options o = {.size = sizeof o, .threshold = 1};
    apr_statistics_sums sums;
    trueno_error err = {0};
    made a = make_model(state, "output_norm.weight", 1, 0);

    (void)unused;
    assert_int_equal(apr_compare_statistics(a.m, &o, NULL, NULL, &sums, &err), TRUENO_USAGE);
    o.fingerprints = path;
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        write_file(TEXTS[i], strlen(TEXTS[i]));
        if (apr_compare_statistics(a.m, &o, NULL, NULL, &sums, &err) != TRUENO_FORMAT)
            fail_msg("taken: %s", TEXTS[i]);
        assert_non_null(strstr(err.message, path));
    }
    o.reference = a.m;
    assert_int_equal(apr_compare_statistics(a.m, &o, NULL, NULL, &sums, &err), TRUENO_USAGE);
    o.reference = NULL;
    o.fingerprints = "/nowhere/f.json";
    assert_int_equal(apr_compare_statistics(a.m, &o, NULL, NULL, &sums, &err), TRUENO_NOT_FOUND);
    free_model(&a);
}

static int remove_file(void **unused)
{
    (void)unused;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thresholds),
        cmocka_unit_test(test_what),
        cmocka_unit_test(test_models),
        cmocka_unit_test(test_refusals),
    };

    state = (uint64_t)time(NULL);
    (void)printf("seed %llu\n", (unsigned long long)state);
    (void)snprintf(path, sizeof path, "/tmp/apr-statistics-%ld.json", (long)getpid());
    return cmocka_run_group_tests(tests, NULL, remove_file);
}
