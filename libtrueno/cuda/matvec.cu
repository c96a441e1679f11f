/* SPDX-License-Identifier: MIT */
/* Launching products with one to eight rows: grids, shared memory, and rounding of several rows. */
#include "matvec.cuh"
#include "matvec_table.h"
#include "rows.cuh"

enum {
    PIECE_BYTES = 7 << 10,
    MOST_SLICES = 24, /* of matrices with few row tiles */
    FEWER_SLICES = 8,
    HALF_WARPS = 16,
    NAMED_BARRIERS = 15,
    BYTES_IN_FLIGHT = 112 << 10,
    RESERVED_BYTES = 1 << 10 /* of shared memory, a block */
};

/* Rows into planes, as round_single_row() does it; a block each. */
template <int LOADS>
__global__ __launch_bounds__(1024, 1) void round_rows_kernel(const float *x, int cols, int padded,
                                                             row_norm norm, float eps,
                                                             rounded_rows out)
{
    __shared__ float scratch[32];
    const int r = blockIdx.x;
    early_weights<EARLY_LOADS> early;
    row_quads<LOADS> in;

    pdl_launch();
    early.begin(norm, cols);
    pdl_wait();
    in.begin(x + (size_t)r * cols, cols, padded);
    norm.begin(in, eps, scratch);
    early.apply(norm, in);
    in.each([&](int quad, float4 v) { put_rounded(out, r, quad, norm.apply(v, quad, cols)); });
}

/* The same without a norm: nothing depends on a whole row. */
__global__ __launch_bounds__(256) void round_quads_kernel(const float *x, int cols, int padded,
                                                          rounded_rows out)
{
    const int quad = blockIdx.x * blockDim.x + threadIdx.x;
    row_quads<1> in;

    pdl_launch();
    pdl_wait();
    in.x = x + (size_t)blockIdx.y * cols;
    in.cols = cols;
    if ((quad & ~31) < padded / 4)
        put_rounded(out, blockIdx.y, quad, in.load(quad));
}

void launch_round_rows(const launcher *l, const float *x, int n, int cols, const trueno_norm *norm,
                       const rounded_rows *out)
{
    int padded = (cols + 255) / 256 * 256;
    row_norm facts;

    if (norm == NULL) {
        LAUNCH(l, round_quads_kernel, dim3((padded / 4 + 255) / 256, n), 256, 0, x, cols, padded,
               *out);
        return;
    }
    facts = row_norm{(int)norm->kind, 0, 1, norm->weight, norm->bias};
#define ROUND_ROWS(LOADS)                                                                \
    LAUNCH(l, round_rows_kernel<LOADS>, n, row_threads(cols), 0, x, cols, padded, facts, \
           norm->eps, *out)
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

/* Shared memory of a warp's partial sums. */
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
             slices * warp + rounded_bytes(s->units * info.steps * 4, 1) + 512 > l->shared_bytes);
    return slices;
}

int matvec_slots(const launcher *l, int warps, int piece_bytes, int other_bytes, int pieces)
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
    int kept = rounded_bytes((a->cols + 255) / 256 * 8, rows) + 8; /* and a barrier */

    if (s[0].tiles <= 2 * l->n_sm && y_blocks == 1)
        groups = 1;                      /* few tiles: spread them over the processors first */
    for (int i = 0; i < n_segments; i++) /* a unit for every warp is the least */
        while (groups > 1 &&
               groups * slices * (layout_get(s[i].type).unit_bytes + 8 + sums_bytes(rows)) +
                       rounded_bytes((a->cols + 255) / 256 * 8, 1) + 512 >
                   l->shared_bytes)
            groups--;
    warps = groups * slices;
    shared = 128 + 256 + warps * sums_bytes(rows);
    if (rows == 1)
        shared += rounded_bytes((a->cols + 255) / 256 * 8, 1);
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
    a->slots = matvec_slots(l, warps, piece, shared, pieces);
    shared += warps * a->slots * (piece + 8);
    a->keep = rows > 1 && shared + kept <= l->shared_bytes;
    shared += a->keep ? kept : 0;
    LAUNCH(l, fn, dim3(total, y_blocks), dim3(32, slices, groups), shared, *a);
}

/* F16 and BF16 on the tensor cores. */
static void launch_half(const launcher *l, matvec_args *a, const split_rows *split, int rows,
                        int y_blocks)
{
    const weight_segment *s = &a->segment[0];
    int jobs = a->pair_rows > 0 ? a->pair_rows / LAYOUT_ROWS : s->tiles;
    int slices = count_slices(s, a->cols, HALF_WARPS),
        most = l->n_sm / y_blocks > 0 ? l->n_sm / y_blocks : 1;
    int groups = at_most((int)HALF_WARPS / slices, (jobs + most - 1) / most);
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
