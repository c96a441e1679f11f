/* SPDX-License-Identifier: MIT */
/* Products with nine rows and more: the kernel for up to 64 at a time, the rounding of rows to
 * halves, expanding weights for a library's product, and the last touches on its sums. */
#include "gemm.cuh"
#include "ring.cuh"
#include "rows.cuh"

enum { GEMM_WARPS = 8, GEMM_ROWS = 64, GEMM_SLOTS = 3, SMALL_SHARED = 72 << 10 };

typedef struct gemm_args {
    weight_segment segment;
    half_rows x;
    int n, y_stride;
    const float *bias;
    float *y;
    bool add, activate;
    int pair_rows;
    trueno_activation activation;
    int slots; /* of every warp's ring */
} gemm_args;

/* A group of 32 columns of 16 rows against 8 N_TILES rows of x. */
template <int N_TILES>
__device__ __forceinline__ void multiply_group(const uint32_t a[8], const uint4 x[N_TILES],
                                               float sum[N_TILES][4])
{
#pragma unroll
    for (int i = 0; i < N_TILES; i++) {
        mma_half(sum[i], a[0], a[1], a[4], a[5], x[i].x, x[i].y);
        mma_half(sum[i], a[2], a[3], a[6], a[7], x[i].z, x[i].w);
    }
}

template <int N_TILES>
__device__ __forceinline__ void load_rows(const uint4 *x, size_t stride16, uint4 to[N_TILES])
{
#pragma unroll
    for (int i = 0; i < N_TILES; i++)
        to[i] = x[(size_t)(8 * i) * stride16];
}

/* One warp's part of the sums of two row tiles: every GEMM_WARPS-th unit of the columns. x: the
 * lane's eight halves of row g. tile[1] may lie behind the last. */
template <int TYPE, int N_TILES, bool BLOCKS> struct tile_product;

template <int TYPE, int N_TILES> struct tile_product<TYPE, N_TILES, true> {
    typedef Unit<TYPE> U;

    warp_ring ring;
    int unit, second;

    __device__ __forceinline__ void fetch(const weight_segment &s, const int tile[2], int lane)
    {
        const uint8_t *from = s.data + ((size_t)tile[0] * s.units + unit) * U::BYTES;
        const int bytes = unit < s.units ? U::BYTES : 0;

        ring.ask(from, bytes, from + (size_t)(tile[1] - tile[0]) * s.units * U::BYTES,
                 second ? bytes : 0, lane);
        unit += GEMM_WARPS;
    }

    __device__ __forceinline__ void begin(const weight_segment &s, const int tile[2], int warp,
                                          int lane, unsigned char *memory, uint64_t *bars,
                                          int slots)
    {
        unit = warp;
        second = tile[1] < s.tiles;
        ring.begin(memory + (size_t)warp * slots * 2 * U::BYTES, bars + warp * slots, slots,
                   2 * U::BYTES, lane);
        for (int i = 0; i < slots; i++)
            fetch(s, tile, lane);
    }

    __device__ __forceinline__ void run(const weight_segment &s, const int tile[2], int warp,
                                        int lane, const uint4 *x, size_t stride16,
                                        float sum[2][N_TILES][4])
    {
        for (int at = warp; at < s.units; at += GEMM_WARPS) {
            const uint8_t *piece = ring.wait();
            U w[2];

            w[0].load(piece, lane);
            w[1].load(second ? piece + U::BYTES : piece, lane);
            ring.done();
            fetch(s, tile, lane);
#pragma unroll
            for (int step = 0; step < U::STEPS; step++) {
                uint32_t scale[2][2][U::PARTS], minimum[2][2][U::PARTS];

                for (int m = 0; m < 2; m++)
                    half_scales(w[m], step, lane, scale[m], minimum[m]);
#pragma unroll
                for (int g = 0; g < 4; g++) {
                    uint4 rows[N_TILES];

                    load_rows<N_TILES>(x + ((at * U::STEPS + step) * 4 + g) * 4, stride16, rows);
#pragma unroll
                    for (int m = 0; m < 2; m++) {
                        uint32_t group_scale[2][U::PARTS], group_minimum[2][U::PARTS], a[8];

                        share_scales<U>(scale[m], g, lane, group_scale);
                        if (U::MINIMA)
                            share_scales<U>(minimum[m], g, lane, group_minimum);
                        operand_halves(w[m], step, g, group_scale, group_minimum, a);
                        multiply_group<N_TILES>(a, rows, sum[m]);
                    }
                }
            }
        }
    }
};

template <int TYPE, int N_TILES> struct tile_product<TYPE, N_TILES, false> {
    enum { UNIT = 128 }; /* columns at a time */

    __device__ __forceinline__ void begin(const weight_segment &s, const int tile[2], int warp,
                                          int lane, unsigned char *memory, uint64_t *bars,
                                          int slots)
    {
    }

    __device__ __forceinline__ void run(const weight_segment &s, const int tile[2], int warp,
                                        int lane, const uint4 *x, size_t stride16,
                                        float sum[2][N_TILES][4])
    {
        const int columns = s.row_bytes / (TYPE == TRUENO_F32 ? 4 : 2);
        const uint8_t *from[2][2];

        for (int m = 0; m < 2; m++)
            for (int r = 0; r < 2; r++) {
                int row = tile[m] * 16 + (lane >> 2) + 8 * r;

                from[m][r] = s.data + (size_t)(row < s.rows ? row : 0) * s.row_bytes;
            }
        for (int first = warp * UNIT; first < columns; first += GEMM_WARPS * UNIT)
#pragma unroll
            for (int g = 0; g < 4; g++) {
                const int col = first + 32 * g;
                uint4 rows[N_TILES];
                uint32_t a[8];

                if (col >= columns)
                    break;
                load_rows<N_TILES>(x + col / 8, stride16, rows);
#pragma unroll
                for (int m = 0; m < 2; m++) {
                    plain_halves<TYPE>(from[m], col, lane, a);
                    multiply_group<N_TILES>(a, rows, sum[m]);
                }
            }
    }
};

/* Eight warps share two row tiles (a pair's two halves) and split the columns. */
template <int TYPE, int N_TILES, bool BLOCKS>
__global__ __launch_bounds__(32 * GEMM_WARPS,
                             1) void gemm_kernel(const __grid_constant__ gemm_args a)
{
    typedef tile_product<TYPE, N_TILES, BLOCKS> P;
    extern __shared__ __align__(128) unsigned char memory[]; /* rings, then the warps' sums */
    __shared__ uint64_t bars[GEMM_WARPS * GEMM_SLOTS];
    float *sums = (float *)memory; /* [warps][2][16][8 N_TILES] */
    P product;
    constexpr int N = 8 * N_TILES;
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, first_x = blockIdx.y * N;
    const bool pair = a.pair_rows > 0;
    const int tile[2] = {pair ? (int)blockIdx.x : 2 * (int)blockIdx.x,
                         pair ? (int)blockIdx.x + a.pair_rows / 16 : 2 * (int)blockIdx.x + 1};
    const size_t stride16 = (size_t)a.x.stride / 8;
    const uint4 *x =
        (const uint4 *)a.x.data + (size_t)(first_x + (lane >> 2)) * stride16 + (lane & 3);
    float sum[2][N_TILES][4] = {};

    pdl_launch();
    product.begin(a.segment, tile, warp, lane, memory, bars, a.slots);
    pdl_wait();
    product.run(a.segment, tile, warp, lane, x, stride16, sum);
    __syncthreads(); /* the rings' memory now takes the sums */
#pragma unroll
    for (int m = 0; m < 2; m++)
#pragma unroll
        for (int i = 0; i < N_TILES; i++)
#pragma unroll
            for (int k = 0; k < 4; k++)
                sums[((warp * 2 + m) * 16 + (lane >> 2) + 8 * (k >> 1)) * N + 8 * i +
                     2 * (lane & 3) + (k & 1)] = sum[m][i][k];
    __syncthreads();
    const float factor = BLOCKS ? 1.0f / PACKED_FACTOR : 1.0f;
    for (int k = threadIdx.x; k < (pair ? 1 : 2) * 16 * N; k += blockDim.x) {
        const int m = k / (16 * N), row = k % 16, r = k / 16 % N; /* rows of W side by side */
        const int out = tile[m] * 16 + row;
        float v = 0, v2 = 0;

        if (first_x + r >= a.n || out >= (pair ? a.pair_rows : a.segment.rows))
            continue;
        for (int i = 0; i < GEMM_WARPS; i++) {
            v += sums[((i * 2 + m) * 16 + row) * N + r];
            if (pair)
                v2 += sums[((i * 2 + 1) * 16 + row) * N + r];
        }
        const float scale = a.x.scale[first_x + r] * factor;
        v *= scale;
        if (a.bias != NULL)
            v += a.bias[a.segment.first_row + out];
        if (pair) {
            v2 *= scale;
            if (a.bias != NULL)
                v2 += a.bias[a.pair_rows + out];
            v = apply_activation(a.activation, v) * v2;
        } else if (a.activate) {
            v = apply_activation(a.activation, v);
        }
        float *to = a.y + (size_t)(first_x + r) * a.y_stride + a.segment.first_row + out;

        *to = a.add ? __ldcg(to) + v : v;
    }
}

typedef void (*gemm_fn)(const gemm_args);

template <int TYPE, bool BLOCKS> static gemm_fn pick(int n)
{
    return n <= 16   ? gemm_kernel<TYPE, 2, BLOCKS>
           : n <= 32 ? gemm_kernel<TYPE, 4, BLOCKS>
                     : gemm_kernel<TYPE, 8, BLOCKS>;
}

static gemm_fn find_gemm(int type, int n)
{
#define PICK(t)      \
    if (type == (t)) \
        return pick<(t), true>(n);
    FOR_BLOCK_TYPES(PICK)
#undef PICK
    return type == TRUENO_F32   ? pick<TRUENO_F32, false>(n)
           : type == TRUENO_F16 ? pick<TRUENO_F16, false>(n)
                                : pick<TRUENO_BF16, false>(n);
}

void launch_gemm(const launcher *l, const trueno_weight *w, const product *p, const half_rows *x)
{
    gemm_args a = {};
    int most = l->shared_bytes < SMALL_SHARED ? GEMM_ROWS / 2 : GEMM_ROWS;
    int n = p->n < most ? p->n : most, tile_rows = n <= 16 ? 16 : n <= 32 ? 32 : 64;

    a.x = *x;
    a.n = p->n;
    a.y = p->y;
    a.y_stride = p->pair_rows > 0 ? p->pair_rows : w->rows;
    a.bias = p->bias;
    a.add = p->add;
    a.activate = p->activate;
    a.pair_rows = p->pair_rows;
    a.activation = p->activation;
    for (int i = 0; i < w->n_segments; i++) {
        const weight_segment *s = &w->segment[i];
        int blocks = p->pair_rows > 0 ? p->pair_rows / 16 : (s->tiles + 1) / 2;
        int shared = GEMM_WARPS * 2 * 16 * tile_rows * (int)sizeof(float);
        int piece = 2 * layout_get(s->type).unit_bytes, ring = 0;
        gemm_fn fn = find_gemm(s->type, n);

        for (a.slots = GEMM_SLOTS; a.slots > 1; a.slots--)
            if (GEMM_WARPS * a.slots * piece + 1024 <= l->shared_bytes)
                break;
        ring = GEMM_WARPS * a.slots * piece;
        shared = ring > shared ? ring : shared;

        a.segment = *s;
        LAUNCH(l, fn, dim3(blocks, (p->n + tile_rows - 1) / tile_rows), 32 * GEMM_WARPS, shared, a);
    }
}

/* Rows as halves, scaled by a power of two where they leave the range in which halves are accurate.
 */
__global__ __launch_bounds__(1024, 1) void half_rows_kernel(const float *x, int n, int cols,
                                                            row_norm norm, float eps, bool operands,
                                                            half_rows out)
{
    __shared__ float scratch[32];
    const int row = blockIdx.x;
    uint16_t *to = out.data + (size_t)row * out.stride;
    row_quads<ROW_LOADS> in;
    float most = 0;

    pdl_launch();
    pdl_wait();
    in.begin(x + (size_t)row * cols, row < n ? cols : 0, out.stride); /* fills the last row tile */
    if (row < n)
        norm.begin(in, eps, scratch);
    in.each([&](int quad, float4 v) {
        v = norm.apply(v, quad, in.cols);
        most = fmaxf(most, fmaxf(fmaxf(fabsf(v.x), fabsf(v.y)), fmaxf(fabsf(v.z), fabsf(v.w))));
    });
    most = warp_max(most);
    if ((threadIdx.x & 31) == 0)
        scratch[threadIdx.x >> 5] = most;
    __syncthreads();
    most = warp_max((threadIdx.x & 31) < blockDim.x >> 5 ? scratch[threadIdx.x & 31] : 0.0f);
    int exponent = most > 0 && most < INFINITY ? ilogbf(most) : 0, shift = 0;
    if (exponent > 12)
        shift = exponent - 12;
    else if (exponent < -4)
        shift = exponent + 4;
    const float inverse = exp2f((float)-shift);
    in.each([&](int quad, float4 v) {
        const int col = 4 * quad;

        v = norm.apply(v, quad, in.cols);
        *(uint2 *)(to + (operands ? (col & ~31) + operand_order(col & 31) : col)) = make_uint2(
            pack_half2(v.x * inverse, v.y * inverse), pack_half2(v.z * inverse, v.w * inverse));
    });
    if (threadIdx.x == 0 && row < n)
        out.scale[row] = exp2f((float)shift);
}

void launch_half_rows(const launcher *l, const float *x, int n, int cols, const trueno_norm *norm,
                      bool operand_order, const half_rows *out)
{
    int padded = (n + GEMM_ROWS - 1) / GEMM_ROWS * GEMM_ROWS;
    row_norm facts = {-1, 0, 1, NULL, NULL};

    if (norm != NULL)
        facts = row_norm{(int)norm->kind, 0, 1, norm->weight, norm->bias};
    LAUNCH(l, half_rows_kernel, padded, row_threads(cols), 0, x, n, cols, facts,
           norm != NULL ? norm->eps : 0.0f, operand_order, *out);
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
            uint32_t scale[2][U::PARTS], minimum[2][U::PARTS];

            half_scales(w, step, lane, scale, minimum);
#pragma unroll
            for (int g = 0; g < 4; g++) {
                uint32_t group_scale[2][U::PARTS], group_minimum[2][U::PARTS], a[8];
                const int col = (unit * U::STEPS + step) * 128 + 32 * g + 8 * (lane & 3);

                share_scales<U>(scale, g, lane, group_scale);
                if (U::MINIMA)
                    share_scales<U>(minimum, g, lane, group_minimum);
                operand_halves(w, step, g, group_scale, group_minimum, a);
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

/* y = sums times the row's scale, bias, activation, pair: what gemm_kernel does at its end. */
__global__ void finish_kernel(const float *sums, int sums_stride, const float *scale, float factor,
                              int rows, int first_row, const float *bias, bool add, bool activate,
                              int pair_rows, trueno_activation act, float *y, int y_stride)
{
    const float *in = sums + (size_t)blockIdx.y * sums_stride;
    float *out = y + (size_t)blockIdx.y * y_stride + first_row;

    pdl_launch();
    pdl_wait();
    const float f = scale[blockIdx.y] * factor;

    if (in == out && f == 1.0f && bias == NULL && !activate)
        return;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < (pair_rows > 0 ? pair_rows : rows);
         i += gridDim.x * blockDim.x) {
        float v = __ldcg(in + i) * f;

        if (bias != NULL)
            v += bias[first_row + i];
        if (pair_rows > 0) {
            float v2 = __ldcg(in + pair_rows + i) * f;

            if (bias != NULL)
                v2 += bias[pair_rows + i];
            v = apply_activation(act, v) * v2;
        } else if (activate) {
            v = apply_activation(act, v);
        }
        out[i] = add ? __ldcg(out + i) + v : v;
    }
}

void launch_finish(const launcher *l, const float *sums, int sums_stride, const half_rows *x,
                   const product *p, float factor, int rows, int first_row, int y_stride)
{
    int width = p->pair_rows > 0 ? p->pair_rows : rows, blocks = (width + 1023) / 1024;

    LAUNCH(l, finish_kernel, dim3(blocks, p->n), 256, 0, sums, sums_stride, (const float *)x->scale,
           factor, rows, first_row, p->bias, p->add, p->activate, p->pair_rows, p->activation, p->y,
           y_stride);
}
