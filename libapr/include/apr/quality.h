/* SPDX-License-Identifier: MIT */
/** @file quality.h  What is good and what is missing in a model file: a table of checks, and a
 * score of 100 points. */
#ifndef APR_QUALITY_H
#define APR_QUALITY_H

#include <apr/model.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How bad it is when a check fails. */
typedef enum apr_quality_level {
    APR_QUALITY_NOTE,    /**< could be better */
    APR_QUALITY_WARNING, /**< users of the file will miss it */
    APR_QUALITY_ERROR    /**< the model is wrong */
} apr_quality_level;

typedef enum apr_quality_outcome {
    APR_QUALITY_PASSED,
    APR_QUALITY_FAILED,
    APR_QUALITY_SKIPPED /**< does not apply to this model; never counted as passed */
} apr_quality_outcome;

/** The outcome of one check; texts live during the callback. */
typedef struct apr_quality_finding {
    const char *id;    /**< "alignment": stays the same between versions */
    const char *group; /**< "structure", "weights", "use", "conversion" */
    const char *what;  /**< what is asked for, a clause: "every tensor is aligned" */
    apr_quality_level level;
    int32_t points; /**< of the score; the groups have 25 each */
    apr_quality_outcome outcome;
    const char *detail; /**< what was found instead, or why it was skipped; "" when passed */
} apr_quality_finding;

/** Told of each check, in the table's order. */
typedef void (*apr_quality_fn)(void *user, const apr_quality_finding *finding);

/** Sums over the checks. */
typedef struct apr_quality_sums {
    int32_t passed, failed, skipped;
    int32_t errors, warnings, notes; /**< failed checks by level */
    int32_t points, possible;        /**< of the passed checks, and of those not skipped */
    int32_t score;                   /**< 100 points / possible, rounded down; 0 without any */
    int32_t group_points[4], group_possible[4]; /**< in the order of `group` above */
} apr_quality_sums;

/** The checks that need no weights: a second's work whatever the model's size. `fn` may be NULL.
 * TRUENO_NO_MEMORY. */
TRUENO_API trueno_status apr_quality_lint(const apr_model *model, apr_quality_fn fn, void *user,
                                          apr_quality_sums *out, trueno_error *err);

/**
 * All checks; every weight is read once, on `threads` threads (0: trueno_cpu_default_threads()),
 * in memory that does not grow with the weights. TRUENO_NO_MEMORY.
 */
TRUENO_API trueno_status apr_quality_score(const apr_model *model, int32_t threads,
                                           apr_quality_fn fn, void *user, apr_quality_sums *out,
                                           trueno_error *err);

#ifdef __cplusplus
}
#endif
#endif
