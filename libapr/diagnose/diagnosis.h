/* SPDX-License-Identifier: MIT */
/* The insides of a diagnosis, shared by what makes it, writes it and draws it. */
#ifndef APR_DIAGNOSE_DIAGNOSIS_H
#define APR_DIAGNOSE_DIAGNOSIS_H

#include "error_model.h"
#include "trials.h"
#include <apr/learn.h>

enum {
    DIAGNOSIS_FILES = 2,
    POINT_FEATURES = 12,
    POINT_DIMENSIONS = 3,
    N_CRITERIA = 4,
    MAX_SUSPECTS = 24
};

/* A tensor in the directions of most variance. */
typedef struct diagnosis_point {
    const apr_tensor *tensor;
    double at[POINT_DIMENSIONS];
} diagnosis_point;

struct apr_diagnosis {
    const apr_model *model;
    const trueno_allocator *allocator;
    trueno_arena arena; /* dies with the diagnosis */
    apr_diagnose_options o;

    struct {
        const char *format;
        uint64_t bytes;
        bool same; /* every weight is that of the model */
    } conversions[DIAGNOSIS_FILES];

    error_model errors;
    trial *trials; /* the first n_learned were learned from, the others judge */
    size_t n_trials, n_learned;
    double centres[APR_DAMAGE_KINDS][TRIAL_FEATURES];
    apr_damage kind_of_cluster[APR_DAMAGE_KINDS];
    double priors[APR_DAMAGE_KINDS];
    double means[APR_DAMAGE_KINDS][MESSAGE_FEATURES], variances[APR_DAMAGE_KINDS][MESSAGE_FEATURES];
    diagnosis_point *points;
    size_t n_points;
    apr_criterion criteria[N_CRITERIA];
    apr_suspect suspects[MAX_SUSPECTS];
    size_t n_suspects;
    uint64_t found; /* trials in which something was found */
};

/* d->points, of every tensor that can be read, and how much of the variance they keep. */
trueno_status diagnosis_project(apr_diagnosis *d, trueno_error *err);

/* Kinds of damage from the first n_learned trials: by their features, and by their messages. */
trueno_status diagnosis_learn(apr_diagnosis *d, trueno_error *err);

#endif
