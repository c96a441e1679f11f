/* SPDX-License-Identifier: MIT */
/**
 * @file tensor.h  Views of matrices in memory: the one row-major [out, in] layout.
 *
 * The functions are pure: any thread, nothing can fail.
 */
#ifndef TRUENO_TENSOR_H
#define TRUENO_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <trueno/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A matrix of `rows` outputs by `cols` inputs, row-major, blocks along cols; row r begins at
 * data + r * row_bytes. A view: never owns. `data` need not be aligned (SafeTensors promises
 * nothing).
 */
typedef struct trueno_tensor {
    trueno_type type;
    int64_t rows, cols;
    size_t row_bytes;
    const void *data;
    bool
        mapped; /**< data lies in a read-only file mapping whose pages may be dropped and re-read */
} trueno_tensor;

/** A view with row_bytes computed; rows of 0 bytes when cols does not fit the type. */
TRUENO_API trueno_tensor trueno_tensor_make(trueno_type type, int64_t rows, int64_t cols,
                                            const void *data);

/** Rows [first, first + count) of t. Asserts the range. */
TRUENO_API trueno_tensor trueno_tensor_rows(const trueno_tensor *t, int64_t first, int64_t count);

/** Bytes that the view covers. */
TRUENO_API size_t trueno_tensor_bytes(const trueno_tensor *t);

/** Expand row `row` to floats, out [cols]. Only of types that the registry holds:
 * trueno_type_get(). */
TRUENO_API void trueno_tensor_row_to_f32(const trueno_tensor *t, int64_t row, float *out);

#ifdef __cplusplus
}
#endif
#endif
