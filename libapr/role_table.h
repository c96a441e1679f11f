/* SPDX-License-Identifier: MIT */
/* The table of tensor roles: names in each format, and shapes in terms of the config. */
#ifndef APR_ROLE_TABLE_H
#define APR_ROLE_TABLE_H

#include "model_private.h"

/* Sizes that shapes are made of. */
typedef enum apr_dim {
    D_NONE,
    D_VOCAB,
    D_HIDDEN,
    D_Q,   /* n_heads * head_dim */
    D_KV,  /* n_kv_heads * head_dim */
    D_QKV, /* D_Q + 2 D_KV */
    D_HEAD,
    D_ROT_HALF,
    D_FFN,
    D_FFN_2,
    D_EXPERTS,
    D_EXPERT_FFN,
    D_SHARED_FFN,
    D_ONE
} apr_dim;

/* When a row's name applies. */
typedef enum apr_role_case {
    ALWAYS,
    PLAIN_NORMS, /* not with norms after attention and feed-forward */
    POST_NORMS,
    SPLIT_GATE, /* gate and up apart */
    FUSED_GATE,
    ANY_GATE,
    NO_GATE
} apr_role_case;

typedef struct apr_role_row {
    apr_role role;
    apr_role_case when;
    /* within a layer: what follows "blk.N." or "model.layers.N."; "*" is an expert's number, and
       such a tensor has the shape without its first dimension */
    const char *gguf, *hf;
    apr_dim shape[3];
} apr_role_row;

/* Of a role's rows the first that applies, and has a name in the format, gives what is written. */
extern const apr_role_row apr_role_rows[];
extern const size_t apr_n_role_rows;

/* True when the row counts for models of the architecture (NULL: none of ours). */
bool apr_role_applies(const apr_role_row *row, const apr_architecture *architecture);

#endif
