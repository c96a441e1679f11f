/* SPDX-License-Identifier: MIT */
/* Which tensor plays which part: roles from names when a model is opened, names from roles. */
#include "plan.h"

#include "file_limits.h"
#include "role_table.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { MOST_EXPERTS = 4096, EXPERT_MATRICES = 3 };

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

static const apr_role_row *row_of(const apr_model *m, const char *name, bool in_layer,
                                  apr_role_names names, int32_t *expert)
{
    for (size_t i = 0; i < apr_n_role_rows; i++) {
        const apr_role_row *row = &apr_role_rows[i];

        if (APR_ROLE_IS_PER_LAYER(row->role) == in_layer &&
            name_fits(names == APR_NAMES_GGUF ? row->gguf : row->hf, name, expert) &&
            apr_role_applies(row, m->architecture))
            return row;
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
    const apr_role_row *row = row_of(m, layer >= 0 ? rest : name, layer >= 0, names, &expert);

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

void apr_role_name(apr_role role, int32_t layer, char *out, size_t bytes)
{
    const char *name = "";

    for (size_t i = apr_n_role_rows; i-- > 0;)
        if (apr_role_rows[i].role == role && apr_role_rows[i].gguf[0] != '\0')
            name = apr_role_rows[i].gguf;
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
    for (size_t i = 0; i < apr_n_role_rows; i++) {
        const apr_role_row *row = &apr_role_rows[i];
        const char *name = names == APR_NAMES_GGUF ? row->gguf : row->hf, *star = strchr(name, '*');

        if ((int32_t)row->role != role || name[0] == '\0' || (star != NULL) != (expert >= 0) ||
            !apr_role_applies(row, m->architecture))
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
