/* SPDX-License-Identifier: MIT */
/* Rows of floats in the forms that products take: two int8 planes, or halves. */
#ifndef CUDA_ROUNDING_CUH
#define CUDA_ROUNDING_CUH

#include "device.cuh"
#include "kernels.h"

/* Round four values of a group of 32 that eight neighbouring lanes share; lanes: that
 * call together. */
__device__ __forceinline__ void round_quad(const float v[4], uint32_t *high, uint32_t *low,
                                           float *scale, float *sum, unsigned lanes = ALL_LANES)
{
    float most = fmaxf(fmaxf(fabsf(v[0]), fabsf(v[1])), fmaxf(fabsf(v[2]), fabsf(v[3])));
    float total = (v[0] + v[1]) + (v[2] + v[3]);
    uint32_t q[4];

#pragma unroll
    for (int m = 1; m < 8; m <<= 1) {
        most = fmaxf(most, __shfl_xor_sync(lanes, most, m));
        if (m < 4)
            total += __shfl_xor_sync(lanes, total, m);
    }
    const float inverse = most > 1e-30f ? __fdividef(32512.0f, fminf(most, 1e37f)) : 0.0f;
#pragma unroll
    for (int i = 0; i < 4; i++)
        /* The sum's last bits are the rounded number + 128: high byte rounded, low byte rest + 128.
         */
        q[i] = __float_as_uint(fmaf(v[i], inverse, 12582912.0f + 128.0f));
    *high = __byte_perm(__byte_perm(q[0], q[1], 0x0051), __byte_perm(q[2], q[3], 0x0051), 0x5410);
    *low = __byte_perm(__byte_perm(q[0], q[1], 0x0040), __byte_perm(q[2], q[3], 0x0040), 0x5410) ^
           0x80808080u;
    *scale = most * (1.0f / 32512.0f);
    *sum = total;
}

/* Four columns of row `row`, from column 4 quad on, into its planes; as round_quad(). */
__device__ __forceinline__ void put_rounded(const rounded_rows &to, int row, int quad, float4 v,
                                            unsigned lanes = ALL_LANES)
{
    const int group = quad >> 3, h = quad >> 2 & 1, t = quad & 3;
    const float values[4] = {v.x, v.y, v.z, v.w};
    const size_t place = (size_t)group * to.stride + row;
    uint32_t *words = (uint32_t *)(to.planes + place * 8), high, low;
    float d, sum;

    round_quad(values, &high, &low, &d, &sum, lanes);
    words[2 * t + h] = high;
    words[8 + 2 * t + h] = low;
    if (t == 0) {
        ((float *)(to.sums + place))[h] = sum;
        if (h == 0)
            to.scale[place] = d;
    }
}

/* Columns of a unit's group of 32 in the order of its operands: value 8 t + 4 h + k of an "operand
 * order" array is column 16 h + 4 t + k. The inverse for column c: */
__device__ __forceinline__ int operand_order(int c)
{
    return (c & 12) * 2 + (c >> 4) * 4 + (c & 3);
}

/* Where number `in` of the group of 32 that begins at column `group` lies. */
__device__ __forceinline__ size_t half_place(const half_rows &to, int row, int group, int in)
{
    if (to.tiles == 0)
        return (size_t)row * to.stride + group + in;
    const int pass = row / (8 * to.tiles), tile = row / 8 % to.tiles;
    const size_t first = (size_t)pass * to.tiles * 8 * to.stride;

    return first + ((size_t)(group / 32 * to.tiles + tile) * 32 + (row & 7) * 4 + (in >> 3)) * 8 +
           (in & 7);
}

/* Four columns of row `row`, from column 4 quad on, as halves; `operands`: in the order of packed
 * weights. */
__device__ __forceinline__ void put_halves(const half_rows &to, bool operands, int row, int quad,
                                           float4 v)
{
    const int col = 4 * quad, in = operands ? operand_order(col & 31) : col & 31;

    *(uint2 *)(to.data + half_place(to, row, col & ~31, in)) =
        make_uint2(pack_half2(v.x, v.y), pack_half2(v.z, v.w));
}

#endif
