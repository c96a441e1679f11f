/* SPDX-License-Identifier: MIT */
/* Q5_0: blocks of 32 with a scale, quants of 5 bits about 16. */
#include "quants.h"

#include "blocks.h"

#include <trueno/sys/half.h>

void dequantize_q5_0(const void *blocks, float *out, int64_t n)
{
    const block_q5_0 *b = blocks;

    for (int64_t i = 0; i < n; i += QK, b++) {
        float d = trueno_f16_to_f32(b->d);
        uint32_t qh = b->qh;

        for (int j = 0; j < QK / 2; j++) {
            int low = (b->qs[j] & 15) | (int)(qh >> j & 1) << 4;
            int high = b->qs[j] >> 4 | (int)(qh >> (j + QK / 2) & 1) << 4;

            out[i + j] = d * (float)(low - 16);
            out[i + j + QK / 2] = d * (float)(high - 16);
        }
    }
}
