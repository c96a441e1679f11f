/* SPDX-License-Identifier: MIT */
/* F32 weights, and BF16 where the tensor cores do not know it, times one to eight rows. */
#include "matvec.cuh"
#include "matvec_table.h"

enum { PIECE_COLS = 512, PLAIN_WARPS = 16, PLAIN_WARPS_OF_ROW = 24 };

/* F32 or BF16 to floats, eight at a time. */
template <int TYPE> __device__ __forceinline__ void load8(const uint8_t *p, float v[8])
{
    if (TYPE == TRUENO_F32) {
        *(float4 *)v = *(const float4 *)p;
        *(float4 *)(v + 4) = *((const float4 *)p + 1);
    } else {
        const uint4 q = *(const uint4 *)p;
        const uint32_t w[4] = {q.x, q.y, q.z, q.w};

#pragma unroll
        for (int i = 0; i < 4; i++) {
            v[2 * i] = __uint_as_float(w[i] << 16);
            v[2 * i + 1] = __uint_as_float(w[i] & 0xffff0000u);
        }
    }
}

/* Mean and 1 / deviation of a row (mean 0 for RMS), for all threads of the block. */
__device__ __forceinline__ float2 norm_factors(int kind, float eps, const float *x, int width,
                                               float *scratch)
{
    float mean = 0, square = 0;

    if (kind == TRUENO_NORM_LAYER) {
        for (int i = threadIdx.x; i < width; i += blockDim.x)
            mean += __ldcg(x + i);
        mean = block_sum(mean, scratch) / (float)width;
    }
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
        float v = __ldcg(x + i) - mean;

        square = fmaf(v, v, square);
    }
    square = block_sum(square, scratch);
    return make_float2(mean, 1.0f / sqrtf(square / (float)width + eps));
}

/* F32, and BF16 where the tensor cores do not know it: a warp takes two rows (the two of a pair), a
 * piece of both at a time; floats times floats, so that any number of activation rows gives the
 * same bits. x is normalised into shared memory for one row, read as it is for several. */
template <int TYPE, int ROWS>
__global__ __launch_bounds__(32 * (ROWS == 1 ? PLAIN_WARPS_OF_ROW : PLAIN_WARPS),
                             1) void plain_kernel(const __grid_constant__ matvec_args a)
{
    extern __shared__ __align__(16) unsigned char shared[];
    constexpr int SIZE = TYPE == TRUENO_F32 ? 4 : 2, PIECE = PIECE_COLS * SIZE;
    const weight_segment &seg = a.segment[0];
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = blockDim.x >> 5;
    const int padded = seg.row_bytes / SIZE, step = gridDim.x * warps;
    const bool pair = a.pair_rows > 0;
    const int jobs = pair ? a.pair_rows : (seg.rows + 1) / 2;
    const uint8_t *weights = seg.data;
    float *xs = (float *)shared + 32;
    uint64_t *bars = (uint64_t *)(xs + (ROWS == 1 ? padded : 0)) + warp * a.slots;
    unsigned char *rest = (unsigned char *)(xs + (ROWS == 1 ? padded : 0)) + warps * a.slots * 8;
    int job = blockIdx.x * warps + warp, ask_job = job, ask_col = 0;
    warp_ring ring;

    pdl_launch();
    rest += (128 - (rest - shared) % 128) % 128;
    ring.begin(rest + (size_t)warp * a.slots * 2 * PIECE, bars, a.slots, 2 * PIECE, lane);
    if (a.expert != NULL) {
        pdl_wait();
        weights = (const uint8_t *)a.expert_data[__ldcg(a.expert + blockIdx.y)];
    }
    auto fetch = [&]() {
        const int one = pair ? ask_job : 2 * ask_job,
                  two = pair ? ask_job + a.pair_rows : 2 * ask_job + 1;
        const int left = (padded - ask_col) * SIZE, bytes = left < PIECE ? left : PIECE;
        const uint8_t *from = weights + (size_t)ask_col * SIZE;

        ring.ask(from + (size_t)one * seg.row_bytes, ask_job < jobs ? bytes : 0,
                 from + (size_t)(two < seg.rows ? two : one) * seg.row_bytes,
                 ask_job < jobs ? bytes : 0, lane);
        ask_col += PIECE_COLS;
        if (ask_col >= padded) {
            ask_col = 0;
            ask_job += step;
        }
    };
    for (int i = 0; i < a.slots; i++)
        fetch();
    pdl_wait();
    float factor = 1;
    if (ROWS == 1) {
        const float *x =
            a.x + (a.expert != NULL ? (size_t)(blockIdx.y / a.expert_shared) * a.cols : 0);
        const bool rms = a.norm_kind == TRUENO_NORM_RMS && a.norm_bias == NULL;
        float2 f = make_float2(0, 1);
        float square = 0;

        if (a.norm_kind >= 0 && !rms)
            f = norm_factors(a.norm_kind, a.norm_eps, x, a.cols, (float *)shared);
#pragma unroll 4
        for (int i = threadIdx.x; i < padded; i += blockDim.x) {
            float v = i < a.cols ? __ldcg(x + i) : 0.0f;

            square = fmaf(v, v, square);
            if (a.norm_kind >= 0 && i < a.cols) {
                v = (v - f.x) * f.y * a.norm_weight[i];
                if (a.norm_bias != NULL)
                    v += a.norm_bias[i];
            }
            xs[i] = v;
        }
        if (rms) /* its factor goes to the results, so that the row is read once */
            factor = rsqrtf(block_sum(square, (float *)shared) / (float)a.cols + a.norm_eps);
        else
            __syncthreads();
    }
    float *y = a.y + (a.expert != NULL ? (size_t)blockIdx.y * a.y_stride : 0);
    for (; job < jobs; job += step) {
        float sum[2][ROWS] = {};

        for (int col = 0; col < padded; col += PIECE_COLS) {
            const int left = (padded - col) * SIZE, bytes = left < PIECE ? left : PIECE;
            const uint8_t *piece = ring.wait();
            float w[PIECE_COLS / 256][2][8];

#pragma unroll
            for (int k = 0; k < PIECE_COLS / 256; k++)
                if ((256 * k + 8 * lane) * SIZE < bytes) {
                    load8<TYPE>(piece + (256 * k + 8 * lane) * SIZE, w[k][0]);
                    load8<TYPE>(piece + bytes + (256 * k + 8 * lane) * SIZE, w[k][1]);
                }
            ring.loaded();
            fetch();
#pragma unroll
            for (int k = 0; k < PIECE_COLS / 256; k++) {
                const int c = col + 256 * k + 8 * lane;

                if (c >= padded)
                    continue;
#pragma unroll
                for (int r = 0; r < ROWS; r++) {
                    float x[8];

                    if (ROWS == 1) {
                        *(float4 *)x = *(const float4 *)(xs + c);
                        *(float4 *)(x + 4) = *(const float4 *)(xs + c + 4);
                    } else {
                        const float *from = a.x + (size_t)(r < a.n ? r : 0) * a.cols;

#pragma unroll
                        for (int i = 0; i < 8; i++)
                            x[i] = c + i < a.cols ? from[c + i] : 0.0f;
                    }
#pragma unroll
                    for (int m = 0; m < 2; m++)
#pragma unroll
                        for (int i = 0; i < 8; i++)
                            sum[m][r] = fmaf(w[k][m][i], x[i], sum[m][r]);
                }
            }
        }
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            float v0 = warp_sum(sum[0][r]) * factor, v1 = warp_sum(sum[1][r]) * factor;

            if (r >= a.n)
                continue;
            if (pair) {
                if (lane == 0) {
                    if (a.bias != NULL)
                        v0 += a.bias[job], v1 += a.bias[a.pair_rows + job];
                    y[(size_t)r * a.y_stride + job] = apply_activation(a.activation, v0) * v1;
                }
            } else if (lane < 2 && 2 * job + lane < seg.rows) {
                float v = lane ? v1 : v0,
                      *to = y + (size_t)r * a.y_stride + seg.first_row + 2 * job + lane;

                if (a.bias != NULL)
                    v += a.bias[seg.first_row + 2 * job + lane];
                if (a.activate)
                    v = apply_activation(a.activation, v);
                *to = a.add ? __ldcg(to) + v : v;
            }
        }
    }
}

template <int TYPE> static matvec_fn plain_find(int rows)
{
    return rows == 1   ? plain_kernel<TYPE, 1>
           : rows <= 2 ? plain_kernel<TYPE, 2>
           : rows <= 4 ? plain_kernel<TYPE, 4>
                       : plain_kernel<TYPE, 8>;
}

void launch_plain(const launcher *l, matvec_args *a, int y_blocks)
{
    const weight_segment *s = &a->segment[0];
    int jobs = a->pair_rows > 0 ? a->pair_rows : (s->rows + 1) / 2, blocks;
    int size = s->type == TRUENO_F32 ? 4 : 2, piece = 2 * PIECE_COLS * size;
    int warps = a->n == 1 ? (int)PLAIN_WARPS_OF_ROW : (int)PLAIN_WARPS;
    int shared = 128 + (a->n == 1 ? s->row_bytes / size * (int)sizeof(float) : 0) + 256;
    matvec_fn fn =
        s->type == TRUENO_F32 ? plain_find<TRUENO_F32>(a->n) : plain_find<TRUENO_BF16>(a->n);

    while (warps > 4 && (jobs + warps - 1) / warps < l->n_sm)
        warps /= 2; /* few rows: on more processors */
    blocks = (jobs + warps - 1) / warps;
    if (blocks > l->n_sm)
        blocks = l->n_sm;
    a->slots = matvec_slots(l, warps, piece, shared, MOST_SLOTS);
    shared += warps * a->slots * (piece + 8);
    LAUNCH(l, fn, dim3(blocks, y_blocks), 32 * warps, shared, *a);
}
