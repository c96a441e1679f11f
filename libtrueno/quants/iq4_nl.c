/* SPDX-License-Identifier: MIT */
/* IQ4_NL: blocks of 32 with a scale, quants choose one of 16 uneven levels. */
#include "quants.h"

#include "blocks.h"
#include "fit.h"
#include "rounding.h"

#include <trueno/sys/half.h>

static const int8_t IQ4_VALUES[16] = {IQ4_VALUES_LIST};

void dequantize_iq4_nl(const void *blocks, float *out, int64_t n)
{
    const block_iq4_nl *b = blocks;

    for (int64_t i = 0; i < n; i += QK, b++) {
        float d = trueno_f16_to_f32(b->d);

        for (int j = 0; j < QK / 2; j++) {
            out[i + j] = d * (float)IQ4_VALUES[b->qs[j] & 15];
            out[i + j + QK / 2] = d * (float)IQ4_VALUES[b->qs[j] >> 4];
        }
    }
}

static void *store_fit(const fit_result *r, int n_groups, void *blocks)
{
    block_iq4_nl *b = blocks;

    for (int g = 0; g < n_groups; g++, b++) {
        b->d = fit_half(r, g);
        pack_nibbles(r->q + (size_t)g * QK, b->qs);
    }
    return b;
}

void quantize_iq4_nl(const float *x, void *blocks, int64_t n, const float *importance)
{
    static const fit_shape shape = {.group = QK, .per_super = 1, .levels = 0, .scales = 1};

    fit_run(fit_choose()->symmetric, &shape, x, importance, n, store_fit, blocks);
}
