/* SPDX-License-Identifier: MIT */
/*
 * Bad GGUF files: every one is refused with the documented status and one line that names the
 * fault. The cases hold every published bug of GGUF readers that we know of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gguf_build.h"
#include "try_open.h"
#include <string.h>

/* A tiny model with one change: how it is refused. */
typedef struct bad_case {
    const char *name;
    trueno_status status;
    const char *says; /* part of the message */
    void (*change)(gguf_build *g);
    bool without_tiny; /* the change makes all keys and tensors */
} bad_case;

static const uint64_t VECTOR[] = {TINY_HIDDEN};

static void no_change(gguf_build *g)
{
    (void)g;
}

static void version_0(gguf_build *g)
{
    g->version = 0;
}

static void version_1(gguf_build *g)
{
    g->version = 1;
}

static void version_4(gguf_build *g)
{
    g->version = 4;
}

static void big_endian(gguf_build *g)
{
    g->version = 0x03000000;
}

static void keys_2_63(gguf_build *g)
{
    g->more_keys = INT64_MIN;
}

static void tensors_2_63(gguf_build *g)
{
    g->more_tensors = INT64_MIN;
}

static void one_key_more(gguf_build *g)
{
    g->more_keys = 1;
}

static void one_tensor_more(gguf_build *g)
{
    g->more_tensors = 1;
}

static void string_2_63(gguf_build *g)
{
    key(g, "x", V_STR);
    put_u64(&g->keys, (uint64_t)1 << 63);
}

static void key_2_63(gguf_build *g)
{
    g->n_keys++;
    put_u64(&g->keys, UINT64_MAX);
}

static void array_2_63(gguf_build *g)
{
    key_array(g, "x", V_U8, (uint64_t)1 << 63);
}

static void array_wraps(gguf_build *g)
{
    key_array(g, "x", V_U64, ((uint64_t)1 << 61) + 1); /* times 8 is 8 */
    put_u64(&g->keys, 0);
}

static void strings_2_63(gguf_build *g)
{
    key_array(g, "x", V_STR, (uint64_t)1 << 63);
}

static void array_of_arrays(gguf_build *g)
{
    key_array(g, "x", V_ARR, 1);
    put_u32(&g->keys, V_U8);
    put_u64(&g->keys, 0);
}

static void element_type_13(gguf_build *g)
{
    key_array(g, "x", 13, 1);
    put_u64(&g->keys, 0);
}

static void value_type_13(gguf_build *g)
{
    key(g, "x", 13);
    put_u64(&g->keys, 0);
}

static void bool_2(gguf_build *g)
{
    key_bool(g, "x", 2);
}

static void bool_array_2(gguf_build *g)
{
    key_array(g, "x", V_BOOL, 2);
    put_u8(&g->keys, 1);
    put_u8(&g->keys, 2);
}

static void empty_key(gguf_build *g)
{
    key_u32(g, "", 1);
}

static void zero_in_key(gguf_build *g)
{
    g->n_keys++;
    put_text_n(&g->keys, "a\0b", 3);
    put_u32(&g->keys, V_U8);
    put_u8(&g->keys, 1);
}

static void control_in_key(gguf_build *g)
{
    key(g, "line\nfeed\x1b[31m", 99);
}

static void key_twice(gguf_build *g)
{
    key_u32(g, "qwen2.block_count", 1);
}

static void alignment_0(gguf_build *g)
{
    key_u32(g, "general.alignment", 0);
}

static void alignment_3(gguf_build *g)
{
    key_u32(g, "general.alignment", 3);
}

static void alignment_huge(gguf_build *g)
{
    key_u32(g, "general.alignment", 0x80000000u);
}

static void alignment_text(gguf_build *g)
{
    key_str(g, "general.alignment", "32");
}

static void alignment_float(gguf_build *g)
{
    key_f32(g, "general.alignment", 32);
}

static void alignment_array(gguf_build *g)
{
    key_array(g, "general.alignment", V_U32, 0);
}

static void dims_5(gguf_build *g)
{
    const uint64_t dims[] = {1, 1, 1, 1, 1};

    tensor(g, "x", 5, dims);
}

static void dims_2_32(gguf_build *g)
{
    tensor_info(g, "x", 0, NULL, 0, 0);
    memset(g->infos.data + g->infos.n - 16, 0xff, 4); /* the number of dimensions */
}

static void dim_0(gguf_build *g)
{
    const uint64_t dims[] = {8, 0};

    tensor(g, "x", 2, dims);
}

static void dims_wrap(gguf_build *g)
{
    const uint64_t dims[] = {(uint64_t)1 << 32, (uint64_t)1 << 32};

    tensor_info(g, "x", 2, dims, 0, 0);
}

static void dims_wrap_to_small(gguf_build *g)
{
    const uint64_t dims[] = {((uint64_t)1 << 33) + 2, (uint64_t)1 << 31, 2};

    tensor_info(g, "x", 3, dims, 0, 0);
}

static void bytes_wrap(gguf_build *g)
{
    const uint64_t dims[] = {(uint64_t)1 << 62, 1}; /* times 4 is 2^64 */

    tensor_info(g, "x", 2, dims, 0, 0);
}

static void dim_negative(gguf_build *g)
{
    const uint64_t dims[] = {(uint64_t)-8};

    tensor_info(g, "x", 1, dims, 0, 0);
}

static void larger_than_file(gguf_build *g)
{
    const uint64_t dims[] = {1 << 20};

    tensor_info(g, "x", 1, dims, 0, 0);
}

static void one_byte_over(gguf_build *g)
{
    const uint64_t dims[] = {8};

    tensor(g, "x", 1, dims);
    g->data.n--;
}

static void offset_past_end(gguf_build *g)
{
    tensor_info(g, "x", 1, VECTOR, 0, (uint64_t)1 << 40);
}

static void offset_wraps(gguf_build *g)
{
    tensor_info(g, "x", 1, VECTOR, 0, UINT64_MAX - 31);
}

static void offset_unaligned(gguf_build *g)
{
    tensor_info(g, "x", 1, VECTOR, 0, 4);
}

static void overlap(gguf_build *g)
{
    tensor_info(g, "x", 1, VECTOR, 0, 32); /* inside token_embd.weight */
}

static void same_place(gguf_build *g)
{
    tensor_info(g, "x", 1, VECTOR, 0, 0);
}

static void name_twice(gguf_build *g)
{
    tensor(g, "output_norm.weight", 1, VECTOR);
}

static void name_empty(gguf_build *g)
{
    tensor(g, "", 1, VECTOR);
}

static void name_long(gguf_build *g)
{
    char name[258];

    memset(name, 'n', 257);
    name[257] = '\0';
    tensor(g, name, 1, VECTOR);
}

static void type_99(gguf_build *g)
{
    tensor_info(g, "x", 1, VECTOR, 99, 0);
}

static void type_4(gguf_build *g)
{
    tensor_info(g, "x", 1, VECTOR, 4, 0); /* Q4_2, gone from GGML */
}

static void row_no_block(gguf_build *g)
{
    tensor_info(g, "x", 1, VECTOR, 2, 0); /* 8 weights of Q4_0 */
}

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

static void split_in_memory(gguf_build *g)
{
    key_u32(g, "split.count", 2);
    key_u32(g, "split.no", 0);
}

static void split_2_31(gguf_build *g)
{
    key_u32(g, "split.count", 0x7fffffff);
}

static void split_text(gguf_build *g)
{
    key_str(g, "split.count", "2");
}

static const bad_case CASES[] = {
    {"good", TRUENO_OK, "", no_change, false},
    {"version 0", TRUENO_FORMAT, "version 0", version_0, false},
    {"version 1", TRUENO_FORMAT, "version 1", version_1, false},
    {"version 4", TRUENO_FORMAT, "version 4", version_4, false},
    {"big-endian", TRUENO_FORMAT, "big-endian", big_endian, false},
    {"2^63 keys", TRUENO_FORMAT, "number of keys", keys_2_63, false},
    {"2^63 tensors", TRUENO_FORMAT, "number of tensors", tensors_2_63, false},
    {"a key more than there are", TRUENO_FORMAT, "byte", one_key_more, false},
    {"a tensor more than there are", TRUENO_FORMAT, "byte", one_tensor_more, false},
    {"string of 2^63", TRUENO_FORMAT, "key x", string_2_63, false},
    {"key of 2^64", TRUENO_FORMAT, "name of 18446744073709551615", key_2_63, false},
    {"array of 2^63", TRUENO_FORMAT, "number of elements", array_2_63, false},
    {"array whose size wraps", TRUENO_FORMAT, "number of elements", array_wraps, false},
    {"strings, 2^63 of them", TRUENO_FORMAT, "number of elements", strings_2_63, false},
    {"array of arrays", TRUENO_UNSUPPORTED, "array of arrays", array_of_arrays, false},
    {"element type 13", TRUENO_FORMAT, "element type is 13", element_type_13, false},
    {"value type 13", TRUENO_FORMAT, "value type is 13", value_type_13, false},
    {"boolean 2", TRUENO_FORMAT, "boolean is 2", bool_2, false},
    {"boolean 2 in an array", TRUENO_FORMAT, "boolean is 2", bool_array_2, false},
    {"empty key", TRUENO_FORMAT, "name is empty", empty_key, false},
    {"zero byte in key", TRUENO_FORMAT, "zero byte", zero_in_key, false},
    {"control bytes in key", TRUENO_FORMAT, "line?feed?[31m", control_in_key, false},
    {"key twice", TRUENO_FORMAT, "qwen2.block_count occurs twice", key_twice, false},
    {"alignment 0", TRUENO_FORMAT, "general.alignment is 0", alignment_0, false},
    {"alignment 3", TRUENO_FORMAT, "general.alignment is 3", alignment_3, false},
    {"alignment 2^31", TRUENO_FORMAT, "general.alignment is 2147483648", alignment_huge, false},
    {"alignment as text", TRUENO_FORMAT, "general.alignment is of type str", alignment_text, false},
    {"alignment as float", TRUENO_FORMAT, "of type f32", alignment_float, false},
    {"alignment as array", TRUENO_FORMAT, "of type arr[u32]", alignment_array, false},
    {"5 dimensions", TRUENO_FORMAT, "5 dimensions", dims_5, false},
    {"2^32 dimensions", TRUENO_FORMAT, "4294967295 dimensions", dims_2_32, false},
    {"dimension 0", TRUENO_FORMAT, "dimension 1 is 0", dim_0, false},
    {"dimensions wrap to 0", TRUENO_FORMAT, "exceeds 2^63", dims_wrap, false},
    {"dimensions wrap to 4", TRUENO_FORMAT, "exceeds 2^63", dims_wrap_to_small, false},
    {"bytes wrap to 0", TRUENO_FORMAT, "exceeds 2^64", bytes_wrap, false},
    {"dimension below 0", TRUENO_FORMAT, "exceeds 2^63", dim_negative, false},
    {"larger than the file", TRUENO_FORMAT, "tensor x of 4194304 bytes", larger_than_file, false},
    {"one byte over the end", TRUENO_FORMAT, "tensor x of 32 bytes", one_byte_over, false},
    {"offset past the end", TRUENO_FORMAT, "tensor x", offset_past_end, false},
    {"offset wraps", TRUENO_FORMAT, "tensor x", offset_wraps, false},
    {"offset unaligned", TRUENO_FORMAT, "offset 4 is no multiple of 32", offset_unaligned, false},
    {"tensors overlap", TRUENO_FORMAT, "begins inside tensor", overlap, false},
    {"tensors in one place", TRUENO_FORMAT, "begins inside tensor", same_place, false},
    {"two of one name", TRUENO_FORMAT, "two tensors are named output_norm.weight", name_twice,
     false},
    {"name empty", TRUENO_FORMAT, "name is empty", name_empty, false},
    {"name of 257", TRUENO_FORMAT, "name of 257 bytes, at most 256", name_long, false},
    {"element type 99", TRUENO_UNSUPPORTED, "element type 99", type_99, false},
    {"element type 4", TRUENO_UNSUPPORTED, "element type 4", type_4, false},
    {"row no multiple of a block", TRUENO_FORMAT, "no multiple of the 32", row_no_block, false},
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
    {"part of a set in memory", TRUENO_UNSUPPORTED, "one of 2 parts", split_in_memory, false},
    {"set of 2^31", TRUENO_FORMAT, "split.count is 2147483647", split_2_31, false},
    {"count of parts as text", TRUENO_FORMAT, "split.count is of type str", split_text, false},
};

static byte_run build_case(const bad_case *c)
{
    gguf_build g;
    byte_run file;

    build_init(&g);
    if (!c->without_tiny) {
        tiny_config(&g);
        tiny_vocab(&g);
        tiny_tensors(&g);
    }
    c->change(&g);
    file = build_finish(&g);
    build_free(&g);
    return file;
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        byte_run file = build_case(&CASES[i]);
        trueno_error err;
        counting c;
        trueno_status status;

        counting_init(&c);
        status = try_open_gguf(file.data, file.n, &c, false, &err);
        if (status != CASES[i].status || (status < 0 && strstr(err.message, CASES[i].says) == NULL))
            fail_msg("%s: status %d, message '%s'; wanted %d, '%s'", CASES[i].name, status,
                     err.message, CASES[i].status, CASES[i].says);
        byte_run_free(&file);
    }
}

static void test_lenient(void **state)
{
    byte_run twice = build_case(&(bad_case){.change = key_twice});
    byte_run bos = build_case(&(bad_case){.change = bos_6});
    trueno_error err;
    counting c;

    (void)state;
    counting_init(&c);
    assert_int_equal(try_open_gguf(twice.data, twice.n, &c, true, &err), TRUENO_OK);
    assert_int_equal(try_open_gguf(bos.data, bos.n, &c, true, &err), TRUENO_OK);
    byte_run_free(&twice);
    byte_run_free(&bos);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_lenient),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
