/* SPDX-License-Identifier: MIT */
/**
 * @file matmul.h  Kernels of matrix products: one table, scalar first, overlaid by level.
 *
 * The scalar kernels are the specification. Every level gives the same bits: integer sums are exact
 * and the float operations after them are the same, in the same order (packed.h). The level with
 * BF16 tiles alone has an order of its own for BF16 weights (x86/matmul_amx_bf16.c).
 */
#ifndef KERNELS_MATMUL_H
#define KERNELS_MATMUL_H

#include "packed_format.h"

enum { PANEL_TOKENS = 16 };

/**
 * Rounded activations of up to some hundred tokens, in panels of `width` tokens (1 or PANEL_TOKENS;
 * the last panel is filled with zeros). Quantised weights use the integer arrays, float weights
 * `x`. Sub-block arrays come twice: [0] a value per 32 activations, [1] a value per 16.
 */
typedef struct activations {
    int64_t n_tokens, n_panels;
    int64_t n_blocks; /* steps of 32 along K, padding included */
    int64_t x_cols;   /* K of `x`, padding included */
    int width;
    int8_t *q;          /* [panel][block][token][32] */
    float *scale;       /* [panel][block][token] */
    float *sum[2];      /* [panel][block][sub-block][token]  scale * (sum of q) */
    int32_t *offset[2]; /* [panel][block][sub-block][token]  -128 * (sum of q) */
    float *x;           /* [panel][k][token] */
    /* [panel][block][half][token][32] BF16, of a lone token F32: x = first half + second half, up
     * to 2^-16 of it */
    void *halves;
} activations;

/** Expand n_units units of a group into a stripe: see stripe_block_lines(); float types [k][16]
 * F32, or [pair of k][16][2] BF16 in whole blocks where `halves` is set. */
typedef void (*unpack_fn)(const uint8_t *units, int64_t n_units, void *stripe);

/** Products of n_groups groups (group_bytes apart) with one token (width 1): out[16 * n_groups]. */
typedef void (*one_fn)(const uint8_t *groups, size_t group_bytes, int64_t n_groups,
                       const activations *a, float *out);

typedef struct matmul_kernels {
    /** Round row x[cols] into token `token` of a panel, padding included. */
    void (*quantize)(const float *x, int64_t cols, const activations *a, int64_t token);
    /** Copy row x[cols] into a->x, padding included. */
    void (*spread)(const float *x, int64_t cols, const activations *a, int64_t token);
    /** Cut row x[cols] into a->halves, padding to whole blocks included; where a type has halves.
     */
    void (*halve)(const float *x, int64_t cols, const activations *a, int64_t token);
    /** Interleave 16 whole rows, n_units whole units of unit_bytes from `rows` on. */
    void (*pack)(const packed_format *f, const uint8_t *rows, size_t row_bytes, int64_t n_units,
                 size_t unit_bytes, uint8_t *out);
    /**
     * Fold the scaled products of steps [first, first + n) of a stripe into acc[panel][token][16]
     * for all panels; at first == 0 it starts from zero. acc is 64-byte aligned.
     */
    void (*tile)(const packed_format *f, const uint8_t *stripe, int64_t first, int64_t n,
                 const activations *a, float *acc);
    /** The same for minima times sums of activations; types with a minimum only. */
    void (*minima)(const packed_format *f, const uint8_t *stripe, int64_t first, int64_t n,
                   const activations *a, float *acc);
    /**
     * The same for columns [first, first + n) of n_groups (1 or 2) groups of a float type: stripes
     * of [n][16] one after another, sums acc_stride floats apart.
     */
    void (*tile_float)(const float *stripe, int n_groups, int64_t first, int64_t n,
                       const activations *a, float *acc, int64_t acc_stride);
    /** tile_float() for a type with halves; `first` is a multiple of 32. */
    void (*tile_halves)(const uint16_t *stripe, int n_groups, int64_t first, int64_t n,
                        const activations *a, float *acc, int64_t acc_stride);
    /**
     * y = products (+ minima) (+ bias) (+ y) of one token and n_groups whole groups, whose sums lie
     * `stride` floats apart; minima and bias may be NULL.
     */
    void (*finish)(const float *products, const float *minima, int64_t stride, int64_t n_groups,
                   const float *bias, bool add, float *y);
    struct {
        unpack_fn unpack;
        one_fn one;
        one_fn two;  /**< of a[2]: out[group][token][16]; NULL: one() twice does it */
        bool halves; /* multiplied by the BF16 halves of activations */
    } of[TRUENO_TYPE_LIMIT];
} matmul_kernels;

/** Fill the table for the TRUENO_CPU_* bits in `flags`. */
void matmul_kernels_init(matmul_kernels *k, uint32_t flags);

/** Overlays by level, each in a library of its own with its own instruction flags. */
void matmul_init_avx2(matmul_kernels *k);
void matmul_init_avx512(matmul_kernels *k);
void matmul_init_amx(matmul_kernels *k);
void matmul_init_amx_bf16(matmul_kernels *k);
void matmul_init_neon(matmul_kernels *k);
void matmul_init_dotprod(matmul_kernels *k);

/** The scalar unpacking of each type. */
void matmul_init_unpack_c(matmul_kernels *k);

#endif
