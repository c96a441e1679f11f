/* SPDX-License-Identifier: MIT */
/* Mixture of experts: choosing the experts of each row and adding up their outputs. */
#include "device.cuh"
#include "kernels.h"

/* A warp a row: the n_used largest of the softmax of the scores, lowest index on ties; the list is
 * put in the order of the experts, in which their outputs are added. */
__global__ void route_kernel(const float *router, int n_experts, int n_used, bool renormalize,
                             int32_t *ids, float *weights)
{
    const float *row = router + (size_t)blockIdx.x * n_experts;
    const int lane = threadIdx.x;
    float most = -INFINITY, total = 0, chosen = 0, last = INFINITY;
    int last_id = -1;

    pdl_launch();
    pdl_wait();
    for (int i = lane; i < n_experts; i += 32)
        most = fmaxf(most, __ldcg(row + i));
    most = warp_max(most);
    for (int i = lane; i < n_experts; i += 32)
        total += expf(__ldcg(row + i) - most);
    total = warp_sum(total);
    for (int k = 0; k < n_used; k++) {
        float best = -INFINITY;
        int id = n_experts;

        for (int i = lane; i < n_experts; i += 32) {
            float v = __ldcg(row + i);
            bool left = v < last || (v == last && i > last_id);

            if (left && (v > best || id == n_experts))
                best = v, id = i;
        }
        for (int m = 16; m > 0; m >>= 1) {
            float v = __shfl_xor_sync(ALL_LANES, best, m);
            int i = __shfl_xor_sync(ALL_LANES, id, m);

            if (i < n_experts && (id == n_experts || v > best || (v == best && i < id)))
                best = v, id = i;
        }
        last = best;
        last_id = id;
        const float p = expf(best - most) / total;
        chosen += p;
        if (lane == 0) {
            ids[blockIdx.x * n_used + k] =
                id < n_experts ? id : 0; /* scores that are not numbers */
            weights[blockIdx.x * n_used + k] = p;
        }
    }
    if (lane != 0)
        return;
    ids += blockIdx.x * n_used;
    weights += blockIdx.x * n_used;
    for (int k = 0; k < n_used; k++) {
        const int id = ids[k];
        const float p = renormalize ? weights[k] / chosen : weights[k];
        int at = k;

        for (; at > 0 && ids[at - 1] > id; at--)
            ids[at] = ids[at - 1], weights[at] = weights[at - 1];
        ids[at] = id;
        weights[at] = p;
    }
}

void launch_route(const launcher *l, const float *router, int n, int n_experts, int n_used,
                  bool renormalize, int32_t *ids, float *weights)
{
    LAUNCH(l, route_kernel, n, 32, 0, router, n_experts, n_used, renormalize, ids, weights);
}

__global__ void mix_kernel(const float *outputs, const float *weights, int n_used, int width,
                           float *y)
{
    const int c = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y;
    float sum = 0;

    pdl_launch();
    pdl_wait();
    if (c >= width)
        return;
    for (int k = 0; k < n_used; k++)
        sum = fmaf(__ldcg(weights + row * n_used + k),
                   __ldcg(outputs + ((size_t)row * n_used + k) * width + c), sum);
    y[(size_t)row * width + c] = sum;
}

void launch_mix(const launcher *l, const float *outputs, const float *weights, int n, int n_used,
                int width, float *y)
{
    LAUNCH(l, mix_kernel, dim3((width + 255) / 256, n), 256, 0, outputs, weights, n_used, width, y);
}
