/* SPDX-License-Identifier: MIT */
/* Which kernels for 9 to 64 rows exist, and their arguments. */
#ifndef CUDA_BATCH_TABLE_H
#define CUDA_BATCH_TABLE_H

#include "beside.cuh"
#include "kernels.h"

/* Warps of a block, at most: what leaves each the registers that it needs. */
static constexpr int batch_warps(int m_tiles)
{
    return m_tiles == 1 ? 16 : 12;
}

/* Plain weights of 16 bits come in pieces of 128 columns of a row tile, or of 64 of both of a pair;
 * bytes of one tile's part, 0 for other types: those are loaded when they are used. */
__host__ __device__ constexpr int piece_columns(int m_tiles)
{
    return m_tiles == 2 ? 64 : 128;
}

__host__ __device__ constexpr int piece_bytes(int type, int m_tiles)
{
    return type == TRUENO_F16 || type == TRUENO_BF16 ? 16 * piece_columns(m_tiles) * 2 : 0;
}

typedef struct batch_args {
    weight_segment segment;
    const uint4 *x;       /* [passes][groups of 32 columns][row tiles][planes][32 lanes] */
    const float *x_scale; /* [n] */
    size_t pass_size;     /* of x */
    int n, y_stride;
    const float *bias;
    float *y;
    bool add, activate;
    int pair_rows;
    trueno_activation activation;
    int warps;
    int slots, ring_bytes;           /* of a warp */
    int slices, slice_units, blocks; /* blocks: that share a slice */
    float *partial;
    unsigned *arrived;
    beside beside;
} batch_args;

typedef void (*batch_fn)(const batch_args);

/* The kernel for a type, 1 or 2 row tiles of weights a warp, and 2 or 4 of x; or NULL. planes: of
 * x, 2 for one tile of plain weights alone. */
batch_fn batch_k(int type, int m_tiles, int n_tiles);
batch_fn batch_simple(int type, int m_tiles, int n_tiles);
batch_fn batch_plain(int type, int m_tiles, int n_tiles, int planes);

#define BATCH_TYPE(t)                                                                  \
    if (type == (t) && m_tiles == 1)                                                   \
        return n_tiles == 2 ? batch_kernel<(t), 1, 2, 1> : batch_kernel<(t), 1, 4, 1>; \
    if (type == (t))                                                                   \
        return n_tiles == 2 ? batch_kernel<(t), 2, 2, 1> : batch_kernel<(t), 2, 4, 1>;

#endif
