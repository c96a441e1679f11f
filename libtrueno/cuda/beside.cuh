/* SPDX-License-Identifier: MIT */
/* Kernels of one product's segments, side by side. */
#ifndef CUDA_BESIDE_CUH
#define CUDA_BESIDE_CUH

#include "device.cuh"
#include "kernels.h"

__device__ __forceinline__ void beside_begin(beside b)
{
    if (b != BESIDE_NEXT)
        pdl_launch();
}

__device__ __forceinline__ void beside_wait(beside b)
{
    if (b != BESIDE_PREVIOUS)
        pdl_wait();
    if (b == BESIDE_NEXT)
        pdl_launch();
}

__device__ __forceinline__ void beside_end(beside b)
{
    if (b == BESIDE_PREVIOUS)
        pdl_wait();
}

/* Of a segment behind one that is `previous`; `both`: it and the one behind it may run side by
 * side. */
static inline beside beside_of(beside previous, bool both)
{
    return previous == BESIDE_NEXT ? BESIDE_PREVIOUS : both ? BESIDE_NEXT : BESIDE_NONE;
}

#endif
