/* SPDX-License-Identifier: MIT */
/* Quantisation to every type: bit for bit the reference rounding for the simple types, no larger an
 * error than ggml's for the others; importance, extremes, odd lengths, a second round trip.
 * Data: tests/references/quantize.py. */
#include "recorded.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <trueno/types.h>

#include <cmocka.h>

enum { ROWS = 64, COLS = 1024, N = ROWS * COLS, QK_K_WEIGHTS = 256 };

/* x through the type and back. */
static void round_trip(const trueno_type_info *type, const float *x, const float *importance,
                       int64_t n, float *back)
{
    unsigned char *blocks = malloc((size_t)(n / type->block * type->bytes));

    assert_non_null(blocks);
    type->quantize(x, blocks, n, importance);
    type->dequantize(blocks, back, n);
    free(blocks);
}

/* Weighted root mean square of a - b, relative to b's. */
static double relative_error(const float *a, const float *b, const float *weights, int64_t n)
{
    double error = 0, total = 0;

    for (int64_t i = 0; i < n; i++) {
        double w = weights != NULL ? weights[i] : 1, e = (double)a[i] - b[i];

        error += w * e * e;
        total += w * b[i] * b[i];
    }
    return sqrt(error / total);
}

static void test_simple_types_match_reference(void **state)
{
    size_t bytes;
    unsigned char *data = recorded_read("quantize.bin", &bytes);
    recorded r = {data, data + bytes};
    uint32_t n = recorded_u32(&r);
    float *x = malloc(n * sizeof *x);
    int n_types = 0;

    (void)state;
    memcpy(x, recorded_take(&r, n * sizeof *x), n * sizeof *x);
    for (; r.next < r.end; n_types++) {
        const trueno_type_info *type = trueno_type_get(recorded_u32(&r));
        uint32_t size = recorded_u32(&r);
        const unsigned char *expected = recorded_take(&r, size);
        unsigned char *blocks = malloc(size);

        assert_int_equal(size, n / (uint32_t)type->block * (uint32_t)type->bytes);
        type->quantize(x, blocks, n, NULL);
        for (size_t b = 0; b < n / (size_t)type->block; b++)
            if (memcmp(blocks + b * (size_t)type->bytes, expected + b * (size_t)type->bytes,
                       (size_t)type->bytes) != 0)
                fail_msg("%s: block %zu differs from the reference", type->name, b);
        free(blocks);
    }
    assert_int_equal(n_types, 5);
    free(x);
    free(data);
}

static void known_weights(float *x, float *importance)
{
    uint64_t weights = 1, columns = 2;

    for (int i = 0; i < N; i++)
        x[i] = random_normal(&weights);
    for (int j = 0; j < COLS; j++) {
        double u = random_uniform(&columns);

        importance[j] = (float)(0.05 + 4 * u * u * u);
    }
    for (int i = COLS; i < N; i++)
        importance[i] = importance[i - COLS];
}

static void test_error_is_no_larger_than_ggml(void **state)
{
    size_t bytes;
    char *text = (char *)recorded_read("quantize_errors.txt", &bytes), *rest = text, *line;
    float *x = malloc(N * sizeof *x), *importance = malloc(N * sizeof *x);
    float *back = malloc(N * sizeof *x);
    int lines = 0;

    (void)state;
    known_weights(x, importance);
    for (; (line = strtok_r(rest, "\n", &rest)) != NULL; lines++) {
        char name[16];
        int weighted;
        double theirs, ours;
        const trueno_type_info *type;

        assert_int_equal(sscanf(line, "%15s %d %lf", name, &weighted, &theirs), 3);
        type = trueno_type_get(trueno_type_find(name));
        round_trip(type, x, weighted ? importance : NULL, N, back);
        ours = relative_error(back, x, weighted ? importance : NULL, N);
        print_message("%-6s %s error %.5f, ggml %.5f, ratio %.4f\n", name,
                      weighted ? "weighted" : "plain   ", ours, theirs, ours / theirs);
        assert_true(ours <= theirs * 1.00001); /* printed digits */
    }
    assert_int_equal(lines, 24);
    free(text);
    free(x);
    free(importance);
    free(back);
}

/* Rounded values are in the type already: rounding them again moves them little, whatever the type
 * (bits a weight: b, error of the first rounding: about 2^-b). */
static void test_second_round_trip(void **state)
{
    uint64_t random = random_seed();
    float *x = malloc(N * sizeof *x), *once = malloc(N * sizeof *x), *twice = malloc(N * sizeof *x);

    (void)state;
    for (int i = 0; i < N; i++)
        x[i] = random_normal(&random);
    for (int id = 0; id < TRUENO_TYPE_LIMIT; id++) {
        const trueno_type_info *type = trueno_type_get(id);
        double first, second;

        if (type == NULL)
            continue;
        round_trip(type, x, NULL, N, once);
        round_trip(type, once, NULL, N, twice);
        first = relative_error(once, x, NULL, N);
        second = relative_error(twice, once, NULL, N);
        print_message("%-6s first %.2e second %.2e\n", type->name, first, second);
        if (type->block == 1 || id == TRUENO_Q4_0 || id == TRUENO_Q5_0 || id == TRUENO_Q8_0)
            assert_true(second == 0);
        else
            assert_true(second < 0.25 * first);
    }
    free(x);
    free(once);
    free(twice);
}

/* One group of a super-block holds a lone outlier, which any level could stand for; the others lie
 * on the grid that the smallest choice leaves them, and must come back on it. */
static void test_outlier_leaves_others_alone(void **state)
{
    static const int TYPES[] = {TRUENO_Q4_K, TRUENO_Q5_K};
    uint64_t random = random_seed();
    float x[QK_K_WEIGHTS], back[QK_K_WEIGHTS];

    (void)state;
    for (int i = 0; i < 2 * 200; i++) {
        const trueno_type_info *type = trueno_type_get(TYPES[i % 2]);
        const int levels = i % 2 == 0 ? 15 : 31;

        for (int j = 0; j < QK_K_WEIGHTS; j++) {
            uint64_t q =
                j % 32 == 0 ? (uint64_t)levels : random_u64(&random) % ((uint64_t)levels + 1);

            const int size = 3 + j / 32;

            x[j] = 0x1p-7f * (float)size * (float)q;
        }
        memset(x + 64, 0, 32 * sizeof *x);
        x[64 + i % 32] = 0x1p-7f * 63 * (float)levels;
        round_trip(type, x, NULL, QK_K_WEIGHTS, back);
        assert_true(relative_error(back, x, NULL, 64) < 1e-3);
        assert_true(relative_error(back + 96, x + 96, NULL, QK_K_WEIGHTS - 96) < 1e-3);
    }
}

static void test_importance_moves_error(void **state)
{
    uint64_t random = random_seed();
    float *x = malloc(N * sizeof *x), *importance = malloc(N * sizeof *x);
    float *plain = malloc(N * sizeof *x), *weighted = malloc(N * sizeof *x);

    (void)state;
    for (int i = 0; i < N; i++) {
        x[i] = random_normal(&random);
        importance[i] = i % 8 == 3 ? 100 : 1;
    }
    for (int id = 0; id < TRUENO_TYPE_LIMIT; id++) {
        const trueno_type_info *type = trueno_type_get(id);

        if (type == NULL || type->block == 1 || id == TRUENO_Q8_0)
            continue;
        round_trip(type, x, NULL, N, plain);
        round_trip(type, x, importance, N, weighted);
        assert_true(relative_error(weighted, x, importance, N) <
                    0.9 * relative_error(plain, x, importance, N));
    }
    free(x);
    free(importance);
    free(plain);
    free(weighted);
}

/* Rows that no model should hold: whatever they are, every value comes back finite and within the
 * range of what went in (a rounding step aside), and nothing is written beyond the blocks. */
static void fill_extreme(int kind, float *x, int n, uint64_t *random)
{
    static const float LARGE[] = {FLT_MAX, -FLT_MAX, 70000, -70000, 65504, 1e30f};

    for (int i = 0; i < n; i++) {
        float normal = random_normal(random);

        switch (kind) {
        case 0:
            x[i] = 0;
            break;
        case 1:
            x[i] = -0.0f;
            break;
        case 2:
            x[i] = LARGE[random_u64(random) % 6];
            break;
        case 3:
            x[i] = normal * 0x1p-140f;
            break; /* subnormal */
        case 4:
            x[i] = normal * 0x1p-24f;
            break; /* below the halves' normal range */
        case 5:
            x[i] = i % 97 == 0 ? 1e4f : normal * 1e-4f;
            break; /* outliers */
        case 6:
            x[i] = 3.25f;
            break;
        case 7:
            x[i] = -fabsf(normal) - 1;
            break;
        case 8:
            x[i] = fabsf(normal) + 100;
            break;
        case 9:
            x[i] = i % 2 ? INFINITY : -INFINITY;
            break;
        case 10:
            x[i] = i % 3 ? normal : NAN;
            break;
        case 11:
            x[i] = ldexpf(normal, (int)(random_u64(random) % 250) - 125);
            break;
        default:
            x[i] = i == n - 1 ? normal : 0;
            break;
        }
    }
}

enum { EXTREMES = 13, EXTREME_N = 5 * 256 };

static void check_extreme(const trueno_type_info *type, int kind, const float *x,
                          const float *importance)
{
    const size_t bytes = (size_t)(EXTREME_N / type->block) * (size_t)type->bytes;
    unsigned char blocks[EXTREME_N * 4 + 2];
    float back[EXTREME_N];
    bool finite_input = kind != 9 && kind != 10;

    memset(blocks, 0x5a, sizeof blocks);
    type->quantize(x, blocks + 1, EXTREME_N, importance);
    assert_int_equal(blocks[0], 0x5a);
    assert_int_equal(blocks[1 + bytes], 0x5a);
    type->dequantize(blocks + 1, back, EXTREME_N);
    for (int i = 0; i < EXTREME_N; i++)
        if (!isfinite(back[i]) && (finite_input || type->block > 1))
            fail_msg("%s, rows of kind %d: %a became %a", type->name, kind, x[i], back[i]);
    if (kind == 0 || kind == 1)
        for (int i = 0; i < EXTREME_N; i++)
            assert_true(back[i] == 0);
    if (kind >= 6 && kind <= 8 && relative_error(back, x, NULL, EXTREME_N) > 0.3)
        fail_msg("%s, rows of kind %d: error %g", type->name, kind,
                 relative_error(back, x, NULL, EXTREME_N));
}

static void test_extremes(void **state)
{
    uint64_t random = random_seed();
    float x[EXTREME_N], importance[EXTREME_N];

    (void)state;
    for (int kind = 0; kind < EXTREMES; kind++) {
        fill_extreme(kind, x, EXTREME_N, &random);
        for (int i = 0; i < EXTREME_N; i++)
            importance[i] = i / 64 % 3 == 0 ? 0 : ldexpf(1, i % 200 - 100);
        for (int id = 0; id < TRUENO_TYPE_LIMIT; id++) {
            if (trueno_type_get(id) == NULL)
                continue;
            check_extreme(trueno_type_get(id), kind, x, NULL);
            if (kind != 6 && kind != 7 && kind != 8)
                check_extreme(trueno_type_get(id), kind, x, importance);
        }
    }
}

/* A block's bytes do not depend on its neighbours. */
static void test_blocks_stand_alone(void **state)
{
    uint64_t random = random_seed();
    float x[EXTREME_N], importance[EXTREME_N];

    (void)state;
    for (int i = 0; i < EXTREME_N; i++) {
        x[i] = random_normal(&random) * ldexpf(1, i / 256 * 8);
        importance[i] = (float)random_uniform(&random);
    }
    for (int id = 0; id < TRUENO_TYPE_LIMIT; id++) {
        const trueno_type_info *type = trueno_type_get(id);
        unsigned char together[EXTREME_N * 4], alone[1024];

        if (type == NULL)
            continue;
        for (int weighted = 0; weighted < 2; weighted++) {
            const float *w = weighted ? importance : NULL;

            type->quantize(x, together, EXTREME_N, w);
            for (int i = 0; i < EXTREME_N; i += type->block) {
                type->quantize(x + i, alone, type->block, weighted ? w + i : NULL);
                assert_memory_equal(alone,
                                    together + (size_t)(i / type->block) * (size_t)type->bytes,
                                    (size_t)type->bytes);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_simple_types_match_reference),
        cmocka_unit_test(test_error_is_no_larger_than_ggml),
        cmocka_unit_test(test_second_round_trip),
        cmocka_unit_test(test_outlier_leaves_others_alone),
        cmocka_unit_test(test_importance_moves_error),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_blocks_stand_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
