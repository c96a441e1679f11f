/* SPDX-License-Identifier: MIT */
/* Packed weights times one row (rounded by the kernel itself, after a norm if asked) or up to eight
 * (rounded before). Activations are two int8 planes with a scale per 32 columns, sixteen bits in
 * all; products are exact integers; the order of the float sums depends on the shape of the matrix
 * alone, so a row's result is the same bits for any number of rows beside it. */
#ifndef CUDA_MATVEC_CUH
#define CUDA_MATVEC_CUH

#include "kernels.h"
#include "ring.cuh"
#include "unpack.cuh"

enum { MOST_WARPS = 24 };

typedef struct matvec_args {
    weight_segment segment[2];
    int blocks[2]; /* of the grid, per segment */
    int cols;
    int slots;          /* of every warp's ring */
    int piece_units[2]; /* in a slot, per segment */
    int n, y_stride;
    const float *x; /* one row */
    int norm_kind;  /* -1: none */
    float norm_eps;
    const float *norm_weight, *norm_bias;
    rounded_rows rounded; /* several rows */
    split_rows split;
    const float *bias;
    float *y;
    bool add, activate;
    int pair_rows;
    trueno_activation activation;
    const int32_t *expert; /* NULL: none; else block row y multiplies data[expert[y]] */
    const uint64_t *expert_data;
    int expert_shared; /* block rows that share a row of x */
} matvec_args;

/* Round four values of a group of 32 that eight neighbouring lanes share. */
__device__ __forceinline__ void round_quad(const float v[4], uint32_t *high, uint32_t *low,
                                           float *scale, float *sum)
{
    float most = fmaxf(fmaxf(fabsf(v[0]), fabsf(v[1])), fmaxf(fabsf(v[2]), fabsf(v[3])));
    float total = (v[0] + v[1]) + (v[2] + v[3]);
    int q[4];

#pragma unroll
    for (int m = 1; m < 8; m <<= 1) {
        most = fmaxf(most, __shfl_xor_sync(ALL_LANES, most, m));
        if (m < 4)
            total += __shfl_xor_sync(ALL_LANES, total, m);
    }
    const float inverse = most > 1e-30f ? __fdividef(32512.0f, fminf(most, 1e37f)) : 0.0f;
#pragma unroll
    for (int i = 0; i < 4; i++)
        q[i] = __float2int_rn(v[i] * inverse) + 128; /* high byte: rounded; low byte: rest + 128 */
    *high = __byte_perm(__byte_perm(q[0], q[1], 0x0051), __byte_perm(q[2], q[3], 0x0051), 0x5410);
    *low = __byte_perm(__byte_perm(q[0], q[1], 0x0040), __byte_perm(q[2], q[3], 0x0040), 0x5410) ^
           0x80808080u;
    *scale = most * (1.0f / 32512.0f);
    *sum = total;
}

/* The row of a kernel that has one: as round_rows_kernel(), but an RMS norm's factor is left out
 * (it goes to the results), so that the row is read once. What is constant is read before the
 * kernels before this one have ended. Leaves the sum of squares in scratch[warp]. */
__device__ __forceinline__ void round_single_row(const float *x, int cols, int padded,
                                                 const float *norm_weight, float *scratch,
                                                 const rounded_rows &to)
{
    constexpr int AT_ONCE = 6;
    const int threads = blockDim.x * blockDim.y * blockDim.z;
    const int thread = (threadIdx.z * blockDim.y + threadIdx.y) * 32 + threadIdx.x;
    float4 weight[AT_ONCE];
    float square = 0;

    if (norm_weight != NULL)
#pragma unroll
        for (int i = 0; i < AT_ONCE; i++) {
            const int quad = thread + i * threads;

            if (quad < cols / 4)
                weight[i] = ((const float4 *)norm_weight)[quad];
        }
    pdl_wait();
    for (int first = thread; (first & ~31) < padded / 4; first += AT_ONCE * threads) {
        float4 in[AT_ONCE];

#pragma unroll
        for (int i = 0; i < AT_ONCE; i++) {
            const int quad = first + i * threads;

            in[i] = quad < cols / 4 ? __ldcg((const float4 *)x + quad) : make_float4(0, 0, 0, 0);
        }
        if (norm_weight != NULL && first >= AT_ONCE * threads)
#pragma unroll
            for (int i = 0; i < AT_ONCE; i++) {
                const int quad = first + i * threads;

                if (quad < cols / 4)
                    weight[i] = ((const float4 *)norm_weight)[quad];
            }
#pragma unroll
        for (int i = 0; i < AT_ONCE; i++) {
            const int quad = first + i * threads, group = quad >> 3, h = quad >> 2 & 1,
                      t = quad & 3;
            float v[4] = {in[i].x, in[i].y, in[i].z, in[i].w}, d, sum;
            uint32_t high, low;

            if ((quad & ~31) >= padded / 4)
                break;
            if (norm_weight != NULL) {
                square += (v[0] * v[0] + v[1] * v[1]) + (v[2] * v[2] + v[3] * v[3]);
                if (quad < cols / 4)
                    v[0] *= weight[i].x, v[1] *= weight[i].y, v[2] *= weight[i].z,
                        v[3] *= weight[i].w;
            }
            round_quad(v, &high, &low, &d, &sum);
            uint32_t *words = (uint32_t *)(to.planes + group * 8);

            words[2 * t + h] = high;
            words[8 + 2 * t + h] = low;
            if (t == 0) {
                ((float *)(to.sums + group))[h] = sum;
                if (h == 0)
                    to.scale[group] = d;
            }
        }
    }
    square = warp_sum(square);
    if (threadIdx.x == 0)
        scratch[thread >> 5] = square;
}

/* y += scale d v - minimum sum, for one (weight row, activation row, group of 32). */
template <class U>
__device__ __forceinline__ void accumulate(const int v[U::PARTS][2], const float scale[U::PARTS],
                                           const float minimum[U::PARTS], float d, float2 sums,
                                           float *y)
{
#pragma unroll
    for (int part = 0; part < U::PARTS; part++) {
        const float exact = (float)(v[part][0] * 256 + v[part][1]) * d;

        *y = fmaf(scale[part], exact, *y);
        if (U::MINIMA)
            *y = fmaf(-minimum[part], U::SIXTEENS ? (part ? sums.y : sums.x) : sums.x + sums.y, *y);
    }
}

template <class U>
__device__ __forceinline__ void multiply(int c[U::PARTS][4], const uint32_t a[4], uint2 b)
{
    if (U::SIXTEENS) {
        mma_int8_k16<U::SIGNED>(c[0], a[0], a[1], b.x);
        mma_int8_k16<U::SIGNED>(c[U::PARTS - 1], a[2], a[3], b.y);
    } else {
        mma_int8_k32<U::SIGNED>(c[0], a, b.x, b.y);
    }
}

/* One row: column 2 j + plane of the operand is group j, zero in the products of other groups, so
 * that four products share an accumulator and every lane scales one group. y: rows g and g + 8. */
template <class U>
__device__ __forceinline__ void unit_one_row(const U &w, int unit, const rounded_rows &x, int lane,
                                             float y[2])
{
    const int g = lane >> 2, t = lane & 3, mine = g >> 1, plane = g & 1;

#pragma unroll
    for (int step = 0; step < U::STEPS; step++) {
        const int group = (unit * U::STEPS + step) * 4;
        const uint2 b = x.planes[((group + mine) * 2 + plane) * 4 + t];
        int c[U::PARTS][4] = {};
        float scale[2][U::PARTS], minimum[2][U::PARTS];

#pragma unroll
        for (int s = 0; s < 4; s++) {
            uint32_t a[4];

            w.operand(step, s, a);
            multiply<U>(c, a, mine == s ? b : make_uint2(0, 0));
        }
        w.scales(step, lane, scale, minimum);
        const float d = x.scale[group + t];
        const float2 sums = U::MINIMA ? x.sums[group + t] : make_float2(0, 0);
#pragma unroll
        for (int row = 0; row < 2; row++) {
            int v[U::PARTS][2];

            for (int part = 0; part < U::PARTS; part++)
                v[part][0] = c[part][2 * row], v[part][1] = c[part][2 * row + 1];
            accumulate<U>(v, scale[row], minimum[row], d, sums, &y[row]);
        }
    }
}

/* Up to four rows a pass: column 2 r + plane is row r; lane t scales row t (and t + 4). y[pass][row
 * of the weights][group of the step], in sums as unit_one_row's lanes have them. */
template <class U, int PASSES>
__device__ __forceinline__ void unit_rows(const U &w, int unit, const rounded_rows &x, int lane,
                                          float y[PASSES][2][4])
{
    const int g = lane >> 2, t = lane & 3;

#pragma unroll
    for (int step = 0; step < U::STEPS; step++) {
        float scale[2][U::PARTS], minimum[2][U::PARTS];

        w.scales(step, lane, scale, minimum);
#pragma unroll
        for (int s = 0; s < 4; s++) {
            const int group = (unit * U::STEPS + step) * 4 + s;
            float group_scale[2][U::PARTS], group_minimum[2][U::PARTS];
            uint32_t a[4];

            w.operand(step, s, a);
#pragma unroll
            for (int row = 0; row < 2; row++)
#pragma unroll
                for (int part = 0; part < U::PARTS; part++) {
                    group_scale[row][part] =
                        __shfl_sync(ALL_LANES, scale[row][part], (lane & ~3) | s);
                    if (U::MINIMA)
                        group_minimum[row][part] =
                            __shfl_sync(ALL_LANES, minimum[row][part], (lane & ~3) | s);
                }
#pragma unroll
            for (int pass = 0; pass < PASSES; pass++) {
                const int at = group * 4 * PASSES + 4 * pass;
                const uint2 b = x.planes[(size_t)(at * 2 + g) * 4 + t];
                const float d = x.scale[at + t];
                const float2 sums = U::MINIMA ? x.sums[at + t] : make_float2(0, 0);
                int c[U::PARTS][4] = {};

                multiply<U>(c, a, b);
#pragma unroll
                for (int row = 0; row < 2; row++) {
                    int v[U::PARTS][2];

                    for (int part = 0; part < U::PARTS; part++)
                        v[part][0] = c[part][2 * row], v[part][1] = c[part][2 * row + 1];
                    accumulate<U>(v, group_scale[row], group_minimum[row], d, sums,
                                  &y[pass][row][s]);
                }
            }
        }
    }
}

__device__ __forceinline__ void group_barrier(int group, int threads)
{
    asm volatile("bar.sync %0, %1;" ::"r"(group + 1), "r"(threads) : "memory");
}

/* Which units a warp asks for: its slice of row tiles of its group (both tiles of a pair in turn),
 * a piece at a time. Apart from the loops that use the units, which come later. */
struct unit_order {
    int job, step, second_tile; /* second_tile: of a pair, in tiles; 0: no pair */
    int unit, count;            /* of the slice */
    bool second;

    __device__ __forceinline__ void next(int units)
    {
        unit += units;
        if (unit < count)
            return;
        unit = 0;
        second = second_tile > 0 && !second;
        if (!second)
            job += step;
    }
};

/* Sum of the slices' parts of one value, even slices and odd ones apart. */
template <int ROWS> __device__ __forceinline__ float sum_slices(const float *parts, int slices)
{
    float even = 0, odd = 0;
    int i = 0;

#pragma unroll 3
    for (; i + 1 < slices; i += 2) {
        even += parts[i * 16 * ROWS];
        odd += parts[(i + 1) * 16 * ROWS];
    }
    if (i < slices)
        even += parts[i * 16 * ROWS];
    return even + odd;
}

/* What the warps of a group do when all parts of a row tile (pair) are there. */
template <int ROWS>
__device__ __forceinline__ void finish_job(const matvec_args &a, const weight_segment &seg,
                                           const float *parts, int job, float factor, float before,
                                           const float *bias, float *y)
{
    const int slices = blockDim.y, rows = a.pair_rows > 0 ? a.pair_rows : seg.rows;

    for (int k = threadIdx.y * 32 + threadIdx.x; k < 16 * ROWS; k += slices * 32) {
        const int r = k % ROWS, out = job * 16 + k / ROWS;
        float v;

        if (r >= a.n || out >= rows)
            continue;
        v = sum_slices<ROWS>(parts + k, slices) * factor + (bias != NULL ? bias[out] : 0.0f);
        if (a.pair_rows > 0) {
            float v2 = sum_slices<ROWS>(parts + slices * 16 * ROWS + k, slices) * factor;

            if (bias != NULL)
                v2 += bias[a.pair_rows + out];
            v = apply_activation(a.activation, v) * v2;
        } else if (a.activate) {
            v = apply_activation(a.activation, v);
        }
        float *to = y + (size_t)r * a.y_stride + out;

        *to = !a.add ? v : ROWS == 1 ? before + v : __ldcg(to) + v;
    }
}

/* The warps of a block over one segment; threadIdx.y is a slice of the columns, threadIdx.z a group
 * of warps that shares row tiles. ROWS 1: x is rounded into shared memory here. */
template <int TYPE, int ROWS>
__device__ __forceinline__ void matvec_run(const matvec_args &a, const weight_segment &seg,
                                           int block, int blocks, unsigned char *shared)
{
    typedef Unit<TYPE> U;
    constexpr int PASSES = ROWS / 4 > 0 ? ROWS / 4 : 1;
    const int lane = threadIdx.x, slice = threadIdx.y, slices = blockDim.y, group = threadIdx.z;
    const int groups = blockDim.z, warp = group * slices + slice, warps = groups * slices;
    const int second_tile = a.pair_rows / 16, first_job = block + blocks * group;
    const uint8_t *weights = seg.data;
    float *scratch = (float *)shared, *partial = scratch + 32;
    unsigned char *rest = (unsigned char *)(partial + warps * 4 * 16 * ROWS);
    rounded_rows x = a.rounded;
    warp_ring ring;

    if (ROWS == 1) {
        const int groups32 = seg.units * U::STEPS * 4;

        x.planes = (uint2 *)rest;
        x.sums = (float2 *)(x.planes + groups32 * 8);
        x.scale = (float *)(x.sums + groups32);
        x.stride = 1;
        rest = (unsigned char *)(x.scale + groups32);
    }
    uint64_t *bars = (uint64_t *)rest + warp * a.slots;
    rest += warps * a.slots * sizeof(uint64_t);
    rest += (128 - (rest - shared) % 128) % 128;
    const int most = a.piece_units[&seg == &a.segment[1]], each = (seg.units + slices - 1) / slices;
    const int first_unit = slice * each, count = min(each, seg.units - first_unit);

    ring.begin(rest + (size_t)warp * a.slots * most * U::BYTES, bars, a.slots, most * U::BYTES,
               lane);
    if (a.expert != NULL) { /* depends on earlier kernels, so weights cannot be fetched ahead */
        pdl_wait();
        weights = (const uint8_t *)a.expert_data[__ldcg(a.expert + blockIdx.y)];
    }
    const int jobs = second_tile > 0 ? second_tile : seg.tiles, step = blocks * groups;
    unit_order order = {count > 0 ? first_job : jobs, step, second_tile, 0, count, false};

    auto fetch = [&]() {
        const int units = order.job < jobs ? min(most, count - order.unit) : 0;
        const int tile = order.job + (order.second ? second_tile : 0);

        ring.ask(weights + ((size_t)tile * seg.units + first_unit + order.unit) * U::BYTES,
                 units * U::BYTES, NULL, 0, lane);
        if (units > 0)
            order.next(units);
    };
#pragma unroll 1
    for (int i = 0; i < a.slots; i++)
        fetch();
    if (ROWS == 1) {
        const float *row =
            a.x + (a.expert != NULL ? (size_t)(blockIdx.y / a.expert_shared) * a.cols : 0);

        round_single_row(row, a.cols, seg.units * U::STEPS * 128,
                         a.norm_kind >= 0 ? a.norm_weight : NULL, scratch, x);
        __syncthreads();
    } else {
        pdl_wait();
    }
    float factor = 1;
    if (ROWS == 1 && a.norm_kind >= 0) {
        float square = warp_sum(lane < warps ? scratch[lane] : 0.0f);

        factor = rsqrtf(square / (float)a.cols + a.norm_eps);
    }
    float *y = a.y + (a.expert != NULL ? (size_t)blockIdx.y * a.y_stride : 0) + seg.first_row;
    const float *bias = a.bias != NULL ? a.bias + seg.first_row : NULL;
    float *parts = partial + group * 4 * slices * 16 * ROWS;
    int buffer = 0;

    for (int job = first_job; job < jobs; job += step, buffer ^= 1) {
        float *mine = parts + (buffer * 2 * slices + slice) * 16 * ROWS, before = 0;

        if (ROWS == 1 && a.add && slice == 0 && lane < 16 && job * 16 + lane < seg.rows)
            before = __ldcg(y + job * 16 + lane); /* on its way meanwhile */
#pragma unroll 1
        for (int second = 0; second <= (second_tile > 0); second++, mine += slices * 16 * ROWS) {
            float one[2] = {0, 0}, many[PASSES][2][4] = {};

#pragma unroll 1
            for (int done = 0; done < count; done += most) {
                const uint8_t *piece = ring.wait();
                const int units = min(most, count - done);

#pragma unroll 1
                for (int i = 0; i < units; i++) {
                    U w;

                    w.load(piece + i * U::BYTES, lane);
                    if (ROWS == 1)
                        unit_one_row<U>(w, first_unit + done + i, x, lane, one);
                    else
                        unit_rows<U, PASSES>(w, first_unit + done + i, x, lane, many);
                }
                ring.done();
                fetch();
            }
#pragma unroll
            for (int r = 0; r < 2 && ROWS == 1; r++) {
                one[r] += __shfl_xor_sync(ALL_LANES, one[r], 1);
                one[r] += __shfl_xor_sync(ALL_LANES, one[r], 2);
                if ((lane & 3) == r)
                    mine[(lane >> 2) + 8 * r] = one[r];
            }
#pragma unroll
            for (int pass = 0; pass < PASSES && ROWS > 1; pass++)
#pragma unroll
                for (int r = 0; r < 2; r++) {
                    const float *s = many[pass][r];

                    mine[((lane >> 2) + 8 * r) * ROWS + 4 * pass + (lane & 3)] =
                        (s[0] + s[1]) + (s[2] + s[3]);
                }
        }
        group_barrier(group, slices * 32);
        finish_job<ROWS>(a, seg, parts + buffer * 2 * slices * 16 * ROWS, job, factor, before, bias,
                         y);
    }
}

template <int TYPE0, int TYPE1, int ROWS>
__global__ __launch_bounds__(ROWS == 1 ? 32 * MOST_WARPS : 512,
                             1) void matvec_kernel(const __grid_constant__ matvec_args a)
{
    extern __shared__ __align__(16) unsigned char shared[];

    pdl_launch();
    if (TYPE0 == TYPE1 || (int)blockIdx.x < a.blocks[0])
        matvec_run<TYPE0, ROWS>(a, a.segment[0], blockIdx.x, a.blocks[0], shared);
    else
        matvec_run<TYPE1, ROWS>(a, a.segment[1], blockIdx.x - a.blocks[0], a.blocks[1], shared);
}

#endif
