/* SPDX-License-Identifier: MIT */
/* GGUF files whose container is good, but not the model in it: refused as in gguf_bad.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gguf_cases.h"

static void template_zero(gguf_build *g)
{
    key(g, "tokenizer.chat_template", V_STR);
    put_text_n(&g->keys, "a\0b", 3);
}

/* Vocabularies make the whole file, so that the tiny one is not there twice. */
static void tokens_none(gguf_build *g)
{
    tiny_config(g);
    key_str(g, "tokenizer.ggml.model", "gpt2");
    key_array(g, "tokenizer.ggml.tokens", V_STR, 0);
    tiny_tensors(g);
}

static void tokens_numbers(gguf_build *g)
{
    tiny_config(g);
    key_array(g, "tokenizer.ggml.tokens", V_U32, 1);
    put_u32(&g->keys, 0);
}

static void tokens_no_array(gguf_build *g)
{
    tiny_config(g);
    key_u32(g, "tokenizer.ggml.tokens", 1);
}

static void tokens_no_model(gguf_build *g)
{
    tiny_config(g);
    key_array(g, "tokenizer.ggml.tokens", V_STR, 1);
    put_text(&g->keys, "t");
}

static const bad_case CASES[] = {
    {"no architecture", TRUENO_FORMAT, "general.architecture is missing", .without_tiny = true,
     .key = KEY_U32("x", 1)},
    {"architecture a number", TRUENO_FORMAT, "general.architecture", .without_tiny = true,
     .key = KEY_U32("general.architecture", 1)},
    {"architecture long", TRUENO_FORMAT, "has 37 bytes, at most 31", .without_tiny = true,
     .key = KEY_STR("general.architecture", "an-architecture-with-a-very-long-name")},
    {"value heads differ", TRUENO_UNSUPPORTED, "value heads of 2",
     .key = KEY_U32("qwen2.attention.value_length", 2)},
    {"scaling unknown", TRUENO_UNSUPPORTED, "'dynamic'",
     .key = KEY_STR("qwen2.rope.scaling.type", "dynamic")},
    {"scaling a number", TRUENO_FORMAT, "rope.scaling.type is not a string",
     .key = KEY_U32("qwen2.rope.scaling.type", 1)},
    {"theta NaN", TRUENO_FORMAT, "nan, allowed are 1",
     .key = KEY_F32("qwen2.rope.freq_base", 0.0F / 0.0F)},
    {"rotated elements odd", TRUENO_UNSUPPORTED, "3 rotated elements",
     .key = KEY_U32("qwen2.rope.dimension_count", 3)},
    {"rotated elements many", TRUENO_UNSUPPORTED, "6 rotated elements",
     .key = KEY_U32("qwen2.rope.dimension_count", 6)},
    {"template a number", TRUENO_FORMAT, "tokenizer.chat_template is of type u32",
     .key = KEY_U32("tokenizer.chat_template", 1)},
    {"zero byte in template", TRUENO_FORMAT, "tokenizer.chat_template", .change = template_zero},
    {"temperature infinite", TRUENO_FORMAT, "general.sampling.temp",
     .key = KEY_F32("general.sampling.temp", 1.0F / 0.0F)},
    {"bos past the end", TRUENO_FORMAT, "begin-of-text token is 6",
     .key = KEY_U32("tokenizer.ggml.bos_token_id", TINY_VOCAB)},
    {"eos of 2^32 - 2", TRUENO_FORMAT, "end-of-text token",
     .key = KEY_U32("tokenizer.ggml.eos_token_id", UINT32_MAX - 1)},
    {"eot as text", TRUENO_FORMAT, "eot_token_id is of type str",
     .key = KEY_STR("tokenizer.ggml.eot_token_id", "5")},
    {"add_bos a number", TRUENO_FORMAT, "wanted a boolean",
     .key = KEY_U32("tokenizer.ggml.add_bos_token", 1)},
    {"no tokens", TRUENO_FORMAT, "has 0 elements", .change = tokens_none, .without_tiny = true},
    {"tokens are numbers", TRUENO_FORMAT, "elements must be string", .change = tokens_numbers,
     .without_tiny = true},
    {"tokens no array", TRUENO_FORMAT, "wanted an array", .change = tokens_no_array,
     .without_tiny = true},
    {"tokens of no model", TRUENO_FORMAT, "tokenizer.ggml.model is missing",
     .change = tokens_no_model, .without_tiny = true},
    {"more tokens than rows", TRUENO_UNSUPPORTED, "7 tokens", .tokens = TINY_VOCAB + 1},
    {"token types short", TRUENO_FORMAT, "1 elements for 2 tokens", .tokens = 2,
     .key = KEY_ARRAY("tokenizer.ggml.token_type", V_I32, 1, 1)},
    {"token types floats", TRUENO_FORMAT, "arr[f32]", .tokens = 1,
     .key = KEY_ARRAY("tokenizer.ggml.token_type", V_F32, 1, 1)},
    /* bytes where numbers of four are expected: a reader that casts reads past them */
    {"token types bytes", TRUENO_FORMAT, "token 0 is 9", .tokens = 4,
     .key = KEY_ARRAY("tokenizer.ggml.token_type", V_U8, 4, 0x01010109)},
    {"token type 0", TRUENO_FORMAT, "token 0 is 0", .tokens = 1,
     .key = KEY_ARRAY("tokenizer.ggml.token_type", V_I32, 1, 0)},
    {"token type 7", TRUENO_FORMAT, "token 0 is 7", .tokens = 1,
     .key = KEY_ARRAY("tokenizer.ggml.token_type", V_I32, 1, 7)},
    {"scores are integers", TRUENO_FORMAT, "arr[i32]", .tokens = 1,
     .key = KEY_ARRAY("tokenizer.ggml.scores", V_I32, 1, 0)},
    {"scores long", TRUENO_FORMAT, "2 elements for 1 tokens", .tokens = 1,
     .key = KEY_ARRAY("tokenizer.ggml.scores", V_F32, 2, 0)},
    {"merges are numbers", TRUENO_FORMAT, "arr[u32]", .tokens = 1,
     .key = KEY_ARRAY("tokenizer.ggml.merges", V_U32, 1, 0)},
};

static void test_cases(void **state)
{
    (void)state;
    check_bad_cases(CASES, sizeof CASES / sizeof CASES[0]);
}

static void test_lenient(void **state)
{
    (void)state;
    check_lenient(&(bad_case){.key = KEY_U32("tokenizer.ggml.bos_token_id", TINY_VOCAB)});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_lenient),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
