/* SPDX-License-Identifier: MIT */
/** @file sampler.h  From logits to a token: bias, penalties, top-k, top-p, min-p, temperature. */
#ifndef REALIZAR_SAMPLER_H
#define REALIZAR_SAMPLER_H

#include <realizar/tokenizer.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct realizar_logit_bias {
    int32_t id;
    float bias; /**< added to the logit; -INFINITY forbids the token */
} realizar_logit_bias;

/**
 * Sampling settings, applied in the order of the fields. temperature 0 is plain argmax (lowest id
 * on ties) after bias and penalties.
 */
typedef struct realizar_sampling {
    size_t size; /**< sizeof, as filled by realizar_sampling_init() */
    const realizar_logit_bias *bias;
    int32_t n_bias;
    float repeat_penalty;    /**< 1: off. Positive logits are divided by it, negative multiplied */
    float frequency_penalty; /**< times the count, subtracted */
    float presence_penalty;  /**< subtracted once when present */
    int32_t repeat_last_n;   /**< tokens looked back on; 0: none */
    int32_t top_k;           /**< 0: off */
    float top_p;             /**< 1: off; at least one token stays */
    float min_p;             /**< 0: off; relative to the most probable token */
    float temperature;
    uint64_t seed;
} realizar_sampling;

/** Built-in defaults (temperature 0.7, top-k 40, top-p 0.95, min-p 0.05, no penalties, seed 0). */
TRUENO_API void realizar_sampling_init(realizar_sampling *s, size_t size);

/** The model's own generation defaults over *s, where it gives them. */
TRUENO_API void realizar_sampling_from_model(realizar_sampling *s,
                                             const apr_generation_defaults *defaults);

/** TRUENO_USAGE naming the first setting that is out of range (NaN included). */
TRUENO_API trueno_status realizar_sampling_check(const realizar_sampling *s, trueno_error *err);

/** A sampler's random state and scratch memory. One thread at a time. */
typedef struct realizar_sampler realizar_sampler;

/**
 * A sampler for rows of vocab_size logits. Settings are copied, the bias list too; `tokenizer` says
 * which ids are unused (NULL: none) and must outlive it; `allocator` NULL: default. Errors: those
 * of realizar_sampling_check(); TRUENO_USAGE for a bias outside the vocabulary; TRUENO_NO_MEMORY.
 */
TRUENO_API trueno_status realizar_sampler_new(realizar_sampler **out, const realizar_sampling *s,
                                              const realizar_tokenizer *tokenizer,
                                              int32_t vocab_size, const trueno_allocator *allocator,
                                              trueno_error *err);

/** NULL is fine. */
TRUENO_API void realizar_sampler_free(realizar_sampler *sampler);

/** One token of a distribution. */
typedef struct realizar_candidate {
    int32_t id;
    float log_probability; /**< natural log, of the model's own distribution (before any setting) */
    float probability;     /**< after the settings; 0 for tokens that were cut */
} realizar_candidate;

/**
 * Choose a token from logits [vocab_size]. recent [n_recent] holds the tokens before it, oldest
 * first, of which the penalties see the last repeat_last_n. Ids outside the vocabulary and unused
 * tokens are never chosen. TRUENO_INFERENCE when a logit is NaN or +infinity, all are -infinity, or
 * the bias forbids every token.
 */
TRUENO_API trueno_status realizar_sampler_choose(realizar_sampler *sampler, const float *logits,
                                                 const int32_t *recent, int32_t n_recent,
                                                 realizar_candidate *chosen, trueno_error *err);

/** The `n` most probable tokens of the last choice, most probable first, out [n]; returns how many.
 */
TRUENO_API int32_t realizar_sampler_top(const realizar_sampler *sampler, realizar_candidate *out,
                                        int32_t n);

#ifdef __cplusplus
}
#endif
#endif
