/* SPDX-License-Identifier: MIT */
/** @file convert.h  Write a model in another format, or with other weight types. */
#ifndef APR_CONVERT_H
#define APR_CONVERT_H

#include <apr/importance.h>
#include <apr/mixes.h>
#include <apr/model.h>
#include <stdbool.h>
#include <stddef.h>
#include <trueno/quantize.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Told after each tensor: bytes written so far, and of the whole. False stops the conversion with
 * TRUENO_CANCELLED, and nothing is left of it.
 */
typedef bool (*apr_convert_progress)(void *user, uint64_t done, uint64_t total);

typedef struct apr_convert_options {
    size_t size;                   /**< sizeof, as filled by apr_convert_options_init() */
    const char *format;            /**< "apr", "gguf", "safetensors"; NULL: by the path's end */
    const apr_mix *mix;            /**< weight types of the output; NULL: those of the model */
    bool force;                    /**< replace a file of that name */
    trueno_pool *pool;             /**< threads of the caller's to work on; NULL: own ones */
    apr_convert_progress progress; /**< NULL: none */
    void *progress_user;
    const apr_importance *importance; /**< weighs the rounding; NULL: all columns alike */
    int32_t threads;      /**< own threads, without a pool; 0: trueno_cpu_default_threads() */
    const char *compress; /**< .apr: "zstd" compresses each tensor that shrinks; NULL: none */
    uint64_t shard_bytes; /**< .apr: most bytes of tensors in a file of a set; 0: one file */
} apr_convert_options;

/** Defaults into *o; `size` is the caller's sizeof *o. */
TRUENO_API void apr_convert_options_init(apr_convert_options *o, size_t size);

/**
 * Write `model` to `path`: a file, or the folder of a SafeTensors model with its JSON files
 * (quantised weights as F32 unless options->mix says otherwise; "-safetensors" at the end of the
 * path means it; with ".safetensors" the weights are that file, and the JSON files go beside it).
 * Blocks whose type stays pass through bit for bit; the names, the order of Q and K rows and the
 * offset of norm weights become those of the target format. The file is written under a temporary
 * name, opened again and compared with the model, and only then renamed: it is complete or not
 * there. Memory in use does not grow with the model's weights.
 *
 * With options->shard_bytes, a model that needs more becomes the set "X-00001-of-0000N.apr" with
 * its manifest "X.apr.index.json" instead of "X.apr"; the manifest gets its name last. The same
 * format is allowed where something changes: the mix, compression, or the number of files.
 *
 * TRUENO_USAGE: unknown format or codec, the same format and nothing to change, or the file exists;
 * TRUENO_CONTENT: a weight is NaN or infinite (ROSETTA-NAN-001, ROSETTA-INF-001); a matrix is all
 * zeros or one value, or weights are beyond 1e6 (-ZERO-001, -FLAT-001, -RANGE-001: warnings for a
 * model opened as lenient); a type cannot hold a tensor's weights (-QUANT-001); the model's tensors
 * do not fit its own config, or what was read back differs (-COUNT-001, -DIM-001, -VOCAB-001,
 * -ARCH-001, -HIDDEN-001, -LAYER-001, -CRC-001); TRUENO_UNSUPPORTED: the target cannot hold it;
 * TRUENO_IO; TRUENO_NO_MEMORY. Any thread, many at once, each to a path and with a pool of its own.
 */
TRUENO_API trueno_status apr_convert_model(const apr_model *model, const char *path,
                                           const apr_convert_options *options, trueno_error *err);

#ifdef __cplusplus
}
#endif
#endif
