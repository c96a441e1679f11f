/* SPDX-License-Identifier: MIT */
/* Small device functions that every kernel file uses: the matrix instructions, reductions over a
 * warp or a block, and programmatic dependent launch. */
#ifndef CUDA_DEVICE_CUH
#define CUDA_DEVICE_CUH

#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <stdint.h>
#include <trueno/backend.h>

#define ALL_LANES 0xffffffffu

/* Let the next kernel of the stream start; what it reads before pdl_wait() must not depend on us.
 */
__device__ __forceinline__ void pdl_launch(void)
{
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

/* Wait until the kernels before this one have ended and their stores can be seen. */
__device__ __forceinline__ void pdl_wait(void)
{
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

/* What kernels before this one stored may be copied in bulk: such copies see memory by another way
 * than loads and stores do. By the thread that asks for them, after pdl_wait(). */
__device__ __forceinline__ void bulk_fence(void)
{
#if __CUDA_ARCH__ >= 900
    asm volatile("fence.proxy.async.global;" ::: "memory");
#endif
}

__device__ __forceinline__ float warp_sum(float x)
{
    for (int m = 16; m > 0; m >>= 1)
        x += __shfl_xor_sync(ALL_LANES, x, m);
    return x;
}

__device__ __forceinline__ float warp_max(float x)
{
    for (int m = 16; m > 0; m >>= 1)
        x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, m));
    return x;
}

/* Sum over the block; every thread gets it. `scratch` has a float per warp and is free on return.
 */
__device__ __forceinline__ float block_sum(float x, float *scratch)
{
    int warps = (int)(blockDim.x + 31) >> 5;

    x = warp_sum(x);
    if ((threadIdx.x & 31) == 0)
        scratch[threadIdx.x >> 5] = x;
    __syncthreads();
    x = 0;
    for (int i = 0; i < warps; i++)
        x += scratch[i];
    __syncthreads();
    return x;
}

/* The rarer activations: one copy of their code, as what a kernel does once should be short. */
static __device__ __noinline__ float gelu(trueno_activation act, float x)
{
    if (act == TRUENO_GELU_TANH)
        return 0.5f * x * (1.0f + tanhf(0.79788456080286535588f * (x + 0.044715f * x * x * x)));
    return 0.5f * x * (1.0f + erff(x * 0.70710678118654752440f));
}

__device__ __forceinline__ float apply_activation(trueno_activation act, float x)
{
    return act == TRUENO_SILU ? __fdividef(x, 1.0f + __expf(-x)) : gelu(act, x);
}

/* c += a b for int8: a 16 x 16 (signed or not), b 16 x 8 signed. */
template <bool SIGNED>
__device__ __forceinline__ void mma_int8_k16(int c[4], uint32_t a0, uint32_t a1, uint32_t b)
{
#if __CUDA_ARCH__ >= 800
    if (SIGNED)
        asm("mma.sync.aligned.m16n8k16.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5}, {%6}, "
            "{%0,%1,%2,%3};"
            : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
            : "r"(a0), "r"(a1), "r"(b));
    else
        asm("mma.sync.aligned.m16n8k16.row.col.s32.u8.s8.s32 {%0,%1,%2,%3}, {%4,%5}, {%6}, "
            "{%0,%1,%2,%3};"
            : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
            : "r"(a0), "r"(a1), "r"(b));
#else
    if (SIGNED) {
        asm("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%0,%1}, {%2}, {%3}, {%0,%1};"
            : "+r"(c[0]), "+r"(c[1])
            : "r"(a0), "r"(b));
        asm("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%0,%1}, {%2}, {%3}, {%0,%1};"
            : "+r"(c[2]), "+r"(c[3])
            : "r"(a1), "r"(b));
    } else {
        asm("mma.sync.aligned.m8n8k16.row.col.s32.u8.s8.s32 {%0,%1}, {%2}, {%3}, {%0,%1};"
            : "+r"(c[0]), "+r"(c[1])
            : "r"(a0), "r"(b));
        asm("mma.sync.aligned.m8n8k16.row.col.s32.u8.s8.s32 {%0,%1}, {%2}, {%3}, {%0,%1};"
            : "+r"(c[2]), "+r"(c[3])
            : "r"(a1), "r"(b));
    }
#endif
}

/* The same with a 16 x 32, b 32 x 8. */
template <bool SIGNED>
__device__ __forceinline__ void mma_int8_k32(int c[4], const uint32_t a[4], uint32_t b0,
                                             uint32_t b1)
{
#if __CUDA_ARCH__ >= 800
    if (SIGNED)
        asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
            "{%8,%9}, "
            "{%0,%1,%2,%3};"
            : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
    else
        asm("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
            "{%8,%9}, "
            "{%0,%1,%2,%3};"
            : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
    mma_int8_k16<SIGNED>(c, a[0], a[1], b0);
    mma_int8_k16<SIGNED>(c, a[2], a[3], b1);
#endif
}

/* c += a b: halves in, floats out; a 16 x 16, b 16 x 8. */
__device__ __forceinline__ void mma_half(float c[4], uint32_t a0, uint32_t a1, uint32_t a2,
                                         uint32_t a3, uint32_t b0, uint32_t b1)
{
#if __CUDA_ARCH__ >= 800
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
        "{%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
#else
    asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, "
        "{%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a0), "r"(a1), "r"(b0));
    asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, "
        "{%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a2), "r"(a3), "r"(b1));
#endif
}

__device__ __forceinline__ uint32_t half2_bits(half2 h)
{
    return *reinterpret_cast<uint32_t *>(&h);
}

__device__ __forceinline__ half2 bits_half2(uint32_t u)
{
    return *reinterpret_cast<half2 *>(&u);
}

__device__ __forceinline__ uint32_t pack_half2(float low, float high)
{
    return half2_bits(__floats2half2_rn(low, high));
}

/* Loads of weights: read once, so they should not push other data out of the caches. */
__device__ __forceinline__ uint4 load_weights16(const void *p)
{
    return __ldcs((const uint4 *)p);
}

#endif
