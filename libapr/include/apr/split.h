/* SPDX-License-Identifier: MIT */
/** @file split.h  A model's file as a set of smaller ones, and back. */
#ifndef APR_SPLIT_H
#define APR_SPLIT_H

#include <apr/model.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct apr_split_options {
    size_t size;        /**< sizeof, of the caller's struct */
    uint64_t max_bytes; /**< of tensors in a file; a larger tensor has a file alone; 0: no limit */
    uint64_t max_tensors; /**< in a file (not for .apr); 0: no limit */
    bool force;           /**< replace files of those names */
} apr_split_options;

/**
 * Write a model of one file as a set of the same format; tensors keep their order and bytes.
 *
 * GGUF: `path` is "X.gguf" or "X", the files are "X-00001-of-0000N.gguf" with split.no, split.count
 * and split.tensors.count; all other keys are in the first. SafeTensors: `path` is a folder with
 * "model-00001-of-0000N.safetensors", model.safetensors.index.json and copies of the files that
 * lie beside the source's weights. .apr: as apr_convert_model() with shard_bytes. *files is their
 * number (NULL: unwanted). All files get their names when all are written and synced.
 *
 * TRUENO_USAGE: no limit, the limits give one file or over 1024, files of those names exist, or the
 * model is a set already (.apr apart); TRUENO_CONTENT: what was read back is not what was written;
 * TRUENO_IO; TRUENO_NO_MEMORY.
 */
TRUENO_API trueno_status apr_split_model(const apr_model *model, const char *path,
                                         const apr_split_options *options, int32_t *files,
                                         trueno_error *err);

/**
 * Write a model of several files as one: a file, or for SafeTensors a folder with
 * model.safetensors. What apr_split_model() made of a file becomes that file again, byte for byte,
 * where its tensors lay in the order of their table without gaps, as all common writers have them.
 * Errors as above; TRUENO_USAGE for a model of one file.
 */
TRUENO_API trueno_status apr_split_join(const apr_model *model, const char *path, bool force,
                                        trueno_error *err);

#ifdef __cplusplus
}
#endif
#endif
