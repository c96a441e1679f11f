/* SPDX-License-Identifier: MIT */
/* Attention on the tensor cores: 16 query rows (heads of a group, or heads of several tokens) a
 * warp against 32 positions at a time, straight from the pages. Queries are two halves (sum of 22
 * bits), so that scores of large keys keep their digits; scores, softmax and sums are floats. */
#include "attention_tiles.h"
#include "heads.cuh"

enum { WARPS = 4, SPLIT_WARPS = 4, BLOCK = 32 };

#define LOG2_E 1.44269504088896340736f

/* Running softmax of rows g and g + 8 of a warp's 16, scores in units of log 2. */
template <int DIM> struct softmax_state {
    float most[2], total[2], sum[DIM / 8][4];
};

/* Eight stored values from column `dim` on, at position `at` of a page, as halves. CACHED: through
 * L1, where no kernel that may still run could have written them. */
template <int KV, int DIM, bool CACHED>
__device__ __forceinline__ uint4 load_halves(const uint8_t *page, int at, int dim)
{
    if (KV == TRUENO_KV_F16) {
        const uint4 *p = (const uint4 *)(page + ((size_t)at * DIM + dim) * 2);

        return CACHED ? *p : __ldcg(p);
    }
    const uint2 *p = (const uint2 *)(page + at * DIM + dim);
    const half *s = (const half *)(page + PAGE_POSITIONS * DIM) + at * (DIM / 32) + dim / 32;
    const uint2 q = CACHED ? *p : __ldcg(p);
    const float d = __half2float(CACHED ? *s : __ldcg(s));
    uint32_t out[4];

#pragma unroll
    for (int i = 0; i < 4; i++) {
        const uint32_t w = (i < 2 ? q.x : q.y) >> 16 * (i & 1);

        out[i] = pack_half2((float)(signed char)w * d, (float)(signed char)(w >> 8) * d);
    }
    return make_uint4(out[0], out[1], out[2], out[3]);
}

/* Queries in shared memory: [2 planes][16 rows][DIM + 32] halves; the padding spreads the banks. */
template <int DIM> struct query_rows {
    enum { STRIDE = DIM + 32, PLANE = 16 * STRIDE };

    static __device__ __forceinline__ void put(half *q, int row, int i, float v)
    {
        const half high = __float2half(v);

        q[row * STRIDE + i] = high;
        q[PLANE + row * STRIDE + i] = __float2half(v - __half2float(high));
    }
};

/* What a warp holds of 32 positions. Widths above 128 do not fit into registers and are loaded
 * where they are used. */
template <int DIM> struct kv_block {
    enum { AHEAD = DIM <= 128, CHUNK = DIM % 64 == 0 ? 8 : 4, PARTS = DIM / (8 * CHUNK) };
    uint4 key[AHEAD ? DIM / 32 : 1][4], value[AHEAD ? 2 : 1][AHEAD ? PARTS : 1][4];
};

/* Columns (4 j + t) * 8 .. + 7 of the keys at positions 8 i + g. */
template <int KV, int DIM, bool CACHED>
__device__ __forceinline__ void load_keys(const uint8_t *keys, int at, int j, int lane, uint4 k[4])
{
#pragma unroll
    for (int i = 0; i < 4; i++)
        k[i] =
            load_halves<KV, DIM, CACHED>(keys, at + 8 * i + (lane >> 2), (4 * j + (lane & 3)) * 8);
}

/* Columns (8 j + g) * CHUNK of the values at four positions of a half block; `stored` positions
 * from the block's first on hold something. */
template <int KV, int DIM, bool CACHED>
__device__ __forceinline__ void load_values(const uint8_t *values, int at, int half16, int j,
                                            int stored, int lane, uint4 v[4])
{
    const int dim = (8 * j + (lane >> 2)) * kv_block<DIM>::CHUNK;

#pragma unroll
    for (int i = 0; i < 4; i++) {
        const int in = 16 * half16 + 2 * (lane & 3) + (i & 1) + 8 * (i >> 1);

        if (in >= stored)
            v[i] = make_uint4(0, 0, 0, 0);
        else if (kv_block<DIM>::CHUNK == 8)
            v[i] = load_halves<KV, DIM, CACHED>(values, at + in, dim);
        else {
            const uint4 both = load_halves<KV, DIM, CACHED>(values, at + in, dim & ~7);

            v[i].x = (dim & 4) ? both.z : both.x;
            v[i].y = (dim & 4) ? both.w : both.y;
        }
    }
}

template <int KV, int DIM, bool CACHED>
__device__ __forceinline__ void load_block_keys(const head_args &a, const uint64_t *pages,
                                                int kv_head, int base, int lane,
                                                kv_block<DIM> &block)
{
    const uint8_t *keys = head_page(a, pages, base, kv_head, false);

    if (kv_block<DIM>::AHEAD)
#pragma unroll
        for (int j = 0; j < DIM / 32; j++)
            load_keys<KV, DIM, CACHED>(keys, base % PAGE_POSITIONS, j, lane, block.key[j]);
}

template <int KV, int DIM, bool CACHED>
__device__ __forceinline__ void load_block_values(const head_args &a, const uint64_t *pages,
                                                  int kv_head, int base, int stored, int lane,
                                                  kv_block<DIM> &block)
{
    const uint8_t *values = head_page(a, pages, base, kv_head, true);

    if (kv_block<DIM>::AHEAD)
#pragma unroll
        for (int half16 = 0; half16 < 2; half16++)
#pragma unroll
            for (int j = 0; j < kv_block<DIM>::PARTS; j++)
                load_values<KV, DIM, CACHED>(values, base % PAGE_POSITIONS, half16, j, stored, lane,
                                             block.value[half16][j]);
}

/* Scores of 16 query rows against 32 positions. */
template <int KV, int DIM, bool CACHED, bool UPPER>
__device__ __forceinline__ void block_scores(const head_args &a, const uint64_t *pages, int kv_head,
                                             int base, const half *q, int lane,
                                             kv_block<DIM> &block, float score[4][4])
{
    typedef query_rows<DIM> Q;
    const int g = lane >> 2, t = lane & 3;

#pragma unroll
    for (int j = 0; j < DIM / 32; j++) {
        const int dim = (4 * j + t) * 8;
        uint4 *k = block.key[kv_block<DIM>::AHEAD ? j : 0];

        if (!kv_block<DIM>::AHEAD)
            load_keys<KV, DIM, CACHED>(head_page(a, pages, base, kv_head, false),
                                       base % PAGE_POSITIONS, j, lane, k);
#pragma unroll
        for (int plane = 0; plane < 2; plane++) {
            const uint4 q0 = *(const uint4 *)(q + plane * Q::PLANE + g * Q::STRIDE + dim);
            const uint4 q8 =
                UPPER ? *(const uint4 *)(q + plane * Q::PLANE + (g + 8) * Q::STRIDE + dim)
                      : make_uint4(0, 0, 0, 0);

#pragma unroll
            for (int i = 0; i < 4; i++) {
                mma_half(score[i], q0.x, q8.x, q0.y, q8.y, k[i].x, k[i].y);
                mma_half(score[i], q0.z, q8.z, q0.w, q8.w, k[i].z, k[i].w);
            }
        }
    }
}

/* Scores to weights against the largest so far; what was summed before is scaled to that. Row g
 * sees positions first[0] .. limit[0], row g + 8 those of index 1. */
template <int DIM>
__device__ __forceinline__ void block_softmax(const head_args &a, int base, const int first[2],
                                              const int limit[2], int lane, float score[4][4],
                                              softmax_state<DIM> &state)
{
    float now[2] = {state.most[0], state.most[1]};

#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
        for (int c = 0; c < 4; c++) {
            const int p = base + 8 * i + 2 * (lane & 3) + (c & 1), row = c >> 1;
            float s = score[i][c] * a.scale;

            if (a.softcap > 0)
                s = a.softcap * tanhf(s / a.softcap);
            s = p > limit[row] || p < first[row] ? -INFINITY : s * LOG2_E;
            score[i][c] = s;
            now[row] = fmaxf(now[row], s);
        }
#pragma unroll
    for (int row = 0; row < 2; row++) {
        now[row] = fmaxf(now[row], __shfl_xor_sync(ALL_LANES, now[row], 1));
        now[row] = fmaxf(now[row], __shfl_xor_sync(ALL_LANES, now[row], 2));
        /* A row that has seen nothing yet: any finite reference gives zeros. */
        const float reference = now[row] == -INFINITY ? 0.0f : now[row];
        const float old = exp2f(state.most[row] - reference);

        state.most[row] = now[row];
        now[row] = reference;
        state.total[row] *= old;
#pragma unroll
        for (int i = 0; i < DIM / 8; i++) {
            state.sum[i][2 * row] *= old;
            state.sum[i][2 * row + 1] *= old;
        }
    }
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
        for (int c = 0; c < 4; c++) {
            score[i][c] = exp2f(score[i][c] - now[c >> 1]);
            state.total[c >> 1] += score[i][c];
        }
}

/* Add the values, weighted. */
template <int KV, int DIM, bool CACHED, bool UPPER>
__device__ __forceinline__ void block_values(const head_args &a, const uint64_t *pages, int kv_head,
                                             int base, int stored, int lane, kv_block<DIM> &block,
                                             const float score[4][4], softmax_state<DIM> &state)
{
    enum { CHUNK = kv_block<DIM>::CHUNK };

#pragma unroll
    for (int half16 = 0; half16 < 2; half16++) {
        const float *low = score[2 * half16], *high = score[2 * half16 + 1];
        const uint32_t p0 = pack_half2(low[0], low[1]), p1 = UPPER ? pack_half2(low[2], low[3]) : 0;
        const uint32_t p2 = pack_half2(high[0], high[1]),
                       p3 = UPPER ? pack_half2(high[2], high[3]) : 0;

#pragma unroll
        for (int j = 0; j < kv_block<DIM>::PARTS; j++) {
            uint4 *v = block.value[kv_block<DIM>::AHEAD ? half16 : 0][kv_block<DIM>::AHEAD ? j : 0];

            if (!kv_block<DIM>::AHEAD)
                load_values<KV, DIM, CACHED>(head_page(a, pages, base, kv_head, true),
                                             base % PAGE_POSITIONS, half16, j, stored, lane, v);
#pragma unroll
            for (int e = 0; e < CHUNK; e++) {
                const uint32_t pick = (e & 1) ? 0x7632 : 0x5410;
                uint32_t w[4];

#pragma unroll
                for (int i = 0; i < 4; i++)
                    w[i] = e / 2 == 0 ? v[i].x : e / 2 == 1 ? v[i].y : e / 2 == 2 ? v[i].z : v[i].w;
                mma_half(state.sum[j * CHUNK + e], p0, p1, p2, p3, __byte_perm(w[0], w[1], pick),
                         __byte_perm(w[2], w[3], pick));
            }
        }
    }
}

/* Fold blocks base, base + step, .. below `end` in; positions after `last` hold nothing. */
template <int KV, int DIM, bool CACHED, bool UPPER>
__device__ __forceinline__ void attend(const head_args &a, const uint64_t *pages, int kv_head,
                                       int base, int end, int step, const int first[2],
                                       const int limit[2], int last, const half *q, int lane,
                                       softmax_state<DIM> &state)
{
    kv_block<DIM> block;

    if (base < end)
        load_block_keys<KV, DIM, CACHED>(a, pages, kv_head, base, lane, block);
    for (; base < end; base += step) {
        float score[4][4] = {};

        load_block_values<KV, DIM, CACHED>(a, pages, kv_head, base, last + 1 - base, lane, block);
        block_scores<KV, DIM, CACHED, UPPER>(a, pages, kv_head, base, q, lane, block, score);
        if (base + step < end)
            load_block_keys<KV, DIM, CACHED>(a, pages, kv_head, base + step, lane, block);
        block_softmax<DIM>(a, base, first, limit, lane, score, state);
        block_values<KV, DIM, CACHED, UPPER>(a, pages, kv_head, base, last + 1 - base, lane, block,
                                             score, state);
    }
}

template <int DIM> __device__ __forceinline__ void softmax_begin(softmax_state<DIM> &s)
{
    s.most[0] = s.most[1] = -INFINITY;
    s.total[0] = s.total[1] = 0;
#pragma unroll
    for (int i = 0; i < DIM / 8; i++)
        s.sum[i][0] = s.sum[i][1] = s.sum[i][2] = s.sum[i][3] = 0;
}

/* Totals were summed per lane. */
template <int DIM> __device__ __forceinline__ void softmax_end(softmax_state<DIM> &s)
{
#pragma unroll
    for (int row = 0; row < 2; row++) {
        s.total[row] += __shfl_xor_sync(ALL_LANES, s.total[row], 1);
        s.total[row] += __shfl_xor_sync(ALL_LANES, s.total[row], 2);
    }
}

/* Column of sum[i][c] for lane part t. */
template <int DIM> __device__ __forceinline__ int sum_column(int i, int c, int t)
{
    enum { CHUNK = kv_block<DIM>::CHUNK };

    return (8 * (i / CHUNK) + 2 * t + (c & 1)) * CHUNK + i % CHUNK;
}

/* The last block of a row and kv head to finish adds up the parts of all. */
template <int DIM>
__device__ __forceinline__ void merge_splits(const head_args &a, int row, int kv_head, int group,
                                             int active, int splits, float *weights)
{
    for (int h = threadIdx.x >> 5; h < group; h += blockDim.x >> 5) { /* a warp a head */
        const float *part =
            a.partial +
            ((size_t)row * a.n_heads + kv_head * group + h) * splits * (DIM + PART_EXTRA) + DIM;
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
        const float *part = a.partial + head * splits * (DIM + PART_EXTRA) + col;
        float4 v = make_float4(0, 0, 0, 0);

#pragma unroll 16
        for (int s = 0; s < active; s++) { /* many loads on their way at a time */
            const float4 in = __ldcg((const float4 *)(part + s * (DIM + PART_EXTRA)));
            const float w = weights[h * MAX_SPLITS + s];

            v.x = fmaf(w, in.x, v.x), v.y = fmaf(w, in.y, v.y);
            v.z = fmaf(w, in.z, v.z), v.w = fmaf(w, in.w, v.w);
        }
        *(float4 *)(a.out + head * DIM + col) = v;
    }
}

__device__ __forceinline__ void prefetch_block(const head_args &a, const uint8_t *page, int base,
                                               int lane)
{
    const int bytes = a.kv.head_bytes / PAGE_POSITIONS; /* of a position */
    const uint8_t *from = page + base % PAGE_POSITIONS * bytes;

    for (int i = lane * 128; i < BLOCK * bytes; i += 32 * 128)
        asm volatile("prefetch.global.L2 [%0];" ::"l"(from + i));
}

/* The group's queries into shared memory as two halves, normalised and rotated where that is still
 * to do; `newest`: this block also stores the row's key and value. `raw` has room for group + 2
 * heads. */
template <int DIM, bool UPPER>
__device__ __forceinline__ void prepare_rows(const head_args &a, const row_info &info, int row,
                                             int kv_head, int group, bool newest, half *q,
                                             float *raw)
{
    typedef query_rows<DIM> Q;
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    const int n_heads = a.store && newest ? group + 2 : group;
    const float *qkv = a.qkv + (size_t)row * (a.n_heads + 2 * a.n_kv_heads) * DIM;
    float2 turn[DIM / 64 + 1];

#pragma unroll
    for (int i = 0; i < DIM / 64 + 1; i++)
        if (a.store && lane + 32 * i < a.n_rot / 2)
            turn[i] = __ldcg(a.turns + (size_t)row * (a.n_rot / 2) + lane + 32 * i);
#pragma unroll 4
    for (int i = threadIdx.x; i < n_heads * (DIM / 4); i += blockDim.x) {
        const int h = i / (DIM / 4);
        const int head = h < group    ? kv_head * group + h
                         : h == group ? a.n_heads + kv_head
                                      : a.n_heads + a.n_kv_heads + kv_head;

        ((float4 *)raw)[i] = __ldcg((const float4 *)(qkv + (size_t)head * DIM) + i % (DIM / 4));
    }
    __syncthreads();
    for (int h = warp; h < n_heads; h += SPLIT_WARPS) {
        float *x = raw + h * DIM;

        if (a.store && h <= group)
            turn_head<DIM>(a, x, h < group ? a.q_norm : a.k_norm, turn, lane);
        if (h < group) {
            for (int i = lane; i < DIM; i += 32)
                Q::put(q, h, i, x[i]);
        } else {
            store_head(a, head_page(a, info.pages, info.position, kv_head, h > group),
                       info.position, x, lane);
        }
    }
    for (int h = group + warp; h < (UPPER ? 16 : 8); h += SPLIT_WARPS)
        for (int i = lane; i < DIM; i += 32)
            Q::put(q, h, i, 0);
    __syncthreads();
}

/* One row and kv head a block (and split of the positions): rotates the queries, and where asked
 * the key, which the block of the newest positions stores with the value. */
template <int KV, int DIM, bool UPPER>
__global__ __launch_bounds__(32 * SPLIT_WARPS,
                             2) void attention_split_kernel(const __grid_constant__ head_args a)
{
    extern __shared__ __align__(16) unsigned char raw[];
    typedef query_rows<DIM> Q;
    const int split = blockIdx.x, kv_head = blockIdx.y, row = blockIdx.z, splits = gridDim.x;
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, group = a.n_heads / a.n_kv_heads;
    half *q = (half *)raw;
    float *heads =
        (float *)(q + 2 * Q::PLANE); /* raw rows; then [SPLIT_WARPS][group][DIM + PART_EXTRA] */
    __shared__ unsigned last_one;

    pdl_launch();
    const row_info info = a.rows[row]; /* was there before the step's first kernel */
    const int position = info.position;
    const int first = a.window > 0 && position + 1 > a.window ? position + 1 - a.window : 0;
    const int blocks = position / BLOCK - first / BLOCK + 1;
    int each = (blocks + splits - 1) / splits;
    each = each < SPLIT_WARPS ? SPLIT_WARPS : each;
    const int active = (blocks + each - 1) / each;

    if (split >= active)
        return;
    const int base = (first / BLOCK + split * each + warp) * BLOCK;
    const int end = min(first / BLOCK + (split + 1) * each, position / BLOCK + 1) * BLOCK;
    if (base < end) { /* towards the caches, while the kernels before this one end */
        prefetch_block(a, head_page(a, info.pages, base, kv_head, false), base, lane);
        prefetch_block(a, head_page(a, info.pages, base, kv_head, true), base, lane);
    }
    pdl_wait();
    prepare_rows<DIM, UPPER>(a, info, row, kv_head, group, split == active - 1, q, heads);
    softmax_state<DIM> state;
    const int limit[2] = {position, position}, begin[2] = {first, first};

    softmax_begin(state);
    attend<KV, DIM, false, UPPER>(a, info.pages, kv_head, base, end, BLOCK * SPLIT_WARPS, begin,
                                  limit, position, q, lane, state);
    softmax_end(state);
    const int t = lane & 3;
#pragma unroll
    for (int r = 0; r < (UPPER ? 2 : 1); r++) {
        const int h = (lane >> 2) + 8 * r;
        float *to = heads + (warp * group + h) * (DIM + PART_EXTRA);

        if (h >= group)
            continue;
#pragma unroll
        for (int i = 0; i < DIM / 8; i++)
#pragma unroll
            for (int c = 0; c < 2; c++)
                to[sum_column<DIM>(i, c, t)] = state.sum[i][2 * r + c];
        if (t == 0)
            to[DIM] = state.most[r], to[DIM + 1] = state.total[r];
    }
    __syncthreads();
    for (int i = threadIdx.x; i < group * DIM; i += blockDim.x) {
        const int h = i / DIM, col = i % DIM;
        float most = -INFINITY, total = 0, v = 0;

#pragma unroll
        for (int w = 0; w < SPLIT_WARPS; w++)
            most = fmaxf(most, heads[(w * group + h) * (DIM + PART_EXTRA) + DIM]);
#pragma unroll
        for (int w = 0; w < SPLIT_WARPS; w++) {
            const float *of = heads + (w * group + h) * (DIM + PART_EXTRA);
            const float e = exp2f(of[DIM] - most);

            v += of[col] * e;
            total += of[DIM + 1] * e;
        }
        const size_t head = (size_t)row * a.n_heads + kv_head * group + h;
        if (active == 1) {
            a.out[head * DIM + col] = v / total;
        } else {
            float *part = a.partial + (head * splits + split) * (DIM + PART_EXTRA);

            part[col] = v;
            if (col == 0)
                part[DIM] = most, part[DIM + 1] = total;
        }
    }
    if (active == 1)
        return;
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0)
        last_one = atomicInc(a.arrived + row * a.n_kv_heads + kv_head, active - 1) == active - 1u;
    __syncthreads();
    if (last_one) {
        __threadfence();
        merge_splits<DIM>(a, row, kv_head, group, active, splits, heads);
    }
}

/* Four warps with 16 query rows each: row r of a span is head r % group of token r / group. */
template <int KV, int DIM>
__global__ __launch_bounds__(32 * WARPS,
                             2) void attention_tiles_kernel(const __grid_constant__ head_args a,
                                                            const query_tile *tiles)
{
    extern __shared__ __align__(16) unsigned char raw[];
    typedef query_rows<DIM> Q;
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, kv_head = blockIdx.y;
    const int group = a.n_heads / a.n_kv_heads;
    const query_tile tile = tiles[blockIdx.x];
    const int rows = tile.n_rows * group, row0 = tile.offset + 16 * warp;
    half *q = (half *)raw + warp * 2 * Q::PLANE;
    softmax_state<DIM> state;

    if (row0 >= rows)
        return;
    const int last_row = min(row0 + 15, rows - 1);
    const row_info info = a.rows[tile.first_row];
    for (int r = 0; r < 16; r++) {
        const int at = min(row0 + r, rows - 1), token = tile.first_row + at / group;
        const float *from =
            a.qkv +
            ((size_t)token * (a.n_heads + 2 * a.n_kv_heads) + kv_head * group + at % group) * DIM;

        for (int i = lane; i < DIM; i += 32)
            Q::put(q, r, i, __ldcg(from + i));
    }
    __syncwarp();
    int limit[2], first[2];
    for (int r = 0; r < 2; r++) {
        limit[r] = info.position + min(row0 + (lane >> 2) + 8 * r, rows - 1) / group;
        first[r] = a.window > 0 && limit[r] + 1 > a.window ? limit[r] + 1 - a.window : 0;
    }
    const int from = info.position + row0 / group, to = info.position + last_row / group;
    const int begin = a.window > 0 && from + 1 > a.window ? from + 1 - a.window : 0;

    softmax_begin(state);
    attend<KV, DIM, true, true>(a, info.pages, kv_head, begin / BLOCK * BLOCK, to + 1, BLOCK, first,
                                limit, to, q, lane, state);
    softmax_end(state);
#pragma unroll
    for (int r = 0; r < 2; r++) {
        const int at = row0 + (lane >> 2) + 8 * r;

        if (at >= rows)
            continue;
        float *out = a.out + ((size_t)(tile.first_row + at / group) * a.n_heads + kv_head * group +
                              at % group) *
                                 DIM;
#pragma unroll
        for (int i = 0; i < DIM / 8; i++)
#pragma unroll
            for (int c = 0; c < 2; c++)
                out[sum_column<DIM>(i, c, lane & 3)] = state.sum[i][2 * r + c] / state.total[r];
    }
}

template <int DIM> static int query_bytes(void)
{
    return 2 * query_rows<DIM>::PLANE * (int)sizeof(half);
}

template <int KV, int DIM>
static void split_launch(const launcher *l, const attention_job *job, int splits)
{
    const trueno_attention *f = &job->facts;
    int group = f->n_heads / f->n_kv_heads, heads = SPLIT_WARPS * group * (DIM + PART_EXTRA);
    int floats = heads > group * MAX_SPLITS ? heads : group * MAX_SPLITS;
    dim3 grid(splits, f->n_kv_heads, job->n);

    if (floats < SPLIT_WARPS * DIM)
        floats = SPLIT_WARPS * DIM;
    if (group > 8)
        LAUNCH(l, (attention_split_kernel<KV, DIM, true>), grid, 32 * SPLIT_WARPS,
               query_bytes<DIM>() + floats * 4, head_args_of(job));
    else
        LAUNCH(l, (attention_split_kernel<KV, DIM, false>), grid, 32 * SPLIT_WARPS,
               query_bytes<DIM>() + floats * 4, head_args_of(job));
}

template <int KV, int DIM>
static void tiles_launch(const launcher *l, const attention_job *job, const query_tile *tiles,
                         int n_tiles)
{
    launcher serial = *l;

    serial.dependent = false; /* reads pages through L1 */
    LAUNCH(&serial, (attention_tiles_kernel<KV, DIM>), dim3(n_tiles, job->facts.n_kv_heads),
           32 * WARPS, WARPS * query_bytes<DIM>(), head_args_of(job), tiles);
}

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

void launch_attention_split(const launcher *l, const attention_job *job, int splits)
{
#define ARGUMENTS (l, job, splits)
    if (job->kv.type == TRUENO_KV_F16)
        FOR_HEAD_DIMS(TRUENO_KV_F16, split_launch)
    else
        FOR_HEAD_DIMS(TRUENO_KV_Q8_0, split_launch)
#undef ARGUMENTS
}

void launch_attention_tiles(const launcher *l, const attention_job *job, const query_tile *tiles,
                            int n_tiles)
{
#define ARGUMENTS (l, job, tiles, n_tiles)
    if (job->kv.type == TRUENO_KV_F16)
        FOR_HEAD_DIMS(TRUENO_KV_F16, tiles_launch)
    else
        FOR_HEAD_DIMS(TRUENO_KV_Q8_0, tiles_launch)
#undef ARGUMENTS
}
