/* SPDX-License-Identifier: MIT */
/* Attention of rows that are alone in their session, a block a row and kv head (and split of the
 * positions). Warps take 16 positions at a time: keys are the first operand of the matrix
 * instruction and up to eight heads its columns, so scores come with one position a lane and head
 * pair; transposed they are the second operand for the values. Stored keys and values are asked for
 * before the kernels before this one have ended: only the newest position comes from them. */
#include "attention_tiles.cuh"

enum { BLOCK = 16, MOST_WARPS = 8, RAW_LOADS = 3 };

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

/* The group's queries into shared memory, normalised and rotated where that is still to do;
 * `newest`: this block also stores the row's key and value, and keeps what it stored behind the
 * queries' rows in `raw`, which has room for group + 2 heads. */
template <int DIM, int HEADS>
__device__ __forceinline__ void prepare_rows(const head_args &a, const row_info &info, int row,
                                             int kv_head, int group, bool newest, half *q,
                                             float *raw)
{
    typedef query_rows<DIM, HEADS> Q;
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = blockDim.x >> 5;
    const int n_heads = a.store && newest ? group + 2 : group;
    const float *qkv = a.qkv + (size_t)row * (a.n_heads + 2 * a.n_kv_heads) * DIM;
    float2 turn[DIM / 64 + 1];
    float4 in[RAW_LOADS];

#pragma unroll
    for (int i = 0; i < DIM / 64 + 1; i++)
        if (a.store && lane + 32 * i < a.n_rot / 2)
            turn[i] = __ldcg(a.turns + (size_t)row * (a.n_rot / 2) + lane + 32 * i);
    for (int first = threadIdx.x; first < n_heads * (DIM / 4); first += RAW_LOADS * blockDim.x) {
#pragma unroll
        for (int k = 0; k < RAW_LOADS; k++) {
            const int i = first + k * blockDim.x, h = i / (DIM / 4);
            const int head = h < group    ? kv_head * group + h
                             : h == group ? a.n_heads + kv_head
                                          : a.n_heads + a.n_kv_heads + kv_head;

            if (h < n_heads)
                in[k] = __ldcg((const float4 *)(qkv + (size_t)head * DIM) + i % (DIM / 4));
        }
#pragma unroll
        for (int k = 0; k < RAW_LOADS; k++)
            if (first + k * blockDim.x < n_heads * (DIM / 4))
                ((float4 *)raw)[first + k * blockDim.x] = in[k];
    }
    for (int i = threadIdx.x; i < (HEADS - group) * DIM; i += blockDim.x)
        Q::put(q, group + i / DIM, i % DIM, 0);
    __syncthreads();
    for (int h = warp; h < n_heads; h += warps) {
        float *x = raw + h * DIM;

        if (a.store && h <= group)
            turn_head<DIM>(a, x, h < group ? a.q_norm : a.k_norm, turn, lane);
        if (h < group) {
            for (int i = lane; i < DIM; i += 32)
                Q::put(q, h, i, x[i]);
        } else {
            store_head(a, head_page(a, info.pages, info.position, kv_head, h > group),
                       info.position, x, x, lane);
        }
    }
    __syncthreads();
}

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

/* The block's result: the row's, or its part of it. */
template <int DIM, int TILES>
__device__ __forceinline__ void write_sums(const head_args &a, int row, int kv_head, int group,
                                           bool whole, int split, int splits, const float *heads,
                                           const float *most, const float *total)
{
    const int warps = blockDim.x >> 5;

    for (int i = threadIdx.x; i < group * (DIM / 4); i += blockDim.x) {
        const int h = i / (DIM / 4), col = i % (DIM / 4) * 4;
        const size_t head = (size_t)row * a.n_heads + kv_head * group + h;
        float4 v = make_float4(0, 0, 0, 0);
        float all = 0;

        for (int w = 0; w < warps; w++) {
            const float4 of = *(const float4 *)(heads + (w * group + h) * (DIM + PART_EXTRA) + col);

            v = make_float4(v.x + of.x, v.y + of.y, v.z + of.z, v.w + of.w);
            all += total[w * 8 * TILES + h];
        }
        if (whole) {
            const float f = 1.0f / all;

            *(float4 *)(a.out + head * DIM + col) = make_float4(v.x * f, v.y * f, v.z * f, v.w * f);
            continue;
        }
        float *part = a.partial + (head * splits + split) * (DIM + PART_EXTRA);

        *(float4 *)(part + col) = v;
        if (col == 0) {
            float largest = -INFINITY;

            for (int w = 0; w < warps; w++)
                largest = fmaxf(largest, most[w * 8 * TILES + h]);
            *(float2 *)(part + DIM) = make_float2(largest, all);
        }
    }
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

template <int KV, int DIM, int TILES>
__global__ __launch_bounds__(
    32 * MOST_WARPS,
    DIM *TILES <= 128 ? 2 : 1) void attention_split_kernel(const __grid_constant__ head_args a)
{
    extern __shared__ __align__(16) unsigned char shared[];
    enum { HEADS = 8 * TILES };
    typedef query_rows<DIM, HEADS> Q;
    const int split = blockIdx.x, kv_head = blockIdx.y, row = blockIdx.z, splits = gridDim.x;
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = blockDim.x >> 5;
    const int group = a.n_heads / a.n_kv_heads;
    half *q = (half *)shared;
    float *most = (float *)(shared + Q::BYTES), *total = most + MOST_WARPS * HEADS;
    float *heads = total + MOST_WARPS * HEADS; /* at first raw rows */
    __shared__ unsigned last_one;

    pdl_launch();
    const row_info info = a.rows[row]; /* was there before the step's first kernel */
    const int position = info.position;
    const int first = a.window > 0 && position + 1 > a.window ? position + 1 - a.window : 0;
    const int blocks = position / BLOCK - first / BLOCK + 1;
    int each = (blocks + splits - 1) / splits;
    each = each < warps ? warps : each;
    const int active = (blocks + each - 1) / each;

    if (split >= active)
        return;
    const bool newest = split == active - 1;
    const int end = min(first / BLOCK + (split + 1) * each, position / BLOCK + 1) * BLOCK;
    int base = (first / BLOCK + split * each + warp) * BLOCK;
    kv_tile<DIM> tile;

    if (base < end && a.store) {
        load_keys<KV, DIM>(a, info.pages, kv_head, base, lane, tile);
        load_values<KV, DIM>(a, info.pages, kv_head, base, position, lane, tile);
    }
    pdl_wait();
    if (base < end && !a.store) {
        load_keys<KV, DIM>(a, info.pages, kv_head, base, lane, tile);
        load_values<KV, DIM>(a, info.pages, kv_head, base, position, lane, tile);
    }
    prepare_rows<DIM, HEADS>(a, info, row, kv_head, group, newest, q, heads);
    head_state<DIM, TILES> state;
#pragma unroll
    for (int n = 0; n < TILES; n++) {
        state.most[n][0] = state.most[n][1] = -INFINITY;
        state.total[n][0] = state.total[n][1] = 0;
#pragma unroll
        for (int i = 0; i < DIM / 16; i++)
            state.sum[n][i][0] = state.sum[n][i][1] = state.sum[n][i][2] = state.sum[n][i][3] = 0;
    }
#pragma unroll 1
    for (; base < end; base += BLOCK * warps) {
        const int next = base + BLOCK * warps;
        float score[TILES][4];

        if (a.store && base + BLOCK > position)
            put_newest<DIM>(heads + group * DIM, heads + (group + 1) * DIM, position - base, lane,
                            tile);
        tile_scores<DIM, TILES>(tile, q, lane, score);
        if (next < end)
            load_keys<KV, DIM>(a, info.pages, kv_head, next, lane, tile);
        tile_softmax<DIM, TILES>(a, base, first, position, lane, score, state);
        tile_values<DIM, TILES>(tile, score, state);
        if (next < end)
            load_values<KV, DIM>(a, info.pages, kv_head, next, position, lane, tile);
    }
    share_sums<DIM, TILES>(state, group, heads, most, total);
    write_sums<DIM, TILES>(a, row, kv_head, group, active == 1, split, splits, heads, most, total);
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

template <int KV, int DIM, int TILES>
static void split_launch(const launcher *l, const attention_job *job, int splits)
{
    typedef query_rows<DIM, 8 * TILES> Q;
    const trueno_attention *f = &job->facts;
    int group = f->n_heads / f->n_kv_heads, warps = MOST_WARPS, shared, floats;

    do { /* fewer warps where a block's shared memory does not hold the sums of all */
        floats = warps * group * (DIM + PART_EXTRA);
        if (floats < group * MAX_SPLITS)
            floats = group * MAX_SPLITS;
        if (floats < (group + 2) * DIM)
            floats = (group + 2) * DIM;
        shared = Q::BYTES + (floats + 2 * MOST_WARPS * 8 * TILES) * (int)sizeof(float);
        warps /= 2;
    } while (shared + 64 > l->shared_bytes && warps > 0);
    LAUNCH(l, (attention_split_kernel<KV, DIM, TILES>), dim3(splits, f->n_kv_heads, job->n),
           32 * 2 * warps, shared, head_args_of(job));
}

template <int KV, int DIM>
static void split_launch(const launcher *l, const attention_job *job, int splits)
{
    if (job->facts.n_heads / job->facts.n_kv_heads > 8)
        split_launch<KV, DIM, 2>(l, job, splits);
    else
        split_launch<KV, DIM, 1>(l, job, splits);
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
