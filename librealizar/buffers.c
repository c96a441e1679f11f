/* SPDX-License-Identifier: MIT */
/* The forward pass's row arrays: grown to the largest step seen, never per token. */
#include "internal.h"

/* ROW_STEP: grow in steps, so that a batch of slowly rising size rarely allocates. ALIGNED: floats
 * of a cache line. */
enum { ROW_STEP = 16, ALIGNED = 16 };

/* The gate_up array also holds the router's scores, qkv the shared expert's, attn and ff also a
 * block's output. In models without experts qkv and attn lie in ff: they have been read when it is
 * written. */

typedef struct buffer {
    float **place;
    int64_t width;
    bool wanted; /* one row per result, else per row of the step */
} buffer;

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t qkv_width(const apr_config *c)
{
    return ((int64_t)c->n_heads + 2LL * c->n_kv_heads) * c->head_dim;
}

/* Where attn begins in ff, per row. */
static int64_t attn_offset(const apr_config *c)
{
    return (qkv_width(c) + ALIGNED - 1) / ALIGNED * ALIGNED;
}

static bool shares_arrays(const realizar_engine *e)
{
    return !e->arch->experts;
}

/* The arrays and their widths for this model; returns how many. */
static int list_buffers(realizar_engine *e, buffer *list)
{
    const apr_config *c = e->config;
    activations *a = &e->a;
    int64_t attn = larger((int64_t)c->n_heads * c->head_dim, c->hidden_size);
    /* a width that tensors have been checked against: no mixture's tensor has intermediate_size */
    int64_t ff = e->arch->experts ? c->shared_expert_intermediate_size : c->intermediate_size;
    int64_t ff_width = larger(ff, c->hidden_size);
    int n = 0;

    list[n++] = (buffer){&a->x, c->hidden_size, false};
    list[n++] = (buffer){&a->h, c->hidden_size, false};
    if (shares_arrays(e)) {
        ff_width = larger(ff_width, attn_offset(c) + attn);
    } else {
        list[n++] = (buffer){&a->qkv, qkv_width(c), false};
        list[n++] = (buffer){&a->attn, attn, false};
    }
    list[n++] = (buffer){&a->gate_up, larger((e->arch->gated ? 2 : 1) * ff, c->n_experts), false};
    list[n++] = (buffer){&a->ff, ff_width, false};
    list[n++] = (buffer){&a->last, c->hidden_size, true};
    list[n++] = (buffer){&a->logits, e->vocab_rows, true};
    return n;
}

void activations_free(realizar_engine *e)
{
    buffer list[8];
    int n = list_buffers(e, list);

    for (int i = 0; i < n; i++) {
        e->backend->release(e->backend, *list[i].place);
        *list[i].place = NULL;
    }
    if (shares_arrays(e))
        e->a.qkv = e->a.attn = NULL;
    e->a.rows = e->a.logit_rows = 0;
}

trueno_status activations_reserve(realizar_engine *e, int32_t rows, int32_t wanted,
                                  trueno_error *err)
{
    buffer list[8];
    int n = list_buffers(e, list);
    int32_t new_rows = (rows + ROW_STEP - 1) / ROW_STEP * ROW_STEP;
    trueno_status status;

    if (rows == 1 && e->a.rows == 0)
        new_rows = 1;
    if (rows <= e->a.rows && (wanted <= e->a.logit_rows || e->a.logit_rows == LOGIT_GROUP))
        return TRUENO_OK;
    if (rows <= e->a.rows)
        new_rows = e->a.rows;
    if (wanted > LOGIT_GROUP)
        wanted = LOGIT_GROUP;
    if (wanted < e->a.logit_rows)
        wanted = e->a.logit_rows;
    activations_free(e);
    for (int i = 0; i < n; i++) {
        size_t count = (size_t)list[i].width * (size_t)(list[i].wanted ? wanted : new_rows);
        void *p;

        if (list[i].width == 0 || count == 0)
            continue;
        if ((status = e->backend->alloc(e->backend, count * sizeof(float), &p, err)) < 0)
            return status;
        *list[i].place = p;
    }
    if (shares_arrays(e)) {
        e->a.qkv = e->a.ff;
        e->a.attn = e->a.ff + attn_offset(e->config) * new_rows;
    }
    e->a.rows = new_rows;
    e->a.logit_rows = wanted;
    return TRUENO_OK;
}
