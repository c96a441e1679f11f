/* SPDX-License-Identifier: MIT */
/* Attention for any head width and storage type, one head of one row a block, in floats; rotation
 * and storing as a kernel of their own; the choice between the kernels. */
#include "attention_tiles.h"
#include "heads.cuh"

#include <limits.h>

enum { WARPS = 4, STORE_WARPS = 8, MOST_DIM_32 = 16 };

/* A warp has a head of a row. */
__global__ void rope_store_kernel(const __grid_constant__ head_args a)
{
    extern __shared__ float heads[];
    const int warp = threadIdx.x >> 5, h = blockIdx.x * STORE_WARPS + warp, row = blockIdx.y,
              lane = threadIdx.x & 31;
    const bool is_q = h < a.n_heads, is_value = h >= a.n_heads + a.n_kv_heads;
    const int kv_head = (h - a.n_heads) % a.n_kv_heads;
    float *x = a.qkv + ((size_t)row * (a.n_heads + 2 * a.n_kv_heads) + h) * a.head_dim,
          *head = heads + warp * a.head_dim;

    pdl_launch();
    pdl_wait();
    if (h >= a.n_heads + 2 * a.n_kv_heads)
        return;
    const row_info info = a.rows[row];

    if (!is_value)
        prepare_head(a, x, is_q ? a.q_norm : a.k_norm, a.turns + (size_t)row * (a.n_rot / 2), head,
                     lane);
    if (!is_value)
        for (int i = lane; i < a.head_dim; i += 32)
            x[i] = head[i];
    if (!is_q)
        store_head(a, head_page(a, info.pages, info.position, kv_head, is_value), info.position,
                   is_value ? x : head, NULL, lane);
}

void launch_rope_store(const launcher *l, const attention_job *job)
{
    const trueno_attention *f = &job->facts;

    int blocks = (f->n_heads + 2 * f->n_kv_heads + STORE_WARPS - 1) / STORE_WARPS;

    LAUNCH(l, rope_store_kernel, dim3(blocks, job->n), 32 * STORE_WARPS,
           STORE_WARPS * f->head_dim * sizeof(float), head_args_of(job));
}

__device__ __forceinline__ float stored_value(const head_args &a, const uint8_t *page, int at,
                                              int i)
{
    const int dim = a.head_dim;

    if (a.kv.type == TRUENO_KV_F16)
        return __half2float(__ldcg((const half *)page + at * dim + i));
    if (a.kv.type == TRUENO_KV_F32)
        return __ldcg((const float *)page + at * dim + i);
    return (float)__ldcg((const signed char *)page + at * dim + i) *
           __half2float(
               __ldcg((const half *)(page + PAGE_POSITIONS * dim) + at * (dim / 32) + i / 32));
}

/* A block has one head of one row; its warps take positions in turn and are merged at the end. */
__global__ void attention_any_kernel(const __grid_constant__ head_args a)
{
    extern __shared__ float shared[]; /* [WARPS][head_dim + 3] */
    const int h = blockIdx.x, row = blockIdx.y, lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    const int dim = a.head_dim, kv_head = h / (a.n_heads / a.n_kv_heads);
    const float *q = a.qkv + ((size_t)row * (a.n_heads + 2 * a.n_kv_heads) + h) * dim;
    float most = -INFINITY, total = 0, weighted = 0, qs[MOST_DIM_32], sum[MOST_DIM_32] = {};

    pdl_launch();
    pdl_wait();
    const row_info info = a.rows[row];
    const int first =
        a.window > 0 && info.position + 1 > a.window ? info.position + 1 - a.window : 0;

#pragma unroll
    for (int k = 0; k < MOST_DIM_32; k++)
        qs[k] = lane + 32 * k < dim ? __ldcg(q + lane + 32 * k) : 0.0f;
    for (int p = first + warp; p <= info.position; p += WARPS) {
        const uint8_t *key = head_page(a, info.pages, p, kv_head, false);
        const uint8_t *value = head_page(a, info.pages, p, kv_head, true);
        const int at = p % PAGE_POSITIONS;
        float s = 0;

#pragma unroll
        for (int k = 0; k < MOST_DIM_32; k++)
            if (lane + 32 * k < dim)
                s = fmaf(qs[k], stored_value(a, key, at, lane + 32 * k), s);
        s = warp_sum(s) * a.scale;
        if (a.softcap > 0)
            s = a.softcap * tanhf(s / a.softcap);
        const float now = fmaxf(most, s), old = expf(most - now), e = expf(s - now);

        most = now;
        total = total * old + e;
        weighted = weighted * old + e * s;
#pragma unroll
        for (int k = 0; k < MOST_DIM_32; k++)
            if (lane + 32 * k < dim)
                sum[k] = sum[k] * old + e * stored_value(a, value, at, lane + 32 * k);
    }
    float *mine = shared + warp * (dim + 3);
#pragma unroll
    for (int k = 0; k < MOST_DIM_32; k++)
        if (lane + 32 * k < dim)
            mine[lane + 32 * k] = sum[k];
    if (lane == 0)
        mine[dim] = most, mine[dim + 1] = total, mine[dim + 2] = weighted;
    __syncthreads();
    most = -INFINITY, total = 0, weighted = 0;
    for (int w = 0; w < WARPS; w++)
        most = fmaxf(most, shared[w * (dim + 3) + dim]);
    for (int w = 0; w < WARPS; w++) {
        const float *of = shared + w * (dim + 3) + dim;
        const float e = expf(of[0] - most);

        total += of[1] * e;
        weighted += of[2] * e;
    }
    for (int i = threadIdx.x; i < dim; i += blockDim.x) {
        float v = 0;

        for (int w = 0; w < WARPS; w++)
            v += shared[w * (dim + 3) + i] * expf(shared[w * (dim + 3) + dim] - most);
        a.out[((size_t)row * a.n_heads + h) * dim + i] = v / total;
    }
    if (threadIdx.x == 0 && a.log_sum_exp != NULL)
        a.log_sum_exp[row * a.n_heads + h] = most + logf(total);
    if (threadIdx.x == 0 && a.mean_score != NULL)
        a.mean_score[row * a.n_heads + h] = weighted / total;
}

/* The widths that have kernels; groups whose parts fit the shared memory of every device. */
bool attention_has_tiles(const trueno_attention *facts, int kv_type)
{
    int group = facts->n_heads / facts->n_kv_heads, dim = facts->head_dim;

    return kv_type != TRUENO_KV_F32 && group <= 16 && group * dim <= 2048 &&
           (dim == 64 || dim == 96 || dim == 128 || dim == 256);
}

bool attention_has_clusters(const launcher *l, int rows_and_heads)
{
    return l->capability >= 90 && rows_and_heads * MOST_CLUSTER <= l->n_sm;
}

/* As many as fill the device, but none without positions; a power of two or whole clusters. */
int attention_splits(const launcher *l, const trueno_attention *facts, int n, int longest)
{
    int most = 2 * l->n_sm / (facts->n_kv_heads * n), splits = 1;

    most = most > MAX_SPLITS ? (int)MAX_SPLITS : most;
    if (longest <= CLUSTER_POSITIONS && attention_has_clusters(l, facts->n_kv_heads * n))
        most = most > MOST_CLUSTER ? (int)MOST_CLUSTER : most; /* more would find nothing to do */
    while (2 * splits <= most && splits * SPLIT_POSITIONS < longest)
        splits *= 2;
    return splits;
}

size_t attention_scratch(const launcher *l, const trueno_attention *facts, int n)
{
    return (size_t)n * facts->n_heads * attention_splits(l, facts, n, INT_MAX) *
           (facts->head_dim + PART_EXTRA);
}

void launch_attention(const launcher *l, const attention_job *job)
{
    const trueno_attention *f = &job->facts;
    bool watched = job->log_sum_exp != NULL || job->mean_score != NULL;

    if (!watched && attention_has_tiles(f, job->kv.type)) {
        launch_attention_split(l, job, attention_splits(l, f, job->n, job->longest));
        return;
    }
    if (job->store)
        launch_rope_store(l, job);
    LAUNCH(l, attention_any_kernel, dim3(f->n_heads, job->n), 32 * WARPS,
           WARPS * (f->head_dim + 3) * sizeof(float), head_args_of(job));
}
