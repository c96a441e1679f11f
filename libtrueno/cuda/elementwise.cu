/* SPDX-License-Identifier: MIT */
/* Operations over row arrays that are no products: embedding, angles of rotations, norms,
 * activations, gather, argmax. */
#include "kernels.h"
#include "unpack.cuh"

enum { THREADS = 256 };

static int count_blocks(const launcher *l, size_t items)
{
    size_t blocks = (items + THREADS - 1) / THREADS;

    return blocks > (size_t)l->n_sm * 8 ? l->n_sm * 8 : (int)blocks;
}

__device__ __forceinline__ float plain_weight(int type, const uint8_t *row, int col)
{
    if (type == TRUENO_F32)
        return ((const float *)row)[col];
    if (type == TRUENO_F16)
        return __half2float(((const half *)row)[col]);
    return __uint_as_float((uint32_t)((const uint16_t *)row)[col] << 16);
}

/* The angle is a float product, as in the models' reference implementation; only its reduction to
 * one turn is done in double, since sincosf() is slow for large arguments. */
__device__ __forceinline__ void turn_row(const row_info *rows, int row, int i, const turn_job &job)
{
    const double turn = 6.283185307179586476925286766559;

    if (i >= job.n_pairs)
        return;
    double angle = (float)rows[row].position * job.frequency[i];
    float rest = (float)(angle - turn * rint(angle / turn)), s, c;

    sincosf(rest, &s, &c);
    job.turns[(size_t)row * job.n_pairs + i] = make_float2(c * job.magnitude, s * job.magnitude);
}

__global__ void turns_kernel(const row_info *rows, const turn_job job)
{
    pdl_launch();
    pdl_wait();
    turn_row(rows, blockIdx.y, blockIdx.x * blockDim.x + threadIdx.x, job);
}

static int turn_blocks(const turn_job *job)
{
    return (job->n_pairs + THREADS - 1) / THREADS;
}

void launch_turns(const launcher *l, const row_info *rows, int n, const turn_job *job)
{
    LAUNCH(l, turns_kernel, dim3(turn_blocks(job), n), THREADS, 0, rows, *job);
}

__device__ __forceinline__ void embed_row(const weight_segment &s, int cols, const row_info &info,
                                          float scale, int block, int blocks, float *x)
{
    const int token =
        info.token == TRUENO_TOKEN_CHOSEN ? __ldcg((const int32_t *)(info.pages - 1)) : info.token;
    const int row = token - s.first_row;

    if (row < 0 || row >= s.rows)
        return;
    const int unit_cols = s.row_bytes == 0 ? layout_get(s.type).steps * LAYOUT_STEP : 0;
    const int unit_bytes = s.row_bytes == 0 ? layout_get(s.type).unit_bytes : 0;
    for (int c = block * blockDim.x + threadIdx.x; c < cols; c += blocks * blockDim.x) {
        float w;

        if (s.row_bytes > 0) {
            w = plain_weight(s.type, s.data + (size_t)row * s.row_bytes, c);
        } else {
            size_t unit = (size_t)(row / LAYOUT_ROWS) * s.units + c / unit_cols;

            w = layout_weight(s.type, s.data + unit * unit_bytes, row % LAYOUT_ROWS, c % unit_cols);
        }
        x[c] = w * scale;
    }
}

/* The first `turn_blocks` blocks of a row have its angles. */
__global__ void embed_kernel(weight_segment s, int cols, const row_info *rows, float scale,
                             float *x, const turn_job job, int turn_blocks)
{
    const int row = blockIdx.y, block = (int)blockIdx.x - turn_blocks;

    pdl_launch();
    pdl_wait();
    if (block < 0)
        turn_row(rows, row, blockIdx.x * blockDim.x + threadIdx.x, job);
    else
        embed_row(s, cols, rows[row], scale, block, (int)gridDim.x - turn_blocks,
                  x + (size_t)row * cols);
}

void launch_embed(const launcher *l, const trueno_weight *w, const row_info *rows, int n,
                  float scale, float *x, const turn_job *turns)
{
    launcher serial = *l;

    /* The first kernel of a step: what earlier steps stored is there for all behind it. */
    serial.dependent = false;
    for (int i = 0; i < w->n_segments; i++) {
        int extra = i == 0 && turns != NULL ? turn_blocks(turns) : 0;

        LAUNCH(&serial, embed_kernel, dim3((w->cols + THREADS - 1) / THREADS + extra, n), THREADS,
               0, w->segment[i], w->cols, rows, scale, x, extra > 0 ? *turns : turn_job{}, extra);
    }
}

__global__ void norm_kernel(int kind, float eps, int width, const float *weight, const float *bias,
                            const float *x, float *y)
{
    __shared__ float scratch[32];
    const float *in = x + (size_t)blockIdx.x * width;
    float *out = y + (size_t)blockIdx.x * width, mean = 0, square = 0;

    pdl_launch();
    pdl_wait();
    if (kind == TRUENO_NORM_LAYER) {
        for (int i = threadIdx.x; i < width; i += blockDim.x)
            mean += __ldcg(in + i);
        mean = block_sum(mean, scratch) / (float)width;
    }
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
        float v = __ldcg(in + i) - mean;

        square = fmaf(v, v, square);
    }
    square = block_sum(square, scratch);
    const float factor = 1.0f / sqrtf(square / (float)width + eps);
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
        float v = (__ldcg(in + i) - mean) * factor * weight[i];

        out[i] = bias != NULL ? v + bias[i] : v;
    }
}

void launch_norm(const launcher *l, const trueno_norm *norm, const float *x, int n, float *y)
{
    LAUNCH(l, norm_kernel, n, THREADS, 0, (int)norm->kind, norm->eps, norm->width, norm->weight,
           norm->bias, x, y);
}

__global__ void glu_kernel(trueno_activation act, const float *gate_up, size_t items, int width,
                           float *y)
{
    pdl_launch();
    pdl_wait();
    for (size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x; i < items;
         i += (size_t)gridDim.x * blockDim.x) {
        const float *row = gate_up + i / width * 2 * width + i % width;

        y[i] = apply_activation(act, __ldcg(row)) * __ldcg(row + width);
    }
}

void launch_glu(const launcher *l, trueno_activation act, const float *gate_up, int n, int width,
                float *y)
{
    size_t items = (size_t)n * width;

    LAUNCH(l, glu_kernel, count_blocks(l, items), THREADS, 0, act, gate_up, items, width, y);
}

__global__ void activate_kernel(trueno_activation act, const float *x, size_t items, float *y)
{
    pdl_launch();
    pdl_wait();
    for (size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x; i < items;
         i += (size_t)gridDim.x * blockDim.x)
        y[i] = apply_activation(act, __ldcg(x + i));
}

void launch_activate(const launcher *l, trueno_activation act, const float *x, int n, int width,
                     float *y)
{
    size_t items = (size_t)n * width;

    LAUNCH(l, activate_kernel, count_blocks(l, items), THREADS, 0, act, x, items, y);
}

__global__ void add_kernel(const float *x, size_t items, float *y)
{
    pdl_launch();
    pdl_wait();
    for (size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x; i < items;
         i += (size_t)gridDim.x * blockDim.x)
        y[i] = __ldcg(y + i) + __ldcg(x + i);
}

void launch_add(const launcher *l, const float *x, int n, int width, float *y)
{
    size_t items = (size_t)n * width;

    LAUNCH(l, add_kernel, count_blocks(l, items), THREADS, 0, x, items, y);
}

__global__ void add_gated_kernel(const float *gate, const float *x, int width, float *y)
{
    const int c = blockIdx.x * blockDim.x + threadIdx.x;
    const size_t i = (size_t)blockIdx.y * width + c;

    pdl_launch();
    pdl_wait();
    if (c < width)
        y[i] = fmaf(1.0f / (1.0f + expf(-__ldcg(gate + blockIdx.y))), __ldcg(x + i), __ldcg(y + i));
}

void launch_add_gated(const launcher *l, const float *gate, const float *x, int n, int width,
                      float *y)
{
    const dim3 blocks((width + THREADS - 1) / THREADS, n);

    LAUNCH(l, add_gated_kernel, blocks, THREADS, 0, gate, x, width, y);
}

__global__ void gather_kernel(const float *x, const int32_t *rows, int width, float *y)
{
    pdl_launch();
    pdl_wait();
    const float *from = x + (size_t)rows[blockIdx.x] * width;

    for (int i = threadIdx.x; i < width; i += blockDim.x)
        y[(size_t)blockIdx.x * width + i] = __ldcg(from + i);
}

void launch_gather(const launcher *l, const float *x, const int32_t *rows, int n, int width,
                   float *y)
{
    LAUNCH(l, gather_kernel, n, THREADS, 0, x, rows, width, y);
}

__global__ void softcap_kernel(float cap, float *x, size_t items)
{
    pdl_launch();
    pdl_wait();
    for (size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x; i < items;
         i += (size_t)gridDim.x * blockDim.x)
        x[i] = cap * tanhf(__ldcg(x + i) / cap);
}

void launch_softcap(const launcher *l, float cap, float *x, int n, int width)
{
    size_t items = (size_t)n * width;

    LAUNCH(l, softcap_kernel, count_blocks(l, items), THREADS, 0, cap, x, items);
}

/* The better of two (value, index) pairs: larger value, lower index on ties; a NaN never wins. */
__device__ __forceinline__ float2 better(float2 a, float2 b)
{
    int ia = __float_as_int(a.y), ib = __float_as_int(b.y);

    return b.x > a.x || (b.x == a.x && ib < ia) ? b : a;
}

__device__ __forceinline__ float2 block_best(float2 best)
{
    __shared__ float2 shared[32];
    int warps = (int)(blockDim.x + 31) >> 5;

    for (int m = 16; m > 0; m >>= 1)
        best = better(best, make_float2(__shfl_xor_sync(ALL_LANES, best.x, m),
                                        __shfl_xor_sync(ALL_LANES, best.y, m)));
    if ((threadIdx.x & 31) == 0)
        shared[threadIdx.x >> 5] = best;
    __syncthreads();
    best = shared[0];
    for (int i = 1; i < warps; i++)
        best = better(best, shared[i]);
    return best;
}

__global__ void argmax_part_kernel(const float *logits, int width, float2 *scratch)
{
    const float *row = logits + (size_t)blockIdx.y * width;
    float2 best = make_float2(-INFINITY, __int_as_float(width));

    pdl_launch();
    pdl_wait();
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < width; i += gridDim.x * blockDim.x)
        best = better(best, make_float2(__ldcg(row + i), __int_as_float(i)));
    best = block_best(best);
    if (threadIdx.x == 0)
        scratch[blockIdx.y * ARGMAX_BLOCKS + blockIdx.x] = best;
}

__global__ void argmax_end_kernel(const float2 *scratch, int width, int32_t *ids)
{
    pdl_launch();
    pdl_wait();
    float2 best = block_best(__ldcg(scratch + blockIdx.x * ARGMAX_BLOCKS + threadIdx.x));
    int id = __float_as_int(best.y);

    if (threadIdx.x == 0)
        ids[blockIdx.x] = id < width ? id : 0; /* all NaN */
}

void launch_argmax(const launcher *l, const float *logits, int n, int width, float2 *scratch,
                   int32_t *ids)
{
    LAUNCH(l, argmax_part_kernel, dim3(ARGMAX_BLOCKS, n), THREADS, 0, logits, width, scratch);
    LAUNCH(l, argmax_end_kernel, n, ARGMAX_BLOCKS, 0, (const float2 *)scratch, width, ids);
}
