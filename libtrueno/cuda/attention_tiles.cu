/* SPDX-License-Identifier: MIT */
/* Attention on the tensor cores: 16 query rows (heads of a group, or heads of several tokens) a
 * warp against 32 positions at a time, straight from the pages. Queries are two halves (sum of 22
 * bits), so that scores of large keys keep their digits; scores, softmax and sums are floats. */
#include "attention_tiles.cuh"

enum { WARPS = 4, BLOCK = 32 };

/* Running softmax of rows g and g + 8 of a warp's 16, scores in units of log 2. */
template <int DIM> struct softmax_state {
    float most[2], total[2], sum[DIM / 8][4];
};

/* Eight stored values from column `dim` on, at position `at` of a page, as halves; through L1, as
 * no kernel that may still run could have written them. */
template <int KV, int DIM>
__device__ __forceinline__ uint4 load_halves(const uint8_t *page, int at, int dim)
{
    if (KV == TRUENO_KV_F16)
        return *(const uint4 *)(page + ((size_t)at * DIM + dim) * 2);
    const uint2 q = *(const uint2 *)(page + at * DIM + dim);
    const half *s = (const half *)(page + PAGE_POSITIONS * DIM) + at * (DIM / 32) + dim / 32;

    return signed_halves(q, __half2float(*s));
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
template <int KV, int DIM>
__device__ __forceinline__ void load_keys(const uint8_t *keys, int at, int j, int lane, uint4 k[4])
{
#pragma unroll
    for (int i = 0; i < 4; i++)
        k[i] = load_halves<KV, DIM>(keys, at + 8 * i + (lane >> 2), (4 * j + (lane & 3)) * 8);
}

/* Columns (8 j + g) * CHUNK of the values at four positions of a half block; `stored` positions
 * from the block's first on hold something. */
template <int KV, int DIM>
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
            v[i] = load_halves<KV, DIM>(values, at + in, dim);
        else {
            const uint4 both = load_halves<KV, DIM>(values, at + in, dim & ~7);

            v[i].x = (dim & 4) ? both.z : both.x;
            v[i].y = (dim & 4) ? both.w : both.y;
        }
    }
}

template <int KV, int DIM>
__device__ __forceinline__ void load_block_keys(const head_args &a, const uint64_t *pages,
                                                int kv_head, int base, int lane,
                                                kv_block<DIM> &block)
{
    const uint8_t *keys = head_page(a, pages, base, kv_head, false);

    if (kv_block<DIM>::AHEAD)
#pragma unroll
        for (int j = 0; j < DIM / 32; j++)
            load_keys<KV, DIM>(keys, base % PAGE_POSITIONS, j, lane, block.key[j]);
}

template <int KV, int DIM>
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
                load_values<KV, DIM>(values, base % PAGE_POSITIONS, half16, j, stored, lane,
                                     block.value[half16][j]);
}

/* Scores of 16 query rows against 32 positions. */
template <int KV, int DIM>
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
            load_keys<KV, DIM>(head_page(a, pages, base, kv_head, false), base % PAGE_POSITIONS, j,
                               lane, k);
#pragma unroll
        for (int plane = 0; plane < 2; plane++) {
            const uint4 q0 = *(const uint4 *)(q + plane * Q::PLANE + g * Q::STRIDE + dim);
            const uint4 q8 = *(const uint4 *)(q + plane * Q::PLANE + (g + 8) * Q::STRIDE + dim);

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
template <int KV, int DIM>
__device__ __forceinline__ void block_values(const head_args &a, const uint64_t *pages, int kv_head,
                                             int base, int stored, int lane, kv_block<DIM> &block,
                                             const float score[4][4], softmax_state<DIM> &state)
{
    enum { CHUNK = kv_block<DIM>::CHUNK };

#pragma unroll
    for (int half16 = 0; half16 < 2; half16++) {
        const float *low = score[2 * half16], *high = score[2 * half16 + 1];
        const uint32_t p0 = pack_half2(low[0], low[1]), p1 = pack_half2(low[2], low[3]);
        const uint32_t p2 = pack_half2(high[0], high[1]), p3 = pack_half2(high[2], high[3]);

#pragma unroll
        for (int j = 0; j < kv_block<DIM>::PARTS; j++) {
            uint4 *v = block.value[kv_block<DIM>::AHEAD ? half16 : 0][kv_block<DIM>::AHEAD ? j : 0];

            if (!kv_block<DIM>::AHEAD)
                load_values<KV, DIM>(head_page(a, pages, base, kv_head, true),
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
template <int KV, int DIM>
__device__ __forceinline__ void attend(const head_args &a, const uint64_t *pages, int kv_head,
                                       int base, int end, int step, const int first[2],
                                       const int limit[2], int last, const half *q, int lane,
                                       softmax_state<DIM> &state)
{
    kv_block<DIM> block;

    if (base < end)
        load_block_keys<KV, DIM>(a, pages, kv_head, base, lane, block);
    for (; base < end; base += step) {
        float score[4][4] = {};

        load_block_values<KV, DIM>(a, pages, kv_head, base, last + 1 - base, lane, block);
        block_scores<KV, DIM>(a, pages, kv_head, base, q, lane, block, score);
        if (base + step < end)
            load_block_keys<KV, DIM>(a, pages, kv_head, base + step, lane, block);
        block_softmax<DIM>(a, base, first, limit, lane, score, state);
        block_values<KV, DIM>(a, pages, kv_head, base, last + 1 - base, lane, block, score, state);
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

/* The lane's columns of a head of a row; r: of the two rows that the lane has. */
template <int DIM>
__device__ __forceinline__ void put_sums(const head_args &a, int row, int head, int t, int r,
                                         const softmax_state<DIM> &state)
{
    const float factor = 1.0f / state.total[r];

#pragma unroll
    for (int i = 0; i < DIM / 8; i += 4)
#pragma unroll
        for (int c = 0; c < 2; c++) { /* four neighbouring columns */
            const int k = 2 * r + c;

            put_average(a, row, (head * DIM + sum_column<DIM>(i, c, t)) / 4,
                        make_float4(state.sum[i][k] * factor, state.sum[i + 1][k] * factor,
                                    state.sum[i + 2][k] * factor, state.sum[i + 3][k] * factor));
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
    attend<KV, DIM>(a, info.pages, kv_head, begin / BLOCK * BLOCK, to + 1, BLOCK, first, limit, to,
                    q, lane, state);
    softmax_end(state);
#pragma unroll
    for (int r = 0; r < 2; r++) {
        const int at = row0 + (lane >> 2) + 8 * r;

        if (at >= rows)
            continue;
        put_sums<DIM>(a, tile.first_row + at / group, kv_head * group + at % group, lane & 3, r,
                      state);
    }
}

template <int DIM> static int query_bytes(void)
{
    return 2 * query_rows<DIM>::PLANE * (int)sizeof(half);
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
