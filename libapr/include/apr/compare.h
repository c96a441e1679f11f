/* SPDX-License-Identifier: MIT */
/** @file compare.h  Two models side by side, tensor by tensor, and the fingerprint of one. */
#ifndef APR_COMPARE_H
#define APR_COMPARE_H

#include <apr/model.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How a tensor of one model stands to that of the other. */
typedef enum apr_difference_kind {
    APR_SAME = 0,      /**< every value is the same */
    APR_VALUES_DIFFER, /**< same shape, other values */
    APR_SHAPES_DIFFER, /**< other dimensions */
    APR_TRANSPOSED,    /**< the dimensions are those of the other in reverse */
    APR_ONLY_IN_FIRST,
    APR_ONLY_IN_SECOND
} apr_difference_kind;

/** One tensor of both models; texts live during the callback. */
typedef struct apr_tensor_difference {
    apr_difference_kind kind;
    const char *name; /**< as the second model calls it, or would */
    const char *type_first,
        *type_second; /**< names of the element types, NULL where it is missing */
    int32_t n_dims_first, n_dims_second;
    int64_t dims_first[4], dims_second[4]; /**< outermost first */
    uint64_t count;                        /**< values compared */
    uint64_t differing;                    /**< of them not equal */
    double max, mean; /**< absolute differences; infinite where one side alone is not finite */
    double relative;  /**< root mean square of the differences over that of the first's values */
    uint64_t at;      /**< index of the largest difference, in the second's order */
    float first_values[16], second_values[16]; /**< at `at` and behind it in its row */
    int32_t n_values;
} apr_tensor_difference;

/** Told of each tensor in the second model's order, then of those it lacks. */
typedef void (*apr_difference_fn)(void *user, const apr_tensor_difference *difference);

typedef struct apr_compare_options {
    size_t size;        /**< sizeof, of the caller's struct */
    const char *filter; /**< only tensors whose name matches (* and ?) or holds this; NULL: all */
    int32_t threads;    /**< 0: trueno_cpu_default_threads() */
} apr_compare_options;

/** Sums over a comparison. */
typedef struct apr_comparison {
    uint64_t tensors, same, values_differ, shapes_differ, missing;
    double max, mean; /**< over all values compared */
} apr_comparison;

/**
 * Compare the weights of two models of any formats, as floats. Tensors are matched by the part they
 * play, else by name; the first model's rows are brought into the second's conventions first (order
 * of Q and K rows, offset of norms, experts apart or stacked), so that a lossless conversion has no
 * differences. Tables of RoPE factors, which some formats keep in the config, are not compared.
 * *out is filled as far as it came. options NULL: defaults; fn may be NULL.
 * Errors: TRUENO_NO_MEMORY, TRUENO_UNSUPPORTED (incomplete stacks of experts). Any thread; `fn` is
 * called on it.
 */
TRUENO_API trueno_status apr_compare_models(const apr_model *first, const apr_model *second,
                                            const apr_compare_options *options,
                                            apr_difference_fn fn, void *user, apr_comparison *out,
                                            trueno_error *err);

/** Something beside the weights that two models do not say alike; texts live during the callback.
 */
typedef struct apr_fact_difference {
    const char *group;          /**< "config", "metadata", "vocabulary" */
    const char *key;            /**< .apr's name of a field, a file's own key, or what differs */
    const char *first, *second; /**< both values as JSON texts, NULL where a model has none */
} apr_fact_difference;

/** Told of each, in the order of the groups. */
typedef void (*apr_fact_difference_fn)(void *user, const apr_fact_difference *difference);

/**
 * Compare what two models of any formats say beside their weights: every field of the config, chat
 * template, further entries of the files, tokens, merges and special ids. Of two formats only those
 * entries are compared that both have, and neither the order of Q and K rows nor the offset of
 * norms, which are conventions of the formats. *differences counts what `fn` (may be NULL) was told
 * of. TRUENO_NO_MEMORY.
 */
TRUENO_API trueno_status apr_compare_facts(const apr_model *first, const apr_model *second,
                                           apr_fact_difference_fn fn, void *user,
                                           uint64_t *differences, trueno_error *err);

/** How a tensor's statistics stand to the reference's. */
typedef enum apr_statistics_level {
    APR_STATISTICS_NEAR,       /**< within a tenth of its threshold */
    APR_STATISTICS_SUSPICIOUS, /**< within its threshold */
    APR_STATISTICS_BEYOND      /**< or missing, of another shape, with other counts of NaN */
} apr_statistics_level;

/** One tensor's; texts live during the callback. */
typedef struct apr_statistics_difference {
    const char *name; /**< as GGUF has it */
    const char *kind; /**< "norm", "embedding" (and output matrix), "weight" */
    apr_statistics_level level;
    const char *what; /**< the statistic that deviates most ("mean", "std", "p1" to "p99"), or what
                           else is the matter, a clause */
    double value, reference; /**< of that statistic */
    double deviation;        /**< their distance in the reference's standard deviations */
    double threshold;        /**< of this tensor */
} apr_statistics_difference;

/** Told of each tensor of the model, then of those it lacks. */
typedef void (*apr_statistics_fn)(void *user, const apr_statistics_difference *difference);

/** What to hold a model against: one of the first two. */
typedef struct apr_compare_statistics_options {
    size_t size;                /**< sizeof, of the caller's struct */
    const apr_model *reference; /**< another model, of any format */
    const char *fingerprints;   /**< or a file with what apr_fingerprint_json() gave */
    double threshold;   /**< standard deviations; norms are held to half of it, embeddings to twice
                             as much */
    const char *filter; /**< as of apr_compare_options, by GGUF's names */
    int32_t threads;    /**< 0: trueno_cpu_default_threads() */
} apr_compare_statistics_options;

/** Sums over the tensors. */
typedef struct apr_statistics_sums {
    uint64_t tensors, suspicious, beyond;
    double deviation; /**< the largest */
} apr_statistics_sums;

/**
 * Compare statistics of every tensor (mean, standard deviation, percentiles 1, 5, 25, 50, 75, 95
 * and 99) with those of a reference. Unlike values they can be compared between weight types, and
 * kept. Names, norms' offset and experts are brought into GGUF's convention first; a fingerprint
 * has experts that are tensors of their own by their own names. `fn` may be NULL.
 * TRUENO_NOT_FOUND and TRUENO_FORMAT of the fingerprint's file, TRUENO_NO_MEMORY,
 * TRUENO_UNSUPPORTED (incomplete stacks of experts), TRUENO_USAGE unless there is one reference.
 */
TRUENO_API trueno_status apr_compare_statistics(const apr_model *model,
                                                const apr_compare_statistics_options *options,
                                                apr_statistics_fn fn, void *user,
                                                apr_statistics_sums *out, trueno_error *err);

/**
 * A model's fingerprint as JSON: {"schema":1,"file","format","architecture",
 * "norm_weight_offset","tensors":[{"name",
 * "dtype","shape","count","mean","std","min","max","p1","p5","p25","p50","p75","p95","p99",
 * "zero_count","nan_count","inf_count","crc32"}]}. Percentiles are exact: the value of rank
 * floor(p * (count - 1)). `crc32` is of the bytes as stored. Names are GGUF's for tensors that play
 * a known part, so that fingerprints of different formats can be compared; `filter` is as above.
 * Free *out with apr_inspect_free(). Errors: TRUENO_NO_MEMORY.
 */
TRUENO_API trueno_status apr_fingerprint_json(const apr_model *model, const char *filter,
                                              char **out, size_t *bytes, trueno_error *err);

#ifdef __cplusplus
}
#endif
#endif
