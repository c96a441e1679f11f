/* SPDX-License-Identifier: MIT */
/* Sets of .apr files: written in parts, opened by any of them or by the manifest, and refused when
 * a part is missing, foreign or there twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "folder_fixture.h"
#include <apr/compare.h>
#include <apr/convert.h>
#include <apr/model.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOURCE TEST_DATA_DIR "/tiny/qwen2.gguf"

static trueno_status convert(const char *from, const char *name, uint64_t shard_bytes,
                             const char *compress, bool force, trueno_error *err)
{
    apr_convert_options o;
    apr_model *m = open_verified(from);
    char path[256];
    trueno_status status;

    path_of(path, name);
    apr_convert_options_init(&o, sizeof o);
    o.shard_bytes = shard_bytes;
    o.compress = compress;
    o.force = force;
    status = apr_convert_model(m, path, &o, err);
    apr_model_close(m);
    return status;
}

/* The source in shards of about a third: how many there are. */
static int make_set(const char *name, const char *compress)
{
    apr_model *m = open_verified(SOURCE);
    const uint64_t bytes = apr_model_bytes(m) / 3;
    trueno_error err = {0};
    char path[256];
    int n = 0;

    apr_model_close(m);
    if (convert(SOURCE, name, bytes, compress, true, &err) < 0)
        fail_msg("%s", err.message);
    for (int count = 2; count < 8; count++) {
        char shard[64];

        (void)snprintf(shard, sizeof shard, "%.*s-00001-of-%05d.apr", (int)strlen(name) - 4, name,
                       count);
        path_of(path, shard);
        if (access(path, F_OK) == 0)
            n = count;
    }
    assert_true(n >= 3);
    return n;
}

static void shard_path(char out[256], const char *stem, int number, int count)
{
    char name[64];

    (void)snprintf(name, sizeof name, "%s-%05d-of-%05d.apr", stem, number, count);
    path_of(out, name);
}

static void same_as_source(const char *path)
{
    apr_model *a = open_verified(SOURCE), *b = open_verified(path);
    apr_comparison sums;
    trueno_error err = {0};

    assert_int_equal(apr_compare_models(a, b, NULL, NULL, NULL, &sums, &err), TRUENO_OK);
    assert_int_equal(sums.same, sums.tensors);
    assert_int_equal(apr_model_parameters(a), apr_model_parameters(b));
    assert_int_equal(apr_model_tensor_count(a), apr_model_tensor_count(b));
    apr_model_close(a);
    apr_model_close(b);
}

static void check_set(const char *compress)
{
    const int n = make_set("x.apr", compress);
    trueno_error err = {0};
    char path[256];

    for (int i = 1; i <= n; i++) {
        shard_path(path, "x", i, n);
        same_as_source(path);
    }
    path_of(path, "x.apr.index.json");
    same_as_source(path);
    assert_int_equal(convert(path, "one.apr", 0, NULL, false, &err), TRUENO_OK); /* joined */
    assert_int_equal(convert(path, "one.gguf", 0, NULL, false, &err), TRUENO_OK);
    path_of(path, "one.apr");
    same_as_source(path);
    path_of(path, "one.gguf");
    same_as_source(path);
}

static void test_plain(void **state)
{
    (void)state;
    check_set(NULL);
}

static void test_compressed(void **state)
{
    (void)state;
    check_set("zstd");
}

static void test_enough_for_one(void **state)
{
    trueno_error err = {0};
    char path[256];

    (void)state;
    assert_int_equal(convert(SOURCE, "x.apr", 1 << 30, NULL, false, &err), TRUENO_OK);
    path_of(path, "x.apr");
    same_as_source(path);
    path_of(path, "x.apr.index.json");
    assert_int_not_equal(access(path, F_OK), 0);
}

static void test_exists(void **state)
{
    const int n = make_set("x.apr", NULL);
    trueno_error err = {0};
    apr_model *m = open_verified(SOURCE);
    const uint64_t bytes = apr_model_bytes(m) / 3;

    (void)state;
    (void)n;
    apr_model_close(m);
    assert_int_equal(convert(SOURCE, "x.apr", bytes, NULL, false, &err), TRUENO_USAGE);
    assert_non_null(strstr(err.message, "exists already"));
    assert_int_equal(convert(SOURCE, "x.apr", bytes, NULL, true, &err), TRUENO_OK);
    assert_int_equal(convert(SOURCE, "x.gguf", bytes, NULL, true, &err), TRUENO_USAGE);
    assert_non_null(strstr(err.message, "only .apr files are written in shards"));
}

static void refused(const char *path, trueno_status status, const char *says)
{
    trueno_error err = {0};
    apr_model *m;
    trueno_status found = apr_model_open(&m, path, NULL, &err);

    if (found != status || strstr(err.message, says) == NULL || strchr(err.message, '\n') != NULL)
        fail_msg("status %d, '%s'; wanted %d, '%s'", found, err.message, status, says);
}

static void copy(const char *from, const char *to)
{
    static char piece[1 << 16];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    size_t n;

    while ((n = fread(piece, 1, sizeof piece, in)) > 0)
        assert_int_equal(fwrite(piece, 1, n, out), n);
    (void)fclose(in);
    (void)fclose(out);
}

static void test_missing(void **state)
{
    const int n = make_set("x.apr", NULL);
    char path[256], other[256], manifest[256];

    (void)state;
    shard_path(path, "x", 2, n);
    shard_path(other, "x", 1, n);
    path_of(manifest, "x.apr.index.json");
    (void)unlink(path);
    refused(path, TRUENO_NOT_FOUND, "No such file");
    refused(other, TRUENO_UNSUPPORTED, "shard 2 of");
    refused(manifest, TRUENO_UNSUPPORTED, "shard 2 of");
    (void)unlink(other);
    refused(manifest, TRUENO_UNSUPPORTED, "the manifest names it, it is missing");
}

static void test_wrong_shards(void **state)
{
    const int n = make_set("x.apr", NULL);
    char one[256], two[256], manifest[256], single[256];
    trueno_error err = {0};

    (void)state;
    shard_path(one, "x", 1, n);
    shard_path(two, "x", 2, n);
    path_of(manifest, "x.apr.index.json");
    path_of(single, "single.apr");
    copy(one, two); /* there twice */
    refused(two, TRUENO_FORMAT, "says it is shard 1 of");
    refused(manifest, TRUENO_FORMAT, "says it is shard 1 of");
    (void)unlink(two);
    assert_int_equal(convert(SOURCE, "single.apr", 0, NULL, false, &err), TRUENO_OK);
    copy(single, two); /* no shard at all */
    refused(one, TRUENO_FORMAT, "a file for itself");
    same_as_source(two); /* which opens as what it is */
    path_of(single, "loose.apr");
    (void)make_set("x.apr", NULL);
    copy(one, single); /* a shard under another name */
    refused(single, TRUENO_UNSUPPORTED, "the name does not end in");
}

/* A shard of a set of another model, with and without the manifest that tells of it. */
static void test_foreign(void **state)
{
    const int n = make_set("x.apr", NULL);
    char path[256], y[256], manifest[256];
    trueno_error err = {0};
    apr_convert_options o;
    apr_model *m = open_verified(SOURCE);

    (void)state;
    apr_convert_options_init(&o, sizeof o);
    o.mix = apr_mix_find("BF16");
    o.shard_bytes = apr_model_bytes(m) / 3;
    path_of(y, "y.apr");
    assert_int_equal(apr_convert_model(m, y, &o, &err), TRUENO_OK);
    apr_model_close(m);
    shard_path(path, "x", 2, n);
    for (int count = 1; count < 8; count++) {
        shard_path(y, "y", 2, count);
        if (access(y, F_OK) == 0)
            copy(y, path);
    }
    shard_path(y, "x", 1, n);
    refused(y, TRUENO_FORMAT, "a shard of another set");
    (void)make_set("x.apr", NULL);
    path_of(manifest, "x.apr.index.json");
    {
        FILE *f = fopen(path, "r+b"); /* the last byte is the footer's */

        (void)fseek(f, -1, SEEK_END);
        (void)fputc('?', f);
        (void)fclose(f);
    }
    refused(y, TRUENO_FORMAT, "name, size or checksum");
    refused(manifest, TRUENO_FORMAT, "name, size or checksum");
}

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    (void)fputs(text, f);
    (void)fclose(f);
}

static void test_manifests(void **state)
{
    char manifest[256], first[256];
    const int n = make_set("x.apr", NULL);

    (void)state;
    path_of(manifest, "x.apr.index.json");
    shard_path(first, "x", 1, n);
    write_text(manifest, "{\"shards\":[],\"weight_map\":{}}");
    refused(manifest, TRUENO_FORMAT, "no file of the folder");
    refused(first, TRUENO_FORMAT, "0 shards");
    write_text(manifest, "{\"shards\":[{\"filename\":\"../x\"}],\"weight_map\":{}}");
    refused(manifest, TRUENO_FORMAT, "no file of the folder");
    write_text(manifest, "{");
    refused(first, TRUENO_FORMAT, "line 1");
    (void)unlink(manifest);
    same_as_source(first); /* it need not be there */
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, NULL, empty_folder)
    const struct CMUnitTest tests[] = {
        CASE(test_plain),   CASE(test_compressed), CASE(test_enough_for_one),
        CASE(test_exists),  CASE(test_missing),    CASE(test_wrong_shards),
        CASE(test_foreign), CASE(test_manifests),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
