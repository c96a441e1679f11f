/* SPDX-License-Identifier: MIT */
/* Q2_K: 16 groups of 16 with scales and minima of 4 bits, quants of 2 bits. */
#include "quants.h"

#include "blocks.h"
#include "fit.h"
#include "rounding.h"

#include <trueno/sys/half.h>

void dequantize_q2_k(const void *blocks, float *out, int64_t n)
{
    const block_q2_k *b = blocks;

    for (int64_t i = 0; i < n; i += QK_K, b++) {
        float d = trueno_f16_to_f32(b->d), dmin = trueno_f16_to_f32(b->dmin);

        for (int g = 0; g < QK_K / 16; g++) {
            const uint8_t *qs = b->qs + (32 * (g / 8) + 16 * (g % 2));
            float scale = d * (float)(b->scales[g] & 15), min = dmin * (float)(b->scales[g] >> 4);

            for (int j = 0; j < 16; j++)
                out[i + 16 * (int64_t)g + j] = scale * (float)(qs[j] >> 2 * (g / 2 % 4) & 3) - min;
        }
    }
}

static void *store_fit(const fit_result *r, int n_groups, void *blocks)
{
    block_q2_k *b = blocks;

    (void)n_groups; /* a call handles one block */
    for (int g = 0; g < QK_K / 16; g++)
        b->scales[g] = (uint8_t)(r->scale[g] | r->min[g] << 4);
    pack_pairs(r->q, b->qs);
    b->d = r->d[0];
    b->dmin = r->dmin[0];
    return b + 1;
}

void quantize_q2_k(const float *x, void *blocks, int64_t n, const float *importance)
{
    static const fit_shape shape = {.group = 16, .per_super = 16, .levels = 3, .scales = 15};

    fit_run(fit_choose()->affine, &shape, x, importance, n, store_fit, blocks);
}
