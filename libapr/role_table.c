/* SPDX-License-Identifier: MIT */
/* One row per tensor role: its name in each format, and its shape in terms of the config. */
#include "role_table.h"

#define GLOBAL(role, gguf, hf, ...) \
    {                               \
        role, ALWAYS, gguf, hf,     \
        {                           \
            __VA_ARGS__             \
        }                           \
    }
#define LAYER(role, when, gguf, hf, ...) \
    {                                    \
        role, when, gguf, hf,            \
        {                                \
            __VA_ARGS__                  \
        }                                \
    }

const apr_role_row apr_role_rows[] = {
    GLOBAL(APR_TOKEN_EMBEDDING, "token_embd.weight", "model.embed_tokens.weight", D_VOCAB,
           D_HIDDEN),
    GLOBAL(APR_OUTPUT_NORM, "output_norm.weight", "model.norm.weight", D_HIDDEN),
    GLOBAL(APR_OUTPUT_NORM_BIAS, "output_norm.bias", "model.norm.bias", D_HIDDEN),
    GLOBAL(APR_OUTPUT, "output.weight", "lm_head.weight", D_VOCAB, D_HIDDEN),
    GLOBAL(APR_OUTPUT_BIAS, "output.bias", "lm_head.bias", D_VOCAB),
    GLOBAL(APR_ROPE_FREQUENCIES, "rope_freqs.weight", "rope_freqs.weight", D_ROT_HALF),
    GLOBAL(APR_ROPE_FACTORS_LONG, "rope_factors_long.weight", "rope_factors_long.weight",
           D_ROT_HALF),
    GLOBAL(APR_ROPE_FACTORS_SHORT, "rope_factors_short.weight", "rope_factors_short.weight",
           D_ROT_HALF),

    LAYER(APR_ATTN_NORM, ALWAYS, "attn_norm.weight", "input_layernorm.weight", D_HIDDEN),
    LAYER(APR_ATTN_NORM_BIAS, ALWAYS, "attn_norm.bias", "input_layernorm.bias", D_HIDDEN),
    LAYER(APR_ATTN_Q, ALWAYS, "attn_q.weight", "self_attn.q_proj.weight", D_Q, D_HIDDEN),
    LAYER(APR_ATTN_Q_BIAS, ALWAYS, "attn_q.bias", "self_attn.q_proj.bias", D_Q),
    LAYER(APR_ATTN_K, ALWAYS, "attn_k.weight", "self_attn.k_proj.weight", D_KV, D_HIDDEN),
    LAYER(APR_ATTN_K_BIAS, ALWAYS, "attn_k.bias", "self_attn.k_proj.bias", D_KV),
    LAYER(APR_ATTN_V, ALWAYS, "attn_v.weight", "self_attn.v_proj.weight", D_KV, D_HIDDEN),
    LAYER(APR_ATTN_V_BIAS, ALWAYS, "attn_v.bias", "self_attn.v_proj.bias", D_KV),
    LAYER(APR_ATTN_QKV, ALWAYS, "attn_qkv.weight", "self_attn.qkv_proj.weight", D_QKV, D_HIDDEN),
    LAYER(APR_ATTN_QKV_BIAS, ALWAYS, "attn_qkv.bias", "self_attn.qkv_proj.bias", D_QKV),
    LAYER(APR_ATTN_Q_NORM, ALWAYS, "attn_q_norm.weight", "self_attn.q_norm.weight", D_HEAD),
    LAYER(APR_ATTN_K_NORM, ALWAYS, "attn_k_norm.weight", "self_attn.k_norm.weight", D_HEAD),
    LAYER(APR_ATTN_OUT, ALWAYS, "attn_output.weight", "self_attn.o_proj.weight", D_HIDDEN, D_Q),
    LAYER(APR_ATTN_OUT_BIAS, ALWAYS, "attn_output.bias", "self_attn.o_proj.bias", D_HIDDEN),
    LAYER(APR_ATTN_POST_NORM, POST_NORMS, "post_attention_norm.weight",
          "post_attention_layernorm.weight", D_HIDDEN),
    LAYER(APR_FFN_NORM, POST_NORMS, "ffn_norm.weight", "pre_feedforward_layernorm.weight",
          D_HIDDEN),
    LAYER(APR_FFN_NORM, PLAIN_NORMS, "ffn_norm.weight", "post_attention_layernorm.weight",
          D_HIDDEN),
    LAYER(APR_FFN_NORM_BIAS, PLAIN_NORMS, "ffn_norm.bias", "post_attention_layernorm.bias",
          D_HIDDEN),
    LAYER(APR_FFN_GATE, ALWAYS, "ffn_gate.weight", "mlp.gate_proj.weight", D_FFN, D_HIDDEN),
    LAYER(APR_FFN_GATE_BIAS, ALWAYS, "ffn_gate.bias", "mlp.gate_proj.bias", D_FFN),
    LAYER(APR_FFN_UP, SPLIT_GATE, "ffn_up.weight", "mlp.up_proj.weight", D_FFN, D_HIDDEN),
    LAYER(APR_FFN_UP, NO_GATE, "ffn_up.weight", "mlp.c_fc.weight", D_FFN, D_HIDDEN),
    LAYER(APR_FFN_UP_BIAS, SPLIT_GATE, "ffn_up.bias", "mlp.up_proj.bias", D_FFN),
    LAYER(APR_FFN_UP_BIAS, NO_GATE, "ffn_up.bias", "mlp.c_fc.bias", D_FFN),
    LAYER(APR_FFN_GATE_UP, FUSED_GATE, "ffn_up.weight", "mlp.gate_up_proj.weight", D_FFN_2,
          D_HIDDEN),
    LAYER(APR_FFN_DOWN, ANY_GATE, "ffn_down.weight", "mlp.down_proj.weight", D_HIDDEN, D_FFN),
    LAYER(APR_FFN_DOWN, NO_GATE, "ffn_down.weight", "mlp.c_proj.weight", D_HIDDEN, D_FFN),
    LAYER(APR_FFN_DOWN_BIAS, ANY_GATE, "ffn_down.bias", "mlp.down_proj.bias", D_HIDDEN),
    LAYER(APR_FFN_DOWN_BIAS, NO_GATE, "ffn_down.bias", "mlp.c_proj.bias", D_HIDDEN),
    LAYER(APR_FFN_POST_NORM, POST_NORMS, "post_ffw_norm.weight",
          "post_feedforward_layernorm.weight", D_HIDDEN),
    LAYER(APR_FFN_ROUTER, ALWAYS, "ffn_gate_inp.weight", "mlp.gate.weight", D_EXPERTS, D_HIDDEN),
    LAYER(APR_FFN_GATE_EXPERTS, ALWAYS, "ffn_gate_exps.weight", "mlp.experts.*.gate_proj.weight",
          D_EXPERTS, D_EXPERT_FFN, D_HIDDEN),
    LAYER(APR_FFN_GATE_EXPERTS, ALWAYS, "", "mlp.experts.gate_proj.weight", D_EXPERTS, D_EXPERT_FFN,
          D_HIDDEN),
    LAYER(APR_FFN_UP_EXPERTS, ALWAYS, "ffn_up_exps.weight", "mlp.experts.*.up_proj.weight",
          D_EXPERTS, D_EXPERT_FFN, D_HIDDEN),
    LAYER(APR_FFN_UP_EXPERTS, ALWAYS, "", "mlp.experts.up_proj.weight", D_EXPERTS, D_EXPERT_FFN,
          D_HIDDEN),
    LAYER(APR_FFN_DOWN_EXPERTS, ALWAYS, "ffn_down_exps.weight", "mlp.experts.*.down_proj.weight",
          D_EXPERTS, D_HIDDEN, D_EXPERT_FFN),
    LAYER(APR_FFN_DOWN_EXPERTS, ALWAYS, "", "mlp.experts.down_proj.weight", D_EXPERTS, D_HIDDEN,
          D_EXPERT_FFN),
    LAYER(APR_FFN_SHARED_ROUTER, ALWAYS, "ffn_gate_inp_shexp.weight",
          "mlp.shared_expert_gate.weight", D_ONE, D_HIDDEN),
    LAYER(APR_FFN_SHARED_GATE, ALWAYS, "ffn_gate_shexp.weight",
          "mlp.shared_expert.gate_proj.weight", D_SHARED_FFN, D_HIDDEN),
    LAYER(APR_FFN_SHARED_UP, ALWAYS, "ffn_up_shexp.weight", "mlp.shared_expert.up_proj.weight",
          D_SHARED_FFN, D_HIDDEN),
    LAYER(APR_FFN_SHARED_DOWN, ALWAYS, "ffn_down_shexp.weight",
          "mlp.shared_expert.down_proj.weight", D_HIDDEN, D_SHARED_FFN),
};

const size_t apr_n_role_rows = sizeof apr_role_rows / sizeof apr_role_rows[0];

bool apr_role_applies(const apr_role_row *row, const apr_architecture *architecture)
{
    bool post_norms = architecture != NULL && architecture->post_norms;
    bool fused = architecture != NULL && architecture->fused_gate_up;
    bool plain = architecture != NULL && architecture->plain_ffn;

    switch (row->when) {
    case PLAIN_NORMS:
        return !post_norms;
    case POST_NORMS:
        return post_norms;
    case SPLIT_GATE:
        return !fused && !plain;
    case FUSED_GATE:
        return fused;
    case ANY_GATE:
        return !plain;
    case NO_GATE:
        return plain;
    default:
        return true;
    }
}
