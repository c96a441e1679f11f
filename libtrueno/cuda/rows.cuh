/* SPDX-License-Identifier: MIT */
/* A block goes over a row of floats several times: loading it once, and its norm. */
#ifndef CUDA_ROWS_CUH
#define CUDA_ROWS_CUH

#include "device.cuh"

/* Four values at a time; the first LOADS fours of every thread stay in registers, what a longer row
 * has beyond them is loaded again by every pass. Columns from `cols` on are zeros. */
template <int LOADS> struct row_quads {
    const float *x;
    int cols, quads, thread, threads;
    float4 kept[LOADS];

    __device__ __forceinline__ float4 load(int quad) const
    {
        float4 v = make_float4(0, 0, 0, 0);

        if ((cols & 3) == 0) {
            if (4 * quad < cols)
                v = __ldcg((const float4 *)x + quad);
        } else {
            v.x = 4 * quad < cols ? __ldcg(x + 4 * quad) : 0.0f;
            v.y = 4 * quad + 1 < cols ? __ldcg(x + 4 * quad + 1) : 0.0f;
            v.z = 4 * quad + 2 < cols ? __ldcg(x + 4 * quad + 2) : 0.0f;
            v.w = 4 * quad + 3 < cols ? __ldcg(x + 4 * quad + 3) : 0.0f;
        }
        return v;
    }

    /* `padded`: columns to go over, a multiple of 128, so that warps stay whole. */
    __device__ __forceinline__ void begin(const float *row, int n_cols, int padded)
    {
        x = row;
        cols = n_cols;
        quads = padded / 4;
        threads = blockDim.x * blockDim.y * blockDim.z;
        thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
#pragma unroll
        for (int k = 0; k < LOADS; k++)
            if (thread + k * threads < quads)
                kept[k] = load(thread + k * threads);
    }

    /* f(quad, values) */
    template <class F> __device__ __forceinline__ void each(F f) const
    {
#pragma unroll
        for (int k = 0; k < LOADS; k++)
            if (thread + k * threads < quads)
                f(thread + k * threads, kept[k]);
#pragma unroll 1
        for (int quad = thread + LOADS * threads; quad < quads; quad += threads)
            f(quad, load(quad));
    }
};

/* What a norm makes of a row: (x - mean) * factor * weight + bias. */
struct row_norm {
    int kind; /* -1: none */
    float mean, factor;
    const float *weight, *bias;

    /* scratch: a float per warp. One-dimensional blocks. */
    template <int LOADS>
    __device__ __forceinline__ void begin(const row_quads<LOADS> &row, float eps, float *scratch)
    {
        float sum = 0, square = 0;

        mean = 0;
        factor = 1;
        if (kind < 0)
            return;
        if (kind == TRUENO_NORM_LAYER) {
            row.each([&](int, float4 v) { sum += (v.x + v.y) + (v.z + v.w); });
            mean = block_sum(sum, scratch) / (float)row.cols;
        }
        const float m = mean;
        const int cols = row.cols;

        row.each([&](int quad, float4 v) { /* columns behind the row count for nothing */
                                           const float a = v.x - m, b = v.y - m, c = v.z - m,
                                                       d = v.w - m;

                                           square += 4 * quad < cols ? a * a : 0.0f;
                                           square += 4 * quad + 1 < cols ? b * b : 0.0f;
                                           square += 4 * quad + 2 < cols ? c * c : 0.0f;
                                           square += 4 * quad + 3 < cols ? d * d : 0.0f;
        });
        factor = 1.0f / sqrtf(block_sum(square, scratch) / (float)cols + eps);
    }

    __device__ __forceinline__ float one(float v, int col, int cols) const
    {
        if (col >= cols)
            return 0.0f;
        v = (v - mean) * factor * weight[col];
        return bias != NULL ? v + bias[col] : v;
    }

    __device__ __forceinline__ float4 apply(float4 v, int quad, int cols) const
    {
        if (kind < 0)
            return v;
        return make_float4(one(v.x, 4 * quad, cols), one(v.y, 4 * quad + 1, cols),
                           one(v.z, 4 * quad + 2, cols), one(v.w, 4 * quad + 3, cols));
    }
};

/* The weights of a norm without a bias for the first fours of every thread: constant, so they can
 * be asked for before the row is there. */
template <int MOST> struct early_weights {
    float4 weight[MOST];
    bool all; /* they are the whole row's */

    __device__ __forceinline__ void begin(const row_norm &norm, int cols)
    {
        all = norm.kind >= 0 && norm.bias == NULL && (cols & 3) == 0 &&
              cols <= 4 * MOST * (int)blockDim.x;
#pragma unroll
        for (int k = 0; k < MOST; k++) {
            const int quad = threadIdx.x + k * blockDim.x;

            weight[k] = all && 4 * quad < cols ? ((const float4 *)norm.weight)[quad]
                                               : make_float4(0, 0, 0, 0);
        }
    }

    /* Normalise the row in its registers, where they have all of it; what lies behind its columns
     * is zero. */
    template <int LOADS>
    __device__ __forceinline__ void apply(row_norm &norm, row_quads<LOADS> &in) const
    {
        if (!all)
            return;
#pragma unroll
        for (int k = 0; k < MOST; k++) {
            in.kept[k].x = (in.kept[k].x - norm.mean) * norm.factor * weight[k].x;
            in.kept[k].y = (in.kept[k].y - norm.mean) * norm.factor * weight[k].y;
            in.kept[k].z = (in.kept[k].z - norm.mean) * norm.factor * weight[k].z;
            in.kept[k].w = (in.kept[k].w - norm.mean) * norm.factor * weight[k].w;
        }
        norm.kind = -1; /* done */
    }
};

/* Threads for a row, so that most rows stay in registers, with few loads a thread where the row is
 * short: a kernel's instructions have to be fetched as well. */
static inline int row_threads(int cols)
{
    return cols <= 2048 ? 256 : cols <= 6144 ? 512 : 1024;
}

enum { ROW_LOADS = 7, FEW_LOADS = 3, EARLY_LOADS = 2 };

#define FOR_ROW_LOADS(cols, LAUNCH_IT) \
    do {                               \
        if ((cols) <= 12288)           \
            LAUNCH_IT(FEW_LOADS);      \
        else                           \
            LAUNCH_IT(ROW_LOADS);      \
    } while (0)

#endif
