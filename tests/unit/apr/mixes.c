/* SPDX-License-Identifier: MIT */
/* The mixes give each tensor the type that llama.cpp's quantiser gives it. Without arguments: the
 * made-up models recorded by tests/references/mixes.py. With arguments, MIX [--by-name] FILE...:
 * real files; --by-name for those whose maker took layers in the order of their names (0, 1, 10,
 * 11, ..., 2, 20, ...), as older versions of the quantiser did. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr/mixes.h>
#include <apr/model.h>

#include <cmocka.h>

static const struct {
    const char *kind;
    apr_role role;
} KINDS[] = {
    {"token_embd.weight", APR_TOKEN_EMBEDDING},
    {"output.weight", APR_OUTPUT},
    {"attn_q.weight", APR_ATTN_Q},
    {"attn_k.weight", APR_ATTN_K},
    {"attn_v.weight", APR_ATTN_V},
    {"attn_qkv.weight", APR_ATTN_QKV},
    {"attn_output.weight", APR_ATTN_OUT},
    {"ffn_gate.weight", APR_FFN_GATE},
    {"ffn_up.weight", APR_FFN_UP},
    {"ffn_down.weight", APR_FFN_DOWN},
    {"ffn_gate_inp.weight", APR_FFN_ROUTER},
    {"ffn_gate_exps.weight", APR_FFN_GATE_EXPERTS},
    {"ffn_up_exps.weight", APR_FFN_UP_EXPERTS},
    {"ffn_down_exps.weight", APR_FFN_DOWN_EXPERTS},
};

static apr_role role_of(const char *kind)
{
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++)
        if (strcmp(KINDS[i].kind, kind) == 0)
            return KINDS[i].role;
    fail_msg("the recorded data names %s", kind);
    return APR_ROLE_COUNT;
}

/* One line "KIND cols type*count..." of a mix and model. */
static int check_line(const char *model, const apr_config *config, const apr_mix *mix, char *line)
{
    char *rest, *kind = strtok_r(line, " ", &rest), *word = strtok_r(NULL, " ", &rest);
    const int64_t cols = strtoll(word, NULL, 10);
    int layer = 0;

    while ((word = strtok_r(NULL, " ", &rest)) != NULL) {
        char *count = strchr(word, '*');
        int last = layer + atoi(count + 1);

        *count = '\0';
        for (; layer < last; layer++) {
            int type = apr_mix_type(mix, config, false, role_of(kind), layer, cols);
            const char *name = type < 0 ? "F32" : trueno_type_get(type)->name; /* F32 source */

            if (strcmp(name, word) != 0)
                fail_msg("%s as %s: layer %d's %s is %s, should be %s", model, apr_mix_name(mix),
                         layer, kind, name, word);
        }
    }
    return layer;
}

static void test_recorded_models(void **state)
{
    FILE *f = fopen(TEST_DATA_DIR "/mixes.txt", "r");
    char line[4096], model[64] = "", name[32];
    const apr_mix *mix = NULL;
    apr_config config = {0};
    int checked = 0;

    (void)state;
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        int tied;

        line[strcspn(line, "\n")] = '\0';
        if (sscanf(line, "model %63s %d %d %d %d %d", model, &config.n_layers, &config.n_heads,
                   &config.n_kv_heads, &config.n_experts, &tied) == 6) {
            config.tied_embeddings = tied != 0;
        } else if (sscanf(line, "mix %31s", name) == 1) {
            mix = apr_mix_find(name);
            assert_non_null(mix);
            assert_string_equal(apr_mix_name(mix), name);
        } else {
            checked += check_line(model, &config, mix, line);
        }
    }
    (void)fclose(f);
    assert_true(checked > 20000);
}

static void test_table(void **state)
{
    const apr_config config = {.n_layers = 32, .n_heads = 8, .n_kv_heads = 8};
    int n = 0;

    (void)state;
    for (const apr_mix *mix; (mix = apr_mix_at(n)) != NULL; n++) {
        assert_ptr_equal(apr_mix_find(apr_mix_name(mix)), mix);
        assert_int_equal(apr_mix_type(mix, &config, false, APR_ATTN_NORM, 0, 256), -1);
        assert_int_equal(apr_mix_type(mix, &config, false, APR_FFN_ROUTER, 0, 256), -1);
        for (int i = 0; i < n; i++)
            assert_int_not_equal(apr_mix_file_type(apr_mix_at(i)), apr_mix_file_type(mix));
    }
    assert_int_equal(n, 19);
    assert_null(apr_mix_at(-1));
    assert_null(apr_mix_find("Q4"));
    assert_string_equal(apr_mix_name(apr_mix_find("q4_k")), "Q4_K_M");
    assert_int_equal(apr_mix_file_type(apr_mix_find("q4_k_m")), 15);
}

/* What an importance matrix changes. */
static void test_importance(void **state)
{
    const apr_config config = {.n_layers = 32, .n_heads = 8, .n_kv_heads = 8};

    (void)state;
    for (int layer = 0; layer < 32; layer++) {
        assert_int_equal(
            apr_mix_type(apr_mix_find("Q4_0"), &config, true, APR_FFN_DOWN, layer, 256),
            layer < 4 ? TRUENO_Q4_1 : TRUENO_Q4_0);
        assert_int_equal(
            apr_mix_type(apr_mix_find("Q5_0"), &config, true, APR_FFN_DOWN, layer, 256),
            layer < 4 ? TRUENO_Q5_1 : TRUENO_Q5_0);
        assert_int_equal(
            apr_mix_type(apr_mix_find("IQ4_XS"), &config, true, APR_FFN_DOWN, layer, 256),
            TRUENO_IQ4_XS);
    }
}

/* The place of a layer when names are sorted: of 0 1 10 2, layer 2 has place 3. */
static int32_t place_by_name(int32_t layer, int32_t n_layers)
{
    char name[16], other[16];
    int32_t place = 0;

    (void)snprintf(name, sizeof name, "%d.", layer);
    for (int32_t i = 0; i < n_layers; i++) {
        (void)snprintf(other, sizeof other, "%d.", i);
        place += strcmp(other, name) < 0;
    }
    return place;
}

/* Every tensor of a file that says it is of that mix. */
static int check_file(const char *name, const char *path, bool by_name)
{
    const apr_mix *mix = apr_mix_find(name);
    apr_model *model;
    trueno_error err;
    int wrong = 0;

    if (mix == NULL || apr_model_open(&model, path, NULL, &err) < 0) {
        (void)fprintf(stderr, "%s\n", mix == NULL ? name : err.message);
        return 1;
    }
    for (size_t i = 0; i < apr_model_tensor_count(model); i++) {
        const apr_tensor *t = apr_model_tensor(model, i);
        const apr_config *config = apr_model_config(model);
        int32_t layer = by_name ? place_by_name(t->layer, config->n_layers) : t->layer;
        int type = t->role < 0 ? -1
                               : apr_mix_type(mix, config, false, (apr_role)t->role, layer,
                                              t->dims[t->n_dims - 1]);

        if (type != (type < 0 ? -1 : (int)t->type) || (type < 0 && t->type != TRUENO_F32)) {
            (void)fprintf(stderr, "%s: %s is %s, the mix says %s\n", path, t->name,
                          trueno_type_get(t->type)->name,
                          type < 0 ? "keep F32" : trueno_type_get(type)->name);
            wrong++;
        }
    }
    (void)printf("%s: %zu tensors, %d differ from %s\n", path, apr_model_tensor_count(model), wrong,
                 apr_mix_name(mix));
    apr_model_close(model);
    return wrong != 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded_models),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_importance),
    };
    bool by_name = argc > 2 && strcmp(argv[2], "--by-name") == 0;
    int failed = 0;

    if (argc < 3)
        return cmocka_run_group_tests(tests, NULL, NULL);
    for (int i = by_name ? 3 : 2; i < argc; i++)
        failed |= check_file(argv[1], argv[i], by_name);
    return failed;
}
