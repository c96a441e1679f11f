/* SPDX-License-Identifier: MIT */
/* Launching products with one to eight rows: grids, shared memory, the kernels of plain types, and
 * rounding of several rows. */
#include "matvec.cuh"
#include "matvec_table.h"

enum {
    BYTES_IN_FLIGHT = 112 << 10,
    PIECE_COLS = 512,
    WARPS_OF_ROWS = 16,
    MOST_SLICES = 16,
    NAMED_BARRIERS = 15,
    PIECE_BYTES = 7 << 10
};

/* F32, F16 or BF16 to floats, eight at a time. */
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
            float2 f;

            if (TYPE == TRUENO_F16)
                f = __half22float2(bits_half2(w[i]));
            else
                f = make_float2(__uint_as_float(w[i] << 16), __uint_as_float(w[i] & 0xffff0000u));
            v[2 * i] = f.x;
            v[2 * i + 1] = f.y;
        }
    }
}

/* Plain weights: a warp takes two rows (the two of a pair), a piece of both at a time; floats times
 * floats, so that any number of activation rows gives the same bits. x is normalised into shared
 * memory for one row, read as it is for several. */
template <int TYPE, int ROWS>
__global__ __launch_bounds__(ROWS == 1 ? 32 * MOST_WARPS : 512,
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
            ring.done();
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

__global__ void round_rows_kernel(const float *x, int cols, int padded, int norm_kind, float eps,
                                  const float *weight, const float *bias, rounded_rows out)
{
    __shared__ float scratch[32];

    pdl_launch();
    pdl_wait();
    round_row(x + (size_t)blockIdx.x * cols, cols, padded, norm_kind, eps, weight, bias, scratch,
              out.planes, out.scale, out.sums, out.stride, blockIdx.x);
}

void launch_round_rows(const launcher *l, const float *x, int n, int cols, const trueno_norm *norm,
                       const rounded_rows *out)
{
    int padded = (cols + 255) / 256 * 256;

    LAUNCH(l, round_rows_kernel, n, 512, 0, x, cols, padded, norm != NULL ? (int)norm->kind : -1,
           norm != NULL ? norm->eps : 0.0f, norm != NULL ? norm->weight : NULL,
           norm != NULL ? norm->bias : NULL, *out);
}

static bool is_packed(const weight_segment *s)
{
    return s->row_bytes == 0;
}

static matvec_fn find_kernel(int type, int other, int rows)
{
    matvec_fn fn = matvec_simple(type, other, rows);

    return fn != NULL ? fn : matvec_k(type, other, rows);
}

template <int TYPE> static matvec_fn plain_find(int rows)
{
    return rows == 1   ? plain_kernel<TYPE, 1>
           : rows <= 2 ? plain_kernel<TYPE, 2>
           : rows <= 4 ? plain_kernel<TYPE, 4>
                       : plain_kernel<TYPE, 8>;
}

/* Pairs need both halves in whole row tiles of one segment. */
bool matvec_can_pair(const trueno_weight *w, int pair_rows)
{
    return w->n_segments == 1 && w->rows == 2 * pair_rows &&
           (!is_packed(&w->segment[0]) || pair_rows % LAYOUT_ROWS == 0);
}

/* The kernels of one packed row take an RMS norm along, those of a plain one and the rounding of
 * several rows any. */
bool matvec_can_norm(const trueno_weight *w, int n, const trueno_norm *norm)
{
    for (int i = 0; i < w->n_segments; i++) {
        bool packed = is_packed(&w->segment[i]);

        if (n > 1 ? !packed : packed && (norm->kind != TRUENO_NORM_RMS || norm->bias != NULL))
            return false;
    }
    return true;
}

static matvec_args base_args(const trueno_weight *w, const product *p, const rounded_rows *rounded,
                             const expert_choice *experts)
{
    matvec_args a = {};

    a.cols = w->cols;
    a.n = p->n;
    a.x = p->x;
    a.norm_kind = -1;
    if (p->norm != NULL) {
        a.norm_kind = p->norm->kind;
        a.norm_eps = p->norm->eps;
        a.norm_weight = p->norm->weight;
        a.norm_bias = p->norm->bias;
    }
    if (rounded != NULL)
        a.rounded = *rounded;
    a.bias = p->bias;
    a.y = p->y;
    a.add = p->add;
    a.activate = p->activate;
    a.pair_rows = p->pair_rows;
    a.activation = p->activation;
    a.y_stride = p->pair_rows > 0 ? p->pair_rows : w->rows;
    if (experts != NULL) {
        a.expert = experts->expert;
        a.expert_data = experts->data;
        a.expert_shared = experts->shared;
    }
    return a;
}

static int most_warps(int rows)
{
    return rows == 1 ? (int)MOST_WARPS : (int)WARPS_OF_ROWS;
}

/* Warps along the columns of a matrix: a function of its shape alone, as it fixes the order of
 * sums. Many where there are few row tiles, so that a tile does not take long; else each warp has
 * enough of a tile that asking for it and adding up cost little. */
static int count_slices(const weight_segment *s, int cols)
{
    bool few = s->tiles <= 512;
    int units256 = (cols + 255) / 256, most = few ? MOST_SLICES : MOST_SLICES / 2;
    int each = (units256 + most - 1) / most;

    each = !few && each < 2 ? 2 : each;
    return (units256 + each - 1) / each;
}

/* Slots of the rings: enough bytes on their way to fill the memory's latency, within the block's
 * shared memory; more would only make other kernels' loads wait longer. */
static int count_slots(const launcher *l, int warps, int piece_bytes, int other_bytes)
{
    int wanted = BYTES_IN_FLIGHT / (warps * piece_bytes),
        room = (l->shared_bytes - other_bytes) / warps;
    int most = l->dependent ? MOST_SLOTS : 4;

    wanted = wanted < 2 ? 2 : wanted > most ? most : wanted;
    while (wanted > 1 && wanted * (piece_bytes + 8) > room)
        wanted--;
    return wanted;
}

static int at_most(int x, int limit)
{
    return x < limit ? x : limit;
}

static void launch_packed(const launcher *l, matvec_args *a, int n_segments, int rows, int y_blocks)
{
    const weight_segment *s = a->segment;
    matvec_fn fn = find_kernel(s[0].type, s[n_segments - 1].type, rows);
    int slices = count_slices(&s[0], a->cols),
        most = l->n_sm / y_blocks > 0 ? l->n_sm / y_blocks : 1;
    int jobs = a->pair_rows > 0 ? a->pair_rows / LAYOUT_ROWS : s[0].tiles;
    int groups =
        at_most(at_most(most_warps(rows) / slices, NAMED_BARRIERS), (jobs + most - 1) / most);
    int total = 0, groups32 = 0, piece = 0, warps, shared;

    if (s[0].tiles <= 2 * l->n_sm && y_blocks == 1)
        groups = 1; /* few tiles: spread them over the processors first */
    for (int i = 0; i < n_segments; i++) {
        layout_info info = layout_get(s[i].type);
        int each = (s[i].units + slices - 1) / slices, blocks;

        jobs = a->pair_rows > 0 ? a->pair_rows / LAYOUT_ROWS : s[i].tiles;
        blocks = (jobs + groups - 1) / groups;
        a->blocks[i] = groups == 1 && blocks <= 2 * most ? blocks : at_most(jobs, most);
        a->piece_units[i] = at_most(each, PIECE_BYTES / info.unit_bytes);
        total += a->blocks[i];
        if (a->piece_units[i] * info.unit_bytes > piece)
            piece = a->piece_units[i] * info.unit_bytes;
        if (s[i].units * info.steps * 4 > groups32)
            groups32 = s[i].units * info.steps * 4;
    }
    warps = groups * slices;
    shared = 128 + warps * 4 * 16 * rows * (int)sizeof(float);
    if (rows == 1)
        shared += groups32 * (8 * (int)sizeof(uint2) + (int)sizeof(float2) + (int)sizeof(float));
    a->slots = count_slots(l, warps, piece, shared + 256);
    shared += 256 + warps * a->slots * (piece + 8);
    LAUNCH(l, fn, dim3(total, y_blocks), dim3(32, slices, groups), shared, *a);
}

static void launch_plain(const launcher *l, matvec_args *a, int y_blocks)
{
    const weight_segment *s = &a->segment[0];
    int jobs = a->pair_rows > 0 ? a->pair_rows : (s->rows + 1) / 2, blocks;
    int size = s->type == TRUENO_F32 ? 4 : 2, piece = 2 * PIECE_COLS * size;
    int warps = most_warps(a->n);
    int shared = 128 + (a->n == 1 ? s->row_bytes / size * (int)sizeof(float) : 0) + 256;
    matvec_fn fn = s->type == TRUENO_F32   ? plain_find<TRUENO_F32>(a->n)
                   : s->type == TRUENO_F16 ? plain_find<TRUENO_F16>(a->n)
                                           : plain_find<TRUENO_BF16>(a->n);

    while (warps > 4 && (jobs + warps - 1) / warps < l->n_sm)
        warps /= 2; /* few rows: on more processors */
    blocks = (jobs + warps - 1) / warps;
    if (blocks > l->n_sm)
        blocks = l->n_sm;
    a->slots = count_slots(l, warps, piece, shared);
    shared += warps * a->slots * (piece + 8);
    LAUNCH(l, fn, dim3(blocks, y_blocks), 32 * warps, shared, *a);
}

void launch_matvec(const launcher *l, const trueno_weight *w, const product *p,
                   const rounded_rows *rounded, const expert_choice *experts)
{
    matvec_args a = base_args(w, p, rounded, experts);
    int y_blocks = experts != NULL ? experts->count : 1;
    int rows = p->n == 1 ? 1 : p->n <= 4 ? 4 : 8;

    for (int i = 0; i < w->n_segments; i++) {
        const weight_segment *s = &w->segment[i];

        a.segment[0] = *s;
        if (!is_packed(s)) {
            launch_plain(l, &a, y_blocks);
        } else if (i + 1 < w->n_segments && is_packed(s + 1) && y_blocks == 1 &&
                   find_kernel(s->type, s[1].type, rows) != NULL) {
            a.segment[1] = s[1];
            launch_packed(l, &a, 2, rows, 1);
            i++;
        } else {
            launch_packed(l, &a, 1, rows, y_blocks);
        }
    }
}
