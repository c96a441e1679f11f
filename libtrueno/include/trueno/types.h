/* SPDX-License-Identifier: MIT */
/** @file types.h  The weight types and what is known of each: one row of one registry. */
#ifndef TRUENO_TYPES_H
#define TRUENO_TYPES_H

#include <stddef.h>
#include <stdint.h>
#include <trueno/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Weight types; the values are GGML's ids, which GGUF and .apr files store. */
typedef enum trueno_type {
    TRUENO_F32 = 0,
    TRUENO_F16 = 1,
    TRUENO_Q4_0 = 2,
    TRUENO_Q4_1 = 3,
    TRUENO_Q5_0 = 6,
    TRUENO_Q5_1 = 7,
    TRUENO_Q8_0 = 8,
    TRUENO_Q2_K = 10,
    TRUENO_Q3_K = 11,
    TRUENO_Q4_K = 12,
    TRUENO_Q5_K = 13,
    TRUENO_Q6_K = 14,
    TRUENO_IQ4_NL = 20,
    TRUENO_IQ4_XS = 23,
    TRUENO_BF16 = 30,
    TRUENO_TYPE_LIMIT = 31
} trueno_type;

/** One registry row. All functions are thread-safe and cannot fail. */
typedef struct trueno_type_info {
    const char *name;     /**< "Q4_K" */
    int32_t block;        /**< weights in a block; a row's length is a multiple of it */
    int32_t bytes;        /**< bytes of a block */
    float bits;           /**< bits per weight, 8 * bytes / block */
    /** Expand `n` weights (a multiple of block) to float: the definition of the type, bit-exact. */
    void (*dequantize)(const void *blocks, float *out, int64_t n);
    /**
     * Round `n` floats (a multiple of block) to blocks. `importance` (n values >= 0, or NULL)
     * weights the squared error of each value. Without it the simple types round as GGML's own
     * reference does and the K and IQ4 types weight by size; F32, F16, BF16 and Q8_0 never use it.
     * Finite input gives finite blocks: beyond a type's range values saturate. Infinities and NaN
     * are kept by F32, F16 and BF16 and become finite in blocks: check for them before.
     */
    void (*quantize)(const float *x, void *blocks, int64_t n, const float *importance);
} trueno_type_info;

/** The row of a type, or NULL when the id is not in the registry. Static; never freed. */
TRUENO_API const trueno_type_info *trueno_type_get(int64_t type);

/** Find a type by name, case-insensitively ("q4_k"); -1 when there is none. */
TRUENO_API int trueno_type_find(const char *name);

/** Bytes of one row of `cols` weights, or 0 if the type is unknown or cols is no multiple of its block. */
TRUENO_API size_t trueno_row_bytes(int64_t type, int64_t cols);

#ifdef __cplusplus
}
#endif
#endif
