/* SPDX-License-Identifier: MIT */
/* Launching products with one to eight rows: grids, shared memory, the kernels of plain types, and
 * rounding of several rows. */
#include "matvec.cuh"
#include "matvec_table.h"
#include "rows.cuh"

enum {
    BYTES_IN_FLIGHT = 112 << 10,
    PIECE_COLS = 512,
    PIECE_BYTES = 7 << 10,
    MOST_SLICES = 24, /* of matrices with few row tiles */
    FEWER_SLICES = 8,
    PLAIN_WARPS = 16,
    PLAIN_WARPS_OF_ROW = 24,
    NAMED_BARRIERS = 15,
    RESERVED_BYTES = 1 << 10 /* of shared memory, a block */
};

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

/* Rows into planes, as round_single_row() does it; a block each. */
template <int LOADS>
__global__ __launch_bounds__(1024, 1) void round_rows_kernel(const float *x, int cols, int padded,
                                                             row_norm norm, float eps,
                                                             rounded_rows out)
{
    __shared__ float scratch[32];
    const int r = blockIdx.x;
    row_quads<LOADS> in;

    pdl_launch();
    pdl_wait();
    in.begin(x + (size_t)r * cols, cols, padded);
    norm.begin(in, eps, scratch);
    in.each([&](int quad, float4 v) { put_rounded(out, r, quad, norm.apply(v, quad, cols)); });
}

void launch_round_rows(const launcher *l, const float *x, int n, int cols, const trueno_norm *norm,
                       const rounded_rows *out)
{
    int padded = (cols + 255) / 256 * 256;
    row_norm facts = {-1, 0, 1, NULL, NULL};

    if (norm != NULL)
        facts = row_norm{(int)norm->kind, 0, 1, norm->weight, norm->bias};
#define ROUND_ROWS(LOADS)                                                                \
    LAUNCH(l, round_rows_kernel<LOADS>, n, row_threads(cols), 0, x, cols, padded, facts, \
           norm != NULL ? norm->eps : 0.0f, *out)
    FOR_ROW_LOADS(cols, ROUND_ROWS);
#undef ROUND_ROWS
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
           (w->segment[0].type == TRUENO_F32 || pair_rows % LAYOUT_ROWS == 0);
}

/* The kernels of one row take an RMS norm along, those of F32 and the rounding of several rows any.
 */
bool matvec_can_norm(const trueno_weight *w, int n, const trueno_norm *norm)
{
    for (int i = 0; i < w->n_segments; i++) {
        const weight_segment *s = &w->segment[i];

        if (n > 1 ? !is_packed(s)
                  : s->type != TRUENO_F32 && (norm->kind != TRUENO_NORM_RMS || norm->bias != NULL))
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
    return rows == 1 ? (int)MOST_WARPS : (int)MOST_WARPS_OF_ROWS;
}

/* Warps along the columns of a matrix: a function of its shape and the device alone, as it fixes
 * the order of sums. Many where there are few row tiles, since one tile's time is what counts
 * there; else each warp has two units of a tile or more, so that blocks of several rows, which have
 * fewer warps, take as many tiles at once. */
static int count_slices(const weight_segment *s, int cols, int slices)
{
    bool few = s->tiles <= 512;
    int units256 = (cols + 255) / 256, most = few ? slices : FEWER_SLICES;
    int each = (units256 + most - 1) / most;

    if (few && is_packed(s) && 2 * units256 <= most)
        return 2 * units256;
    each = !few && each < 2 ? 2 : each;
    return (units256 + each - 1) / each;
}

/* Shared memory of a rounded row, and of a warp's partial sums. */
static int row_bytes(int groups32)
{
    return groups32 * (8 * (int)sizeof(uint2) + (int)sizeof(float2) + (int)sizeof(float));
}

static int sums_bytes(int rows)
{
    return 4 * 16 * rows * (int)sizeof(float);
}

/* The same, no more than have a unit each beside a row in shared memory. */
static int count_packed_slices(const launcher *l, const weight_segment *s, int cols)
{
    layout_info info = layout_get(s->type);
    int most = MOST_SLICES, slices, warp = info.unit_bytes + sums_bytes(1) + 8;

    do {
        slices = count_slices(s, cols, most);
        most -= 4;
    } while (most > 0 &&
             slices * warp + row_bytes(s->units * info.steps * 4) + 512 > l->shared_bytes);
    return slices;
}

/* Slots of the rings: enough bytes on their way to fill the memory's latency, within half of a
 * processor's shared memory, so that blocks of the next kernel find room; more would only make
 * other kernels' loads wait longer. `pieces`: most that a warp ever asks for; what it does not need
 * is left to the kernels before and behind this one. */
static int count_slots(const launcher *l, int warps, int piece_bytes, int other_bytes, int pieces)
{
    int bytes =
        l->dependent ? (l->shared_bytes + RESERVED_BYTES) / 2 - RESERVED_BYTES : l->shared_bytes;
    int wanted = BYTES_IN_FLIGHT / (warps * piece_bytes), room = (bytes - other_bytes) / warps;
    int most = l->dependent ? MOST_SLOTS : 4;

    most = pieces < most ? pieces : most;
    wanted = wanted < 2 ? 2 : wanted;
    wanted = wanted > most ? most : wanted;
    while (wanted > 1 && wanted * (piece_bytes + 8) > room)
        wanted--;
    return wanted;
}

static int at_most(int x, int limit)
{
    return x < limit ? x : limit;
}

/* Units of a piece: some, where a slot of each warp then fits shared memory. */
static int count_piece_units(const launcher *l, const layout_info *info, int each, int warps,
                             int other_bytes)
{
    int units = at_most(each, PIECE_BYTES / info->unit_bytes);

    while (units > 1 && warps * (units * info->unit_bytes + 8) + other_bytes > l->shared_bytes)
        units--;
    return units;
}

static void launch_packed(const launcher *l, matvec_args *a, int n_segments, int rows, int y_blocks)
{
    const weight_segment *s = a->segment;
    matvec_fn fn = find_kernel(s[0].type, s[n_segments - 1].type, rows);
    int slices = count_packed_slices(l, &s[0], a->cols),
        most = l->n_sm / y_blocks > 0 ? l->n_sm / y_blocks : 1;
    int jobs = a->pair_rows > 0 ? a->pair_rows / LAYOUT_ROWS : s[0].tiles;
    int groups =
        at_most(at_most(most_warps(rows) / slices, NAMED_BARRIERS), (jobs + most - 1) / most);
    int total = 0, piece = 0, pieces = 1, warps, shared;

    if (s[0].tiles <= 2 * l->n_sm && y_blocks == 1)
        groups = 1;                      /* few tiles: spread them over the processors first */
    for (int i = 0; i < n_segments; i++) /* a unit for every warp is the least */
        while (groups > 1 &&
               groups * slices * (layout_get(s[i].type).unit_bytes + 8 + sums_bytes(rows)) +
                       row_bytes((a->cols + 255) / 256 * 8) + 512 >
                   l->shared_bytes)
            groups--;
    warps = groups * slices;
    shared = 128 + 256 + warps * sums_bytes(rows);
    if (rows == 1)
        shared += row_bytes((a->cols + 255) / 256 * 8);
    for (int i = 0; i < n_segments; i++) {
        layout_info info = layout_get(s[i].type);
        bool half = slices_are_steps(info.steps, s[i].units, slices);
        int each = half ? 1 : (s[i].units + slices - 1) / slices, blocks, bytes;

        jobs = a->pair_rows > 0 ? a->pair_rows / LAYOUT_ROWS : s[i].tiles;
        blocks = (jobs + groups - 1) / groups;
        /* Two blocks a processor, if they fit: else they take several tiles each. */
        a->blocks[i] = groups == 1 && blocks <= (2 * warps <= (int)MOST_WARPS ? 2 : 1) * most
                           ? blocks
                           : at_most(jobs, most);
        a->piece_units[i] = count_piece_units(l, &info, each, warps, shared);
        bytes = half ? info.unit_bytes - layout_offsets(&info, 1).nibbles
                     : a->piece_units[i] * info.unit_bytes;
        total += a->blocks[i];
        each = (each + a->piece_units[i] - 1) / a->piece_units[i] * (a->pair_rows > 0 ? 2 : 1) *
               ((jobs + groups * a->blocks[i] - 1) / (groups * a->blocks[i]));
        pieces = each > pieces ? each : pieces;
        piece = bytes > piece ? bytes : piece;
    }
    a->slots = count_slots(l, warps, piece, shared, pieces);
    shared += warps * a->slots * (piece + 8);
    LAUNCH(l, fn, dim3(total, y_blocks), dim3(32, slices, groups), shared, *a);
}

/* F16 and BF16 on the tensor cores. */
static void launch_half(const launcher *l, matvec_args *a, const split_rows *split, int rows,
                        int y_blocks)
{
    const weight_segment *s = &a->segment[0];
    int jobs = a->pair_rows > 0 ? a->pair_rows / LAYOUT_ROWS : s->tiles;
    int slices = count_slices(s, a->cols, PLAIN_WARPS),
        most = l->n_sm / y_blocks > 0 ? l->n_sm / y_blocks : 1;
    int groups = at_most((int)PLAIN_WARPS / slices, (jobs + most - 1) / most);
    int shared = (64 + groups * slices * 4 * 16 * rows) * (int)sizeof(float), blocks;

    if (s->tiles <= 2 * l->n_sm && y_blocks == 1)
        groups = 1;
    blocks = (jobs + groups - 1) / groups;
    if (groups > 1 || blocks > 2 * most)
        blocks = at_most(blocks, most);
    if (rows == 1) {
        shared += 2 * (s->units * 256 + 32) * (int)sizeof(uint16_t);
    } else {
        a->split = *split;
        launch_split_rows(l, s->type, a->x, a->n, a->cols, split);
    }
    LAUNCH(l, matvec_half(s->type, rows), dim3(blocks, y_blocks), dim3(32, slices, groups), shared,
           *a);
}

static void launch_plain(const launcher *l, matvec_args *a, int y_blocks)
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
    a->slots = count_slots(l, warps, piece, shared, MOST_SLOTS);
    shared += warps * a->slots * (piece + 8);
    LAUNCH(l, fn, dim3(blocks, y_blocks), 32 * warps, shared, *a);
}

void launch_matvec(const launcher *l, const trueno_weight *w, const product *p,
                   const rounded_rows *rounded, const split_rows *split,
                   const expert_choice *experts)
{
    matvec_args a = base_args(w, p, rounded, experts);
    int y_blocks = experts != NULL ? experts->count : 1;
    int rows = p->n == 1 ? 1 : p->n <= 4 ? 4 : 8;

    for (int i = 0; i < w->n_segments; i++) {
        const weight_segment *s = &w->segment[i];
        bool both = rows > 1 && is_packed(s) && i + 1 < w->n_segments && is_packed(s + 1);

        a.beside = beside_of(a.beside, both);
        a.segment[0] = *s;
        if (s->type == TRUENO_F16 || (s->type == TRUENO_BF16 && l->capability >= 80)) {
            launch_half(l, &a, split, rows, y_blocks);
        } else if (!is_packed(s)) {
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
