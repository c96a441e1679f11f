/* SPDX-License-Identifier: MIT */
/** @file canary.h  A canary: what is recorded of a model, so that a change of it is found later. */
#ifndef APR_CANARY_H
#define APR_CANARY_H

#include <apr/model.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A text and the tokens that the model's tokenizer makes of it. Nothing is owned. */
typedef struct apr_canary_input {
    const char *text; /**< UTF-8 */
    size_t bytes;
    const int32_t *ids;
    size_t n_ids;
} apr_canary_input;

/**
 * Record a model of any format as JSON: {"schema":1,"kind":"canary","model_name","created_at",
 * "source_format","config":{..},"tokenizer":{..},"input":{"text","ids"},"tensor_count","tensors":{
 * NAME:{"dtype","shape","count","mean","std","min","max","nan_count","inf_count","crc32"}}}.
 * Names, order of rows, norms' offset and stacks of experts are GGUF's whatever the format, so that
 * what was recorded of one file holds for its lossless conversions too. `crc32` is of the values as
 * little-endian F32; of a type that nothing reads it is that of its bytes, without statistics.
 * `input` NULL: none is recorded; `created_at` NULL: not said. Every weight is read once, on
 * `threads` threads (0: trueno_cpu_default_threads()); the result is the same for any number.
 * Free *out with apr_inspect_free(). TRUENO_NO_MEMORY, TRUENO_UNSUPPORTED (incomplete stacks of
 * experts), TRUENO_CONTENT (compressed tensors that are damaged).
 */
TRUENO_API trueno_status apr_canary_make(const apr_model *model, const apr_canary_input *input,
                                         const char *created_at, int32_t threads, char **out,
                                         size_t *bytes, trueno_error *err);

/** A canary that was read from a file; immutable. */
typedef struct apr_canary apr_canary;

/** Read and check a recorded canary. `allocator` (NULL: default) must outlive it. TRUENO_NOT_FOUND,
 * TRUENO_FORMAT naming file and member, TRUENO_NO_MEMORY. *out is NULL on failure. */
TRUENO_API trueno_status apr_canary_open(apr_canary **out, const char *path,
                                         const trueno_allocator *allocator, trueno_error *err);
TRUENO_API void apr_canary_close(apr_canary *canary);

/** The recorded text and tokens, borrowed from the canary; false when there are none. */
TRUENO_API bool apr_canary_text(const apr_canary *canary, apr_canary_input *out);

/** One thing that was held against the canary; texts live during the callback. */
typedef struct apr_canary_finding {
    const char *group; /**< "config", "tokenizer", "tensor" */
    const char *name;  /**< a field, or a tensor as GGUF calls it */
    bool passed;
    const char *detail; /**< what was found and what was recorded; "" when it is the same */
    double deviation;   /**< of a tensor whose values differ, as below; else 0 */
} apr_canary_finding;

/** Told of each. */
typedef void (*apr_canary_fn)(void *user, const apr_canary_finding *finding);

/** How many passed. */
typedef struct apr_canary_sums {
    uint64_t passed, failed;
    double deviation; /**< the largest */
} apr_canary_sums;

/**
 * Hold a model against a canary: every field of the config and the tokenizer, and every tensor's
 * presence, shape and values. Tensors of the same checksum pass. Others deviate by the largest of
 * |mean - recorded| / std, |std - recorded| / std, |min - recorded| / (max - min) and the same of
 * max, all divisors as recorded (infinite where one is 0 and the numerator is not, or where NaN and
 * infinities are not as many as recorded), and pass when that is at most `tolerance`. With
 * `tolerance` 0 a change of one weight is found; a model rounded to another type passes with one
 * that fits the type. Neither the config's order of Q and K rows nor its offset of norms counts,
 * which are conventions of the formats, nor, between two formats, numbers of RoPE scaling and
 * the scale of queries that one of them says otherwise. The recorded text is for the caller to
 * tokenize. `fn` may be NULL. Errors as of apr_canary_make().
 */
TRUENO_API trueno_status apr_canary_check(const apr_canary *canary, const apr_model *model,
                                          double tolerance, int32_t threads, apr_canary_fn fn,
                                          void *user, apr_canary_sums *out, trueno_error *err);

#ifdef __cplusplus
}
#endif
#endif
