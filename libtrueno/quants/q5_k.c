/* SPDX-License-Identifier: MIT */
/* Q5_K: 8 groups of 32 with scales and minima of 6 bits, quants of 5 bits. */
#include "quants.h"

#include "blocks.h"
#include "fit.h"
#include "rounding.h"

#include <string.h>
#include <trueno/sys/half.h>

void dequantize_q5_k(const void *blocks, float *out, int64_t n)
{
    const block_q5_k *b = blocks;

    for (int64_t i = 0; i < n; i += QK_K, b++) {
        float d = trueno_f16_to_f32(b->d), dmin = trueno_f16_to_f32(b->dmin);

        for (int g = 0; g < QK_K / 32; g++) {
            const uint8_t *qs = b->qs + 32 * (size_t)(g / 2);
            float scale = d * (float)q4_k_scale(b->scales, g);
            float min = dmin * (float)q4_k_minimum(b->scales, g);

            for (int j = 0; j < 32; j++) {
                int q = (qs[j] >> 4 * (g % 2) & 15) | (b->qh[j] >> g & 1) << 4;

                out[i + 32 * (int64_t)g + j] = scale * (float)q - min;
            }
        }
    }
}

static void *store_fit(const fit_result *r, int n_groups, void *blocks)
{
    block_q5_k *b = blocks;

    for (int g = 0; g < n_groups; g += 8, b++) {
        const uint8_t *q = r->q + 32 * (size_t)g;

        b->d = r->d[g];
        b->dmin = r->dmin[g];
        q4_k_pack_scales(b->scales, r->scale + g, r->min + g);
        pack_group_nibbles(q, b->qs);
        memset(b->qh, 0, sizeof b->qh);
        for (int i = 0; i < QK_K; i++)
            b->qh[i % 32] |= (uint8_t)(q[i] >> 4 << i / 32);
    }
    return b;
}

void quantize_q5_k(const float *x, void *blocks, int64_t n, const float *importance)
{
    static const fit_shape shape = {.group = 32, .per_super = 8, .levels = 31, .scales = 63};

    fit_run(fit_choose()->affine, &shape, x, importance, n, store_fit, blocks);
}
