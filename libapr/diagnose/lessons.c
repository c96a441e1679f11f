/* SPDX-License-Identifier: MIT */
/* What a diagnosis learns from its trials, judged by those that it did not learn from. */
#include "diagnosis.h"

#include <string.h>

static double *features_of(const apr_diagnosis *d, double *out)
{
    for (size_t i = 0; i < d->n_trials; i++)
        memcpy(out + i * TRIAL_FEATURES, d->trials[i].features, sizeof d->trials[i].features);
    return out;
}

/* The kind that most of a cluster's learned trials are of. */
static apr_damage majority(const apr_diagnosis *d, const int32_t *labels, int32_t cluster)
{
    int32_t votes[APR_DAMAGE_KINDS] = {0}, best = 0;

    for (size_t i = 0; i < d->n_learned; i++)
        votes[d->trials[i].damage] += labels[i] == cluster;
    for (int32_t k = 1; k < APR_DAMAGE_KINDS; k++)
        best = votes[k] > votes[best] ? k : best;
    return (apr_damage)best;
}

static trueno_status cluster_trials(apr_diagnosis *d, double *x, int32_t *labels, trueno_error *err)
{
    const apr_kmeans_options o = {.size = sizeof o, .seed = d->o.seed};
    size_t held = d->n_trials - d->n_learned;
    double silhouette = 0;
    trueno_status status =
        apr_kmeans_fit(features_of(d, x), d->n_learned, TRIAL_FEATURES, APR_DAMAGE_KINDS, &o,
                       d->centres[0], labels, NULL, d->allocator, err);

    if (status < 0)
        return status;
    for (int32_t c = 0; c < APR_DAMAGE_KINDS; c++)
        d->kind_of_cluster[c] = majority(d, labels, c);
    for (size_t i = 0; i < d->n_trials; i++) {
        trial *t = &d->trials[i];

        labels[i] = t->cluster =
            apr_kmeans_nearest(d->centres[0], APR_DAMAGE_KINDS, t->features, TRIAL_FEATURES);
        t->by_cluster = d->kind_of_cluster[t->cluster];
    }
    status = apr_silhouette(x + d->n_learned * TRIAL_FEATURES, labels + d->n_learned, held,
                            TRIAL_FEATURES, APR_DAMAGE_KINDS, &silhouette, d->allocator, err);
    d->criteria[1] = (apr_criterion){"F-KMEANS-001", "silhouette of the clusters, held-out trials",
                                     silhouette, 0.5, (int32_t)held};
    return status;
}

static trueno_status classify_messages(apr_diagnosis *d, double *x, int32_t *labels,
                                       trueno_error *err)
{
    size_t held = d->n_trials - d->n_learned, right = 0;
    trueno_status status;

    for (size_t i = 0; i < d->n_trials; i++) {
        trial_message_features(d->trials[i].message, x + i * MESSAGE_FEATURES);
        labels[i] = (int32_t)d->trials[i].damage;
    }
    status = apr_bayes_fit(x, labels, d->n_learned, MESSAGE_FEATURES, APR_DAMAGE_KINDS, d->priors,
                           d->means[0], d->variances[0], err);
    if (status < 0)
        return status;
    for (size_t i = 0; i < d->n_trials; i++) {
        d->trials[i].by_message = apr_diagnosis_classify(d, d->trials[i].message, NULL);
        right += i >= d->n_learned && d->trials[i].by_message == d->trials[i].damage;
    }
    d->criteria[3] =
        (apr_criterion){"F-NB-001", "share of messages with the right fix, held-out trials",
                        (double)right / (double)held, 0.85, (int32_t)held};
    return TRUENO_OK;
}

apr_damage apr_diagnosis_classify(const apr_diagnosis *d, const char *message, double *probability)
{
    double x[MESSAGE_FEATURES], of[APR_DAMAGE_KINDS];
    int32_t kind;

    trial_message_features(message, x);
    kind = apr_bayes_predict(d->priors, d->means[0], d->variances[0], APR_DAMAGE_KINDS, x,
                             MESSAGE_FEATURES, of);
    if (probability != NULL)
        *probability = of[kind];
    return (apr_damage)kind;
}

trueno_status diagnosis_learn(apr_diagnosis *d, trueno_error *err)
{
    double *x = trueno_arena_array(&d->arena, d->n_trials * TRIAL_FEATURES, sizeof *x);
    int32_t *labels = trueno_arena_array(&d->arena, d->n_trials, sizeof *labels);
    trueno_status status;

    if (x == NULL || labels == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %zu trials", d->n_trials);
    if (d->n_learned < APR_DAMAGE_KINDS || d->n_trials - d->n_learned < APR_DAMAGE_KINDS)
        return trueno_fail(err, TRUENO_USAGE,
                           "%zu trials were possible: the model has too few matrices", d->n_trials);
    status = cluster_trials(d, x, labels, err);
    return status < 0 ? status : classify_messages(d, x, labels, err);
}
