/* SPDX-License-Identifier: MIT */
/*
 * The backends' operations with weights, but for the products of matmul.c: embedding, experts,
 * stacked parts, at every level, against formulas in double precision written here.
 */
#include "backends.h"

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
    enum { VOCAB = 50, WIDTH = 96, N = 7, TABLE = VOCAB * WIDTH, OUT = N * WIDTH };
    static float table[TABLE];
    float *x = test_floats(OUT);
    int32_t tokens[N];
    trueno_kv *kv;
    const trueno_kv_shape shape = {1, 1, 16, N, TRUENO_KV_F16};
    trueno_span span = {NULL, 0, N, 0};
    trueno_rows rows = {N, 1, tokens, &span};
    trueno_weight *w;

    test_fill(table, TABLE, 1.0f);
    w = make_weight(be, table, VOCAB, WIDTH);
    assert_int_equal(be->kv_new(be, &shape, &kv, NULL), TRUENO_OK);
    span.kv = kv;
    for (int i = 0; i < N; i++)
        tokens[i] = test_int(0, VOCAB - 1);
    tokens[0] = VOCAB - 1;
    assert_int_equal(be->step_begin(be, &rows, NULL), TRUENO_OK);
    be->embed(be, w, 3.0f, x);
    assert_int_equal(be->step_end(be, NULL), TRUENO_OK);
    for (int i = 0; i < OUT; i++)
        assert_true(x[i] == 3.0f * table[tokens[i / WIDTH] * WIDTH + i % WIDTH]);
    be->kv_free(be, kv);
    be->weight_free(be, w);
    test_floats_free(x, OUT);
}

static void test_embed(void **state)
{
    (void)state;
    at_every_level(check_embed);
}

enum {
    EXPERTS = 9,
    USED = 3,
    COLS = 64,
    FF = 32,
    TOKENS = 21,
    GATE_UP = 2 * FF * COLS, /* weights of one expert */
    DOWN = COLS * FF,
    ALL_GATE_UP = EXPERTS * GATE_UP,
    ALL_DOWN = EXPERTS * DOWN,
    ROUTED = TOKENS * EXPERTS,
    INPUTS = TOKENS * COLS
};

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
    static float gate_up[ALL_GATE_UP], down[ALL_DOWN];
    static float router[ROUTED], x[INPUTS];
    float *y = test_floats(INPUTS), *alone = test_floats(COLS);
    trueno_weight *gate_up_weights[EXPERTS], *down_weights[EXPERTS];
    const trueno_weight *const *g = (const trueno_weight *const *)gate_up_weights;
    const trueno_weight *const *d = (const trueno_weight *const *)down_weights;
    double want[COLS];

    test_fill(gate_up, ALL_GATE_UP, 1.0f);
    test_fill(down, ALL_DOWN, 1.0f);
    test_fill(router, ROUTED, 4.0f);
    test_fill(x, INPUTS, 1.0f);
    router[3] = router[5] = router[7] = router[8] = 5.0f; /* a tie: the lower three are taken */
    for (size_t e = 0; e < EXPERTS; e++) {
        gate_up_weights[e] = make_weight(be, gate_up + e * GATE_UP, GATE_UP / COLS, COLS);
        down_weights[e] = make_weight(be, down + e * DOWN, COLS, FF);
    }
    for (int renormalize = 0; renormalize < 2; renormalize++) {
        be->experts(be, g, d, router, EXPERTS, USED, renormalize != 0, TRUENO_SILU, x, TOKENS, y);
        for (size_t i = 0; i < TOKENS; i++) {
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
    test_floats_free(y, INPUTS);
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
    enum {
        FIRST = 37,
        SECOND = 5,
        ROWS = FIRST + SECOND,
        WIDE = 64,
        N = 4,
        FIRST_WEIGHTS = FIRST * WIDE,
        WEIGHTS = ROWS * WIDE,
        IN = N * WIDE,
        OUT = N * ROWS
    };
    static float w[WEIGHTS], x[IN], bias[ROWS];
    const trueno_tensor parts[2] = {
        trueno_tensor_make(TRUENO_F32, FIRST, WIDE, w),
        trueno_tensor_make(TRUENO_F32, SECOND, WIDE, w + FIRST_WEIGHTS)};
    float *y = test_floats(OUT);
    double want[OUT];
    trueno_weight *weight;

    test_fill(w, WEIGHTS, 1.0f);
    test_fill(x, IN, 1.0f);
    test_fill(bias, ROWS, 1.0f);
    assert_int_equal(be->weight_new(be, parts, 2, TRUENO_USE_MATMUL, &weight, NULL), TRUENO_OK);
    for (int i = 0; i < OUT; i++) {
        want[i] = bias[i % ROWS];
        for (int c = 0; c < WIDE; c++)
            want[i] += (double)w[i % ROWS * WIDE + c] * (double)x[i / ROWS * WIDE + c];
    }
    be->matmul(be, weight, bias, x, N, false, y);
    check_close(be, "matmul", y, want, OUT, 1e-5, 1e-5);
    be->matmul(be, weight, bias, x, N, true, y);
    for (int i = 0; i < OUT; i++)
        want[i] *= 2.0;
    check_close(be, "matmul, added", y, want, OUT, 1e-5, 2e-5);
    be->weight_free(be, weight);
    test_floats_free(y, OUT);
}

static void test_matmul(void **state)
{
    (void)state;
    at_every_level(check_matmul);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_embed),
        cmocka_unit_test(test_experts),
        cmocka_unit_test(test_matmul),
    };

    test_seed_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
