/* SPDX-License-Identifier: MIT */
/*
 * A GGUF file cut, changed, incomplete, or read without memory: nothing is read past its end,
 * allocated from a count, or leaked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "file_limits.h"
#include "gguf_build.h"
#include "try_open.h"
#include <apr/model.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint64_t VECTOR[] = {TINY_HIDDEN};

static byte_run good_file(void)
{
    gguf_build g = build_tiny();
    byte_run file;

    file = build_end(&g);
    return file;
}

static void test_every_truncation(void **state)
{
    byte_run file = good_file();
    trueno_error err;
    counting c;

    (void)state;
    for (size_t n = 0; n < file.n; n++) {
        counting_init(&c);
        if (try_open_gguf(file.data, n, &c, false, &err) != TRUENO_FORMAT)
            fail_msg("%zu of %zu bytes: %s", n, file.n, err.message);
    }
    byte_run_free(&file);
}

/* Every byte of the tables changed in eight ways: an error or a model, but no crash and no leak. */
static void test_every_byte(void **state)
{
    byte_run file = good_file();
    size_t end = file.n < 1400 ? file.n : 1400, opened = 0, refused = 0;
    trueno_error err;
    counting c;

    (void)state;
    for (size_t at = 0; at < end; at++) {
        static const uint8_t CHANGES[] = {0x01, 0x02, 0x10, 0x40, 0x80, 0xff, 0x7f, 0x20};
        uint8_t old = file.data[at];

        for (size_t i = 0; i < sizeof CHANGES; i++) {
            file.data[at] = old ^ CHANGES[i];
            counting_init(&c);
            if (try_open_gguf(file.data, file.n, &c, i % 2 == 0, &err) == TRUENO_OK)
                opened++;
            else
                refused++;
        }
        file.data[at] = old;
    }
    assert_true(opened > 0 && refused > 0);
    byte_run_free(&file);
}

static void test_required_fields(void **state)
{
    static const char *const KEYS[] = {
        "qwen2.block_count",          "qwen2.context_length",
        "qwen2.embedding_length",     "qwen2.feed_forward_length",
        "qwen2.attention.head_count", "qwen2.attention.layer_norm_rms_epsilon"};
    static const char *const KINDS[] = {"missing", "is str", "is 0"};

    (void)state;
    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++) {
        for (size_t kind = 0; kind < 3; kind++) {
            gguf_build g;
            trueno_error err;
            counting c;
            byte_run file;

            build_init(&g);
            key_str(&g, "general.architecture", "qwen2");
            for (size_t k = 0; k < sizeof KEYS / sizeof KEYS[0]; k++) {
                if (k != i && k == 5)
                    key_f32(&g, KEYS[k], 1e-6F);
                else if (k != i)
                    key_u32(&g, KEYS[k], 2);
                else if (kind == 1)
                    key_str(&g, KEYS[k], "2");
                else if (kind == 2)
                    key_u32(&g, KEYS[k], 0);
            }
            tiny_tensors(&g);
            file = build_finish(&g);
            counting_init(&c);
            assert_int_equal(try_open_gguf(file.data, file.n, &c, false, &err), TRUENO_FORMAT);
            if (strstr(err.message, KEYS[i]) == NULL || strstr(err.message, KINDS[kind]) == NULL)
                fail_msg("%s", err.message);
            byte_run_free(&file);
            build_free(&g);
        }
    }
}

/* As many keys and tensors as are allowed, all as small as can be: the worst for their tables. */
static void test_memory_bound(void **state)
{
    const uint64_t one[] = {1};
    apr_model_options options;
    trueno_error err = {0};
    size_t tables;
    byte_run file;
    gguf_build g;
    apr_model *m;
    counting c;
    char name[32];

    (void)state;
    counting_init(&c);
    build_init(&g);
    g.alignment = 4;
    tiny_config(&g);
    key_u32(&g, "general.alignment", 4);
    while (g.n_keys < APR_LIMIT_GGUF_KEYS) {
        (void)snprintf(name, sizeof name, "%d", (int)g.n_keys);
        key_bool(&g, name, 0);
    }
    while (g.n_tensors < APR_LIMIT_GGUF_TENSORS) {
        (void)snprintf(name, sizeof name, "%d", (int)g.n_tensors);
        tensor(&g, name, 1, one);
    }
    tables = 24 + g.keys.n + g.infos.n;
    file = build_finish(&g);
    apr_model_options_init(&options, sizeof options);
    options.allocator = &c.allocator;
    if (apr_model_open_memory(&m, file.data, file.n, &options, &err) < 0)
        fail_msg("%s", err.message);
    apr_model_close(m);
    if (c.peak > 2 * tables + (1 << 20))
        fail_msg("%zu bytes of tables took %zu bytes", tables, c.peak);
    byte_run_free(&file);

    key_bool(&g, "one more", 0);
    file = build_finish(&g);
    counting_init(&c);
    assert_int_equal(try_open_gguf(file.data, file.n, &c, false, &err), TRUENO_FORMAT);
    assert_non_null(strstr(err.message, "number of keys is 2049, at most 2048"));
    byte_run_free(&file);
    g.more_keys = -1;
    tensor(&g, "one more", 1, one);
    file = build_finish(&g);
    assert_int_equal(try_open_gguf(file.data, file.n, &c, false, &err), TRUENO_FORMAT);
    assert_non_null(strstr(err.message, "number of tensors is 8193, at most 8192"));
    byte_run_free(&file);
    build_free(&g);
}

static trueno_status try_file(counting *c, void *file)
{
    const byte_run *f = file;
    trueno_error err;

    return try_open_gguf(f->data, f->n, c, false, &err); /* looking at it may fail instead */
}

static void test_out_of_memory(void **state)
{
    byte_run file = good_file();

    (void)state;
    assert_true(fail_each_allocation(try_file, &file) >= 5);
    byte_run_free(&file);
}

/* Write one part of a set of `count` into the folder. */
static void write_part(const char *folder, int number, int count, bool magic, unsigned says_number,
                       unsigned says_total, const char *name)
{
    char path[512];
    gguf_build g;
    byte_run file;
    FILE *f;

    build_init(&g);
    if (number == 0)
        tiny_config(&g);
    key_u32(&g, "split.no", says_number);
    key_u32(&g, "split.count", (unsigned)count);
    key_u32(&g, "split.tensors.count", says_total);
    tensor(&g, name, 1, VECTOR);
    file = build_finish(&g);
    if (!magic)
        memcpy(file.data, "NOPE", 4);
    (void)snprintf(path, sizeof path, "%s/m-%05d-of-%05d.gguf", folder, number + 1, count);
    f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(file.data, 1, file.n, f), file.n);
    assert_int_equal(fclose(f), 0);
    byte_run_free(&file);
    build_free(&g);
}

static void open_set(const char *folder, trueno_status expected, const char *says)
{
    char path[512];
    apr_model_options options;
    trueno_error err = {0};
    apr_model *m;
    counting c;
    trueno_status status;

    options = counted_options(&c);
    (void)snprintf(path, sizeof path, "%s/m-00001-of-00002.gguf", folder);
    status = apr_model_open(&m, path, &options, &err);
    if (status != expected || (status < 0 && strstr(err.message, says) == NULL))
        fail_msg("%d %s, wanted %d %s", status, err.message, expected, says);
    apr_model_close(m);
    assert_int_equal(c.live, 0);
}

static void test_sets(void **state)
{
    char folder[] = "/tmp/apr-test-XXXXXX", path[512], other[512];
    apr_model *m;
    trueno_error err = {0};

    (void)state;
    assert_non_null(mkdtemp(folder));
    write_part(folder, 0, 2, true, 0, 2, "a");
    open_set(folder, TRUENO_UNSUPPORTED, "m-00002-of-00002.gguf: part 2 of 2 is missing");
    write_part(folder, 1, 2, true, 1, 2, "b");
    open_set(folder, TRUENO_OK, "");
    write_part(folder, 1, 2, false, 1, 2, "b");
    open_set(folder, TRUENO_FORMAT, "without the GGUF magic");
    write_part(folder, 1, 2, true, 0, 2, "b");
    open_set(folder, TRUENO_FORMAT, "says it is part 1 of 2, wanted part 2");
    write_part(folder, 1, 2, true, 1, 2, "a");
    open_set(folder, TRUENO_FORMAT, "two tensors are named a");
    write_part(folder, 0, 2, true, 0, 3, "a");
    open_set(folder, TRUENO_FORMAT, "2 tensors in the set, split.tensors.count is 3");
    write_part(folder, 0, 2, true, 1, 2, "a");
    open_set(folder, TRUENO_FORMAT, "says it is part 2, wanted part 1");

    (void)snprintf(path, sizeof path, "%s/m-00001-of-00002.gguf", folder);
    (void)snprintf(other, sizeof other, "%s/renamed.gguf", folder);
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(apr_model_open(&m, other, NULL, &err), TRUENO_UNSUPPORTED);
    assert_non_null(strstr(err.message, "the name does not end in"));
    (void)snprintf(path, sizeof path, "%s/m-00002-of-00002.gguf", folder);
    assert_int_equal(apr_model_open(&m, path, NULL, &err), TRUENO_UNSUPPORTED);
    assert_non_null(strstr(err.message, "part 1 of 2 is missing"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(unlink(other), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void test_paths(void **state)
{
    trueno_error err = {0};
    apr_model *m;

    (void)state;
    assert_int_equal(apr_model_open(&m, "/nonexistent/file.gguf", NULL, &err), TRUENO_NOT_FOUND);
    assert_int_equal(apr_model_open(&m, "/dev/null", NULL, &err), TRUENO_NOT_FOUND);
    assert_int_equal(apr_model_open_memory(&m, "hello world", 11, NULL, &err), TRUENO_FORMAT);
    assert_int_equal(apr_model_open_memory(&m, "", 0, NULL, &err), TRUENO_FORMAT);
    apr_model_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_required_fields),
        cmocka_unit_test(test_memory_bound),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
