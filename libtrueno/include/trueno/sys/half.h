/* SPDX-License-Identifier: MIT */
/** @file half.h  Exact conversions between F32, F16 and BF16. For sister libraries; no ABI promise. */
#ifndef TRUENO_SYS_HALF_H
#define TRUENO_SYS_HALF_H

#include <stdint.h>
#include <string.h>

static inline uint32_t trueno_f32_bits(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static inline float trueno_bits_f32(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/** IEEE half to float: exact, subnormals, infinities and NaN payloads kept. */
static inline float trueno_f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, magnitude = h & 0x7fffu;

    if (magnitude >= 0x7c00) /* infinity or NaN */
        return trueno_bits_f32(sign | 0x7f800000u | (magnitude & 0x3ff) << 13);
    if (magnitude >= 0x400) /* normal: rebias the exponent by 127 - 15 */
        return trueno_bits_f32(sign | ((magnitude << 13) + (112u << 23)));
    /* subnormal: magnitude * 2^-24, exact in float */
    return trueno_bits_f32(sign | trueno_f32_bits((float)magnitude * 0x1p-24f));
}

/** Float to IEEE half, round to nearest even; overflow gives infinity, NaN stays a quiet NaN. */
static inline uint16_t trueno_f32_to_f16(float x)
{
    uint32_t u = trueno_f32_bits(x), sign = u >> 16 & 0x8000, magnitude = u & 0x7fffffff;

    if (magnitude > 0x7f800000)
        return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
    if (magnitude >= 0x477ff000) /* 65520 and up */
        return (uint16_t)(sign | 0x7c00);
    if (magnitude < 0x38800000) { /* below 2^-14: the addition rounds to multiples of 2^-24 */
        float shifted = trueno_bits_f32(magnitude) + 0.5f;

        return (uint16_t)(sign | (trueno_f32_bits(shifted) - 0x3f000000u));
    }
    return (uint16_t)(sign | ((magnitude - (112u << 23) + 0xfff + (magnitude >> 13 & 1)) >> 13));
}

/** BF16 to float: exact. */
static inline float trueno_bf16_to_f32(uint16_t h)
{
    return trueno_bits_f32((uint32_t)h << 16);
}

/** Float to BF16, round to nearest even; NaN stays a quiet NaN. */
static inline uint16_t trueno_f32_to_bf16(float x)
{
    uint32_t u = trueno_f32_bits(x);

    if ((u & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

#endif
