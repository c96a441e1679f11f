/* SPDX-License-Identifier: MIT */
/* Bad Hugging Face folders: companions that are missing, contradict each other or are not
 * understood. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "try_open.h"
#include <apr/model.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const NAMES[] = {
    "config.json",           "generation_config.json",       "tokenizer.json",
    "tokenizer_config.json", "model.safetensors.index.json", "model.safetensors"};
enum {
    N_NAMES = sizeof NAMES / sizeof NAMES[0],
    CONFIG = 0,
    GENERATION,
    TOKENIZER,
    TOKENIZER_CONFIG,
    INDEX,
    WEIGHTS
};

#define CONFIG_WITH(more)                                                                  \
    "{\"architectures\":[\"Qwen2ForCausalLM\"],\"num_hidden_layers\":1,\"hidden_size\":8," \
    "\"num_attention_heads\":2,\"intermediate_size\":8,\"max_position_embeddings\":16,"    \
    "\"rms_norm_eps\":1e-6,\"vocab_size\":8,\"hidden_act\":\"silu\"" more "}"
#define TOKENIZER_WITH(model, more)                                                                \
    "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]" model \
    "}" more "}"
#define ADDED(content, id) "{\"id\":" id ",\"content\":" content ",\"special\":true}"
/* A tensor x of one float, as a container: its header's length is 54 = 0x36. */
#define ONE_TENSOR "{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}"

typedef struct bad_folder {
    const char *name;
    trueno_status status;
    const char *says;
    const char
        *files[N_NAMES]; /* NULL: a good one, or none where none is needed; "": no such file */
} bad_folder;

static const bad_folder CASES[] = {
    {"good", TRUENO_OK, "", {0}},
    {"no config", TRUENO_UNSUPPORTED, "config.json: the file is missing", {""}},
    {"no weights", TRUENO_UNSUPPORTED, "0 .safetensors files", {[WEIGHTS] = ""}},
    {"quantised",
     TRUENO_UNSUPPORTED,
     "quantised by gptq",
     {CONFIG_WITH(",\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":4}")}},
    {"no longer quantised",
     TRUENO_OK,
     "",
     {CONFIG_WITH(",\"quantization_config\":{\"quant_method\":\"gguf\"}")}},
    {"config no JSON", TRUENO_FORMAT, "config.json: line 1", {"{"}},
    {"config a list", TRUENO_FORMAT, "no object", {"[]"}},
    {"config empty", TRUENO_FORMAT, "names no architecture", {"{}"}},
    {"field missing",
     TRUENO_FORMAT,
     "required key num_hidden_layers",
     {"{\"architectures\":[\"Qwen2ForCausalLM\"]}"}},
    {"field a text", TRUENO_FORMAT, "head_dim is a string", {CONFIG_WITH(",\"head_dim\":\"4\"")}},
    {"field a list", TRUENO_FORMAT, "head_dim is a list", {CONFIG_WITH(",\"head_dim\":[4]")}},
    {"field a fraction",
     TRUENO_FORMAT,
     "head_dim is a number with a fraction",
     {CONFIG_WITH(",\"head_dim\":4.5")}},
    {"field too large", TRUENO_FORMAT, "head_dim is 100000", {CONFIG_WITH(",\"head_dim\":100000")}},
    {"field beyond 64 bits",
     TRUENO_FORMAT,
     "config.json: line 1",
     {CONFIG_WITH(",\"head_dim\":99999999999999999999")}},
    {"field null", TRUENO_OK, "", {CONFIG_WITH(",\"head_dim\":null")}},
    {"heads do not divide",
     TRUENO_UNSUPPORTED,
     "2 query heads",
     {CONFIG_WITH(",\"num_key_value_heads\":3")}},
    {"activation",
     TRUENO_UNSUPPORTED,
     "activation relu",
     {"{\"architectures\":[\"LlamaForCausalLM\"],\"num_hidden_layers\":1,\"hidden_size\":8,\"num_"
      "attention_heads\":2,\"intermediate_size\":8,\"max_position_embeddings\":16,\"rms_norm_eps\":"
      "1e-6,\"hidden_act\":\"relu\"}"}},
    {"scaling unknown",
     TRUENO_UNSUPPORTED,
     "'dynamic'",
     {CONFIG_WITH(",\"rope_scaling\":{\"rope_type\":\"dynamic\"}")}},
    {"factors short",
     TRUENO_UNSUPPORTED,
     "long_factor has 1 entries",
     {CONFIG_WITH(
         ",\"rope_scaling\":{\"type\":\"longrope\",\"long_factor\":[1],\"short_factor\":[1,1]}")}},
    {"factor 0",
     TRUENO_FORMAT,
     "long_factor[1]",
     {CONFIG_WITH(",\"rope_scaling\":{\"type\":\"longrope\",\"long_factor\":[1,0],\"short_factor\":"
                  "[1,1]}")}},
    {"rotary factor 2",
     TRUENO_FORMAT,
     "partial_rotary_factor",
     {CONFIG_WITH(",\"partial_rotary_factor\":2")}},
    {"layer types few",
     TRUENO_FORMAT,
     "layer_types has 2 entries",
     {CONFIG_WITH(",\"layer_types\":[\"full_attention\",\"full_attention\"]")}},
    {"layer type unknown",
     TRUENO_UNSUPPORTED,
     "layer 0",
     {CONFIG_WITH(",\"layer_types\":[\"chunked\"]")}},
    {"window from a layer on",
     TRUENO_UNSUPPORTED,
     "max_window_layers",
     {CONFIG_WITH(",\"use_sliding_window\":true,\"sliding_window\":8,\"max_window_layers\":1")}},
    {"eos a text",
     TRUENO_FORMAT,
     "eos_token_id",
     {[GENERATION] = "{\"eos_token_id\":\"x\"}", [TOKENIZER] = TOKENIZER_WITH("", "")}},
    {"eos past the vocabulary",
     TRUENO_FORMAT,
     "end-of-text token is 9",
     {[GENERATION] = "{\"eos_token_id\":[1,9]}", [TOKENIZER] = TOKENIZER_WITH("", "")}},
    {"top_k below 0", TRUENO_FORMAT, "top_k", {[GENERATION] = "{\"top_k\":-1}"}},
    {"temperature a text",
     TRUENO_FORMAT,
     "temperature",
     {[GENERATION] = "{\"temperature\":\"hot\"}"}},
    {"good tokenizer",
     TRUENO_OK,
     "",
     {[TOKENIZER] = TOKENIZER_WITH("", ",\"added_tokens\":[" ADDED("\"<e>\"", "3") "]")}},
    {"tokenizer of a kind unknown",
     TRUENO_UNSUPPORTED,
     "'Unigram'",
     {[TOKENIZER] = "{\"model\":{\"type\":\"Unigram\"}}"}},
    {"tokenizer without model", TRUENO_UNSUPPORTED, "tokenizer model", {[TOKENIZER] = "{}"}},
    {"no tokens",
     TRUENO_FORMAT,
     "no tokens",
     {[TOKENIZER] = "{\"model\":{\"type\":\"BPE\",\"vocab\":{},\"merges\":[]}}"}},
    {"vocab a list",
     TRUENO_FORMAT,
     "model.vocab",
     {[TOKENIZER] = "{\"model\":{\"type\":\"BPE\",\"vocab\":[],\"merges\":[]}}"}},
    {"token twice",
     TRUENO_FORMAT,
     "duplicate",
     {[TOKENIZER] = "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"a\":1}}}"}},
    {"id twice",
     TRUENO_FORMAT,
     "another token has the id of",
     {[TOKENIZER] = "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":0}}}"}},
    {"id below 0",
     TRUENO_FORMAT,
     "no usable id of the token 'a'",
     {[TOKENIZER] = "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1}}}"}},
    {"id far out",
     TRUENO_FORMAT,
     "no usable id of the token 'a'",
     {[TOKENIZER] = "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":1000000}}}"}},
    {"id a text",
     TRUENO_FORMAT,
     "no usable id of the token 'a'",
     {[TOKENIZER] = "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":\"0\"}}}"}},
    {"more tokens than rows",
     TRUENO_UNSUPPORTED,
     "tokenizer.json has 21 tokens",
     {[TOKENIZER] = TOKENIZER_WITH("", ",\"added_tokens\":[" ADDED("\"<e>\"", "20") "]")}},
    {"added without text",
     TRUENO_FORMAT,
     "added token 0 has no text",
     {[TOKENIZER] = TOKENIZER_WITH("", ",\"added_tokens\":[" ADDED("\"\"", "3") "]")}},
    {"added on another's id",
     TRUENO_FORMAT,
     "another token has the id of '<e>'",
     {[TOKENIZER] = TOKENIZER_WITH("", ",\"added_tokens\":[" ADDED("\"<e>\"", "2") "]")}},
    {"added with two ids",
     TRUENO_FORMAT,
     "two ids of the added token 'a'",
     {[TOKENIZER] = TOKENIZER_WITH("", ",\"added_tokens\":[" ADDED("\"a\"", "3") "]")}},
    {"merges mixed",
     TRUENO_FORMAT,
     "merge 1",
     {[TOKENIZER] =
          "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a b\",[\"a\",\"b\"]]}}"}},
    {"merge of three",
     TRUENO_FORMAT,
     "merge 0",
     {[TOKENIZER] =
          "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[[\"a\",\"b\",\"c\"]]}}"}},
    {"dropout",
     TRUENO_UNSUPPORTED,
     "dropout",
     {[TOKENIZER] = TOKENIZER_WITH(",\"dropout\":0.1", "")}},
    {"suffix",
     TRUENO_UNSUPPORTED,
     "end_of_word_suffix",
     {[TOKENIZER] = TOKENIZER_WITH(",\"end_of_word_suffix\":\"</w>\"", "")}},
    {"normalizer unknown",
     TRUENO_UNSUPPORTED,
     "normalizer: type 'Precompiled'",
     {[TOKENIZER] = TOKENIZER_WITH("", ",\"normalizer\":{\"type\":\"Precompiled\"}")}},
    {"pre_tokenizer unknown",
     TRUENO_UNSUPPORTED,
     "pre_tokenizer: type 'Bert'",
     {[TOKENIZER] = TOKENIZER_WITH("", ",\"pre_tokenizer\":{\"type\":\"Bert\"}")}},
    {"split without pattern",
     TRUENO_UNSUPPORTED,
     "pattern of",
     {[TOKENIZER] =
          TOKENIZER_WITH("", ",\"pre_tokenizer\":{\"type\":\"Split\",\"behavior\":\"Isolated\"}")}},
    {"behavior unknown",
     TRUENO_UNSUPPORTED,
     "behavior 'Gone'",
     {[TOKENIZER] = TOKENIZER_WITH(
          "", ",\"pre_tokenizer\":{\"type\":\"Punctuation\",\"behavior\":\"Gone\"}")}},
    {"post_processor unknown",
     TRUENO_UNSUPPORTED,
     "'RobertaProcessing'",
     {[TOKENIZER] = TOKENIZER_WITH("", ",\"post_processor\":{\"type\":\"RobertaProcessing\"}")}},
    {"template of no token",
     TRUENO_UNSUPPORTED,
     "post_processor",
     {[TOKENIZER] =
          TOKENIZER_WITH("", ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{"
                             "\"SpecialToken\":{\"id\":\"?\"}},{\"Sequence\":{\"id\":\"A\"}}]}")}},
    {"huge length allowed",
     TRUENO_OK,
     "",
     {[TOKENIZER_CONFIG] = "{\"model_max_length\":1000000000000000019884624838656}"}},
    {"chat template a number",
     TRUENO_FORMAT,
     "chat_template",
     {[TOKENIZER_CONFIG] = "{\"chat_template\":1}"}},
    {"chat template with zero",
     TRUENO_FORMAT,
     "zero byte",
     {[TOKENIZER_CONFIG] = "{\"chat_template\":\"a\\u0000b\"}"}},
    {"index empty", TRUENO_FORMAT, "no weight_map", {[INDEX] = "{}"}},
    {"index climbs",
     TRUENO_FORMAT,
     "no .safetensors file of the folder",
     {[INDEX] = "{\"weight_map\":{\"x\":\"../model.safetensors\"}}"}},
    {"index to nothing",
     TRUENO_UNSUPPORTED,
     "it is missing",
     {[INDEX] = "{\"weight_map\":{\"x\":\"other.safetensors\"}}"}},
    {"index of another tensor",
     TRUENO_UNSUPPORTED,
     "tensor y is missing from",
     {[INDEX] = "{\"weight_map\":{\"y\":\"model.safetensors\"}}"}},
    {"index good", TRUENO_OK, "", {[INDEX] = "{\"weight_map\":{\"x\":\"model.safetensors\"}}"}},
    {"index no text",
     TRUENO_FORMAT,
     "no .safetensors file",
     {[INDEX] = "{\"weight_map\":{\"x\":1}}"}},
};

static void write_file(const char *folder, const char *name, const void *data, size_t n)
{
    char path[512];
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void write_folder(const char *folder, const bad_folder *c)
{
    for (int i = 0; i < N_NAMES; i++) {
        const char *text = c->files[i];
        char path[512];

        (void)snprintf(path, sizeof path, "%s/%s", folder, NAMES[i]);
        (void)unlink(path);
        if (text == NULL && i == CONFIG)
            text = CONFIG_WITH("");
        if (text == NULL && i == WEIGHTS) {
            char container[8 + sizeof ONE_TENSOR - 1 + 4] = {sizeof ONE_TENSOR - 1};

            memcpy(container + 8, ONE_TENSOR, sizeof ONE_TENSOR - 1);
            write_file(folder, NAMES[i], container, sizeof container);
        } else if (text != NULL && text[0] != '\0') {
            write_file(folder, NAMES[i], text, strlen(text));
        }
    }
}

static void empty_folder(const char *folder)
{
    write_folder(folder, &(bad_folder){.files = {"", "", "", "", "", ""}});
    assert_int_equal(rmdir(folder), 0);
}

static void test_cases(void **state)
{
    char folder[] = "/tmp/apr-test-XXXXXX";

    (void)state;
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        trueno_error err;
        counting c;
        trueno_status status;

        write_folder(folder, &CASES[i]);
        counting_init(&c);
        status = try_open_path(folder, &c, &err);
        if (status != CASES[i].status || (status < 0 && strstr(err.message, CASES[i].says) == NULL))
            fail_msg("%s: status %d, message '%s'; wanted %d, '%s'", CASES[i].name, status,
                     err.message, CASES[i].status, CASES[i].says);
    }
    empty_folder(folder);
}

static trueno_status try_good(counting *c, void *user)
{
    trueno_error err;
    trueno_status status = try_open_path(TEST_DATA_DIR "/hf/qwen2", c, &err);

    (void)user;
    assert_true(status != TRUENO_OK || c->calls < c->fail_at);
    return status;
}

/* A whole folder with a tokenizer, any allocation of which fails. */
static void test_out_of_memory(void **state)
{
    (void)state;
    assert_true(fail_each_allocation(try_good, NULL) >= 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
