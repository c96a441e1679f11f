/* SPDX-License-Identifier: MIT */
/*
 * Products of packed weights: every type, every level of this machine, odd shapes and extremes.
 * Levels, batch sizes, thread counts and layouts must agree bit for bit; the scalar level must
 * agree with dequantised weights times rounded activations in double precision. The level with BF16
 * tiles has a scalar twin of its own for BF16 weights (halves.h).
 */
#include "halves.h"
#include "packed.h"
#include "weights.h"

enum { GUARD = 64, MANY = 37 };

static int failures, checks;
static bool fine; /* products of activations rounded twice */

static void check(bool ok, const char *what, trueno_type type, int64_t rows, int64_t cols)
{
    checks++;
    if (ok)
        return;
    failures++;
    printf("FAILED %s %lldx%lld: %s\n", trueno_type_get(type)->name, (long long)rows,
           (long long)cols, what);
}

/* The levels to test, lowest first; those that this machine lacks are named, not counted. */
static const struct level {
    const char *name;
    uint32_t flags;
} LEVELS[] = {
    {"scalar", 0},
    {"avx2", TRUENO_CPU_AVX2},
    {"avx512-vnni", TRUENO_CPU_AVX2 | TRUENO_CPU_AVX512},
    {"avx512-amx", TRUENO_CPU_AVX2 | TRUENO_CPU_AVX512 | TRUENO_CPU_AMX_INT8},
    {"avx512-amx-bf16",
     TRUENO_CPU_AVX2 | TRUENO_CPU_AVX512 | TRUENO_CPU_AMX_INT8 | TRUENO_CPU_AMX_BF16},
    {"neon", TRUENO_CPU_NEON},
    {"neon-dotprod", TRUENO_CPU_NEON | TRUENO_CPU_DOTPROD},
};
enum { N_LEVELS = sizeof LEVELS / sizeof *LEVELS };

static void must(trueno_status st, const trueno_error *err)
{
    if (st < 0) {
        printf("%s\n", err->message);
        exit(1);
    }
}

typedef struct level_context {
    trueno_pool *pool;
    packed_work *work;
} level_context;

static level_context level_open(uint32_t flags, int threads)
{
    level_context c = {0};
    trueno_error err;

    trueno_cpu_set_mask(flags);
    must(trueno_pool_new(&c.pool, threads, NULL, &err), &err);
    must(packed_work_new(&c.work, c.pool, NULL, &err), &err);
    trueno_cpu_set_mask(UINT32_MAX);
    return c;
}

static void level_close(level_context *c)
{
    packed_work_free(c->work);
    trueno_pool_free(c->pool);
}

/* Activations of one case: ordinary rows, a row of zeros, outliers, and blocks of tiny numbers. */
static float *make_activations(int64_t cols)
{
    float *x = malloc((size_t)(MANY * cols) * sizeof *x);

    for (int64_t i = 0; i < MANY * cols; i++) {
        float scale = test_bits() % 61 == 0 ? 40 : 1;

        x[i] = random_normal() * scale;
        if (i / cols == 2)
            x[i] = 0;
        if (i / cols == 3)
            x[i] *= 1e-35f;
        if (i / cols == 4)
            x[i] = test_bits() % 2 ? 1e20f : -1e20f;
    }
    return x;
}

/* y of `n` rows in one call, with guards around it and poison in it. */
static float *multiply(level_context *c, const packed_weight *w, const float *bias, const float *x,
                       int64_t n, const float *start)
{
    size_t count = (size_t)(n * packed_rows(w));
    float *memory = malloc((count + 2 * (size_t)GUARD) * sizeof *memory),
          *y = malloc(count * sizeof *y);
    bool intact = true;

    memset(memory, 0xfb, (count + 2 * (size_t)GUARD) * sizeof *memory); /* a NaN with a payload */
    if (start != NULL)
        memcpy(memory + GUARD, start, count * sizeof *start);
    packed_matmul(c->work, w, bias, x, n, start != NULL, memory + GUARD);
    for (size_t i = 0; i < GUARD * sizeof *memory; i++)
        intact &=
            ((uint8_t *)memory)[i] == 0xfb && ((uint8_t *)(memory + GUARD + count))[i] == 0xfb;
    if (!intact) {
        failures++;
        printf("FAILED: bytes beside y were written\n");
    }
    memcpy(y, memory + GUARD, count * sizeof *y);
    free(memory);
    return y;
}

static bool same(const float *a, const float *b, int64_t n)
{
    return memcmp(a, b, (size_t)n * sizeof *a) == 0;
}

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

static trueno_tensor make_tensor(trueno_type type, int64_t rows, int64_t cols, float magnitude)
{
    trueno_tensor t = trueno_tensor_make(type, rows, cols, NULL);
    uint8_t *data = malloc(trueno_tensor_bytes(&t) + 1);

    /* an odd address: files promise no alignment */
    random_blocks(type, data + 1, rows * (cols / trueno_type_get(type)->block), magnitude);
    t.data = data + 1;
    return t;
}

static void free_tensor(trueno_tensor *t)
{
    free((uint8_t *)(uintptr_t)t->data - 1);
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

        if ((trueno_cpu_detect() & LEVELS[l].flags) != LEVELS[l].flags)
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

static void check_shapes(trueno_type type)
{
    int64_t block = trueno_type_get(type)->block;
    const int64_t shapes[][2] = {{1, 1}, {16, 1}, {17, 3}, {50, 7}, {33, 41}};

    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        int64_t cols = shapes[i][1] * block;
        trueno_tensor t;

        if (block == 256 && shapes[i][1] > 7)
            cols = 9 * block;
        if (block == 1)
            cols *= 37;
        t = make_tensor(type, shapes[i][0], cols, i == 3 ? 0 : 0.01f);
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

/* bias and add: (product + bias) + y, at the highest level. */
static void check_epilogue(trueno_type type)
{
    trueno_tensor t = make_tensor(type, 45, 512, 0.01f);
    level_context c = level_open(UINT32_MAX, 2);
    float *x = make_activations(512), bias[45], start[MANY * 45], *plain, *y;
    packed_weight *w;
    trueno_error err;
    bool ok = true;

    for (int i = 0; i < 45; i++)
        bias[i] = random_normal();
    for (int i = 0; i < MANY * 45; i++)
        start[i] = random_normal();
    must(packed_new(&w, c.work, &t, 1, false, &err), &err);
    for (int64_t n = 1; n <= MANY; n += MANY - 1) {
        plain = multiply(&c, w, NULL, x, n, NULL);
        y = multiply(&c, w, bias, x, n, start);
        for (int64_t i = 0; i < n * 45; i++) {
            float v = plain[i] + bias[i % 45];

            ok &= y[i] == v + start[i];
        }
        free(plain);
        free(y);
    }
    check(ok, "bias or add", type, 45, 512);
    packed_free(w);
    level_close(&c);
    free(x);
    free_tensor(&t);
}

/* A NaN or an infinity in one row of activations is seen in that row alone, at every level. */
static void check_nan(trueno_type type)
{
    trueno_tensor t = make_tensor(type, 20, 512, 0.01f);
    float *x = make_activations(512);

    x[5 * 512 + 100] = NAN;
    x[6 * 512 + 511] = INFINITY;
    for (int l = 0; l < N_LEVELS; l++) {
        level_context c;
        packed_weight *w;
        trueno_error err;
        bool seen = true, alone = true;
        float *y;

        if ((trueno_cpu_detect() & LEVELS[l].flags) != LEVELS[l].flags)
            continue;
        c = level_open(LEVELS[l].flags, 1);
        must(packed_new(&w, c.work, &t, 1, false, &err), &err);
        y = multiply(&c, w, NULL, x, MANY, NULL);
        for (int i = 0; i < MANY * 20; i++) {
            bool bad = i / 20 == 5 || i / 20 == 6;

            seen &= !bad || !isfinite(y[i]);
            alone &= bad || isfinite(y[i]);
        }
        check(seen, "a NaN or infinity was lost", type, 20, 512);
        check(alone, "a NaN or infinity spread to another row", type, 20, 512);
        free(y);
        packed_free(w);
        level_close(&c);
    }
    free(x);
    free_tensor(&t);
}

int main(void)
{
    test_seed_init();
    for (int l = 0; l < N_LEVELS; l++)
        if ((trueno_cpu_detect() & LEVELS[l].flags) != LEVELS[l].flags)
            printf("not on this machine: %s\n", LEVELS[l].name);
    for (int type = 0; type < TRUENO_TYPE_LIMIT; type++) {
        if (trueno_type_get(type) == NULL)
            continue;
        check_shapes((trueno_type)type);
        check_epilogue((trueno_type)type);
        check_nan((trueno_type)type);
    }
    check_mixed();
    printf("%d checks, %d failed\n", checks, failures);
    return failures != 0;
}
