/* SPDX-License-Identifier: MIT */
/** @file importance.h  Importance matrices: how much each input of a matrix matters, for rounding.
 */
#ifndef APR_IMPORTANCE_H
#define APR_IMPORTANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <trueno/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Mean squares of the inputs of matrices, by GGUF's name of the matrix ("blk.0.attn_q.weight").
 * One thread at a time may add; any number may look up after that.
 */
typedef struct apr_importance apr_importance;

/** An empty one; TRUENO_NO_MEMORY. Free with apr_importance_free(). */
TRUENO_API trueno_status apr_importance_new(apr_importance **out, trueno_error *err);

/** NULL is fine. */
TRUENO_API void apr_importance_free(apr_importance *importance);

/**
 * Add input rows [n_rows, width] of a matrix. TRUENO_USAGE when its rows had another width, or the
 * name is empty or over 255 bytes; TRUENO_CONTENT for values that are not finite; TRUENO_NO_MEMORY.
 */
TRUENO_API trueno_status apr_importance_add(apr_importance *importance, const char *name,
                                            const float *rows, int32_t n_rows, int32_t width,
                                            trueno_error *err);

/**
 * As above for one expert of a stack ("blk.0.ffn_gate_exps.weight"): the rows that were its. The
 * entry's width is n_experts * width; an expert that no row chose weighs all inputs alike.
 */
TRUENO_API trueno_status apr_importance_add_expert(apr_importance *importance, const char *name,
                                                   int32_t expert, int32_t n_experts,
                                                   const float *rows, int32_t n_rows, int32_t width,
                                                   trueno_error *err);

/** Count one more text as seen; the file tells how many. */
TRUENO_API void apr_importance_end_chunk(apr_importance *importance);

/** Number of matrices, and of chunks. */
TRUENO_API size_t apr_importance_count(const apr_importance *importance);
TRUENO_API int32_t apr_importance_chunks(const apr_importance *importance);

/** Mean squares [width] of a matrix's inputs (of a stack: [n_experts * cols]), or NULL when there
 * is none of this name and width. */
TRUENO_API const float *apr_importance_find(const apr_importance *importance, const char *name,
                                            int64_t width);

/**
 * Write a file in llama.cpp's form before GGUF (".dat"), which its quantiser reads; `dataset` names
 * the text. The file is complete or not there. TRUENO_USAGE when it exists and not `force`;
 * TRUENO_IO; TRUENO_NO_MEMORY.
 */
TRUENO_API trueno_status apr_importance_write(const apr_importance *importance, const char *path,
                                              const char *dataset, bool force, trueno_error *err);

/**
 * Read such a file, or llama.cpp's GGUF form of it. Sizes are checked against the file.
 * TRUENO_FORMAT, TRUENO_CONTENT (negative or not finite values), TRUENO_NOT_FOUND, TRUENO_IO,
 * TRUENO_NO_MEMORY.
 */
TRUENO_API trueno_status apr_importance_open(apr_importance **out, const char *path,
                                             trueno_error *err);

#ifdef __cplusplus
}
#endif
#endif
