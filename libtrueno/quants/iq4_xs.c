/* SPDX-License-Identifier: MIT */
/* IQ4_XS: 8 groups of 32 with scales of 6 bits, quants choose one of 16 uneven levels. */
#include "quants.h"

#include "blocks.h"

#include <trueno/sys/half.h>

static const int8_t IQ4_VALUES[16] = {IQ4_VALUES_LIST};

void dequantize_iq4_xs(const void *blocks, float *out, int64_t n)
{
    const block_iq4_xs *b = blocks;

    for (int64_t i = 0; i < n; i += QK_K, b++) {
        float d = trueno_f16_to_f32(b->d);

        for (int g = 0; g < QK_K / 32; g++) {
            const uint8_t *qs = b->qs + 16 * g;
            float scale = d * (float)iq4_xs_scale(b, g), *w = out + i + 32 * g;

            for (int j = 0; j < 16; j++) {
                w[j] = scale * (float)IQ4_VALUES[qs[j] & 15];
                w[j + 16] = scale * (float)IQ4_VALUES[qs[j] >> 4];
            }
        }
    }
}
