/* SPDX-License-Identifier: MIT */
/*
 * exp and tanh of the plain C lanes against the C library in double precision, on every STEP-th
 * float (STEP random near the argument, default 500), and at the edges. The levels are held to the
 * same bits by the other kernel tests.
 */
#include "support.h"

#include "kernels/lanes_c.h"

#include "kernels/functions.h"

static uint32_t step = 500;

/* Distance of `got` from the real number in units of its last place. */
static double ulps(float got, double want)
{
    float nearest = (float)want;
    double unit;

    if (isinf(nearest) || nearest == 0.0f)
        return got == nearest ? 0.0 : INFINITY;
    unit = (double)nextafterf(fabsf(nearest), INFINITY) - (double)fabsf(nearest);
    return fabs((double)got - want) / unit;
}

/* Largest error of f over the floats of one sign whose bits lie in [begin, end). */
static double worst_error(v16 (*f)(v16), double (*exact)(double), uint32_t begin, uint32_t end)
{
    uint32_t stride = step + (uint32_t)test_int(0, 16) * 2 + 1;
    double worst = 0.0;
    v16 x, y;

    for (uint64_t bits = begin; bits < end; bits += 16 * (uint64_t)stride) {
        for (int i = 0; i < 16; i++) {
            uint64_t b = bits + (uint64_t)i * stride;

            x.x[i] = trueno_bits_f32((uint32_t)(b < end ? b : begin));
        }
        y = f(x);
        for (int i = 0; i < 16; i++) {
            double error = ulps(y.x[i], exact((double)x.x[i]));

            worst = error > worst ? error : worst;
        }
    }
    return worst;
}

/* e^x, 0 where that is subnormal: what v_exp promises. */
static double exp_without_subnormals(double x)
{
    return x < -0x1.5d589ep6 ? 0.0 : exp(x);
}

static v16 exp_lanes(v16 x)
{
    return v_exp(x);
}

static v16 tanh_lanes(v16 x)
{
    return v_tanh(x);
}

static void test_exp(void **state)
{
    double positive = worst_error(exp_lanes, exp_without_subnormals, 0, 0x7f800000u);
    double negative = worst_error(exp_lanes, exp_without_subnormals, 0x80000000u, 0xff800000u);

    (void)state;
    print_message("exp: %.3f and %.3f ulp\n", positive, negative);
    assert_true(positive <= 1.02 && negative <= 1.02);
}

static void test_tanh(void **state)
{
    double positive = worst_error(tanh_lanes, tanh, 0x01000000u, 0x7f800000u);
    double negative = worst_error(tanh_lanes, tanh, 0x81000000u, 0xff800000u);

    (void)state;
    print_message("tanh: %.3f and %.3f ulp\n", positive, negative);
    assert_true(positive <= 1.5 && negative <= 1.5);
}

static float one(v16 (*f)(v16), float x)
{
    return v_first(f(v_set(x)));
}

static void test_edges(void **state)
{
    (void)state;
    assert_true(one(exp_lanes, 0.0f) == 1.0f);
    assert_true(one(exp_lanes, -0.0f) == 1.0f);
    assert_true(one(exp_lanes, -INFINITY) == 0.0f);
    assert_true(one(exp_lanes, -1e30f) == 0.0f);
    assert_true(isinf(one(exp_lanes, 88.8f)));
    assert_true(isinf(one(exp_lanes, INFINITY)));
    assert_true(isnan(one(exp_lanes, NAN)));
    assert_true(one(exp_lanes, -0x1.5d589ep6f) > 0.0f);
    assert_true(one(tanh_lanes, 0.0f) == 0.0f);
    assert_true(signbit(one(tanh_lanes, -0.0f)) != 0);
    assert_true(one(tanh_lanes, 1e-42f) == 1e-42f);
    assert_true(one(tanh_lanes, INFINITY) == 1.0f);
    assert_true(one(tanh_lanes, -INFINITY) == -1.0f);
    assert_true(isnan(one(tanh_lanes, NAN)));
}

/* The folds: the sum of all lanes, and the largest wherever it stands. */
static void test_folds(void **state)
{
    v16 a;
    double sum = 0.0;

    (void)state;
    for (int i = 0; i < 16; i++) {
        a.x[i] = test_float();
        sum += (double)a.x[i];
    }
    assert_true(fabs((double)v_sum(a) - sum) < 1e-5);
    a.x[test_int(0, 15)] = 7.0f;
    assert_true(v_largest(a) == 7.0f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exp),
        cmocka_unit_test(test_tanh),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_folds),
    };

    if (argc > 1)
        step = (uint32_t)strtoul(argv[1], NULL, 10);
    test_seed_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
