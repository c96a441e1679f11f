/* SPDX-License-Identifier: MIT */
/* One head of one row: norm, rotation, storing in the session's pages. A warp does it. */
#ifndef CUDA_HEADS_CUH
#define CUDA_HEADS_CUH

#include "device.cuh"
#include "kernels.h"

/* The numbers of an attention_job that device code needs. */
typedef struct head_args {
    int n_heads, n_kv_heads, head_dim, window;
    float scale, softcap, norm_eps;
    const float *q_norm, *k_norm;
    int rope_type, n_rot;
    kv_layout kv;
    const row_info *rows;
    const float2 *turns;
    float *qkv, *out, *partial;
    unsigned *arrived;
    float *log_sum_exp, *mean_score;
    ready_rows ready;
    bool store;
    int cluster; /* blocks that share their sums */
} head_args;

static inline head_args head_args_of(const attention_job *job)
{
    const trueno_attention *f = &job->facts;
    head_args a = {};

    a.n_heads = f->n_heads;
    a.n_kv_heads = f->n_kv_heads;
    a.head_dim = f->head_dim;
    a.window = f->window;
    a.scale = f->scale;
    a.softcap = f->softcap;
    a.norm_eps = f->qk_norm_eps;
    a.q_norm = f->q_norm;
    a.k_norm = f->k_norm;
    a.rope_type = f->rope.type;
    a.n_rot = f->rope.n_rot;
    a.kv = job->kv;
    a.rows = job->rows;
    a.turns = job->turns;
    a.qkv = job->qkv;
    a.out = job->out;
    a.partial = job->partial;
    a.arrived = job->arrived;
    a.log_sum_exp = job->log_sum_exp;
    a.mean_score = job->mean_score;
    a.ready = job->ready;
    a.store = job->store;
    return a;
}

/* to = rotation(norm(from)), from in global memory, to in shared memory, by one warp. */
__device__ __forceinline__ void prepare_head(const head_args &a, const float *from,
                                             const float *norm, const float2 *turns, float *to,
                                             int lane)
{
    float factor = 1;

    if (norm != NULL) {
        float square = 0;

        for (int i = lane; i < a.head_dim; i += 32) {
            float v = __ldcg(from + i);

            square = fmaf(v, v, square);
        }
        factor = 1.0f / sqrtf(warp_sum(square) / (float)a.head_dim + a.norm_eps);
    }
    auto value = [&](int i) {
        float v = __ldcg(from + i);

        return norm != NULL ? v * factor * norm[i] : v;
    };
    for (int i = lane; i < a.n_rot / 2; i += 32) {
        const int one = a.rope_type == TRUENO_ROPE_NEOX ? i : 2 * i;
        const int two = a.rope_type == TRUENO_ROPE_NEOX ? i + a.n_rot / 2 : 2 * i + 1;
        const float2 turn = __ldcg(turns + i);
        const float x = value(one), y = value(two);

        to[one] = x * turn.x - y * turn.y;
        to[two] = x * turn.y + y * turn.x;
    }
    for (int i = a.n_rot + lane; i < a.head_dim; i += 32)
        to[i] = value(i);
    __syncwarp();
}

/* A head's vector over a warp's registers, for a width that is known: pairs of columns that are
 * rotated together, lane + 32 i each; what is not rotated makes pairs of neighbours. */
template <int DIM> struct head_pairs {
    enum { PAIRS = (DIM / 2 + 31) / 32 };
    float2 v[PAIRS];

    /* f(pair, its columns, its numbers) */
    template <class F> __device__ __forceinline__ void each(const head_args &a, int lane, F f)
    {
        const int turned = a.n_rot / 2;

#pragma unroll
        for (int i = 0; i < PAIRS; i++) {
            const int pair = lane + 32 * i;
            const bool neox = a.rope_type == TRUENO_ROPE_NEOX && pair < turned;

            if (pair < DIM / 2)
                f(i, neox ? pair : 2 * pair, neox ? pair + turned : 2 * pair + 1, v[i]);
        }
    }

    __device__ __forceinline__ void load(const head_args &a, const float *from, int lane)
    {
        each(a, lane, [&](int, int one, int two, float2 &x) {
            x = make_float2(__ldcg(from + one), __ldcg(from + two));
        });
    }

    __device__ __forceinline__ void normalise(const head_args &a, const float *weight, int lane)
    {
        float square = 0;

        each(a, lane, [&](int, int, int, float2 &x) { square += x.x * x.x + x.y * x.y; });
        const float factor = 1.0f / sqrtf(warp_sum(square) / (float)DIM + a.norm_eps);

        each(a, lane, [&](int, int one, int two, float2 &x) {
            x = make_float2(x.x * factor * weight[one], x.y * factor * weight[two]);
        });
    }

    __device__ __forceinline__ void turn(const head_args &a, const float2 turns[PAIRS], int lane)
    {
        each(a, lane, [&](int i, int, int, float2 &x) {
            if (lane + 32 * i < a.n_rot / 2)
                x = make_float2(x.x * turns[i].x - x.y * turns[i].y,
                                x.x * turns[i].y + x.y * turns[i].x);
        });
    }
};

__device__ __forceinline__ uint8_t *head_page(const head_args &a, const uint64_t *pages,
                                              int position, int head, bool value)
{
    uint8_t *page = (uint8_t *)__ldg((const unsigned long long *)pages + position / PAGE_POSITIONS);

    return page + (value ? a.kv.value_offset : a.kv.key_offset) + (size_t)head * a.kv.head_bytes;
}

/* Store a head's vector (shared or global memory) at `position`, by one warp. `stored`, where not
 * NULL, gets what a reader of bytes will find (it may be `from`). */
__device__ __forceinline__ void store_head(const head_args &a, uint8_t *page, int position,
                                           const float *from, float *stored, int lane)
{
    const int at = position % PAGE_POSITIONS, dim = a.head_dim;

    if (a.kv.type == TRUENO_KV_F16) {
        for (int i = lane; i < dim; i += 32)
            ((half *)page)[at * dim + i] = __float2half(from[i]);
    } else if (a.kv.type == TRUENO_KV_F32) {
        for (int i = lane; i < dim; i += 32)
            ((float *)page)[at * dim + i] = from[i];
    } else {
        half *scales = (half *)(page + PAGE_POSITIONS * dim);

        for (int i = lane; i < dim; i += 32) { /* dim is a multiple of 32 */
            const float v = from[i], most = warp_max(fabsf(v));
            const int q = __float2int_rn(most > 0 ? v * (127.0f / most) : 0.0f);
            const half d = __float2half(most / 127.0f);

            ((signed char *)page)[at * dim + i] = (signed char)q;
            if (lane == 0)
                scales[at * (dim / 32) + i / 32] = d;
            if (stored != NULL)
                stored[i] = (float)q * __half2float(d);
        }
    }
}

#endif
