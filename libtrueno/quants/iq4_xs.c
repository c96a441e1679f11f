/* SPDX-License-Identifier: MIT */
/* IQ4_XS: 8 groups of 32 with scales of 6 bits, quants choose one of 16 uneven levels. */
#include "quants.h"

#include "blocks.h"
#include "fit.h"
#include "rounding.h"

#include <trueno/sys/half.h>

static const int8_t IQ4_VALUES[16] = {IQ4_VALUES_LIST};

void dequantize_iq4_xs(const void *blocks, float *out, int64_t n)
{
    const block_iq4_xs *b = blocks;

    for (int64_t i = 0; i < n; i += QK_K, b++) {
        float d = trueno_f16_to_f32(b->d);

        for (int g = 0; g < QK_K / 32; g++) {
            const uint8_t *qs = b->qs + 16 * (size_t)g;
            float scale = d * (float)iq4_xs_scale(b, g), *w = out + i + 32 * (size_t)g;

            for (int j = 0; j < 16; j++) {
                w[j] = scale * (float)IQ4_VALUES[qs[j] & 15];
                w[j + 16] = scale * (float)IQ4_VALUES[qs[j] >> 4];
            }
        }
    }
}

static void *store_fit(const fit_result *r, int n_groups, void *blocks)
{
    block_iq4_xs *b = blocks;

    for (int g = 0; g < n_groups; g += 8, b++) {
        b->d = r->d[g];
        b->scales_h = 0;
        for (int k = 0; k < 8; k++) {
            int scale = r->scale[g + k] + 32;

            b->scales_h |= (uint16_t)(scale >> 4 << 2 * k);
            b->scales_l[k / 2] =
                (uint8_t)(k % 2 ? b->scales_l[k / 2] | (scale & 15) << 4 : scale & 15);
            pack_nibbles(r->q + 32 * (size_t)(g + k), b->qs + 16 * (size_t)k);
        }
    }
    return b;
}

void quantize_iq4_xs(const float *x, void *blocks, int64_t n, const float *importance)
{
    static const fit_shape shape = {.group = 32, .per_super = 8, .levels = 0, .scales = 32};

    fit_run(fit_choose()->symmetric, &shape, x, importance, n, store_fit, blocks);
}
