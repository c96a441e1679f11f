/* SPDX-License-Identifier: MIT */
/* A canary passes on the same model in every format, and finds each kind of change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gguf_build.h"
#include <apr/canary.h>
#include <apr/convert.h>
#include <apr/inspect.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { N = TINY_HIDDEN * TINY_HIDDEN };

static char folder[64], path[128];
static uint64_t state;

static float uniform(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (float)((double)(state >> 40) / 16777216 - 0.5);
}

static int make_folder(void **unused)
{
    (void)unused;
    (void)snprintf(folder, sizeof folder, "/tmp/apr-canary-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/canary.json", folder);
    return 0;
}

static int remove_folder(void **unused)
{
    char command[128];

    (void)unused;
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) != 0;
}

/* A tiny model of random weights. */
static byte_run make_file(void)
{
    gguf_build g = build_tiny();
    byte_run file;

    for (size_t i = 0; i < g.data.n / sizeof(float); i++)
        ((float *)(void *)g.data.data)[i] = uniform();
    file = build_end(&g);
    return file;
}

static apr_model *open_bytes(const byte_run *file)
{
    trueno_error err = {0};
    apr_model *m;

    if (apr_model_open_memory(&m, file->data, file->n, NULL, &err) < 0)
        fail_msg("%s", err.message);
    return m;
}

static void write_file(const char *to, const char *text, size_t bytes)
{
    FILE *f = fopen(to, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
}

/* Record a model into `path`. */
static void record(const apr_model *m, const apr_canary_input *input)
{
    char *texts[2];
    size_t bytes[2];
    trueno_error err = {0};

    for (int i = 0; i < 2; i++) /* on one thread and on three */
        if (apr_canary_make(m, input, "2026-01-01T00:00:00Z", 1 + 2 * i, &texts[i], &bytes[i],
                            &err) < 0)
            fail_msg("%s", err.message);
    assert_int_equal(bytes[0], bytes[1]);
    assert_memory_equal(texts[0], texts[1], bytes[0]);
    write_file(path, texts[0], bytes[0]);
    for (int i = 0; i < 2; i++)
        apr_inspect_free(m, texts[i], bytes[i]);
}

/* What a check told. */
typedef struct told {
    char failed[400]; /* names of what failed, each with a blank behind it */
    char detail[400]; /* of the last */
} told;

static void take(void *user, const apr_canary_finding *f)
{
    told *t = user;
    size_t used = strlen(t->failed);

    assert_true(f->passed || f->detail[0] != '\0');
    if (f->passed)
        return;
    (void)snprintf(t->failed + used, sizeof t->failed - used, "%s/%s ", f->group, f->name);
    (void)snprintf(t->detail, sizeof t->detail, "%s", f->detail);
}

static apr_canary_sums check(const apr_model *m, double tolerance, told *t)
{
    apr_canary *canary = NULL;
    apr_canary_sums sums = {0};
    trueno_error err = {0};

    *t = (told){0};
    if (apr_canary_open(&canary, path, NULL, &err) < 0 ||
        apr_canary_check(canary, m, tolerance, 2, take, t, &sums, &err) < 0)
        fail_msg("%s", err.message);
    apr_canary_close(canary);
    return sums;
}

static void expect(const apr_model *m, double tolerance, const char *failed)
{
    told t;
    apr_canary_sums sums = check(m, tolerance, &t);

    if (strcmp(t.failed, failed) != 0)
        fail_msg("failed: '%s' (%s), wanted '%s'", t.failed, t.detail, failed);
    assert_true(sums.passed > 15);
}

/* The weights of a tensor within the file's bytes. */
static float *weights(const byte_run *file, const apr_model *m, const char *name)
{
    const apr_tensor *t = apr_model_find(m, name);

    assert_non_null(t);
    return (float *)(void *)(file->data + t->offset);
}

static void test_weights(void **unused)
{
    byte_run file = make_file();
    apr_model *m = open_bytes(&file);
    float *w = weights(&file, m, "blk.0.attn_q.weight"), kept, mean = 0;
    told t;

    (void)unused;
    record(m, NULL);
    expect(m, 0, "");
    for (int i = 0; i < N; i++) { /* any one weight by its last bit */
        kept = w[i];
        w[i] = nextafterf(kept, 1);
        expect(m, 0, "tensor/blk.0.attn_q.weight ");
        expect(m, 1e-6, "");
        w[i] = kept;
    }
    kept = w[0]; /* two exchanged leave every statistic as it is */
    w[0] = w[1];
    w[1] = kept;
    expect(m, 0, "tensor/blk.0.attn_q.weight ");
    expect(m, 1e-6, "");
    w[1] = w[0];
    w[0] = kept;
    expect(m, 0, "");
    for (int i = 0; i < N; i++)
        mean += w[i] / N;
    for (int i = 0; i < N; i++) /* deviates by a tenth of the standard deviation and of the range */
        w[i] += 0.1F * (w[i] - mean);
    expect(m, 0.101, "");
    expect(m, 0.05, "tensor/blk.0.attn_q.weight ");
    assert_float_equal(check(m, 0, &t).deviation, 0.1, 1e-3);
    w[3] = NAN;
    expect(m, 1e30, "tensor/blk.0.attn_q.weight ");
    apr_model_close(m);
    byte_run_free(&file);
}

/* The file with one text replaced by another of the same length. */
static void expect_replaced(const byte_run *file, const char *old, const char *other,
                            const char *failed)
{
    const size_t n = strlen(old);
    size_t at = 0;
    apr_model *m;

    while (at + n <= file->n && memcmp(file->data + at, old, n) != 0)
        at++;
    assert_true(at + n <= file->n);
    memcpy(file->data + at, other, n);
    m = open_bytes(file);
    expect(m, 1, failed);
    apr_model_close(m);
    memcpy(file->data + at, old, n);
}

static void test_tokenizer(void **unused)
{
    byte_run file = make_file();
    const int32_t ids[] = {3, 0, 5};
    const apr_canary_input input = {"a text", 6, ids, 3};
    apr_canary_input back;
    apr_canary *canary;
    apr_model *m = open_bytes(&file);
    trueno_error err = {0};

    (void)unused;
    record(m, &input);
    expect(m, 0, "");
    apr_model_close(m);
    expect_replaced(&file, "<|im_end|>", "<|im_fin|>", "tokenizer/token_texts_crc32 ");
    assert_int_equal(apr_canary_open(&canary, path, NULL, &err), TRUENO_OK);
    assert_true(apr_canary_text(canary, &back));
    assert_int_equal(back.bytes, 6);
    assert_memory_equal(back.text, "a text", 6);
    assert_int_equal(back.n_ids, 3);
    assert_memory_equal(back.ids, ids, sizeof ids);
    apr_canary_close(canary);
    byte_run_free(&file);
}

static void test_config(void **unused)
{
    byte_run file = make_file();
    apr_model *m = open_bytes(&file);
    float eps;
    uint8_t *at = file.data;

    (void)unused;
    record(m, NULL);
    apr_model_close(m);
    while (memcmp(at, "layer_norm_rms_epsilon", 22) != 0)
        at++;
    memcpy(&eps, at + 26, sizeof eps);
    eps *= 2;
    memcpy(at + 26, &eps, sizeof eps);
    m = open_bytes(&file);
    expect(m, 1, "config/rms_norm_eps ");
    apr_model_close(m);
    byte_run_free(&file);
}

/* Tensors that are missing, new, or of another shape. */
static void test_another_model(void **unused)
{
    static const uint64_t SHAPE[] = {TINY_HIDDEN, TINY_HIDDEN};
    static const uint64_t OTHER[] = {2 * (uint64_t)TINY_HIDDEN};
    byte_run file = make_file(), more;
    gguf_build g = build_tiny();
    apr_model *m = open_bytes(&file), *larger;

    (void)unused;
    record(m, NULL);
    tensor(&g, "extra.weight", 2, SHAPE);
    memcpy(g.data.data, file.data + apr_model_tensor(m, 0)->offset, g.data.n - N * sizeof(float));
    more = build_end(&g);
    larger = open_bytes(&more);
    expect(larger, 1, "tensor/extra.weight ");
    record(larger, NULL);
    expect(m, 1, "tensor/extra.weight ");
    apr_model_close(larger);
    byte_run_free(&more);
    g = build_tiny(); /* the same name, other dimensions */
    tensor(&g, "extra.weight", 1, OTHER);
    memcpy(g.data.data, file.data + apr_model_tensor(m, 0)->offset,
           g.data.n - OTHER[0] * sizeof(float));
    more = build_end(&g);
    larger = open_bytes(&more);
    expect(larger, 1, "tensor/extra.weight ");
    apr_model_close(larger);
    byte_run_free(&more);
    apr_model_close(m);
    byte_run_free(&file);
}

/* Every tiny model as a folder, then in the other formats: the same canary. */
static void test_formats(void **unused)
{
    static const char *const NAMES[] = {"gemma",        "gemma3",   "llama",     "llama3-rope",
                                        "mistral-yarn", "phi3",     "phi3-long", "qwen2",
                                        "qwen2moe",     "qwen3moe", "starcoder2"};
    static const char *const TARGETS[] = {"x.gguf", "x.apr"};
    trueno_error err = {0};

    (void)unused;
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        char from[300], to[128];
        apr_model *m, *converted;

        (void)snprintf(from, sizeof from, TEST_DATA_DIR "/tiny/%s", NAMES[i]);
        if (apr_model_open(&m, from, NULL, &err) < 0)
            fail_msg("%s", err.message);
        record(m, NULL);
        expect(m, 0, "");
        for (int k = 0; k < 2; k++) {
            apr_convert_options o;

            apr_convert_options_init(&o, sizeof o);
            o.force = true;
            (void)snprintf(to, sizeof to, "%s/%s", folder, TARGETS[k]);
            if (apr_convert_model(m, to, &o, &err) < 0 ||
                apr_model_open(&converted, to, NULL, &err) < 0)
                fail_msg("%s", err.message);
            expect(converted, 0, "");
            apr_model_close(converted);
        }
        apr_model_close(m);
    }
}

/* Documents that are no canaries, and broken ones. */
static void test_refusals(void **unused)
{
    static const char *const TEXTS[] = {
        "",
        "[]",
        "{}",
        "{\"kind\":\"canary\"}",
        "{\"schema\":1,\"kind\":\"other\",\"config\":{},\"tokenizer\":{},\"tensors\":{}}",
        "{\"schema\":2,\"kind\":\"canary\",\"config\":{},\"tokenizer\":{},\"tensors\":{}}",
        "{\"schema\":1,\"kind\":\"canary\",\"config\":[],\"tokenizer\":{},\"tensors\":{}}",
        "{\"schema\":1,\"kind\":\"canary\",\"config\":{},\"tokenizer\":{},\"tensors\":{\"a\":1}}",
        "{\"schema\":1,\"kind\":\"canary\",\"config\":{},\"tokenizer\":{},\"tensors\":{\"a\":{"
        "\"shape\":[1]}}}",
        "{\"schema\":1,\"kind\":\"canary\",\"config\":{},\"tokenizer\":{},\"tensors\":{\"a\":{"
        "\"shape\":[\"1\"],\"crc32\":\"0\"}}}",
        "{\"schema\":1,\"kind\":\"canary\",\"config\":{},\"tokenizer\":{},\"tensors\":{\"a\":{"
        "\"shape\":[1,1,1,1,1],\"crc32\":\"0\"}}}",
        "{\"schema\":1,\"kind\":\"canary\",\"config\":{},\"tokenizer\":{},\"tensors\":{\"a\":{"
        "\"shape\":[1],\"crc32\":\"0\",\"mean\":0}}}",
        "{\"schema\":1,\"kind\":\"canary\",\"config\":{},\"tokenizer\":{},\"tensors\":{},"
        "\"input\":{\"text\":\"a\",\"ids\":[-1]}}",
        "{\"schema\":1,\"kind\":\"canary\",\"config\":{},\"tokenizer\":{},\"tensors\":{},"
        "\"input\":{\"text\":\"a\",\"ids\":[4294967296]}}",
    };
    trueno_error err = {0};
    apr_canary *canary = (apr_canary *)&err;

    (void)unused;
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        write_file(path, TEXTS[i], strlen(TEXTS[i]));
        if (apr_canary_open(&canary, path, NULL, &err) != TRUENO_FORMAT)
            fail_msg("taken: %s", TEXTS[i]);
        assert_null(canary);
        assert_non_null(strstr(err.message, path));
    }
    assert_int_equal(apr_canary_open(&canary, "/nowhere/c.json", NULL, &err), TRUENO_NOT_FOUND);
    apr_canary_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights), cmocka_unit_test(test_tokenizer),
        cmocka_unit_test(test_config),  cmocka_unit_test(test_another_model),
        cmocka_unit_test(test_formats), cmocka_unit_test(test_refusals),
    };

    state = (uint64_t)time(NULL);
    (void)printf("seed %llu\n", (unsigned long long)state);
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
