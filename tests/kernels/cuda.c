/* SPDX-License-Identifier: MIT */
/*
 * The CUDA backend against the reference backend, operation by operation: random, odd-sized and
 * extreme inputs, poisoned outputs, every weight type, every path that the number of rows chooses.
 * Every check prints its largest error; the program ends with the number of failed ones. Without a
 * device it exits with 77 (skipped).
 */
#include "cuda_sides.h"

static const int ROW_COUNTS[] = {1, 2, 4, 5, 8, 9, 17, 33, 64, 65, 130};
enum { N_ROW_COUNTS = sizeof ROW_COUNTS / sizeof ROW_COUNTS[0] };

static const trueno_type TYPES[] = {TRUENO_F32,  TRUENO_F16,    TRUENO_BF16,  TRUENO_Q4_0,
                                    TRUENO_Q4_1, TRUENO_Q5_0,   TRUENO_Q5_1,  TRUENO_Q8_0,
                                    TRUENO_Q2_K, TRUENO_Q3_K,   TRUENO_Q4_K,  TRUENO_Q5_K,
                                    TRUENO_Q6_K, TRUENO_IQ4_NL, TRUENO_IQ4_XS};
enum { N_TYPES = sizeof TYPES / sizeof TYPES[0] };

typedef struct weight_pair {
    trueno_weight *side[N_SIDES];
    trueno_tensor part[4];
    int n_parts;
    int64_t rows, cols;
} weight_pair;

/* Random weights whose products have a deviation of about 1. */
static weight_pair make_weight(const trueno_type *types, const int64_t *rows, int n, int64_t cols)
{
    weight_pair w = {.n_parts = n, .cols = cols};
    trueno_error err = {0};

    for (int i = 0; i < n; i++) {
        size_t row_bytes = trueno_row_bytes(types[i], cols);
        uint8_t *data = malloc(row_bytes * (size_t)rows[i] + 1);
        const trueno_type_info *info = trueno_type_get(types[i]);
        float *row = malloc((size_t)cols * sizeof *row), square = 0, factor;

        random_blocks(types[i], data + 1, rows[i] * (cols / info->block), 1.0f);
        info->dequantize(data + 1, row, cols);
        for (int64_t c = 0; c < cols; c++)
            square += row[c] * row[c];
        factor = 1.0f / sqrtf(square + 1e-6f);
        random_blocks(types[i], data + 1, rows[i] * (cols / info->block), factor);
        free(row);
        w.part[i] = trueno_tensor_make(types[i], rows[i], cols, data + 1); /* not aligned */
        w.rows += rows[i];
    }
    for (int s = 0; s < N_SIDES; s++)
        if (sides[s]->weight_new(sides[s], w.part, n, TRUENO_USE_MATMUL | TRUENO_USE_EMBED,
                                 &w.side[s], &err) < 0)
            die(&err);
    return w;
}

static void free_weight(weight_pair *w)
{
    for (int s = 0; s < N_SIDES; s++)
        sides[s]->weight_free(sides[s], w->side[s]);
    for (int i = 0; i < w->n_parts; i++)
        free((uint8_t *)(uintptr_t)w->part[i].data - 1);
}

/* Bounds: for 1 to 8 rows the largest error over max(1, rms); above, relative rms. */
static void check_product(const char *what, const float *got, const float *want, size_t n, int rows)
{
    error_size e = compare(got, want, n);
    double scale = e.rms > 1 ? e.rms : 1;

    if (rows <= 8)
        report(what, e.most / scale, 1e-3);
    else
        report(what, e.relative, 1e-3);
}

/* Rows with outliers, and (rough) rows of very different size. */
static void fill_rows(float *x, int n, int64_t cols, bool rough)
{
    for (int r = 0; r < n; r++) {
        float size = rough && r % 3 == 1 ? 3e4f : rough && r % 3 == 2 ? 1e-3f : 1.0f;

        for (int64_t c = 0; c < cols; c++)
            x[r * cols + c] = random_normal() * size;
        for (int i = 0; i < 3; i++)
            x[r * cols + test_int(0, (int)cols - 1)] *= 30.0f;
    }
}

static void check_matmul(weight_pair *w, int n, bool bias, bool add, const char *name)
{
    size_t rows = (size_t)w->rows, count = (size_t)n * rows;
    float *x = malloc((size_t)n * (size_t)w->cols * sizeof *x), *b = malloc(rows * sizeof *b);
    float *y = malloc(count * sizeof *y), *out[N_SIDES];
    char what[160];

    fill_rows(x, n, w->cols, false);
    test_fill(b, rows, 1.0f);
    for (size_t i = 0; i < count; i++)
        y[i] = add ? test_float() : NAN;
    for (int s = 0; s < N_SIDES; s++) {
        trueno_backend *be = sides[s];
        float *dx = put(be, x, (size_t)n * (size_t)w->cols), *db = put(be, b, rows);
        float *dy = put(be, y, count);

        be->matmul(be, w->side[s], bias ? db : NULL, dx, n, add, dy);
        out[s] = get(be, dy, count);
        drop(be, dx), drop(be, db), drop(be, dy);
    }
    (void)snprintf(what, sizeof what, "matmul %s %lld x %lld, %d rows%s%s", name,
                   (long long)w->rows, (long long)w->cols, n, bias ? ", bias" : "",
                   add ? ", add" : "");
    check_product(what, out[CUDA], out[REFERENCE], count, n);
    free(x), free(b), free(y), free(out[0]), free(out[1]);
}

static void test_matmul(void)
{
    for (int t = 0; t < N_TYPES; t++) {
        const trueno_type_info *info = trueno_type_get(TYPES[t]);
        int64_t cols[] = {info->block == 256  ? 256
                          : info->block == 32 ? 96
                                              : 100,
                          info->block == 256 ? 1536 : 896, info->block == 256 ? 4864 : 4864 + 32};
        int64_t rows[] = {33, 272, 48};

        for (int k = 0; k < 3; k++) {
            weight_pair w = make_weight(&TYPES[t], &rows[k], 1, cols[k]);

            for (int i = 0; i < N_ROW_COUNTS; i++)
                check_matmul(&w, ROW_COUNTS[i], (i + k) % 2, (i + k) % 3 == 0, info->name);
            free_weight(&w);
        }
    }
    for (int k = 0; k < 3; k++) { /* stacked parts of several types */
        const trueno_type mixed[3][3] = {{TRUENO_Q4_K, TRUENO_Q4_K, TRUENO_Q6_K},
                                         {TRUENO_Q5_0, TRUENO_Q8_0, TRUENO_Q5_0},
                                         {TRUENO_F16, TRUENO_Q4_K, TRUENO_F32}};
        int64_t rows[3] = {80, 24, 40};
        weight_pair w = make_weight(mixed[k], rows, 3, 512);

        for (int i = 0; i < N_ROW_COUNTS; i++)
            check_matmul(&w, ROW_COUNTS[i], true, i % 2,
                         k == 0   ? "Q4_K+Q6_K"
                         : k == 1 ? "Q5_0+Q8_0"
                                  : "F16+Q4_K+F32");
        free_weight(&w);
    }
    {
        trueno_type type = TRUENO_Q4_K;
        int64_t rows = 40;
        weight_pair w = make_weight(&type, &rows, 1, 27648); /* inputs of a 32B's down matrix */

        for (int i = 0; i < N_ROW_COUNTS; i++)
            check_matmul(&w, ROW_COUNTS[i], false, false, "Q4_K");
        free_weight(&w);
    }
}

/* A row beside others gives the same bits for 1 to 8 rows. */
static void test_rows_equal(void)
{
    for (int t = 0; t < N_TYPES; t++) {
        int64_t rows = 272, cols = 1536;
        weight_pair w = make_weight(&TYPES[t], &rows, 1, cols);
        trueno_backend *be = sides[CUDA];
        float *x = malloc(8 * (size_t)cols * sizeof *x), *first = NULL;
        float *dx, *dy;
        char what[96];
        int different = 0;

        fill_rows(x, 8, cols, true);
        dx = put(be, x, 8 * (size_t)cols);
        dy = put_poison(be, 8 * (size_t)rows);
        for (int n = 8; n >= 1; n--) {
            float *y;

            be->matmul(be, w.side[CUDA], NULL, dx, n, false, dy);
            y = get(be, dy, (size_t)n * (size_t)rows);
            if (n == 8)
                first = y;
            else {
                different += memcmp(y, first, (size_t)n * (size_t)rows * sizeof *y) != 0;
                free(y);
            }
        }
        (void)snprintf(what, sizeof what, "rows of %s alone and together",
                       trueno_type_get(TYPES[t])->name);
        report(what, different, 0);
        drop(be, dx), drop(be, dy);
        free(x), free(first);
        free_weight(&w);
    }
}

/* Products of rows far from 1 keep their relative precision. */
static void test_sizes(void)
{
    const trueno_type types[] = {TRUENO_Q4_K, TRUENO_Q8_0, TRUENO_F16, TRUENO_BF16};

    for (int t = 0; t < 4; t++)
        for (int i = 0; i < N_ROW_COUNTS; i++) {
            int64_t rows = 64, cols = 512;
            weight_pair w = make_weight(&types[t], &rows, 1, cols);
            int n = ROW_COUNTS[i];
            float *x = malloc((size_t)(n * cols) * sizeof *x), *out[N_SIDES];
            char what[96];
            double worst = 0;

            fill_rows(x, n, cols, true);
            for (int s = 0; s < N_SIDES; s++) {
                float *dx = put(sides[s], x, (size_t)(n * cols)),
                      *dy = put_poison(sides[s], (size_t)(n * rows));

                sides[s]->matmul(sides[s], w.side[s], NULL, dx, n, false, dy);
                out[s] = get(sides[s], dy, (size_t)(n * rows));
                drop(sides[s], dx), drop(sides[s], dy);
            }
            for (int r = 0; r < n; r++) {
                double e =
                    compare(out[CUDA] + r * rows, out[REFERENCE] + r * rows, (size_t)rows).relative;

                worst = e > worst || isnan(e) ? e : worst;
            }
            (void)snprintf(what, sizeof what, "rows of any size, %s, %d rows",
                           trueno_type_get(types[t])->name, n);
            report(what, worst, 1e-3);
            free(x), free(out[0]), free(out[1]);
            free_weight(&w);
        }
}

static void test_embed(void)
{
    for (int t = 0; t < N_TYPES; t++) {
        int64_t rows = 50, cols = 512;
        weight_pair w = make_weight(&TYPES[t], &rows, 1, cols);
        int32_t tokens[7] = {0, 49, 17, 16, 15, 33, 48};
        trueno_span span = {NULL, 0, 7, 0};
        trueno_rows step = {7, 1, tokens, &span};
        float *out[N_SIDES];
        char what[64];

        for (int s = 0; s < N_SIDES; s++) {
            trueno_error err = {0};
            float *dy = put_poison(sides[s], 7 * (size_t)cols);

            if (sides[s]->step_begin(sides[s], &step, &err) < 0)
                die(&err);
            sides[s]->embed(sides[s], w.side[s], 3.5f, dy);
            if (sides[s]->step_end(sides[s], &err) < 0)
                die(&err);
            out[s] = get(sides[s], dy, 7 * (size_t)cols);
            drop(sides[s], dy);
        }
        (void)snprintf(what, sizeof what, "embed %s", trueno_type_get(TYPES[t])->name);
        report(what, compare(out[CUDA], out[REFERENCE], 7 * (size_t)cols).relative, 1e-6);
        free(out[0]), free(out[1]);
        free_weight(&w);
    }
}

static int32_t largest(const float *row, int32_t width)
{
    int32_t best = 0;

    for (int32_t i = 1; i < width; i++)
        if (row[i] > row[best])
            best = i;
    return best;
}

static void test_elementwise(void)
{
    for (int round = 0; round < 12; round++) {
        int32_t n = round < 3 ? 1 : test_int(1, 40), width = test_int(1, 700);
        size_t count = (size_t)n * (size_t)width;
        trueno_activation act = (trueno_activation)(round % 3);
        int32_t picked[5] = {n - 1, 0, n / 2, n - 1, n / 3}, ids[40];
        float *x = malloc(2 * count * sizeof *x), *w = malloc((size_t)width * sizeof *w);
        float *out[N_SIDES][8];
        size_t sizes[8] = {count, count, count, count, count, 5 * (size_t)width, count, count};
        const char *names[8] = {"rms norm", "layer norm", "glu",     "activate",
                                "add",      "gather",     "softcap", "add gated"};
        trueno_error err = {0};

        test_fill(x, 2 * count, round % 4 == 3 ? 1e4f : 4.0f);
        test_fill(w, (size_t)width, 2.0f);
        x[test_int(0, (int)count - 1)] = x[test_int(0, (int)count - 1)]; /* ties for argmax */
        for (int s = 0; s < N_SIDES; s++) {
            trueno_backend *be = sides[s];
            float *dx = put(be, x, 2 * count), *dw = put(be, w, (size_t)width),
                  *dy = put_poison(be, 2 * count);
            trueno_norm norm = {TRUENO_NORM_RMS, width, 1e-6f, dw, NULL};

            be->norm(be, &norm, dx, n, dy);
            out[s][0] = get(be, dy, count);
            norm = (trueno_norm){TRUENO_NORM_LAYER, width, 1e-5f, dw, dw};
            be->norm(be, &norm, dx, n, dy);
            out[s][1] = get(be, dy, count);
            be->glu(be, act, dx, n, width, dy);
            out[s][2] = get(be, dy, count);
            be->activate(be, act, dx, n, width, dy);
            out[s][3] = get(be, dy, count);
            be->add(be, dx, n, width, dy);
            out[s][4] = get(be, dy, count);
            be->add_gated(be, dx + count, dx, n, width, dy);
            out[s][7] = get(be, dy, count);
            {
                float *dg = put_poison(be, 5 * (size_t)width);

                be->gather(be, dx, picked, 5, width, dg);
                out[s][5] = get(be, dg, 5 * (size_t)width);
                drop(be, dg);
            }
            if (s == CUDA && be->argmax(be, dx, n, width, ids, &err) < 0)
                die(&err);
            be->softcap(be, 30.0f, dx, n, width);
            out[s][6] = get(be, dx, count);
            drop(be, dx), drop(be, dw), drop(be, dy);
        }
        for (int k = 0; k < 8; k++) {
            report(names[k], compare(out[CUDA][k], out[REFERENCE][k], sizes[k]).relative,
                   k == 1 && width < 8 ? 1e-3 : 1e-5);
            free(out[0][k]), free(out[1][k]);
        }
        for (int r = 0; r < n; r++)
            report("argmax", ids[r] != largest(x + (size_t)r * (size_t)width, width), 0);
        free(x), free(w);
    }
}

static void test_experts(void)
{
    enum { EXPERTS = 8, USED = 3, COLS = 512, FF = 256 };

    for (int round = 0; round < 4; round++) {
        trueno_type type = round == 0   ? TRUENO_F32
                           : round == 1 ? TRUENO_Q4_K
                           : round == 2 ? TRUENO_Q8_0
                                        : TRUENO_F16;
        int64_t up_rows = 2 * FF, down_rows = COLS;
        weight_pair up[EXPERTS], down[EXPERTS];
        int32_t n = round % 2 ? 1 : 13;
        float *x = malloc((size_t)n * COLS * sizeof *x),
              *router = malloc((size_t)n * EXPERTS * sizeof *router);
        float *out[N_SIDES];
        char what[64];

        for (int e = 0; e < EXPERTS; e++) {
            up[e] = make_weight(&type, &up_rows, 1, COLS);
            down[e] = make_weight(&type, &down_rows, 1, FF);
        }
        fill_rows(x, n, COLS, false);
        test_fill(router, (size_t)n * EXPERTS, 2.0f);
        router[1] = router[5]; /* a tie */
        for (int s = 0; s < N_SIDES; s++) {
            const trueno_weight *ups[EXPERTS], *downs[EXPERTS];
            float *dx = put(sides[s], x, (size_t)n * COLS),
                  *dr = put(sides[s], router, (size_t)n * EXPERTS);
            float *dy = put_poison(sides[s], (size_t)n * COLS);

            for (int e = 0; e < EXPERTS; e++)
                ups[e] = up[e].side[s], downs[e] = down[e].side[s];
            sides[s]->experts(sides[s], ups, downs, dr, EXPERTS, USED, round >= 2, TRUENO_SILU, dx,
                              n, dy);
            out[s] = get(sides[s], dy, (size_t)n * COLS);
            drop(sides[s], dx), drop(sides[s], dr), drop(sides[s], dy);
        }
        (void)snprintf(what, sizeof what, "experts of %s, %d rows", trueno_type_get(type)->name, n);
        check_product(what, out[CUDA], out[REFERENCE], (size_t)n * COLS, 1);
        for (int e = 0; e < EXPERTS; e++)
            free_weight(&up[e]), free_weight(&down[e]);
        free(x), free(router), free(out[0]), free(out[1]);
    }
}

/* Every product kernel once, for tools that make kernels slow. */
static void test_tiny(void)
{
    const int counts[] = {1, 3, 8, 12, 30, 64, 70};

    for (int t = 0; t < N_TYPES; t++) {
        int64_t rows = 48, cols = trueno_type_get(TYPES[t])->block == 256 ? 512 : 288;
        weight_pair w = make_weight(&TYPES[t], &rows, 1, cols);

        for (int i = 0; i < 7; i++)
            check_matmul(&w, counts[i], i % 2, i % 3 == 0, trueno_type_get(TYPES[t])->name);
        free_weight(&w);
    }
}

int main(int argc, char **argv)
{
    test_seed_init();
    open_sides();
    if (argc > 1 && strcmp(argv[1], "tiny") == 0)
        test_tiny();
    if (argc < 2 || strcmp(argv[1], "products") == 0) {
        test_matmul();
        test_rows_equal();
        test_sizes();
        test_experts();
    }
    if (argc < 2 || strcmp(argv[1], "others") == 0) {
        test_embed();
        test_elementwise();
    }
    return close_sides();
}
