/* SPDX-License-Identifier: MIT */
/* Q6_K: 16 groups of 16 with scales of 8 bits, quants of 6 bits about 32. */
#include "quants.h"

#include "blocks.h"
#include "fit.h"

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
            const uint8_t *ql = b->ql + (64 * (g / 8) + 32 * (k % 2) + first);
            const uint8_t *qh = b->qh + (32 * (g / 8) + first);
            float scale = d * (float)b->scales[g];

            for (int j = 0; j < 16; j++) {
                int q = (ql[j] >> 4 * (k / 2) & 15) | (qh[j] >> 2 * k & 3) << 4;

                out[i + 16 * (int64_t)g + j] = scale * (float)(q - 32);
            }
        }
    }
}

static void *store_fit(const fit_result *r, int n_groups, void *blocks)
{
    block_q6_k *b = blocks;

    (void)n_groups; /* a call handles one block */
    for (int half = 0; half < 2; half++) {
        const uint8_t *q = r->q + 128 * (size_t)half;

        for (int l = 0; l < 32; l++) {
            b->ql[64 * half + l] = (uint8_t)((q[l] & 15) | (q[l + 64] & 15) << 4);
            b->ql[64 * half + l + 32] = (uint8_t)((q[l + 32] & 15) | (q[l + 96] & 15) << 4);
            b->qh[32 * half + l] = (uint8_t)(q[l] >> 4 | q[l + 32] >> 4 << 2 | q[l + 64] >> 4 << 4 |
                                             q[l + 96] >> 4 << 6);
        }
    }
    for (int g = 0; g < QK_K / 16; g++)
        b->scales[g] = (int8_t)r->scale[g];
    b->d = r->d[0];
    return b + 1;
}

void quantize_q6_k(const float *x, void *blocks, int64_t n, const float *importance)
{
    static const fit_shape shape = {.group = 16, .per_super = 16, .levels = 32, .scales = 128};

    fit_run(fit_choose()->symmetric, &shape, x, importance, n, store_fit, blocks);
}
