/* SPDX-License-Identifier: MIT */
/* Planning an output: which tensors it has, of which types and names, from which parts. */
#include "plan.h"

#include "names.h"
#include "storage_types.h"
#include <string.h>

static trueno_status no_memory(const apr_model *m, trueno_error *err)
{
    return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory to plan the conversion", m->path);
}

static bool is_norm(int32_t role)
{
    static const apr_role NORMS[] = {APR_OUTPUT_NORM,  APR_ATTN_NORM,   APR_FFN_NORM,
                                     APR_ATTN_Q_NORM,  APR_ATTN_K_NORM, APR_ATTN_POST_NORM,
                                     APR_FFN_POST_NORM};

    for (size_t i = 0; i < sizeof NORMS / sizeof NORMS[0]; i++)
        if ((int32_t)NORMS[i] == role)
            return true;
    return false;
}

/* Heads whose rows the RoPE pairing orders; 0 for all other tensors. */
static int32_t ordered_heads(const apr_config *c, int32_t role)
{
    if (role == APR_ATTN_Q || role == APR_ATTN_Q_BIAS)
        return c->n_heads;
    return role == APR_ATTN_K || role == APR_ATTN_K_BIAS ? c->n_kv_heads : 0;
}

/* The type in the output: by the mix, and vectors as F32 where a GGUF reader wants them so. */
static trueno_type target_type(const apr_plan *plan, const apr_tensor *t, apr_role_names names,
                               const apr_convert_options *options)
{
    int64_t cols = t->dims[t->n_dims - 1];
    int type = -1;

    if (trueno_type_get(t->type) == NULL)
        return t->type;
    if (options->mix != NULL && t->role >= 0)
        type = apr_mix_type(options->mix, &plan->config, false, (apr_role)t->role, t->layer, cols);
    if (type < 0 && names == APR_NAMES_GGUF && t->n_dims == 1)
        type = TRUENO_F32;
    return type < 0 ? t->type : (trueno_type)type;
}

static uint64_t planned_bytes(const apr_planned *p)
{
    uint64_t elements = 1;
    apr_storage_type type = {0};

    for (int i = 0; i < p->n_dims; i++)
        elements *= (uint64_t)p->dims[i];
    (void)apr_storage_type_get(p->type, &type);
    return elements / (uint64_t)type.block * (uint64_t)type.bytes;
}

static trueno_status set_name(apr_plan *plan, const apr_model *m, const apr_tensor *t,
                              int32_t expert, apr_role_names names, apr_planned *p,
                              trueno_error *err)
{
    char name[160] = "";

    if (t->role >= 0)
        apr_role_tensor_name(m, t->role, t->layer, expert, names, name, sizeof name);
    p->name = name[0] != '\0' ? trueno_arena_string(&plan->arena, name, strlen(name)) : t->name;
    return p->name == NULL ? no_memory(m, err) : TRUENO_OK;
}

/* Every expert of a layer's matrix, in order, as the parts of one stacked tensor. */
static trueno_status stack_experts(apr_plan *plan, const apr_model *m, const apr_tensor *first,
                                   apr_planned *p, trueno_error *err)
{
    const int32_t n = m->config.n_experts;
    const apr_tensor **parts = trueno_arena_array(&plan->arena, (size_t)n, sizeof *parts);

    if (parts == NULL)
        return no_memory(m, err);
    for (size_t i = 0; i < m->n_tensors; i++) {
        const apr_tensor *t = &m->tensors[i];

        if (t->role == first->role && t->layer == first->layer && t->expert >= 0)
            parts[t->expert] = t;
    }
    for (int32_t i = 0; i < n; i++)
        if (parts[i] == NULL || parts[i]->type != first->type ||
            memcmp(parts[i]->dims, first->dims, sizeof first->dims) != 0)
            return trueno_fail(err, TRUENO_UNSUPPORTED,
                               "%s: expert %d of layer %d is missing or unlike the others", m->path,
                               i, first->layer);
    p->parts = parts;
    p->n_parts = n;
    p->n_dims = 3;
    p->dims[0] = n;
    p->dims[1] = first->dims[0];
    p->dims[2] = first->dims[1];
    p->dims[3] = 1;
    return TRUENO_OK;
}

static trueno_status plan_tensor(apr_plan *plan, const apr_model *m, const apr_tensor *t,
                                 apr_role_names names, const apr_convert_options *options,
                                 trueno_error *err)
{
    const bool stacks = names == APR_NAMES_GGUF && t->expert >= 0;
    apr_planned *p = &plan->tensors[plan->n];
    const apr_tensor **part;
    trueno_status status;

    if (stacks && t->expert > 0)
        return TRUENO_OK; /* the first expert's tensor stands for all */
    if (names == APR_NAMES_GGUF && t->role < 0 && strncmp(m->format, "GGUF", 4) != 0 &&
        strchr(t->name, '.') != NULL && strstr(t->name, "inv_freq") != NULL)
        return TRUENO_OK; /* a table that old Hugging Face files carry and nothing reads */
    *p = (apr_planned){.type = target_type(plan, t, names, options),
                       .n_dims = t->n_dims,
                       .role = t->role,
                       .layer = t->layer,
                       .n_parts = 1};
    memcpy(p->dims, t->dims, sizeof p->dims);
    if ((status = set_name(plan, m, t, stacks ? -1 : t->expert, names, p, err)) < 0)
        return status;
    if (stacks && (status = stack_experts(plan, m, t, p, err)) < 0)
        return status;
    if (!stacks) {
        if ((part = trueno_arena_alloc(&plan->arena, sizeof *part)) == NULL)
            return no_memory(m, err);
        *part = t;
        p->parts = part;
    }
    if (plan->config.norm_weight_offset != m->config.norm_weight_offset && is_norm(t->role))
        p->add = m->config.norm_weight_offset - plan->config.norm_weight_offset;
    if (plan->config.rope_type != m->config.rope_type) {
        p->heads = ordered_heads(&m->config, t->role);
        p->to_norm = plan->config.rope_type == APR_ROPE_NORM;
    }
    p->bytes = planned_bytes(p);
    plan->n++;
    return TRUENO_OK;
}

trueno_status apr_plan_make(apr_plan *plan, const apr_model *m, apr_role_names names,
                            int32_t rope_type, float norm_weight_offset,
                            const apr_convert_options *options, trueno_error *err)
{
    enum { OWN_TENSORS = 2 }; /* room for tables of RoPE factors */
    trueno_status status = TRUENO_OK;

    *plan = (apr_plan){.arena = {.allocator = m->options.allocator}, .config = m->config};
    if (rope_type >= 0)
        plan->config.rope_type = rope_type;
    if (norm_weight_offset >= 0)
        plan->config.norm_weight_offset = norm_weight_offset;
    plan->tensors =
        trueno_arena_array(&plan->arena, m->n_tensors + OWN_TENSORS, sizeof *plan->tensors);
    if (plan->tensors == NULL)
        return no_memory(m, err);
    for (size_t i = 0; i < m->n_tensors && status == TRUENO_OK; i++)
        status = plan_tensor(plan, m, &m->tensors[i], names, options, err);
    return status;
}

trueno_status apr_plan_add_values(apr_plan *plan, const char *name, const float *values, int32_t n,
                                  trueno_error *err)
{
    float *copy = trueno_arena_array(&plan->arena, (size_t)n, sizeof *copy);

    if (copy == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %s", name);
    memcpy(copy, values, (size_t)n * sizeof *copy);
    plan->tensors[plan->n++] = (apr_planned){.name = name,
                                             .type = TRUENO_F32,
                                             .n_dims = 1,
                                             .dims = {n, 1, 1, 1},
                                             .bytes = (uint64_t)n * sizeof *copy,
                                             .values = copy,
                                             .role = -1,
                                             .layer = -1};
    return TRUENO_OK;
}

static int name_order(const void *things, uint32_t a, uint32_t b)
{
    const apr_planned *p = things;

    return strcmp(p[a].name, p[b].name);
}

trueno_status apr_plan_sort(apr_plan *plan, trueno_error *err)
{
    uint32_t *index = trueno_arena_array(&plan->arena, plan->n, sizeof *index);
    apr_planned *sorted = trueno_arena_array(&plan->arena, plan->n, sizeof *sorted);

    if (index == NULL || sorted == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory to sort %zu tensors", plan->n);
    apr_make_index(index, plan->n, plan->tensors, name_order);
    for (size_t i = 0; i < plan->n; i++)
        sorted[i] = plan->tensors[index[i]];
    plan->tensors = sorted;
    return TRUENO_OK;
}

uint64_t apr_plan_place(apr_plan *plan, size_t alignment)
{
    uint64_t at = 0;

    for (size_t i = 0; i < plan->n; i++) {
        at = (at + alignment - 1) & ~(uint64_t)(alignment - 1);
        plan->tensors[i].offset = at;
        at += plan->tensors[i].bytes;
    }
    return at;
}
