/* SPDX-License-Identifier: MIT */
/* Attention of a group of heads to the 16 positions whose keys and values a warp has in registers.
 */
#ifndef CUDA_ATTENTION_SPLIT_CUH
#define CUDA_ATTENTION_SPLIT_CUH

#include "attention_tiles.cuh"

enum { BLOCK = 16, MOST_WARPS = 8 };

/* What a warp holds of 16 positions: keys of positions g and g + 8, columns 8 (4 j + t) .. + 7;
 * values of positions 2 t, 2 t + 1, 2 t + 8, 2 t + 9, columns CHUNK (8 j + g) .. */
template <int DIM> struct kv_tile {
    enum { CHUNK = DIM % 64 == 0 ? 8 : 4, PARTS = DIM / (8 * CHUNK) };
    uint4 key[DIM / 32][2], value[PARTS][4];
};

/* Queries in shared memory: [2 planes][heads][DIM + 32] halves, the second plane what rounding the
 * first left; the padding spreads the banks. */
template <int DIM, int HEADS> struct query_rows {
    enum { STRIDE = DIM + 32, PLANE = HEADS * STRIDE, BYTES = 2 * PLANE * 2 };

    static __device__ __forceinline__ void put(half *q, int row, int i, float v)
    {
        const half high = __float2half(v);

        q[row * STRIDE + i] = high;
        q[PLANE + row * STRIDE + i] = __float2half(v - __half2float(high));
    }
};

/* Running softmax of heads 2 t and 2 t + 1 of each eight, in units of log 2; sum: columns e, e + 1
 * of the values' chunks, (head 2 t, head 2 t + 1) each. */
template <int DIM, int TILES> struct head_state {
    float most[TILES][2], total[TILES][2], sum[TILES][DIM / 16][4];
};

/* Eight stored numbers from column `dim` on, at position `at` of a page, as halves. */
template <int KV, int DIM>
__device__ __forceinline__ uint4 load_eight(const uint8_t *page, int at, int dim)
{
    if (KV == TRUENO_KV_F16)
        return __ldcg((const uint4 *)(page + ((size_t)at * DIM + dim) * 2));
    const uint2 q = __ldcg((const uint2 *)(page + at * DIM + dim));
    const half *s = (const half *)(page + PAGE_POSITIONS * DIM) + at * (DIM / 32) + dim / 32;

    return signed_halves(q, __half2float(__ldcg(s)));
}

template <int KV, int DIM>
__device__ __forceinline__ void load_keys(const head_args &a, const uint64_t *pages, int kv_head,
                                          int base, int lane, kv_tile<DIM> &tile)
{
    const uint8_t *keys = head_page(a, pages, base, kv_head, false);

#pragma unroll
    for (int j = 0; j < DIM / 32; j++)
#pragma unroll
        for (int r = 0; r < 2; r++)
            tile.key[j][r] = load_eight<KV, DIM>(keys, base % PAGE_POSITIONS + (lane >> 2) + 8 * r,
                                                 (4 * j + (lane & 3)) * 8);
}

/* The position of value i of a tile, counted from the tile's first. */
__device__ __forceinline__ int value_position(int i, int lane)
{
    return 2 * (lane & 3) + (i & 1) + 8 * (i >> 1);
}

/* Positions after `last` hold nothing yet. */
template <int KV, int DIM>
__device__ __forceinline__ void load_values(const head_args &a, const uint64_t *pages, int kv_head,
                                            int base, int last, int lane, kv_tile<DIM> &tile)
{
    typedef kv_tile<DIM> T;
    const uint8_t *values = head_page(a, pages, base, kv_head, true);

#pragma unroll
    for (int j = 0; j < T::PARTS; j++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const int in = value_position(i, lane), dim = (8 * j + (lane >> 2)) * T::CHUNK;
            uint4 v = make_uint4(0, 0, 0, 0);

            if (base + in <= last)
                v = load_eight<KV, DIM>(values, base % PAGE_POSITIONS + in, dim & ~7);
            tile.value[j][i] = T::CHUNK == 8 || !(dim & 4) ? v : make_uint4(v.z, v.w, 0, 0);
        }
}

__device__ __forceinline__ uint4 eight_halves(const float *x)
{
    return make_uint4(pack_half2(x[0], x[1]), pack_half2(x[2], x[3]), pack_half2(x[4], x[5]),
                      pack_half2(x[6], x[7]));
}

/* Put the newest position's key and value, which memory may not have yet, into a tile. */
template <int DIM>
__device__ __forceinline__ void put_newest(const float *key, const float *value, int in, int lane,
                                           kv_tile<DIM> &tile)
{
    typedef kv_tile<DIM> T;

#pragma unroll
    for (int j = 0; j < DIM / 32; j++)
#pragma unroll
        for (int r = 0; r < 2; r++)
            if ((lane >> 2) + 8 * r == in)
                tile.key[j][r] = eight_halves(key + (4 * j + (lane & 3)) * 8);
#pragma unroll
    for (int j = 0; j < T::PARTS; j++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            if (value_position(i, lane) == in) {
                const int dim = (8 * j + (lane >> 2)) * T::CHUNK;
                const uint4 v = eight_halves(value + (dim & ~7));

                tile.value[j][i] = T::CHUNK == 8 || !(dim & 4) ? v : make_uint4(v.z, v.w, 0, 0);
            }
}

/* An 8 x 8 matrix of halves over a warp, transposed. */
__device__ __forceinline__ uint32_t transpose_halves(uint32_t x)
{
    asm volatile("movmatrix.sync.aligned.m8n8.trans.b16 %0, %0;" : "+r"(x));
    return x;
}

/* Scores of positions g (0, 1) and g + 8 (2, 3) for heads 2 t and 2 t + 1. */
template <int DIM, int TILES>
__device__ __forceinline__ void tile_scores(const kv_tile<DIM> &tile, const half *q, int lane,
                                            float score[TILES][4])
{
    typedef query_rows<DIM, 8 * TILES> Q;

#pragma unroll
    for (int n = 0; n < TILES; n++) {
        float sum[2][4] = {};

#pragma unroll
        for (int j = 0; j < DIM / 32; j++)
#pragma unroll
            for (int plane = 0; plane < 2; plane++) {
                const uint4 b =
                    *(const uint4 *)(q + plane * Q::PLANE + (8 * n + (lane >> 2)) * Q::STRIDE +
                                     (4 * j + (lane & 3)) * 8);
                const uint4 k0 = tile.key[j][0], k8 = tile.key[j][1];

                mma_half(sum[plane], k0.x, k8.x, k0.y, k8.y, b.x, b.y);
                mma_half(sum[plane], k0.z, k8.z, k0.w, k8.w, b.z, b.w);
            }
#pragma unroll
        for (int i = 0; i < 4; i++)
            score[n][i] = sum[0][i] + sum[1][i];
    }
}

/* Scores to weights against the largest so far; what was summed before is scaled to that. */
template <int DIM, int TILES>
__device__ __forceinline__ void tile_softmax(const head_args &a, int base, int first, int last,
                                             int lane, float score[TILES][4],
                                             head_state<DIM, TILES> &state)
{
    const bool seen[2] = {base + (lane >> 2) >= first && base + (lane >> 2) <= last,
                          base + (lane >> 2) + 8 >= first && base + (lane >> 2) + 8 <= last};

    if (a.softcap > 0)
#pragma unroll
        for (int n = 0; n < TILES; n++)
#pragma unroll
            for (int i = 0; i < 4; i++)
                score[n][i] = a.softcap / a.scale * tanhf(score[n][i] * a.scale / a.softcap);
#pragma unroll
    for (int n = 0; n < TILES; n++)
#pragma unroll
        for (int h = 0; h < 2; h++) {
            float now = state.most[n][h];

#pragma unroll
            for (int r = 0; r < 2; r++) {
                float *s = &score[n][2 * r + h];

                *s = seen[r] ? *s * (a.scale * LOG2_E) : -INFINITY;
                now = fmaxf(now, *s);
            }
#pragma unroll
            for (int m = 4; m < 32; m <<= 1)
                now = fmaxf(now, __shfl_xor_sync(ALL_LANES, now, m));
            /* A head that has seen nothing yet: any finite reference gives zeros. */
            const float reference = now == -INFINITY ? 0.0f : now;
            const float old = exp2f(state.most[n][h] - reference);

            state.most[n][h] = now;
            state.total[n][h] *= old;
#pragma unroll
            for (int i = 0; i < DIM / 16; i++) {
                state.sum[n][i][h] *= old;
                state.sum[n][i][2 + h] *= old;
            }
#pragma unroll
            for (int r = 0; r < 2; r++) {
                score[n][2 * r + h] = exp2f(score[n][2 * r + h] - reference);
                state.total[n][h] += score[n][2 * r + h];
            }
        }
}

/* Add the values, weighted. */
template <int DIM, int TILES>
__device__ __forceinline__ void tile_values(const kv_tile<DIM> &tile, const float score[TILES][4],
                                            head_state<DIM, TILES> &state)
{
    typedef kv_tile<DIM> T;

#pragma unroll
    for (int n = 0; n < TILES; n++) {
        const uint32_t b0 = transpose_halves(pack_half2(score[n][0], score[n][1]));
        const uint32_t b1 = transpose_halves(pack_half2(score[n][2], score[n][3]));

#pragma unroll
        for (int j = 0; j < T::PARTS; j++)
#pragma unroll
            for (int e = 0; e < T::CHUNK / 2; e++) {
                uint32_t w[4];

#pragma unroll
                for (int i = 0; i < 4; i++) {
                    const uint4 v = tile.value[j][i];

                    w[i] = e == 0 ? v.x : e == 1 ? v.y : e == 2 ? v.z : v.w;
                }
                mma_half(state.sum[n][j * (T::CHUNK / 2) + e], __byte_perm(w[0], w[1], 0x5410),
                         __byte_perm(w[0], w[1], 0x7632), __byte_perm(w[2], w[3], 0x5410),
                         __byte_perm(w[2], w[3], 0x7632), b0, b1);
            }
    }
}

#endif
