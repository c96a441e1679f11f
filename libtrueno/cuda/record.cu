/* SPDX-License-Identifier: MIT */
/* The table's operations only put themselves on the list: what follows an operation decides whether
 * it gets a kernel of its own. Outside a step an operation runs at once. */
#include "internal.h"

static operation *add_operation(cuda_backend *be, op_kind kind)
{
    static operation lost; /* written to when there is no memory; the step then fails */

    if (be->n_ops == be->room_ops) {
        int room = be->room_ops > 0 ? 2 * be->room_ops : 512;
        operation *ops =
            (operation *)trueno_allocate(be->allocator, (size_t)room * sizeof *ops, 64);

        if (ops == NULL) {
            if (be->failure.status == TRUENO_OK)
                trueno_fail(&be->failure, TRUENO_NO_MEMORY, "no memory for %d operations", room);
            return &lost;
        }
        if (be->n_ops > 0)
            memcpy(ops, be->ops, (size_t)be->n_ops * sizeof *ops);
        trueno_release(be->allocator, be->ops, (size_t)be->room_ops * sizeof *ops);
        be->ops = ops;
        be->room_ops = room;
    }
    memset(&be->ops[be->n_ops], 0, sizeof *be->ops);
    be->ops[be->n_ops].kind = kind;
    return &be->ops[be->n_ops++];
}

static void recorded(cuda_backend *be)
{
    if (be->rows == NULL)
        flush(be, NULL);
}

/* Structs with padding are copied member by member, into zeroed memory. */
static void copy_norm(trueno_norm *to, const trueno_norm *from)
{
    to->kind = from->kind;
    to->width = from->width;
    to->eps = from->eps;
    to->weight = from->weight;
    to->bias = from->bias;
}

static void copy_attention(trueno_attention *to, const trueno_attention *from)
{
    to->layer = from->layer;
    to->n_heads = from->n_heads;
    to->n_kv_heads = from->n_kv_heads;
    to->head_dim = from->head_dim;
    to->window = from->window;
    to->scale = from->scale;
    to->softcap = from->softcap;
    to->qk_norm_eps = from->qk_norm_eps;
    to->q_norm = from->q_norm;
    to->k_norm = from->k_norm;
    to->rope.type = from->rope.type;
    to->rope.n_rot = from->rope.n_rot;
    to->rope.magnitude = from->rope.magnitude;
    to->rope.inverse_frequency = from->rope.inverse_frequency;
}

static void op_embed(trueno_backend *table, const trueno_weight *weight, float scale, float *x)
{
    cuda_backend *be = cuda_of(table);
    operation *o = add_operation(be, OP_EMBED);

    o->n = be->key.n_rows;
    o->weight = weight;
    o->number = scale;
    o->y = x;
    o->width = weight->cols;
    recorded(be);
}

static void op_norm(trueno_backend *table, const trueno_norm *p, const float *x, int32_t n,
                    float *y)
{
    cuda_backend *be = cuda_of(table);
    operation *o = add_operation(be, OP_NORM);

    copy_norm(&o->norm, p);
    o->x = x;
    o->n = n;
    o->y = y;
    o->width = p->width;
    recorded(be);
}

static void op_matmul(trueno_backend *table, const trueno_weight *w, const float *bias,
                      const float *x, int32_t n, bool add, float *y)
{
    cuda_backend *be = cuda_of(table);
    operation *o = add_operation(be, OP_MATMUL);

    o->weight = w;
    o->bias = bias;
    o->x = x;
    o->n = n;
    o->add = add;
    o->y = y;
    o->width = w->rows;
    recorded(be);
}

static void op_rope_store(trueno_backend *table, const trueno_attention *p, float *qkv)
{
    cuda_backend *be = cuda_of(table);
    operation *o = add_operation(be, OP_ROPE_STORE);

    copy_attention(&o->attention, p);
    o->n = be->key.n_rows;
    o->y = qkv;
    o->width = (p->n_heads + 2 * p->n_kv_heads) * p->head_dim;
    recorded(be);
}

static void op_attention(trueno_backend *table, const trueno_attention *p, const float *qkv,
                         float *out, const trueno_attention_watch *watch)
{
    cuda_backend *be = cuda_of(table);
    operation *o = add_operation(be, OP_ATTENTION);

    copy_attention(&o->attention, p);
    if (watch != NULL) {
        o->watch.log_sum_exp = watch->log_sum_exp;
        o->watch.mean_score = watch->mean_score;
    }
    o->n = be->key.n_rows;
    o->x = qkv;
    o->y = out;
    o->width = p->n_heads * p->head_dim;
    recorded(be);
}

static void op_glu(trueno_backend *table, trueno_activation act, const float *gate_up, int32_t n,
                   int32_t width, float *y)
{
    cuda_backend *be = cuda_of(table);
    operation *o = add_operation(be, OP_GLU);

    o->activation = act;
    o->x = gate_up;
    o->n = n;
    o->width = width;
    o->y = y;
    recorded(be);
}

static void op_activate(trueno_backend *table, trueno_activation act, const float *x, int32_t n,
                        int32_t width, float *y)
{
    cuda_backend *be = cuda_of(table);
    operation *o = add_operation(be, OP_ACTIVATE);

    o->activation = act;
    o->x = x;
    o->n = n;
    o->width = width;
    o->y = y;
    recorded(be);
}

static void op_add(trueno_backend *table, const float *x, int32_t n, int32_t width, float *y)
{
    cuda_backend *be = cuda_of(table);
    operation *o = add_operation(be, OP_ADD);

    o->x = x;
    o->n = n;
    o->width = width;
    o->y = y;
    recorded(be);
}

static void op_add_gated(trueno_backend *table, const float *gate, const float *x, int32_t n,
                         int32_t width, float *y)
{
    cuda_backend *be = cuda_of(table);
    operation *o = add_operation(be, OP_ADD_GATED);

    o->bias = gate; /* the second input */
    o->x = x;
    o->n = n;
    o->width = width;
    o->y = y;
    recorded(be);
}

static bool is_whole_step(const cuda_backend *be, const int32_t *rows, int32_t n)
{
    if (be->rows == NULL || n != be->key.n_rows)
        return false;
    for (int32_t i = 0; i < n; i++)
        if (rows[i] != i)
            return false;
    return true;
}

/* Row numbers travel with the step's rows; outside a step, alone. */
static void op_gather(trueno_backend *table, const float *x, const int32_t *rows, int32_t n,
                      int32_t width, float *y)
{
    cuda_backend *be = cuda_of(table);
    operation *o = add_operation(be, OP_GATHER);

    o->x = x;
    o->n = n;
    o->width = width;
    o->y = y;
    o->first_row = step_numbers(be, rows, n);
    o->whole = is_whole_step(be, rows, n);
    recorded(be);
}

static void op_softcap(trueno_backend *table, float cap, float *x, int32_t n, int32_t width)
{
    cuda_backend *be = cuda_of(table);
    operation *o = add_operation(be, OP_SOFTCAP);

    o->number = cap;
    o->n = n;
    o->width = width;
    o->y = x;
    recorded(be);
}

/* The device's list of a layer's expert matrices: gate_up, then down; made once. */
static const uint64_t *expert_addresses(cuda_backend *be, const trueno_weight *const *gate_up,
                                        const trueno_weight *const *down, int32_t n)
{
    size_t bytes = 2 * (size_t)n * sizeof(uint64_t);
    uint64_t *host;
    trueno_error err = {};
    void *device;

    for (int i = 0; i < be->n_experts; i++)
        if (be->experts[i].first == gate_up[0])
            return be->experts[i].device;
    for (int32_t e = 0; e < n; e++)
        if (gate_up[e]->n_segments != 1 || down[e]->n_segments != 1 ||
            gate_up[e]->segment[0].type != gate_up[0]->segment[0].type ||
            down[e]->segment[0].type != down[0]->segment[0].type) {
            trueno_fail(&be->failure, TRUENO_UNSUPPORTED,
                        "experts of one layer have different weight types");
            return NULL;
        }
    host = (uint64_t *)trueno_allocate(be->allocator, bytes, 64);
    if (host == NULL || be->n_experts == MAX_EXPERT_TABLES ||
        device_alloc(be, bytes, "a table of experts", &device, &err) < 0) {
        trueno_release(be->allocator, host, bytes);
        trueno_fail(&be->failure, TRUENO_NO_MEMORY, "no memory for a table of %d experts", n);
        return NULL;
    }
    for (int32_t e = 0; e < n; e++) {
        host[e] = (uint64_t)(uintptr_t)gate_up[e]->segment[0].data;
        host[n + e] = (uint64_t)(uintptr_t)down[e]->segment[0].data;
    }
    cuda_note(be, cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, be->stream),
              "a table of experts");
    trueno_release(be->allocator, host, bytes);
    be->experts[be->n_experts].first = gate_up[0];
    be->experts[be->n_experts].device = (uint64_t *)device;
    return be->experts[be->n_experts++].device;
}

static void op_experts(trueno_backend *table, const trueno_weight *const *gate_up,
                       const trueno_weight *const *down, const float *router, int32_t n_experts,
                       int32_t n_used, bool renormalize, trueno_activation act, const float *x,
                       int32_t n, float *y)
{
    cuda_backend *be = cuda_of(table);
    const uint64_t *addresses = expert_addresses(be, gate_up, down, n_experts);
    operation *o;

    if (addresses == NULL)
        return;
    o = add_operation(be, OP_EXPERTS);
    o->gate_up = addresses;
    o->down = addresses + n_experts;
    o->weight = gate_up[0];
    o->down_weight = down[0];
    o->bias = router; /* the second input */
    o->n_experts = n_experts;
    o->n_used = n_used;
    o->renormalize = renormalize;
    o->activation = act;
    o->x = x;
    o->n = n;
    o->y = y;
    o->width = down[0]->rows;
    recorded(be);
}

void record_fill(trueno_backend *table)
{
    table->embed = op_embed;
    table->norm = op_norm;
    table->matmul = op_matmul;
    table->rope_store = op_rope_store;
    table->attention = op_attention;
    table->glu = op_glu;
    table->activate = op_activate;
    table->add = op_add;
    table->add_gated = op_add_gated;
    table->gather = op_gather;
    table->softcap = op_softcap;
    table->experts = op_experts;
}

void record_choose(cuda_backend *be, const float *logits, int32_t n, int32_t width, int32_t choices)
{
    operation *o = add_operation(be, OP_CHOOSE);

    o->n = n;
    o->x = logits;
    o->width = width;
    o->choices = choices;
}
