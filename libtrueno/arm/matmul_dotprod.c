/* SPDX-License-Identifier: MIT */
/* Matrix products with NEON and its dot product instructions. */
#include <arm_neon.h>

static inline int32x4_t dot_bytes(int32x4_t acc, int8x16_t w, int8x16_t q)
{
    return vdotq_s32(acc, w, q);
}

#include "matmul_neon.h"

void matmul_init_dotprod(matmul_kernels *k)
{
    set_kernels(k);
}
