/* SPDX-License-Identifier: MIT */
/*
 * Products of packed weights: every type, every level of this machine, odd shapes and extremes.
 * Levels, batch sizes, thread counts and layouts must agree bit for bit; the scalar level must
 * agree with dequantised weights times rounded activations in double precision. The level with BF16
 * tiles has a scalar twin of its own for BF16 weights (halves.h).
 */
#include "halves.h"
#include "products.h"

static bool fine; /* products of activations rounded twice */

/* Round a block of 32 as packed.h says; which way a near tie goes depends on the float product. */
static void round_activations(const float *x, int64_t cols, double *out)
{
    for (int64_t b = 0; b < cols; b += 32) {
        int64_t n = cols - b < 32 ? cols - b : 32;
        double amax = 0, scale;

        for (int64_t k = 0; k < n; k++)
            amax = fabs((double)x[b + k]) > amax ? fabs((double)x[b + k]) : amax;
        scale = (float)amax / 127.0f;
        for (int64_t k = 0; k < n; k++)
            out[b + k] = amax < 1e-30 ? 0 : scale * rintf(x[b + k] * (127.0f / (float)amax));
    }
}

/*
 * The most that two roundings to 8 bits can move a product: half a step of the second, which is the
 * block's largest activation / 127^2, for every weight. One rounding moves it 127 times as much.
 */
static double fine_error(const float *weights, const float *x, int64_t cols)
{
    double error = 0;

    for (int64_t begin = 0; begin < cols; begin += 32) {
        double largest = 0, sum = 0;

        for (int64_t k = begin; k < begin + 32 && k < cols; k++) {
            largest = fmax(largest, fabs(x[k]));
            sum += fabs(weights[k]);
        }
        error += sum * largest / (2.0 * 127 * 127);
    }
    return error;
}

/*
 * Scalar products against the registry's weights in double: an error of at most 1e-3 of the root of
 * the squared terms' sum (the size of a sum of such terms), or of 1. Finely rounded activations
 * stand for the unrounded ones, but for fine_error().
 */
static void check_truth(const trueno_tensor *t, const float *x, const float *y, int64_t y_stride,
                        int64_t first_row)
{
    bool is_float = trueno_type_get(t->type)->block == 1;
    float *weights = malloc((size_t)t->cols * sizeof *weights);
    double *rounded = malloc((size_t)t->cols * sizeof *rounded), worst = 0;

    for (int64_t i = 0; i < MANY; i++) {
        if (is_float || fine)
            for (int64_t k = 0; k < t->cols; k++)
                rounded[k] = x[i * t->cols + k];
        else
            round_activations(x + i * t->cols, t->cols, rounded);
        for (int64_t r = 0; r < t->rows; r++) {
            double sum = 0, squares = 0, error;

            trueno_tensor_row_to_f32(t, r, weights);
            for (int64_t k = 0; k < t->cols; k++) {
                sum += weights[k] * rounded[k];
                squares += weights[k] * rounded[k] * weights[k] * rounded[k];
            }
            error = fabs(sum - y[i * y_stride + first_row + r]);
            if (fine)
                error -= fine_error(weights, x + i * t->cols, t->cols);
            worst = fmax(worst, error / fmax(1, sqrt(squares)));
        }
    }
    check(worst < 1e-3, "scalar product far from double precision", t->type, t->rows, t->cols);
    free(weights);
    free(rounded);
}

static void check_inverse(const packed_weight *w, const trueno_tensor *t, int64_t first_row)
{
    uint8_t *blocks = malloc(t->row_bytes);
    float *a = malloc((size_t)t->cols * sizeof *a), *b = malloc((size_t)t->cols * sizeof *b);
    bool bytes = true, values = true;

    for (int64_t r = 0; r < t->rows; r++) {
        memset(blocks, 0x5a, t->row_bytes);
        memset(a, 0xfb, (size_t)t->cols * sizeof *a);
        packed_row_blocks(w, first_row + r, blocks);
        packed_row(w, first_row + r, a);
        trueno_tensor_row_to_f32(t, r, b);
        bytes &=
            memcmp(blocks, (const uint8_t *)t->data + (size_t)r * t->row_bytes, t->row_bytes) == 0;
        values &= same(a, b, t->cols);
    }
    check(bytes, "packing is not invertible", t->type, t->rows, t->cols);
    check(values, "rows read back differ from dequantised ones", t->type, t->rows, t->cols);
    free(blocks);
    free(a);
    free(b);
}

static void check_level(uint32_t flags, int threads, bool keep, const trueno_tensor *parts,
                        int n_parts, const float *x, const float *expected, const char *what)
{
    level_context c = level_open(flags, threads);
    packed_weight *w;
    trueno_error err;
    int64_t rows, cols = parts[0].cols;
    bool one = true, few = true;
    float *y;

    must(packed_new(&w, c.work, parts, n_parts, keep, &err), &err);
    if (fine)
        packed_set_fine(w);
    rows = packed_rows(w);
    y = multiply(&c, w, NULL, x, MANY, NULL);
    check(same(y, expected, MANY * rows), what, parts[0].type, rows, cols);
    free(y);
    for (int64_t i = 0; i < MANY; i++) {
        y = multiply(&c, w, NULL, x + i * cols, 1, NULL);
        one &= same(y, expected + i * rows, rows);
        free(y);
    }
    check(one, "one row differs from the same row in a batch", parts[0].type, rows, cols);
    for (int64_t n = 2; n < 20; n += 5) {
        y = multiply(&c, w, NULL, x + 3 * cols, n, NULL);
        few &= same(y, expected + 3 * rows, n * rows);
        free(y);
    }
    check(few, "a small batch differs from a larger one", parts[0].type, rows, cols);
    packed_free(w);
    level_close(&c);
}

/* The rows of BF16 parts in `expected` as the level with BF16 tiles computes them. */
static void expect_halves(const trueno_tensor *parts, int n_parts, const float *x, float *expected,
                          int64_t rows)
{
    for (int i = 0; i < n_parts; expected += parts[i++].rows)
        if (parts[i].type == TRUENO_BF16) {
            product_by_halves(&parts[i], x, MANY, expected, rows);
            check_truth(&parts[i], x, expected, rows, 0);
        }
}

/* A weight of `parts`, at every level, in both layouts, on one thread and on three. */
static void check_weight(const trueno_tensor *parts, int n_parts)
{
    level_context c = level_open(0, 1);
    int64_t cols = parts[0].cols, rows, first = 0;
    float *x = make_activations(cols), *expected;
    packed_weight *w;
    trueno_error err;

    must(packed_new(&w, c.work, parts, n_parts, false, &err), &err);
    if (fine)
        packed_set_fine(w);
    rows = packed_rows(w);
    expected = multiply(&c, w, NULL, x, MANY, NULL);
    for (int i = 0; i < n_parts; i++) {
        check_truth(&parts[i], x, expected, rows, first);
        check_inverse(w, &parts[i], first);
        first += parts[i].rows;
    }
    packed_free(w);
    level_close(&c);
    for (int l = 0; l < N_LEVELS; l++) {
        char what[80];

        if (!level_is_here(&LEVELS[l]))
            continue;
        snprintf(what, sizeof what, "%s differs from scalar", LEVELS[l].name);
        if (LEVELS[l].flags & TRUENO_CPU_AMX_BF16)
            expect_halves(parts, n_parts, x, expected, rows);
        check_level(LEVELS[l].flags, 1, false, parts, n_parts, x, expected, what);
        check_level(LEVELS[l].flags, 3, true, parts, n_parts, x, expected, what);
    }
    free(x);
    free(expected);
}

static const int64_t SHAPES[][2] = {{1, 1}, {16, 1}, {17, 3}, {50, 7}, {33, 41}};

/* How many of them are run: fewer where every access is watched. */
static size_t n_shapes = sizeof SHAPES / sizeof *SHAPES;

static void check_shapes(trueno_type type)
{
    int64_t block = trueno_type_get(type)->block;

    for (size_t i = 0; i < n_shapes; i++) {
        int64_t cols = SHAPES[i][1] * block;
        trueno_tensor t;

        if (block == 256 && SHAPES[i][1] > 7)
            cols = 9 * block;
        if (block == 1)
            cols *= 37;
        t = make_tensor(type, SHAPES[i][0], cols, i == 3 ? 0 : 0.01f);
        check_weight(&t, 1);
        fine = i == 2 && block > 1;
        if (fine)
            check_weight(&t, 1);
        fine = false;
        free_tensor(&t);
    }
}

/* Parts of different types stacked: outputs in order, tails of groups between them. */
static void check_mixed(void)
{
    static const trueno_type TYPES[][PACKED_PARTS_LIMIT] = {
        {TRUENO_Q4_K, TRUENO_Q6_K, TRUENO_Q8_0, TRUENO_F16},
        {TRUENO_Q5_0, TRUENO_Q2_K, TRUENO_BF16, TRUENO_Q4_1},
    };

    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++) {
        trueno_tensor parts[PACKED_PARTS_LIMIT];

        for (int p = 0; p < PACKED_PARTS_LIMIT; p++)
            parts[p] = make_tensor(TYPES[i][p], 19 + 13 * p, 1280, 0.01f);
        check_weight(parts, PACKED_PARTS_LIMIT);
        for (int p = 0; p < PACKED_PARTS_LIMIT; p++)
            free_tensor(&parts[p]);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1)
        n_shapes = (size_t)strtoul(argv[1], NULL, 10);
    if (n_shapes > sizeof SHAPES / sizeof *SHAPES)
        return 2;
    test_seed_init();
    name_missing_levels();
    for (int type = 0; type < TRUENO_TYPE_LIMIT; type++)
        if (trueno_type_get(type) != NULL)
            check_shapes((trueno_type)type);
    check_mixed();
    return finish_checks();
}
