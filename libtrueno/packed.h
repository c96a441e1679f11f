/* SPDX-License-Identifier: MIT */
/**
 * @file packed.h  Weights in the CPU's own layout, and their products.
 *
 * A packed weight holds its parts' blocks with the rows interleaved by sixteen (docs/kernels.md),
 * in as many bytes as the file to within 2 %. Products of one row and of many rows run from the
 * same bytes, at every instruction level, with the same floating-point operations in the same
 * order: a result does not depend on the level (but for BF16 weights with BF16 tiles), the number
 * of rows in the call, or the threads.
 *
 * Quantised weights (w = S q + M): each 32 activations are rounded to 8 bits with one F32 scale a.
 * For every 32 (or 16) weights that share S and M, in order along K,
 *     products = fma(float(integer sum of q and the activations) * S, a, products);
 *     minima = fma(M, a * float(sum of the activations), minima);
 * and y = products + minima.
 * F32, F16 and BF16 weights: y = fma(w, x, y) along K. With BF16 tiles, BF16 weights are multiplied
 * by two BF16 halves of each activation instead (x86/matmul_amx_bf16.c).
 */
#ifndef PACKED_H
#define PACKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <trueno/memory.h>
#include <trueno/sys/threads.h>
#include <trueno/tensor.h>

enum { PACKED_PARTS_LIMIT = 4 };

typedef struct packed_weight packed_weight;

/** Threads and the scratch memory of products; made once for a backend. */
typedef struct packed_work packed_work;

/** Kernels are chosen here, from trueno_cpu_flags(). The pool and allocator must outlive it. */
trueno_status packed_work_new(packed_work **out, trueno_pool *pool,
                              const trueno_allocator *allocator, trueno_error *err);

/** NULL is fine. Free the weights first. */
void packed_work_free(packed_work *work);

/** Bytes of scratch memory held; grows in packed_new() only. */
size_t packed_work_bytes(const packed_work *work);

/**
 * Make a weight of n_parts (1..PACKED_PARTS_LIMIT) matrices of equal cols, stacked: outputs of part
 * 0 first. Any types of the registry, mixed freely; any number of rows.
 *
 * Repacked on all threads into memory of its own (huge pages asked for); pages of `mapped` parts
 * are dropped as they were read. With keep_mapping nothing is copied: products rearrange the file's
 * blocks in cache as they read them, and the parts' bytes must outlive the weight.
 * Errors: TRUENO_NO_MEMORY; TRUENO_UNSUPPORTED for a type without kernels. Not while a product
 * runs.
 */
trueno_status packed_new(packed_weight **out, packed_work *work, const trueno_tensor *parts,
                         int n_parts, bool keep_mapping, trueno_error *err);

/**
 * Round activations to 8 bits twice from now on, for a weight without F32, F16 and BF16 parts: what
 * the first rounding leaves is rounded like a row of its own, and its product is added last. About
 * 15 bits in all, for the arithmetic, not the memory traffic, of a second row.
 */
void packed_set_fine(packed_weight *w);

/** NULL is fine. */
void packed_free(packed_weight *w);

/** Outputs of all parts; inputs. */
int64_t packed_rows(const packed_weight *w);
int64_t packed_cols(const packed_weight *w);

/** Bytes of memory that the weight owns (0 with keep_mapping but for its description). */
size_t packed_bytes(const packed_weight *w);

/** Bytes that one product reads: the report's "bytes per token". */
size_t packed_read_bytes(const packed_weight *w);

/**
 * y = W x (+ bias) for n >= 1 rows of activations; with `add`, y += W x (+ bias).
 *
 * bias  [rows], or NULL
 * x     [n, cols]
 * y     [n, rows], written whole; must not overlap x
 *
 * y is computed as (product + bias) + old y. A row of x with an infinity or a NaN gives NaN where
 * the weights see it. Uses work's threads: one caller at a time.
 */
void packed_matmul(packed_work *work, const packed_weight *w, const float *bias, const float *x,
                   int64_t n, bool add, float *y);

/** Expand row `row` to cols floats, the very values of the type's dequantise. Any thread. */
void packed_row(const packed_weight *w, int64_t row, float *out);

/**
 * The inverse of packing: the file's bytes of row `row` (trueno_row_bytes() of its part's type)
 * into `out`.
 */
void packed_row_blocks(const packed_weight *w, int64_t row, void *out);

#endif
