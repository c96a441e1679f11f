/* SPDX-License-Identifier: MIT */
/* Damaged copies of a converted model, and what a reader finds in each. */
#ifndef APR_DIAGNOSE_TRIALS_H
#define APR_DIAGNOSE_TRIALS_H

#include <apr/diagnose.h>
#include <trueno/sys/arena.h>

enum {
    TRIAL_FEATURES = 10,
    TRIAL_WATCHED = 16, /* tensors that are damaged and looked at */
    MESSAGE_FEATURES = 5
};

/* A converted model: its file, the model read from it, the tensors to damage. */
typedef struct trial_file {
    const char *format; /* "gguf", "apr" */
    char *path;
    apr_model *model;
    const apr_tensor *watched[TRIAL_WATCHED];
    int32_t n_watched;
} trial_file;

/* One damaged copy and what was found. */
typedef struct trial {
    apr_damage damage;
    const char *fault, *format;
    const char *tensor; /* NULL: the file's header was damaged */
    bool quantised, found;
    trueno_status status; /* of opening the copy */
    char message[500];    /* what was found; empty: nothing */
    double features[TRIAL_FEATURES];
    int32_t cluster;
    apr_damage by_cluster, by_message;
} trial;

/* Choose the tensors to damage: matrices of moderate size from all over the file. */
void trial_file_watch(trial_file *file);

/*
 * Damage a private copy of the file as row `number` of the table of this kind of damage says (from
 * 0, again from the first after the last), look at it, and fill *out. False in *possible: no
 * watched tensor can be damaged like this (rows and columns to exchange need to differ).
 */
trueno_status trial_run(const trial_file *file, apr_damage damage, uint32_t number,
                        uint64_t *random, trial *out, bool *possible, trueno_error *err);

/* Length and keywords of a message, for the classifier: out [MESSAGE_FEATURES]. */
void trial_message_features(const char *message, double *out);

#endif
