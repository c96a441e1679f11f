/* SPDX-License-Identifier: MIT */
/* How fast the device's memory can be read right now: the limit that decode is judged against. */
#include "internal.h"

enum { ROUNDS = 8, READ_THREADS = 512, BLOCKS_PER_SM = 4, UNROLL = 4 };
static const size_t MOST_BYTES = (size_t)1 << 30, LEAST_BYTES = (size_t)256 << 20;

/* The sum goes out where it is a value that the data do not give, so that the reads stay. */
__global__ __launch_bounds__(READ_THREADS) void read_kernel(const uint4 *data, size_t n,
                                                            uint32_t *sink)
{
    const size_t stride = (size_t)gridDim.x * blockDim.x;
    uint32_t sum = 0;

    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += UNROLL * stride) {
        uint4 v[UNROLL];

#pragma unroll
        for (int k = 0; k < UNROLL; k++)
            v[k] = i + k * stride < n ? __ldcs(data + i + k * stride) : uint4{};
#pragma unroll
        for (int k = 0; k < UNROLL; k++)
            sum |= v[k].x | v[k].y | v[k].z | v[k].w;
    }
    if (sum == 1)
        *sink = sum;
}

static trueno_status time_reads(cuda_backend *be, uint32_t *data, size_t bytes, double *gb_s,
                                trueno_error *err)
{
    cudaEvent_t begin = NULL, end = NULL;
    const int blocks = be->launch.n_sm * BLOCKS_PER_SM;
    cudaError_t code = cudaMemsetAsync(data, 0x55, bytes, be->stream);

    if (code == cudaSuccess)
        code = cudaEventCreate(&begin);
    if (code == cudaSuccess)
        code = cudaEventCreate(&end);
    for (int i = 0; i <= ROUNDS && code == cudaSuccess; i++) { /* the first is not counted */
        float ms = 0;

        (void)cudaEventRecord(begin, be->stream);
        read_kernel<<<blocks, READ_THREADS, 0, be->stream>>>((const uint4 *)data,
                                                             bytes / sizeof(uint4), data);
        (void)cudaEventRecord(end, be->stream);
        code = cudaEventSynchronize(end);
        if (code == cudaSuccess)
            code = cudaEventElapsedTime(&ms, begin, end);
        if (code == cudaSuccess && i > 0 && (double)bytes / ms * 1e-6 > *gb_s)
            *gb_s = (double)bytes / ms * 1e-6;
    }
    if (begin != NULL)
        (void)cudaEventDestroy(begin);
    if (end != NULL)
        (void)cudaEventDestroy(end);
    return cuda_check(code, "reading memory", err);
}

trueno_status cuda_bandwidth(trueno_backend *table, double *gb_s, trueno_error *err)
{
    cuda_backend *be = cuda_of(table);
    size_t bytes = MOST_BYTES, room = 0, total;
    void *data = NULL;
    trueno_status status;

    *gb_s = 0;
    status = cuda_check(cudaMemGetInfo(&room, &total), "asking for the device's memory", err);
    if (status < 0)
        return status;
    while (bytes > room / 2)
        bytes /= 2;
    bytes = bytes > LEAST_BYTES ? bytes : LEAST_BYTES;
    status = device_alloc(be, bytes, "readings of the memory's speed", &data, err);
    if (status < 0)
        return status;
    status = time_reads(be, (uint32_t *)data, bytes, gb_s, err);
    (void)cudaFree(data);
    return status;
}
