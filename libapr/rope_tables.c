/* SPDX-License-Identifier: MIT */
/* Llama 3's RoPE: from the config's numbers to divisors, and back. */
#include "rope_tables.h"

#include <math.h>
#include <stddef.h>

void apr_llama3_divisors(const apr_config *c, float *out)
{
    const double turn = 6.283185307179586;

    for (int32_t i = 0; i < c->n_rot / 2; i++) {
        double length = turn * pow(c->rope_theta, 2.0 * i / c->n_rot);
        double ratio = c->rope_original_positions / length;
        double smooth = (ratio - c->llama3_low_frequency_factor) /
                        (c->llama3_high_frequency_factor - c->llama3_low_frequency_factor);

        smooth = smooth < 0 ? 0 : smooth > 1 ? 1 : smooth;
        out[i] = (float)(1 / ((1 - smooth) / c->rope_scaling_factor + smooth));
    }
}

static bool gives(const apr_config *c, const float *divisors)
{
    float made[APR_MAX_ROPE_FACTORS];

    apr_llama3_divisors(c, made);
    for (int32_t i = 0; i < c->n_rot / 2; i++)
        if (!(fabsf(made[i] - divisors[i]) <= 1e-5F * made[i]))
            return false;
    return true;
}

/* The divisors are 1 for short waves and the factor for long ones, so the largest is the factor;
 * the rest is looked for among powers of two and the frequency factors that models use. */
bool apr_llama3_fit(apr_config *c, const float *divisors)
{
    static const float FACTORS[][2] = {{1, 4}, {1, 2}, {1, 8}, {1, 3}, {1, 16}, {2, 3}};
    enum { FEWEST_POSITIONS = 16, MOST_POSITIONS = 1 << 22 };
    apr_config fit = *c;

    if (c->n_rot < 2 || c->n_rot / 2 > APR_MAX_ROPE_FACTORS)
        return false;
    fit.rope_scaling = APR_ROPE_SCALING_LLAMA3;
    fit.rope_scaling_factor = 1;
    for (int32_t i = 0; i < c->n_rot / 2; i++)
        if (divisors[i] > fit.rope_scaling_factor)
            fit.rope_scaling_factor = divisors[i];
    for (size_t i = 0; i < sizeof FACTORS / sizeof FACTORS[0]; i++)
        for (int32_t n = FEWEST_POSITIONS; n <= MOST_POSITIONS; n *= 2) {
            fit.llama3_low_frequency_factor = FACTORS[i][0];
            fit.llama3_high_frequency_factor = FACTORS[i][1];
            fit.rope_original_positions = n;
            if (!gives(&fit, divisors))
                continue;
            *c = fit;
            return true;
        }
    return false;
}
