/* SPDX-License-Identifier: MIT */
/* Normalisation of rows and rotation of heads; included once a level, after its lanes. */
#ifndef KERNELS_NORM_H
#define KERNELS_NORM_H

#include "functions.h"

/* y = (x - mean) * factor * weight + bias */
static inline void apply_norm(const float *x, float mean, float factor, const float *weight,
                              const float *bias, int32_t width, float *y)
{
    v16 m = v_set(mean), f = v_set(factor);

    for (int32_t i = 0; i < width; i += KERNEL_LANES) {
        int n = width - i < KERNEL_LANES ? (int)(width - i) : KERNEL_LANES;
        v16 v = n == KERNEL_LANES ? v_load(x + i) : v_load_n(x + i, n);

        v = v_mul(v_sub(v, m), f);
        if (weight != NULL)
            v = v_mul(v, n == KERNEL_LANES ? v_load(weight + i) : v_load_n(weight + i, n));
        if (bias != NULL)
            v = v_add(v, n == KERNEL_LANES ? v_load(bias + i) : v_load_n(bias + i, n));
        if (n == KERNEL_LANES)
            v_store(y + i, v);
        else
            v_store_n(y + i, v, n);
    }
}

/* Sum of (x - mean)^2; element i is added in lane i % 16. */
static inline float sum_of_squares(const float *x, float mean, int32_t width)
{
    v16 sum = v_set(0.0f), m = v_set(mean);
    int32_t i = 0;

    for (; i + KERNEL_LANES <= width; i += KERNEL_LANES) {
        v16 v = v_sub(v_load(x + i), m);

        sum = v_fma(v, v, sum);
    }
    if (i < width) {
        int n = (int)(width - i);
        v16 v = v_select(v_range(0, n), v_sub(v_load_n(x + i, n), m), v_set(0.0f));

        sum = v_fma(v, v, sum);
    }
    return v_sum(sum);
}

static void rms_norm(const float *x, const float *weight, const float *bias, int32_t width,
                     float eps, float *y)
{
    float mean_square = sum_of_squares(x, 0.0f, width) / (float)width;

    apply_norm(x, 0.0f, 1.0f / sqrtf(mean_square + eps), weight, bias, width, y);
}

static void layer_norm(const float *x, const float *weight, const float *bias, int32_t width,
                       float eps, float *y)
{
    v16 sum = v_set(0.0f);
    float mean, variance;
    int32_t i = 0;

    for (; i + KERNEL_LANES <= width; i += KERNEL_LANES)
        sum = v_add(sum, v_load(x + i));
    if (i < width)
        sum = v_add(sum, v_load_n(x + i, (int)(width - i)));
    mean = v_sum(sum) / (float)width;
    variance = sum_of_squares(x, mean, width) / (float)width;
    apply_norm(x, mean, 1.0f / sqrtf(variance + eps), weight, bias, width, y);
}

/* (a, b) = (a cos - b sin, b cos + a sin) for pairs (j, j + n_rot / 2). */
static void rotate_halves(int32_t half, const float *turns, float *head)
{
    for (int32_t j = 0; j < half; j += KERNEL_LANES) {
        int n = half - j < KERNEL_LANES ? (int)(half - j) : KERNEL_LANES;
        bool whole = n == KERNEL_LANES;
        v16 cosine = whole ? v_load(turns + j) : v_load_n(turns + j, n);
        v16 sine = whole ? v_load(turns + half + j) : v_load_n(turns + half + j, n);
        v16 a = whole ? v_load(head + j) : v_load_n(head + j, n);
        v16 b = whole ? v_load(head + half + j) : v_load_n(head + half + j, n);
        v16 first = v_sub(v_mul(a, cosine), v_mul(b, sine));
        v16 second = v_add(v_mul(b, cosine), v_mul(a, sine));

        if (whole) {
            v_store(head + j, first);
            v_store(head + half + j, second);
        } else {
            v_store_n(head + j, first, n);
            v_store_n(head + half + j, second, n);
        }
    }
}

static void rotate_neighbours(int32_t half, const float *turns, float *head)
{
    for (int64_t j = 0; j < half; j++) {
        float a = head[2 * j], b = head[2 * j + 1], cosine = turns[j], sine = turns[half + j];

        head[2 * j] = a * cosine - b * sine;
        head[2 * j + 1] = b * cosine + a * sine;
    }
}

static void rotate(trueno_rope_type type, int32_t n_rot, const float *turns, float *head)
{
    if (type == TRUENO_ROPE_NEOX)
        rotate_halves(n_rot / 2, turns, head);
    else
        rotate_neighbours(n_rot / 2, turns, head);
}

#endif
