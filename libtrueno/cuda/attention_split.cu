/* SPDX-License-Identifier: MIT */
/* Attention of rows that are alone in their session, a block a row and kv head (and split of the
 * positions). Warps take 16 positions at a time: keys are the first operand of the matrix
 * instruction and up to eight heads its columns, so scores come with one position a lane and head
 * pair; transposed they are the second operand for the values. Stored keys and values are asked for
 * before the kernels before this one have ended: only the newest position comes from them. */
#include "attention_merge.cuh"

/* The group's queries into shared memory, normalised and rotated where that is still to do, a warp
 * a head; `newest`: this block also stores the row's key and value, and keeps what it stored in
 * `stored`, a vector each. */
template <int DIM, int HEADS>
__device__ __forceinline__ void prepare_rows(const head_args &a, const row_info &info, int row,
                                             int kv_head, int group, bool newest, half *q,
                                             float *stored)
{
    typedef query_rows<DIM, HEADS> Q;
    typedef head_pairs<DIM> P;
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = blockDim.x >> 5;
    const int n_heads = a.store && newest ? group + 2 : group;
    const float *qkv = a.qkv + (size_t)row * (a.n_heads + 2 * a.n_kv_heads) * DIM;
    float2 turns[P::PAIRS];

    auto vector = [&](int h) {
        const int head = h < group    ? kv_head * group + h
                         : h == group ? a.n_heads + kv_head
                                      : a.n_heads + a.n_kv_heads + kv_head;

        return qkv + (size_t)head * DIM;
    };
    P next;

    if (warp < n_heads)
        next.load(a, vector(warp), lane);
#pragma unroll
    for (int i = 0; i < P::PAIRS; i++)
        if (a.store && lane + 32 * i < a.n_rot / 2)
            turns[i] = __ldcg(a.turns + (size_t)row * (a.n_rot / 2) + lane + 32 * i);
#pragma unroll 1
    for (int h = warp; h < n_heads; h += warps) {
        P x = next;

        if (h + warps < n_heads) /* on its way meanwhile */
            next.load(a, vector(h + warps), lane);
        if (a.store && h <= group) {
            const float *norm = h < group ? a.q_norm : a.k_norm;

            if (norm != NULL)
                x.normalise(a, norm, lane);
            x.turn(a, turns, lane);
        }
        if (h < group) {
            x.each(a, lane, [&](int, int one, int two, float2 &v) {
                Q::put(q, h, one, v.x);
                Q::put(q, h, two, v.y);
            });
            continue;
        }
        float *to = stored + (h - group) * DIM;

        x.each(a, lane, [&](int, int one, int two, float2 &v) { to[one] = v.x, to[two] = v.y; });
        __syncwarp();
        store_head(a, head_page(a, info.pages, info.position, kv_head, h > group), info.position,
                   to, to, lane);
    }
    __syncthreads();
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
    float *stored = total + MOST_WARPS * HEADS, *gathered = stored + 2 * DIM;
    float *heads = gathered + gathered_floats<DIM>(group);
    __shared__ unsigned last_one;

    pdl_launch();
    const row_info info = a.rows[row]; /* was there before the step's first kernel */
    const int position = info.position;
    const int first = a.window > 0 && position + 1 > a.window ? position + 1 - a.window : 0;
    const int blocks = position / BLOCK - first / BLOCK + 1;
    int each = (blocks + splits - 1) / splits;
    each = each < warps ? warps : each;
    if (blocks > each * a.cluster && blocks <= ONE_CLUSTER * warps * a.cluster)
        each = (blocks + a.cluster - 1) / a.cluster; /* sooner than through the device's memory */
    const int active = (blocks + each - 1) / each;

    if (split >= active)
        return;
    const int cluster = a.cluster, parts = (active + cluster - 1) / cluster;
    const int alive = min(cluster, active - split / cluster * cluster);
    const bool newest = split == active - 1;

    if (alive > 1)
        cluster_arrive(); /* begun: others may write into our shared memory */
    for (int i = threadIdx.x; i < (HEADS - group) * DIM; i += blockDim.x)
        query_rows<DIM, HEADS>::put(q, group + i / DIM, i % DIM, 0);
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
    prepare_rows<DIM, HEADS>(a, info, row, kv_head, group, newest, q, stored);
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
            put_newest<DIM>(stored, stored + DIM, position - base, lane, tile);
        tile_scores<DIM, TILES>(tile, q, lane, score);
        if (next < end)
            load_keys<KV, DIM>(a, info.pages, kv_head, next, lane, tile);
        tile_softmax<DIM, TILES>(a, base, first, position, lane, score, state);
        tile_values<DIM, TILES>(tile, score, state);
        if (next < end)
            load_values<KV, DIM>(a, info.pages, kv_head, next, position, lane, tile);
    }
    put_sums<DIM, TILES>(state, group, heads, most, total);
    if (alive > 1)
        cluster_wait();
    __syncthreads();
    add_warps<DIM, HEADS>(a, row, kv_head, group, parts == 1, split / cluster, splits / cluster,
                          split % cluster, alive, heads, most, total, gathered);
    if (alive > 1) {
        cluster_arrive();
        cluster_wait();
        add_blocks<DIM>(a, row, kv_head, group, parts == 1, split / cluster, splits / cluster,
                        split % cluster, alive, gathered);
    }
    if (parts == 1)
        return;
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0)
        last_one = atomicInc(a.arrived + row * a.n_kv_heads + kv_head, active - 1) == active - 1u;
    __syncthreads();
    if (last_one) {
        __threadfence();
        merge_splits<DIM>(a, row, kv_head, group, parts, splits / cluster, heads);
    }
}

/* Blocks of a cluster; two find room together anyway. */
static int cluster_size(const launcher *l, int rows_and_heads, int splits)
{
    if (l->capability < 90 || (splits > 2 && !attention_has_clusters(l, rows_and_heads)))
        return 1;
    return splits < MOST_CLUSTER ? splits : (int)MOST_CLUSTER;
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
        floats += 2 * MOST_WARPS * 8 * TILES + 2 * DIM + gathered_floats<DIM>(group);
        shared = Q::BYTES + floats * (int)sizeof(float);
        warps /= 2;
    } while (shared + 64 > l->shared_bytes && warps > 0);
    head_args args = head_args_of(job);

    args.cluster = cluster_size(l, job->n * f->n_kv_heads, splits);
    LAUNCH_CLUSTERS(l, args.cluster, (attention_split_kernel<KV, DIM, TILES>),
                    dim3(splits, f->n_kv_heads, job->n), 32 * 2 * warps, shared, args);
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
