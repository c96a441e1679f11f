/* SPDX-License-Identifier: MIT */
/* Llama 3's stretching of RoPE in its two forms: numbers of a config, and a divisor for each pair.
 */
#ifndef APR_ROPE_TABLES_H
#define APR_ROPE_TABLES_H

#include <apr/config.h>

/* The divisors of the pairs' frequencies, [n_rot / 2], by the config's numbers. */
void apr_llama3_divisors(const apr_config *c, float *out);

/*
 * The config's numbers from the divisors, [n_rot / 2]: false, with *c as it was, when they follow
 * from no usual numbers.
 */
bool apr_llama3_fit(apr_config *c, const float *divisors);

#endif
