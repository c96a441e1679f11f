/* SPDX-License-Identifier: MIT */
/*
 * Bad GGUF containers: every one is refused with the documented status and one line that names the
 * fault. The cases, with those of gguf_bad_model.c, hold every published bug of GGUF readers that
 * we know of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gguf_cases.h"
#include <string.h>

static const uint64_t VECTOR[] = {TINY_HIDDEN};

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

static void split_in_memory(gguf_build *g)
{
    key_u32(g, "split.count", 2);
    key_u32(g, "split.no", 0);
}

static const bad_case CASES[] = {
    {"good", TRUENO_OK, "", .change = NULL},
    {"version 0", TRUENO_FORMAT, "version 0", .change = version_0},
    {"version 1", TRUENO_FORMAT, "version 1", .change = version_1},
    {"version 4", TRUENO_FORMAT, "version 4", .change = version_4},
    {"big-endian", TRUENO_FORMAT, "big-endian", .change = big_endian},
    {"2^63 keys", TRUENO_FORMAT, "number of keys", .change = keys_2_63},
    {"2^63 tensors", TRUENO_FORMAT, "number of tensors", .change = tensors_2_63},
    {"a key more than there are", TRUENO_FORMAT, "byte", .change = one_key_more},
    {"a tensor more than there are", TRUENO_FORMAT, "byte", .change = one_tensor_more},
    {"string of 2^63", TRUENO_FORMAT, "key x", .change = string_2_63},
    {"key of 2^64", TRUENO_FORMAT, "name of 18446744073709551615", .change = key_2_63},
    {"array of 2^63", TRUENO_FORMAT, "number of elements", .change = array_2_63},
    {"array whose size wraps", TRUENO_FORMAT, "number of elements", .change = array_wraps},
    {"strings, 2^63 of them", TRUENO_FORMAT, "number of elements", .change = strings_2_63},
    {"array of arrays", TRUENO_UNSUPPORTED, "array of arrays", .change = array_of_arrays},
    {"element type 13", TRUENO_FORMAT, "element type is 13", .change = element_type_13},
    {"value type 13", TRUENO_FORMAT, "value type is 13", .change = value_type_13},
    {"boolean 2", TRUENO_FORMAT, "boolean is 2", .change = bool_2},
    {"boolean 2 in an array", TRUENO_FORMAT, "boolean is 2", .change = bool_array_2},
    {"empty key", TRUENO_FORMAT, "name is empty", .key = KEY_U32("", 1)},
    {"zero byte in key", TRUENO_FORMAT, "zero byte", .change = zero_in_key},
    {"control bytes in key", TRUENO_FORMAT, "line?feed?[31m", .change = control_in_key},
    {"key twice", TRUENO_FORMAT, "qwen2.block_count occurs twice",
     .key = KEY_U32("qwen2.block_count", 1)},
    {"alignment 0", TRUENO_FORMAT, "general.alignment is 0",
     .key = KEY_U32("general.alignment", 0)},
    {"alignment 3", TRUENO_FORMAT, "general.alignment is 3",
     .key = KEY_U32("general.alignment", 3)},
    {"alignment 2^31", TRUENO_FORMAT, "general.alignment is 2147483648",
     .key = KEY_U32("general.alignment", 0x80000000u)},
    {"alignment as text", TRUENO_FORMAT, "general.alignment is of type str",
     .key = KEY_STR("general.alignment", "32")},
    {"alignment as float", TRUENO_FORMAT, "of type f32", .key = KEY_F32("general.alignment", 32)},
    {"alignment as array", TRUENO_FORMAT, "of type arr[u32]",
     .key = KEY_ARRAY("general.alignment", V_U32, 0, 0)},
    {"5 dimensions", TRUENO_FORMAT, "5 dimensions", .change = dims_5},
    {"2^32 dimensions", TRUENO_FORMAT, "4294967295 dimensions", .change = dims_2_32},
    {"dimension 0", TRUENO_FORMAT, "dimension 1 is 0", .change = dim_0},
    {"dimensions wrap to 0", TRUENO_FORMAT, "exceeds 2^63", .change = dims_wrap},
    {"dimensions wrap to 4", TRUENO_FORMAT, "exceeds 2^63", .change = dims_wrap_to_small},
    {"bytes wrap to 0", TRUENO_FORMAT, "exceeds 2^64", .change = bytes_wrap},
    {"dimension below 0", TRUENO_FORMAT, "exceeds 2^63", .change = dim_negative},
    {"larger than the file", TRUENO_FORMAT, "tensor x of 4194304 bytes",
     .change = larger_than_file},
    {"one byte over the end", TRUENO_FORMAT, "tensor x of 32 bytes", .change = one_byte_over},
    {"offset past the end", TRUENO_FORMAT, "tensor x", .change = offset_past_end},
    {"offset wraps", TRUENO_FORMAT, "tensor x", .change = offset_wraps},
    {"offset unaligned", TRUENO_FORMAT, "offset 4 is no multiple of 32",
     .change = offset_unaligned},
    {"tensors overlap", TRUENO_FORMAT, "begins inside tensor", .change = overlap},
    {"tensors in one place", TRUENO_FORMAT, "begins inside tensor", .change = same_place},
    {"two of one name", TRUENO_FORMAT, "two tensors are named output_norm.weight",
     .change = name_twice},
    {"name empty", TRUENO_FORMAT, "name is empty", .change = name_empty},
    {"name of 257", TRUENO_FORMAT, "name of 257 bytes, at most 256", .change = name_long},
    {"element type 99", TRUENO_UNSUPPORTED, "element type 99", .change = type_99},
    {"element type 4", TRUENO_UNSUPPORTED, "element type 4", .change = type_4},
    {"row no multiple of a block", TRUENO_FORMAT, "no multiple of the 32", .change = row_no_block},
    {"part of a set in memory", TRUENO_UNSUPPORTED, "one of 2 parts", .change = split_in_memory},
    {"set of 2^31", TRUENO_FORMAT, "split.count is 2147483647",
     .key = KEY_U32("split.count", 0x7fffffff)},
    {"count of parts as text", TRUENO_FORMAT, "split.count is of type str",
     .key = KEY_STR("split.count", "2")},
};

static void test_cases(void **state)
{
    (void)state;
    check_bad_cases(CASES, sizeof CASES / sizeof CASES[0]);
}

static void test_lenient(void **state)
{
    (void)state;
    check_lenient(&(bad_case){.key = KEY_U32("qwen2.block_count", 1)});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_lenient),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
