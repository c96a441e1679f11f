/* SPDX-License-Identifier: MIT */
/* From operations to kernels. Neighbours share a kernel where the array between them is not needed
 * afterwards: a norm goes into the product behind it, an activation into the product before it,
 * rotation and storing into attention. Each such kernel computes what its parts would. */
#include "internal.h"

typedef struct pass {
    cuda_backend *be;
    const operation *ops;
    int n_ops;
    const void *kept;
    const float2 *turns[MAX_FREQUENCIES];
} pass;

static bool reads(const operation *o, const float *array)
{
    if (o->x == array || ((o->kind == OP_EXPERTS || o->kind == OP_ADD_GATED) && o->bias == array))
        return true;
    return o->y == array &&
           (o->kind == OP_ADD || o->kind == OP_ADD_GATED || o->kind == OP_SOFTCAP ||
            o->kind == OP_ROPE_STORE || (o->kind == OP_MATMUL && o->add));
}

/* Is nothing read of what ops[writer] gives, from ops[from] on? */
static bool is_dead(const pass *p, int writer, int from)
{
    const operation *w = &p->ops[writer];
    const float *array = w->y, *kept = (const float *)p->kept;

    if (kept >= array && kept < array + (size_t)w->n * w->width)
        return false;
    for (int i = from; i < p->n_ops; i++) {
        if (reads(&p->ops[i], array))
            return false;
        if (p->ops[i].y == array)
            return true;
    }
    return p->be->rows != NULL; /* outside a step every result counts */
}

static bool prepare_job(pass *p, const operation *o, attention_job *job)
{
    cuda_backend *be = p->be;
    const trueno_attention *f = &o->attention;

    memset(job, 0, sizeof *job);
    job->facts = *f;
    job->kv = be->key.kv;
    job->kv.key_offset += be->key.layer_bytes * f->layer;
    job->kv.value_offset += be->key.layer_bytes * f->layer;
    job->rows = (const row_info *)be->step_rows;
    job->n = o->n;
    job->longest = be->key.longest;
    job->turns = step_turns(be, &f->rope, p->turns);
    return be->failure.status == TRUENO_OK;
}

static void run_rope_store(pass *p, const operation *o)
{
    attention_job job;

    if (!prepare_job(p, o, &job))
        return;
    job.qkv = o->y;
    launch_rope_store(&p->be->launch, &job);
}

/* Query tiles of all spans, behind the step's rows on the device. */
static bool tiles_for(cuda_backend *be, const trueno_attention *f, const query_tile **out,
                      int *n_tiles)
{
    int group = f->n_heads / f->n_kv_heads, n = 0;
    size_t bytes;
    query_tile *host, *device;

    for (int32_t s = 0; s < be->rows->n_spans; s++)
        n += (be->rows->spans[s].n_rows * group + TILE_ROWS - 1) / TILE_ROWS;
    bytes = (size_t)n * sizeof *host;
    host = (query_tile *)trueno_allocate(be->allocator, bytes, 64);
    device = (query_tile *)scratch_get(be, SCRATCH_TILES, bytes);
    if (host == NULL || device == NULL) {
        trueno_release(be->allocator, host, bytes);
        return false;
    }
    n = 0;
    for (int32_t s = 0; s < be->rows->n_spans; s++) {
        const trueno_span *span = &be->rows->spans[s];

        /* Long rows of positions first: the last blocks to run should be short ones. */
        for (int at = (span->n_rows * group - 1) / TILE_ROWS; at >= 0; at--)
            host[n++] = query_tile{span->first_row, span->n_rows, at * TILE_ROWS, 0};
    }
    /* From pageable memory: the call returns when it has been read. */
    cuda_note(be, cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, be->stream),
              "query tiles");
    trueno_release(be->allocator, host, bytes);
    *out = device;
    *n_tiles = n;
    return true;
}

static void copy_watch(cuda_backend *be, const float *device, float *host, size_t n)
{
    if (host != NULL)
        cuda_note(
            be, cudaMemcpyAsync(host, device, n * sizeof *host, cudaMemcpyDeviceToHost, be->stream),
            "what attention saw");
}

/* Is the result of ops[i], n rows as wide as `width`, what the product behind it multiplies, and
 * nothing else? */
static bool is_for_product(const pass *p, int i, int width)
{
    const operation *o = &p->ops[i], *next = o + 1;

    return i + 1 < p->n_ops && next->kind == OP_MATMUL && next->x == o->y && next->n == o->n &&
           next->weight->cols == width && is_dead(p, i, i + 2);
}

/* Can a product leave the pairs of the activation at ops[i] in the form of the product behind it?
 */
static bool can_feed_pairs(const pass *p, int i, ready_rows *ready)
{
    const operation *o = &p->ops[i];

    memset(ready, 0, sizeof *ready);
    return is_for_product(p, i, o->width) && pairs_form(p->be, o[1].weight, o->n, o->y, ready);
}

/* Is the product at ops[i] before or behind attention, or a router's? Exponentials of scores
 * magnify what queries and keys are off, and a little can tip the choice of an expert. */
static bool is_delicate(const pass *p, int i)
{
    const operation *o = &p->ops[i], *next = o + 1;

    if (i > 0 && o[-1].kind == OP_ATTENTION && o[-1].y == o->x)
        return true;
    return i + 1 < p->n_ops && ((next->kind == OP_ROPE_STORE && next->y == o->y) ||
                                (next->kind == OP_EXPERTS && next->bias == o->y));
}

/* The product at ops[i], with the norm before it if `norm`, of rows that are in its form already if
 * `ready`; returns how many operations it covers. */
static int run_matmul(pass *p, int i, const operation *norm, const ready_rows *ready)
{
    const operation *o = &p->ops[i], *next = i + 1 < p->n_ops ? o + 1 : NULL;
    product product = {};
    trueno_norm facts;
    int used = 1;
    bool feeds;

    product.x = norm != NULL ? norm->x : o->x;
    if (norm != NULL)
        facts = norm->norm;
    product.norm = norm != NULL ? &facts : NULL;
    product.bias = o->bias;
    product.add = o->add;
    product.y = o->y;
    product.n = o->n;
    product.precise = is_delicate(p, i);
    if (next != NULL && !o->add && next->x == o->y && next->n == o->n && is_dead(p, i, i + 2)) {
        if (next->kind == OP_GLU && next->y != o->y && matvec_can_pair(o->weight, next->width)) {
            product.pair_rows = next->width;
            used = 2;
        } else if (next->kind == OP_ACTIVATE && next->width == o->weight->rows && next->y != o->y) {
            product.activate = true;
            used = 2;
        }
        if (used == 2) {
            product.activation = next->activation;
            product.y = next->y;
        }
    }
    feeds = product.pair_rows > 0 && can_feed_pairs(p, i + 1, &product.ready);
    run_product(p->be, o->weight, &product, o->y, ready);
    return feeds ? used + run_matmul(p, i + 2, NULL, &product.ready) : used;
}

/* Can attention at ops[i] leave its results in the form of the product behind it? Halves, where
 * what it averages is halves; planes only with the kernel for rows that are alone. */
static bool can_feed_product(const pass *p, int i, ready_rows *ready)
{
    const operation *o = &p->ops[i];

    return attention_has_tiles(&o->attention, p->be->key.kv.type) &&
           is_for_product(p, i, o->attention.n_heads * o->attention.head_dim) &&
           product_form(p->be, o[1].weight, o->n, ready) &&
           (ready->halves.data == NULL ? p->be->key.alone : p->be->key.kv.type == TRUENO_KV_F16);
}

/* Attention at ops[i]; returns how many operations that covers. */
static int run_attention(pass *p, int i, bool store)
{
    cuda_backend *be = p->be;
    const operation *o = &p->ops[i];
    const trueno_attention *f = &o->attention;
    bool watched = o->watch.log_sum_exp != NULL || o->watch.mean_score != NULL;
    size_t n_watched = (size_t)o->n * f->n_heads;
    attention_job job;
    const query_tile *tiles;
    float *seen = NULL;
    int n_tiles;
    bool feeds;

    if (!prepare_job(p, o, &job))
        return 1;
    job.qkv = (float *)o->x;
    job.out = o->y;
    job.store = store;
    feeds = !watched && can_feed_product(p, i, &job.ready);
    if (!feeds)
        memset(&job.ready, 0, sizeof job.ready);
    if (!be->key.alone && !watched && attention_has_tiles(f, job.kv.type)) {
        if (!be->tiles_ready && !tiles_for(be, f, &be->tiles, &be->n_tiles))
            return 1;
        be->tiles_ready = true;
        tiles = be->tiles;
        n_tiles = be->n_tiles;
        launch_attention_tiles(&be->launch, &job, tiles, n_tiles);
        return feeds ? 1 + run_matmul(p, i + 1, NULL, &job.ready) : 1;
    }
    job.partial = (float *)scratch_get(be, SCRATCH_PARTIAL,
                                       attention_scratch(&be->launch, f, o->n) * sizeof(float));
    job.arrived = (unsigned *)scratch_get(be, SCRATCH_ARRIVED,
                                          (size_t)o->n * f->n_kv_heads * sizeof(unsigned));
    if (watched) {
        seen = (float *)scratch_get(be, SCRATCH_WATCH, 2 * n_watched * sizeof *seen);
        job.log_sum_exp = seen;
        job.mean_score = seen != NULL ? seen + n_watched : NULL;
    }
    if (job.partial == NULL || job.arrived == NULL || (watched && seen == NULL))
        return 1;
    launch_attention(&be->launch, &job);
    if (watched) {
        copy_watch(be, job.log_sum_exp, o->watch.log_sum_exp, n_watched);
        copy_watch(be, job.mean_score, o->watch.mean_score, n_watched);
    }
    return feeds ? 1 + run_matmul(p, i + 1, NULL, &job.ready) : 1;
}

static void run_experts(pass *p, const operation *o)
{
    cuda_backend *be = p->be;
    const launcher *l = &be->launch;
    int pairs = o->n * o->n_used, ff = o->down_weight->cols, width = o->width;
    bool fused = matvec_can_pair(o->weight, ff);
    size_t floats = (size_t)pairs * ((fused ? 1 : 3) * ff + width);
    int32_t *ids = (int32_t *)scratch_get(be, SCRATCH_ROUTE, (size_t)pairs * 2 * sizeof(float));
    float *inner = (float *)scratch_get(be, SCRATCH_EXPERTS, floats * sizeof(float));
    float *weights = (float *)(ids + pairs), *outputs;
    expert_choice choice = {ids, o->gate_up, pairs, o->n_used};
    product product = {};

    if (ids == NULL || inner == NULL)
        return;
    outputs = inner + (size_t)pairs * ff;
    launch_route(l, o->bias, o->n, o->n_experts, o->n_used, o->renormalize, ids, weights);
    product.n = 1;
    product.x = o->x;
    product.activation = o->activation;
    product.pair_rows = fused ? ff : 0;
    product.y = fused ? inner : outputs + (size_t)pairs * width;
    launch_matvec(l, o->weight, &product, NULL, NULL, &choice);
    if (!fused)
        launch_glu(l, o->activation, product.y, pairs, ff, inner);
    choice.data = o->down;
    choice.shared = 1;
    product.pair_rows = 0;
    product.x = inner;
    product.y = outputs;
    launch_matvec(l, o->down_weight, &product, NULL, NULL, &choice);
    launch_mix(l, outputs, weights, o->n, o->n_used, width, o->y);
}

static bool can_take_norm(const pass *p, int i)
{
    const operation *norm = &p->ops[i], *o = norm + 1;

    return i + 1 < p->n_ops && o->kind == OP_MATMUL && o->x == norm->y && o->n == norm->n &&
           o->weight->cols == norm->width && o->y != norm->x && o->y != norm->y &&
           is_dead(p, i, i + 2) && (o->n > 8 || matvec_can_norm(o->weight, o->n, &norm->norm));
}

static bool can_store_in_attention(const pass *p, int i)
{
    const operation *store = &p->ops[i], *o = store + 1;

    return p->be->key.alone && i + 1 < p->n_ops && o->kind == OP_ATTENTION && o->x == store->y &&
           o->attention.layer == store->attention.layer && is_dead(p, i, i + 2) &&
           o->watch.log_sum_exp == NULL && o->watch.mean_score == NULL &&
           attention_has_tiles(&o->attention, p->be->key.kv.type);
}

static void run_choose(cuda_backend *be, const operation *o)
{
    void *facts = scratch_get(be, SCRATCH_CHOICES, CHOICE_FACTS_BYTES * CHOICE_ROWS);

    if (facts != NULL)
        launch_choose(&be->launch, (const choice_row *)(be->step_rows + o->choices), o->x, o->n,
                      o->width, facts);
}

/* All rows of a step, gathered, normalised in place and multiplied: their copies are not needed. */
static bool is_needless_copy(const pass *p, int i)
{
    const operation *o = &p->ops[i];

    return o->whole && i + 2 < p->n_ops && o[1].kind == OP_NORM && o[1].x == o->y &&
           o[1].y == o->y && can_take_norm(p, i + 1);
}

/* Embedding at ops[i] also computes the angles of the step's first rotation. */
static void run_embed(pass *p, int i)
{
    const operation *o = &p->ops[i];
    turn_job turns;
    bool turned = false;

    for (int k = i + 1; k < p->n_ops; k++)
        if (p->ops[k].kind == OP_ROPE_STORE) {
            turned = first_turns(p->be, &p->ops[k].attention.rope, p->turns, &turns);
            break;
        }
    launch_embed(&p->be->launch, o->weight, (const row_info *)p->be->step_rows, o->n, o->number,
                 o->y, turned ? &turns : NULL);
}

/* Launch what begins at ops[i]; returns how many operations that was. */
static int run_one(pass *p, int i)
{
    const operation *o = &p->ops[i];
    cuda_backend *be = p->be;
    const launcher *l = &be->launch;
    const int32_t *numbers = (const int32_t *)((const row_info *)be->step_rows + be->key.n_rows);

    switch (o->kind) {
    case OP_EMBED:
        run_embed(p, i);
        return 1;
    case OP_NORM:
        if (can_take_norm(p, i))
            return 1 + run_matmul(p, i + 1, o, NULL);
        launch_norm(l, &o->norm, o->x, o->n, o->y);
        return 1;
    case OP_MATMUL:
        return run_matmul(p, i, NULL, NULL);
    case OP_ROPE_STORE:
        if (can_store_in_attention(p, i))
            return 1 + run_attention(p, i + 1, true);
        run_rope_store(p, o);
        return 1;
    case OP_ATTENTION:
        return run_attention(p, i, false);
    case OP_GLU:
        launch_glu(l, o->activation, o->x, o->n, o->width, o->y);
        return 1;
    case OP_ACTIVATE:
        launch_activate(l, o->activation, o->x, o->n, o->width, o->y);
        return 1;
    case OP_ADD:
        launch_add(l, o->x, o->n, o->width, o->y);
        return 1;
    case OP_ADD_GATED:
        launch_add_gated(l, o->bias, o->x, o->n, o->width, o->y);
        return 1;
    case OP_GATHER:
        if (is_needless_copy(p, i)) {
            operation norm = o[1];

            norm.x = o->x;
            return 2 + run_matmul(p, i + 2, &norm, NULL);
        }
        launch_gather(l, o->x, numbers + o->first_row, o->n, o->width, o->y);
        return 1;
    case OP_SOFTCAP:
        launch_softcap(l, o->number, o->y, o->n, o->width);
        return 1;
    case OP_EXPERTS:
        run_experts(p, o);
        return 1;
    case OP_CHOOSE:
        run_choose(be, o);
        return 1;
    }
    return 1;
}

void run_operations(cuda_backend *be, const operation *ops, int n_ops, const void *kept)
{
    pass p = {};

    p.be = be;
    p.ops = ops;
    p.n_ops = n_ops;
    p.kept = kept;
    be->tiles_ready = false;
    for (int i = 0; i < n_ops && be->failure.status == TRUENO_OK;)
        i += run_one(&p, i);
}
