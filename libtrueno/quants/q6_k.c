/* SPDX-License-Identifier: MIT */
/* Q6_K: 16 groups of 16 with scales of 8 bits, quants of 6 bits about 32. */
#include "quants.h"

#include "blocks.h"

#include <trueno/sys/half.h>

/* In each half of 128 weights, weight 32 k + l (k < 4) has its low nibble in byte 32 (k % 2) + l of
 * the half's 64 bytes of ql, low half for k < 2, and its top bits at bits 2 k of qh[l]. */
void dequantize_q6_k(const void *blocks, float *out, int64_t n)
{
    const block_q6_k *b = blocks;

    for (int64_t i = 0; i < n; i += QK_K, b++) {
        float d = trueno_f16_to_f32(b->d);

        for (int g = 0; g < QK_K / 16; g++) {
            int k = g / 2 % 4, first = 16 * (g % 2);
            const uint8_t *ql = b->ql + 64 * (g / 8) + 32 * (k % 2) + first;
            const uint8_t *qh = b->qh + 32 * (g / 8) + first;
            float scale = d * (float)b->scales[g];

            for (int j = 0; j < 16; j++) {
                int q = (ql[j] >> 4 * (k / 2) & 15) | (qh[j] >> 2 * k & 3) << 4;

                out[i + 16 * g + j] = scale * (float)(q - 32);
            }
        }
    }
}
