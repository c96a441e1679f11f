/* SPDX-License-Identifier: MIT */
/* Rounded rows that a block keeps in its shared memory, where all its warps read them. */
#ifndef CUDA_KEPT_ROWS_CUH
#define CUDA_KEPT_ROWS_CUH

#include "device.cuh"
#include "kernels.h"

/* Bytes of `rows` rounded rows with `groups` groups of 32 columns, as they lie in both memories:
 * planes, sums, scales. */
__host__ __device__ static inline int rounded_bytes(int groups, int rows)
{
    return groups * rows * (8 * (int)sizeof(uint2) + (int)sizeof(float2) + (int)sizeof(float));
}

/* A place for rounded rows in `memory`. */
__device__ __forceinline__ rounded_rows rounded_place(unsigned char *memory, int groups, int rows)
{
    rounded_rows to;

    to.planes = (uint2 *)memory;
    to.sums = (float2 *)(to.planes + groups * rows * 8);
    to.scale = (float *)(to.sums + groups * rows);
    to.stride = rows;
    return to;
}

/* By the first thread of a block, before a barrier. */
__device__ __forceinline__ void keep_rows_begin(uint64_t *bar)
{
#if __CUDA_ARCH__ >= 900
    asm volatile(
        "mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"((uint32_t)__cvta_generic_to_shared(bar))
        : "memory");
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}

#if __CUDA_ARCH__ >= 900
__device__ __forceinline__ void copy_kept(void *to, const void *from, int bytes, uint32_t bar)
{
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], "
                 "%2, [%3];" ::"r"((uint32_t)__cvta_generic_to_shared(to)),
                 "l"(from), "r"(bytes), "r"(bar)
                 : "memory");
}
#endif

/* Copy all of them; every thread of the block calls, `thread` of `threads`, and may read on return.
 */
__device__ __forceinline__ void keep_rows(const rounded_rows &from, const rounded_rows &to,
                                          int groups, uint64_t *bar, int thread, int threads)
{
    const int n = groups * to.stride;
#if __CUDA_ARCH__ >= 900
    const uint32_t address = (uint32_t)__cvta_generic_to_shared(bar);
    uint32_t ready = 0;

    (void)threads;
    if (thread == 0) {
        bulk_fence();
        asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(address),
                     "r"(rounded_bytes(groups, to.stride))
                     : "memory");
        copy_kept(to.planes, from.planes, n * 8 * (int)sizeof(uint2), address);
        copy_kept(to.sums, from.sums, n * (int)sizeof(float2), address);
        copy_kept(to.scale, from.scale, n * (int)sizeof(float), address);
    }
    while (!ready)
        asm volatile("{\n.reg .pred p;\nmbarrier.try_wait.parity.shared::cta.b64 p, [%1], 0;\n"
                     "selp.u32 %0, 1, 0, p;\n}"
                     : "=r"(ready)
                     : "r"(address)
                     : "memory");
#else
    (void)bar;
    for (int i = thread; i < n * 4; i += threads)
        ((uint4 *)to.planes)[i] = __ldcg((const uint4 *)from.planes + i);
    for (int i = thread; i < n; i += threads) {
        to.sums[i] = __ldcg(from.sums + i);
        to.scale[i] = __ldcg(from.scale + i);
    }
    __syncthreads();
#endif
}

#endif
