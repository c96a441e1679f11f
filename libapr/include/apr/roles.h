/* SPDX-License-Identifier: MIT */
/** @file roles.h  What each tensor is for; names in each format are rows of one table. */
#ifndef APR_ROLES_H
#define APR_ROLES_H

#include <stddef.h>
#include <stdint.h>
#include <trueno/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The part a tensor plays in the model. Those from APR_ATTN_NORM on exist once a layer. */
typedef enum apr_role {
    APR_TOKEN_EMBEDDING,
    APR_OUTPUT_NORM,
    APR_OUTPUT_NORM_BIAS,
    APR_OUTPUT,
    APR_OUTPUT_BIAS,
    APR_ROPE_FREQUENCIES, /**< Llama 3's per-pair divisors in GGUF (rope_freqs.weight) */
    APR_ROPE_FACTORS_LONG,
    APR_ROPE_FACTORS_SHORT,
    APR_ATTN_NORM,
    APR_ATTN_NORM_BIAS,
    APR_ATTN_Q,
    APR_ATTN_Q_BIAS,
    APR_ATTN_K,
    APR_ATTN_K_BIAS,
    APR_ATTN_V,
    APR_ATTN_V_BIAS,
    APR_ATTN_QKV, /**< fused (Phi-3) */
    APR_ATTN_QKV_BIAS,
    APR_ATTN_Q_NORM,
    APR_ATTN_K_NORM,
    APR_ATTN_OUT,
    APR_ATTN_OUT_BIAS,
    APR_ATTN_POST_NORM, /**< Gemma: after attention, before the residual */
    APR_FFN_NORM,
    APR_FFN_NORM_BIAS,
    APR_FFN_GATE,
    APR_FFN_GATE_BIAS,
    APR_FFN_UP,
    APR_FFN_UP_BIAS,
    APR_FFN_GATE_UP, /**< fused (Phi-3) */
    APR_FFN_DOWN,
    APR_FFN_DOWN_BIAS,
    APR_FFN_POST_NORM,
    APR_FFN_ROUTER,
    APR_FFN_GATE_EXPERTS, /**< stacked by expert, as the two below */
    APR_FFN_UP_EXPERTS,
    APR_FFN_DOWN_EXPERTS,
    APR_FFN_SHARED_ROUTER,
    APR_FFN_SHARED_GATE,
    APR_FFN_SHARED_UP,
    APR_FFN_SHARED_DOWN,
    APR_ROLE_COUNT
} apr_role;

/** True when every layer has its own tensor of this role. */
#define APR_ROLE_IS_PER_LAYER(role) ((role) >= APR_ATTN_NORM)

/**
 * The name that GGUF gives the role's tensor ("blk.3.attn_k.weight"), for messages and lists, cut
 * at `bytes`; `layer` is ignored for roles outside the layers. Pure; any thread.
 */
TRUENO_API void apr_role_name(apr_role role, int32_t layer, char *out, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
