/* SPDX-License-Identifier: MIT */
/* half.h against the compiler's own _Float16, every half and the floats between them. */
#include "recorded.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <trueno/sys/half.h>

#include <cmocka.h>

static uint16_t compiler_half(float x)
{
    _Float16 h = (_Float16)x;
    uint16_t u;

    memcpy(&u, &h, sizeof u);
    return u;
}

static void check_to_half(float x)
{
    uint16_t ours = trueno_f32_to_f16(x), theirs = compiler_half(x);

    if (ours != theirs)
        fail_msg("%a (bits %08x) became %04x, should be %04x", x, trueno_f32_bits(x), ours, theirs);
}

static void test_every_half_widens(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x10000; h++) {
        uint16_t bits = (uint16_t)h;
        _Float16 value;
        float ours = trueno_f16_to_f32(bits), theirs;

        memcpy(&value, &bits, sizeof value);
        theirs = (float)value;
        if (isnan(theirs)) {
            assert_true(isnan(ours));
            assert_int_equal(trueno_f32_bits(ours) >> 13 & 0x3ff, h & 0x3ff);
            assert_int_equal(trueno_f32_bits(ours) >> 31, h >> 15);
        } else {
            assert_int_equal(trueno_f32_bits(ours), trueno_f32_bits(theirs));
            assert_int_equal(trueno_f32_to_f16(ours), h);
        }
    }
}

/* Between each pair of neighbouring halves: the middle, which ties to even, and a float either
 * side. */
static void test_every_boundary_rounds(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x7c00; h++) {
        float low = trueno_f16_to_f32((uint16_t)h);
        float high = h == 0x7bff ? 65536 : trueno_f16_to_f32((uint16_t)(h + 1));
        float middle = (low + high) / 2; /* exact */

        for (int sign = -1; sign <= 1; sign += 2) {
            check_to_half((float)sign * middle);
            check_to_half((float)sign * nextafterf(middle, INFINITY));
            check_to_half((float)sign * nextafterf(middle, 0));
            check_to_half((float)sign * nextafterf(low, INFINITY));
        }
    }
}

static void test_random_bits_round(void **state)
{
    uint64_t random = random_seed();

    (void)state;
    for (int i = 0; i < 4000000; i++) {
        float x = trueno_bits_f32((uint32_t)random_u64(&random));

        if (isnan(x))
            assert_true(isnan(trueno_f16_to_f32(trueno_f32_to_f16(x))));
        else
            check_to_half(x);
    }
}

/* BF16 is the upper half of a float: rounding is checked by comparing the two candidates. */
static void test_bf16(void **state)
{
    uint64_t random = random_seed();

    (void)state;
    for (uint32_t h = 0; h < 0x10000; h++)
        assert_int_equal(trueno_f32_bits(trueno_bf16_to_f32((uint16_t)h)), h << 16);
    for (int i = 0; i < 1000000; i++) {
        uint32_t bits = (uint32_t)random_u64(&random);
        float x = trueno_bits_f32(i % 4 == 0 ? (bits & 0xffff0000) | 0x8000 : bits); /* ties too */
        uint16_t ours = trueno_f32_to_bf16(x), below = (uint16_t)(trueno_f32_bits(x) >> 16);
        double to_below, to_above;

        if (isnan(x)) {
            assert_true(isnan(trueno_bf16_to_f32(ours)));
            continue;
        }
        if (isinf(x) || (below & 0x7fff) == 0x7f7f)
            continue; /* no finite value above to measure to */
        to_below = fabs((double)x - trueno_bf16_to_f32(below));
        to_above = fabs((double)x - trueno_bf16_to_f32((uint16_t)(below + 1)));
        if (to_below < to_above || (to_below == to_above && below % 2 == 0))
            assert_int_equal(ours, below);
        else
            assert_int_equal(ours, below + 1);
    }
    assert_int_equal(trueno_f32_to_bf16(INFINITY), 0x7f80);
    assert_int_equal(trueno_f32_to_bf16(-INFINITY), 0xff80);
    assert_int_equal(trueno_f32_to_bf16(0x1.ffp127f), 0x7f80); /* the tie above the largest */
    assert_int_equal(trueno_f32_to_bf16(0x1.fefffep127f), 0x7f7f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_half_widens),
        cmocka_unit_test(test_every_boundary_rounds),
        cmocka_unit_test(test_random_bits_round),
        cmocka_unit_test(test_bf16),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
