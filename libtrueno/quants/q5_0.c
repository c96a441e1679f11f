/* SPDX-License-Identifier: MIT */
/* Q5_0: blocks of 32 with a scale, quants of 5 bits about 16. */
#include "quants.h"

#include "blocks.h"
#include "fit.h"
#include "rounding.h"

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

static void store_block(block_q5_0 *b, uint16_t d, const uint8_t q[QK])
{
    b->d = d;
    b->qh = pack_fifth_bits(q);
    pack_nibbles(q, b->qs);
}

static void *store_fit(const fit_result *r, int n_groups, void *blocks)
{
    block_q5_0 *b = blocks;

    for (int g = 0; g < n_groups; g++)
        store_block(b++, fit_half(r, g), r->q + (size_t)g * QK);
    return b;
}

void quantize_q5_0(const float *x, void *blocks, int64_t n, const float *importance)
{
    static const fit_shape shape = {.group = QK, .per_super = 1, .levels = 16, .scales = 1};
    block_q5_0 *b = blocks;

    if (importance != NULL) {
        fit_run(fit_choose()->symmetric, &shape, x, importance, n, store_fit, blocks);
        return;
    }
    for (int64_t i = 0; i < n; i += QK) {
        uint8_t q[QK];
        uint16_t d = round_about_half(x + i, 16, q);

        store_block(b++, d, q);
    }
}
