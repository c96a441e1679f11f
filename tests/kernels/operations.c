/* SPDX-License-Identifier: MIT */
/*
 * The CPU backend's operations without weights, at every level, against formulas in double
 * precision written here and against the reference backend; rows alone against rows in a batch.
 */
#include "backends.h"

/* Ordinary, huge, tiny and subnormal values in one array. */
static void fill_mixed(float *x, size_t n)
{
    static const float SIZES[] = {1.0f, 1.0f, 10.0f, 1e4f, 1e-4f, 1e-20f, 1e-40f};

    for (size_t i = 0; i < n; i++)
        x[i] = SIZES[test_bits() % 7] * test_float();
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
    enum { WIDTH = 333, N = 5, COUNT = WIDTH * N, GATE_UP = 2 * COUNT };
    static float x[GATE_UP], want[4][COUNT], got[4][COUNT], ones[WIDTH];
    const trueno_norm p = {TRUENO_NORM_RMS, WIDTH, 1e-5f, ones, NULL};
    uint32_t levels[8];
    int n_levels = test_levels(levels);

    (void)state;
    for (int i = 0; i < WIDTH; i++)
        ones[i] = 1.0f;
    fill_mixed(x, GATE_UP);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_norm),
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_softcap_add_gather),
        cmocka_unit_test(test_argmax),
        cmocka_unit_test(test_levels_equal),
    };

    test_seed_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
