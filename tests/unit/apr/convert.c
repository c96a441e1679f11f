/* SPDX-License-Identifier: MIT */
/* Conversions: what comes out says the same as what went in, whichever formats; or nothing is left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "folder_fixture.h"
#include "gguf_build.h"
#include "memory_fixture.h"
#include <apr/convert.h>
#include <apr/model.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

static void same_config(const apr_config *a, const apr_config *b)
{
    assert_string_equal(a->architecture, b->architecture);
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->n_layers, b->n_layers);
    assert_int_equal(a->hidden_size, b->hidden_size);
    assert_int_equal(a->n_heads, b->n_heads);
    assert_int_equal(a->n_kv_heads, b->n_kv_heads);
    assert_int_equal(a->head_dim, b->head_dim);
    assert_int_equal(a->intermediate_size, b->intermediate_size);
    assert_int_equal(a->vocab_size, b->vocab_size);
    assert_int_equal(a->max_positions, b->max_positions);
    assert_int_equal(a->n_rot, b->n_rot);
    assert_true(a->rope_theta == b->rope_theta && a->norm_eps == b->norm_eps);
    assert_int_equal(a->tied_embeddings, b->tied_embeddings);
    assert_int_equal(a->sliding_window, b->sliding_window);
    assert_int_equal(a->sliding_window_pattern, b->sliding_window_pattern);
    assert_int_equal(a->n_experts, b->n_experts);
    assert_int_equal(a->n_experts_used, b->n_experts_used);
    assert_int_equal(a->n_rope_factors, b->n_rope_factors);
    assert_memory_equal(a->rope_long_factors, b->rope_long_factors, sizeof a->rope_long_factors);
}

static void same_vocab(const apr_vocab *a, const apr_vocab *b)
{
    assert_int_equal(a != NULL, b != NULL);
    if (a == NULL)
        return;
    assert_true(b->n_tokens >= a->n_tokens); /* GGUF has a token for every row */
    assert_int_equal(a->n_merges, b->n_merges);
    assert_int_equal(a->bos, b->bos);
    assert_int_equal(a->eos, b->eos);
    assert_int_equal(a->pad, b->pad);
    assert_int_equal(a->add_bos, b->add_bos);
    assert_int_equal(a->n_eos, b->n_eos);
    for (int32_t i = 0; i < a->n_tokens; i++) {
        assert_int_equal(a->tokens[i].length, b->tokens[i].length);
        assert_memory_equal(a->tokens[i].data, b->tokens[i].data, a->tokens[i].length);
        assert_int_equal(a->types[i], b->types[i]);
    }
}

/* Row `row` of what plays a role in the model, norm offset included; of experts 1000 * expert +
 * row. */
static void row_of(const apr_model *m, apr_role role, int layer, int64_t row, float *out)
{
    trueno_tensor t;

    if (role == APR_FFN_UP_EXPERTS) {
        assert_true(apr_model_expert(m, role, layer, (int32_t)(row / 1000), &t));
        row %= 1000;
    } else {
        t = apr_tensor_matrix(m, apr_model_role(m, role, layer));
    }
    trueno_tensor_row_to_f32(&t, row, out);
    if (role == APR_OUTPUT_NORM)
        for (int64_t i = 0; i < t.cols; i++)
            out[i] += apr_model_config(m)->norm_weight_offset;
}

static void same_row(const apr_model *a, const apr_model *b, apr_role role, int layer, int64_t row,
                     int64_t row_in_b)
{
    float x[512], y[512];

    memset(x, 0, sizeof x);
    memset(y, 0, sizeof y);
    row_of(a, role, layer, row, x);
    row_of(b, role, layer, row_in_b, y);
    for (int i = 0; i < 512; i++)
        if (fabsf(x[i] - y[i]) > 1e-6F * fabsf(x[i]))
            fail_msg("role %d row %d column %d: %g became %g", (int)role, (int)row, i, x[i], y[i]);
}

/* Both models hold the same weights; rows of Q are compared through the pairing of each. */
static void same_weights(const apr_model *a, const apr_model *b)
{
    static const apr_role ROLES[] = {APR_TOKEN_EMBEDDING,   APR_OUTPUT_NORM,
                                     APR_ATTN_OUT,          APR_FFN_DOWN,
                                     APR_FFN_SHARED_ROUTER, APR_FFN_SHARED_DOWN};
    const apr_config *c = apr_model_config(a);
    const int d = c->head_dim;

    for (size_t i = 0; i < sizeof ROLES / sizeof ROLES[0]; i++)
        if (apr_model_role(a, ROLES[i], 0) != NULL)
            same_row(a, b, ROLES[i], 0, 0, 0);
    if (c->n_experts > 0)
        same_row(a, b, APR_FFN_UP_EXPERTS, 1, 3001, 3001);
    for (int row = 0; row < 2 * d && apr_model_role(a, APR_ATTN_Q, 0) != NULL; row++) {
        int head = row / d, at = row % d, other = row;

        if (c->rope_type != apr_model_config(b)->rope_type)
            other = c->rope_type == 2 ? head * d + at % (d / 2) * 2 + at / (d / 2)
                                      : head * d + at % 2 * (d / 2) + at / 2;
        same_row(a, b, APR_ATTN_Q, 0, row, other);
    }
}

static void same_models(const char *before, const char *after)
{
    apr_model *a = open_verified(before), *b = open_verified(after);

    same_config(apr_model_config(a), apr_model_config(b));
    same_vocab(apr_model_vocab(a), apr_model_vocab(b));
    same_weights(a, b);
    if (apr_model_chat_template(a) != NULL)
        assert_string_equal(apr_model_chat_template(a), apr_model_chat_template(b));
    assert_true(apr_model_generation_defaults(a)->temperature ==
                apr_model_generation_defaults(b)->temperature);
    assert_int_equal(apr_model_generation_defaults(a)->top_k,
                     apr_model_generation_defaults(b)->top_k);
    apr_model_close(a);
    apr_model_close(b);
}

static void test_folders(void **state)
{
    static const char *const NAMES[] = {"qwen2", "llama", "phi3", "gemma3", "qwen3moe", "qwen2moe"};
    char source[256], apr[256], gguf[256], back[256];

    (void)state;
    path_of(apr, "m.apr");
    path_of(gguf, "m.gguf");
    path_of(back, "back.apr");
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        (void)snprintf(source, sizeof source, TEST_DATA_DIR "/hf/%s", NAMES[i]);
        convert(source, apr, NULL);
        same_models(source, apr);
        if (strcmp(NAMES[i], "llama") != 0) { /* its vocabulary has no GGUF form */
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
    static const char *const NAMES[] = {"qwen2", "llama", "phi3", "gemma3", "qwen3moe", "qwen2moe"};
    char source[256], apr[256], gguf[256], out[256];
    apr_convert_options options;
    trueno_error err = {0};
    apr_model *m;

    (void)state;
    path_of(apr, "m.apr");
    path_of(gguf, "m.gguf");
    path_of(out, "m-safetensors");
    apr_convert_options_init(&options, sizeof options);
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        (void)snprintf(source, sizeof source, TEST_DATA_DIR "/hf/%s", NAMES[i]);
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
        if (strcmp(NAMES[i], "llama") != 0) { /* whose vocabulary has no GGUF form */
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
        apr_model_options options;
        trueno_error err = {0};
        apr_model *m;
        trueno_status status;

        counting_init(&c);
        apr_model_options_init(&options, sizeof options);
        options.allocator = &c.allocator;
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
