/* SPDX-License-Identifier: MIT */
/* Gaussian naive Bayes. */
#include "learn.h"

#include <math.h>
#include <string.h>

/* Mean and variance of column j over the rows of class `label` (-1: all). */
static size_t moments(const double *x, const int32_t *labels, size_t n, size_t d, size_t j,
                      int32_t label, double *mean, double *variance)
{
    double sum = 0, squares = 0;
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        if (label < 0 || labels[i] == label) {
            sum += x[i * d + j];
            count++;
        }
    *mean = count > 0 ? sum / (double)count : 0;
    for (size_t i = 0; i < n; i++)
        if (label < 0 || labels[i] == label)
            squares += (x[i * d + j] - *mean) * (x[i * d + j] - *mean);
    *variance = count > 0 ? squares / (double)count : 0;
    return count;
}

trueno_status apr_bayes_fit(const double *x, const int32_t *labels, size_t n, size_t d, size_t c,
                            double *priors, double *means, double *variances, trueno_error *err)
{
    trueno_status status = apr_learn_check(x, n, 1, d, err);
    double largest = 0, mean, variance;

    if (status < 0)
        return status;
    for (size_t i = 0; i < n; i++)
        if (labels[i] < 0 || (size_t)labels[i] >= c)
            return trueno_fail(err, TRUENO_USAGE, "observation %zu: class %d of %zu", i, labels[i],
                               c);
    for (size_t j = 0; j < d; j++) {
        (void)moments(x, labels, n, d, j, -1, &mean, &variance);
        largest = fmax(largest, variance);
    }
    for (size_t k = 0; k < c; k++)
        for (size_t j = 0; j < d; j++) {
            size_t count =
                moments(x, labels, n, d, j, (int32_t)k, &means[k * d + j], &variances[k * d + j]);

            priors[k] = (double)count / (double)n;
            variances[k * d + j] += largest > 0 ? 1e-9 * largest : 1e-9;
        }
    return TRUENO_OK;
}

int32_t apr_bayes_predict(const double *priors, const double *means, const double *variances,
                          size_t c, const double *x, size_t d, double *probabilities)
{
    const double log_turn = 1.8378770664093454836; /* log 2 pi */
    double best = -INFINITY, sum = 0;
    int32_t chosen = 0;

    for (int pass = 0; pass < 2; pass++) /* the largest first, then shares against it */
        for (size_t k = 0; k < c; k++) {
            double score = log(priors[k]);

            for (size_t j = 0; j < d; j++) {
                double v = variances[k * d + j], far = x[j] - means[k * d + j];

                score -= 0.5 * (log_turn + log(v) + far * far / v);
            }
            if (pass == 0 && score > best) {
                best = score;
                chosen = (int32_t)k;
            } else if (pass == 1 && probabilities != NULL) {
                probabilities[k] = isfinite(best) ? exp(score - best) : 0;
                sum += probabilities[k];
            }
        }
    for (size_t k = 0; k < c && probabilities != NULL && sum > 0; k++)
        probabilities[k] /= sum;
    return chosen;
}
