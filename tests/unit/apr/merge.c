/* SPDX-License-Identifier: MIT */
/* Merges against numpy's; models that cannot be merged, and values that no merge takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gguf_build.h"
#include <apr/merge.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N = TINY_HIDDEN * TINY_HIDDEN, N_MODELS = 6 };

static byte_run files[N_MODELS];
static apr_model *models[N_MODELS]; /* the base, three made from it, two of their own */
static char path[64];

/* The rule of tests/references/merge.py. */
static void uniform(float *x, size_t n, uint64_t seed)
{
    uint64_t state = seed * 1000 + 1;

    for (size_t i = 0; i < n; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        x[i] = (float)((double)(state >> 40) / 16777216 - 0.5);
    }
}

/* A tiny model whose attn_q is the matrix of that number; the rest is anything. */
static apr_model *make_model(byte_run *file, int number)
{
    float base[N], *x;
    trueno_error err = {0};
    const apr_tensor *t;
    gguf_build g = build_tiny();
    apr_model *m;

    uniform((float *)(void *)g.data.data, g.data.n / sizeof(float), 99);
    *file = build_end(&g);
    if (apr_model_open_memory(&m, file->data, file->n, NULL, &err) < 0)
        fail_msg("%s", err.message);
    t = apr_model_find(m, "blk.0.attn_q.weight");
    assert_non_null(t);
    x = (float *)(void *)(file->data + t->offset);
    uniform(base, N, 0);
    uniform(x, N, (uint64_t)(number > 3 ? number + 7 : number));
    for (int i = 0; i < N && number >= 1 && number <= 3; i++) {
        x[i] *= 0.1F;
        x[i] += base[i];
    }
    return m;
}

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(path, sizeof path, "/tmp/apr-merge-%ld.gguf", (long)getpid());
    for (int i = 0; i < N_MODELS; i++)
        models[i] = make_model(&files[i], i);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < N_MODELS; i++) {
        apr_model_close(models[i]);
        byte_run_free(&files[i]);
    }
    (void)unlink(path);
    return 0;
}

static void read_expected(const char *name, float *out)
{
    FILE *f = fopen(TEST_DATA_DIR "/merge.txt", "r");
    char word[64];

    assert_non_null(f);
    while (fscanf(f, "%63s", word) == 1) {
        for (int i = 0; i < N; i++)
            assert_int_equal(fscanf(f, "%f", &out[i]), 1);
        if (strcmp(word, name) == 0) {
            (void)fclose(f);
            return;
        }
    }
    fail_msg("%s is not recorded", name);
}

static void check(const char *name, const apr_model *const *from, size_t n, apr_merge_options *o)
{
    float want[N], first[N];
    trueno_error err = {0};
    apr_model *m;

    o->force = true;
    for (int threads = 1; threads <= 3; threads += 2) {
        const apr_tensor *t;

        o->threads = threads;
        if (apr_merge_models(from, n, path, o, &err) < 0)
            fail_msg("%s: %s", name, err.message);
        assert_int_equal(apr_model_open(&m, path, NULL, &err), TRUENO_OK);
        t = apr_model_find(m, "blk.0.attn_q.weight");
        assert_non_null(t);
        read_expected(name, want);
        for (int i = 0; i < N; i++) {
            float got;

            memcpy(&got, (const char *)t->data + (size_t)i * sizeof got, sizeof got);
            if (!(fabsf(got - want[i]) <= 1e-7F))
                fail_msg("%s: value %d is %.9g, wanted %.9g", name, i, (double)got,
                         (double)want[i]);
        }
        if (threads > 1)
            assert_memory_equal(first, t->data, sizeof first);
        memcpy(first, t->data, sizeof first);
        apr_model_close(m);
    }
}

static void test_methods(void **state)
{
    static const double WEIGHTS[] = {0.7, 0.2, 0.4};
    const apr_model *const *made = (const apr_model *const *)models + 1;
    apr_merge_options o;

    (void)state;
    apr_merge_options_init(&o, sizeof o);
    check("average", made, 3, &o);
    o.method = "weighted";
    o.weights = WEIGHTS;
    check("weighted", made, 3, &o);
    o.weights = NULL;
    o.method = "slerp";
    o.t = 0.3;
    check("slerp-near", made, 2, &o);
    check("slerp", made + 3, 2, &o);
    o.method = "ties";
    o.base = models[0];
    o.density = 0.4;
    check("ties", made, 3, &o);
    o.weights = WEIGHTS;
    o.density = 0.7;
    o.lambda = 0.8;
    check("ties-weighted", made, 3, &o);
}

/* Options that no merge takes: usage, and nothing is written. */
static void test_refused_options(void **state)
{
    static const double NEGATIVE[] = {1, -1}, ZERO[] = {0, 0}, BAD[] = {NAN, 1},
                        INF[] = {1, INFINITY};
    const struct {
        const char *method;
        const double *weights;
        size_t n;
        double t, density;
        bool base;
    } rows[] = {
        {"median", NULL, 2, 0.5, 0.5, false},
        {"weighted", NULL, 2, 0.5, 0.5, false},
        {"weighted", NEGATIVE, 2, 0.5, 0.5, false},
        {"weighted", ZERO, 2, 0.5, 0.5, false},
        {"weighted", BAD, 2, 0.5, 0.5, false},
        {"weighted", INF, 2, 0.5, 0.5, false},
        {"slerp", NULL, 3, 0.5, 0.5, false},
        {"slerp", NULL, 2, 1.5, 0.5, false},
        {"slerp", NULL, 2, NAN, 0.5, false},
        {"ties", NULL, 2, 0.5, 0.5, false},
        {"ties", NULL, 2, 0.5, 0, true},
        {"average", NULL, 2, 0.5, 0.5, true},
        {"average", NULL, 1, 0.5, 0.5, false},
    };

    (void)state;
    (void)unlink(path);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        apr_merge_options o;
        trueno_error err = {0};

        apr_merge_options_init(&o, sizeof o);
        o.method = rows[i].method;
        o.weights = rows[i].weights;
        o.t = rows[i].t;
        o.density = rows[i].density;
        o.base = rows[i].base ? models[0] : NULL;
        if (apr_merge_models((const apr_model *const *)models, rows[i].n, path, &o, &err) !=
            TRUENO_USAGE)
            fail_msg("row %zu is not refused", i);
        assert_int_not_equal(access(path, F_OK), 0);
    }
}

/* The tiny model with one fact changed, whose name in an error is the wanted word. */
static void refuse_other(const char *from, const char *to, trueno_status status, const char *word)
{
    const apr_model *pair[2] = {models[1], NULL};
    byte_run file = {0};
    trueno_error err = {0};
    const size_t n = strlen(from);
    apr_model *m;

    put(&file, files[1].data, files[1].n);
    for (size_t i = 0; i + n <= file.n; i++)
        if (memcmp(file.data + i, from, n) == 0)
            memcpy(file.data + i, to, n);
    if (apr_model_open_memory(&m, file.data, file.n, NULL, &err) < 0)
        fail_msg("%s", err.message);
    pair[1] = m;
    assert_int_equal(apr_merge_models(pair, 2, path, NULL, &err), status);
    if (strstr(err.message, word) == NULL)
        fail_msg("no %s in: %s", word, err.message);
    assert_int_not_equal(access(path, F_OK), 0);
    apr_model_close(m);
    byte_run_free(&file);
}

static void test_disagreement(void **state)
{
    (void)state;
    (void)unlink(path);
    refuse_other("<tool>", "<tooo>", TRUENO_CONTENT, "token 5 is '<tool>' and '<tooo>'");
    refuse_other("blk.0.attn_q.weight", "blk.0.attn_x.weight", TRUENO_CONTENT,
                 "blk.0.attn_q.weight");
    refuse_other("qwen2", "qwen3", TRUENO_CONTENT, "ROSETTA-ARCH-001");
}

/* NaN in one model stops the merge as it stops a conversion. */
static void test_nan(void **state)
{
    const apr_model *pair[2] = {models[1], models[2]};
    const apr_tensor *t = apr_model_find(models[2], "blk.0.attn_q.weight");
    float *x = (float *)(void *)(files[2].data + t->offset), kept = x[5];
    trueno_error err = {0};

    (void)state;
    x[5] = NAN;
    assert_int_equal(apr_merge_models(pair, 2, path, NULL, &err), TRUENO_CONTENT);
    assert_non_null(strstr(err.message, "ROSETTA-NAN-001"));
    assert_int_not_equal(access(path, F_OK), 0);
    x[5] = kept;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_refused_options),
        cmocka_unit_test(test_disagreement),
        cmocka_unit_test(test_nan),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
