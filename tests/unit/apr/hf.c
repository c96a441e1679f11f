/* SPDX-License-Identifier: MIT */
/* Good Hugging Face folders, written by transformers: config, tensors and tokens as its own parts
 * read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <apr/inspect.h>
#include <apr/model.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static apr_model *open_model(const char *path, bool vocab_only)
{
    apr_model_options options;
    trueno_error err = {0};
    apr_model *m;

    apr_model_options_init(&options, sizeof options);
    options.vocab_only = vocab_only;
    if (apr_model_open(&m, path, &options, &err) < 0)
        fail_msg("%s", err.message);
    return m;
}

static void check_config(const apr_config *c, const char *key, int value)
{
    const struct {
        const char *key;
        int value;
    } fields[] = {{"hidden_size", c->hidden_size},
                  {"intermediate_size", c->intermediate_size},
                  {"num_hidden_layers", c->n_layers},
                  {"num_attention_heads", c->n_heads},
                  {"num_key_value_heads", c->n_kv_heads},
                  {"vocab_size", c->vocab_size},
                  {"max_position_embeddings", c->max_positions},
                  {"tie_word_embeddings", c->tied_embeddings}};

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (strcmp(fields[i].key, key) == 0) {
            assert_int_equal(fields[i].value, value);
            return;
        }
    }
    fail_msg("no field for %s", key);
}

/* "NAME DTYPE CRC DIMS..." */
static void check_tensor(const apr_model *m, const char *line)
{
    char name[96], dtype[16];
    unsigned crc;
    long long dims[4] = {1, 1, 1, 1};
    int at = 0, n_dims;
    const apr_tensor *t;

    assert_int_equal(sscanf(line, "tensor %95s %15s %x %n", name, dtype, &crc, &at), 3);
    n_dims = sscanf(line + at, "%lld %lld %lld %lld", &dims[0], &dims[1], &dims[2], &dims[3]);
    t = apr_model_find(m, name);
    assert_non_null(t);
    assert_string_equal(apr_tensor_type_name(t), dtype);
    assert_int_equal(t->n_dims, n_dims);
    for (int i = 0; i < 4; i++)
        assert_int_equal(t->dims[i], dims[i]);
    assert_int_equal(crc32(0, t->data, (unsigned)t->bytes), crc);
    if (t->role < 0)
        fail_msg("%s has no role", name);
}

/* "ID HEX FLAGS" */
static void check_token(const apr_vocab *v, const char *line)
{
    static const char LETTERS[] = "ASLRWN";
    char hex[256], letters[16] = "", text[128];
    unsigned flags = 0, byte;
    size_t n;
    int id;

    assert_true(sscanf(line, "token %d %255s %15s", &id, hex, letters) >= 2);
    n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        text[i] = (char)byte;
    }
    for (const char *l = letters; *l != '\0'; l++)
        flags |= 1u << (strchr(LETTERS, *l) - LETTERS);
    assert_true(id < v->n_tokens);
    assert_int_equal(v->tokens[id].length, n);
    assert_memory_equal(v->tokens[id].data, text, n);
    assert_int_equal(v->flags[id], flags);
}

static void check_against(const char *name, size_t least_tokens)
{
    char path[512], line[512], key[64];
    size_t tensors = 0, tokens = 0;
    apr_model *m;
    int value;
    FILE *f;

    (void)snprintf(path, sizeof path, TEST_DATA_DIR "/hf/%s", name);
    m = open_model(path, false);
    assert_string_equal(apr_model_format(m), "SafeTensors");
    (void)strcat(path, ".txt");
    f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        if (sscanf(line, "config %63s %d", key, &value) == 2) {
            check_config(apr_model_config(m), key, value);
        } else if (strncmp(line, "tensor", 6) == 0) {
            check_tensor(m, line);
            tensors++;
        } else {
            check_token(apr_model_vocab(m), line);
            tokens++;
        }
    }
    (void)fclose(f);
    assert_int_equal(tensors, apr_model_tensor_count(m));
    assert_true(tokens >= least_tokens);
    assert_int_equal(apr_model_check_shapes(m, NULL), TRUENO_OK);
    apr_model_close(m);
}

static void test_folders(void **state)
{
    (void)state;
    check_against("qwen2", 300);
    check_against("llama", 300);
    check_against("phi3", 0);
    check_against("gemma3", 0);
    check_against("qwen3moe", 0);
    check_against("qwen2moe", 0);
}

static void test_qwen2(void **state)
{
    apr_model *m = open_model(TEST_DATA_DIR "/hf/qwen2", false);
    const apr_config *c = apr_model_config(m);
    const apr_vocab *v = apr_model_vocab(m);
    const apr_generation_defaults *d = apr_model_generation_defaults(m);

    (void)state;
    assert_string_equal(c->architecture, "qwen2");
    assert_int_equal(c->rope_type, 2);
    assert_true(c->rope_theta == 1e6F && c->norm_eps == 1e-6F);
    assert_int_equal(c->sliding_window, 0);
    assert_true(d->temperature == 0.7F && d->top_p == 0.8F && d->repeat_penalty == 1.1F);
    assert_int_equal(d->top_k, 20);
    assert_int_equal(d->do_sample, 1);
    assert_true(d->min_p < 0);
    assert_int_equal(v->n_eos, 2);
    assert_int_equal(v->eos_ids[0], 302);
    assert_int_equal(v->eos_ids[1], 300);
    assert_int_equal(v->pad, 300);
    assert_true(v->byte_level && !v->byte_fallback && !v->add_bos);
    assert_int_equal(v->n_steps, 3);
    assert_int_equal(v->steps[0].kind, APR_STEP_NFC);
    assert_true(v->steps[0].normalizer && !v->steps[1].normalizer);
    assert_int_equal(v->steps[1].kind, APR_STEP_SPLIT);
    assert_int_equal(v->steps[1].behavior, APR_SPLIT_ISOLATED);
    assert_true(v->steps[1].regex && !v->steps[1].invert);
    assert_memory_equal(v->steps[1].pattern, "(?i:'s|'t", 9);
    assert_int_equal(v->steps[2].kind, APR_STEP_BYTE_LEVEL);
    assert_int_equal(v->steps[2].flags, 0);
    assert_true(v->n_merges > 10 && v->merge_pairs != NULL);
    assert_memory_equal(apr_model_chat_template(m), "{% for m in", 11);
    assert_true(apr_model_role(m, APR_OUTPUT, 0) != apr_model_role(m, APR_TOKEN_EMBEDDING, 0));
    apr_model_close(m);
}

static void test_llama(void **state)
{
    apr_model *m = open_model(TEST_DATA_DIR "/hf/llama", false);
    const apr_config *c = apr_model_config(m);
    const apr_vocab *v = apr_model_vocab(m);

    (void)state;
    assert_true(c->tied_embeddings);
    assert_int_equal(c->rope_scaling, APR_ROPE_SCALING_LLAMA3);
    assert_true(c->rope_theta == 5e5F && c->rope_scaling_factor == 8);
    assert_true(c->llama3_low_frequency_factor == 1 && c->llama3_high_frequency_factor == 4);
    assert_int_equal(c->rope_original_positions, 64);
    assert_true(v->byte_fallback && !v->byte_level && v->fuse_unknown && v->add_space_prefix);
    assert_true(v->add_bos && !v->add_eos);
    assert_int_equal(v->bos, 1);
    assert_int_equal(v->eos, 2);
    assert_int_equal(v->unk, 0);
    assert_int_equal(v->types[3], APR_TOKEN_BYTE);
    assert_int_equal(v->types[1], APR_TOKEN_CONTROL);
    assert_int_equal(v->n_steps, 2);
    assert_int_equal(v->steps[0].kind, APR_STEP_PREPEND);
    assert_string_equal(v->steps[0].text, "\xe2\x96\x81");
    assert_int_equal(v->steps[1].kind, APR_STEP_REPLACE);
    assert_string_equal(v->steps[1].pattern, " ");
    apr_model_close(m);
}

static void test_others(void **state)
{
    apr_model *phi3 = open_model(TEST_DATA_DIR "/hf/phi3", false);
    apr_model *gemma3 = open_model(TEST_DATA_DIR "/hf/gemma3", false);
    apr_model *moe = open_model(TEST_DATA_DIR "/hf/qwen3moe", false);
    const apr_config *c = apr_model_config(phi3);
    trueno_tensor expert;

    (void)state;
    assert_int_equal(c->rope_scaling, APR_ROPE_SCALING_LONGROPE);
    assert_int_equal(c->n_rot, 4);
    assert_int_equal(c->n_rope_factors, 2);
    assert_true(c->rope_long_factors[1] == 2.5F && c->rope_short_factors[1] == 1.25F);
    assert_int_equal(c->rope_original_positions, 64);
    assert_non_null(apr_model_role(phi3, APR_FFN_GATE_UP, 1));
    assert_non_null(apr_model_role(phi3, APR_ATTN_QKV, 1));
    c = apr_model_config(gemma3);
    assert_true(c->rope_theta == 1e6F && c->rope_local_theta == 1e4F && c->query_scale == 16);
    assert_int_equal(c->sliding_window, 32);
    assert_int_equal(c->sliding_window_pattern, 6);
    assert_non_null(apr_model_role(gemma3, APR_FFN_POST_NORM, 5));
    assert_string_equal(apr_model_role(gemma3, APR_FFN_NORM, 5)->name,
                        "model.layers.5.pre_feedforward_layernorm.weight");
    c = apr_model_config(moe);
    assert_int_equal(c->n_experts, 4);
    assert_int_equal(c->n_experts_used, 2);
    assert_true(c->expert_renormalize);
    assert_true(apr_model_expert(moe, APR_FFN_DOWN_EXPERTS, 1, 3, &expert));
    assert_ptr_equal(expert.data,
                     apr_model_find(moe, "model.layers.1.mlp.experts.3.down_proj.weight")->data);
    assert_true(expert.rows == 32 && expert.cols == 16);
    assert_false(apr_model_expert(moe, APR_FFN_DOWN_EXPERTS, 1, 4, &expert));
    assert_false(apr_model_expert(moe, APR_FFN_DOWN_EXPERTS, 2, 0, &expert));
    apr_model_close(phi3);
    apr_model_close(gemma3);
    apr_model_close(moe);
}

/* Only two digits make a byte: other programs took "<0x-1>" for an index below their table. */
static void test_byte_tokens(void **state)
{
    static const char file[] =
        "{\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"merges\":[],\"vocab\":{\"<0x00>\":0,"
        "\"<0xaF>\":1,\"<0x-1>\":2,\"<0x+1>\":3,\"<0x 1>\":4,\"<0xG1>\":5,\"<0x100>\":6}}}";
    apr_model_options options;
    trueno_error err = {0};
    apr_model *m;

    (void)state;
    apr_model_options_init(&options, sizeof options);
    options.vocab_only = true;
    assert_int_equal(apr_model_open_memory(&m, file, sizeof file - 1, &options, &err), TRUENO_OK);
    for (int id = 0; id < 7; id++)
        assert_int_equal(apr_model_vocab(m)->types[id], id < 2 ? APR_TOKEN_BYTE : APR_TOKEN_NORMAL);
    apr_model_close(m);
}

static void test_inspect(void **state)
{
    static const char *const PARTS[] = {
        "\"format\":\"SafeTensors\"", "\"num_kv_heads\":2",    "\"tensor_types\":{\"BF16\":27}",
        "\"bos_token_id\":300",       "\"rope_parameters\":{", "\"generation.top_k\":20"};
    apr_model *m = open_model(TEST_DATA_DIR "/hf/qwen2", false);
    trueno_error err = {0};
    size_t n;
    char *text;

    (void)state;
    assert_int_equal(apr_inspect_json(m, false, &text, &n, &err), TRUENO_OK);
    for (size_t i = 0; i < sizeof PARTS / sizeof PARTS[0]; i++)
        if (strstr(text, PARTS[i]) == NULL)
            fail_msg("no %s in %s", PARTS[i], text);
    apr_inspect_free(m, text, n);
    apr_model_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folders), cmocka_unit_test(test_qwen2),
        cmocka_unit_test(test_llama),   cmocka_unit_test(test_others),
        cmocka_unit_test(test_inspect), cmocka_unit_test(test_byte_tokens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
