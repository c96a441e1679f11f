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

bool apr_role_is_norm(int32_t role)
{
    static const apr_role NORMS[] = {APR_OUTPUT_NORM,  APR_ATTN_NORM,   APR_FFN_NORM,
                                     APR_ATTN_Q_NORM,  APR_ATTN_K_NORM, APR_ATTN_POST_NORM,
                                     APR_FFN_POST_NORM};

    for (size_t i = 0; i < sizeof NORMS / sizeof NORMS[0]; i++)
        if ((int32_t)NORMS[i] == role)
            return true;
    return false;
}

/* Heads whose rows the RoPE pairing orders; 0 for all other tensors, and for those whose rows are
 * not the pairs of so many heads, which a comparison may meet. */
static int32_t ordered_heads(const apr_config *c, const apr_planned *p)
{
    const bool q = p->role == APR_ATTN_Q || p->role == APR_ATTN_Q_BIAS;
    const bool k = p->role == APR_ATTN_K || p->role == APR_ATTN_K_BIAS;
    const int32_t heads = q ? c->n_heads : k ? c->n_kv_heads : 0;

    return heads > 0 && p->dims[0] % (2 * (int64_t)heads) == 0 ? heads : 0;
}

/* The dimensions in the output: as they were, but for the one matrix of one row, which GGUF files
 * hold as a vector. */
static void set_dims(const apr_plan *plan, const apr_tensor *t, apr_planned *p)
{
    p->n_dims = t->n_dims;
    memcpy(p->dims, t->dims, sizeof p->dims);
    if (t->role != APR_FFN_SHARED_ROUTER)
        return;
    p->n_dims = plan->target.names == APR_NAMES_GGUF ? 1 : 2;
    p->dims[0] = p->dims[1] = 1;
    p->dims[p->n_dims - 1] = t->dims[t->n_dims - 1];
}

/* The type in the output of `n_dims`: by the mix, within what the target holds. */
static trueno_type target_type(const apr_plan *plan, const apr_tensor *t, int n_dims,
                               const apr_convert_options *options)
{
    const trueno_type_info *info = trueno_type_get(t->type);
    int64_t cols = t->dims[t->n_dims - 1];
    int type = -1;

    if (info == NULL)
        return t->type;
    if (options->mix != NULL && t->role >= 0)
        type = apr_mix_type(options->mix, &plan->config, options->importance != NULL,
                            (apr_role)t->role, t->layer, cols);
    if (type < 0 && plan->target.vectors_f32 && n_dims == 1)
        type = TRUENO_F32;
    if (type < 0 && plan->target.floats_only && info->block > 1)
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
                              int32_t expert, apr_planned *p, trueno_error *err)
{
    char name[160] = "";

    if (t->role >= 0)
        apr_role_tensor_name(m, t->role, t->layer, expert, plan->target.names, name, sizeof name);
    p->name = name[0] != '\0' ? trueno_arena_string(&plan->arena, name, strlen(name)) : t->name;
    return p->name == NULL ? no_memory(m, err) : TRUENO_OK;
}

/* Every expert of a layer's matrix, in order, as the parts of one stacked tensor. */
static trueno_status stack_experts(apr_plan *plan, const apr_model *m, const apr_tensor *first,
                                   apr_planned *p, trueno_error *err)
{
    const int32_t n = m->config.n_experts;
    const apr_tensor **parts = trueno_arena_array(&plan->arena, (size_t)n, sizeof(apr_tensor *));

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

/* True for tensors that the target says otherwise, or that nothing reads. */
static bool is_left_out(const apr_plan *plan, const apr_tensor *t)
{
    const bool table = t->role == APR_ROPE_FREQUENCIES || t->role == APR_ROPE_FACTORS_LONG ||
                       t->role == APR_ROPE_FACTORS_SHORT;

    if (plan->target.stack_experts && t->expert > 0)
        return true; /* the first expert's tensor stands for all */
    return (table && plan->target.config_has_rope) ||
           (t->role < 0 && strstr(t->name, "rotary_emb.inv_freq") != NULL);
}

/* What both formats' conventions change in a tensor's values and rows. */
static void set_changes(const apr_plan *plan, const apr_model *m, apr_planned *p)
{
    if (plan->config.norm_weight_offset != m->config.norm_weight_offset &&
        apr_role_is_norm(p->role))
        p->add = m->config.norm_weight_offset - plan->config.norm_weight_offset;
    if (plan->config.rope_type != m->config.rope_type) {
        p->heads = ordered_heads(&m->config, p);
        p->to_norm = plan->config.rope_type == APR_ROPE_NORM;
    }
    p->bytes = planned_bytes(p);
}

static trueno_status plan_tensor(apr_plan *plan, const apr_model *m, const apr_tensor *t,
                                 const apr_convert_options *options, trueno_error *err)
{
    const bool stacks = plan->target.stack_experts && t->expert >= 0;
    apr_planned *p = &plan->tensors[plan->n];
    const apr_tensor **part;
    trueno_status status;

    *p = (apr_planned){
        .role = t->role, .layer = t->layer, .expert = stacks ? -1 : t->expert, .n_parts = 1};
    set_dims(plan, t, p);
    p->type = target_type(plan, t, p->n_dims, options);
    if ((status = set_name(plan, m, t, stacks ? -1 : t->expert, p, err)) < 0)
        return status;
    if (stacks && (status = stack_experts(plan, m, t, p, err)) < 0)
        return status;
    if (!stacks) {
        if ((part = trueno_arena_alloc(&plan->arena, sizeof(apr_tensor *))) == NULL)
            return no_memory(m, err);
        *part = t;
        p->parts = part;
    }
    set_changes(plan, m, p);
    plan->n++;
    return TRUENO_OK;
}

static bool is_stack(const apr_tensor *t)
{
    return t->expert < 0 && t->n_dims == 3 &&
           (t->role == APR_FFN_GATE_EXPERTS || t->role == APR_FFN_UP_EXPERTS ||
            t->role == APR_FFN_DOWN_EXPERTS);
}

/* Each expert of a stack as a tensor of its own: views of the stack's bytes. */
static trueno_status split_stack(apr_plan *plan, const apr_model *m, const apr_tensor *stack,
                                 const apr_convert_options *options, trueno_error *err)
{
    const int64_t n = stack->dims[0];
    apr_tensor *views = trueno_arena_array(&plan->arena, (size_t)n, sizeof *views);
    trueno_status status = TRUENO_OK;

    if (views == NULL)
        return no_memory(m, err);
    for (int64_t i = 0; i < n && status == TRUENO_OK; i++) {
        apr_tensor *t = &views[i];

        *t = *stack;
        t->expert = (int32_t)i;
        t->n_dims = 2;
        t->dims[0] = stack->dims[1];
        t->dims[1] = stack->dims[2];
        t->dims[2] = 1;
        t->bytes = stack->bytes / (uint64_t)n;
        t->data = (const char *)stack->data + (size_t)i * t->bytes;
        status = plan_tensor(plan, m, t, options, err);
    }
    return status;
}

static size_t most_tensors(const apr_model *m, const apr_plan_target *target)
{
    enum { OWN_TENSORS = 2 }; /* tables of RoPE factors */
    size_t n = m->n_tensors + OWN_TENSORS;

    for (size_t i = 0; target->split_experts && i < m->n_tensors; i++)
        if (is_stack(&m->tensors[i]))
            n += (size_t)m->tensors[i].dims[0];
    return n;
}

trueno_status apr_plan_make(apr_plan *plan, const apr_model *m, const apr_plan_target *target,
                            const apr_convert_options *options, trueno_error *err)
{
    trueno_status status = TRUENO_OK;

    *plan = (apr_plan){
        .arena = {.allocator = m->options.allocator}, .config = m->config, .target = *target};
    if (target->rope_type >= 0)
        plan->config.rope_type = target->rope_type;
    if (target->norm_weight_offset >= 0)
        plan->config.norm_weight_offset = target->norm_weight_offset;
    plan->tensors =
        trueno_arena_array(&plan->arena, most_tensors(m, target), sizeof *plan->tensors);
    if (plan->tensors == NULL)
        return no_memory(m, err);
    for (size_t i = 0; i < m->n_tensors && status == TRUENO_OK; i++) {
        const apr_tensor *t = &m->tensors[i];

        if (is_left_out(plan, t))
            continue;
        status = target->split_experts && is_stack(t) ? split_stack(plan, m, t, options, err)
                                                      : plan_tensor(plan, m, t, options, err);
    }
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
                                             .layer = -1,
                                             .expert = -1};
    return TRUENO_OK;
}

static int name_order(const void *things, uint32_t a, uint32_t b)
{
    const apr_planned *p = things;

    return strcmp(p[a].name, p[b].name);
}

trueno_status apr_plan_sort(apr_plan *plan, size_t first, size_t n, trueno_error *err)
{
    uint32_t *index = trueno_arena_array(&plan->arena, n, sizeof *index);
    apr_planned *copy = trueno_arena_array(&plan->arena, n, sizeof *copy);
    apr_planned *tensors = plan->tensors + first;

    if (index == NULL || copy == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory to sort %zu tensors", n);
    memcpy(copy, tensors, n * sizeof *copy);
    apr_make_index(index, n, copy, name_order);
    for (size_t i = 0; i < n; i++)
        tensors[i] = copy[index[i]];
    return TRUENO_OK;
}

uint64_t apr_plan_place(apr_plan *plan, size_t alignment)
{
    uint64_t at = 0;

    plan->alignment = alignment;
    for (size_t i = 0; i < plan->n; i++) {
        at = (at + alignment - 1) & ~(uint64_t)(alignment - 1);
        plan->tensors[i].offset = at;
        at += plan->tensors[i].bytes;
    }
    return at;
}
