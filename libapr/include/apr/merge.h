/* SPDX-License-Identifier: MIT */
/** @file merge.h  Several models of one kind as one: averages, spheres, task vectors. */
#ifndef APR_MERGE_H
#define APR_MERGE_H

#include <apr/mixes.h>
#include <apr/model.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { APR_MERGE_MOST = 32 /**< models */ };

/**
 * How weights are joined, value by value unless said; w are options->weights (NULL: all 1).
 *
 * average   the mean
 * weighted  sum of w x over the sum of w
 * slerp     two models x and y: sin((1-t)a)/sin(a) x + sin(ta)/sin(a) y with a the angle between
 *           both tensors as vectors; (1-t) x + t y where |cos a| > 0.9995 or one is all zeros.
 *           Source: Shoemake, 1985
 * ties      a base and task vectors d = x - base: of each tensor's d the share `density` of largest
 *           size stays and the rest is 0 (equal sizes at the border stay); a value's sign is that
 *           of the sum of w d, plus where it is 0; the result is base + lambda * sum of w d over
 *           sum of w, of the d that have that sign. Source: Yadav et al., 2023
 */
typedef struct apr_merge_options {
    size_t size;           /**< sizeof, as filled by apr_merge_options_init() */
    const char *method;    /**< "average", "weighted", "slerp", "ties" */
    const double *weights; /**< [number of models], finite, none negative, not all 0 */
    double t;              /**< slerp: from the first, 0, to the second, 1 [0.5] */
    double density;        /**< ties: in (0, 1] [0.5] */
    double lambda;         /**< ties [1] */
    const apr_model *base; /**< ties: what the models were made from */
    const apr_mix *mix;    /**< weight types of the output; NULL: those of the first model */
    const char *format;    /**< as apr_convert_options */
    bool force;            /**< replace a file of that name */
    int32_t threads;       /**< 0: trueno_cpu_default_threads() */
} apr_merge_options;

/** Defaults into *o; `size` is the caller's sizeof *o. */
TRUENO_API void apr_merge_options_init(apr_merge_options *o, size_t size);

/**
 * Write the merge of `n` models to `path`, as apr_convert_model() writes: whole or not at all,
 * tensor by tensor, in memory that does not grow with the models. Config, vocabulary and metadata
 * are the first model's. Values are joined in double precision and rounded to F32 once, then to the
 * output's type. Tensors of types that nothing computes with are the first model's. None of the
 * models may be opened as lazy.
 *
 * TRUENO_USAGE: method, weights or numbers out of their range, a missing or useless base, the file
 * exists; TRUENO_CONTENT: the models do not agree in architecture, hyperparameters, tensors, shapes
 * or vocabulary (ROSETTA-ARCH-001, -HIDDEN-001, -LAYER-001, -VOCAB-001, -COUNT-001, -DIM-001), or
 * what apr_convert_model() finds; TRUENO_UNSUPPORTED: other order of Q and K rows, or experts apart
 * in one and stacked in another; TRUENO_IO; TRUENO_NO_MEMORY.
 */
TRUENO_API trueno_status apr_merge_models(const apr_model *const *models, size_t n,
                                          const char *path, const apr_merge_options *options,
                                          trueno_error *err);

#ifdef __cplusplus
}
#endif
#endif
