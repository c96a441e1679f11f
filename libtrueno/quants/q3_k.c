/* SPDX-License-Identifier: MIT */
/* Q3_K: 16 groups of 16 with scales of 6 bits, quants of 3 bits about 4. */
#include "quants.h"

#include "blocks.h"
#include "fit.h"
#include "rounding.h"

#include <string.h>
#include <trueno/sys/half.h>

void dequantize_q3_k(const void *blocks, float *out, int64_t n)
{
    const block_q3_k *b = blocks;

    for (int64_t i = 0; i < n; i += QK_K, b++) {
        float d = trueno_f16_to_f32(b->d);

        for (int g = 0; g < QK_K / 16; g++) {
            const size_t half = 16 * (size_t)(g % 2);
            const uint8_t *qs = b->qs + 32 * (size_t)(g / 8) + half, *hmask = b->hmask + half;
            float scale = d * (float)q3_k_scale(b->scales, g);

            for (int j = 0; j < 16; j++) {
                int q = (qs[j] >> 2 * (g / 2 % 4) & 3) | (hmask[j] >> g / 2 & 1) << 2;

                out[i + 16 * (int64_t)g + j] = scale * (float)(q - 4);
            }
        }
    }
}

static void *store_fit(const fit_result *r, int n_groups, void *blocks)
{
    block_q3_k *b = blocks;

    (void)n_groups; /* a call handles one block */
    pack_pairs(r->q, b->qs);
    memset(b->hmask, 0, sizeof b->hmask);
    for (int i = 0; i < QK_K; i++)
        b->hmask[i % 32] |= (uint8_t)(r->q[i] >> 2 << i / 32);
    q3_k_pack_scales(b->scales, r->scale);
    b->d = r->d[0];
    return b + 1;
}

void quantize_q3_k(const float *x, void *blocks, int64_t n, const float *importance)
{
    static const fit_shape shape = {.group = 16, .per_super = 16, .levels = 4, .scales = 32};

    fit_run(fit_choose()->symmetric, &shape, x, importance, n, store_fit, blocks);
}
