/* SPDX-License-Identifier: MIT */
/* THE MIXES: one row each, with the rules by which some tensors get another type than most. */
#include <apr/mixes.h>

#include <stddef.h>
#include <strings.h>

/* Tensors that a rule speaks of. */
typedef enum part {
    NO_PART, /* ends a list of rules */
    VALUE,   /* values, alone or fused with queries and keys: few heads share them */
    KEY,
    ATTENTION_OUT,
    DOWN
} part;

/* When a rule holds. Layers are counted from 0 of n. */
typedef enum when {
    ALWAYS,
    OUTER_LAYERS, /* the first and the last eighth, and every third between */
    FIRST_EIGHTH,
    FIRST_SIXTEENTH,
    FIRST_2,
    FIRST_4,
    GROUPED_BY_4,      /* at least 4 query heads share a value head */
    EIGHTH_IMPORTANCE, /* the first eighth, with an importance matrix */
    EIGHTH_PLAIN       /* the first eighth, without one */
} when;

typedef struct rule {
    part part;
    when when;
    trueno_type type;
} rule;

struct apr_mix {
    const char *name;
    const char *alias; /* the short name that means this one, or NULL */
    trueno_type type;
    int32_t file_type;
    bool better_out_of_8; /* of 8 experts, attention's output gets Q5_K */
    rule rules[5];        /* the first that holds decides */
};

static const apr_mix MIXES[] = {
    {.name = "F32", .type = TRUENO_F32, .file_type = 0},
    {.name = "F16", .type = TRUENO_F16, .file_type = 1},
    {.name = "BF16", .type = TRUENO_BF16, .file_type = 32},
    {.name = "Q4_0",
     .type = TRUENO_Q4_0,
     .file_type = 2,
     .rules = {{DOWN, EIGHTH_IMPORTANCE, TRUENO_Q4_1}}},
    {.name = "Q4_1", .type = TRUENO_Q4_1, .file_type = 3},
    {.name = "Q5_0",
     .type = TRUENO_Q5_0,
     .file_type = 8,
     .rules = {{DOWN, EIGHTH_IMPORTANCE, TRUENO_Q5_1}}},
    {.name = "Q5_1", .type = TRUENO_Q5_1, .file_type = 9},
    {.name = "Q8_0", .type = TRUENO_Q8_0, .file_type = 7},
    {.name = "Q2_K",
     .type = TRUENO_Q2_K,
     .file_type = 10,
     .better_out_of_8 = true,
     .rules = {{VALUE, GROUPED_BY_4, TRUENO_Q4_K},
               {VALUE, ALWAYS, TRUENO_Q3_K},
               {DOWN, ALWAYS, TRUENO_Q3_K},
               {ATTENTION_OUT, ALWAYS, TRUENO_Q3_K}}},
    {.name = "Q3_K_S", .type = TRUENO_Q3_K, .file_type = 11, .better_out_of_8 = true},
    {.name = "Q3_K_M",
     .alias = "Q3_K",
     .type = TRUENO_Q3_K,
     .file_type = 12,
     .better_out_of_8 = true,
     .rules = {{VALUE, FIRST_2, TRUENO_Q5_K},
               {VALUE, ALWAYS, TRUENO_Q4_K},
               {DOWN, FIRST_SIXTEENTH, TRUENO_Q5_K},
               {DOWN, ALWAYS, TRUENO_Q4_K},
               {ATTENTION_OUT, ALWAYS, TRUENO_Q4_K}}},
    {.name = "Q3_K_L",
     .type = TRUENO_Q3_K,
     .file_type = 13,
     .rules = {{VALUE, ALWAYS, TRUENO_Q5_K},
               {DOWN, ALWAYS, TRUENO_Q5_K},
               {ATTENTION_OUT, ALWAYS, TRUENO_Q5_K}}},
    {.name = "Q4_K_S",
     .type = TRUENO_Q4_K,
     .file_type = 14,
     .better_out_of_8 = true,
     .rules = {{VALUE, FIRST_4, TRUENO_Q5_K}, {DOWN, FIRST_EIGHTH, TRUENO_Q5_K}}},
    {.name = "Q4_K_M",
     .alias = "Q4_K",
     .type = TRUENO_Q4_K,
     .file_type = 15,
     .better_out_of_8 = true,
     .rules = {{VALUE, OUTER_LAYERS, TRUENO_Q6_K}, {DOWN, OUTER_LAYERS, TRUENO_Q6_K}}},
    {.name = "Q5_K_S", .type = TRUENO_Q5_K, .file_type = 16},
    {.name = "Q5_K_M",
     .alias = "Q5_K",
     .type = TRUENO_Q5_K,
     .file_type = 17,
     .rules = {{VALUE, OUTER_LAYERS, TRUENO_Q6_K}, {DOWN, OUTER_LAYERS, TRUENO_Q6_K}}},
    {.name = "Q6_K", .type = TRUENO_Q6_K, .file_type = 18},
    {.name = "IQ4_XS",
     .type = TRUENO_IQ4_XS,
     .file_type = 30,
     .better_out_of_8 = true,
     .rules = {{VALUE, GROUPED_BY_4, TRUENO_Q5_K}, {DOWN, EIGHTH_PLAIN, TRUENO_Q5_K}}},
    {.name = "IQ4_NL",
     .type = TRUENO_IQ4_NL,
     .file_type = 25,
     .better_out_of_8 = true,
     .rules = {{VALUE, GROUPED_BY_4, TRUENO_Q5_K}, {DOWN, EIGHTH_PLAIN, TRUENO_Q5_K}}},
};

enum { MIX_COUNT = sizeof MIXES / sizeof MIXES[0] };

/* What stands in for a type whose blocks do not divide a row. */
static const struct {
    trueno_type type, instead;
} NARROWER[] = {
    {TRUENO_Q2_K, TRUENO_Q4_0}, {TRUENO_Q3_K, TRUENO_Q4_0}, {TRUENO_Q4_K, TRUENO_Q5_0},
    {TRUENO_Q5_K, TRUENO_Q5_1}, {TRUENO_Q6_K, TRUENO_Q8_0}, {TRUENO_IQ4_XS, TRUENO_IQ4_NL},
};

/* The roles that hold matrices worth rounding, and what rules call them. */
static const struct {
    apr_role role;
    part part;
} MATRICES[] = {
    {APR_TOKEN_EMBEDDING, NO_PART},
    {APR_OUTPUT, NO_PART},
    {APR_ATTN_Q, NO_PART},
    {APR_ATTN_K, KEY},
    {APR_ATTN_V, VALUE},
    {APR_ATTN_QKV, VALUE},
    {APR_ATTN_OUT, ATTENTION_OUT},
    {APR_FFN_GATE, NO_PART},
    {APR_FFN_UP, NO_PART},
    {APR_FFN_GATE_UP, NO_PART},
    {APR_FFN_DOWN, DOWN},
    {APR_FFN_GATE_EXPERTS, NO_PART},
    {APR_FFN_UP_EXPERTS, NO_PART},
    {APR_FFN_DOWN_EXPERTS, DOWN},
    {APR_FFN_SHARED_GATE, NO_PART},
    {APR_FFN_SHARED_UP, NO_PART},
    {APR_FFN_SHARED_DOWN, DOWN},
};

const apr_mix *apr_mix_at(int index)
{
    return index >= 0 && index < MIX_COUNT ? &MIXES[index] : NULL;
}

const apr_mix *apr_mix_find(const char *name)
{
    for (int i = 0; i < MIX_COUNT; i++)
        if (strcasecmp(name, MIXES[i].name) == 0 ||
            (MIXES[i].alias != NULL && strcasecmp(name, MIXES[i].alias) == 0))
            return &MIXES[i];
    return NULL;
}

const char *apr_mix_name(const apr_mix *mix)
{
    return mix->name;
}

int32_t apr_mix_file_type(const apr_mix *mix)
{
    return mix->file_type;
}

static bool rule_holds(when w, const apr_config *config, bool has_importance, int32_t layer)
{
    const int32_t n = config->n_layers;

    switch (w) {
    case ALWAYS:
        return true;
    case OUTER_LAYERS:
        return layer < n / 8 || layer >= 7 * n / 8 || (layer - n / 8) % 3 == 2;
    case FIRST_EIGHTH:
        return layer < n / 8;
    case FIRST_SIXTEENTH:
        return layer < n / 16;
    case FIRST_2:
        return layer < 2;
    case FIRST_4:
        return layer < 4;
    case GROUPED_BY_4:
        return config->n_kv_heads > 0 && config->n_heads / config->n_kv_heads >= 4;
    case EIGHTH_IMPORTANCE:
        return has_importance && layer < n / 8;
    case EIGHTH_PLAIN:
        return !has_importance && layer < n / 8;
    }
    return false;
}

/* The type of a tensor within a layer, its width aside. */
static trueno_type layer_type(const apr_mix *mix, const apr_config *config, bool has_importance,
                              part p, int32_t layer)
{
    trueno_type type = mix->type;

    if (config->n_experts == 8 && (p == VALUE || p == KEY))
        return TRUENO_Q8_0; /* small beside the experts */
    if (config->n_experts == 8 && p == ATTENTION_OUT)
        return mix->better_out_of_8 ? TRUENO_Q5_K : type;
    for (const rule *r = mix->rules; r < mix->rules + 5 && r->part != NO_PART; r++) {
        if (r->part == p && rule_holds(r->when, config, has_importance, layer)) {
            type = r->type;
            break;
        }
    }
    if (p == VALUE && config->n_layers == 80 && (type == TRUENO_Q3_K || type == TRUENO_Q4_K))
        type = TRUENO_Q5_K; /* the 70 B models: values are an eighth of the queries' size */
    return type;
}

/* The output matrix, and an embedding that is one, get 6 bits at least. */
static trueno_type output_type(const apr_mix *mix, int64_t cols)
{
    if (mix->type == TRUENO_Q8_0 || cols % trueno_type_get(mix->type)->block != 0)
        return TRUENO_Q8_0;
    return TRUENO_Q6_K;
}

static trueno_type fit_to_width(trueno_type type, int64_t cols)
{
    if (cols % trueno_type_get(type)->block == 0)
        return type;
    for (size_t i = 0; i < sizeof NARROWER / sizeof NARROWER[0]; i++)
        if (NARROWER[i].type == type && cols % trueno_type_get(NARROWER[i].instead)->block == 0)
            return NARROWER[i].instead;
    return TRUENO_F16;
}

int apr_mix_type(const apr_mix *mix, const apr_config *config, bool has_importance, apr_role role,
                 int32_t layer, int64_t cols)
{
    for (size_t i = 0; i < sizeof MATRICES / sizeof MATRICES[0]; i++) {
        if (MATRICES[i].role != role)
            continue;
        if (trueno_type_get(mix->type)->block == 1)
            return (int)mix->type;
        if (role == APR_OUTPUT || (role == APR_TOKEN_EMBEDDING && config->tied_embeddings))
            return (int)fit_to_width(output_type(mix, cols), cols);
        return (int)fit_to_width(layer_type(mix, config, has_importance, MATRICES[i].part, layer),
                                 cols);
    }
    return -1;
}
