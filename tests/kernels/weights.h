/* SPDX-License-Identifier: MIT */
/* Random weight blocks for kernel tests and benchmarks. */
#ifndef TESTS_KERNELS_WEIGHTS_H
#define TESTS_KERNELS_WEIGHTS_H

#include "blocks.h"
#include "support.h"

#include <trueno/sys/half.h>
#include <trueno/types.h>

/** About normal, mean 0, deviation 1. */
static inline float random_normal(void)
{
    float sum = 0;

    for (int i = 0; i < 3; i++)
        sum += test_float();
    return sum;
}

/* Where the halves that scale a block lie; -1: none. */
static const struct scale_fields {
    int first, second;
} SCALES[TRUENO_TYPE_LIMIT] = {
    [TRUENO_Q4_0] = {offsetof(block_q4_0, d), -1},
    [TRUENO_Q4_1] = {offsetof(block_q4_1, d), offsetof(block_q4_1, m)},
    [TRUENO_Q5_0] = {offsetof(block_q5_0, d), -1},
    [TRUENO_Q5_1] = {offsetof(block_q5_1, d), offsetof(block_q5_1, m)},
    [TRUENO_Q8_0] = {offsetof(block_q8_0, d), -1},
    [TRUENO_Q2_K] = {offsetof(block_q2_k, d), offsetof(block_q2_k, dmin)},
    [TRUENO_Q3_K] = {offsetof(block_q3_k, d), -1},
    [TRUENO_Q4_K] = {offsetof(block_q4_k, d), offsetof(block_q4_k, dmin)},
    [TRUENO_Q5_K] = {offsetof(block_q5_k, d), offsetof(block_q5_k, dmin)},
    [TRUENO_Q6_K] = {offsetof(block_q6_k, d), -1},
    [TRUENO_IQ4_NL] = {offsetof(block_iq4_nl, d), -1},
    [TRUENO_IQ4_XS] = {offsetof(block_iq4_xs, d), -1},
};

static inline void put_half(uint8_t *to, float magnitude)
{
    uint16_t h = trueno_f32_to_f16(test_float() * magnitude);

    memcpy(to, &h, sizeof h);
}

/**
 * n blocks of random bytes, every bit pattern of quants and small scales among them; the halves
 * that scale a block are finite, of either sign, `magnitude` at most (0: every block scale is
 * zero).
 */
static inline void random_blocks(trueno_type type, void *blocks, int64_t n, float magnitude)
{
    uint8_t *p = blocks;
    int bytes = trueno_type_get(type)->bytes;

    for (int64_t i = 0; i < n; i++, p += bytes) {
        float x = random_normal() * magnitude;

        for (int b = 0; b < bytes; b++)
            p[b] = (uint8_t)test_bits();
        if (type == TRUENO_F32 || type == TRUENO_F16 || type == TRUENO_BF16) {
            trueno_type_get(type)->quantize(&x, p, 1, NULL);
            continue;
        }
        put_half(p + SCALES[type].first, magnitude);
        if (SCALES[type].second >= 0)
            put_half(p + SCALES[type].second, magnitude);
    }
}

#endif
