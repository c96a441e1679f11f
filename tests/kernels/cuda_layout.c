/* SPDX-License-Identifier: MIT */
/*
 * The device's form of block weights, on the CPU: packing random units of every type loses nothing
 * (every code and every scale of the file's blocks can be read back, and their bits are all bits of
 * the blocks), and the weights read from a unit are those of the type's own dequantisation.
 */
#include "weights.h"

#include "cuda/layout_pack.h"

static const trueno_type TYPES[] = {TRUENO_Q4_0, TRUENO_Q4_1, TRUENO_Q5_0,   TRUENO_Q5_1,
                                    TRUENO_Q8_0, TRUENO_Q2_K, TRUENO_Q3_K,   TRUENO_Q4_K,
                                    TRUENO_Q5_K, TRUENO_Q6_K, TRUENO_IQ4_NL, TRUENO_IQ4_XS};

enum { N_TYPES = sizeof TYPES / sizeof TYPES[0], MAX_BLOCKS = 4, MAX_BLOCK = 256 };

typedef struct unit_case {
    layout_info info;
    int type, n_blocks, block_cols;
    uint8_t rows[LAYOUT_ROWS][MAX_BLOCKS * MAX_BLOCK];
    uint8_t unit[4096];
} unit_case;

static void make_unit(unit_case *c, int type, int n_blocks)
{
    const uint8_t *rows[LAYOUT_ROWS];

    c->info = layout_get(type);
    c->type = type;
    c->n_blocks = n_blocks;
    c->block_cols = trueno_type_get(type)->block;
    for (int r = 0; r < LAYOUT_ROWS; r++) {
        random_blocks((trueno_type)type, c->rows[r], n_blocks, 2.0f);
        rows[r] = c->rows[r];
    }
    memset(c->unit, 0xa5, sizeof c->unit);
    for (int lane = 0; lane < 32; lane++)
        layout_pack_lane(type, rows, n_blocks, lane, c->unit);
    for (size_t i = c->info.unit_bytes; i < sizeof c->unit; i++)
        assert_int_equal(c->unit[i], 0xa5);
}

static void check_codes(const unit_case *c)
{
    for (int r = 0; r < LAYOUT_ROWS; r++)
        for (int i = 0; i < c->n_blocks * c->block_cols; i++) {
            const uint8_t *block = c->rows[r] + (size_t)(i / c->block_cols) * (size_t)c->info.block;

            assert_int_equal(layout_code(c->type, c->unit, r, i),
                             block_code(c->type, block, i % c->block_cols));
        }
}

static void check_scales(const unit_case *c)
{
    const uint8_t *scales = c->unit + layout_offsets(&c->info, 0).scales;
    int offset, bytes = block_halves(c->type, &offset);

    for (int r = 0; r < LAYOUT_ROWS; r++)
        for (int i = 0; i < c->n_blocks; i++) {
            const uint8_t *block = c->rows[r] + (size_t)i * (size_t)c->info.block;

            for (int which = 0; which < bytes / 2; which++)
                assert_memory_equal(scales + layout_half_offset(c->type, r, i, which),
                                    block + (offset + 2 * which), 2);
            for (int t = 0; t < 4 && c->info.steps == 2; t++)
                assert_int_equal(layout_small_scales(c->type, scales, r, t),
                                 block_small_scales(c->type, block, t));
        }
}

static void check_weights(const unit_case *c)
{
    float want[MAX_BLOCKS * MAX_BLOCK];

    for (int r = 0; r < LAYOUT_ROWS; r++) {
        trueno_type_get(c->type)->dequantize(c->rows[r], want,
                                             (int64_t)c->n_blocks * c->block_cols);
        for (int i = 0; i < c->n_blocks * c->block_cols; i++)
            assert_true(fabsf(layout_weight(c->type, c->unit, r, i) - want[i]) <=
                        1e-5f * fabsf(want[i]) + 1e-5f);
    }
}

static void test_units(void **state)
{
    static unit_case c;

    (void)state;
    for (int t = 0; t < N_TYPES; t++)
        for (int round = 0; round < 8; round++) {
            make_unit(&c, TYPES[t], layout_get(TYPES[t]).steps == 2 ? 1 : 1 + round % MAX_BLOCKS);
            check_codes(&c);
            check_scales(&c);
            check_weights(&c);
        }
}

/* A unit is as large as the 16 rows of blocks that it holds: nothing is stored twice or left out.
 */
static void test_sizes(void **state)
{
    (void)state;
    for (int t = 0; t < N_TYPES; t++) {
        layout_info info = layout_get(TYPES[t]);

        assert_int_equal(info.block, trueno_type_get(TYPES[t])->bytes);
        assert_int_equal(info.unit_bytes,
                         LAYOUT_ROWS * info.block *
                             (info.steps * LAYOUT_STEP / trueno_type_get(TYPES[t])->block));
        assert_int_equal(info.unit_bytes % 16, 0);
    }
}

/* Flip one bit of a block: the unit must change, in whatever bit. */
static void test_every_bit_counts(void **state)
{
    static unit_case c, changed;

    (void)state;
    for (int t = 0; t < N_TYPES; t++) {
        int n_blocks = layout_get(TYPES[t]).steps == 2 ? 1 : MAX_BLOCKS;

        make_unit(&c, TYPES[t], n_blocks);
        for (int bit = 0; bit < 8 * c.info.block; bit++) {
            const uint8_t *rows[LAYOUT_ROWS];
            int row = test_int(0, LAYOUT_ROWS - 1), block = test_int(0, n_blocks - 1);

            changed = c;
            changed.rows[row][block * c.info.block + bit / 8] ^= (uint8_t)(1 << bit % 8);
            for (int r = 0; r < LAYOUT_ROWS; r++)
                rows[r] = changed.rows[r];
            for (int lane = 0; lane < 32; lane++)
                layout_pack_lane(TYPES[t], rows, n_blocks, lane, changed.unit);
            assert_memory_not_equal(changed.unit, c.unit, c.info.unit_bytes);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_every_bit_counts),
    };

    test_seed_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
