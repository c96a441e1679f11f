/* SPDX-License-Identifier: MIT */
/* Conversion of rows between types: the same bytes for any number of threads, from any type. */
#include "recorded.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <trueno/quantize.h>
#include <trueno/sys/threads.h>

#include <cmocka.h>

enum { ROWS = 67, COLS = 768 };

typedef struct fixture {
    float *x, *importance; /* [ROWS, COLS], [COLS] */
    trueno_tensor tensor;
} fixture;

static int set_up(void **state)
{
    fixture *f = malloc(sizeof *f);
    uint64_t random = random_seed();

    f->x = malloc((size_t)ROWS * COLS * sizeof *f->x);
    f->importance = malloc(COLS * sizeof *f->importance);
    for (int i = 0; i < ROWS * COLS; i++)
        f->x[i] = random_normal(&random);
    for (int j = 0; j < COLS; j++)
        f->importance[j] = (float)random_uniform(&random);
    f->tensor = trueno_tensor_make(TRUENO_F32, ROWS, COLS, f->x);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;

    free(f->x);
    free(f->importance);
    free(f);
    return 0;
}

/* `from` converted by the registry's function alone, row by row. */
static unsigned char *plain_loop(const trueno_tensor *from, trueno_type to, const float *importance)
{
    const size_t row_bytes = trueno_row_bytes(to, from->cols);
    unsigned char *blocks = malloc((size_t)from->rows * row_bytes);
    float row[COLS];

    for (int64_t r = 0; r < from->rows; r++) {
        trueno_tensor_row_to_f32(from, r, row);
        trueno_type_get(to)->quantize(row, blocks + (size_t)r * row_bytes, from->cols, importance);
    }
    return blocks;
}

static void check(const trueno_tensor *from, trueno_type to, const float *importance,
                  trueno_pool *pool, const unsigned char *expected)
{
    const size_t bytes = (size_t)from->rows * trueno_row_bytes(to, from->cols);
    unsigned char *blocks = malloc(bytes + 1);
    trueno_error err;

    memset(blocks, 0xa5, bytes + 1);
    assert_int_equal(trueno_quantize_rows(from, to, importance, blocks, pool, NULL, &err), 0);
    assert_memory_equal(blocks, expected, bytes);
    assert_int_equal(blocks[bytes], 0xa5);
    free(blocks);
}

static void test_any_thread_count(void **state)
{
    const fixture *f = *state;
    trueno_pool *pools[3] = {0};

    for (int i = 0; i < 3; i++)
        assert_int_equal(trueno_pool_new(&pools[i], 1 + i, NULL, NULL), 0);
    for (int to = 0; to < TRUENO_TYPE_LIMIT; to++) {
        if (trueno_type_get(to) == NULL)
            continue;
        for (int weighted = 0; weighted < 2; weighted++) {
            const float *importance = weighted ? f->importance : NULL;
            unsigned char *expected = plain_loop(&f->tensor, to, importance);

            check(&f->tensor, to, importance, NULL, expected);
            for (int i = 0; i < 3; i++)
                check(&f->tensor, to, importance, pools[i], expected);
            free(expected);
        }
    }
    for (int i = 0; i < 3; i++)
        trueno_pool_free(pools[i]);
}

static void test_any_source(void **state)
{
    const fixture *f = *state;

    for (int type = 0; type < TRUENO_TYPE_LIMIT; type++) {
        unsigned char *blocks, *expected;
        trueno_tensor from;

        if (trueno_type_get(type) == NULL)
            continue;
        blocks = plain_loop(&f->tensor, type, NULL);
        from = trueno_tensor_make(type, ROWS, COLS, blocks);
        expected = plain_loop(&from, TRUENO_Q5_K, NULL);
        if (type == TRUENO_Q5_K)
            check(&from, TRUENO_Q5_K, NULL, NULL, blocks); /* copied, not rounded again */
        else
            check(&from, TRUENO_Q5_K, NULL, NULL, expected);
        free(expected);
        expected = plain_loop(&from, TRUENO_F32, NULL);
        check(&from, TRUENO_F32, NULL, NULL, expected);
        free(expected);
        free(blocks);
    }
}

static void *no_memory(void *user, size_t bytes, size_t align)
{
    (void)user;
    (void)bytes;
    (void)align;
    return NULL;
}

static void test_errors(void **state)
{
    const fixture *f = *state;
    trueno_tensor narrow = trueno_tensor_make(TRUENO_F32, 1, 96, f->x);
    const trueno_allocator empty = {.allocate = no_memory};
    unsigned char blocks[4 * 96];
    trueno_error err;

    assert_int_equal(trueno_quantize_rows(&narrow, TRUENO_Q4_K, NULL, blocks, NULL, NULL, &err),
                     TRUENO_UNSUPPORTED);
    assert_string_equal(err.message, "rows of 96 weights cannot be Q4_K: its blocks hold 256");
    assert_int_equal(trueno_quantize_rows(&narrow, (trueno_type)5, NULL, blocks, NULL, NULL, &err),
                     TRUENO_UNSUPPORTED);
    assert_int_equal(trueno_quantize_rows(&narrow, TRUENO_Q4_0, NULL, blocks, NULL, &empty, &err),
                     TRUENO_NO_MEMORY);
    assert_int_equal(trueno_quantize_rows(&narrow, TRUENO_Q4_0, NULL, blocks, NULL, NULL, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_any_thread_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_any_source, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_errors, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
