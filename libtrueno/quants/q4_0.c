/* SPDX-License-Identifier: MIT */
/* Q4_0: blocks of 32 with a scale, quants of 4 bits about 8. */
#include "quants.h"

#include "blocks.h"

#include <trueno/sys/half.h>

void dequantize_q4_0(const void *blocks, float *out, int64_t n)
{
    const block_q4_0 *b = blocks;

    for (int64_t i = 0; i < n; i += QK, b++) {
        float d = trueno_f16_to_f32(b->d);

        for (int j = 0; j < QK / 2; j++) {
            out[i + j] = d * (float)((b->qs[j] & 15) - 8);
            out[i + j + QK / 2] = d * (float)((b->qs[j] >> 4) - 8);
        }
    }
}
