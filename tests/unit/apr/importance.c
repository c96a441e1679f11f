/* SPDX-License-Identifier: MIT */
/* Importance matrices: sums, both file forms, and files that are wrong in every way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gguf_build.h"
#include <apr/convert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WIDTH = 5 };

static char path[64];

static const float ROWS[3][WIDTH] = {{1, 2, 3, 4, 0}, {-1, 0, 1, 4, 0}, {2, 1, 0, 4, 0}};
static const float MEANS[WIDTH] = {2, 5.0F / 3, 10.0F / 3, 16, 0};

static int make_path(void **state)
{
    int fd;

    (void)state;
    (void)snprintf(path, sizeof path, "/tmp/apr-test-XXXXXX");
    fd = mkstemp(path);
    return fd < 0 || close(fd) != 0;
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_bytes(const void *data, size_t n)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void check_means(const apr_importance *m, const char *name)
{
    const float *found = apr_importance_find(m, name, WIDTH);

    assert_non_null(found);
    for (int i = 0; i < WIDTH; i++)
        assert_true(fabsf(found[i] - MEANS[i]) <= 1e-6F * MEANS[i]);
    assert_null(apr_importance_find(m, name, WIDTH + 1));
    assert_null(apr_importance_find(m, "other", WIDTH));
}

static apr_importance *made(void)
{
    apr_importance *m;
    trueno_error err = {0};

    assert_int_equal(apr_importance_new(&m, &err), TRUENO_OK);
    assert_int_equal(apr_importance_add(m, "blk.0.attn_q.weight", ROWS[0], 2, WIDTH, &err), 0);
    assert_int_equal(apr_importance_add(m, "blk.0.attn_q.weight", ROWS[2], 1, WIDTH, &err), 0);
    apr_importance_end_chunk(m);
    return m;
}

static void test_sums(void **state)
{
    const float bad[WIDTH] = {0, NAN, 0, 0, 0};
    apr_importance *m = made();
    trueno_error err = {0};

    (void)state;
    check_means(m, "blk.0.attn_q.weight");
    assert_int_equal(apr_importance_add(m, "blk.0.attn_q.weight", ROWS[0], 1, 4, &err),
                     TRUENO_USAGE);
    assert_int_equal(apr_importance_add(m, "", ROWS[0], 1, WIDTH, &err), TRUENO_USAGE);
    assert_int_equal(apr_importance_add(m, "bad", bad, 1, WIDTH, &err), TRUENO_CONTENT);
    apr_importance_free(m);
    apr_importance_free(NULL);
}

/* What is written reads back; every shorter file is refused or, at the old end, is the same. */
static void test_file(void **state)
{
    apr_importance *m = made(), *back;
    trueno_error err = {0};
    uint8_t bytes[256];
    size_t n;
    FILE *f;

    (void)state;
    assert_int_equal(apr_importance_write(m, path, "text", false, &err), TRUENO_USAGE);
    assert_int_equal(apr_importance_write(m, path, "text", true, &err), TRUENO_OK);
    apr_importance_free(m);
    assert_int_equal(apr_importance_open(&back, path, &err), TRUENO_OK);
    check_means(back, "blk.0.attn_q.weight");
    assert_int_equal(apr_importance_count(back), 1);
    assert_int_equal(apr_importance_chunks(back), 1);
    apr_importance_free(back);
    f = fopen(path, "rb");
    assert_non_null(f);
    n = fread(bytes, 1, sizeof bytes, f);
    (void)fclose(f);
    assert_true(n > 60 && n < sizeof bytes);
    for (size_t cut = 0; cut + 12 < n; cut++) {
        const size_t entries = n - 4 - 4 - 4; /* chunks, length, "text" */

        write_bytes(bytes, cut);
        if (cut == entries)
            continue;
        assert_int_not_equal(apr_importance_open(&back, path, &err), TRUENO_OK);
        assert_null(back);
    }
    bytes[4] = 0xff; /* a name longer than the file */
    write_bytes(bytes, n);
    assert_int_equal(apr_importance_open(&back, path, &err), TRUENO_FORMAT);
    bytes[4] = (uint8_t)strlen("blk.0.attn_q.weight");
    bytes[3] = 0x7f; /* matrices that are not there */
    write_bytes(bytes, n);
    assert_int_equal(apr_importance_open(&back, path, &err), TRUENO_FORMAT);
    bytes[3] = 0;
    bytes[4 + 4 + 19 + 4 + 4 + 3] = 0xc0; /* a negative mean */
    write_bytes(bytes, n);
    assert_int_equal(apr_importance_open(&back, path, &err), TRUENO_CONTENT);
    assert_int_equal(apr_importance_open(&back, "/tmp/none-of-this", &err), TRUENO_NOT_FOUND);
}

static void test_gguf(void **state)
{
    const uint64_t sums[2] = {WIDTH, 1}, counts[2] = {1, 1};
    gguf_build g;
    byte_run file;
    apr_importance *m;
    trueno_error err = {0};

    (void)state;
    for (int with_counts = 1; with_counts >= 0; with_counts--) {
        const float three = 3;

        build_init(&g);
        key_str(&g, "general.type", "imatrix");
        key_u32(&g, "imatrix.chunk_count", 7);
        tensor(&g, "blk.0.attn_q.weight.in_sum2", 2, sums);
        for (int i = 0; i < WIDTH; i++) {
            const float sum = 3 * MEANS[i];

            memcpy(g.data.data + sizeof sum * (size_t)i, &sum, sizeof sum);
        }
        if (with_counts) {
            tensor(&g, "blk.0.attn_q.weight.counts", 2, counts);
            memcpy(g.data.data + g.data.n - sizeof three, &three, sizeof three);
        }
        file = build_finish(&g);
        write_bytes(file.data, file.n);
        if (with_counts) {
            if (apr_importance_open(&m, path, &err) < 0)
                fail_msg("%s", err.message);
            check_means(m, "blk.0.attn_q.weight");
            assert_int_equal(apr_importance_chunks(m), 7);
            apr_importance_free(m);
        } else {
            assert_int_equal(apr_importance_open(&m, path, &err), TRUENO_FORMAT);
        }
        byte_run_free(&file);
        build_free(&g);
    }
}

/* Three experts of two inputs; the second sees no row. */
static const float EXPERT_MEANS[6] = {4, 9, 1, 1, 0.25F, 25};

static void check_experts(const apr_importance *m)
{
    const float *found = apr_importance_find(m, "blk.0.ffn_down_exps.weight", 6);

    assert_non_null(found);
    for (int i = 0; i < 6; i++)
        assert_true(fabsf(found[i] - EXPERT_MEANS[i]) <= 1e-6F * EXPERT_MEANS[i]);
}

static void test_experts(void **state)
{
    static const float FIRST[4] = {2, 3, -2, 3}, THIRD[2] = {0.5F, 5};
    const char *name = "blk.0.ffn_down_exps.weight";
    apr_importance *m, *back;
    trueno_error err = {0};

    (void)state;
    assert_int_equal(apr_importance_new(&m, &err), TRUENO_OK);
    assert_int_equal(apr_importance_add_expert(m, name, 0, 3, FIRST, 2, 2, &err), TRUENO_OK);
    assert_int_equal(apr_importance_add_expert(m, name, 2, 3, THIRD, 1, 2, &err), TRUENO_OK);
    check_experts(m);
    assert_int_equal(apr_importance_add_expert(m, name, 3, 3, THIRD, 1, 2, &err), TRUENO_USAGE);
    assert_int_equal(apr_importance_add_expert(m, name, 0, 2, THIRD, 1, 2, &err), TRUENO_USAGE);
    assert_int_equal(apr_importance_add(m, name, FIRST, 1, 6, &err), TRUENO_USAGE);
    assert_int_equal(apr_importance_write(m, path, "text", true, &err), TRUENO_OK);
    assert_int_equal(apr_importance_open(&back, path, &err), TRUENO_OK);
    check_experts(back);
    apr_importance_free(back);
    apr_importance_free(m);
}

/* llama.cpp's file has sums of each expert, and as many counts. */
static void test_gguf_experts(void **state)
{
    const uint64_t sums[2] = {2, 3}, counts[2] = {1, 3}, odd[2] = {1, 4};
    const float rows[4] = {2, 0, 8, 0};

    (void)state;
    for (int right = 1; right >= 0; right--) {
        gguf_build g;
        byte_run file;
        apr_importance *m;
        trueno_error err = {0};

        build_init(&g);
        key_str(&g, "general.type", "imatrix");
        tensor(&g, "blk.0.ffn_down_exps.weight.in_sum2", 2, sums);
        for (int i = 0; i < 6; i++) {
            const float sum = rows[i / 2] * EXPERT_MEANS[i];

            memcpy(g.data.data + sizeof sum * (size_t)i, &sum, sizeof sum);
        }
        tensor(&g, "blk.0.ffn_down_exps.weight.counts", 2, right ? counts : odd);
        memcpy(g.data.data + g.data.n - (right ? 12 : 16), rows, right ? 12 : 16);
        file = build_finish(&g);
        write_bytes(file.data, file.n);
        if (right) {
            if (apr_importance_open(&m, path, &err) < 0)
                fail_msg("%s", err.message);
            check_experts(m);
            apr_importance_free(m);
        } else {
            assert_int_equal(apr_importance_open(&m, path, &err), TRUENO_FORMAT);
        }
        byte_run_free(&file);
        build_free(&g);
    }
}

/* A stack is quantised expert by expert with the weights of each, whichever pieces it comes in. */
static void test_stack(void **state)
{
    const char *name = "blk.0.ffn_gate_exps.weight";
    char out[80];
    apr_convert_options o;
    apr_importance *m;
    apr_model *source, *made;
    const apr_tensor *t;
    trueno_error err = {0};

    (void)state;
    assert_int_equal(apr_model_open(&source, TEST_DATA_DIR "/tiny/qwen3moe.gguf", NULL, &err), 0);
    t = apr_model_find(source, name);
    assert_int_equal(apr_importance_new(&m, &err), TRUENO_OK);
    for (int32_t e = 0; e < t->dims[0]; e++) {
        float row[256];

        for (int64_t c = 0; c < t->dims[2]; c++)
            row[c] = c % t->dims[0] == e ? 30 : 0.1F;
        assert_int_equal(apr_importance_add_expert(m, name, e, (int32_t)t->dims[0], row, 1,
                                                   (int32_t)t->dims[2], &err),
                         TRUENO_OK);
    }
    apr_convert_options_init(&o, sizeof o);
    o.mix = apr_mix_find("Q4_0");
    o.importance = m;
    (void)snprintf(out, sizeof out, "%s.apr", path);
    if (apr_convert_model(source, out, &o, &err) < 0 || apr_model_open(&made, out, NULL, &err) < 0)
        fail_msg("%s", err.message);
    for (int32_t e = 0; e < t->dims[0]; e++) {
        const float *weights =
            apr_importance_find(m, name, t->dims[0] * t->dims[2]) + e * t->dims[2];
        trueno_tensor plain, blocks;
        char want[65536];

        assert_true(apr_model_expert(source, APR_FFN_GATE_EXPERTS, 0, e, &plain));
        assert_true(apr_model_expert(made, APR_FFN_GATE_EXPERTS, 0, e, &blocks));
        assert_int_equal(blocks.type, TRUENO_Q4_0);
        assert_int_equal(trueno_quantize_rows(&plain, TRUENO_Q4_0, weights, want, NULL, NULL, &err),
                         0);
        assert_memory_equal(blocks.data, want, trueno_tensor_bytes(&blocks));
    }
    apr_model_close(made);
    apr_model_close(source);
    apr_importance_free(m);
    assert_int_equal(unlink(out), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),         cmocka_unit_test(test_file),
        cmocka_unit_test(test_gguf),         cmocka_unit_test(test_experts),
        cmocka_unit_test(test_gguf_experts), cmocka_unit_test(test_stack),
    };

    return cmocka_run_group_tests(tests, make_path, remove_path);
}
