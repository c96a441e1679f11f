/* SPDX-License-Identifier: MIT */
/* Recorded reference data and random numbers for the tests of weight types. */
#ifndef TESTS_RECORDED_H
#define TESTS_RECORDED_H

#include <stddef.h>
#include <stdint.h>

/* A whole file of tests/data in memory; free with free(). Fails the test when it cannot be read. */
unsigned char *recorded_read(const char *name, size_t *bytes);

/* A cursor over one: the next n bytes, or a failed test when fewer are left. */
typedef struct recorded {
    const unsigned char *next, *end;
} recorded;

const void *recorded_take(recorded *r, size_t bytes);
uint32_t recorded_u32(recorded *r);

/* splitmix64: each call advances *state. Uniform in [0, 1) from 53 of its bits. */
uint64_t random_u64(uint64_t *state);
double random_uniform(uint64_t *state);

/* Nearly normal, variance 1: twelve uniforms less 6, the same bits everywhere. */
float random_normal(uint64_t *state);

/* A seed that differs from run to run, printed; APR_TEST_SEED in the environment repeats one. */
uint64_t random_seed(void);

/* CRC-32 (the polynomial of zlib) of n bytes. */
uint32_t crc32_of(const void *data, size_t n);

#endif
