/* SPDX-License-Identifier: MIT */
/** @file quantize.h  Convert the rows of a matrix from one weight type to another, on all threads.
 */
#ifndef TRUENO_QUANTIZE_H
#define TRUENO_QUANTIZE_H

#include <trueno/memory.h>
#include <trueno/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct trueno_pool trueno_pool; /* sys/threads.h */

/**
 * Write the rows of `from` as type `to`.
 *
 * from        [rows, cols] of any type; to work piece by piece, pass trueno_tensor_rows() of it
 * importance  [cols] weights >= 0 of the squared error of each column, the same for every row, or
 *             NULL (see trueno_type_info.quantize)
 * blocks      rows * trueno_row_bytes(to, cols) bytes, written whole; must not overlap from
 * pool        threads to use, or NULL for the caller's alone; one call at a time uses a pool
 * allocator   for one row of floats a thread; NULL: default
 *
 * Rows of the same type are copied as they are. The bytes do not depend on the number of threads or
 * on the processor. TRUENO_UNSUPPORTED when cols is no multiple of to's block; TRUENO_NO_MEMORY.
 */
TRUENO_API trueno_status trueno_quantize_rows(const trueno_tensor *from, trueno_type to,
                                              const float *importance, void *blocks,
                                              trueno_pool *pool, const trueno_allocator *allocator,
                                              trueno_error *err);

#ifdef __cplusplus
}
#endif
#endif
