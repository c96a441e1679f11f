/* SPDX-License-Identifier: MIT */
/** @file inspect.h  An open model as JSON documents. */
#ifndef APR_INSPECT_H
#define APR_INSPECT_H

#include <apr/model.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * What `apr inspect --json` prints: file, format, sizes, count of tensors by type, and `metadata`
 * with the config under .apr's names and every further key of the file. Arrays over 16 elements
 * appear as {"type","count"} unless `whole_arrays`. `*out` is NUL-terminated, of *bytes bytes; free
 * it with apr_inspect_free(). Errors: TRUENO_NO_MEMORY.
 */
TRUENO_API trueno_status apr_inspect_json(const apr_model *model, bool whole_arrays, char **out,
                                          size_t *bytes, trueno_error *err);

/** Which tensors to list, and what to say of them. Zeroed: all of them, without statistics. */
typedef struct apr_tensors_options {
    size_t size;        /**< sizeof, of the caller's struct */
    const char *filter; /**< a pattern with * and ?, or a part of the name; NULL: all */
    size_t limit;       /**< at most so many; 0: all */
    bool stats;         /**< read every weight of those listed: apr_tensor_stats() */
    int32_t threads;    /**< for the statistics; 0: trueno_cpu_default_threads() */
} apr_tensors_options;

/**
 * What `apr tensors --json` prints:
 * {"schema":1,"tensors":[{"name","dtype","shape","bytes","offset"}]} in file order, with "stats"
 * when asked for. Ownership and errors as apr_inspect_json().
 */
TRUENO_API trueno_status apr_tensors_json(const apr_model *model,
                                          const apr_tensors_options *options, char **out,
                                          size_t *bytes, trueno_error *err);

/** Free a text that one of the above made from this model; NULL is fine. */
TRUENO_API void apr_inspect_free(const apr_model *model, char *text, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
