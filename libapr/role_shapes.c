/* SPDX-License-Identifier: MIT */
/* Shapes of tensors compared with those that their roles have by the config. */
#include "role_table.h"

#include <stdio.h>

static int64_t dim_value(apr_dim d, const apr_config *c)
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

/* A one-dimensional shape also fits with dimensions of 1 before it. */
static bool shape_fits(const apr_tensor *t, const apr_role_row *row, const apr_config *c)
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

static trueno_status shape_error(const apr_model *m, const apr_tensor *t, const apr_role_row *row,
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

static const apr_role_row *row_of_role(const apr_model *m, int32_t role)
{
    for (size_t i = 0; i < apr_n_role_rows; i++)
        if ((int32_t)apr_role_rows[i].role == role &&
            apr_role_applies(&apr_role_rows[i], m->architecture))
            return &apr_role_rows[i];
    return NULL;
}

trueno_status apr_model_check_shapes(const apr_model *m, trueno_error *err)
{
    for (size_t i = 0; i < m->n_tensors; i++) {
        const apr_tensor *t = &m->tensors[i];
        const apr_role_row *row = t->role >= 0 ? row_of_role(m, t->role) : NULL;

        if (row != NULL && !shape_fits(t, row, &m->config))
            return shape_error(m, t, row, err);
    }
    return TRUENO_OK;
}
