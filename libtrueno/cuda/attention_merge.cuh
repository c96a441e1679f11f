/* SPDX-License-Identifier: MIT */
/* From the sums of warps to a row's result: warps of a block through its shared memory, blocks of a
 * cluster through each other's, clusters through the device's memory. */
#ifndef CUDA_ATTENTION_MERGE_CUH
#define CUDA_ATTENTION_MERGE_CUH

#include "attention_split.cuh"

enum { MOST_CLUSTER = 8 };

/* The warps' sums over one reference, added up in shared memory; heads: [warps][group][DIM + 4],
 * most, total: [warps][HEADS]. On return every thread may read all. */
template <int DIM, int TILES>
__device__ __forceinline__ void share_sums(head_state<DIM, TILES> &state, int group, float *heads,
                                           float *most, float *total)
{
    typedef kv_tile<DIM> T;
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = blockDim.x >> 5,
              t = lane & 3;

#pragma unroll
    for (int n = 0; n < TILES; n++) {
        if (lane < 4)
            *(float2 *)(most + warp * 8 * TILES + 8 * n + 2 * t) =
                make_float2(state.most[n][0], state.most[n][1]);
#pragma unroll
        for (int h = 0; h < 2; h++)
#pragma unroll
            for (int m = 4; m < 32; m <<= 1)
                state.total[n][h] += __shfl_xor_sync(ALL_LANES, state.total[n][h], m);
    }
    __syncthreads();
#pragma unroll
    for (int n = 0; n < TILES; n++) {
        float2 largest = make_float2(-INFINITY, -INFINITY);

        for (int w = 0; w < warps; w++) {
            const float2 of = *(const float2 *)(most + w * 8 * TILES + 8 * n + 2 * t);

            largest = make_float2(fmaxf(largest.x, of.x), fmaxf(largest.y, of.y));
        }
#pragma unroll
        for (int h = 0; h < 2; h++) {
            const int head = 8 * n + 2 * t + h;
            const float factor = exp2f(state.most[n][h] - (h ? largest.y : largest.x));
            float *to = heads + (warp * group + head) * (DIM + PART_EXTRA);

            if (head >= group)
                continue;
            if (lane < 4)
                total[warp * 8 * TILES + head] = state.total[n][h] * factor;
#pragma unroll
            for (int i = 0; i < DIM / 16; i++) {
                const int dim =
                    (8 * (i / (T::CHUNK / 2)) + (lane >> 2)) * T::CHUNK + 2 * (i % (T::CHUNK / 2));

                *(float2 *)(to + dim) =
                    make_float2(state.sum[n][i][h] * factor, state.sum[n][i][2 + h] * factor);
            }
        }
    }
    __syncthreads();
}

/* The warps' sums added up: in heads[h], largest score and total behind it. */
template <int DIM, int TILES>
__device__ __forceinline__ void add_warps(int group, float *heads, const float *most,
                                          const float *total)
{
    const int warps = blockDim.x >> 5;

    for (int i = threadIdx.x; i < group * (DIM / 4); i += blockDim.x) {
        const int h = i / (DIM / 4), col = i % (DIM / 4) * 4;
        float4 v = make_float4(0, 0, 0, 0);
        float all = 0, largest = -INFINITY;

        for (int w = 0; w < warps; w++) {
            const float4 of = *(const float4 *)(heads + (w * group + h) * (DIM + PART_EXTRA) + col);

            v = make_float4(v.x + of.x, v.y + of.y, v.z + of.z, v.w + of.w);
            all += total[w * 8 * TILES + h];
            largest = fmaxf(largest, most[w * 8 * TILES + h]);
        }
        *(float4 *)(heads + h * (DIM + PART_EXTRA) + col) = v;
        if (col == 0)
            *(float2 *)(heads + h * (DIM + PART_EXTRA) + DIM) = make_float2(largest, all);
    }
}

/* Shared memory of block `rank` of the cluster, at the place of `mine`. */
__device__ __forceinline__ const float *of_block(const float *mine, int rank)
{
#if __CUDA_ARCH__ >= 900
    const float *its;

    asm("mapa.u64 %0, %1, %2;" : "=l"(its) : "l"(mine), "r"(rank));
    return its;
#else
    return mine;
#endif
}

/* A barrier of the blocks of a cluster that have not ended. */
__device__ __forceinline__ void cluster_arrive(void)
{
#if __CUDA_ARCH__ >= 900
    asm volatile("barrier.cluster.arrive.release;" ::: "memory");
#endif
}

__device__ __forceinline__ void cluster_wait(void)
{
#if __CUDA_ARCH__ >= 900
    asm volatile("barrier.cluster.wait.acquire;" ::: "memory");
#endif
}

/* From the sums of the cluster's `alive` first blocks: the row's result or, where there are several
 * clusters, part `part` of `parts`. Block `rank` of them does its share of the columns. */
template <int DIM>
__device__ __forceinline__ void write_sums(const head_args &a, int row, int kv_head, int group,
                                           bool whole, int part, int parts, int rank, int alive,
                                           const float *heads)
{
    const int items = group * (DIM / 4), share = (items + alive - 1) / alive;
    const int end = min(items, (rank + 1) * share);

    for (int i = rank * share + threadIdx.x; i < end; i += blockDim.x) {
        const int h = i / (DIM / 4), col = i % (DIM / 4) * 4;
        const size_t head = (size_t)row * a.n_heads + kv_head * group + h;
        const float *at = heads + h * (DIM + PART_EXTRA);
        float2 of[MOST_CLUSTER];
        float4 in[MOST_CLUSTER], v = make_float4(0, 0, 0, 0);
        float all = 0, largest = -INFINITY;

#pragma unroll
        for (int r = 0; r < MOST_CLUSTER; r++)
            if (r < alive) {
                of[r] = *(const float2 *)(of_block(at, r) + DIM);
                in[r] = *(const float4 *)(of_block(at, r) + col);
                largest = fmaxf(largest, of[r].x);
            }
#pragma unroll
        for (int r = 0; r < MOST_CLUSTER; r++)
            if (r < alive) {
                const float w = exp2f(of[r].x - largest);

                all = fmaf(w, of[r].y, all);
                v.x = fmaf(w, in[r].x, v.x), v.y = fmaf(w, in[r].y, v.y);
                v.z = fmaf(w, in[r].z, v.z), v.w = fmaf(w, in[r].w, v.w);
            }
        const float factor = whole ? __fdividef(1.0f, all) : 1.0f;
        float *to =
            whole ? a.out + head * DIM : a.partial + (head * parts + part) * (DIM + PART_EXTRA);

        *(float4 *)(to + col) = make_float4(v.x * factor, v.y * factor, v.z * factor, v.w * factor);
        if (!whole && col == 0)
            *(float2 *)(to + DIM) = make_float2(largest, all);
    }
}

/* The last block of a row and kv head to finish adds up the parts of all clusters. */
template <int DIM>
__device__ __forceinline__ void merge_splits(const head_args &a, int row, int kv_head, int group,
                                             int active, int parts, float *weights)
{
    for (int h = threadIdx.x >> 5; h < group; h += blockDim.x >> 5) { /* a warp a head */
        const float *part =
            a.partial +
            ((size_t)row * a.n_heads + kv_head * group + h) * parts * (DIM + PART_EXTRA) + DIM;
        const int lane = threadIdx.x & 31;
        float2 of[MAX_SPLITS / 32];
        float most = -INFINITY, total = 0;

#pragma unroll
        for (int k = 0; k < MAX_SPLITS / 32; k++) {
            of[k] = make_float2(-INFINITY, 0);
            if (lane + 32 * k < active)
                of[k] = __ldcg((const float2 *)(part + (lane + 32 * k) * (DIM + PART_EXTRA)));
            most = fmaxf(most, of[k].x);
        }
        most = warp_max(most);
#pragma unroll
        for (int k = 0; k < MAX_SPLITS / 32; k++)
            total += of[k].y * exp2f(of[k].x - most);
        total = warp_sum(total);
#pragma unroll
        for (int k = 0; k < MAX_SPLITS / 32; k++)
            weights[h * MAX_SPLITS + lane + 32 * k] = exp2f(of[k].x - most) / total;
    }
    __syncthreads();
    for (int i = threadIdx.x; i < group * (DIM / 4); i += blockDim.x) {
        const int h = i / (DIM / 4), col = i % (DIM / 4) * 4;
        const size_t head = (size_t)row * a.n_heads + kv_head * group + h;
        const float *part = a.partial + head * parts * (DIM + PART_EXTRA) + col;
        float4 v = make_float4(0, 0, 0, 0);

#pragma unroll 8
        for (int s = 0; s < active; s++) { /* many loads on their way at a time */
            const float4 in = __ldcg((const float4 *)(part + s * (DIM + PART_EXTRA)));
            const float w = weights[h * MAX_SPLITS + s];

            v.x = fmaf(w, in.x, v.x), v.y = fmaf(w, in.y, v.y);
            v.z = fmaf(w, in.z, v.z), v.w = fmaf(w, in.w, v.w);
        }
        *(float4 *)(a.out + head * DIM + col) = v;
    }
}

#endif
