/* SPDX-License-Identifier: MIT */
/* GGUF files whose container is good, but not the model in it: refused as in gguf_bad.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gguf_cases.h"

static void no_architecture(gguf_build *g)
{
    key_u32(g, "x", 1);
}

static void architecture_number(gguf_build *g)
{
    key_u32(g, "general.architecture", 1);
}

static void architecture_long(gguf_build *g)
{
    key_str(g, "general.architecture", "an-architecture-with-a-very-long-name");
}

static void value_length(gguf_build *g)
{
    key_u32(g, "qwen2.attention.value_length", 2);
}

static void scaling_unknown(gguf_build *g)
{
    key_str(g, "qwen2.rope.scaling.type", "dynamic");
}

static void scaling_number(gguf_build *g)
{
    key_u32(g, "qwen2.rope.scaling.type", 1);
}

static void theta_nan(gguf_build *g)
{
    key_f32(g, "qwen2.rope.freq_base", 0.0F / 0.0F);
}

static void rot_odd(gguf_build *g)
{
    key_u32(g, "qwen2.rope.dimension_count", 3);
}

static void rot_large(gguf_build *g)
{
    key_u32(g, "qwen2.rope.dimension_count", 6);
}

static void template_number(gguf_build *g)
{
    key_u32(g, "tokenizer.chat_template", 1);
}

static void template_zero(gguf_build *g)
{
    key(g, "tokenizer.chat_template", V_STR);
    put_text_n(&g->keys, "a\0b", 3);
}

static void temperature_infinite(gguf_build *g)
{
    key_f32(g, "general.sampling.temp", 1.0F / 0.0F);
}

static void bos_6(gguf_build *g)
{
    key_u32(g, "tokenizer.ggml.bos_token_id", TINY_VOCAB);
}

static void eos_2_32(gguf_build *g)
{
    key_u32(g, "tokenizer.ggml.eos_token_id", UINT32_MAX - 1);
}

static void eot_text(gguf_build *g)
{
    key_str(g, "tokenizer.ggml.eot_token_id", "5");
}

static void add_bos_number(gguf_build *g)
{
    key_u32(g, "tokenizer.ggml.add_bos_token", 1);
}

/* Vocabularies from here on make the whole file, so that the tiny one is not there twice. */
static void tokens_head(gguf_build *g, uint32_t n)
{
    tiny_config(g);
    key_str(g, "tokenizer.ggml.model", "gpt2");
    key_array(g, "tokenizer.ggml.tokens", V_STR, n);
    for (uint32_t i = 0; i < n; i++)
        put_text(&g->keys, "t");
    tiny_tensors(g);
}

static void tokens_none(gguf_build *g)
{
    tokens_head(g, 0);
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

static void tokens_too_many(gguf_build *g)
{
    tokens_head(g, TINY_VOCAB + 1);
}

static void types_short(gguf_build *g)
{
    tokens_head(g, 2);
    key_array(g, "tokenizer.ggml.token_type", V_I32, 1);
    put_u32(&g->keys, 1);
}

static void types_float(gguf_build *g)
{
    tokens_head(g, 1);
    key_array(g, "tokenizer.ggml.token_type", V_F32, 1);
    put_f32(&g->keys, 1);
}

/* An array of bytes where numbers of four bytes are expected: a reader that casts reads past it. */
static void types_bytes(gguf_build *g)
{
    tokens_head(g, 4);
    key_array(g, "tokenizer.ggml.token_type", V_U8, 4);
    put_u32(&g->keys, 0x01010109);
}

static void types_0(gguf_build *g)
{
    tokens_head(g, 1);
    key_array(g, "tokenizer.ggml.token_type", V_I32, 1);
    put_u32(&g->keys, 0);
}

static void types_7(gguf_build *g)
{
    tokens_head(g, 1);
    key_array(g, "tokenizer.ggml.token_type", V_I32, 1);
    put_u32(&g->keys, 7);
}

static void scores_ints(gguf_build *g)
{
    tokens_head(g, 1);
    key_array(g, "tokenizer.ggml.scores", V_I32, 1);
    put_u32(&g->keys, 0);
}

static void scores_long(gguf_build *g)
{
    tokens_head(g, 1);
    key_array(g, "tokenizer.ggml.scores", V_F32, 2);
    put_u64(&g->keys, 0);
}

static void merges_numbers(gguf_build *g)
{
    tokens_head(g, 1);
    key_array(g, "tokenizer.ggml.merges", V_U32, 1);
    put_u32(&g->keys, 0);
}

static const bad_case CASES[] = {
    {"no architecture", TRUENO_FORMAT, "general.architecture is missing", no_architecture, true},
    {"architecture a number", TRUENO_FORMAT, "general.architecture", architecture_number, true},
    {"architecture long", TRUENO_FORMAT, "has 37 bytes, at most 31", architecture_long, true},
    {"value heads differ", TRUENO_UNSUPPORTED, "value heads of 2", value_length, false},
    {"scaling unknown", TRUENO_UNSUPPORTED, "'dynamic'", scaling_unknown, false},
    {"scaling a number", TRUENO_FORMAT, "rope.scaling.type is not a string", scaling_number, false},
    {"theta NaN", TRUENO_FORMAT, "nan, allowed are 1", theta_nan, false},
    {"rotated elements odd", TRUENO_UNSUPPORTED, "3 rotated elements", rot_odd, false},
    {"rotated elements many", TRUENO_UNSUPPORTED, "6 rotated elements", rot_large, false},
    {"template a number", TRUENO_FORMAT, "tokenizer.chat_template is of type u32", template_number,
     false},
    {"zero byte in template", TRUENO_FORMAT, "tokenizer.chat_template", template_zero, false},
    {"temperature infinite", TRUENO_FORMAT, "general.sampling.temp", temperature_infinite, false},
    {"bos past the end", TRUENO_FORMAT, "begin-of-text token is 6", bos_6, false},
    {"eos of 2^32 - 2", TRUENO_FORMAT, "end-of-text token", eos_2_32, false},
    {"eot as text", TRUENO_FORMAT, "eot_token_id is of type str", eot_text, false},
    {"add_bos a number", TRUENO_FORMAT, "wanted a boolean", add_bos_number, false},
    {"no tokens", TRUENO_FORMAT, "has 0 elements", tokens_none, true},
    {"tokens are numbers", TRUENO_FORMAT, "elements must be string", tokens_numbers, true},
    {"tokens no array", TRUENO_FORMAT, "wanted an array", tokens_no_array, true},
    {"tokens of no model", TRUENO_FORMAT, "tokenizer.ggml.model is missing", tokens_no_model, true},
    {"more tokens than rows", TRUENO_UNSUPPORTED, "7 tokens", tokens_too_many, true},
    {"token types short", TRUENO_FORMAT, "1 elements for 2 tokens", types_short, true},
    {"token types floats", TRUENO_FORMAT, "arr[f32]", types_float, true},
    {"token types bytes", TRUENO_FORMAT, "token 0 is 9", types_bytes, true},
    {"token type 0", TRUENO_FORMAT, "token 0 is 0", types_0, true},
    {"token type 7", TRUENO_FORMAT, "token 0 is 7", types_7, true},
    {"scores are integers", TRUENO_FORMAT, "arr[i32]", scores_ints, true},
    {"scores long", TRUENO_FORMAT, "2 elements for 1 tokens", scores_long, true},
    {"merges are numbers", TRUENO_FORMAT, "arr[u32]", merges_numbers, true},
};

static void test_cases(void **state)
{
    (void)state;
    check_bad_cases(CASES, sizeof CASES / sizeof CASES[0]);
}

static void test_lenient(void **state)
{
    (void)state;
    check_lenient(&(bad_case){.change = bos_6});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_lenient),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
