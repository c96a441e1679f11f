/* SPDX-License-Identifier: MIT */
/* Activations, softcap, softmax and argmax; included once a level, after its lanes. */
#ifndef KERNELS_ELEMENTWISE_H
#define KERNELS_ELEMENTWISE_H

#include "functions.h"

static inline v16 load_some(const float *p, int64_t left)
{
    return left >= KERNEL_LANES ? v_load(p) : v_load_n(p, (int)left);
}

static inline void store_some(float *p, v16 v, int64_t left)
{
    if (left >= KERNEL_LANES)
        v_store(p, v);
    else
        v_store_n(p, v, (int)left);
}

/* x / (1 + e^-z): x times the logistic function of z */
static inline v16 times_logistic(v16 x, v16 z)
{
    return v_div(x, v_add(v_set(1.0f), v_exp(v_sub(v_set(0.0f), z))));
}

static inline v16 silu(v16 x)
{
    return times_logistic(x, x);
}

/* 0.5 x (1 + tanh u) = x / (1 + e^-2u), which keeps its precision where tanh is near -1 */
static inline v16 gelu_tanh(v16 x)
{
    v16 u = v_fma(v_mul(v_mul(x, x), x), v_set(0.044715f), x);

    return times_logistic(x, v_mul(u, v_set(1.5957691216f))); /* 2 sqrt(2 / pi) */
}

static inline v16 gelu_erf(v16 x)
{
    float value[KERNEL_LANES];

    v_store(value, x);
    for (int i = 0; i < KERNEL_LANES; i++)
        value[i] = 0.5f * value[i] * erfcf(-value[i] * 0.70710678f); /* 1 + erf(z) = erfc(-z) */
    return v_load(value);
}

#define FOR_EACH_ACTIVATION(act, body) \
    switch (act) {                     \
    case TRUENO_SILU:                  \
        body(silu);                    \
        break;                         \
    case TRUENO_GELU_TANH:             \
        body(gelu_tanh);               \
        break;                         \
    case TRUENO_GELU_ERF:              \
        body(gelu_erf);                \
        break;                         \
    }

static void glu(trueno_activation act, const float *gate, const float *up, int64_t n, float *y)
{
#define GLU_LOOP(f)                               \
    for (int64_t i = 0; i < n; i += KERNEL_LANES) \
    store_some(y + i, v_mul(f(load_some(gate + i, n - i)), load_some(up + i, n - i)), n - i)
    FOR_EACH_ACTIVATION(act, GLU_LOOP)
#undef GLU_LOOP
}

static void activate(trueno_activation act, const float *x, int64_t n, float *y)
{
#define ACTIVATE_LOOP(f)                          \
    for (int64_t i = 0; i < n; i += KERNEL_LANES) \
    store_some(y + i, f(load_some(x + i, n - i)), n - i)
    FOR_EACH_ACTIVATION(act, ACTIVATE_LOOP)
#undef ACTIVATE_LOOP
}

static void add_scaled(const float *x, float scale, int64_t n, float *y)
{
    v16 s = v_set(scale);

    for (int64_t i = 0; i < n; i += KERNEL_LANES)
        store_some(y + i, v_fma(load_some(x + i, n - i), s, load_some(y + i, n - i)), n - i);
}

static inline v16 softcap_lanes(v16 x, float cap)
{
    return v_mul(v_set(cap), v_tanh(v_div(x, v_set(cap))));
}

static void softcap(float cap, float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i += KERNEL_LANES)
        store_some(x + i, softcap_lanes(load_some(x + i, n - i), cap), n - i);
}

static inline float largest(const float *x, int32_t n)
{
    v16 best = v_set(-INFINITY);
    int32_t i = 0;

    for (; i + KERNEL_LANES <= n; i += KERNEL_LANES)
        best = v_max(v_load(x + i), best); /* v_max passes over NaN in its first operand */
    if (i < n)
        best = v_max(v_select(v_range(0, (int)(n - i)), v_load_n(x + i, (int)(n - i)), best), best);
    return v_largest(best);
}

static int32_t argmax(const float *x, int32_t n)
{
    float best = largest(x, n);
    v16 wanted = v_set(best);
    int32_t i = 0;

    for (; i + KERNEL_LANES <= n; i += KERNEL_LANES) {
        uint32_t hits = v_mask_bits(v_equal(v_load(x + i), wanted));

        if (hits != 0)
            return i + __builtin_ctz(hits);
    }
    while (i < n && x[i] != best)
        i++;
    return i < n ? i : 0; /* nothing but NaN */
}

static void softmax(float *x, int32_t n)
{
    v16 max = v_set(largest(x, n)), sum = v_set(0.0f);

    for (int32_t i = 0; i < n; i += KERNEL_LANES) {
        v16 p = v_exp(v_sub(load_some(x + i, n - i), max));

        sum = v_add(sum, v_select(v_range(0, (int)(n - i)), p, v_set(0.0f)));
        store_some(x + i, p, n - i);
    }
    sum = v_set(v_sum(sum));
    for (int32_t i = 0; i < n; i += KERNEL_LANES)
        store_some(x + i, v_div(load_some(x + i, n - i), sum), n - i);
}

#endif
