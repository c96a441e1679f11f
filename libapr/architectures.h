/* SPDX-License-Identifier: MIT */
/* What differs between the files of one architecture and another: one row each. */
#ifndef APR_ARCHITECTURES_H
#define APR_ARCHITECTURES_H

#include <stdbool.h>
#include <stdint.h>

enum { APR_ROPE_NORM = 0, APR_ROPE_NEOX = 2 };

typedef struct apr_architecture {
    const char *name;          /* as GGUF has it */
    const char *hf_class;      /* the first of config.json's "architectures" */
    const char *hf_model_type; /* config.json's "model_type" */
    const char *hf_activation; /* config.json's word for the feed-forward's function */
    int32_t gguf_rope;         /* RoPE pairing of GGUF files; Hugging Face files are always NEOX */
    bool post_norms;           /* Gemma 2 and 3: norms after attention and feed-forward too */
    bool fused_gate_up; /* Phi-3: the feed-forward's "up" holds the gate's rows before its own */
    bool plain_ffn;     /* StarCoder2: the feed-forward has no gate, and names of its own */
    bool norm_plus_one; /* Gemma: GGUF stores the norm's weight + 1, Hugging Face the weight */
    bool layer_norm;    /* GGUF's other key for the norm's epsilon */
    bool hf_tied;       /* tied embeddings where config.json does not say */
    bool experts_renormalized; /* GGUF has no key for it that all writers use */
    bool fused_qkv;            /* Phi-3 */
    int32_t window_pattern;    /* every n-th layer sees all; 0: all layers alike. GGUF has no key */
    int32_t
        wide_query_layers; /* models of so many layers scale queries by hidden size over heads */
    float local_theta;     /* RoPE base of windowed layers where the file does not say */
} apr_architecture;

/* The row of that GGUF name, or NULL. */
const apr_architecture *apr_architecture_find(const char *name);

/* The row of that Hugging Face class, or NULL. */
const apr_architecture *apr_architecture_find_class(const char *hf_class);

/* Row `index`, or NULL behind the last. */
const apr_architecture *apr_architecture_row(unsigned index);

#endif
