/* SPDX-License-Identifier: MIT */
/* Storing and expanding keys and values; included once a level, after its lanes. */
#ifndef KERNELS_KV_CODECS_H
#define KERNELS_KV_CODECS_H

#include "functions.h"

enum { KV_GROUPS = KV_BLOCK / KERNEL_LANES };

/* Index of element 0 of a position's key; its next elements follow at a distance of 16. */
static inline size_t key_index(int32_t head_dim, int32_t slot)
{
    return (size_t)(slot / KERNEL_LANES) * (size_t)head_dim * KERNEL_LANES +
           (size_t)(slot % KERNEL_LANES);
}

static void store_key_f32(void *keys, int32_t head_dim, int32_t slot, const float *x)
{
    float *to = (float *)keys + key_index(head_dim, slot);

    for (int32_t d = 0; d < head_dim; d++)
        to[(size_t)d * KERNEL_LANES] = x[d];
}

static void store_value_f32(void *values, int32_t head_dim, int32_t slot, const float *x)
{
    memcpy((float *)values + (size_t)slot * (size_t)kv_stride(head_dim), x,
           (size_t)head_dim * sizeof *x);
}

/* F32 is used where it lies. */
static const float *load_f32(const void *stored, int32_t head_dim, int32_t n, float *out)
{
    return stored;
}

static void store_key_f16(void *keys, int32_t head_dim, int32_t slot, const float *x)
{
    uint16_t *to = (uint16_t *)keys + key_index(head_dim, slot), half[KERNEL_LANES];

    for (int32_t d = 0; d < head_dim; d += KERNEL_LANES) {
        int n = head_dim - d < KERNEL_LANES ? (int)(head_dim - d) : KERNEL_LANES;

        v_store_f16(half, n == KERNEL_LANES ? v_load(x + d) : v_load_n(x + d, n));
        for (int i = 0; i < n; i++)
            to[(size_t)(d + i) * KERNEL_LANES] = half[i];
    }
}

static void store_value_f16(void *values, int32_t head_dim, int32_t slot, const float *x)
{
    uint16_t *to = (uint16_t *)values + (size_t)slot * (size_t)kv_stride(head_dim);

    for (int32_t d = 0; d < head_dim; d += KERNEL_LANES) {
        int n = head_dim - d < KERNEL_LANES ? (int)(head_dim - d) : KERNEL_LANES;

        v_store_f16(to + d, n == KERNEL_LANES ? v_load(x + d) : v_load_n(x + d, n));
    }
}

static inline const float *expand_f16(const uint16_t *from, size_t n, float *out)
{
    for (size_t i = 0; i < n; i += KERNEL_LANES)
        v_store(out + i, v_load_f16(from + i));
    return out;
}

static const float *load_keys_f16(const void *keys, int32_t head_dim, int32_t n_groups, float *out)
{
    return expand_f16(keys, (size_t)n_groups * (size_t)head_dim * KERNEL_LANES, out);
}

static const float *load_values_f16(const void *values, int32_t head_dim, int32_t n, float *out)
{
    return expand_f16(values, (size_t)n * (size_t)kv_stride(head_dim), out);
}

/* One scale for `n` elements: largest magnitude / 127, rounded to F16; returns its bits. */
static inline uint16_t round_group(const float *x, int32_t n, int8_t *q)
{
    float largest_magnitude = 0.0f, scale, inverse;
    uint16_t bits;

    for (int32_t i = 0; i < n; i++)
        largest_magnitude = fabsf(x[i]) > largest_magnitude ? fabsf(x[i]) : largest_magnitude;
    bits = trueno_f32_to_f16(largest_magnitude / 127.0f);
    scale = trueno_f16_to_f32(bits);
    inverse = scale > 0.0f ? 1.0f / scale : 0.0f;
    for (int32_t i = 0; i < n; i++) {
        float rounded = x[i] * inverse + V_MAGIC - V_MAGIC;

        rounded = rounded < 127.0f ? rounded : 127.0f; /* the scale may have been rounded down */
        q[i] = (int8_t)(rounded > -127.0f ? rounded : -127.0f);
    }
    return bits;
}

/* Where the scales of a block of keys or values in Q8_0 begin. */
static inline uint16_t *key_scales(const void *keys, int32_t head_dim)
{
    return (uint16_t *)(uintptr_t)((const int8_t *)keys + (size_t)head_dim * KV_BLOCK);
}

static inline uint16_t *value_scales(const void *values, int32_t head_dim)
{
    return (uint16_t *)(uintptr_t)((const int8_t *)values + (size_t)kv_stride(head_dim) * KV_BLOCK);
}

static void store_key_q8_0(void *keys, int32_t head_dim, int32_t slot, const float *x)
{
    int8_t *to = (int8_t *)keys + key_index(head_dim, slot), q[KV_SCALE_GROUP];
    int32_t groups = kv_scale_groups(head_dim);
    uint16_t *scales = key_scales(keys, head_dim) + key_index(groups, slot);

    for (int32_t g = 0; g < groups; g++) {
        int32_t d = g * KV_SCALE_GROUP;
        int32_t n = head_dim - d < KV_SCALE_GROUP ? head_dim - d : KV_SCALE_GROUP;

        scales[(size_t)g * KERNEL_LANES] = round_group(x + d, n, q);
        for (int32_t i = 0; i < n; i++)
            to[(size_t)(d + i) * KERNEL_LANES] = q[i];
    }
}

static void store_value_q8_0(void *values, int32_t head_dim, int32_t slot, const float *x)
{
    int8_t *to = (int8_t *)values + (size_t)slot * (size_t)kv_stride(head_dim);
    int32_t groups = kv_scale_groups(head_dim);
    uint16_t *scales = value_scales(values, head_dim) + (size_t)slot * (size_t)groups;

    for (int32_t g = 0; g < groups; g++) {
        int32_t d = g * KV_SCALE_GROUP;

        scales[g] = round_group(
            x + d, head_dim - d < KV_SCALE_GROUP ? head_dim - d : KV_SCALE_GROUP, to + d);
    }
}

static const float *load_keys_q8_0(const void *keys, int32_t head_dim, int32_t n_groups, float *out)
{
    const int8_t *from = keys;
    const uint16_t *scales = key_scales(keys, head_dim);
    v16 scale = v_set(0.0f);

    for (int32_t g = 0; g < n_groups; g++)
        for (int32_t d = 0; d < head_dim; d++) {
            size_t i = ((size_t)g * (size_t)head_dim + (size_t)d) * KERNEL_LANES;

            if (d % KV_SCALE_GROUP == 0) {
                scale = v_load_f16(scales);
                scales += KERNEL_LANES;
            }
            v_store(out + i, v_mul(v_load_i8(from + i), scale));
        }
    return out;
}

static const float *load_values_q8_0(const void *values, int32_t head_dim, int32_t n, float *out)
{
    const int8_t *from = values;
    int32_t stride = kv_stride(head_dim), groups = kv_scale_groups(head_dim);
    const uint16_t *scales = value_scales(values, head_dim);

    for (int32_t k = 0; k < n; k++)
        for (int32_t d = 0; d < stride; d += KERNEL_LANES) {
            size_t i = (size_t)k * (size_t)stride + (size_t)d;
            uint16_t scale = scales[(size_t)k * (size_t)groups + (size_t)(d / KV_SCALE_GROUP)];

            v_store(out + i, v_mul(v_load_i8(from + i), v_set(trueno_f16_to_f32(scale))));
        }
    return out;
}

#define KV_CODECS                                                                                \
    {                                                                                            \
        [TRUENO_KV_F16] = {store_key_f16, store_value_f16, load_keys_f16, load_values_f16},      \
        [TRUENO_KV_F32] = {store_key_f32, store_value_f32, load_f32, load_f32},                  \
        [TRUENO_KV_Q8_0] = {store_key_q8_0, store_value_q8_0, load_keys_q8_0, load_values_q8_0}, \
    }

#endif
