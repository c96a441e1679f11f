/* SPDX-License-Identifier: MIT */
/* F32, F16 and BF16: weights without blocks. */
#include "quants.h"

#include "rounding.h"

#include <string.h>
#include <trueno/sys/half.h>

void dequantize_f32(const void *blocks, float *out, int64_t n)
{
    memcpy(out, blocks, (size_t)n * sizeof *out);
}

void quantize_f32(const float *x, void *blocks, int64_t n, const float *importance)
{
    (void)importance;
    memcpy(blocks, x, (size_t)n * sizeof *x);
}

static uint16_t load_u16(const void *p, int64_t i)
{
    uint16_t u;

    memcpy(&u, (const char *)p + 2 * i, sizeof u); /* files promise no alignment */
    return u;
}

static void store_u16(void *p, int64_t i, uint16_t u)
{
    memcpy((char *)p + 2 * i, &u, sizeof u);
}

#define BF16_MAX 0x1.fep127f

/* Finite values stay finite; infinities and NaN stay what they are, to be seen. */
static float finite_within(float x, float limit)
{
    return isfinite(x) ? bounded(x, limit) : x;
}

void dequantize_f16(const void *blocks, float *out, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = trueno_f16_to_f32(load_u16(blocks, i));
}

void quantize_f16(const float *x, void *blocks, int64_t n, const float *importance)
{
    (void)importance;
    for (int64_t i = 0; i < n; i++)
        store_u16(blocks, i, trueno_f32_to_f16(finite_within(x[i], HALF_MAX)));
}

void dequantize_bf16(const void *blocks, float *out, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = trueno_bf16_to_f32(load_u16(blocks, i));
}

void quantize_bf16(const float *x, void *blocks, int64_t n, const float *importance)
{
    (void)importance;
    for (int64_t i = 0; i < n; i++)
        store_u16(blocks, i, trueno_f32_to_bf16(finite_within(x[i], BF16_MAX)));
}
