/* SPDX-License-Identifier: MIT */
/* What the verbs of apr rosetta that compare models share. */
#ifndef CLI_ROSETTA_COMPARE_H
#define CLI_ROSETTA_COMPARE_H

#include "commands.h"

#include <apr/compare.h>

/* A comparison of two files, and what to keep of it. */
typedef struct tensor_differences {
    const char *filter;  /* NULL: all tensors */
    bool with_same;      /* list those without differences too */
    int32_t show_values; /* values told from the largest difference on */
    double tolerance;
    bool only_failed; /* list no others */
    bool types_count; /* other types of the same values are a difference too */
    /* out */
    json_t *list; /* the caller's to release, also after an error */
    uint64_t
        failed; /* tensors that differ by more than the tolerance, or in shape, or are missing */
    apr_comparison sums;
} tensor_differences;

trueno_status compare_files(const cli_arguments *a, const char *first, const char *second,
                            tensor_differences *t, trueno_error *err);

/* As compare_files() on open models. */
trueno_status compare_open_models(const cli_arguments *a, const apr_model *first,
                                  const apr_model *second, tensor_differences *t,
                                  trueno_error *err);

/* A line or more for each difference of a list. */
void print_differences(const json_t *list);

/* The sums as members of an object. */
json_t *comparison_json(const apr_comparison *sums);

#endif
