/* SPDX-License-Identifier: MIT */
/* Many rows through the tensor cores: weights become halves in registers, products are summed in
 * floats. Packed weights are scaled by 256 on the way, so that small steps stay normal halves. */
#ifndef CUDA_GEMM_CUH
#define CUDA_GEMM_CUH

#include "kernels.h"
#include "unpack.cuh"

#define PACKED_FACTOR 256.0f

/* Group s of a step as halves: out[f] holds bytes 0, 1 and out[f + 4] bytes 2, 3 of operand word f.
 * scale, minimum: of this group, rows g and g + 8, as pairs of equal halves. */
template <class U>
__device__ __forceinline__ void operand_halves(const U &w, int step, int s,
                                               const uint32_t scale[2][U::PARTS],
                                               const uint32_t minimum[2][U::PARTS], uint32_t out[8])
{
    uint32_t a[4];
    const half2 bias = __float2half2_rn(U::SIGNED ? 1024.0f + 128.0f : 1024.0f);

    w.operand(step, s, a);
#pragma unroll
    for (int f = 0; f < 4; f++) {
        const uint32_t u = U::SIGNED ? a[f] ^ 0x80808080u : a[f];
        const int row = f & 1, part = U::SIXTEENS ? f >> 1 : 0;

#pragma unroll
        for (int k = 0; k < 2; k++) {
            half2 q = __hsub2(bits_half2(__byte_perm(u, 0x64646464u, k ? 0x4342 : 0x4140)), bias);

            q = U::MINIMA ? __hfma2(q, bits_half2(scale[row][part]),
                                    __hneg2(bits_half2(minimum[row][part])))
                          : __hmul2(q, bits_half2(scale[row][part]));
            out[f + 4 * k] = half2_bits(q);
        }
    }
}

/* The scales of the lane's own group as pairs of halves, times 256. */
template <class U>
__device__ __forceinline__ void half_scales(const U &w, int step, int lane,
                                            uint32_t scale[2][U::PARTS],
                                            uint32_t minimum[2][U::PARTS])
{
    float s[2][U::PARTS], m[2][U::PARTS];

    w.scales(step, lane, s, m);
#pragma unroll
    for (int row = 0; row < 2; row++)
#pragma unroll
        for (int part = 0; part < U::PARTS; part++) {
            scale[row][part] =
                pack_half2(s[row][part] * PACKED_FACTOR, s[row][part] * PACKED_FACTOR);
            if (U::MINIMA)
                minimum[row][part] =
                    pack_half2(m[row][part] * PACKED_FACTOR, m[row][part] * PACKED_FACTOR);
        }
}

/* Group s's scales, held by lane (g, s), for all four lanes of a row. */
template <class U, class T>
__device__ __forceinline__ void share_scales(const T from[2][U::PARTS], int s, int lane,
                                             T to[2][U::PARTS])
{
#pragma unroll
    for (int row = 0; row < 2; row++)
#pragma unroll
        for (int part = 0; part < U::PARTS; part++)
            to[row][part] = __shfl_sync(ALL_LANES, from[row][part], (lane & ~3) | s);
}

/* Eight 16-bit weights in a row as pairs of halves. */
template <int TYPE> __device__ __forceinline__ void plain_pairs(const uint4 v, uint32_t h[4])
{
    const uint32_t w[4] = {v.x, v.y, v.z, v.w};

#pragma unroll
    for (int i = 0; i < 4; i++)
        h[i] = TYPE == TRUENO_F16
                   ? w[i]
                   : pack_half2(__uint_as_float(w[i] << 16), __uint_as_float(w[i] & 0xffff0000u));
}

/* A block of plain weights, 16 rows by 32 columns, as halves in the same order (columns natural).
 */
template <int TYPE>
__device__ __forceinline__ void plain_halves(const uint8_t *const rows[2], int col, int lane,
                                             uint32_t out[8])
{
#pragma unroll
    for (int row = 0; row < 2; row++) {
        const int at = col + 8 * (lane & 3);
        uint32_t h[4];

        if (TYPE != TRUENO_F32) {
            plain_pairs<TYPE>(load_weights16(rows[row] + (size_t)at * 2), h);
        } else {
            float4 a = __ldcs((const float4 *)(rows[row] + (size_t)at * 4));
            float4 b = __ldcs((const float4 *)(rows[row] + (size_t)at * 4) + 1);

            h[0] = pack_half2(a.x, a.y), h[1] = pack_half2(a.z, a.w);
            h[2] = pack_half2(b.x, b.y), h[3] = pack_half2(b.z, b.w);
        }
        out[row] = h[0], out[row + 4] = h[1], out[row + 2] = h[2], out[row + 6] = h[3];
    }
}

#endif
