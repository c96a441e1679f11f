/* SPDX-License-Identifier: MIT */
/*
 * The scalar twin of products of BF16 weights by BF16 halves (libtrueno/x86/matmul_amx_bf16.c):
 * the same operations in the same order, one at a time.
 */
#ifndef TEST_HALVES_H
#define TEST_HALVES_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <trueno/tensor.h>

static inline uint32_t float_bits(float x)
{
    uint32_t u;

    memcpy(&u, &x, sizeof u);
    return u;
}

static inline float float_of(uint32_t u)
{
    float x;

    memcpy(&x, &u, sizeof x);
    return x;
}

/* Denormal numbers are zeros, going in and coming out. */
static inline float flushed(float x)
{
    return fabsf(x) < FLT_MIN ? copysignf(0, x) : x;
}

static inline float add_flushed(float a, float b)
{
    return flushed(flushed(a) + flushed(b));
}

/* To nearest even in BF16. */
static inline float bf16_nearest(float x)
{
    uint32_t u = float_bits(x);

    return float_of((u + 0x7fff + (u >> 16 & 1)) & 0xffff0000u);
}

static inline float bf16_cut(float x)
{
    return float_of(float_bits(x) & 0xffff0000u);
}

/* y + the products of 32 weights and activations: even and odd k apart. */
static inline float add_block_by_halves(float y, const float w[32], const float x[32])
{
    float sums[2] = {0, 0};

    for (int k = 0; k < 32; k++)
        sums[k % 2] = flushed(fmaf(flushed(w[k]), flushed(x[k]), sums[k % 2]));
    return add_flushed(y, add_flushed(sums[0], sums[1]));
}

/* y[i * stride + row] of n rows x[cols] times a tensor of BF16. */
static inline void product_by_halves(const trueno_tensor *t, const float *x, int64_t n, float *y,
                                     int64_t stride)
{
    int64_t cols = t->cols, blocks = (cols + 31) / 32;
    float *w = calloc((size_t)blocks * 32, sizeof *w);

    for (int64_t r = 0; r < t->rows; r++) {
        trueno_tensor_row_to_f32(t, r, w);
        for (int64_t i = 0; i < n; i++) {
            float sum = 0;

            for (int64_t b = 0; b < blocks; b++) {
                float first[32], second[32];

                for (int64_t j = 0, k = b * 32; j < 32; j++, k++) {
                    float value = k < cols ? x[i * cols + k] : 0;

                    first[j] = bf16_nearest(value);
                    second[j] = bf16_cut(value - first[j]);
                }
                sum = add_block_by_halves(sum, w + b * 32, second);
                sum = add_block_by_halves(sum, w + b * 32, first);
            }
            y[i * stride + r] = sum;
        }
    }
    free(w);
}

#endif
