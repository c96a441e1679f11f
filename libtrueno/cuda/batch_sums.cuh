/* SPDX-License-Identifier: MIT */
/* Sums of the kernels for 9 to 64 rows: what several warps of a block, or blocks of several slices,
 * have of a job is added in the order of the columns; then come scale, bias, activation, store. */
#ifndef CUDA_BATCH_SUMS_CUH
#define CUDA_BATCH_SUMS_CUH

#include "batch_table.h"
#include "device.cuh"

/* Scale (the row's times `factor`), bias, activation, and the stores of the row tiles of x from the
 * one at row `first_x` on, as far as bit i of `which` is set. All loads come first: each takes
 * long. */
template <int M_TILES, int N_TILES>
__device__ __forceinline__ void store_job(const batch_args &a, int job, int first_x, unsigned which,
                                          float factor, int lane,
                                          const float sum[N_TILES][M_TILES][4])
{
    const int out = job * 16 + (lane >> 2), in = 2 * (lane & 3), left = a.n - first_x - in;
    const int rows = (M_TILES == 2 ? a.pair_rows : a.segment.rows) - out;
    float *y = a.y + (size_t)(first_x + in) * a.y_stride + a.segment.first_row + out;
    const float2 *scales = (const float2 *)(a.x_scale + first_x + in); /* rounded up to tiles */
    float bias[M_TILES][2] = {}, before[N_TILES][4] = {};
    float2 scale[N_TILES];

#pragma unroll
    for (int i = 0; i < N_TILES; i++)
        scale[i] = __ldcg(scales + 4 * i);
    if (a.bias != NULL)
#pragma unroll
        for (int m = 0; m < M_TILES; m++)
#pragma unroll
            for (int r = 0; r < 2; r++)
                if (8 * r < rows)
                    bias[m][r] = a.bias[a.segment.first_row + m * a.pair_rows + out + 8 * r];
    if (M_TILES == 1 && a.add) {
        const float *from = y;

#pragma unroll
        for (int i = 0; i < N_TILES; i++, from += 8 * a.y_stride)
#pragma unroll
            for (int k = 0; k < 4; k++)
                if (8 * (k >> 1) < rows && 8 * i + (k & 1) < left)
                    before[i][k] = __ldcg(from + (k & 1) * a.y_stride + 8 * (k >> 1));
    }
#pragma unroll
    for (int i = 0; i < N_TILES; i++, y += 8 * a.y_stride)
#pragma unroll
        for (int k = 0; k < 4; k++) {
            const float by = (k & 1 ? scale[i].y : scale[i].x) * factor;
            float v = fmaf(sum[i][0][k], by, bias[0][k >> 1]);

            if (M_TILES == 2)
                v = apply_activation(a.activation, v) *
                    fmaf(sum[i][M_TILES - 1][k], by, bias[M_TILES - 1][k >> 1]);
            else if (a.activate)
                v = apply_activation(a.activation, v);
            if ((which >> i & 1) && 8 * (k >> 1) < rows && 8 * i + (k & 1) < left)
                y[(k & 1) * a.y_stride + 8 * (k >> 1)] = before[i][k] + v;
        }
}

/* Where sums over slices are: [pass and job][slice][row tile of x][value][lane]. */
template <int M_TILES>
__device__ __forceinline__ float *part_place(const batch_args &a, size_t job, int slice, int tile,
                                             int all_tiles, int lane)
{
    return a.partial + ((job * a.slices + slice) * all_tiles + tile) * M_TILES * 4 * 32 + lane;
}

template <int M_TILES>
__device__ __forceinline__ void put_part(float *to, const float sum[M_TILES][4])
{
#pragma unroll
    for (int k = 0; k < M_TILES * 4; k++)
        __stcg(to + k * 32, sum[k / 4][k & 3]);
}

/* One more slice's sums are there, by what this warp has stored: was it the last? */
__device__ __forceinline__ bool arrive(const batch_args &a, size_t counter)
{
    unsigned before;

    asm volatile("atom.acq_rel.gpu.global.inc.u32 %0, [%1], %2;"
                 : "=r"(before)
                 : "l"(a.arrived + counter), "r"(a.slices - 1)
                 : "memory");
    return before == a.slices - 1u;
}

template <int M_TILES>
__device__ __forceinline__ void add_parts(const batch_args &a, size_t job, int tile, int all_tiles,
                                          int lane, float sum[M_TILES][4])
{
#pragma unroll
    for (int k = 0; k < M_TILES * 4; k++)
        sum[k / 4][k & 3] = 0;
#pragma unroll 4
    for (int s = 0; s < a.slices; s++) {
        const float *from = part_place<M_TILES>(a, job, s, tile, all_tiles, lane);

#pragma unroll
        for (int k = 0; k < M_TILES * 4; k++)
            sum[k / 4][k & 3] += __ldcg(from + k * 32);
    }
}

/* A warp has all of a job in this slice. Where there are more slices, who comes last adds up. */
template <int M_TILES, int N_TILES>
__device__ __forceinline__ void finish_whole(const batch_args &a, int job, size_t place, int slice,
                                             float factor, int lane, float sum[N_TILES][M_TILES][4])
{
    unsigned which = (1u << N_TILES) - 1;

    if (a.slices > 1) {
#pragma unroll
        for (int i = 0; i < N_TILES; i++)
            put_part<M_TILES>(part_place<M_TILES>(a, place, slice, i, N_TILES, lane), sum[i]);
        __syncwarp();
        which = __ballot_sync(ALL_LANES, lane < N_TILES && arrive(a, place * N_TILES + lane));
        __syncwarp();
#pragma unroll
        for (int i = 0; i < N_TILES; i++)
            if (which >> i & 1)
                add_parts<M_TILES>(a, place, i, N_TILES, lane, sum[i]);
    }
    store_job<M_TILES, N_TILES>(a, job, blockIdx.y * 8 * N_TILES, which, factor, lane, sum);
}

/* The first warp that has steps of a job (from its first step on) and where that warp's steps end.
 */
__device__ __forceinline__ int first_warp(int from, int total, int warps, int *until)
{
    int w = from * warps / total;

    while ((*until = (w + 1) * total / warps) <= from)
        w++;
    return w;
}

__device__ __forceinline__ bool is_whole(int from, int steps, int total, int warps)
{
    int until;

    (void)first_warp(from, total, warps, &until);
    return until >= from + steps;
}

/* Add what the warps have of row tile i of x, in the order of the columns: the first one's last
 * sums, the others' first ones. False: one warp had all of it. */
template <int M_TILES>
__device__ __forceinline__ bool add_warps(const float *firsts, const uint8_t *rings,
                                          const batch_args &a, int from, int steps, int total,
                                          int i, int values, int lane, float sum[M_TILES][4])
{
    int until, w = first_warp(from, total, a.warps, &until);
    const float *part = (const float *)(rings + (size_t)w * a.ring_bytes) + i * M_TILES * 4 * 32;

    if (until >= from + steps)
        return false;
#pragma unroll
    for (int v = 0; v < M_TILES * 4; v++)
        sum[v / 4][v & 3] = part[v * 32 + lane];
    while (until < from + steps) {
        const int before = until;

        w++;
        until = (w + 1) * total / a.warps;
        if (until == before)
            continue; /* a warp without work */
        part = firsts + (w * values + i * M_TILES * 4) * 32;
#pragma unroll
        for (int v = 0; v < M_TILES * 4; v++)
            sum[v / 4][v & 3] += part[v * 32 + lane];
    }
    return true;
}

#endif
