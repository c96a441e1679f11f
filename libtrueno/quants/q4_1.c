/* SPDX-License-Identifier: MIT */
/* Q4_1: blocks of 32 with a scale and a minimum, quants of 4 bits. */
#include "quants.h"

#include "blocks.h"
#include "fit.h"
#include "rounding.h"

#include <trueno/sys/half.h>

void dequantize_q4_1(const void *blocks, float *out, int64_t n)
{
    const block_q4_1 *b = blocks;

    for (int64_t i = 0; i < n; i += QK, b++) {
        float d = trueno_f16_to_f32(b->d), m = trueno_f16_to_f32(b->m);

        for (int j = 0; j < QK / 2; j++) {
            out[i + j] = d * (float)(b->qs[j] & 15) + m;
            out[i + j + QK / 2] = d * (float)(b->qs[j] >> 4) + m;
        }
    }
}

static void store_block(block_q4_1 *b, uint16_t d, uint16_t m, const uint8_t q[QK])
{
    b->d = d;
    b->m = m;
    pack_nibbles(q, b->qs);
}

static void *store_fit(const fit_result *r, int n_groups, void *blocks)
{
    block_q4_1 *b = blocks;

    for (int g = 0; g < n_groups; g++)
        store_block(b++, fit_half(r, g), fit_minimum(r, g), r->q + (size_t)g * QK);
    return b;
}

void quantize_q4_1(const float *x, void *blocks, int64_t n, const float *importance)
{
    static const fit_shape shape = {.group = QK, .per_super = 1, .levels = 15, .scales = 1};
    block_q4_1 *b = blocks;

    if (importance != NULL) {
        fit_run(fit_choose()->affine, &shape, x, importance, n, store_fit, blocks);
        return;
    }
    for (int64_t i = 0; i < n; i += QK) {
        uint8_t q[QK];
        uint16_t m, d = round_over_range(x + i, 15, q, &m);

        store_block(b++, d, m, q);
    }
}
