/* SPDX-License-Identifier: MIT */
/* A warp's pieces of 16-bit plain weights in shared memory, columns of one row tile or of the two
 * of a pair, asked for ahead by asynchronous copies (compute capability 8.0 and up). */
#ifndef CUDA_PLAIN_PIECES_CUH
#define CUDA_PLAIN_PIECES_CUH

#include "batch_table.h"
#include "gemm.cuh"

/* Where 16-byte chunk c of a row is: rows next to each other differ in the upper half of the banks,
 * so that eight lanes read 2 rows x 64 bytes at once. */
template <int M_TILES> __device__ __forceinline__ int piece_chunk(int row, int c)
{
    return row * (piece_columns(M_TILES) / 8) + (c ^ ((row & 1) << 2));
}

template <int TYPE, int M_TILES> struct plain_pieces {
    static constexpr int COLS = piece_columns(M_TILES), TILE = piece_bytes(TYPE, M_TILES);
    static constexpr int BYTES = M_TILES * TILE;
    uint8_t *slots; /* [n][BYTES] */
    int n, at, next;

    __device__ __forceinline__ void begin(uint8_t *memory, int count)
    {
        slots = memory;
        n = count;
        at = next = 0;
    }

    /* The next piece: columns from `col` on of tile `tile`, and of the one `pair` tiles behind it;
     * there == false only keeps the count. All lanes call. */
    __device__ __forceinline__ void ask(const weight_segment &s, int tile, int pair, int col,
                                        bool there, int lane)
    {
        uint8_t *to = slots + next * BYTES;
        constexpr int CHUNKS = COLS / 8, ROWS = 32 / CHUNKS; /* of a row; at once */
        const int c = lane % CHUNKS, from = 2 * col + 16 * c;

        if (there && from < s.row_bytes) {
#pragma unroll
            for (int m = 0; m < M_TILES; m++)
#pragma unroll
                for (int r = 0; r < 16; r += ROWS) {
                    const int in = r + lane / CHUNKS, row = (tile + m * pair) * 16 + in;

                    copy(to + m * TILE + 16 * piece_chunk<M_TILES>(in, c),
                         s.data + (size_t)(row < s.rows ? row : 0) * s.row_bytes + from);
                }
        }
#if __CUDA_ARCH__ >= 800
        asm volatile("cp.async.commit_group;" ::: "memory");
#endif
        next = next + 1 == n ? 0 : next + 1;
    }

    /* The oldest piece asked for; free it with done(). */
    __device__ __forceinline__ const uint8_t *wait(void)
    {
#if __CUDA_ARCH__ >= 800
        if (n == 1)
            asm volatile("cp.async.wait_group 0;" ::: "memory");
        else if (n == 2)
            asm volatile("cp.async.wait_group 1;" ::: "memory");
        else
            asm volatile("cp.async.wait_group 2;" ::: "memory");
#endif
        __syncwarp();
        return slots + at * BYTES;
    }

    __device__ __forceinline__ void done(void)
    {
        at = at + 1 == n ? 0 : at + 1;
        __syncwarp();
    }

  private:
    __device__ __forceinline__ void copy(uint8_t *to, const uint8_t *from)
    {
#if __CUDA_ARCH__ >= 800
        asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16;" ::"r"(
                         (uint32_t)__cvta_generic_to_shared(to)),
                     "l"(from)
                     : "memory");
#else
        *(uint4 *)to = *(const uint4 *)from;
#endif
    }
};

/* Group g of 32 columns of tile m of a piece, as plain_halves() gives them. */
template <int TYPE, int M_TILES>
__device__ __forceinline__ void piece_halves(const uint8_t *piece, int m, int g, int lane,
                                             uint32_t out[8])
{
    const uint4 *tile = (const uint4 *)(piece + m * piece_bytes(TYPE, M_TILES));

#pragma unroll
    for (int r = 0; r < 2; r++) {
        const int at = piece_chunk<M_TILES>((lane >> 2) + 8 * r, 4 * g + (lane & 3));
        uint32_t h[4];

        plain_pairs<TYPE>(tile[at], h);
        out[r] = h[0], out[r + 4] = h[1], out[r + 2] = h[2], out[r + 6] = h[3];
    }
}

#endif
