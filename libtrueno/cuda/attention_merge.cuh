/* SPDX-License-Identifier: MIT */
/* From the sums of warps to a row's result: warps of a block through its shared memory, blocks of a
 * cluster through each other's, clusters through the device's memory. */
#ifndef CUDA_ATTENTION_MERGE_CUH
#define CUDA_ATTENTION_MERGE_CUH

#include "attention_split.cuh"

/* A warp's sums into shared memory: heads: [warps][group][DIM + 4], most, total: [warps][HEADS]. */
template <int DIM, int TILES>
__device__ __forceinline__ void put_sums(head_state<DIM, TILES> &state, int group, float *heads,
                                         float *most, float *total)
{
    typedef kv_tile<DIM> T;
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, t = lane & 3;

#pragma unroll
    for (int n = 0; n < TILES; n++) {
        const int at = warp * 8 * TILES + 8 * n + 2 * t;

#pragma unroll
        for (int h = 0; h < 2; h++)
#pragma unroll
            for (int m = 4; m < 32; m <<= 1)
                state.total[n][h] += __shfl_xor_sync(ALL_LANES, state.total[n][h], m);
        if (lane < 4) {
            *(float2 *)(most + at) = make_float2(state.most[n][0], state.most[n][1]);
            *(float2 *)(total + at) = make_float2(state.total[n][0], state.total[n][1]);
        }
#pragma unroll
        for (int h = 0; h < 2; h++) {
            const int head = 8 * n + 2 * t + h;
            float *to = heads + (warp * group + head) * (DIM + PART_EXTRA);

            if (head >= group)
                continue;
#pragma unroll
            for (int i = 0; i < DIM / 16; i++) {
                const int dim =
                    (8 * (i / (T::CHUNK / 2)) + (lane >> 2)) * T::CHUNK + 2 * (i % (T::CHUNK / 2));

                *(float2 *)(to + dim) = make_float2(state.sum[n][i][h], state.sum[n][i][2 + h]);
            }
        }
    }
}

/* Place `p` of the shared memory of block `rank` of the cluster. */
__device__ __forceinline__ float *of_block(float *p, int rank)
{
#if __CUDA_ARCH__ >= 900
    float *its;

    asm("mapa.u64 %0, %1, %2;" : "=l"(its) : "l"(p), "r"(rank));
    return its;
#else
    return p;
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

/* Sums over one reference: four columns of a head, the largest score, the total. */
struct head_sums {
    float4 v;
    float largest, all;

    /* Those of `n`, sums(i) and scores(i), the latter largest and total. */
    template <int MOST, class S, class F>
    static __device__ __forceinline__ head_sums of(int n, S scores, F sums)
    {
        head_sums s = {make_float4(0, 0, 0, 0), -INFINITY, 0};
        float2 score[MOST];
        float4 in[MOST];

#pragma unroll
        for (int i = 0; i < MOST; i++)
            if (i < n) {
                score[i] = scores(i);
                in[i] = sums(i);
                s.largest = fmaxf(s.largest, score[i].x);
            }
        const float reference = s.largest == -INFINITY ? 0.0f : s.largest;
#pragma unroll
        for (int i = 0; i < MOST; i++)
            if (i < n) {
                const float w = exp2f(score[i].x - reference);

                s.all = fmaf(w, score[i].y, s.all);
                s.v.x = fmaf(w, in[i].x, s.v.x), s.v.y = fmaf(w, in[i].y, s.v.y);
                s.v.z = fmaf(w, in[i].z, s.v.z), s.v.w = fmaf(w, in[i].w, s.v.w);
            }
        return s;
    }
};

/* The same, or as planes where the product behind takes those. Eight neighbouring lanes call
 * together. */
__device__ __forceinline__ void put_result(const head_args &a, int row, int quad, float4 v)
{
    if (a.ready.rounded.planes != NULL)
        put_rounded(a.ready.rounded, row, quad, v, 0xffu << (threadIdx.x & 24));
    else
        put_average(a, row, quad, v);
}

/* The row's result or, where there are several clusters, part `part` of `parts`; item: a head of
 * the group and four of its columns. */
template <int DIM>
__device__ __forceinline__ void write_sums(const head_args &a, int row, int kv_head, int group,
                                           bool whole, int part, int parts, int item,
                                           const head_sums &s)
{
    const int col = item % (DIM / 4) * 4, head = kv_head * group + item / (DIM / 4);
    float *to = a.partial + (((size_t)row * a.n_heads + head) * parts + part) * (DIM + PART_EXTRA);

    if (whole) {
        const float f = __fdividef(1.0f, s.all);

        put_result(a, row, (head * DIM + col) / 4,
                   make_float4(s.v.x * f, s.v.y * f, s.v.z * f, s.v.w * f));
        return;
    }
    *(float4 *)(to + col) = s.v;
    if (col == 0)
        *(float2 *)(to + DIM) = make_float2(s.largest, s.all);
}

/* What other blocks of the cluster write into a block's shared memory: [blocks][share] fours of
 * columns, then as many pairs of largest score and total. A block has `share` items, whole groups
 * of 32 columns. */
__host__ __device__ static constexpr int share_of(int items, int blocks)
{
    return (items / 8 + blocks - 1) / blocks * 8;
}

template <int DIM> __host__ __device__ static constexpr int gathered_floats(int group)
{
    return 6 * (group * (DIM / 4) + 8 * MOST_CLUSTER); /* whatever the number of blocks */
}

/* The warps' sums added up, for the block of the cluster that has the item, or written at once. */
template <int DIM, int HEADS>
__device__ __forceinline__ void add_warps(const head_args &a, int row, int kv_head, int group,
                                          bool whole, int part, int parts, int rank, int alive,
                                          const float *heads, const float *most, const float *total,
                                          float *gathered)
{
    const int warps = blockDim.x >> 5, items = group * (DIM / 4), share = share_of(items, alive);

    for (int i = threadIdx.x; i < items; i += blockDim.x) {
        const int h = i / (DIM / 4);
        const head_sums s = head_sums::of<MOST_WARPS>(
            warps, [&](int w) { return make_float2(most[w * HEADS + h], total[w * HEADS + h]); },
            [&](int w) {
                return *(const float4 *)(heads + (w * group + h) * (DIM + PART_EXTRA) +
                                         i % (DIM / 4) * 4);
            });

        if (alive == 1) {
            write_sums<DIM>(a, row, kv_head, group, whole, part, parts, i, s);
        } else {
            const int at = rank * share + i % share;
            float *to = of_block(gathered, i / share);

            ((float4 *)to)[at] = s.v;
            ((float2 *)(to + 4 * alive * share))[at] = make_float2(s.largest, s.all);
        }
    }
}

/* The blocks' sums of this block's items. */
template <int DIM>
__device__ __forceinline__ void add_blocks(const head_args &a, int row, int kv_head, int group,
                                           bool whole, int part, int parts, int rank, int alive,
                                           const float *gathered)
{
    const int items = group * (DIM / 4), share = share_of(items, alive);
    const float4 *sums = (const float4 *)gathered;
    const float2 *scores = (const float2 *)(gathered + 4 * alive * share);

    for (int i = threadIdx.x; i < min(share, items - rank * share); i += blockDim.x) {
        const head_sums s = head_sums::of<MOST_CLUSTER>(
            alive, [&](int r) { return scores[r * share + i]; },
            [&](int r) { return sums[r * share + i]; });

        write_sums<DIM>(a, row, kv_head, group, whole, part, parts, rank * share + i, s);
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
        put_result(a, row, ((kv_head * group + h) * DIM + col) / 4, v);
    }
}

#endif
