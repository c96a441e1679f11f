/* SPDX-License-Identifier: MIT */
/* Q8_0: blocks of 32 with a scale, quants of 8 bits. */
#include "quants.h"

#include "blocks.h"
#include "rounding.h"

#include <trueno/sys/half.h>

void dequantize_q8_0(const void *blocks, float *out, int64_t n)
{
    const block_q8_0 *b = blocks;

    for (int64_t i = 0; i < n; i += QK, b++) {
        float d = trueno_f16_to_f32(b->d);

        for (int j = 0; j < QK; j++)
            out[i + j] = d * (float)b->qs[j];
    }
}

/* Importance is not used: with 8 bits no choice of d is worth a search. */
void quantize_q8_0(const float *x, void *blocks, int64_t n, const float *importance)
{
    block_q8_0 *b = blocks;

    (void)importance;
    for (int64_t i = 0; i < n; i += QK, b++) {
        float d = bounded(fabsf(block_peak(x + i)) / 127, HALF_MAX), inverse = inverse_of(d);

        b->d = trueno_f32_to_f16(d);
        for (int j = 0; j < QK; j++) {
            float v = bounded(x[i + j] * inverse, 127);
            int whole = (int)v; /* halves go away from zero */

            b->qs[j] = (int8_t)(whole + (v - (float)whole >= 0.5f) - (v - (float)whole <= -0.5f));
        }
    }
}
