/* SPDX-License-Identifier: MIT */
/* One row per tensor role: its name in each format, and its shape in terms of the config. */
#include "plan.h"

#include "file_limits.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Sizes that shapes are made of. */
typedef enum dim {
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
} dim;

/* When a row's name applies. */
typedef enum role_case {
    ALWAYS,
    PLAIN_NORMS, /* not with norms after attention and feed-forward */
    POST_NORMS,
    SPLIT_GATE, /* gate and up apart */
    FUSED_GATE,
    ANY_GATE,
    NO_GATE
} role_case;

typedef struct role_row {
    apr_role role;
    role_case when;
    /* within a layer: what follows "blk.N." or "model.layers.N."; "*" is an expert's number, and
       such a tensor has the shape without its first dimension */
    const char *gguf, *hf;
    dim shape[3];
} role_row;

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

static const role_row ROWS[] = {
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

enum { N_ROWS = sizeof ROWS / sizeof ROWS[0], MOST_EXPERTS = 4096, EXPERT_MATRICES = 3 };

static bool applies(role_case when, const apr_architecture *architecture)
{
    bool post_norms = architecture != NULL && architecture->post_norms;
    bool fused = architecture != NULL && architecture->fused_gate_up;
    bool plain = architecture != NULL && architecture->plain_ffn;

    switch (when) {
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

static int64_t dim_value(dim d, const apr_config *c)
{
    const int64_t q = (int64_t)c->n_heads * c->head_dim, kv = (int64_t)c->n_kv_heads * c->head_dim;

    switch (d) {
    case D_VOCAB:
        return c->vocab_size;
    case D_HIDDEN:
        return c->hidden_size;
    case D_Q:
        return q;
    case D_KV:
        return kv;
    case D_QKV:
        return q + 2 * kv;
    case D_HEAD:
        return c->head_dim;
    case D_ROT_HALF:
        return c->n_rot / 2;
    case D_FFN:
        return c->intermediate_size;
    case D_FFN_2:
        return 2 * (int64_t)c->intermediate_size;
    case D_EXPERTS:
        return c->n_experts;
    case D_EXPERT_FFN:
        return c->expert_intermediate_size;
    case D_SHARED_FFN:
        return c->shared_expert_intermediate_size;
    default:
        return 1;
    }
}

/* "PREFIX12.rest": the layer, and *rest after the dot; -1 when the name is not of that form. */
static int32_t layer_of(const char *name, const char *prefix, const char **rest)
{
    size_t length = strlen(prefix);
    int32_t layer = 0;

    if (strncmp(name, prefix, length) != 0 || name[length] < '0' || name[length] > '9')
        return -1;
    for (name += length; *name >= '0' && *name <= '9'; name++) {
        layer = layer * 10 + (*name - '0');
        if (layer >= APR_MAX_LAYERS)
            return -1;
    }
    *rest = name + 1;
    return *name == '.' ? layer : -1;
}

/* True when `name` is `wanted`, in which one "*" stands for a number, put into *number. */
static bool name_fits(const char *wanted, const char *name, int32_t *number)
{
    const char *star = strchr(wanted, '*'), *rest;
    size_t before = star != NULL ? (size_t)(star - wanted) : 0;
    int32_t n = 0;

    if (star == NULL)
        return strcmp(wanted, name) == 0;
    rest = name + before;
    if (strncmp(wanted, name, before) != 0 || *rest < '0' || *rest > '9')
        return false;
    for (; *rest >= '0' && *rest <= '9' && n < MOST_EXPERTS; rest++)
        n = n * 10 + (*rest - '0');
    *number = n;
    return strcmp(star + 1, rest) == 0;
}

static const role_row *row_of(const apr_model *m, const char *name, bool in_layer,
                              apr_role_names names, int32_t *expert)
{
    for (size_t i = 0; i < N_ROWS; i++) {
        const char *wanted = names == APR_NAMES_GGUF ? ROWS[i].gguf : ROWS[i].hf;

        if (APR_ROLE_IS_PER_LAYER(ROWS[i].role) == in_layer && name_fits(wanted, name, expert) &&
            applies(ROWS[i].when, m->architecture))
            return &ROWS[i];
    }
    return NULL;
}

/* The Hugging Face name that a tensor of a text model inside a larger one has by itself; `own` is
 * room for it. "language_model.model.x" was written before "model.language_model.x". */
static const char *without_wrapper(const char *name, char own[APR_LIMIT_NAME_BYTES + 1])
{
    static const char BEFORE[] = "language_model.", WITHIN[] = "model.language_model.";

    if (strncmp(name, BEFORE, sizeof BEFORE - 1) == 0)
        return name + sizeof BEFORE - 1;
    if (strncmp(name, WITHIN, sizeof WITHIN - 1) != 0)
        return name;
    (void)snprintf(own, APR_LIMIT_NAME_BYTES + 1, "model.%s", name + sizeof WITHIN - 1);
    return own;
}

static int32_t *slot(const apr_model *m, apr_role role, int32_t layer)
{
    return &m->roles[(size_t)layer * APR_ROLE_COUNT + role];
}

/* Which of a layer's three expert matrices a role is. */
static int expert_matrix(apr_role role)
{
    return role == APR_FFN_GATE_EXPERTS ? 0 : role == APR_FFN_UP_EXPERTS ? 1 : 2;
}

static int32_t *expert_slot(const apr_model *m, apr_role role, int32_t layer, int32_t expert)
{
    size_t matrix = (size_t)layer * EXPERT_MATRICES + (size_t)expert_matrix(role);

    return &m->experts[matrix * (size_t)m->config.n_experts + (size_t)expert];
}

static void assign(apr_model *m, size_t index, apr_role_names names)
{
    apr_tensor *t = &m->tensors[index];
    char own[APR_LIMIT_NAME_BYTES + 1];
    const char *rest = NULL,
               *name = names == APR_NAMES_HF ? without_wrapper(t->name, own) : t->name;
    int32_t layer = layer_of(name, names == APR_NAMES_HF ? "model.layers." : "blk.", &rest);
    int32_t expert = -1, *taken;
    const role_row *row = row_of(m, layer >= 0 ? rest : name, layer >= 0, names, &expert);

    t->role = -1;
    t->layer = layer;
    t->expert = -1;
    if (row == NULL || layer >= m->config.n_layers || expert >= m->config.n_experts)
        return; /* extra tensors are accepted */
    taken = expert >= 0 ? expert_slot(m, row->role, layer, expert)
                        : slot(m, row->role, layer >= 0 ? layer : 0);
    if (*taken != 0)
        return;
    *taken = (int32_t)index + 1;
    t->role = (int32_t)row->role;
    t->expert = expert;
}

trueno_status apr_model_assign_roles(apr_model *m, apr_role_names names, trueno_error *err)
{
    size_t layers = m->config.n_layers > 0 ? (size_t)m->config.n_layers : 1;
    trueno_status status = apr_model_allocate(m, &m->roles, layers * APR_ROLE_COUNT,
                                              sizeof *m->roles, "table of roles", err);

    if (status == TRUENO_OK && names == APR_NAMES_HF && m->config.n_experts > 0)
        status = apr_model_allocate(m, &m->experts,
                                    layers * EXPERT_MATRICES * (size_t)m->config.n_experts,
                                    sizeof *m->experts, "table of experts", err);
    if (status < 0)
        return status;
    m->names = names;
    for (size_t i = 0; i < m->n_tensors; i++)
        assign(m, i, names);
    return TRUENO_OK;
}

const apr_tensor *apr_model_role(const apr_model *m, apr_role role, int32_t layer)
{
    int32_t at;

    assert(role >= 0 && role < APR_ROLE_COUNT);
    if (!APR_ROLE_IS_PER_LAYER(role))
        layer = 0;
    if (m->roles == NULL || layer < 0 || (layer > 0 && layer >= m->config.n_layers))
        return NULL;
    at = *slot(m, role, layer);
    return at != 0 ? &m->tensors[at - 1] : NULL;
}

bool apr_model_expert(const apr_model *m, apr_role role, int32_t layer, int32_t expert,
                      trueno_tensor *out)
{
    const apr_tensor *stack = apr_model_role(m, role, layer);
    trueno_tensor all;

    if (layer < 0 || layer >= m->config.n_layers || expert < 0 || expert >= m->config.n_experts)
        return false;
    if (stack != NULL && stack->n_dims == 3 && stack->dims[0] == m->config.n_experts) {
        all = apr_tensor_matrix(m, stack);
        *out = trueno_tensor_rows(&all, expert * stack->dims[1], stack->dims[1]);
        return true;
    }
    if (m->experts == NULL || *expert_slot(m, role, layer, expert) == 0)
        return false;
    *out = apr_tensor_matrix(m, &m->tensors[*expert_slot(m, role, layer, expert) - 1]);
    return true;
}

/* A one-dimensional shape also fits with dimensions of 1 before it. */
static bool shape_fits(const apr_tensor *t, const role_row *row, const apr_config *c)
{
    int wanted = 0, first, extra;

    while (wanted < 3 && row->shape[wanted] != D_NONE)
        wanted++;
    /* a row dimension of 1 may be left out; one expert's matrix is without the stack's */
    first = row->shape[0] == D_ONE || t->expert >= 0;
    wanted -= first;
    extra = t->n_dims - wanted;
    if (extra < 0)
        return false;
    for (int i = 0; i < extra; i++)
        if (t->dims[i] != 1)
            return false;
    for (int i = 0; i < wanted; i++)
        if (t->dims[extra + i] != dim_value(row->shape[first + i], c))
            return false;
    return true;
}

/* "[896, 4864]"; returns out. */
static const char *shape_text(char *out, size_t room, const int64_t *dims, int n)
{
    size_t used = 0;

    for (int i = 0; i < n && used < room; i++)
        used += (size_t)snprintf(out + used, room - used, "%s%lld", i == 0 ? "[" : ", ",
                                 (long long)dims[i]);
    if (used < room)
        (void)snprintf(out + used, room - used, "]");
    return out;
}

static trueno_status shape_error(const apr_model *m, const apr_tensor *t, const role_row *row,
                                 trueno_error *err)
{
    char found[100], wanted[100];
    int64_t want[3] = {0};
    int n = 0;

    for (; n < 3 && row->shape[n] != D_NONE; n++)
        want[n] = dim_value(row->shape[n], &m->config);
    return trueno_fail(err, TRUENO_UNSUPPORTED, "%s: %s has the shape %s, by the config it is %s",
                       m->path, t->name, shape_text(found, sizeof found, t->dims, t->n_dims),
                       shape_text(wanted, sizeof wanted, want, n));
}

static const role_row *row_of_role(const apr_model *m, int32_t role)
{
    for (size_t i = 0; i < N_ROWS; i++)
        if ((int32_t)ROWS[i].role == role && applies(ROWS[i].when, m->architecture))
            return &ROWS[i];
    return NULL;
}

trueno_status apr_model_check_shapes(const apr_model *m, trueno_error *err)
{
    for (size_t i = 0; i < m->n_tensors; i++) {
        const apr_tensor *t = &m->tensors[i];
        const role_row *row = t->role >= 0 ? row_of_role(m, t->role) : NULL;

        if (row != NULL && !shape_fits(t, row, &m->config))
            return shape_error(m, t, row, err);
    }
    return TRUENO_OK;
}

void apr_role_name(apr_role role, int32_t layer, char *out, size_t bytes)
{
    const char *name = "";

    for (int i = N_ROWS - 1; i >= 0; i--)
        if (ROWS[i].role == role && ROWS[i].gguf[0] != '\0')
            name = ROWS[i].gguf;
    if (APR_ROLE_IS_PER_LAYER(role))
        (void)snprintf(out, bytes, "blk.%d.%s", layer, name);
    else
        (void)snprintf(out, bytes, "%s", name);
}

void apr_role_tensor_name(const apr_model *m, int32_t role, int32_t layer, int32_t expert,
                          apr_role_names names, char *out, size_t capacity)
{
    const char *prefix = names == APR_NAMES_GGUF ? "blk." : "model.layers.";

    out[0] = '\0';
    for (size_t i = 0; i < N_ROWS; i++) {
        const char *name = names == APR_NAMES_GGUF ? ROWS[i].gguf : ROWS[i].hf;
        const char *star = strchr(name, '*');

        if ((int32_t)ROWS[i].role != role || name[0] == '\0' || (star != NULL) != (expert >= 0) ||
            !applies(ROWS[i].when, m->architecture))
            continue;
        if (!APR_ROLE_IS_PER_LAYER(role))
            (void)snprintf(out, capacity, "%s", name);
        else if (star == NULL)
            (void)snprintf(out, capacity, "%s%d.%s", prefix, layer, name);
        else
            (void)snprintf(out, capacity, "%s%d.%.*s%d%s", prefix, layer, (int)(star - name), name,
                           expert, star + 1);
        return;
    }
}

void apr_model_role_name(const apr_model *m, apr_role role, int32_t layer, char *out, size_t bytes)
{
    apr_role_tensor_name(m, (int32_t)role, layer, -1, m->names, out, bytes);
}
