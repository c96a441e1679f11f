/* SPDX-License-Identifier: MIT */
/* What the attention kernels on the tensor cores share. */
#ifndef CUDA_ATTENTION_TILES_CUH
#define CUDA_ATTENTION_TILES_CUH

#include "attention_tiles.h"
#include "heads.cuh"
#include "rounding.cuh"

#define LOG2_E 1.44269504088896340736f

/* Eight signed bytes times d. */
__device__ __forceinline__ uint4 signed_halves(uint2 q, float d)
{
    uint32_t out[4];

#pragma unroll
    for (int i = 0; i < 4; i++) {
        const uint32_t w = (i < 2 ? q.x : q.y) >> 16 * (i & 1);

        out[i] = pack_half2((float)(signed char)w * d, (float)(signed char)(w >> 8) * d);
    }
    return make_uint4(out[0], out[1], out[2], out[3]);
}

/* Four columns of a row's result from column 4 quad on, as floats, or as halves where the product
 * behind takes them: averages of halves need no scale. */
__device__ __forceinline__ void put_average(const head_args &a, int row, int quad, float4 v)
{
    if (a.ready.halves.data == NULL) {
        *(float4 *)(a.out + (size_t)row * a.n_heads * a.head_dim + 4 * quad) = v;
        return;
    }
    put_halves(a.ready.halves, a.ready.operands, row, quad, v);
    if (quad == 0)
        a.ready.halves.scale[row] = 1;
}

/* Call a function template of (storage type, head width) for the width of `job`. */
#define FOR_HEAD_DIMS(KV, CALL)    \
    switch (job->facts.head_dim) { \
    case 64:                       \
        CALL<KV, 64> ARGUMENTS;    \
        break;                     \
    case 96:                       \
        CALL<KV, 96> ARGUMENTS;    \
        break;                     \
    case 128:                      \
        CALL<KV, 128> ARGUMENTS;   \
        break;                     \
    default:                       \
        CALL<KV, 256> ARGUMENTS;   \
        break;                     \
    }

#endif
