/* SPDX-License-Identifier: MIT */
/* One row per architecture and Hugging Face class: how its files are to be read. */
#include "architectures.h"

#include <stddef.h>
#include <string.h>

/* The first row of a name is the one that GGUF files of that name use. */
static const apr_architecture ROWS[] = {
    {.name = "llama",
     .hf_class = "LlamaForCausalLM",
     .hf_model_type = "llama",
     .hf_activation = "silu",
     .gguf_rope = APR_ROPE_NORM},
    {.name = "llama",
     .hf_class = "MistralForCausalLM",
     .hf_model_type = "mistral",
     .hf_activation = "silu",
     .gguf_rope = APR_ROPE_NORM},
    {.name = "qwen2",
     .hf_class = "Qwen2ForCausalLM",
     .hf_model_type = "qwen2",
     .hf_activation = "silu",
     .gguf_rope = APR_ROPE_NEOX},
    {.name = "qwen3",
     .hf_class = "Qwen3ForCausalLM",
     .hf_model_type = "qwen3",
     .hf_activation = "silu",
     .gguf_rope = APR_ROPE_NEOX},
    {.name = "qwen2moe",
     .hf_class = "Qwen2MoeForCausalLM",
     .hf_model_type = "qwen2_moe",
     .hf_activation = "silu",
     .gguf_rope = APR_ROPE_NEOX},
    {.name = "qwen3moe",
     .hf_class = "Qwen3MoeForCausalLM",
     .hf_model_type = "qwen3_moe",
     .hf_activation = "silu",
     .gguf_rope = APR_ROPE_NEOX,
     .experts_renormalized = true},
    {.name = "phi3",
     .hf_class = "Phi3ForCausalLM",
     .hf_model_type = "phi3",
     .hf_activation = "silu",
     .gguf_rope = APR_ROPE_NEOX,
     .fused_gate_up = true,
     .fused_qkv = true},
    {.name = "starcoder2",
     .hf_class = "Starcoder2ForCausalLM",
     .hf_model_type = "starcoder2",
     .hf_activation = "gelu_pytorch_tanh",
     .gguf_rope = APR_ROPE_NEOX,
     .plain_ffn = true,
     .layer_norm = true,
     .hf_tied = true},
    {.name = "gemma",
     .hf_class = "GemmaForCausalLM",
     .hf_model_type = "gemma",
     .hf_activation = "gelu_pytorch_tanh",
     .gguf_rope = APR_ROPE_NEOX,
     .norm_plus_one = true,
     .hf_tied = true},
    {.name = "gemma2",
     .hf_class = "Gemma2ForCausalLM",
     .hf_model_type = "gemma2",
     .hf_activation = "gelu_pytorch_tanh",
     .gguf_rope = APR_ROPE_NEOX,
     .post_norms = true,
     .norm_plus_one = true,
     .hf_tied = true,
     .wide_query_layers = 46,
     .window_pattern = 2},
    {.name = "gemma3",
     .hf_class = "Gemma3ForCausalLM",
     .hf_model_type = "gemma3_text",
     .hf_activation = "gelu_pytorch_tanh",
     .gguf_rope = APR_ROPE_NEOX,
     .post_norms = true,
     .norm_plus_one = true,
     .hf_tied = true,
     .wide_query_layers = 62,
     .window_pattern = 6,
     .local_theta = 10000},
    {.name = "gemma3",
     .hf_class = "Gemma3ForConditionalGeneration",
     .hf_model_type = "gemma3",
     .hf_activation = "gelu_pytorch_tanh",
     .gguf_rope = APR_ROPE_NEOX,
     .post_norms = true,
     .norm_plus_one = true,
     .hf_tied = true,
     .wide_query_layers = 62,
     .window_pattern = 6,
     .local_theta = 10000},
};

enum { N_ROWS = sizeof ROWS / sizeof ROWS[0] };

const apr_architecture *apr_architecture_row(unsigned index)
{
    return index < N_ROWS ? &ROWS[index] : NULL;
}

const apr_architecture *apr_architecture_find(const char *name)
{
    for (unsigned i = 0; i < N_ROWS; i++)
        if (strcmp(ROWS[i].name, name) == 0)
            return &ROWS[i];
    return NULL;
}

const apr_architecture *apr_architecture_find_class(const char *hf_class)
{
    for (unsigned i = 0; i < N_ROWS; i++)
        if (strcmp(ROWS[i].hf_class, hf_class) == 0)
            return &ROWS[i];
    return NULL;
}
