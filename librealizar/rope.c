/* SPDX-License-Identifier: MIT */
/* Rotary frequencies: the plain ones and their four ways of stretching beyond the training length.
 */
#include "internal.h"

#include <math.h>
#include <string.h>

typedef struct rope_facts {
    const apr_config *config;
    int32_t pairs;
    double theta;
    int32_t context;
} rope_facts;

static double plain_frequency(const rope_facts *r, int32_t pair)
{
    return pow(r->theta, -2.0 * pair / (2.0 * r->pairs));
}

static void scale_linear(const rope_facts *r, double *f, float *magnitude)
{
    for (int32_t j = 0; j < r->pairs; j++)
        f[j] /= r->config->rope_scaling_factor;
    *magnitude = 1.0f;
}

/* Llama 3: long wavelengths are divided by the factor, short ones kept, the middle blended. */
static void scale_llama3(const rope_facts *r, double *f, float *magnitude)
{
    const apr_config *c = r->config;
    double low = c->llama3_low_frequency_factor, high = c->llama3_high_frequency_factor;
    double original = c->rope_original_positions;

    for (int32_t j = 0; j < r->pairs; j++) {
        double wavelength = 2.0 * M_PI / f[j];

        if (wavelength > original / low) {
            f[j] /= c->rope_scaling_factor;
        } else if (wavelength > original / high) {
            double smooth = (original / wavelength - low) / (high - low);

            f[j] = (1.0 - smooth) * f[j] / c->rope_scaling_factor + smooth * f[j];
        }
    }
    *magnitude = 1.0f;
}

static double yarn_magnitude(double factor, double mscale)
{
    return factor <= 1.0 ? 1.0 : 0.1 * mscale * log(factor) + 1.0;
}

/* The pair whose wavelength makes `rotations` turns over the training length. */
static double yarn_pair(const rope_facts *r, double rotations)
{
    return 2.0 * r->pairs * log(r->config->rope_original_positions / (rotations * 2.0 * M_PI)) /
           (2.0 * log(r->theta));
}

/* YaRN (arXiv 2309.00071): interpolate slow pairs, keep fast ones, ramp between. */
static void scale_yarn(const rope_facts *r, double *f, float *magnitude)
{
    const apr_config *c = r->config;
    double fast = c->yarn_beta_fast > 0 ? c->yarn_beta_fast : 32.0;
    double slow = c->yarn_beta_slow > 0 ? c->yarn_beta_slow : 1.0;
    double low = fmax(floor(yarn_pair(r, fast)), 0.0);
    double high = fmin(ceil(yarn_pair(r, slow)), 2.0 * r->pairs - 1.0);

    if (low == high)
        high += 0.001;
    for (int32_t j = 0; j < r->pairs; j++) {
        double ramp = fmin(fmax((j - low) / (high - low), 0.0), 1.0);

        f[j] = f[j] / c->rope_scaling_factor * ramp + f[j] * (1.0 - ramp);
    }
    if (c->rope_attention_factor > 0)
        *magnitude = c->rope_attention_factor;
    else if (c->yarn_mscale > 0 && c->yarn_mscale_all_dim > 0)
        *magnitude = (float)(yarn_magnitude(c->rope_scaling_factor, c->yarn_mscale) /
                             yarn_magnitude(c->rope_scaling_factor, c->yarn_mscale_all_dim));
    else
        *magnitude = (float)yarn_magnitude(c->rope_scaling_factor, 1.0);
}

/* LongRoPE: each pair has its own divisor, one list within the training length, one beyond. */
static void scale_longrope(const rope_facts *r, double *f, float *magnitude)
{
    const apr_config *c = r->config;
    bool beyond = r->context > c->rope_original_positions;
    const float *factors = beyond ? c->rope_long_factors : c->rope_short_factors;
    double stretch = c->rope_scaling_factor > 0
                         ? c->rope_scaling_factor
                         : (double)c->max_positions / c->rope_original_positions;

    for (int32_t j = 0; j < r->pairs; j++)
        f[j] /= factors[j];
    if (c->rope_attention_factor > 0)
        *magnitude = c->rope_attention_factor;
    else if (stretch <= 1.0)
        *magnitude = 1.0f;
    else
        *magnitude = (float)sqrt(1.0 + log(stretch) / log(c->rope_original_positions));
}

static void (*const SCALINGS[])(const rope_facts *, double *, float *) = {
    [APR_ROPE_SCALING_LINEAR] = scale_linear,
    [APR_ROPE_SCALING_YARN] = scale_yarn,
    [APR_ROPE_SCALING_LLAMA3] = scale_llama3,
    [APR_ROPE_SCALING_LONGROPE] = scale_longrope,
};

/* A GGUF of Llama 3 carries the divisors ready-made instead of the four parameters. */
static trueno_status divide_by_tensor(realizar_engine *e, double *f, int32_t pairs,
                                      trueno_error *err)
{
    const apr_tensor *t = apr_model_role(e->model, APR_ROPE_FREQUENCIES, -1);

    if (t == NULL)
        return TRUENO_OK;
    if (t->type != TRUENO_F32 || t->dims[t->n_dims - 1] != pairs)
        return trueno_fail(err, TRUENO_UNSUPPORTED, "%s: %s of %lld values, expected F32 of %d",
                           t->name, trueno_type_get(t->type)->name,
                           (long long)t->dims[t->n_dims - 1], pairs);
    for (int32_t j = 0; j < pairs; j++) {
        float divisor;

        memcpy(&divisor, (const char *)t->data + (size_t)j * sizeof divisor, sizeof divisor);
        f[j] /= divisor;
    }
    return TRUENO_OK;
}

static trueno_status frequencies(realizar_engine *e, double theta, bool scaled, float **out,
                                 float *magnitude, trueno_error *err)
{
    const apr_config *c = e->config;
    rope_facts facts = {c, c->n_rot / 2, theta, e->context};
    double f[APR_MAX_ROPE_FACTORS];
    trueno_status status;

    if (facts.pairs > APR_MAX_ROPE_FACTORS)
        return trueno_fail(err, TRUENO_UNSUPPORTED, "rotary dimension %d, at most %d is supported",
                           c->n_rot, 2 * APR_MAX_ROPE_FACTORS);
    *magnitude = 1.0f;
    for (int32_t j = 0; j < facts.pairs; j++)
        f[j] = plain_frequency(&facts, j);
    if (scaled && c->rope_scaling != APR_ROPE_SCALING_NONE)
        SCALINGS[c->rope_scaling](&facts, f, magnitude);
    if (scaled && (status = divide_by_tensor(e, f, facts.pairs, err)) < 0)
        return status;
    *out = trueno_arena_array(&e->arena, (size_t)facts.pairs, sizeof **out);
    if (*out == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %d rotary frequencies",
                           facts.pairs);
    for (int32_t j = 0; j < facts.pairs; j++)
        (*out)[j] = (float)f[j];
    return TRUENO_OK;
}

trueno_status rope_prepare(realizar_engine *e, trueno_error *err)
{
    const apr_config *c = e->config;
    float unscaled;
    trueno_status status = frequencies(e, c->rope_theta, true, &e->weights.rope_frequencies,
                                       &e->weights.rope_magnitude, err);

    if (status == TRUENO_OK && e->arch->local_rope)
        status = frequencies(e, c->rope_local_theta > 0 ? c->rope_local_theta : 10000.0, false,
                             &e->weights.rope_local_frequencies, &unscaled, err);
    return status;
}
