/* SPDX-License-Identifier: MIT */
/* A step of 128 columns of packed weights times rounded rows, by one warp. */
#ifndef CUDA_MATVEC_STEPS_CUH
#define CUDA_MATVEC_STEPS_CUH

#include "kernels.h"
#include "unpack.cuh"

/* y += scale d v - minimum sum, for one (weight row, activation row, group of 32). */
template <class U>
__device__ __forceinline__ void accumulate(const int v[U::PARTS][2], const float scale[U::PARTS],
                                           const float minimum[U::PARTS], float d, float2 sums,
                                           float *y)
{
#pragma unroll
    for (int part = 0; part < U::PARTS; part++) {
        const float exact = (float)(v[part][0] * 256 + v[part][1]) * d;

        *y = fmaf(scale[part], exact, *y);
        if (U::MINIMA)
            *y = fmaf(-minimum[part], U::SIXTEENS ? (part ? sums.y : sums.x) : sums.x + sums.y, *y);
    }
}

template <class U>
__device__ __forceinline__ void multiply(int c[U::PARTS][4], const uint32_t a[4], uint2 b)
{
    if (U::SIXTEENS) {
        mma_int8_k16<U::SIGNED>(c[0], a[0], a[1], b.x);
        mma_int8_k16<U::SIGNED>(c[U::PARTS - 1], a[2], a[3], b.y);
    } else {
        mma_int8_k32<U::SIGNED>(c[0], a, b.x, b.y);
    }
}

/* One row: column 2 j + plane of the operand is group j, zero in the products of other groups, so
 * that four products share an accumulator and every lane scales one group. `step` of the row, `in`
 * of the unit. y: rows g and g + 8. */
template <class U>
__device__ __forceinline__ void step_one_row(const U &w, int in, int step, const rounded_rows &x,
                                             int lane, float y[2])
{
    const int g = lane >> 2, t = lane & 3, mine = g >> 1, plane = g & 1, group = step * 4;
    const uint2 b = x.planes[((group + mine) * 2 + plane) * 4 + t];
    int c[U::PARTS][4] = {}, later[U::PARTS][4] = {}; /* two shorter chains */
    float scale[2][U::PARTS], minimum[2][U::PARTS];

#pragma unroll
    for (int s = 0; s < 4; s++) {
        uint32_t a[4];

        w.operand(0, s, a);
        multiply<U>(s < 2 ? c : later, a, mine == s ? b : make_uint2(0, 0));
    }
    w.scales(in, lane, scale, minimum);
#pragma unroll
    for (int part = 0; part < U::PARTS; part++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            c[part][i] += later[part][i];
    const float d = x.scale[group + t];
    const float2 sums = U::MINIMA ? x.sums[group + t] : make_float2(0, 0);
#pragma unroll
    for (int row = 0; row < 2; row++) {
        int v[U::PARTS][2];

        for (int part = 0; part < U::PARTS; part++)
            v[part][0] = c[part][2 * row], v[part][1] = c[part][2 * row + 1];
        accumulate<U>(v, scale[row], minimum[row], d, sums, &y[row]);
    }
}

/* Up to four rows a pass: column 2 r + plane is row r; lane t scales row t (and t + 4). y[pass][row
 * of the weights][group of the step], in sums as step_one_row's lanes have them. */
template <class U, int PASSES>
__device__ __forceinline__ void step_rows(const U &w, int in, int step, const rounded_rows &x,
                                          int lane, float y[PASSES][2][4])
{
    const int g = lane >> 2, t = lane & 3;
    float scale[2][U::PARTS], minimum[2][U::PARTS];

    w.scales(in, lane, scale, minimum);
#pragma unroll
    for (int s = 0; s < 4; s++) {
        const int group = step * 4 + s;
        float group_scale[2][U::PARTS], group_minimum[2][U::PARTS];
        uint32_t a[4];

        w.operand(0, s, a);
#pragma unroll
        for (int row = 0; row < 2; row++)
#pragma unroll
            for (int part = 0; part < U::PARTS; part++) {
                group_scale[row][part] = __shfl_sync(ALL_LANES, scale[row][part], (lane & ~3) | s);
                if (U::MINIMA)
                    group_minimum[row][part] =
                        __shfl_sync(ALL_LANES, minimum[row][part], (lane & ~3) | s);
            }
#pragma unroll
        for (int pass = 0; pass < PASSES; pass++) {
            const int at = group * 4 * PASSES + 4 * pass;
            const uint2 b = x.planes[(size_t)(at * 2 + g) * 4 + t];
            const float d = x.scale[at + t];
            const float2 sums = U::MINIMA ? x.sums[at + t] : make_float2(0, 0);
            int c[U::PARTS][4] = {};

            multiply<U>(c, a, b);
#pragma unroll
            for (int row = 0; row < 2; row++) {
                int v[U::PARTS][2];

                for (int part = 0; part < U::PARTS; part++)
                    v[part][0] = c[part][2 * row], v[part][1] = c[part][2 * row + 1];
                accumulate<U>(v, group_scale[row], group_minimum[row], d, sums, &y[pass][row][s]);
            }
        }
    }
}

#endif
