/* SPDX-License-Identifier: MIT */
/** @file statistics.h  Moments and counts over the weights of tensors. */
#ifndef APR_STATISTICS_H
#define APR_STATISTICS_H

#include <apr/model.h>
#include <stddef.h>
#include <stdint.h>
#include <trueno/quantize.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * What is told of a tensor's values, computed in double precision. Everything but the counts is
 * over the finite values alone, and 0 where there are none.
 */
typedef struct apr_tensor_statistics {
    double min, max, mean;
    double std;      /**< the population's: squared distances over their number */
    double skewness; /**< third standardised moment; 0 where std is 0 */
    double kurtosis; /**< excess: fourth standardised moment less 3; 0 where std is 0 */
    double l1, l2;   /**< sum of sizes; root of the sum of squares */
    uint64_t count;  /**< of all values */
    uint64_t nans, infinities, zeros;
} apr_tensor_statistics;

/**
 * Read every weight once. The tensor is read in pieces of 65536 values whose sums are joined in
 * order, so that the result is the same for any number of threads, and memory does not grow with
 * the tensor; pages of a mapped file are dropped behind. Integers, F64 and F8 are read as floats.
 * `pool` NULL: on the calling thread. Joining of moments after Chan, Golub and LeVeque (1979) and
 * Pebay (2008).
 * TRUENO_UNSUPPORTED for element types that nothing can read (IQ2_XS, ...); TRUENO_NO_MEMORY.
 */
TRUENO_API trueno_status apr_tensor_stats(const apr_model *model, const apr_tensor *tensor,
                                          trueno_pool *pool, apr_tensor_statistics *out,
                                          trueno_error *err);

/** The same of n floats in memory, in the same order of sums: bit for bit what a tensor of them
 * gives. Any thread; cannot fail. */
TRUENO_API void apr_tensor_values_stats(const float *values, uint64_t n,
                                        apr_tensor_statistics *out);

/** Which tensors to read, and how. Zeroed: all of them, on the default number of threads. */
typedef struct apr_tensors_stats_options {
    size_t size;        /**< sizeof, of the caller's struct */
    const char *filter; /**< a pattern with * and ?, or a part of the name; NULL: all */
    size_t limit;       /**< at most so many; 0: all */
    int32_t threads;    /**< 0: trueno_cpu_default_threads() */
} apr_tensors_stats_options;

/**
 * Told of each tensor in file order, on the calling thread; `statistics` is NULL for one whose
 * element type nothing can read. A negative status stops the reading and becomes its result.
 */
typedef trueno_status (*apr_tensors_stats_fn)(void *user, const apr_tensor *tensor,
                                              const apr_tensor_statistics *statistics,
                                              trueno_error *err);

/** apr_tensor_stats() over the tensors of a model. options NULL: defaults. TRUENO_NO_MEMORY, or
 * what `fn` returned. */
TRUENO_API trueno_status apr_tensors_stats(const apr_model *model,
                                           const apr_tensors_stats_options *options,
                                           apr_tensors_stats_fn fn, void *user, trueno_error *err);

#ifdef __cplusplus
}
#endif
#endif
