/* SPDX-License-Identifier: MIT */
/* The first kernel of a choice: a warp looks over a part of a row of logits. */
#include "choose.cuh"

enum { PART_WARPS = 8 };

__global__ __launch_bounds__(32 * PART_WARPS) void look_kernel(const choice_row *rows,
                                                               const float *logits, int width,
                                                               part_facts *facts)
{
    const int part = blockIdx.x * PART_WARPS + (threadIdx.x >> 5), lane = threadIdx.x & 31;
    const int each = (width + PARTS - 1) / PARTS, first = part * each,
              end = min(width, first + each);
    const float *row = logits + (size_t)blockIdx.y * width;
    part_facts f = {-INFINITY, -INFINITY, 0, 0};

    pdl_launch();
    pdl_wait();
    const choice_row &c = rows[blockIdx.y];

    if (c.top_k == 0)
        return;
    const bool changes = c.n_bias > 0 || c.n_recent > 0 || c.last != NULL;

    for (int from = first + lane; from < end; from += 32 * LOADS) {
        float now = f.largest;
        lane_logits v;

        if (v.load(c, row, from, end))
            f.bad = 1;
#pragma unroll
        for (int k = 0; k < LOADS; k++) {
            now = fmaxf(now, v.own[k]);
            if (changes && v.own[k] > -INFINITY)
                f.most = fmaxf(f.most, changed_logit(c, from + 32 * k, v.own[k]));
        }
        if (now == -INFINITY)
            continue;
        f.sum *= __expf(f.largest - now);
#pragma unroll
        for (int k = 0; k < LOADS; k++)
            f.sum += __expf(v.own[k] - now);
        f.largest = now;
    }
    const float largest = warp_largest(f.largest);

    f.sum = warp_sum(largest > -INFINITY ? f.sum * __expf(f.largest - largest) : 0.0f);
    f.largest = largest;
    f.most = changes ? warp_largest(f.most) : largest + 0.0f;
    f.bad = __any_sync(ALL_LANES, f.bad > 0) ? 1.0f : 0.0f;
    if (lane == 0)
        *(float4 *)&facts[(size_t)blockIdx.y * PARTS + part] =
            make_float4(f.most, f.largest, f.sum, f.bad);
}

void launch_look(const launcher *l, const choice_row *rows, const float *logits, int n, int width,
                 void *facts)
{
    LAUNCH(l, look_kernel, dim3(PARTS / PART_WARPS, n), 32 * PART_WARPS, 0, rows, logits, width,
           (part_facts *)facts);
}
