/* SPDX-License-Identifier: MIT */
/* Packed weights times one row (rounded by the kernel itself, after a norm if asked) or up to eight
 * (rounded before). Activations are two int8 planes with a scale per 32 columns, sixteen bits in
 * all; products are exact integers; the order of the float sums depends on the shape of the matrix
 * alone, so a row's result is the same bits for any number of rows beside it. */
#ifndef CUDA_MATVEC_CUH
#define CUDA_MATVEC_CUH

#include "beside.cuh"
#include "kept_rows.cuh"
#include "kernels.h"
#include "matvec_steps.cuh"
#include "ring.cuh"
#include "rounding.cuh"

enum { MOST_WARPS = 32, MOST_WARPS_OF_ROWS = 24 };

typedef struct matvec_args {
    weight_segment segment[2];
    int blocks[2]; /* of the grid, per segment */
    int cols;
    int slots;          /* of every warp's ring */
    int piece_units[2]; /* in a slot, per segment */
    int n, y_stride;
    const float *x; /* one row */
    int norm_kind;  /* -1: none */
    float norm_eps;
    const float *norm_weight, *norm_bias;
    rounded_rows rounded; /* several rows */
    split_rows split;
    const float *bias;
    float *y;
    bool add, activate, keep; /* keep: several rows go into shared memory */
    int pair_rows;
    trueno_activation activation;
    const int32_t *expert; /* NULL: none; else block row y multiplies data[expert[y]] */
    const uint64_t *expert_data;
    int expert_shared; /* block rows that share a row of x */
    beside beside;     /* of several rows */
} matvec_args;

/* A slice of the columns is some units or, where there are more slices than units, a step of one.
 */
__host__ __device__ static inline bool slices_are_steps(int unit_steps, int units, int slices)
{
    return unit_steps == 2 && slices > units;
}

/* The row of a kernel that has one: as round_rows_kernel(), but an RMS norm's factor is left out
 * (it goes to the results), so that the row is read once. What is constant is read before the
 * kernels before this one have ended. Leaves the sum of squares in scratch[warp]. */
__device__ __forceinline__ void round_single_row(const matvec_args &a, const float *x, int padded,
                                                 float *scratch, const rounded_rows &to)
{
    constexpr int AT_ONCE = 2;
    const int threads = blockDim.y * blockDim.z * 32, quads = a.cols / 4;
    const int thread = (threadIdx.z * blockDim.y + threadIdx.y) * 32 + threadIdx.x;
    const float4 *norm = a.norm_kind >= 0 ? (const float4 *)a.norm_weight : NULL;
    const float4 zero = make_float4(0, 0, 0, 0), one = make_float4(1, 1, 1, 1);
    float4 in[AT_ONCE], weight[AT_ONCE];
    float square = 0;

#pragma unroll
    for (int i = 0; i < AT_ONCE; i++) {
        const int quad = thread + i * threads;

        weight[i] = norm != NULL && quad < quads ? norm[quad] : one;
    }
    pdl_wait();
#pragma unroll
    for (int i = 0; i < AT_ONCE; i++) {
        const int quad = thread + i * threads;

        in[i] = quad < quads ? __ldcg((const float4 *)x + quad) : zero;
    }
#pragma unroll 1
    for (int first = thread; (first & ~31) < padded / 4; first += AT_ONCE * threads) {
        float4 next[AT_ONCE];

#pragma unroll
        for (int i = 0; i < AT_ONCE; i++) { /* on their way meanwhile */
            const int quad = first + (i + AT_ONCE) * threads;

            next[i] = quad < quads ? __ldcg((const float4 *)x + quad) : zero;
        }
#pragma unroll
        for (int i = 0; i < AT_ONCE; i++) {
            const int quad = first + i * threads;
            float4 v = in[i];

            if ((quad & ~31) >= padded / 4)
                break;
            square += (v.x * v.x + v.y * v.y) + (v.z * v.z + v.w * v.w);
            v = make_float4(v.x * weight[i].x, v.y * weight[i].y, v.z * weight[i].z,
                            v.w * weight[i].w);
            if (norm != NULL) {
                const int later = quad + AT_ONCE * threads;

                weight[i] = later < quads ? norm[later] : one;
            }
            put_rounded(to, 0, quad, v);
        }
#pragma unroll
        for (int i = 0; i < AT_ONCE; i++)
            in[i] = next[i];
    }
    square = warp_sum(square);
    if (threadIdx.x == 0)
        scratch[thread >> 5] = square;
}

__device__ __forceinline__ void group_barrier(int group, int threads)
{
    asm volatile("bar.sync %0, %1;" ::"r"(group + 1), "r"(threads) : "memory");
}

/* Which units a warp asks for: its slice of row tiles of its group (both tiles of a pair in turn),
 * a piece at a time. Apart from the loops that use the units, which come later. A slice that is
 * half a unit counts as one. */
struct unit_order {
    int job, step, second_tile; /* second_tile: of a pair, in tiles; 0: no pair */
    int unit, count;            /* of the slice */
    bool second;

    __device__ __forceinline__ void next(int units)
    {
        unit += units;
        if (unit < count)
            return;
        unit = 0;
        second = second_tile > 0 && !second;
        if (!second)
            job += step;
    }
};

/* Sum of the slices' parts of one value, even slices and odd ones apart. */
template <int ROWS> __device__ __forceinline__ float sum_slices(const float *parts, int slices)
{
    float even = 0, odd = 0;
    int i = 0;

#pragma unroll 3
    for (; i + 1 < slices; i += 2) {
        even += parts[i * 16 * ROWS];
        odd += parts[(i + 1) * 16 * ROWS];
    }
    if (i < slices)
        even += parts[i * 16 * ROWS];
    return even + odd;
}

/* What the warps of a group do when all parts of a row tile (pair) are there. */
template <int ROWS>
__device__ __forceinline__ void finish_job(const matvec_args &a, const weight_segment &seg,
                                           const float *parts, int job, float factor, float before,
                                           float bias_one, const float *bias, float *y)
{
    const int slices = blockDim.y, rows = a.pair_rows > 0 ? a.pair_rows : seg.rows;

    for (int k = threadIdx.y * 32 + threadIdx.x; k < 16 * ROWS; k += slices * 32) {
        const int r = k % ROWS, out = job * 16 + k / ROWS;
        float v;

        if (r >= a.n || out >= rows)
            continue;
        v = sum_slices<ROWS>(parts + k, slices) * factor + (ROWS == 1      ? bias_one
                                                            : bias != NULL ? bias[out]
                                                                           : 0.0f);
        if (a.pair_rows > 0) {
            float v2 = sum_slices<ROWS>(parts + slices * 16 * ROWS + k, slices) * factor;

            if (bias != NULL)
                v2 += bias[a.pair_rows + out];
            v = apply_activation(a.activation, v) * v2;
        } else if (a.activate) {
            v = apply_activation(a.activation, v);
        }
        float *to = y + (size_t)r * a.y_stride + out;

        *to = !a.add ? v : ROWS == 1 ? before + v : __ldcg(to) + v;
    }
}

/* The warps of a block over one segment; threadIdx.y is a slice of the columns, threadIdx.z a group
 * of warps that shares row tiles. ROWS 1: x is rounded into shared memory here. */
template <int TYPE, int ROWS>
__device__ __forceinline__ void matvec_run(const matvec_args &a, const weight_segment &seg,
                                           int block, int blocks, unsigned char *shared)
{
    typedef Unit<TYPE> U;
    constexpr int PASSES = ROWS / 4 > 0 ? ROWS / 4 : 1;
    const int lane = threadIdx.x, slice = threadIdx.y, slices = blockDim.y, group = threadIdx.z;
    const int groups = blockDim.z, warp = group * slices + slice, warps = groups * slices;
    const int second_tile = a.pair_rows / 16, first_job = block + blocks * group;
    const uint8_t *weights = seg.data;
    float *scratch = (float *)shared, *partial = scratch + 32;
    unsigned char *rest = (unsigned char *)(partial + warps * 4 * 16 * ROWS);
    const int groups32 = seg.units * U::STEPS * 4, thread = warp * 32 + lane;
    rounded_rows x = a.rounded;
    warp_ring ring;

    if (ROWS == 1) { /* as rounded_place(), which costs a row alone 0.3 % by its registers */
        x.planes = (uint2 *)rest;
        x.sums = (float2 *)(x.planes + groups32 * 8);
        x.scale = (float *)(x.sums + groups32);
        x.stride = 1;
        rest = (unsigned char *)(x.scale + groups32);
    } else if (a.keep) {
        x = rounded_place(rest, groups32, ROWS);
        rest += rounded_bytes(groups32, ROWS);
    }
    uint64_t *kept = (uint64_t *)rest, *bars = kept + (ROWS > 1) + warp * a.slots;
    rest += (warps * a.slots + (ROWS > 1)) * sizeof(uint64_t);
    if (ROWS > 1 && a.keep) {
        if (thread == 0)
            keep_rows_begin(kept);
        __syncthreads();
    }
    rest += (128 - (rest - shared) % 128) % 128;
    const bool half = slices_are_steps(U::STEPS, seg.units, slices);
    const int each = half ? 1 : (seg.units + slices - 1) / slices, first_part = slice * each;
    const int most = a.piece_units[&seg == &a.segment[1]],
              count = min(each, (half ? 2 : 1) * seg.units - first_part);
    const int piece_bytes = half ? U::BYTES - (U::STEPS - 1) * U::STEP_BYTES : most * U::BYTES;

    ring.begin(rest + (size_t)warp * a.slots * piece_bytes, bars, a.slots, piece_bytes, lane, true);
    if (a.expert != NULL) { /* depends on earlier kernels, so weights cannot be fetched ahead */
        pdl_wait();
        weights = (const uint8_t *)a.expert_data[__ldcg(a.expert + blockIdx.y)];
    }
    const int jobs = second_tile > 0 ? second_tile : seg.tiles, step = blocks * groups;
    unit_order order = {count > 0 ? first_job : jobs, step, second_tile, 0, count, false};

    auto fetch = [&]() {
        const int units = order.job < jobs ? min(most, count - order.unit) : 0;
        const int tile = order.job + (order.second ? second_tile : 0);

        const int part = first_part + order.unit;
        const uint8_t *from =
            weights + ((size_t)tile * seg.units + (half ? part >> 1 : part)) * U::BYTES;

        if (half) /* a step and its unit's scales */
            ring.ask(from + (part & 1) * U::STEP_BYTES, units * U::STEP_BYTES,
                     from + 2 * U::STEP_BYTES, units * (U::BYTES - 2 * U::STEP_BYTES), lane);
        else
            ring.ask(from, units * U::BYTES, NULL, 0, lane);
        if (units > 0)
            order.next(units);
    };
#pragma unroll 1
    for (int i = 0; i < a.slots; i++)
        fetch();
    if (ROWS == 1) {
        const float *row =
            a.x + (a.expert != NULL ? (size_t)(blockIdx.y / a.expert_shared) * a.cols : 0);

        round_single_row(a, row, seg.units * U::STEPS * 128, scratch, x);
        __syncthreads();
    } else {
        beside_wait(a.beside);
        if (a.keep)
            keep_rows(a.rounded, x, groups32, kept, thread, warps * 32);
    }
    float factor = 1;
    if (ROWS == 1 && a.norm_kind >= 0) {
        float square = warp_sum(lane < warps ? scratch[lane] : 0.0f);

        factor = rsqrtf(__fdividef(square, (float)a.cols) + a.norm_eps);
    }
    float *y = a.y + (a.expert != NULL ? (size_t)blockIdx.y * a.y_stride : 0) + seg.first_row;
    const float *bias = a.bias != NULL ? a.bias + seg.first_row : NULL;
    float *parts = partial + group * 4 * slices * 16 * ROWS;
    int buffer = 0;

    for (int job = first_job; job < jobs; job += step, buffer ^= 1) {
        float *mine = parts + (buffer * 2 * slices + slice) * 16 * ROWS, before = 0, bias_one = 0;

        if (ROWS == 1 && slice == 0 && lane < 16 && job * 16 + lane < seg.rows) {
            if (a.add) /* on their way meanwhile */
                before = __ldcg(y + job * 16 + lane);
            if (bias != NULL)
                bias_one = bias[job * 16 + lane];
        }
#pragma unroll 1
        for (int second = 0; second <= (second_tile > 0); second++, mine += slices * 16 * ROWS) {
            float one[2] = {0, 0}, many[PASSES][2][4] = {};

#pragma unroll 1
            for (int done = 0; done < count; done += most) {
                const uint8_t *piece = ring.wait();
                const int part = first_part + done;
                const int step = half ? part : part * U::STEPS;
                const int n = half ? 1 : min(most, count - done) * U::STEPS;

#pragma unroll 1
                for (int i = 0; i < n; i++) {
                    const int in = (step + i) % U::STEPS;
                    const uint8_t *unit = piece + i / U::STEPS * U::BYTES;
                    U w;

                    w.load_step(unit + (half ? 0 : in * U::STEP_BYTES),
                                unit + (half ? 1 : U::STEPS) * U::STEP_BYTES, lane);
                    if (ROWS == 1)
                        step_one_row<U>(w, in, step + i, x, lane, one);
                    else
                        step_rows<U, PASSES>(w, in, step + i, x, lane, many);
                }
                ring.done();
                fetch();
            }
            if (ROWS == 1) {
#pragma unroll
                for (int r = 0; r < 2; r++) {
                    one[r] += __shfl_xor_sync(ALL_LANES, one[r], 1);
                    one[r] += __shfl_xor_sync(ALL_LANES, one[r], 2);
                }
                const float v = lane & 1 ? one[1] : one[0];

                if ((lane & 2) == 0)
                    mine[(lane >> 2) + 8 * (lane & 1)] = v;
            } else {
#pragma unroll
                for (int pass = 0; pass < PASSES; pass++)
#pragma unroll
                    for (int r = 0; r < 2; r++) {
                        const float *s = many[pass][r];

                        mine[((lane >> 2) + 8 * r) * ROWS + 4 * pass + (lane & 3)] =
                            (s[0] + s[1]) + (s[2] + s[3]);
                    }
            }
        }
        group_barrier(group, slices * 32);
        finish_job<ROWS>(a, seg, parts + buffer * 2 * slices * 16 * ROWS, job, factor, before,
                         bias_one, bias, y);
    }
}

template <int TYPE0, int TYPE1, int ROWS>
__global__ __launch_bounds__(32 * (ROWS == 1 ? MOST_WARPS : MOST_WARPS_OF_ROWS),
                             1) void matvec_kernel(const __grid_constant__ matvec_args a)
{
    extern __shared__ __align__(16) unsigned char shared[];

    beside_begin(ROWS == 1 ? BESIDE_NONE : a.beside);
    if (TYPE0 == TYPE1 || (int)blockIdx.x < a.blocks[0])
        matvec_run<TYPE0, ROWS>(a, a.segment[0], blockIdx.x, a.blocks[0], shared);
    else
        matvec_run<TYPE1, ROWS>(a, a.segment[1], blockIdx.x - a.blocks[0], a.blocks[1], shared);
    beside_end(ROWS == 1 ? BESIDE_NONE : a.beside);
}

#endif
