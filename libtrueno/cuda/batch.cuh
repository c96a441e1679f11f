/* SPDX-License-Identifier: MIT */
/* Products with 9 to 64 rows. A block keeps the rows of x, or a slice of their columns, in shared
 * memory as operands of the matrix instruction; its warps share out the units of its weights
 * evenly, turn each into halves in registers once and multiply it with all rows. What a warp has of
 * a row tile that others also work on goes through shared memory, slices of the columns through
 * device memory; both are added in the order of the columns, so results do not depend on timing. */
#ifndef CUDA_BATCH_CUH
#define CUDA_BATCH_CUH

#include "batch_sums.cuh"
#include "gemm.cuh"
#include "plain_pieces.cuh"
#include "ring.cuh"

/* The units of a weight type: groups of 32 columns in one, and how a warp multiplies with it. */
template <int TYPE> struct batch_unit {
    static constexpr bool IN_BLOCKS = layout_get(TYPE).steps > 0;
    static constexpr int GROUPS = IN_BLOCKS ? 4 * layout_get(TYPE).steps : 8;
    static constexpr int STEPS = GROUPS / 4; /* of 128 columns */
    static constexpr int BYTES = IN_BLOCKS ? layout_get(TYPE).unit_bytes : 0;
};

/* A group of 32 columns of 16 rows against 8 N_TILES rows of x. */
template <int M_TILES, int N_TILES>
__device__ __forceinline__ void multiply_group(const uint32_t a[8], const uint4 x[N_TILES], int m,
                                               float sum[N_TILES][M_TILES][4])
{
#pragma unroll
    for (int i = 0; i < N_TILES; i++)
        mma_half(sum[i][m], a[0], a[1], a[4], a[5], x[i].x, x[i].y);
#pragma unroll
    for (int i = 0; i < N_TILES; i++)
        mma_half(sum[i][m], a[2], a[3], a[6], a[7], x[i].z, x[i].w);
}

template <int N_TILES>
__device__ __forceinline__ void load_rows(const uint4 *x, int group, int lane, uint4 to[N_TILES])
{
#pragma unroll
    for (int i = 0; i < N_TILES; i++)
        to[i] = x[(group * N_TILES + i) * 32 + lane];
}

/* Steps `low` to before `high` of a packed unit of each row tile; x: of the unit's first group. */
template <class U, int M_TILES, int N_TILES>
__device__ __forceinline__ void multiply_packed(const U w[M_TILES], int low, int high,
                                                const uint4 *x, int lane,
                                                float sum[N_TILES][M_TILES][4])
{
#pragma unroll
    for (int step = 0; step < U::STEPS; step++) {
        uint32_t scale[M_TILES][2][U::PARTS], minimum[M_TILES][2][U::PARTS];

        if (U::STEPS > 1 && (step < low || step >= high))
            continue;

#pragma unroll
        for (int m = 0; m < M_TILES; m++)
            half_scales(w[m], step, lane, scale[m], minimum[m]);
#pragma unroll
        for (int g = 0; g < 4; g++) {
            uint4 rows[N_TILES];

            load_rows<N_TILES>(x, step * 4 + g, lane, rows);
#pragma unroll
            for (int m = 0; m < M_TILES; m++) {
                uint32_t group_scale[2][U::PARTS], group_minimum[2][U::PARTS], a[8];

                share_scales<U>(scale[m], g, lane, group_scale);
                if (U::MINIMA)
                    share_scales<U>(minimum[m], g, lane, group_minimum);
                operand_halves(w[m], step, g, group_scale, group_minimum, a);
                multiply_group<M_TILES, N_TILES>(a, rows, m, sum);
            }
        }
    }
}

/* A job is a row tile of the weights, or the two of a pair (M_TILES 2). */
template <int M_TILES> __device__ __forceinline__ int job_tile(const batch_args &a, int job, int m)
{
    return M_TILES == 2 ? job + m * (a.pair_rows / 16) : job;
}

/* GROUPS groups of 32 columns from `col` on of plain rows, loaded from where they are. */
template <int TYPE, int M_TILES, int GROUPS>
__device__ __forceinline__ void load_plain(const batch_args &args, int job, int col, int columns,
                                           int lane, uint32_t a[M_TILES][GROUPS][8])
{
    const weight_segment &s = args.segment;

#pragma unroll
    for (int m = 0; m < M_TILES; m++) {
        const uint8_t *rows[2];

        for (int r = 0; r < 2; r++) {
            const int row = job_tile<M_TILES>(args, job, m) * 16 + (lane >> 2) + 8 * r;

            rows[r] = s.data + (size_t)(row < s.rows ? row : 0) * s.row_bytes;
        }
#pragma unroll
        for (int g = 0; g < GROUPS; g++)
            if (col + 32 * g < columns)
                plain_halves<TYPE>(rows, col + 32 * g, lane, a[m][g]);
    }
}

/* As multiply_packed() for plain rows: 256 columns from `first` on are the unit; x: the planes of a
 * row tile one behind the other. fetch: asks for the piece behind those that are under way. */
template <int TYPE, int M_TILES, int N_TILES, int PLANES, class Fetch>
__device__ __forceinline__ void multiply_plain(const batch_args &args, int job, int first, int low,
                                               int high, const uint4 *x, int lane,
                                               plain_pieces<TYPE, M_TILES> *pieces,
                                               const Fetch &fetch, float sum[N_TILES][M_TILES][4])
{
    constexpr bool IN_PIECES = piece_bytes(TYPE, M_TILES) > 0;
    constexpr int COLS = IN_PIECES ? piece_columns(M_TILES) : 128, GROUPS = COLS / 32;
    const int columns = args.segment.row_bytes / (TYPE == TRUENO_F32 ? 4 : 2);

#pragma unroll 1
    for (int at = 128 * low; at < 128 * high; at += COLS) {
        uint32_t a[M_TILES][GROUPS][8];

        if constexpr (IN_PIECES) {
            const uint8_t *piece = pieces->wait();

#pragma unroll
            for (int m = 0; m < M_TILES; m++)
#pragma unroll
                for (int g = 0; g < GROUPS; g++)
                    piece_halves<TYPE, M_TILES>(piece, m, g, lane, a[m][g]);
            pieces->done();
            fetch();
        } else {
            load_plain<TYPE, M_TILES, GROUPS>(args, job, first + at, columns, lane, a);
        }
#pragma unroll
        for (int g = 0; g < GROUPS; g++) {
            if (first + at + 32 * g >= columns)
                break;
#pragma unroll
            for (int plane = PLANES - 1; plane >= 0; plane--) { /* the smaller numbers first */
                uint4 rows[N_TILES];

#pragma unroll
                for (int i = 0; i < N_TILES; i++)
                    rows[i] = x[(((at / 32 + g) * N_TILES + i) * PLANES + plane) * 32 + lane];
#pragma unroll
                for (int m = 0; m < M_TILES; m++)
                    multiply_group<M_TILES, N_TILES>(a[m][g], rows, m, sum);
            }
        }
    }
}

/* The rows' operands of a slice, in shared memory: asked for a unit at a time. */
template <int UNIT_16> struct batch_rows {
    uint4 *memory;
    uint32_t barriers;

    __device__ __forceinline__ void begin(uint4 *to, uint64_t *bars, int units)
    {
        memory = to;
        barriers = (uint32_t)__cvta_generic_to_shared(bars);
#if __CUDA_ARCH__ >= 900
        if (threadIdx.x == 0) {
            for (int i = 0; i < units; i++)
                asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(barriers + 8 * i)
                             : "memory");
            asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
            asm volatile("fence.proxy.async;" ::: "memory");
        }
        __syncthreads();
#endif
    }

    __device__ __forceinline__ void ask(const uint4 *from, int units)
    {
#if __CUDA_ARCH__ >= 900
        if (threadIdx.x < 32) {
            bulk_fence();
            for (int i = threadIdx.x; i < units; i += 32) {
                asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(
                                 barriers + 8 * i),
                             "r"(UNIT_16 * 16)
                             : "memory");
                asm volatile(
                    "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], "
                    "%2, [%3];" ::"r"((uint32_t)__cvta_generic_to_shared(memory + i * UNIT_16)),
                    "l"(from + (size_t)i * UNIT_16), "r"(UNIT_16 * 16), "r"(barriers + 8 * i)
                    : "memory");
            }
        }
#else
        for (int i = threadIdx.x; i < units * UNIT_16; i += blockDim.x)
            memory[i] = __ldcg(from + i);
        __syncthreads();
#endif
    }

    __device__ __forceinline__ const uint4 *wait(int unit) const
    {
#if __CUDA_ARCH__ >= 900
        uint32_t ready = 0;

        while (!ready)
            asm volatile("{\n.reg .pred p;\nmbarrier.try_wait.parity.shared::cta.b64 p, [%1], 0;\n"
                         "selp.u32 %0, 1, 0, p;\n}"
                         : "=r"(ready)
                         : "r"(barriers + 8 * unit)
                         : "memory");
#endif
        return memory + unit * UNIT_16;
    }
};

template <int TYPE, int M_TILES, int N_TILES, int PLANES>
__global__ __launch_bounds__(32 * batch_warps(M_TILES),
                             1) void batch_kernel(const __grid_constant__ batch_args a)
{
    typedef batch_unit<TYPE> B;
    constexpr int VALUES = M_TILES * N_TILES * 4, UNIT_16 = B::GROUPS * N_TILES * PLANES * 32;
    extern __shared__ __align__(128) unsigned char memory[];
    constexpr float FACTOR = B::IN_BLOCKS ? 1.0f / PACKED_FACTOR : 1.0f;
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = a.warps;
    const int slice = blockIdx.x % a.slices, block = blockIdx.x / a.slices;
    const int first_unit = slice * a.slice_units,
              units = min(a.slice_units, a.segment.units - first_unit);
    const int n_jobs = M_TILES == 2 ? a.pair_rows / 16 : a.segment.tiles;
    const int first_job = (int)((long long)block * n_jobs / a.blocks),
              jobs = (int)((long long)(block + 1) * n_jobs / a.blocks) - first_job;
    const int steps = units * B::STEPS, total = jobs * steps, begin = warp * total / warps,
              end = (warp + 1) * total / warps;
    const int first_x = blockIdx.y * 8 * N_TILES;
    const size_t first_place = (size_t)blockIdx.y * n_jobs; /* of this pass, among sums of slices */
    /* operands, rings (later: a warp's last, unfinished sums), first sums, barriers */
    uint4 *xs = (uint4 *)memory;
    uint8_t *rings = memory + (size_t)a.slice_units * UNIT_16 * 16;
    float *firsts = (float *)(rings + (size_t)warps * a.ring_bytes);
    uint64_t *bars = (uint64_t *)(firsts + warps * VALUES * 32);
    batch_rows<UNIT_16> x;
    warp_ring ring;
    plain_pieces<TYPE, M_TILES> pieces;
    constexpr bool IN_PIECES = piece_bytes(TYPE, M_TILES) > 0;
    constexpr int PIECES = 128 / piece_columns(M_TILES);        /* of a step */
    int ask = B::IN_BLOCKS ? begin / B::STEPS : PIECES * begin; /* a unit or a piece */
    const int asks = B::IN_BLOCKS ? units : PIECES * steps;     /* of a job */
    int ask_job = first_job + ask / asks, ask_at = ask % asks;

    auto fetch = [&]() {
        if constexpr (B::IN_BLOCKS) {
            const int bytes = ask * B::STEPS < end ? B::BYTES : 0;
            const uint8_t *from =
                a.segment.data +
                ((size_t)ask_job * a.segment.units + first_unit + ask_at) * B::BYTES;

            ring.ask(from, bytes, from + (size_t)(a.pair_rows / 16) * a.segment.units * B::BYTES,
                     M_TILES == 2 ? bytes : 0, lane);
        } else if constexpr (IN_PIECES) {
            pieces.ask(a.segment, ask_job, a.pair_rows / 16,
                       first_unit * 256 + ask_at * piece_columns(M_TILES), ask < PIECES * end,
                       lane);
        }
        ask++;
        if (++ask_at == asks) {
            ask_at = 0;
            ask_job++;
        }
    };
    beside_begin(a.beside);
    x.begin(xs, bars, units);
    if constexpr (B::IN_BLOCKS) {
        ring.begin(rings + (size_t)warp * a.ring_bytes, bars + a.slice_units + warp * a.slots,
                   a.slots, M_TILES * B::BYTES, lane);
    }
    if constexpr (IN_PIECES)
        pieces.begin(rings + (size_t)warp * a.ring_bytes, a.slots);
    if constexpr (B::IN_BLOCKS || IN_PIECES)
        for (int i = 0; i < a.slots; i++)
            fetch();
    beside_wait(a.beside);
    x.ask(a.x + blockIdx.y * a.pass_size + (size_t)first_unit * UNIT_16, units);
    float sum[N_TILES][M_TILES][4] = {};
    float *flat = &sum[0][0][0];
    int job = first_job + begin / steps, unit = begin % steps / B::STEPS;
    bool whole = begin % steps == 0; /* so far this warp has all of the job */

#pragma unroll 1
    for (int at = begin; at < end;) {
        const int low = at % B::STEPS, high = min((int)B::STEPS, low + end - at);

        if constexpr (B::IN_BLOCKS) {
            const uint8_t *piece = ring.wait();
            Unit<TYPE> w[M_TILES];

            w[0].load(piece, lane);
            if (M_TILES > 1)
                w[M_TILES - 1].load(piece + B::BYTES, lane);
            ring.loaded();
            fetch();
            multiply_packed<Unit<TYPE>, M_TILES, N_TILES>(w, low, high, x.wait(unit), lane, sum);
        } else {
            multiply_plain<TYPE, M_TILES, N_TILES, PLANES>(a, job, (first_unit + unit) * 256, low,
                                                           high, x.wait(unit), lane, &pieces, fetch,
                                                           sum);
        }
        at += high - low;
        unit += high == B::STEPS;
        if (unit < units && at < end)
            continue;
        if (whole && unit == units) {
            finish_whole<M_TILES, N_TILES>(a, job, first_place + job, slice, FACTOR, lane, sum);
        } else {
            float *to = whole ? (float *)(rings + (size_t)warp * a.ring_bytes)
                              : firsts + warp * VALUES * 32;

#pragma unroll
            for (int k = 0; k < VALUES; k++)
                to[k * 32 + lane] = flat[k];
        }
#pragma unroll
        for (int k = 0; k < VALUES; k++)
            flat[k] = 0;
        job++;
        unit = 0;
        whole = true;
    }
    __syncthreads();
    /* What several warps have of a job: for one row tile of x at a time. */
    for (int k = warp; k < jobs * N_TILES; k += warps) {
        const int i = k % N_TILES;
        float one[1][M_TILES][4];

        if (!add_warps<M_TILES>(firsts, rings, a, k / N_TILES * steps, steps, total, i, VALUES,
                                lane, one[0]))
            continue;
        if (a.slices > 1)
            put_part<M_TILES>(part_place<M_TILES>(a, first_place + first_job + k / N_TILES, slice,
                                                  i, N_TILES, lane),
                              one[0]);
        else
            store_job<M_TILES, 1>(a, first_job + k / N_TILES, first_x + 8 * i, 1, FACTOR, lane,
                                  one);
    }
    if (a.slices == 1) {
        beside_end(a.beside);
        return;
    }
    __syncwarp();
    for (int k0 = warp; k0 < jobs * N_TILES; k0 += 32 * warps) { /* a lane asks for each */
        const int mine = k0 + lane * warps;
        const bool there =
            mine < jobs * N_TILES && !is_whole(mine / N_TILES * steps, steps, total, warps);
        unsigned last = __ballot_sync(
            ALL_LANES, there && arrive(a, (first_place + first_job) * N_TILES + mine));

        __syncwarp();
        for (; last != 0; last &= last - 1) {
            const int k = k0 + (__ffs((int)last) - 1) * warps, i = k % N_TILES,
                      at = first_job + k / N_TILES;
            float one[1][M_TILES][4];

            add_parts<M_TILES>(a, first_place + at, i, N_TILES, lane, one[0]);
            store_job<M_TILES, 1>(a, at, first_x + 8 * i, 1, FACTOR, lane, one);
        }
    }
}

#endif
