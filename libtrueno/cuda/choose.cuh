/* SPDX-License-Identifier: MIT */
/* Logits as the host's sampler changes them, and what the two kernels that choose a token share. */
#ifndef CUDA_CHOOSE_CUH
#define CUDA_CHOOSE_CUH

#include "device.cuh"
#include "kernels.h"

enum {
    PARTS = CHOICE_PARTS,
    LOADS = 5 /* logits of a lane on their way at a time */
};

/* What a warp found in its part. */
struct part_facts {
    float most;         /* after bias and penalties */
    float largest, sum; /* of the model's own logits: sum of exp(logit - largest) */
    float bad;          /* a value that is not finite and not -infinity, else 0 */
};

static_assert(sizeof(part_facts) * PARTS == CHOICE_FACTS_BYTES, "kernels.h knows the size");

/* Floats in an order of unsigned numbers. */
__device__ __forceinline__ uint32_t ordered(float x)
{
    const uint32_t u = __float_as_uint(x);

    return u & 0x80000000u ? ~u : u | 0x80000000u;
}

__device__ __forceinline__ float unordered(uint32_t u)
{
    return __uint_as_float(u & 0x80000000u ? u & 0x7fffffffu : ~u);
}

/* The largest of a warp's numbers. */
__device__ __forceinline__ float warp_largest(float x)
{
#if __CUDA_ARCH__ >= 800
    return unordered(__reduce_max_sync(ALL_LANES, ordered(x)));
#else
    return warp_max(x);
#endif
}

/* Logit `id`, `v` by itself, after bias and penalties. */
__device__ __forceinline__ float changed_logit(const choice_row &c, int id, float v)
{
    for (int i = 0; i < c.n_bias; i++)
        if (c.bias[i].id == id)
            v += c.bias[i].bias;
    if (c.n_recent > 0 || c.last != NULL) {
        int count = 0;

        for (int i = 0; i < c.n_recent; i++)
            count += c.recent[i] == id;
        if (c.last != NULL)
            count += __ldcg(c.last) == id;
        if (count > 0) {
            v = v > 0 ? __fdiv_rn(v, c.repeat_penalty) : __fmul_rn(v, c.repeat_penalty);
            v = __fsub_rn(
                v, __fadd_rn(__fmul_rn(c.frequency_penalty, (float)count), c.presence_penalty));
        }
    }
    return v + 0.0f; /* one zero */
}

/* A lane's logits of a part, `from` + 32 k, all asked for before one is used. What may not be
 * chosen is -infinity. */
struct lane_logits {
    float own[LOADS];

    /* Returns whether one is a NaN or +infinity. */
    __device__ __forceinline__ bool load(const choice_row &c, const float *row, int from, int end)
    {
        uint8_t barred[LOADS] = {};
        bool bad = false;

#pragma unroll
        for (int k = 0; k < LOADS; k++) {
            own[k] = from + 32 * k < end ? __ldcg(row + from + 32 * k) : -INFINITY;
            if (c.forbidden != NULL && from + 32 * k < end)
                barred[k] = c.forbidden[from + 32 * k];
        }
#pragma unroll
        for (int k = 0; k < LOADS; k++) {
            const bool is_bad = !(own[k] < INFINITY);

            bad = bad || is_bad;
            own[k] = is_bad || barred[k] ? -INFINITY : own[k];
        }
        return bad;
    }
};

#endif
