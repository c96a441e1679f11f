/* SPDX-License-Identifier: MIT */
/* Q8_0: blocks of 32 with a scale, quants of 8 bits. */
#include "quants.h"

#include "blocks.h"

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
