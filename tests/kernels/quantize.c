/* SPDX-License-Identifier: MIT */
/* Quantisers: every level writes the bytes that the scalar build of the searches writes, for every
 * type, on random, extreme and odd-sized rows, with and without importance. */
#include "support.h"

#include <trueno/types.h>

enum { MAX_BLOCKS = 37, MAX_N = MAX_BLOCKS * 256 };

static float x[MAX_N], importance[MAX_N];
static unsigned char expected[MAX_N * 4 + 1], got[MAX_N * 4 + 1];

static float extreme_value(void)
{
    static const float VALUES[] = {0,      -0.0f,   65504, -65520,   3.4e38f,   -3.4e38f,
                                   1e-45f, -1e-38f, 6e-8f, INFINITY, -INFINITY, NAN};

    return VALUES[test_bits() % (sizeof VALUES / sizeof VALUES[0])];
}

/* One in `every` values extreme, the rest normal-sized or spread over many powers of two. */
static void fill_row(int n, int every, int spread)
{
    for (int i = 0; i < n; i++) {
        x[i] = ldexpf(test_float(), spread > 0 ? test_int(-spread, spread) : 0);
        if (every > 0 && test_int(1, every) == 1)
            x[i] = extreme_value();
        importance[i] = test_int(0, 9) == 0 ? 0 : fabsf(ldexpf(test_float(), test_int(-3, 3)));
    }
}

static void check_row(const trueno_type_info *type, int n, const float *weights)
{
    const size_t bytes = (size_t)(n / type->block) * (size_t)type->bytes;
    uint32_t levels[8];
    int n_levels = test_levels(levels);

    trueno_cpu_set_mask(levels[0]);
    type->quantize(x, expected, n, weights);
    for (int i = 1; i < n_levels; i++) {
        trueno_cpu_set_mask(levels[i]);
        memset(got, 0xa5, bytes + 1);
        type->quantize(x, got, n, weights);
        if (memcmp(got, expected, bytes) != 0)
            fail_msg("%s, %d values, %s: %s differs from scalar", type->name, n,
                     weights != NULL ? "weighted" : "plain", trueno_cpu_level_name(levels[i]));
        assert_int_equal(got[bytes], 0xa5);
    }
}

static void test_levels_agree(void **state)
{
    (void)state;
    for (int round = 0; round < 24; round++) {
        for (int id = 0; id < TRUENO_TYPE_LIMIT; id++) {
            const trueno_type_info *type = trueno_type_get(id);
            int n;

            if (type == NULL)
                continue;
            n = test_int(1, MAX_BLOCKS) * type->block;
            fill_row(n, round % 3 == 2 ? test_int(1, 40) : 0, round % 3 == 1 ? 30 : 0);
            check_row(type, n, NULL);
            check_row(type, n, importance);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels_agree),
    };

    test_seed_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
