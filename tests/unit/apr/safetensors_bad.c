/* SPDX-License-Identifier: MIT */
/* Bad SafeTensors containers, and the published faults of their readers: refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "file_limits.h"
#include "gguf_build.h"
#include "try_open.h"
#include <apr/inspect.h>
#include <apr/model.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void look_at_tensors(const apr_model *m)
{
    const apr_tensors_options all = {.size = sizeof all, .stats = true};
    trueno_error err;
    size_t bytes;
    char *text;

    if (apr_tensors_json(m, &all, &text, &bytes, &err) == TRUENO_OK)
        apr_inspect_free(m, text, bytes);
}

static trueno_status try_container(const void *data, size_t n, counting *c, trueno_error *err)
{
    apr_model_options options;

    apr_model_options_init(&options, sizeof options);
    options.vocab_only = true;
    return try_open(data, n, c, options, look_at_tensors, err);
}

/* A container of that header text and so many bytes of data. */
static byte_run container(const char *header, size_t data)
{
    byte_run file = {0};

    put_u64(&file, strlen(header));
    put(&file, header, strlen(header));
    while (data-- > 0)
        put_u8(&file, 0x3c);
    return file;
}

#define T(name, dtype, shape, offsets) \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define GOOD "{" T("a", "F32", "[2,3]", "[0,24]") "," T("b", "F16", "[4]", "[24,32]") "}"

static const struct {
    const char *name;
    trueno_status status;
    const char *says;
    const char *header;
    size_t data;
} CASES[] = {
    {"good", TRUENO_OK, "", GOOD, 32},
    {"padded", TRUENO_OK, "", GOOD "     ", 32},
    {"metadata", TRUENO_OK, "",
     "{\"__metadata__\":{\"format\":\"pt\"}," T("a", "F32", "[]", "[0,4]") "}", 4},
    {"no tensors", TRUENO_OK, "", "{}", 0},
    {"empty tensor", TRUENO_OK, "",
     "{" T("e", "F32", "[0,3]", "[0,0]") "," T("a", "BF16", "[1]", "[0,2]") "}", 2},
    {"out of order", TRUENO_OK, "",
     "{" T("b", "F16", "[4]", "[24,32]") "," T("a", "F32", "[6]", "[0,24]") "}", 32},
    {"unaligned", TRUENO_OK, "",
     "{" T("u", "U8", "[1]", "[0,1]") "," T("a", "F32", "[2]", "[1,9]") "}", 9},
    {"offsets []", TRUENO_FORMAT, "data_offsets", "{" T("a", "F32", "[1]", "[]") "}", 4},
    {"three offsets", TRUENO_FORMAT, "data_offsets", "{" T("a", "F32", "[1]", "[0,4,8]") "}", 4},
    {"offsets no list", TRUENO_FORMAT, "data_offsets", "{" T("a", "F32", "[1]", "4") "}", 4},
    {"offsets reversed", TRUENO_FORMAT, "data_offsets", "{" T("a", "F32", "[1]", "[4,0]") "}", 4},
    {"offset below 0", TRUENO_FORMAT, "data_offsets", "{" T("a", "F32", "[1]", "[-4,0]") "}", 4},
    {"offset a fraction", TRUENO_FORMAT, "data_offsets", "{" T("a", "F32", "[1]", "[0,4.0]") "}",
     4},
    {"offset past the end", TRUENO_FORMAT, "ends at byte 8", "{" T("a", "F32", "[2]", "[0,8]") "}",
     4},
    {"offset of 2^63", TRUENO_FORMAT, "integer",
     "{" T("a", "F32", "[2]", "[0,9223372036854775808]") "}", 4},
    {"offset near 2^63", TRUENO_FORMAT, "ends at byte",
     "{" T("a", "F32", "[2]", "[9223372036854775803,9223372036854775807]") "}", 4},
    {"shape and bytes differ", TRUENO_FORMAT, "6 elements of F32 take 24",
     "{" T("a", "F32", "[2,3]", "[0,20]") "}", 20},
    {"shape wraps", TRUENO_FORMAT, "dimension",
     "{" T("a", "F32", "[4294967296,4294967296]", "[0,0]") "}", 0},
    {"bytes wrap", TRUENO_FORMAT, "elements of F32",
     "{" T("a", "F32", "[4611686018427387904]", "[0,0]") "}", 0},
    {"dimension below 0", TRUENO_FORMAT, "dimension 0", "{" T("a", "F32", "[-1]", "[0,4]") "}", 4},
    {"dimension a text", TRUENO_FORMAT, "dimension 0", "{" T("a", "F32", "[\"1\"]", "[0,4]") "}",
     4},
    {"five dimensions", TRUENO_UNSUPPORTED, "5 dimensions",
     "{" T("a", "F32", "[1,1,1,1,1]", "[0,4]") "}", 4},
    {"shape missing", TRUENO_FORMAT, "no shape",
     "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4},
    {"dtype missing", TRUENO_FORMAT, "dtype", "{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4},
    {"dtype unknown", TRUENO_UNSUPPORTED, "'F4'", "{" T("a", "F4", "[1]", "[0,4]") "}", 4},
    {"entry no object", TRUENO_FORMAT, "dtype", "{\"a\":[1]}", 0},
    {"overlap", TRUENO_FORMAT, "begins at byte",
     "{" T("a", "F32", "[1]", "[0,4]") "," T("b", "F32", "[1]", "[2,6]") "}", 6},
    {"hole", TRUENO_FORMAT, "begins at byte",
     "{" T("a", "F32", "[1]", "[0,4]") "," T("b", "F32", "[1]", "[6,10]") "}", 10},
    {"bytes left over", TRUENO_FORMAT, "the last tensor ends", GOOD, 33},
    {"hole at the beginning", TRUENO_FORMAT, "begins at byte",
     "{" T("a", "F32", "[1]", "[4,8]") "}", 8},
    {"name twice", TRUENO_FORMAT, "duplicate",
     "{" T("a", "F32", "[1]", "[0,4]") "," T("a", "F32", "[1]", "[4,8]") "}", 8},
    {"key twice", TRUENO_FORMAT, "duplicate",
     "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4},
    {"name empty", TRUENO_FORMAT, "a name of 0 bytes", "{" T("", "F32", "[1]", "[0,4]") "}", 4},
    {"metadata no object", TRUENO_FORMAT, "__metadata__", "{\"__metadata__\":[]}", 0},
    {"metadata no text", TRUENO_FORMAT, "__metadata__", "{\"__metadata__\":{\"a\":1}}", 0},
    {"trailing text", TRUENO_FORMAT, "line 1", "{} x", 0},
    {"trailing comma", TRUENO_FORMAT, "line 1", "{" T("a", "F32", "[1]", "[0,4]") ",}", 4},
    {"bad UTF-8", TRUENO_FORMAT, "line 1", "{\"\xff\":1}", 0},
    {"leading zero", TRUENO_FORMAT, "line 1", "{" T("a", "F32", "[01]", "[0,4]") "}", 4},
    {"unfinished", TRUENO_FORMAT, "line 1", "{\"a\":{", 0},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        byte_run file = container(CASES[i].header, CASES[i].data);
        trueno_error err;
        counting c;
        trueno_status status;

        counting_init(&c);
        status = try_container(file.data, file.n, &c, &err);
        if (status != CASES[i].status || (status < 0 && strstr(err.message, CASES[i].says) == NULL))
            fail_msg("%s: status %d, message '%s'; wanted %d, '%s'", CASES[i].name, status,
                     err.message, CASES[i].status, CASES[i].says);
        byte_run_free(&file);
    }
}

static void test_every_truncation(void **state)
{
    byte_run file = container(GOOD, 32);
    trueno_error err;
    counting c;

    (void)state;
    for (size_t n = 0; n < file.n; n++) {
        counting_init(&c);
        assert_int_equal(try_container(file.data, n, &c, &err), TRUENO_FORMAT);
    }
    byte_run_free(&file);
}

static void test_every_byte(void **state)
{
    byte_run file = container(GOOD, 32);
    trueno_error err;
    counting c;

    (void)state;
    for (size_t at = 0; at < file.n; at++) {
        uint8_t old = file.data[at];

        for (unsigned value = 0; value < 256; value += 3) {
            file.data[at] = (uint8_t)value;
            counting_init(&c);
            (void)try_container(file.data, file.n, &c, &err);
        }
        file.data[at] = old;
    }
    byte_run_free(&file);
}

/* Header lengths around every limit: past the file, near 2^64, past the format's own maximum. */
static void test_header_lengths(void **state)
{
    static const uint64_t LENGTHS[] = {0,
                                       1,
                                       UINT64_MAX,
                                       UINT64_MAX - 4,
                                       UINT64_MAX - 8,
                                       (uint64_t)1 << 63,
                                       APR_LIMIT_HEADER_BYTES,
                                       APR_LIMIT_HEADER_BYTES + 1};
    byte_run file = container(GOOD, 32);
    trueno_error err;
    counting c;

    (void)state;
    for (size_t i = 0; i < sizeof LENGTHS / sizeof LENGTHS[0]; i++) {
        memcpy(file.data, &LENGTHS[i], 8);
        counting_init(&c);
        assert_int_equal(try_container(file.data, file.n, &c, &err), TRUENO_FORMAT);
    }
    byte_run_free(&file);
}

static void test_nesting(void **state)
{
    enum { DEPTH = 100000 };
    char *header = malloc(DEPTH + 8);
    byte_run file;
    trueno_error err;
    counting c;

    (void)state;
    assert_non_null(header);
    memcpy(header, "{\"a\":", 5);
    memset(header + 5, '[', DEPTH);
    header[5 + DEPTH] = '\0';
    file = container(header, 0);
    counting_init(&c);
    assert_int_equal(try_container(file.data, file.n, &c, &err), TRUENO_FORMAT);
    byte_run_free(&file);
    free(header);
}

static trueno_status try_file(counting *c, void *file)
{
    const byte_run *f = file;
    trueno_error err;

    return try_container(f->data, f->n, c, &err);
}

static void test_out_of_memory(void **state)
{
    byte_run file = container(GOOD, 32);

    (void)state;
    assert_true(fail_each_allocation(try_file, &file) >= 5);
    byte_run_free(&file);
}

static void test_config_needed(void **state)
{
    byte_run file = container(GOOD, 32);
    trueno_error err = {0};
    apr_model *m;

    (void)state;
    assert_int_equal(apr_model_open_memory(&m, file.data, file.n, NULL, &err), TRUENO_UNSUPPORTED);
    assert_non_null(strstr(err.message, "config.json"));
    byte_run_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),         cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_every_byte),    cmocka_unit_test(test_header_lengths),
        cmocka_unit_test(test_nesting),       cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_config_needed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
