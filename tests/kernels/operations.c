/* SPDX-License-Identifier: MIT */
/*
 * Every other operation of the CPU backend's table, at every level, against formulas in double
 * precision written here and against the reference backend; rows alone against rows in a batch.
 */
#include "support.h"

#include <trueno/backend.h>

static trueno_backend *open_backend(const char *name, int threads, uint32_t mask)
{
    trueno_backend_options options;
    trueno_backend *be;
    trueno_error err = {0};

    trueno_backend_options_init(&options, sizeof options);
    options.threads = threads;
    trueno_cpu_set_mask(mask);
    if (trueno_backend_open(&be, name, &options, &err) < 0)
        fail_msg("%s", err.message);
    trueno_cpu_set_mask(UINT32_MAX);
    return be;
}

/* Calls `check` with a backend of every level, on 1 and on 3 threads, and with the reference. */
static void at_every_level(void (*check)(trueno_backend *be))
{
    uint32_t levels[8];
    int n = test_levels(levels);

    for (int i = 0; i <= n; i++)
        for (int threads = 1; threads <= 3; threads += 2) {
            trueno_backend *be = i < n ? open_backend("cpu", threads, levels[i])
                                       : open_backend("reference", threads, UINT32_MAX);

            check(be);
            be->close(be);
        }
}

/* Ordinary, huge, tiny and subnormal values in one array. */
static void fill_mixed(float *x, size_t n)
{
    static const float SIZES[] = {1.0f, 1.0f, 10.0f, 1e4f, 1e-4f, 1e-20f, 1e-40f};

    for (size_t i = 0; i < n; i++)
        x[i] = SIZES[test_bits() % 7] * test_float();
}

static void check_close(const trueno_backend *be, const char *what, const float *got,
                        const double *want, size_t n, double relative, double absolute)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - want[i]) <= relative * fabs(want[i]) + absolute))
            fail_msg("%s, %s: element %zu of %zu is %.9g, must be %.9g", be->name, what, i, n,
                     (double)got[i], want[i]);
}

enum { MAX_WIDTH = 700, MAX_ROWS = 40 };

static void norm_formula(const trueno_norm *p, const float *x, double *y)
{
    double mean = 0.0, square = 0.0;

    for (int32_t i = 0; p->kind == TRUENO_NORM_LAYER && i < p->width; i++)
        mean += (double)x[i] / p->width;
    for (int32_t i = 0; i < p->width; i++)
        square += pow((double)x[i] - mean, 2.0) / p->width;
    for (int32_t i = 0; i < p->width; i++)
        y[i] = ((double)x[i] - mean) / sqrt(square + (double)p->eps) * (double)p->weight[i] +
               (p->bias != NULL ? (double)p->bias[i] : 0.0);
}

static void check_norm(trueno_backend *be)
{
    static double want[MAX_WIDTH];
    float weight[MAX_WIDTH], bias[MAX_WIDTH];

    for (int round = 0; round < 12; round++) {
        int32_t width = round < 4 ? round + 1 : test_int(1, MAX_WIDTH), n = test_int(1, MAX_ROWS);
        const trueno_norm p = {round % 2 == 0 ? TRUENO_NORM_RMS : TRUENO_NORM_LAYER, width, 1e-6f,
                               weight, round % 3 == 0 ? bias : NULL};
        size_t count = (size_t)n * (size_t)width;
        float *x = test_floats(count), *y = test_floats(count), *alone = test_floats((size_t)width);
        float size = round % 4 == 3 ? 1e15f : 3.0f;
        double spread;

        test_fill(weight, (size_t)width, 2.0f);
        test_fill(bias, (size_t)width, 2.0f);
        test_fill(x, count, size);
        be->norm(be, &p, x, n, y);
        for (int32_t i = 0; i < n; i++) {
            norm_formula(&p, x + (int64_t)i * width, want);
            /* few values may lie close together: the mean's rounding then counts in full */
            spread = p.kind == TRUENO_NORM_LAYER && width < 8 ? 1e-2 : 1e-5;
            check_close(be, "norm", y + (int64_t)i * width, want, (size_t)width, spread, spread);
            be->norm(be, &p, x + (int64_t)i * width, 1, alone);
            test_equal_bits("norm of a row alone", alone, y + (int64_t)i * width, (size_t)width);
        }
        be->norm(be, &p, x, n, x); /* in place */
        test_equal_bits("norm in place", x, y, count);
        test_floats_free(x, count);
        test_floats_free(y, count);
        test_floats_free(alone, (size_t)width);
    }
}

static double activation_formula(trueno_activation act, double x)
{
    if (act == TRUENO_SILU)
        return x / (1.0 + exp(-x));
    if (act == TRUENO_GELU_TANH)
        return 0.5 * x *
               (1.0 + tanh(sqrt(2.0 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
    return 0.5 * x * erfc(-x / sqrt(2.0));
}

static void check_activations(trueno_backend *be)
{
    for (int round = 0; round < 9; round++) {
        trueno_activation act = (trueno_activation)(round % 3);
        int32_t width = test_int(1, MAX_WIDTH), n = test_int(1, MAX_ROWS);
        size_t count = (size_t)n * (size_t)width;
        float *gate_up = test_floats(2 * count), *y = test_floats(count), *z = test_floats(count);
        double *want = malloc(2 * count * sizeof *want);

        fill_mixed(gate_up, 2 * count);
        be->activate(be, act, gate_up, n, width, z);
        be->glu(be, act, gate_up, n, width, y);
        for (size_t i = 0; i < count; i++) {
            size_t g = i / (size_t)width * 2 * (size_t)width + i % (size_t)width;

            want[i] = activation_formula(act, gate_up[i]);
            want[count + i] =
                activation_formula(act, gate_up[g]) * (double)gate_up[g + (size_t)width];
        }
        /* far out on the left the result is lost below 1e-6, where 1 + tanh is 0 too */
        check_close(be, "activation", z, want, count, 4e-6, 1e-6);
        check_close(be, "glu", y, want + count, count, 4e-6, 1e-2);
        be->activate(be, act, gate_up, n, width, gate_up); /* in place */
        test_equal_bits("activation in place", gate_up, z, count);
        free(want);
        test_floats_free(gate_up, 2 * count);
        test_floats_free(y, count);
        test_floats_free(z, count);
    }
}

static void check_softcap_add_gather(trueno_backend *be)
{
    int32_t width = test_int(1, MAX_WIDTH), n = test_int(3, MAX_ROWS);
    size_t count = (size_t)n * (size_t)width;
    float *x = test_floats(count), *y = test_floats(count), *old = test_floats(count);
    double *want = malloc(count * sizeof *want);
    const float cap = 30.0f;
    float gate[MAX_ROWS];
    int32_t rows[3] = {n - 1, 0, test_int(0, n - 1)};

    fill_mixed(x, count);
    test_fill(y, count, 5.0f);
    memcpy(old, y, count * sizeof *y);
    be->add(be, x, n, width, y);
    for (size_t i = 0; i < count; i++)
        want[i] = (double)(x[i] + old[i]);
    check_close(be, "add", y, want, count, 0.0, 0.0);
    for (int32_t i = 0; i < n; i++)
        gate[i] = i < 3 ? (float)(i - 1) * 200.0f : 4.0f * test_float(); /* 0, 1/2 and 1 */
    memcpy(old, y, count * sizeof *y);
    be->add_gated(be, gate, x, n, width, y);
    for (size_t i = 0; i < count; i++)
        want[i] = (double)old[i] + (double)x[i] / (1.0 + exp(-(double)gate[i / (size_t)width]));
    check_close(be, "add_gated", y, want, count, 1e-6, 1e-3); /* sums of 1e4 may cancel */
    be->gather(be, x, rows, 3, width, old);
    for (int i = 0; i < 3; i++)
        test_equal_bits("gather", old + (int64_t)i * width, x + (int64_t)rows[i] * width,
                        (size_t)width);
    for (size_t i = 0; i < count; i++)
        want[i] = (double)cap * tanh((double)x[i] / (double)cap);
    be->softcap(be, cap, x, n, width);
    check_close(be, "softcap", x, want, count, 1e-6, 1e-43); /* cap * 2^-150 twice */
    free(want);
    test_floats_free(x, count);
    test_floats_free(y, count);
    test_floats_free(old, count);
}

static void check_argmax(trueno_backend *be)
{
    if (be->argmax == NULL)
        return; /* the reference backend has none */
    for (int round = 0; round < 200; round++) {
        int32_t width = test_int(1, MAX_WIDTH), want = 0, id = -1;
        float *x = test_floats((size_t)width);

        for (int32_t i = 0; i < width; i++) /* few values: ties are common */
            x[i] = round % 4 == 0 && test_int(0, 9) == 0 ? NAN : (float)test_int(-5, 5);
        if (round % 10 == 9)
            x[test_int(0, width - 1)] = -INFINITY;
        if (round % 10 == 8)
            x[test_int(0, width - 1)] = INFINITY;
        for (int32_t i = 1; i < width; i++)
            if (x[i] > x[want] || (isnan(x[want]) && !isnan(x[i])))
                want = i;
        assert_int_equal(be->argmax(be, x, 1, width, &id, NULL), TRUENO_OK);
        assert_int_equal(id, want);
        test_floats_free(x, (size_t)width);
    }
}

static void test_norm(void **state)
{
    (void)state;
    at_every_level(check_norm);
}

static void test_activations(void **state)
{
    (void)state;
    at_every_level(check_activations);
}

static void test_softcap_add_gather(void **state)
{
    (void)state;
    at_every_level(check_softcap_add_gather);
}

static void test_argmax(void **state)
{
    (void)state;
    at_every_level(check_argmax);
}

/* The levels must give equal bits, so that a bug report does not depend on the machine. */
static void test_levels_equal(void **state)
{
    enum { WIDTH = 333, N = 5, COUNT = WIDTH * N };
    static float x[2 * COUNT], want[4][COUNT], got[4][COUNT], ones[WIDTH];
    const trueno_norm p = {TRUENO_NORM_RMS, WIDTH, 1e-5f, ones, NULL};
    uint32_t levels[8];
    int n_levels = test_levels(levels);

    (void)state;
    for (int i = 0; i < WIDTH; i++)
        ones[i] = 1.0f;
    fill_mixed(x, 2 * COUNT);
    for (int l = 0; l < n_levels; l++) {
        trueno_backend *be = open_backend("cpu", 1 + l % 3, levels[l]);

        be->norm(be, &p, x, N, got[0]);
        be->glu(be, TRUENO_SILU, x, N, WIDTH, got[1]);
        be->glu(be, TRUENO_GELU_TANH, x, N, WIDTH, got[2]);
        memcpy(got[3], x, sizeof got[3]);
        be->softcap(be, 7.0f, got[3], N, WIDTH);
        if (l == 0)
            memcpy(want, got, sizeof want);
        for (int i = 0; i < 4; i++)
            test_equal_bits(be->device, got[i], want[i], COUNT);
        be->close(be);
    }
}

static trueno_weight *make_weight(trueno_backend *be, const float *x, int64_t rows, int64_t cols)
{
    const trueno_tensor t = trueno_tensor_make(TRUENO_F32, rows, cols, x);
    trueno_weight *w;
    trueno_error err = {0};

    if (be->weight_new(be, &t, 1, TRUENO_USE_MATMUL | TRUENO_USE_EMBED, &w, &err) < 0)
        fail_msg("%s", err.message);
    return w;
}

static void check_embed(trueno_backend *be)
{
    enum { VOCAB = 50, WIDTH = 96, N = 7 };
    static float table[VOCAB * WIDTH];
    float *x = test_floats(N * WIDTH);
    int32_t tokens[N];
    trueno_kv *kv;
    const trueno_kv_shape shape = {1, 1, 16, N, TRUENO_KV_F16};
    trueno_span span = {NULL, 0, N, 0};
    trueno_rows rows = {N, 1, tokens, &span};
    trueno_weight *w;

    test_fill(table, VOCAB * WIDTH, 1.0f);
    w = make_weight(be, table, VOCAB, WIDTH);
    assert_int_equal(be->kv_new(be, &shape, &kv, NULL), TRUENO_OK);
    span.kv = kv;
    for (int i = 0; i < N; i++)
        tokens[i] = test_int(0, VOCAB - 1);
    tokens[0] = VOCAB - 1;
    assert_int_equal(be->step_begin(be, &rows, NULL), TRUENO_OK);
    be->embed(be, w, 3.0f, x);
    assert_int_equal(be->step_end(be, NULL), TRUENO_OK);
    for (int i = 0; i < N * WIDTH; i++)
        assert_true(x[i] == 3.0f * table[tokens[i / WIDTH] * WIDTH + i % WIDTH]);
    be->kv_free(be, kv);
    be->weight_free(be, w);
    test_floats_free(x, N * WIDTH);
}

static void test_embed(void **state)
{
    (void)state;
    at_every_level(check_embed);
}

enum { EXPERTS = 9, USED = 3, COLS = 64, FF = 32, TOKENS = 21 };

/* One row by the definition: softmax over all, the largest three, each expert's feed-forward. */
static void experts_formula(const float *gate_up, const float *down, const float *router,
                            bool renormalize, const float *x, double *y)
{
    double p[EXPERTS], sum = 0.0, taken = 0.0;
    bool used[EXPERTS] = {false};

    for (int e = 0; e < EXPERTS; e++)
        sum += p[e] = exp((double)router[e]);
    for (int k = 0; k < USED; k++) {
        int best = -1;

        for (int e = 0; e < EXPERTS; e++)
            if (!used[e] && (best < 0 || p[e] > p[best]))
                best = e;
        used[best] = true;
        taken += p[best];
    }
    for (int c = 0; c < COLS; c++)
        y[c] = 0.0;
    for (int e = 0; e < EXPERTS; e++) {
        double h[FF];

        for (int f = 0; used[e] && f < FF; f++) {
            double gate = 0.0, up = 0.0;

            for (int c = 0; c < COLS; c++) {
                gate += (double)gate_up[(e * 2 * FF + f) * COLS + c] * (double)x[c];
                up += (double)gate_up[(e * 2 * FF + FF + f) * COLS + c] * (double)x[c];
            }
            h[f] = activation_formula(TRUENO_SILU, gate) * up;
        }
        for (int c = 0; used[e] && c < COLS; c++)
            for (int f = 0; f < FF; f++)
                y[c] += p[e] / (renormalize ? taken : sum) * (double)down[(e * COLS + c) * FF + f] *
                        h[f];
    }
}

static void check_experts(trueno_backend *be)
{
    static float gate_up[EXPERTS * 2 * FF * COLS], down[EXPERTS * COLS * FF];
    static float router[TOKENS * EXPERTS], x[TOKENS * COLS];
    float *y = test_floats(TOKENS * COLS), *alone = test_floats(COLS);
    trueno_weight *gate_up_weights[EXPERTS], *down_weights[EXPERTS];
    const trueno_weight *const *g = (const trueno_weight *const *)gate_up_weights;
    const trueno_weight *const *d = (const trueno_weight *const *)down_weights;
    double want[COLS];

    test_fill(gate_up, EXPERTS * 2 * FF * COLS, 1.0f);
    test_fill(down, EXPERTS * COLS * FF, 1.0f);
    test_fill(router, TOKENS * EXPERTS, 4.0f);
    test_fill(x, TOKENS * COLS, 1.0f);
    router[3] = router[5] = router[7] = router[8] = 5.0f; /* a tie: the lower three are taken */
    for (int e = 0; e < EXPERTS; e++) {
        gate_up_weights[e] = make_weight(be, gate_up + e * 2 * FF * COLS, 2 * FF, COLS);
        down_weights[e] = make_weight(be, down + e * COLS * FF, COLS, FF);
    }
    for (int renormalize = 0; renormalize < 2; renormalize++) {
        be->experts(be, g, d, router, EXPERTS, USED, renormalize != 0, TRUENO_SILU, x, TOKENS, y);
        for (int i = 0; i < TOKENS; i++) {
            experts_formula(gate_up, down, router + i * EXPERTS, renormalize != 0, x + i * COLS,
                            want);
            check_close(be, "experts", y + i * COLS, want, COLS, 1e-4, 1e-4);
            be->experts(be, g, d, router + i * EXPERTS, EXPERTS, USED, renormalize != 0,
                        TRUENO_SILU, x + i * COLS, 1, alone);
            test_equal_bits("experts of a row alone", alone, y + i * COLS, COLS);
        }
    }
    for (int e = 0; e < EXPERTS; e++) {
        be->weight_free(be, gate_up_weights[e]);
        be->weight_free(be, down_weights[e]);
    }
    test_floats_free(y, TOKENS * COLS);
    test_floats_free(alone, COLS);
}

static void test_experts(void **state)
{
    (void)state;
    at_every_level(check_experts);
}

/* Stacked parts, bias and accumulation, by the formula. */
static void check_matmul(trueno_backend *be)
{
    enum { FIRST = 37, SECOND = 5, ROWS = FIRST + SECOND, WIDE = 64, N = 4 };
    static float w[ROWS * WIDE], x[N * WIDE], bias[ROWS];
    const trueno_tensor parts[2] = {trueno_tensor_make(TRUENO_F32, FIRST, WIDE, w),
                                    trueno_tensor_make(TRUENO_F32, SECOND, WIDE, w + FIRST * WIDE)};
    float *y = test_floats(N * ROWS);
    double want[N * ROWS];
    trueno_weight *weight;

    test_fill(w, ROWS * WIDE, 1.0f);
    test_fill(x, N * WIDE, 1.0f);
    test_fill(bias, ROWS, 1.0f);
    assert_int_equal(be->weight_new(be, parts, 2, TRUENO_USE_MATMUL, &weight, NULL), TRUENO_OK);
    for (int i = 0; i < N * ROWS; i++) {
        want[i] = bias[i % ROWS];
        for (int c = 0; c < WIDE; c++)
            want[i] += (double)w[i % ROWS * WIDE + c] * (double)x[i / ROWS * WIDE + c];
    }
    be->matmul(be, weight, bias, x, N, false, y);
    check_close(be, "matmul", y, want, N * ROWS, 1e-5, 1e-5);
    be->matmul(be, weight, bias, x, N, true, y);
    for (int i = 0; i < N * ROWS; i++)
        want[i] *= 2.0;
    check_close(be, "matmul, added", y, want, N * ROWS, 1e-5, 2e-5);
    be->weight_free(be, weight);
    test_floats_free(y, N * ROWS);
}

static void test_matmul(void **state)
{
    (void)state;
    at_every_level(check_matmul);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_norm),
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_softcap_add_gather),
        cmocka_unit_test(test_argmax),
        cmocka_unit_test(test_levels_equal),
        cmocka_unit_test(test_embed),
        cmocka_unit_test(test_experts),
        cmocka_unit_test(test_matmul),
    };

    test_seed_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
