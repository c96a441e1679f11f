/* SPDX-License-Identifier: MIT */
/* F16 and BF16 weights times one to eight rows on the tensor cores. A row of x is two numbers of
 * the weights' type (16 bits and more of each value), two columns of the matrix instruction; sums
 * are floats. Weights go straight to registers, 16 rows by 256 columns a warp, the next 128 columns
 * on their way while 128 are used; the first before the kernels before this one have ended. */
#include "matvec.cuh"
#include "matvec_table.h"
#include "rows.cuh"

#include <cuda_bf16.h>

enum { UNIT = 256 };

template <int TYPE>
__device__ __forceinline__ void mma_plain(float c[4], uint32_t a0, uint32_t a1, uint32_t a2,
                                          uint32_t a3, uint32_t b0, uint32_t b1)
{
    if (TYPE == TRUENO_F16)
        mma_half(c, a0, a1, a2, a3, b0, b1);
#if __CUDA_ARCH__ >= 800
    else
        asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
            "{%8,%9}, {%0,%1,%2,%3};"
            : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
            : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
#endif
}

/* v as the sum of two numbers of the type; four at a time. */
template <int TYPE> __device__ __forceinline__ void split_four(const float v[4], uint2 to[2])
{
    uint32_t high[2], low[2];

#pragma unroll
    for (int i = 0; i < 2; i++) {
        if (TYPE == TRUENO_F16) {
            const half2 h = __floats2half2_rn(v[2 * i], v[2 * i + 1]);
            const float2 f = __half22float2(h);

            high[i] = half2_bits(h);
            low[i] = pack_half2(v[2 * i] - f.x, v[2 * i + 1] - f.y);
        } else {
            const __nv_bfloat162 h = __floats2bfloat162_rn(v[2 * i], v[2 * i + 1]);
            const float2 f = __bfloat1622float2(h);
            const __nv_bfloat162 rest = __floats2bfloat162_rn(v[2 * i] - f.x, v[2 * i + 1] - f.y);

            high[i] = *(const uint32_t *)&h;
            low[i] = *(const uint32_t *)&rest;
        }
    }
    to[0] = make_uint2(high[0], high[1]);
    to[1] = make_uint2(low[0], low[1]);
}

/* Halves have a short range: the row is scaled by a power of two, undone at the end. */
template <int TYPE> __device__ __forceinline__ float row_scale(float most)
{
    if (TYPE != TRUENO_F16 || !(most > 1e-30f) || most > 3e38f)
        return 1.0f;
    return exp2f((float)(ilogbf(most) - 12));
}

/* A row of x, times the norm's weight if there is one, as two planes [2][stride] (columns up to
 * `padded`); returns its scale. All threads of the block; `scratch` has 64 floats. square gets the
 * sum of squares of x, the same in every thread. */
template <int TYPE>
__device__ __forceinline__ float split_row(const float *x, int cols, int padded,
                                           const float *norm_weight, float *scratch,
                                           uint16_t *planes, int stride, float *square)
{
    const row_norm norm = {norm_weight != NULL ? (int)TRUENO_NORM_RMS : -1, 0, 1, norm_weight,
                           NULL};
    row_quads<ROW_LOADS> in;
    float most = 0, sum = 0;

    in.begin(x, cols, padded);
    in.each([&](int quad, float4 v) {
        sum += (v.x * v.x + v.y * v.y) + (v.z * v.z + v.w * v.w);
        v = norm.apply(v, quad, cols);
        most = fmaxf(most, fmaxf(fmaxf(fabsf(v.x), fabsf(v.y)), fmaxf(fabsf(v.z), fabsf(v.w))));
    });
    const int lane = in.thread & 31, warps = in.threads >> 5;

    most = warp_max(most);
    sum = warp_sum(sum);
    if (lane == 0)
        scratch[in.thread >> 5] = most, scratch[32 + (in.thread >> 5)] = sum;
    __syncthreads();
    most = warp_max(lane < warps ? scratch[lane] : 0.0f);
    *square = warp_sum(lane < warps ? scratch[32 + lane] : 0.0f);
    const float scale = row_scale<TYPE>(most), inverse = 1.0f / scale;

    in.each([&](int quad, float4 of) {
        uint2 to[2];

        of = norm.apply(of, quad, cols);
        const float v[4] = {of.x * inverse, of.y * inverse, of.z * inverse, of.w * inverse};
        split_four<TYPE>(v, to);
        *(uint2 *)(planes + 4 * quad) = to[0];
        *(uint2 *)(planes + stride + 4 * quad) = to[1];
    });
    return scale;
}

/* Rows for the kernels of several: a block each. */
template <int TYPE>
__global__ __launch_bounds__(1024, 1) void split_rows_kernel(const float *x, int cols, int padded,
                                                             split_rows out)
{
    __shared__ float scratch[64];
    float square;

    pdl_launch();
    pdl_wait();
    const float scale =
        split_row<TYPE>(x + (size_t)blockIdx.x * cols, cols, padded, NULL, scratch,
                        out.planes + (size_t)blockIdx.x * 2 * out.stride, out.stride, &square);

    if (threadIdx.x == 0)
        out.scale[blockIdx.x] = scale;
}

/* 16 rows by 128 columns: rows g and g + 8, columns 32 c + 8 t .. + 7. */
struct half_unit {
    uint4 w[4][2];

    __device__ __forceinline__ void load(const uint8_t *const rows[2], int col, int padded)
    {
#pragma unroll
        for (int c = 0; c < 4; c++)
#pragma unroll
            for (int r = 0; r < 2; r++)
                w[c][r] = col + 32 * c < padded
                              ? load_weights16(rows[r] + (size_t)(col + 32 * c) * 2)
                              : make_uint4(0, 0, 0, 0);
    }

    template <int TYPE, int PASSES>
    __device__ __forceinline__ void multiply(const uint16_t *const x[PASSES], int col,
                                             float sum[PASSES][2][4]) const
    {
#pragma unroll
        for (int c = 0; c < 4; c++)
#pragma unroll
            for (int p = 0; p < PASSES; p++) {
                const uint4 b = *(const uint4 *)(x[p] + col + 32 * c);

                mma_plain<TYPE>(sum[p][c & 1], w[c][0].x, w[c][1].x, w[c][0].y, w[c][1].y, b.x,
                                b.y);
                mma_plain<TYPE>(sum[p][c & 1], w[c][0].z, w[c][1].z, w[c][0].w, w[c][1].w, b.z,
                                b.w);
            }
    }
};

/* As matvec_run(): threadIdx.y is a slice of the columns, threadIdx.z a group of warps that shares
 * row tiles. x is rounded up to whole units, so that only weights need a limit. */
template <int TYPE, int ROWS>
__global__ __launch_bounds__(512, 1) void half_kernel(const __grid_constant__ matvec_args a)
{
    extern __shared__ __align__(16) unsigned char shared[];
    constexpr int PASSES = ROWS / 4 > 0 ? ROWS / 4 : 1;
    const weight_segment &seg = a.segment[0];
    const int lane = threadIdx.x, g = lane >> 2, t = lane & 3;
    const int slice = threadIdx.y, slices = blockDim.y, group = threadIdx.z, groups = blockDim.z;
    const int second_tile = a.pair_rows / 16, step = gridDim.x * groups;
    const int jobs = second_tile > 0 ? second_tile : seg.tiles;
    const int padded = seg.row_bytes / 2, each = (seg.units + slices - 1) / slices;
    const int first_unit = slice * each, count = min(each, seg.units - first_unit);
    const uint8_t *weights = seg.data;
    float *scratch = (float *)shared, *partial = scratch + 64;
    uint16_t *planes = (uint16_t *)(partial + groups * slices * 4 * 16 * ROWS);
    const int stride = ROWS == 1 ? seg.units * UNIT + 32 : a.split.stride;
    half_unit part[2];

    auto load = [&](const unit_order &at, int h) {
        const int tile = at.job + (at.second ? second_tile : 0);
        const uint8_t *rows[2];

        if (at.job >= jobs)
            return;
        for (int r = 0; r < 2; r++) {
            const int row = tile * 16 + g + 8 * r;

            rows[r] = weights + (size_t)(row < seg.rows ? row : 0) * seg.row_bytes;
        }
        part[h].load(rows, (first_unit + at.unit) * UNIT + 128 * h + 8 * t, padded);
    };
    pdl_launch();
    if (a.expert != NULL) { /* depends on earlier kernels, so weights cannot be fetched ahead */
        pdl_wait();
        weights = (const uint8_t *)a.expert_data[__ldcg(a.expert + blockIdx.y)];
    }
    unit_order order = {count > 0 ? (int)blockIdx.x + (int)gridDim.x * group : jobs,
                        step,
                        second_tile,
                        0,
                        count,
                        false};

    load(order, 0);
    load(order, 1);
    order.next(1);
    pdl_wait();
    float factor = 1, scale[PASSES];
    const uint16_t *x[PASSES];
    if (ROWS == 1) {
        const float *row =
            a.x + (a.expert != NULL ? (size_t)(blockIdx.y / a.expert_shared) * a.cols : 0);
        float square;

        scale[0] =
            split_row<TYPE>(row, a.cols, seg.units * UNIT, a.norm_kind >= 0 ? a.norm_weight : NULL,
                            scratch, planes, stride, &square);
        if (a.norm_kind >= 0) /* RMS; its factor goes to the results */
            factor = rsqrtf(square / (float)a.cols + a.norm_eps);
        __syncthreads();
        x[0] = planes + (g & 1) * stride + 8 * t;
    } else {
#pragma unroll
        for (int p = 0; p < PASSES; p++) { /* columns 2 r and 2 r + 1 are row r */
            const int row = 4 * p + (g >> 1), mine = 4 * p + t;

            x[p] = a.split.planes + ((row < a.n ? row : 0) * 2 + (g & 1)) * (size_t)stride + 8 * t;
            scale[p] = __ldcg(a.split.scale + (mine < a.n ? mine : 0));
        }
    }
    float *y = a.y + (a.expert != NULL ? (size_t)blockIdx.y * a.y_stride : 0) + seg.first_row;
    const float *bias = a.bias != NULL ? a.bias + seg.first_row : NULL;
    float *parts = partial + group * 4 * slices * 16 * ROWS;
    int buffer = 0;

    for (int job = blockIdx.x + gridDim.x * group; job < jobs; job += step, buffer ^= 1) {
        float *mine = parts + (buffer * 2 * slices + slice) * 16 * ROWS, before = 0, bias_one = 0;

        if (ROWS == 1 && slice == 0 && lane < 16 && job * 16 + lane < seg.rows) {
            if (a.add) /* on their way meanwhile */
                before = __ldcg(y + job * 16 + lane);
            if (bias != NULL)
                bias_one = bias[job * 16 + lane];
        }
#pragma unroll 1
        for (int second = 0; second <= (second_tile > 0); second++, mine += slices * 16 * ROWS) {
            float sum[PASSES][2][4] = {};

#pragma unroll 1
            for (int i = 0; i < count; i++) {
                const int col = (first_unit + i) * UNIT;

                part[0].multiply<TYPE, PASSES>(x, col, sum);
                load(order, 0);
                part[1].multiply<TYPE, PASSES>(x, col + 128, sum);
                load(order, 1);
                order.next(1);
            }
#pragma unroll
            for (int p = 0; p < PASSES; p++)
#pragma unroll
                for (int r = 0; r < 2; r++)
                    if (ROWS > 1 || t == 0)
                        mine[(g + 8 * r) * ROWS + 4 * p + t] =
                            ((sum[p][0][2 * r] + sum[p][1][2 * r]) +
                             (sum[p][0][2 * r + 1] + sum[p][1][2 * r + 1])) *
                            scale[p];
        }
        group_barrier(group, slices * 32);
        finish_job<ROWS>(a, seg, parts + buffer * 2 * slices * 16 * ROWS, job, factor, before,
                         bias_one, bias, y);
    }
}

void launch_split_rows(const launcher *l, int type, const float *x, int n, int cols,
                       const split_rows *out)
{
    int padded = out->stride - 32;

    if (type == TRUENO_F16)
        LAUNCH(l, split_rows_kernel<TRUENO_F16>, n, row_threads(cols), 0, x, cols, padded, *out);
    else
        LAUNCH(l, split_rows_kernel<TRUENO_BF16>, n, row_threads(cols), 0, x, cols, padded, *out);
}

template <int TYPE> static matvec_fn of_rows(int rows)
{
    return rows == 1   ? half_kernel<TYPE, 1>
           : rows <= 4 ? half_kernel<TYPE, 4>
                       : half_kernel<TYPE, 8>;
}

matvec_fn matvec_half(int type, int rows)
{
    return type == TRUENO_F16 ? of_rows<TRUENO_F16>(rows) : of_rows<TRUENO_BF16>(rows);
}
