/* SPDX-License-Identifier: MIT */
/* Around products with nine rows and more: the rounding of rows to halves, expanding weights for a
 * library's product, and the last touches on its sums. */
#include "gemm.cuh"
#include "rounding.cuh"
#include "rows.cuh"

/* A row whose largest numbers, of each thread, are `most` is divided by 2 to this: it then is in
 * the range in which halves are accurate. The block calls together; scratch: a float per warp. */
__device__ __forceinline__ int row_shift(float most, float *scratch)
{
    most = warp_max(most);
    if ((threadIdx.x & 31) == 0)
        scratch[threadIdx.x >> 5] = most;
    __syncthreads();
    most = warp_max((threadIdx.x & 31) < blockDim.x >> 5 ? scratch[threadIdx.x & 31] : 0.0f);
    const int exponent = most > 0 && most < INFINITY ? ilogbf(most) : 0;

    return exponent > 12 ? exponent - 12 : exponent < -4 ? exponent + 4 : 0;
}

__device__ __forceinline__ float largest_of(float4 v)
{
    return fmaxf(fmaxf(fabsf(v.x), fabsf(v.y)), fmaxf(fabsf(v.z), fabsf(v.w)));
}

__device__ __forceinline__ float4 times(float4 v, float f)
{
    return make_float4(v.x * f, v.y * f, v.z * f, v.w * f);
}

/* A quad's rounded halves, and what that left of it, as rows of a pass of twice as many tiles. */
__device__ __forceinline__ void put_two_halves(half_rows to, bool operands, int row, int quad,
                                               float4 v)
{
    const float2 a = __half22float2(__floats2half2_rn(v.x, v.y)),
                 b = __half22float2(__floats2half2_rn(v.z, v.w));
    const int first = 2 * (row & ~7) + (row & 7);

    to.tiles *= 2;
    put_halves(to, operands, first, quad, v);
    put_halves(to, operands, first + 8, quad,
               make_float4(v.x - a.x, v.y - a.y, v.z - b.x, v.w - b.y));
}

/* Rows as halves. */
template <int LOADS, int PLANES>
__global__ __launch_bounds__(1024, 1) void half_rows_kernel(const float *x, int n, int cols,
                                                            row_norm norm, float eps, bool operands,
                                                            half_rows out)
{
    __shared__ float scratch[32];
    const int row = blockIdx.x;
    early_weights<EARLY_LOADS> early;
    row_quads<LOADS> in;
    float most = 0;

    pdl_launch();
    early.begin(norm, cols);
    pdl_wait();
    in.begin(x + (size_t)row * cols, row < n ? cols : 0, out.stride); /* fills the last row tile */
    if (row < n)
        norm.begin(in, eps, scratch);
    early.apply(norm, in);
    in.each([&](int quad, float4 v) {
        v = norm.apply(v, quad, in.cols);
        most = fmaxf(most, largest_of(v));
    });
    const int shift = row_shift(most, scratch);
    const float inverse = exp2f((float)-shift);
    in.each([&](int quad, float4 v) {
        v = norm.apply(v, quad, in.cols);
        if (PLANES == 2)
            put_two_halves(out, operands, row, quad, times(v, inverse));
        else
            put_halves(out, operands, row, quad, times(v, inverse));
    });
    if (threadIdx.x == 0 && row < n)
        out.scale[row] = exp2f((float)shift);
}

void launch_half_rows(const launcher *l, const float *x, int n, int cols, const trueno_norm *norm,
                      bool operand_order, const half_rows *out)
{
    int padded = out->tiles > 0 ? (n + 8 * out->tiles - 1) / (8 * out->tiles) * 8 * out->tiles : n;
    row_norm facts = {-1, 0, 1, NULL, NULL};

    if (norm != NULL)
        facts = row_norm{(int)norm->kind, 0, 1, norm->weight, norm->bias};
#define HALF_ROWS(LOADS, PLANES)                                                                  \
    LAUNCH(l, (half_rows_kernel<LOADS, PLANES>), padded, row_threads(cols), 0, x, n, cols, facts, \
           norm != NULL ? norm->eps : 0.0f, operand_order, *out)
#define HALF_ROWS_1(LOADS) HALF_ROWS(LOADS, 1)
#define HALF_ROWS_2(LOADS) HALF_ROWS(LOADS, 2)
    if (out->planes == 2)
        FOR_ROW_LOADS(cols, HALF_ROWS_2);
    else
        FOR_ROW_LOADS(cols, HALF_ROWS_1);
#undef HALF_ROWS_2
#undef HALF_ROWS_1
#undef HALF_ROWS
}

/* Group s of a step as halves in the order of operand_halves(), each rounded once, as there is time
 * here (the factor is a power of two): scale and minimum are floats, those of rows g and g + 8. */
template <class U>
__device__ __forceinline__ void operand_rounded(const U &w, int s, int step,
                                                const float scale[2][U::PARTS],
                                                const float minimum[2][U::PARTS], uint32_t out[8])
{
    uint32_t a[4];

    w.operand(step, s, a);
#pragma unroll
    for (int f = 0; f < 4; f++) {
        const uint32_t u = U::SIGNED ? a[f] ^ 0x80808080u : a[f];
        const int row = f & 1, part = U::SIXTEENS ? f >> 1 : 0;
        float v[4];

#pragma unroll
        for (int k = 0; k < 4; k++) { /* a byte in the last bits of 2^23 */
            const float q = __uint_as_float(__byte_perm(u, 0x4b000000u, 0x7440 | k)) -
                            (8388608.0f + (U::SIGNED ? 128.0f : 0.0f));

            v[k] =
                U::MINIMA ? fmaf(q, scale[row][part], -minimum[row][part]) : q * scale[row][part];
        }
        out[f] = pack_half2(v[0] * PACKED_FACTOR, v[1] * PACKED_FACTOR);
        out[f + 4] = pack_half2(v[2] * PACKED_FACTOR, v[3] * PACKED_FACTOR);
    }
}

/* Warps take units; every lane writes its eight columns of both rows, in operand order. */
template <int TYPE>
__global__ void expand_kernel(weight_segment s, int first_tile, int tiles, int stride,
                              uint16_t *out)
{
    typedef Unit<TYPE> U;
    const int lane = threadIdx.x & 31;
    const size_t units = (size_t)tiles * s.units;

    pdl_launch();
    pdl_wait();
    for (size_t i = blockIdx.x * (size_t)(blockDim.x >> 5) + (threadIdx.x >> 5); i < units;
         i += (size_t)gridDim.x * (blockDim.x >> 5)) {
        const int tile = (int)(i / s.units), unit = (int)(i % s.units);
        U w;

        w.load(s.data + ((size_t)(first_tile + tile) * s.units + unit) * U::BYTES, lane);
#pragma unroll
        for (int step = 0; step < U::STEPS; step++) {
            float scale[2][U::PARTS], minimum[2][U::PARTS];

            w.scales(step, lane, scale, minimum);
#pragma unroll
            for (int g = 0; g < 4; g++) {
                float group_scale[2][U::PARTS], group_minimum[2][U::PARTS];
                const int col = (unit * U::STEPS + step) * 128 + 32 * g + 8 * (lane & 3);
                uint32_t a[8];

                share_scales<U>(scale, g, lane, group_scale);
                if (U::MINIMA)
                    share_scales<U>(minimum, g, lane, group_minimum);
                operand_rounded(w, g, step, group_scale, group_minimum, a);
#pragma unroll
                for (int row = 0; row < 2; row++) {
                    uint16_t *to = out + (size_t)(tile * 16 + (lane >> 2) + 8 * row) * stride + col;

                    *(uint4 *)to = make_uint4(a[row], a[row + 4], a[row + 2], a[row + 6]);
                }
            }
        }
    }
}

template <int TYPE>
__global__ void expand_plain_kernel(weight_segment s, int first, int count, int stride,
                                    uint16_t *out)
{
    const int width = s.row_bytes / (TYPE == TRUENO_F32 ? 4 : 2);

    pdl_launch();
    pdl_wait();
    for (size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x; i < (size_t)count * stride;
         i += (size_t)gridDim.x * blockDim.x) {
        const int col = (int)(i % stride);
        const uint8_t *row = s.data + (first + i / stride) * s.row_bytes;
        float v = 0;

        if (col < width)
            v = TYPE == TRUENO_F32 ? ((const float *)row)[col]
                                   : __uint_as_float((uint32_t)((const uint16_t *)row)[col] << 16);
        ((half *)out)[i] = __float2half(v);
    }
}

void launch_expand(const launcher *l, const weight_segment *s, int cols, int first, int count,
                   int stride, uint16_t *out)
{
    int tiles = (count + LAYOUT_ROWS - 1) / LAYOUT_ROWS;

#define EXPAND(t)                                                                                  \
    if (s->type == (t)) {                                                                          \
        LAUNCH(l, expand_kernel<(t)>, 4 * l->n_sm, 256, 0, *s, first / LAYOUT_ROWS, tiles, stride, \
               out);                                                                               \
        return;                                                                                    \
    }
    FOR_BLOCK_TYPES(EXPAND)
#undef EXPAND
    if (s->type == TRUENO_F32)
        LAUNCH(l, expand_plain_kernel<TRUENO_F32>, 8 * l->n_sm, 256, 0, *s, first, count, stride,
               out);
    else
        LAUNCH(l, expand_plain_kernel<TRUENO_BF16>, 8 * l->n_sm, 256, 0, *s, first, count, stride,
               out);
}

__device__ __forceinline__ float4 load_four(const float *p, bool whole)
{
    return whole ? __ldcg((const float4 *)p) : make_float4(__ldcg(p), 0, 0, 0);
}

/* y = sums times the row's scale, bias, activation, pair: what batch_kernel does at its end. FOUR:
 * of numbers that a thread takes at a time, where all is aligned to them, or 1. */
template <int FOUR>
__global__ void finish_kernel(const float *sums, int sums_stride, const float *scale, float factor,
                              int rows, int first_row, const float *bias, bool add, bool activate,
                              int pair_rows, trueno_activation act, float *y, int y_stride)
{
    const float *in = sums + (size_t)blockIdx.y * sums_stride;
    float *out = y + (size_t)blockIdx.y * y_stride + first_row;
    const int width = pair_rows > 0 ? pair_rows : rows;

    pdl_launch();
    pdl_wait();
    const float f = scale[blockIdx.y] * factor;

    if (in == out && f == 1.0f && bias == NULL && !activate)
        return;
    if (bias != NULL)
        bias += first_row;
    for (int i = (blockIdx.x * blockDim.x + threadIdx.x) * FOUR; i < width;
         i += gridDim.x * blockDim.x * FOUR) {
        const float4 one = load_four(in + i, FOUR > 1);
        float4 two = one, before = one;

        if (pair_rows > 0)
            two = load_four(in + pair_rows + i, FOUR > 1);
        if (add)
            before = load_four(out + i, FOUR > 1);
        const float first[4] = {one.x, one.y, one.z, one.w},
                    second[4] = {two.x, two.y, two.z, two.w},
                    old[4] = {before.x, before.y, before.z, before.w};
        float v[4];

#pragma unroll
        for (int k = 0; k < FOUR; k++) {
            v[k] = fmaf(first[k], f, bias != NULL ? bias[i + k] : 0.0f);
            if (pair_rows > 0)
                v[k] = apply_activation(act, v[k]) *
                       fmaf(second[k], f, bias != NULL ? bias[pair_rows + i + k] : 0.0f);
            else if (activate)
                v[k] = apply_activation(act, v[k]);
            v[k] = add ? old[k] + v[k] : v[k];
        }
        if (FOUR > 1)
            *(float4 *)(out + i) = make_float4(v[0], v[1], v[2], v[3]);
        else
            out[i] = v[0];
    }
}

void launch_finish(const launcher *l, const float *sums, int sums_stride, const half_rows *x,
                   const product *p, float factor, int rows, int first_row, int y_stride)
{
    int width = p->pair_rows > 0 ? p->pair_rows : rows;
    bool fours = (width | sums_stride | y_stride | first_row) % 4 == 0 && (uintptr_t)sums % 16 == 0;

#define FINISH(FOUR, PER_BLOCK)                                                                  \
    LAUNCH(l, finish_kernel<FOUR>, dim3((width + (PER_BLOCK)-1) / (PER_BLOCK), p->n), 256, 0,    \
           sums, sums_stride, (const float *)x->scale, factor, rows, first_row, p->bias, p->add, \
           p->activate, p->pair_rows, p->activation, p->y, y_stride)
    if (fours)
        FINISH(4, 2048);
    else
        FINISH(1, 1024);
#undef FINISH
}

/* What finish_kernel makes of pairs, as halves for the product behind; a block each row. */
template <int LOADS>
__global__ __launch_bounds__(1024, 1) void finish_halves_kernel(const float *sums, int sums_stride,
                                                                const float *scale, float factor,
                                                                int width, const float *bias,
                                                                trueno_activation act,
                                                                bool operands, half_rows out)
{
    __shared__ float scratch[32];
    const int row = blockIdx.x, threads = blockDim.x;
    const float *in = sums + (size_t)row * sums_stride;
    float4 kept[LOADS];
    float most = 0;

    pdl_launch();
    pdl_wait();
    const float f = scale[row] * factor; /* out.scale may be the same array */
    auto result = [&](int quad) {
        const float4 one = __ldcg((const float4 *)in + quad),
                     two = __ldcg((const float4 *)(in + width) + quad);
        const float first[4] = {one.x, one.y, one.z, one.w},
                    second[4] = {two.x, two.y, two.z, two.w};
        float v[4];

#pragma unroll
        for (int k = 0; k < 4; k++) {
            const int col = 4 * quad + k;

            v[k] = apply_activation(act, fmaf(first[k], f, bias != NULL ? bias[col] : 0.0f)) *
                   fmaf(second[k], f, bias != NULL ? bias[width + col] : 0.0f);
        }
        return make_float4(v[0], v[1], v[2], v[3]);
    };
#pragma unroll
    for (int k = 0; k < LOADS; k++)
        if (threadIdx.x + k * threads < width / 4) {
            kept[k] = result(threadIdx.x + k * threads);
            most = fmaxf(most, largest_of(kept[k]));
        }
#pragma unroll 1
    for (int quad = threadIdx.x + LOADS * threads; quad < width / 4; quad += threads)
        most = fmaxf(most, largest_of(result(quad)));
    const int shift = row_shift(most, scratch);
    const float inverse = exp2f((float)-shift);
#pragma unroll
    for (int k = 0; k < LOADS; k++)
        if (threadIdx.x + k * threads < width / 4)
            put_halves(out, operands, row, threadIdx.x + k * threads, times(kept[k], inverse));
#pragma unroll 1
    for (int quad = threadIdx.x + LOADS * threads; quad < width / 4; quad += threads)
        put_halves(out, operands, row, quad, times(result(quad), inverse));
    if (threadIdx.x == 0)
        out.scale[row] = exp2f((float)shift);
}

void launch_finish_halves(const launcher *l, const float *sums, int sums_stride, const half_rows *x,
                          const product *p, float factor)
{
#define FINISH_HALVES(LOADS)                                                                      \
    LAUNCH(l, finish_halves_kernel<LOADS>, p->n, row_threads(p->pair_rows), 0, sums, sums_stride, \
           (const float *)x->scale, factor, p->pair_rows, p->bias, p->activation,                 \
           p->ready.operands, p->ready.halves)
    FOR_ROW_LOADS(p->pair_rows, FINISH_HALVES);
#undef FINISH_HALVES
}
