/* SPDX-License-Identifier: MIT */
/* Matrix products with NEON alone. */
#include <arm_neon.h>

/* acc[i] += sum of w[4 i + k] q[4 i + k]; two products fit 16 bits: |w| <= 128, |q| <= 127. */
static inline int32x4_t dot_bytes(int32x4_t acc, int8x16_t w, int8x16_t q)
{
    int16x8_t low = vmull_s8(vget_low_s8(w), vget_low_s8(q)), high = vmull_high_s8(w, q);

    return vpadalq_s16(acc, vpaddq_s16(low, high));
}

#include "matmul_neon.h"

void matmul_init_neon(matmul_kernels *k)
{
    set_kernels(k);
}
