/* SPDX-License-Identifier: MIT */
/**
 * @file learn.h  Small statistical learners: least squares, k-means, PCA, Gaussian naive Bayes,
 * Mahalanobis distance, Tarantula suspicion, Wilson intervals.
 *
 * Data are matrices of double, row-major, one observation a row: x [n, d]. Every value must be
 * finite: the fits refuse others with TRUENO_CONTENT, naming row and column. What is learned goes
 * into arrays of the caller, written whole on success; nothing is kept by the library, so that
 * every function may be called from any thread. Inputs and outputs must not overlap unless said.
 * `allocator` (NULL: default) gives scratch memory for the call alone; TRUENO_NO_MEMORY when there
 * is none. TRUENO_USAGE: sizes of 0, or fewer observations than the method needs.
 */
#ifndef APR_LEARN_H
#define APR_LEARN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <trueno/memory.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Largest number of columns d. */
enum { APR_LEARN_MAX_COLUMNS = 256 };

/**
 * Means and population standard deviations of the columns: mean [d], scale [d]. A constant
 * column's scale is 1, so that dividing by it is harmless.
 */
TRUENO_API trueno_status apr_standardize_fit(const double *x, size_t n, size_t d, double *mean,
                                             double *scale, trueno_error *err);

/** Rows of x to (x - mean) / scale; out [n, d] may be x. */
TRUENO_API void apr_standardize_apply(const double *x, size_t n, size_t d, const double *mean,
                                      const double *scale, double *out);

/**
 * Ordinary least squares with an intercept: y ~ weights[0] + x weights[1..d].
 *
 * weights  [d + 1]
 * rank     of the centred x, NULL: not wanted. Columns that depend on those before them in the
 *          pivoting order get weight 0, so that predictions stay defined.
 *
 * Householder QR with column pivoting of the centred columns, each scaled to length 1.
 * Source: Businger and Golub, 1965.
 */
TRUENO_API trueno_status apr_regression_fit(const double *x, const double *y, size_t n, size_t d,
                                            double *weights, size_t *rank,
                                            const trueno_allocator *allocator, trueno_error *err);

/** The prediction for one observation x [d]. */
TRUENO_API double apr_regression_predict(const double *weights, const double *x, size_t d);

/** Share of y's variance that the predictions explain: 1 - SSE/SST; 0 when y is constant. */
TRUENO_API double apr_regression_r2(const double *y, const double *predicted, size_t n);

/** How apr_kmeans_fit() searches; zero means the value in brackets. */
typedef struct apr_kmeans_options {
    size_t size;       /**< sizeof, of the caller's struct */
    uint64_t seed;     /**< of the restarts: the same seed gives the same result */
    int32_t restarts;  /**< [20] */
    int32_t max_steps; /**< of one restart [300] */
} apr_kmeans_options;

/**
 * k clusters of least squared distance: the best of several runs of Lloyd's method, each begun by
 * k-means++ (greedy: the best of 2 + log k candidates for each centre).
 *
 * centres  [k, d]      labels  [n], in [0, k)      inertia  sum of squared distances, NULL:
 * unwanted
 *
 * A cluster that loses its last member moves to the point farthest from its centre.
 * TRUENO_USAGE when n < k. Source: Arthur and Vassilvitskii, 2007.
 */
TRUENO_API trueno_status apr_kmeans_fit(const double *x, size_t n, size_t d, size_t k,
                                        const apr_kmeans_options *options, double *centres,
                                        int32_t *labels, double *inertia,
                                        const trueno_allocator *allocator, trueno_error *err);

/** The nearest of centres [k, d] to one observation x [d]; the lowest of equals. */
TRUENO_API int32_t apr_kmeans_nearest(const double *centres, size_t k, const double *x, size_t d);

/**
 * Mean silhouette of a clustering, in [-1, 1]: how much nearer each point is to its own cluster
 * than to the next one (Euclidean). Points alone in a cluster count as 0. labels [n] in [0, k).
 * TRUENO_USAGE when fewer than two clusters have members. Takes n * n distances.
 * Source: Rousseeuw, 1987.
 */
TRUENO_API trueno_status apr_silhouette(const double *x, const int32_t *labels, size_t n, size_t d,
                                        size_t k, double *out, const trueno_allocator *allocator,
                                        trueno_error *err);

/**
 * The m directions of most variance, m <= min(n - 1, d).
 *
 * mean        [d]
 * components  [m, d]  orthonormal rows, most variance first; the largest entry of each is positive
 * variance    [m]     along each (with n - 1 in the denominator)
 * total       the variance of all columns together, NULL: unwanted; variance / total is the share
 *
 * Singular values of the centred x by one-sided Jacobi rotations, which keep small ones accurate.
 * Source: Hestenes, 1958; Demmel and Veselic, 1992.
 */
TRUENO_API trueno_status apr_pca_fit(const double *x, size_t n, size_t d, size_t m, double *mean,
                                     double *components, double *variance, double *total,
                                     const trueno_allocator *allocator, trueno_error *err);

/** Coordinates of one observation x [d] along the components: out [m]. */
TRUENO_API void apr_pca_project(const double *mean, const double *components, size_t m,
                                const double *x, size_t d, double *out);

/**
 * Gaussian naive Bayes over c classes, labels [n] in [0, c): priors [c], means and variances
 * [c, d] by class. 1e-9 of the largest variance of a column is added to every variance, so that a
 * constant feature has a density. A class without members has prior 0 and is never chosen.
 */
TRUENO_API trueno_status apr_bayes_fit(const double *x, const int32_t *labels, size_t n, size_t d,
                                       size_t c, double *priors, double *means, double *variances,
                                       trueno_error *err);

/**
 * The most probable class of one observation x [d], and in probabilities [c] (NULL: unwanted) that
 * of each.
 */
TRUENO_API int32_t apr_bayes_predict(const double *priors, const double *means,
                                     const double *variances, size_t c, const double *x, size_t d,
                                     double *probabilities);

/**
 * Mean and shrunk covariance of known good observations, for apr_mahalanobis_distance().
 *
 * mean       [d]
 * factor     [d, d]  lower triangle of the Cholesky factor of (1 - a) S + a tr(S)/d I, rest 0
 * shrinkage  in: a in [0, 1], or negative for Ledoit and Wolf's estimate; out: the a used
 *
 * S is the covariance with n in the denominator. TRUENO_CONTENT when the shrunk matrix is not
 * positive definite (all observations are the same, or a is 0 and columns depend on each other).
 * Source: Ledoit and Wolf, 2004.
 */
TRUENO_API trueno_status apr_mahalanobis_fit(const double *x, size_t n, size_t d, double *mean,
                                             double *factor, double *shrinkage,
                                             const trueno_allocator *allocator, trueno_error *err);

/** Squared Mahalanobis distance of x [d]; scratch [d] is overwritten. */
TRUENO_API double apr_mahalanobis_distance(const double *mean, const double *factor,
                                           const double *x, size_t d, double *scratch);

/** How urgent a suspect is, by the share of the runs that took its decision which failed. */
typedef enum apr_priority {
    APR_PRIORITY_LOW = 0,
    APR_PRIORITY_MEDIUM = 1,  /**< over 5 % failed */
    APR_PRIORITY_HIGH = 2,    /**< over 10 % */
    APR_PRIORITY_CRITICAL = 3 /**< over 20 % */
} apr_priority;

/** One decision of a program: how many runs took it, and what became of them. */
typedef struct apr_suspect {
    const char *name;        /**< borrowed */
    uint64_t passed, failed; /**< runs that took the decision */
    double suspicion;        /**< filled: in [0, 1]; 0.5 says nothing */
    apr_priority priority;   /**< filled */
} apr_suspect;

/**
 * Tarantula's suspicion of each decision, (failed/F) / (failed/F + passed/P) with F failed and P
 * passed runs in all (a share of no runs is 0), most suspicious first; of equals the one with more
 * failures, then the order given. Source: Jones and Harrold, 2005.
 */
TRUENO_API void apr_tarantula_rank(apr_suspect *suspects, size_t n, uint64_t total_passed,
                                   uint64_t total_failed);

/**
 * Wilson's interval of a proportion: successes of n trials, z normal quantiles wide (1.96: 95 %).
 * n of 0 gives [0, 1]. Source: Wilson, 1927.
 */
TRUENO_API void apr_wilson_interval(uint64_t successes, uint64_t n, double z, double *low,
                                    double *high);

/** A line's state against its target. */
typedef enum apr_andon {
    APR_ANDON_RED = 0,    /**< below half of the target */
    APR_ANDON_YELLOW = 1, /**< at least half of it */
    APR_ANDON_GREEN = 2   /**< at the target or above */
} apr_andon;

/** The level of a success rate against a target, both in [0, 1]. */
TRUENO_API apr_andon apr_andon_level(double rate, double target);

#ifdef __cplusplus
}
#endif
#endif
