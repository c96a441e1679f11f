/* SPDX-License-Identifier: MIT */
/* Rounding of activations: a part of matmul_vector.h. */
#ifndef KERNELS_MATMUL_QUANTIZE_H
#define KERNELS_MATMUL_QUANTIZE_H

static void quantize_zero(const activations *a, int64_t at, int64_t w, int64_t t)
{
    memset(a->q + (at * w + t) * BLOCK_WEIGHTS, 0, BLOCK_WEIGHTS);
    a->scale[at * w + t] = a->sum[0][at * w + t] = 0;
    a->offset[0][at * w + t] = 0;
    for (int i = 0; i < 2; i++) {
        a->sum[1][(2 * at + i) * w + t] = 0;
        a->offset[1][(2 * at + i) * w + t] = 0;
    }
}

/* As quantize_c(); bit patterns of magnitudes order as the magnitudes do, NaN above infinity. */
static void quantize(const float *x, int64_t cols, const activations *a, int64_t token)
{
    enum { VECTORS = BLOCK_WEIGHTS / V_LANES, PER_SUB = VECTORS / 2 };
    int64_t w = a->width, panel = token / w, t = token % w;

    assert(cols % BLOCK_WEIGHTS == 0);
    for (int64_t b = 0; b < a->n_blocks; b++) {
        int64_t at = panel * a->n_blocks + b;
        vu32 largest = {0};
        vi32 sums[2] = {{0}, {0}};
        uint32_t bits;
        float amax, scale, inverse;
        int32_t sum[2];

        if (b * BLOCK_WEIGHTS >= cols) {
            quantize_zero(a, at, w, t);
            continue;
        }
        for (int64_t i = 0; i < VECTORS; i++)
            largest =
                v_max_u32(largest, (vu32)v_load(x + b * BLOCK_WEIGHTS + V_LANES * i) & 0x7fffffffu);
        bits = v_reduce_max_u32(largest);
        memcpy(&amax, &bits, sizeof amax);
        if (amax < 1e-30f) {
            quantize_zero(a, at, w, t);
            continue;
        }
        scale = bits < 0x7f800000u ? amax / 127.0f : NAN;
        inverse = bits < 0x7f800000u ? 127.0f / amax : 0;
        for (int64_t i = 0; i < VECTORS; i++) {
            vf v = v_load(x + b * BLOCK_WEIGHTS + V_LANES * i) * inverse;
            vi32 q = bits < 0x7f800000u ? v_round(v) : (vi32){0};

            sums[i / PER_SUB] += q;
            v_store_i8(a->q + (at * w + t) * BLOCK_WEIGHTS + V_LANES * i, q);
        }
        sum[0] = v_reduce_add(sums[0]);
        sum[1] = v_reduce_add(sums[1]);
        a->scale[at * w + t] = scale;
        a->sum[0][at * w + t] = scale * (float)(sum[0] + sum[1]);
        a->offset[0][at * w + t] = -128 * (sum[0] + sum[1]);
        for (int i = 0; i < 2; i++) {
            a->sum[1][(2 * at + i) * w + t] = scale * (float)sum[i];
            a->offset[1][(2 * at + i) * w + t] = -128 * sum[i];
        }
    }
}

#endif
