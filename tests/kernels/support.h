/* SPDX-License-Identifier: MIT */
/* What kernel tests share: a seed that is printed, random and extreme values, guarded arrays. */
#ifndef TESTS_KERNELS_SUPPORT_H
#define TESTS_KERNELS_SUPPORT_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <trueno/cpu.h>

/** The test's random numbers: fresh each run; TEST_SEED in the environment repeats a run. */
static uint64_t test_seed;

static inline void test_seed_init(void)
{
    const char *given = getenv("TEST_SEED");

    test_seed =
        given != NULL ? strtoull(given, NULL, 0) : ((uint64_t)time(NULL) << 20) ^ (uint64_t)clock();
    printf("TEST_SEED=%llu\n", (unsigned long long)test_seed);
    (void)fflush(stdout);
}

/** 64 random bits (splitmix64, Steele, Lea and Flood 2014). */
static inline uint64_t test_bits(void)
{
    uint64_t z = test_seed += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/** An integer in [low, high]. */
static inline int test_int(int low, int high)
{
    return low + (int)(test_bits() % (uint64_t)(high - low + 1));
}

/** Uniform in [-1, 1). */
static inline float test_float(void)
{
    return (float)((double)(int64_t)test_bits() * 0x1p-63);
}

static inline void test_fill(float *x, size_t n, float size)
{
    for (size_t i = 0; i < n; i++)
        x[i] = size * test_float();
}

enum { TEST_GUARD_BYTES = 64 };

/** An array of n floats, poisoned with NaN, with guard bytes before and after it. */
static inline float *test_floats(size_t n)
{
    unsigned char *block = malloc(n * sizeof(float) + 2 * TEST_GUARD_BYTES);

    assert_non_null(block);
    memset(block, 0xff, n * sizeof(float) + 2 * TEST_GUARD_BYTES); /* all bits set is a NaN */
    return (float *)(void *)(block + TEST_GUARD_BYTES);
}

/** Check the guard bytes of test_floats() and free it. */
static inline void test_floats_free(float *x, size_t n)
{
    unsigned char *block = (unsigned char *)x - TEST_GUARD_BYTES;

    for (int i = 0; i < TEST_GUARD_BYTES; i++) {
        assert_int_equal(block[i], 0xff);
        assert_int_equal(block[TEST_GUARD_BYTES + n * sizeof(float) + (size_t)i], 0xff);
    }
    free(block);
}

/** Largest |got - want| / (|want| + floor); fails on a NaN that is not wanted. */
static inline double test_error(const float *got, const float *want, size_t n, double floor)
{
    double worst = 0.0;

    for (size_t i = 0; i < n; i++) {
        double error = fabs((double)got[i] - (double)want[i]) / (fabs((double)want[i]) + floor);

        if (!(error <= worst))
            worst = error;
        if (isnan(worst))
            return worst;
    }
    return worst;
}

/** Fail, naming the place, unless the bits are equal. */
static inline void test_equal_bits(const char *what, const float *got, const float *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&got[i], &want[i], sizeof got[i]) != 0)
            fail_msg("%s: element %zu of %zu is %.9g, must be %.9g bit for bit", what, i, n,
                     (double)got[i], (double)want[i]);
}

/** The CPU levels of this machine, as masks for trueno_cpu_set_mask(); scalar first. */
static inline int test_levels(uint32_t levels[8])
{
    static const uint32_t ALL[] = {TRUENO_CPU_AVX2,
                                   TRUENO_CPU_AVX2 | TRUENO_CPU_AVX512,
                                   TRUENO_CPU_AVX2 | TRUENO_CPU_AVX512 | TRUENO_CPU_AMX_INT8,
                                   TRUENO_CPU_NEON,
                                   TRUENO_CPU_NEON | TRUENO_CPU_DOTPROD,
                                   TRUENO_CPU_NEON | TRUENO_CPU_DOTPROD | TRUENO_CPU_I8MM};
    int n = 0;

    levels[n++] = 0;
    for (size_t i = 0; i < sizeof ALL / sizeof ALL[0]; i++)
        if ((trueno_cpu_detect() & ALL[i]) == ALL[i])
            levels[n++] = ALL[i];
    return n;
}

#endif
