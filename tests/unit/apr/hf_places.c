/* SPDX-License-Identifier: MIT */
/* Where a Hugging Face folder is found: by any of its files, in a cache, and what is said of one
 * that holds other things. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "folder_fixture.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whatever part of a folder is named, the same model opens; a tokenizer alone is a vocabulary. */
static void test_ways_in(void **state)
{
    static const char *const WAYS[] = {"", "/", "/model.safetensors.index.json",
                                       "/model-00004-of-00006.safetensors"};
    apr_model_options options;
    apr_model *m;
    trueno_error err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof WAYS / sizeof WAYS[0]; i++) {
        char path[512];

        (void)snprintf(path, sizeof path, TEST_DATA_DIR "/hf/qwen2%s", WAYS[i]);
        m = open_verified(path);
        assert_int_equal(apr_model_tensor_count(m), 27);
        assert_string_equal(apr_model_path(m), path);
        apr_model_close(m);
    }
    m = open_verified(TEST_DATA_DIR "/hf/llama/model.safetensors");
    assert_non_null(apr_model_vocab(m));
    apr_model_close(m);
    apr_model_options_init(&options, sizeof options);
    options.vocab_only = true;
    assert_int_equal(apr_model_open(&m, TEST_DATA_DIR "/hf/qwen2/tokenizer.json", &options, &err),
                     TRUENO_OK);
    assert_int_equal(apr_model_vocab(m)->n_tokens, 304);
    assert_int_equal(apr_model_vocab(m)->n_eos, 2); /* by their texts */
    apr_model_close(m);
    assert_int_equal(apr_model_open(&m, TEST_DATA_DIR "/hf/qwen2/tokenizer.json", NULL, &err),
                     TRUENO_UNSUPPORTED);
    assert_int_equal(apr_model_open(&m, TEST_DATA_DIR "/hf", NULL, &err), TRUENO_UNSUPPORTED);
}

static void make_path(char out[512], const char *root, const char *rest)
{
    (void)snprintf(out, 512, "%s%s", root, rest);
}

static void make_directory(const char *root, const char *rest)
{
    char path[512];

    make_path(path, root, rest);
    assert_int_equal(mkdir(path, 0700), 0);
}

static const char *const SNAPSHOT[] = {"config.json", "model.safetensors"};
enum { N_SNAPSHOT = sizeof SNAPSHOT / sizeof SNAPSHOT[0] };

/* snapshots/REVISION below the root, of links to the files of a good folder. */
static void make_snapshot(const char *root, const char *revision, const char *source)
{
    char snapshot[256], from[512], to[512];

    (void)snprintf(snapshot, sizeof snapshot, "/snapshots/%s", revision);
    make_directory(root, snapshot);
    for (int i = 0; i < N_SNAPSHOT; i++) {
        (void)snprintf(from, sizeof from, TEST_DATA_DIR "/hf/%s/%s", source, SNAPSHOT[i]);
        (void)snprintf(to, sizeof to, "%s%s/%s", root, snapshot, SNAPSHOT[i]);
        assert_int_equal(symlink(from, to), 0);
    }
}

static void remove_snapshot(const char *root, const char *revision)
{
    char path[512];

    for (int i = 0; i < N_SNAPSHOT; i++) {
        (void)snprintf(path, sizeof path, "%s/snapshots/%s/%s", root, revision, SNAPSHOT[i]);
        assert_int_equal(unlink(path), 0);
    }
    (void)snprintf(path, sizeof path, "%s/snapshots/%s", root, revision);
    assert_int_equal(rmdir(path), 0);
}

static void write_main(const char *root, const char *revision)
{
    char path[512];
    FILE *f;

    make_path(path, root, "/refs/main");
    f = fopen(path, "w");
    assert_non_null(f);
    (void)fprintf(f, "%s\n", revision);
    assert_int_equal(fclose(f), 0);
}

static void expect_tensors(const char *path, size_t n)
{
    apr_model *m = open_verified(path);

    assert_int_equal(apr_model_tensor_count(m), n);
    apr_model_close(m);
}

/* The layout of the Hugging Face cache: models--ORG--NAME/snapshots/REVISION, files are links; of
 * two revisions refs/main names the one that is meant. */
static void test_cache(void **state)
{
    char root[] = "/tmp/apr-test-XXXXXX", path[512];
    trueno_error err = {0};
    apr_model *m;

    (void)state;
    assert_non_null(mkdtemp(root));
    make_directory(root, "/snapshots");
    make_directory(root, "/refs");
    make_snapshot(root, "0123abcd", "llama");
    expect_tensors(root, 20);
    make_path(path, root, "/snapshots/0123abcd");
    expect_tensors(path, 20);
    make_snapshot(root, "4567ef", "phi3");
    assert_int_equal(apr_model_open(&m, root, NULL, &err), TRUENO_UNSUPPORTED);
    assert_non_null(strstr(err.message, "2 revisions"));
    write_main(root, "../snapshots/4567ef");
    assert_int_equal(apr_model_open(&m, root, NULL, &err), TRUENO_UNSUPPORTED);
    write_main(root, "0123abcd");
    expect_tensors(root, 20);
    remove_snapshot(root, "0123abcd");
    remove_snapshot(root, "4567ef");
    make_path(path, root, "/refs/main");
    assert_int_equal(unlink(path), 0);
    make_path(path, root, "/refs");
    assert_int_equal(rmdir(path), 0);
    make_path(path, root, "/snapshots");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(root), 0);
}

/* A folder of other files: what it has is told. */
static void test_other_files(void **state)
{
    static const struct {
        const char *file, *says;
    } ROWS[] = {{"/notes.txt", "0 .safetensors files and no model.safetensors.index.json"},
                {"/pytorch_model.bin", "its 1 .bin, .pt or .pth files are not read"},
                {"/model.gguf", "name one of its 1 .gguf files"}};
    char root[] = "/tmp/apr-test-XXXXXX", path[512];
    trueno_error err = {0};
    apr_model *m;

    (void)state;
    assert_non_null(mkdtemp(root));
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        make_path(path, root, ROWS[i].file);
        assert_int_equal(symlink("/dev/null", path), 0);
        assert_int_equal(apr_model_open(&m, root, NULL, &err), TRUENO_UNSUPPORTED);
        if (strstr(err.message, ROWS[i].says) == NULL)
            fail_msg("'%s' does not say '%s'", err.message, ROWS[i].says);
    }
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        make_path(path, root, ROWS[i].file);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(root), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ways_in),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_other_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
