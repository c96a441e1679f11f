/* SPDX-License-Identifier: MIT */
/* Importance matrices: sums, both file forms, and files that are wrong in every way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gguf_build.h"
#include <apr/importance.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_gguf),
    };

    return cmocka_run_group_tests(tests, make_path, remove_path);
}
