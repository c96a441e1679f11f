/* SPDX-License-Identifier: MIT */
/** @file config.h  A model's hyperparameters, whatever file they came from. */
#ifndef APR_CONFIG_H
#define APR_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <trueno/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How RoPE positions are stretched beyond the training length. */
typedef enum apr_rope_scaling {
    APR_ROPE_SCALING_NONE = 0,
    APR_ROPE_SCALING_LINEAR = 1, /**< positions divided by factor */
    APR_ROPE_SCALING_YARN = 2,
    APR_ROPE_SCALING_LLAMA3 = 3,
    APR_ROPE_SCALING_LONGROPE = 4 /**< per-frequency factors, short and long */
} apr_rope_scaling;

enum { APR_MAX_LAYERS = 1024, APR_MAX_EOS = 8, APR_MAX_ROPE_FACTORS = 256 };

/**
 * Hyperparameters. Zero means "absent" for every optional field; each field is one row of
 * config_fields.def with its GGUF key, its Hugging Face key and whether it is required.
 * `rope_type` is set by the reader: GGUF files of the llama family hold permuted Q and K rows
 * (NORM, 0), Hugging Face files do not (NEOX, 2).
 */
typedef struct apr_config {
    char architecture[32]; /**< "qwen2", "llama": the name GGUF uses */
    char name[128];        /**< the model's own name, may be empty */
    int32_t n_layers, hidden_size, n_heads, n_kv_heads, head_dim, intermediate_size, vocab_size;
    int32_t max_positions; /**< context length the model was made for */
    int32_t rope_type;     /**< 0 NORM, 2 NEOX (trueno_rope_type) */
    int32_t n_rot;         /**< rotated elements of a head; head_dim unless partial */
    float rope_theta;
    float rope_local_theta; /**< Gemma 3: of the sliding-window layers */
    float norm_eps;
    float norm_weight_offset; /**< added to norm weights: 1 for Gemma as Hugging Face stores it,
                                 else 0 */
    bool tied_embeddings;     /**< the output matrix is the embedding */

    int32_t rope_scaling; /**< apr_rope_scaling */
    float rope_scaling_factor;
    int32_t rope_original_positions;
    float rope_attention_factor; /**< explicit magnitude; 0: derived */
    float yarn_beta_fast, yarn_beta_slow, yarn_mscale, yarn_mscale_all_dim;
    float llama3_low_frequency_factor, llama3_high_frequency_factor;
    int32_t n_rope_factors; /**< head pairs with factors below */
    float rope_long_factors[APR_MAX_ROPE_FACTORS], rope_short_factors[APR_MAX_ROPE_FACTORS];

    int32_t sliding_window; /**< 0: none */
    int32_t
        sliding_window_pattern; /**< every n-th layer is full attention; 0: as the architecture */
    float attention_softcap, logit_softcap;
    float query_scale; /**< Gemma's query_pre_attn_scalar: scores are scaled by its -1/2 power */
    float embedding_scale; /**< 0: as the architecture */
    int32_t n_experts, n_experts_used, expert_intermediate_size, shared_expert_intermediate_size;
    bool expert_renormalize; /**< norm_topk_prob */
} apr_config;

/** Generation defaults that a model carries; negative numbers mean "not given". */
typedef struct apr_generation_defaults {
    float temperature, top_p, min_p, repeat_penalty;
    int32_t top_k;
    int32_t do_sample; /**< 0: greedy, 1: sample, -1: not given */
} apr_generation_defaults;

#ifdef __cplusplus
}
#endif
#endif
