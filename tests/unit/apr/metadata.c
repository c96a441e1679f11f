/* SPDX-License-Identifier: MIT */
/*
 * No entry of a model's metadata is lost on the way through other formats: keys of GGUF files of
 * every type, members of config.json and generation_config.json that nothing here knows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "folder_fixture.h"
#include "gguf_build.h"
#include <apr/convert.h>
#include <apr/model.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void remove_all(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char inside[600];

        (void)snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            unlink(inside) != 0)
            remove_all(inside);
    }
    if (dir != NULL)
        (void)closedir(dir);
    (void)rmdir(path);
}

static int remove_all_of_folder(void **state)
{
    (void)state;
    remove_all(folder);
    return 0;
}

static apr_model *open_model(const char *path)
{
    apr_model_options options;
    trueno_error err = {0};
    apr_model *m;

    apr_model_options_init(&options, sizeof options);
    options.lenient = true; /* weights of zeros */
    if (apr_model_open(&m, path, &options, &err) < 0)
        fail_msg("%s", err.message);
    return m;
}

/* Convert from step to step; "a", "g", "s" are formats. The path of the last is in `path`. */
static void walk(const char *source, const char *steps, char path[256])
{
    (void)snprintf(path, 256, "%s", source);
    for (int i = 0; steps[i] != '\0'; i++) {
        apr_convert_options options;
        trueno_error err = {0};
        apr_model *m = open_model(path);

        (void)snprintf(path, 256, "%s/step%d%s", folder, i,
                       steps[i] == 'a'   ? ".apr"
                       : steps[i] == 'g' ? ".gguf"
                                         : "-safetensors");
        apr_convert_options_init(&options, sizeof options);
        options.force = true;
        if (apr_convert_model(m, path, &options, &err) < 0)
            fail_msg("%s, step %d: %s", steps, i, err.message);
        apr_model_close(m);
    }
}

static bool same_scalar(const apr_meta *x, const apr_meta *y)
{
    if (x->kind != y->kind)
        return false;
    if (x->kind == APR_META_STRING || x->kind == APR_META_JSON)
        return x->text.length == y->text.length &&
               memcmp(x->text.data, y->text.data, x->text.length) == 0;
    return x->kind == APR_META_FLOAT ? x->f == y->f : x->u == y->u;
}

static bool same_entry(const apr_meta *x, const apr_meta *y)
{
    apr_meta_cursor at = {0}, other = {0};
    apr_meta a, b;

    if (x->kind != APR_META_ARRAY || y->kind != APR_META_ARRAY)
        return same_scalar(x, y);
    if (x->count != y->count || x->element != y->element)
        return false;
    while (apr_meta_next(x, &at, &a))
        if (!apr_meta_next(y, &other, &b) || !same_scalar(&a, &b))
            return false;
    return true;
}

/* Entries that the formats say of the file alone, or that the vocabulary says. */
static bool may_differ(const char *key)
{
    static const char *const NAMES[] = {"general.file_type", "general.quantization_version",
                                        "general.alignment", "torch_dtype", "dtype"};

    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        if (strcmp(NAMES[i], key) == 0)
            return true;
    return false;
}

static void check_walk(const char *source, const char *steps, bool types)
{
    char path[256];
    apr_model *a, *b;

    walk(source, steps, path);
    a = open_model(source);
    b = open_model(path);
    for (size_t i = 0; i < apr_model_meta_count(a); i++) {
        const apr_meta *x = apr_model_meta(a, i), *y = apr_model_meta_find(b, x->key);

        if (may_differ(x->key))
            continue;
        if (y == NULL)
            fail_msg("%s: %s is lost", steps, x->key);
        if (!same_entry(x, y))
            fail_msg("%s: %s has changed", steps, x->key);
        if (types && strcmp(x->type_name, y->type_name) != 0)
            fail_msg("%s: %s of type %s became %s", steps, x->key, x->type_name, y->type_name);
    }
    assert_string_equal(apr_model_config(a)->name, apr_model_config(b)->name);
    apr_model_close(a);
    apr_model_close(b);
}

static void unknown_keys(gguf_build *g)
{
    static const struct {
        const char *name;
        uint32_t type;
        size_t bytes;
    } NUMBERS[] = {{"x.u8", V_U8, 1},   {"x.i8", V_I8, 1},   {"x.u16", V_U16, 2},
                   {"x.i16", V_I16, 2}, {"x.u32", V_U32, 4}, {"x.i32", V_I32, 4},
                   {"x.u64", V_U64, 8}, {"x.i64", V_I64, 8}};
    const double wide = 1.0 / 3;

    for (size_t i = 0; i < sizeof NUMBERS / sizeof NUMBERS[0]; i++) {
        const uint64_t bits = 0xfedcba9876543210u; /* beyond what a signed one holds */

        key(g, NUMBERS[i].name, NUMBERS[i].type);
        put(&g->keys, (const uint8_t *)&bits + 8 - NUMBERS[i].bytes, NUMBERS[i].bytes);
    }
    key_f32(g, "x.f32", 0.1F);
    key(g, "x.f64", V_F64);
    put(&g->keys, &wide, sizeof wide);
    key_bool(g, "x.yes", 1);
    key_bool(g, "x.no", 0);
    key_str(g, "x.text", "a \"quoted\"\nline, \xc3\xa4");
    key_str(g, "without_a_dot", "kept");
    key_array(g, "general.tags", V_STR, 2);
    put_text(&g->keys, "one");
    put_text(&g->keys, "two");
    key_array(g, "x.numbers", V_I32, 3);
    for (int i = 0; i < 3; i++)
        put_u32(&g->keys, (uint32_t)(i - 1));
    key_array(g, "x.nothing", V_F32, 0);
}

static void write_source(char path[256])
{
    gguf_build g;
    byte_run file;
    FILE *f;

    path_of(path, "source.gguf");
    build_init(&g);
    tiny_config(&g);
    tiny_vocab(&g);
    key_str(&g, "general.name", "A model");
    key_str(&g, "general.license", "apache-2.0");
    key_str(&g, "general.description", "of tests");
    key_f32(&g, "qwen2.rope.freq_base", 1e6F);
    key_bool(&g, "qwen2.rope.scaling.finetuned", 1);
    key_f32(&g, "general.sampling.temp", 0.7F);
    key_u32(&g, "tokenizer.ggml.fim_pre_token_id", 3);
    key_str(&g, "tokenizer.chat_template", "{{ messages }}");
    key_str(&g, "tokenizer.chat_template.tool_use", "{{ tools }}");
    unknown_keys(&g);
    tiny_tensors(&g);
    file = build_finish(&g);
    f = fopen(path, "wb");
    assert_int_equal(fwrite(file.data, 1, file.n, f), file.n);
    (void)fclose(f);
    byte_run_free(&file);
    build_free(&g);
}

static void test_keys_of_gguf(void **state)
{
    static const char *const WALKS[] = {"ag", "sg", "asg", "sag", "sasg", "agag"};
    char source[256];

    (void)state;
    write_source(source);
    for (size_t i = 0; i < sizeof WALKS / sizeof WALKS[0]; i++)
        check_walk(source, WALKS[i], true);
}

static void write_text(const char *name, const char *text, char path[256])
{
    FILE *f;

    path_of(path, name);
    f = fopen(path, "w");
    (void)fputs(text, f);
    (void)fclose(f);
}

/* A folder with members that nothing knows in both of its configs. */
static void write_folder(char path[256])
{
    static const char *const SAME[] = {"model.safetensors.index.json", "tokenizer.json",
                                       "tokenizer_config.json", "chat_template.jinja"};
    char to[320], from[320], file[256];

    path_of(path, "hf");
    assert_int_equal(mkdir(path, 0700), 0);
    for (int i = 0; i < 10; i++) {
        char name[64];

        (void)snprintf(name, sizeof name, "model-%05d-of-00006.safetensors", i - 3);
        (void)snprintf(from, sizeof from, TEST_DATA_DIR "/hf/qwen2/%s", i < 4 ? SAME[i] : name);
        (void)snprintf(to, sizeof to, "%s/%s", path, i < 4 ? SAME[i] : name);
        assert_int_equal(symlink(from, to), 0);
    }
    write_text("hf/config.json",
               "{\"architectures\":[\"Qwen2ForCausalLM\"],\"bos_token_id\":300,\"dtype\":"
               "\"bfloat16\",\"eos_token_id\":[302,300],\"hidden_act\":\"silu\",\"hidden_size\":32,"
               "\"intermediate_size\":48,\"max_position_embeddings\":256,\"model_type\":\"qwen2\","
               "\"num_attention_heads\":4,\"num_hidden_layers\":2,\"num_key_value_heads\":2,"
               "\"rms_norm_eps\":1e-06,\"rope_theta\":1000000.0,\"tie_word_embeddings\":false,"
               "\"vocab_size\":400,\"initializer_range\":0.02,\"my_list\":[1,{\"a\":null}],"
               "\"my_text\":\"x\",\"my_number\":-7,\"my_switch\":false,\"license\":\"mit\"}",
               file);
    write_text("hf/generation_config.json",
               "{\"do_sample\":true,\"eos_token_id\":[302,300],\"temperature\":0.7,\"top_k\":20,"
               "\"max_new_tokens\":99,\"my_generation\":{\"b\":[1.5]}}",
               file);
}

static void test_members_of_configs(void **state)
{
    static const char *const WALKS[] = {"as", "gs", "ags", "gas", "agags"};
    char source[256];

    (void)state;
    write_folder(source);
    for (size_t i = 0; i < sizeof WALKS / sizeof WALKS[0]; i++)
        check_walk(source, WALKS[i], false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_of_gguf),
        cmocka_unit_test(test_members_of_configs),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_all_of_folder);
}
