/* SPDX-License-Identifier: MIT */
/* Dequantisation of every block type, bit for bit what the gguf package makes of the same blocks;
 * the registry's rows. Data: tests/references/dequant.py. */
#include "recorded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <trueno/tensor.h>

#include <cmocka.h>

/* Blocks at an odd address, output between guards. */
static void check_blocks(const trueno_type_info *type, const unsigned char *blocks,
                         uint32_t n_blocks, const unsigned char *crcs)
{
    const size_t bytes = (size_t)type->bytes * n_blocks;
    const int64_t n = (int64_t)type->block * n_blocks;
    unsigned char *odd = malloc(bytes + 1);
    float *out = malloc(((size_t)n + 2) * sizeof *out);

    memcpy(odd + 1, blocks, bytes);
    memset(out, 0xa5, ((size_t)n + 2) * sizeof *out);
    type->dequantize(odd + 1, out + 1, n);
    for (uint32_t b = 0; b < n_blocks; b++) {
        uint32_t expected;

        memcpy(&expected, crcs + 4 * (size_t)b, sizeof expected);
        if (crc32_of(out + 1 + (size_t)type->block * b, (size_t)type->block * sizeof *out) !=
            expected)
            fail_msg("%s: block %u differs from the reference", type->name, b);
    }
    assert_memory_equal(&out[0], "\xa5\xa5\xa5\xa5", 4);
    assert_memory_equal(&out[n + 1], "\xa5\xa5\xa5\xa5", 4);
    free(odd);
    free(out);
}

static void test_blocks_match_reference(void **state)
{
    size_t bytes;
    unsigned char *data = recorded_read("dequant.bin", &bytes);
    recorded r = {data, data + bytes};
    int n_types = 0;

    (void)state;
    for (; r.next < r.end; n_types++) {
        uint32_t id = recorded_u32(&r), n_blocks = recorded_u32(&r);
        uint32_t size = recorded_u32(&r), weights = recorded_u32(&r);
        const trueno_type_info *type = trueno_type_get(id);
        const unsigned char *blocks = recorded_take(&r, (size_t)size * n_blocks);

        assert_non_null(type);
        assert_int_equal(type->bytes, size);
        assert_int_equal(type->block, weights);
        check_blocks(type, blocks, n_blocks, recorded_take(&r, (size_t)4 * n_blocks));
    }
    assert_int_equal(n_types, 12);
    free(data);
}

static void test_plain_types(void **state)
{
    static const uint16_t halves[] = {0x3c00, 0xc000, 0x0001, 0x7bff};
    static const uint16_t brains[] = {0x3f80, 0xc000, 0x0001, 0x7f7f};
    static const float floats[] = {1, -2, 0x1p-149f, 3.5f};
    float out[4];

    (void)state;
    trueno_type_get(TRUENO_F16)->dequantize(halves, out, 4);
    assert_true(out[0] == 1 && out[1] == -2 && out[2] == 0x1p-24f && out[3] == 65504);
    trueno_type_get(TRUENO_BF16)->dequantize(brains, out, 4);
    assert_true(out[0] == 1 && out[1] == -2 && out[2] == 0x1p-133f && out[3] == 0x1.fep127f);
    trueno_type_get(TRUENO_F32)->dequantize(floats, out, 4);
    assert_memory_equal(out, floats, sizeof out);
}

static void test_registry(void **state)
{
    int rows = 0;

    (void)state;
    for (int64_t id = -2; id < TRUENO_TYPE_LIMIT + 2; id++) {
        const trueno_type_info *type = trueno_type_get(id);

        if (type == NULL) {
            assert_int_equal(trueno_row_bytes(id, 256), 0);
            continue;
        }
        rows++;
        assert_int_equal(trueno_type_find(type->name), id);
        assert_non_null(type->dequantize);
        assert_non_null(type->quantize);
        assert_true(type->bits * (float)type->block == 8.0f * (float)type->bytes);
        assert_int_equal(trueno_row_bytes(id, 256), 256 / type->block * type->bytes);
        assert_int_equal(trueno_row_bytes(id, 0), 0);
        assert_int_equal(trueno_row_bytes(id, -256), 0);
        if (type->block > 1)
            assert_int_equal(trueno_row_bytes(id, 256 + type->block / 2), 0);
        assert_int_equal(trueno_row_bytes(id, INT64_MAX / 256 * 256),
                         (uint64_t)(INT64_MAX / 256 * 256 / type->block) >
                                 (uint64_t)(INT64_MAX / type->bytes)
                             ? 0
                             : INT64_MAX / 256 * 256 / type->block * type->bytes);
    }
    assert_int_equal(rows, 15);
    assert_int_equal(trueno_type_find("q4_k"), TRUENO_Q4_K);
    assert_int_equal(trueno_type_find("Q4"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_match_reference),
        cmocka_unit_test(test_plain_types),
        cmocka_unit_test(test_registry),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
