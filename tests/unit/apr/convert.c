/* SPDX-License-Identifier: MIT */
/* Conversions: what comes out says the same as what went in, whichever formats; or nothing is left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "folder_fixture.h"
#include "memory_fixture.h"
#include "same_models.h"
#include <apr/convert.h>
#include <apr/model.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Folders of tests/data/hf. */
static const char *const FOLDERS[] = {"qwen2", "llama", "phi3", "gemma3", "qwen3moe", "qwen2moe"};
enum { N_FOLDERS = sizeof FOLDERS / sizeof FOLDERS[0] };

static void convert(const char *from, const char *to, const char *mix)
{
    apr_convert_options options;
    trueno_error err = {0};
    apr_model *m = open_verified(from);

    apr_convert_options_init(&options, sizeof options);
    options.mix = mix != NULL ? apr_mix_find(mix) : NULL;
    if (apr_convert_model(m, to, &options, &err) < 0)
        fail_msg("%s to %s: %s", from, to, err.message);
    apr_model_close(m);
}

static void test_folders(void **state)
{
    char source[256], apr[256], gguf[256], back[256];

    (void)state;
    path_of(apr, "m.apr");
    path_of(gguf, "m.gguf");
    path_of(back, "back.apr");
    for (int i = 0; i < N_FOLDERS; i++) {
        (void)snprintf(source, sizeof source, TEST_DATA_DIR "/hf/%s", FOLDERS[i]);
        convert(source, apr, NULL);
        same_models(source, apr);
        if (strcmp(FOLDERS[i], "llama") != 0) { /* its vocabulary has no GGUF form */
            convert(apr, gguf, NULL);
            same_models(source, gguf);
            convert(gguf, back, NULL);
            same_models(source, back);
            assert_int_equal(unlink(gguf), 0);
            assert_int_equal(unlink(back), 0);
        }
        assert_int_equal(unlink(apr), 0);
    }
}

static void remove_exported(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    char file[600];

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        (void)snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            assert_int_equal(unlink(file), 0);
    }
    (void)closedir(dir);
    assert_int_equal(rmdir(path), 0);
}

/* SafeTensors out: from .apr (which came from SafeTensors) and from GGUF, back to the same model.
 */
static void test_export(void **state)
{
    char source[256], apr[256], gguf[256], out[256];
    apr_convert_options options;
    trueno_error err = {0};
    apr_model *m;

    (void)state;
    path_of(apr, "m.apr");
    path_of(gguf, "m.gguf");
    path_of(out, "m-safetensors");
    apr_convert_options_init(&options, sizeof options);
    for (int i = 0; i < N_FOLDERS; i++) {
        (void)snprintf(source, sizeof source, TEST_DATA_DIR "/hf/%s", FOLDERS[i]);
        convert(source, apr, NULL);
        convert(apr, out, NULL);
        same_models(source, out);
        m = open_verified(apr);
        assert_int_equal(apr_convert_model(m, out, &options, &err), TRUENO_USAGE);
        options.force = true;
        assert_int_equal(apr_convert_model(m, out, &options, &err), TRUENO_OK);
        options.force = false;
        apr_model_close(m);
        remove_exported(out);
        if (strcmp(FOLDERS[i], "llama") != 0) { /* whose vocabulary has no GGUF form */
            convert(source, gguf, NULL);
            convert(gguf, out, NULL);
            same_models(source, out);
            remove_exported(out);
            assert_int_equal(unlink(gguf), 0);
        }
        assert_int_equal(unlink(apr), 0);
    }
}

/* Quantised weights become floats; a quantised type is refused, and nothing is left. */
static void test_export_types(void **state)
{
    apr_model *m = open_verified(TEST_DATA_DIR "/gguf/tiny.gguf"), *exported;
    apr_convert_options options;
    trueno_error err = {0};
    char out[256];

    (void)state;
    path_of(out, "m-safetensors");
    convert(TEST_DATA_DIR "/gguf/tiny.gguf", out, "F16");
    exported = open_verified(out);
    assert_int_equal(apr_model_role(exported, APR_ATTN_Q, 0)->type, TRUENO_F16);
    assert_int_equal(apr_model_vocab(exported)->n_tokens, 12); /* the unused one by its row */
    assert_int_equal(apr_model_vocab(exported)->types[11], APR_TOKEN_UNUSED);
    apr_model_close(exported);
    remove_exported(out);
    apr_convert_options_init(&options, sizeof options);
    options.mix = apr_mix_find("Q8_0");
    assert_int_equal(apr_convert_model(m, out, &options, &err), TRUENO_UNSUPPORTED);
    apr_model_close(m);
}

/* The llama family's rows change their order; a vocabulary that GGUF can hold is needed: none. */
static void test_row_order(void **state)
{
    char folder_in[256], path[512], gguf[256], back[256];
    static const char *const FILES[] = {"config.json", "model.safetensors"};

    (void)state;
    path_of(folder_in, "hf");
    path_of(gguf, "m.gguf");
    path_of(back, "m.apr");
    assert_int_equal(mkdir(folder_in, 0700), 0);
    for (int i = 0; i < 2; i++) {
        char from[256];

        (void)snprintf(from, sizeof from, TEST_DATA_DIR "/hf/llama/%s", FILES[i]);
        (void)snprintf(path, sizeof path, "%s/%s", folder_in, FILES[i]);
        assert_int_equal(symlink(from, path), 0);
    }
    convert(folder_in, gguf, NULL);
    convert(gguf, back, NULL);
    {
        apr_model *a = open_verified(folder_in), *b = open_verified(gguf), *c = open_verified(back);

        assert_int_equal(apr_model_config(a)->rope_type, 2);
        assert_int_equal(apr_model_config(b)->rope_type, 0);
        assert_int_equal(apr_model_config(c)->rope_type, 0); /* .apr keeps its source's order */
        same_weights(a, b);
        same_weights(b, c);
        assert_non_null(apr_model_role(b, APR_ROPE_FREQUENCIES, 0));
        apr_model_close(a);
        apr_model_close(b);
        apr_model_close(c);
    }
    for (int i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder_in, FILES[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(folder_in) | unlink(gguf) | unlink(back), 0);
}

/* GGUF to .apr and back: quantised blocks are the same bytes, every key has its value and type. */
static void test_gguf_round_trip(void **state)
{
    const char *source = TEST_DATA_DIR "/gguf/tiny.gguf";
    char apr[256], gguf[256];
    apr_model *a, *b;

    (void)state;
    path_of(apr, "m.apr");
    path_of(gguf, "m.gguf");
    convert(source, apr, NULL);
    convert(apr, gguf, NULL);
    same_models(source, gguf);
    a = open_verified(source);
    b = open_verified(gguf);
    for (size_t i = 0; i < apr_model_tensor_count(a); i++) {
        const apr_tensor *t = apr_model_tensor(a, i), *u = apr_model_find(b, t->name);

        assert_non_null(u);
        assert_int_equal(t->type, u->type);
        assert_memory_equal(t->dims, u->dims, sizeof t->dims);
        assert_memory_equal(t->data, u->data, t->bytes);
    }
    for (size_t i = 0; i < apr_model_meta_count(a); i++) {
        const apr_meta *x = apr_model_meta(a, i), *y = apr_model_meta_find(b, x->key);

        if (y == NULL)
            fail_msg("%s is lost", x->key);
        if (strcmp(x->key, "tokenizer.ggml.bos_token_id") != 0)
            assert_string_equal(x->type_name, y->type_name);
        if (x->kind == APR_META_STRING)
            assert_memory_equal(x->text.data, y->text.data, x->text.length);
        else
            assert_int_equal(x->u, y->u);
    }
    apr_model_close(a);
    apr_model_close(b);
    assert_int_equal(unlink(apr) | unlink(gguf), 0);
}

static void test_quantize(void **state)
{
    char apr[256], again[256];
    apr_model *m;

    (void)state;
    path_of(apr, "m.apr");
    path_of(again, "again.apr");
    convert(TEST_DATA_DIR "/hf/qwen2", apr, "Q8_0");
    convert(apr, again, "F16");
    m = open_verified(apr);
    assert_int_equal(apr_model_role(m, APR_ATTN_Q, 0)->type, TRUENO_Q8_0);
    apr_model_close(m);
    m = open_verified(again);
    assert_int_equal(apr_model_role(m, APR_ATTN_Q, 0)->type, TRUENO_F16);
    apr_model_close(m);
    assert_int_equal(unlink(apr) | unlink(again), 0);
}

static void refuse(apr_model *m, const char *path, const char *format, trueno_status status,
                   const char *says)
{
    apr_convert_options options;
    trueno_error err = {0};
    int before = files_in_folder();

    apr_convert_options_init(&options, sizeof options);
    options.format = format;
    assert_int_equal(apr_convert_model(m, path, &options, &err), status);
    if (strstr(err.message, says) == NULL)
        fail_msg("%s", err.message);
    assert_int_equal(files_in_folder(), before); /* nothing is left of it */
}

static void test_refused(void **state)
{
    apr_model *m = open_verified(TEST_DATA_DIR "/gguf/tiny.gguf");
    apr_convert_options options;
    trueno_error err = {0};
    char path[256];

    (void)state;
    path_of(path, "m.gguf");
    refuse(m, path, NULL, TRUENO_USAGE, "is GGUF v3 already");
    path_of(path, "m.bin");
    refuse(m, path, NULL, TRUENO_USAGE, "cannot write the format '.bin'");
    path_of(path, "m.gguf");
    refuse(m, path, "apr", TRUENO_USAGE, "the name says gguf");
    path_of(path, "none/m.apr");
    refuse(m, path, NULL, TRUENO_IO, "none/m.apr");
    refuse(m, folder, "apr", TRUENO_USAGE, "no regular file");
    path_of(path, "m.apr");
    convert(TEST_DATA_DIR "/gguf/tiny.gguf", path, NULL);
    refuse(m, path, NULL, TRUENO_USAGE, "exists already");
    apr_convert_options_init(&options, sizeof options);
    options.force = true;
    assert_int_equal(apr_convert_model(m, path, &options, &err), TRUENO_OK);
    assert_int_equal(unlink(path), 0);
    apr_model_close(m);
}

/* An allocation fails, sooner or later: the conversion says so and leaves no file. */
static void test_out_of_memory(void **state)
{
    char path[256];
    counting c;
    size_t n = 1;

    (void)state;
    path_of(path, "m.apr");
    for (;; n += n < 40 ? 1 : 7) {
        apr_model_options options = counted_options(&c);
        trueno_error err = {0};
        apr_model *m;
        trueno_status status;

        assert_int_equal(apr_model_open(&m, TEST_DATA_DIR "/hf/qwen2", &options, &err), TRUENO_OK);
        c.calls = 0;
        c.fail_at = n;
        status = apr_convert_model(m, path, NULL, &err);
        apr_model_close(m);
        assert_int_equal(c.live, 0);
        if (status == TRUENO_OK)
            break;
        assert_int_equal(status, TRUENO_NO_MEMORY);
        assert_int_equal(files_in_folder(), 0);
    }
    assert_true(n > 30);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folders),         cmocka_unit_test(test_row_order),
        cmocka_unit_test(test_export),          cmocka_unit_test(test_export_types),
        cmocka_unit_test(test_gguf_round_trip), cmocka_unit_test(test_quantize),
        cmocka_unit_test(test_refused),         cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
