/* SPDX-License-Identifier: MIT */
/* Two models that must say the same, whichever formats they came from. */
#ifndef TEST_APR_SAME_MODELS_H
#define TEST_APR_SAME_MODELS_H

#include <apr/model.h>

/* Both hold the same weights; rows of Q are compared through the pairing of each. */
void same_weights(const apr_model *a, const apr_model *b);

/* The models of two files: config, vocabulary, weights, chat template and defaults. */
void same_models(const char *before, const char *after);

#endif
