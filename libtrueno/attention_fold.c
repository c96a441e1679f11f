/* SPDX-License-Identifier: MIT */
/*
 * The keys and values of a segment folded into the queries of an item, block by block.
 *
 * A block is expanded once for all queries, which then meet it in tiles of ATTENTION_QUERIES:
 * scores of all tiles first, then their weights and sums of values.
 */
#include "attention_fold.h"

#include <string.h>

/* What up to ATTENTION_QUERIES queries see of one block. */
typedef struct tile {
    int32_t n;
    int32_t begin[ATTENTION_QUERIES], end[ATTENTION_QUERIES]; /* slots; begin >= end: nothing */
    int32_t shared_begin, shared_end;                         /* slots that all of them see */
    int32_t last;                                             /* one past the last that any sees */
} tile;

static size_t round64(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

attention_fold attention_fold_at(const attention_job *j, char *memory)
{
    return (attention_fold){
        (softmax_state *)(void *)memory,
        (float *)(void *)(memory + round64((size_t)j->item_queries * sizeof(softmax_state)))};
}

size_t attention_fold_bytes(const attention_job *j)
{
    return round64((size_t)j->item_queries * sizeof(softmax_state)) +
           (size_t)j->item_queries * (size_t)j->stride * sizeof(float);
}

static size_t block_floats(const attention_job *j)
{
    return (size_t)j->stride * KV_BLOCK;
}

static int32_t item_tiles(const attention_job *j)
{
    return (j->item_queries + ATTENTION_QUERIES - 1) / ATTENTION_QUERIES;
}

size_t attention_worker_bytes(const attention_job *j)
{
    return 2 * block_floats(j) * sizeof(float) +
           (size_t)j->item_queries * KV_BLOCK * sizeof(float) + 2 * j->fold_bytes +
           round64((size_t)j->item_queries * sizeof(attention_query)) +
           round64((size_t)item_tiles(j) * sizeof(tile));
}

attention_worker attention_worker_at(const attention_job *j, int thread)
{
    char *memory = j->threads + (size_t)thread * j->thread_bytes;
    attention_worker w;

    w.keys = (float *)(void *)memory;
    w.values = w.keys + block_floats(j);
    w.scores = w.values + block_floats(j);
    memory = (char *)(w.scores + (size_t)j->item_queries * KV_BLOCK);
    w.total = attention_fold_at(j, memory);
    w.segment = attention_fold_at(j, memory + j->fold_bytes);
    memory += 2 * j->fold_bytes;
    w.queries = (attention_query *)(void *)memory;
    w.tiles = (tile *)(void *)(memory + round64((size_t)j->item_queries * sizeof(attention_query)));
    return w;
}

int32_t attention_list_queries(const attention_job *j, const attention_item *it, int32_t kv_head,
                               attention_query *queries)
{
    const trueno_attention *p = j->p;
    int64_t width = ((int64_t)p->n_heads + 2 * (int64_t)p->n_kv_heads) * p->head_dim;
    int32_t n = 0;

    for (int32_t r = it->first; r < it->first + it->n_rows; r++) {
        const float *heads = j->qkv + (int64_t)(it->span->first_row + r) * width;
        int32_t position = it->span->first_pos + r;

        for (int32_t h = 0; h < j->group; h++)
            queries[n++] = (attention_query){
                heads + (int64_t)(kv_head * j->group + h) * p->head_dim,
                p->window > 0 && position >= p->window ? position - p->window + 1 : 0,
                position + 1};
    }
    return n;
}

static int32_t clamp_to_block(int32_t position)
{
    return position < 0 ? 0 : position > KV_BLOCK ? KV_BLOCK : position;
}

static tile tile_of(const attention_query *queries, int32_t n, int32_t base)
{
    tile t = {.n = n < ATTENTION_QUERIES ? n : ATTENTION_QUERIES, .shared_end = KV_BLOCK};

    for (int32_t i = 0; i < t.n; i++) {
        t.begin[i] = clamp_to_block(queries[i].begin - base);
        t.end[i] = clamp_to_block(queries[i].end - base);
        t.shared_begin = t.begin[i] > t.shared_begin ? t.begin[i] : t.shared_begin;
        t.shared_end = t.end[i] < t.shared_end ? t.end[i] : t.shared_end;
        if (t.begin[i] < t.end[i] && t.end[i] > t.last)
            t.last = t.end[i];
    }
    return t;
}

/* What all tiles of a block see that every query of the item sees whole: most blocks of a prompt.
 */
static const tile WHOLE_TILE = {
    .n = ATTENTION_QUERIES,
    .end = {KV_BLOCK, KV_BLOCK, KV_BLOCK, KV_BLOCK, KV_BLOCK, KV_BLOCK},
    .shared_end = KV_BLOCK,
    .last = KV_BLOCK,
};

/* The tiles of a block, one for each ATTENTION_QUERIES queries. */
static void list_tiles(const attention_query *queries, int32_t n, int32_t base, tile *tiles)
{
    bool whole = queries[n - 1].begin <= base && queries[0].end >= base + KV_BLOCK;

    for (int32_t i = 0; i < n; i += ATTENTION_QUERIES, tiles++) {
        if (!whole) {
            *tiles = tile_of(queries + i, n - i, base);
            continue;
        }
        *tiles = WHOLE_TILE;
        if (n - i < ATTENTION_QUERIES)
            tiles->n = n - i;
    }
}

static void score_tile(const attention_job *j, const tile *t, const attention_query *queries,
                       const float *keys, float *scores)
{
    const float *q[ATTENTION_QUERIES];

    for (int32_t i = 0; i < t->n; i++)
        q[i] = queries[i].q;
    j->kernels->attention_scores(q, t->n, keys, j->p->head_dim,
                                 (t->last + KERNEL_LANES - 1) / KERNEL_LANES, scores);
}

/* Scores to weights; sums are scaled to the new maximum. */
static void weigh_tile(const attention_job *j, const tile *t, float *scores, softmax_state *states,
                       float *const *acc)
{
    for (int32_t i = 0; i < t->n; i++) {
        bool first = states[i].empty;
        float factor;

        if (t->begin[i] >= t->end[i])
            continue;
        factor = j->kernels->attention_weights(&j->rule, t->begin[i], t->end[i],
                                               scores + (size_t)i * KV_BLOCK, &states[i]);
        if (first)
            memset(acc[i], 0, (size_t)j->stride * sizeof *acc[i]);
        else if (factor != 1.0f)
            j->kernels->scale(factor, j->stride, acc[i]);
    }
}

/* Add values of slots [begin, end) for each query on its own. */
static void add_values_singly(const attention_job *j, const tile *t, const float *weights,
                              const float *values, int32_t from, int32_t to, float *const *acc)
{
    for (int32_t i = 0; i < t->n; i++) {
        int32_t begin = t->begin[i] > from ? t->begin[i] : from;
        int32_t end = t->end[i] < to ? t->end[i] : to;

        if (begin < end)
            j->kernels->attention_values(weights + (size_t)i * KV_BLOCK, 1, values, j->stride,
                                         begin, end, &acc[i]);
    }
}

/*
 * Slots that only some queries of the tile see are added one query at a time: a product with weight
 * zero would let another row's infinity through.
 */
static void add_values(const attention_job *j, const tile *t, const float *weights,
                       const float *values, float *const *acc)
{
    if (t->shared_begin >= t->shared_end) {
        add_values_singly(j, t, weights, values, 0, KV_BLOCK, acc);
        return;
    }
    add_values_singly(j, t, weights, values, 0, t->shared_begin, acc);
    j->kernels->attention_values(weights, t->n, values, j->stride, t->shared_begin, t->shared_end,
                                 acc);
    add_values_singly(j, t, weights, values, t->shared_end, KV_BLOCK, acc);
}

/* Fold one block of keys and values into the queries' states. */
static void fold_block(const attention_job *j, const attention_worker *w, const trueno_kv *kv,
                       int32_t kv_head, int32_t block, int32_t n, attention_fold to)
{
    const kv_codec *codec = &j->kernels->kv[kv->shape.type];
    int32_t base = block * KV_BLOCK, head_dim = j->p->head_dim;
    int32_t stored = clamp_to_block(w->queries[n - 1].end - base);
    const float *keys = codec->load_keys(kv_store_keys(kv, j->p->layer, kv_head, block), head_dim,
                                         (stored + KERNEL_LANES - 1) / KERNEL_LANES, w->keys);
    const float *values;

    list_tiles(w->queries, n, base, w->tiles);
    for (int32_t i = 0; i < n; i += ATTENTION_QUERIES) {
        const tile *t = &w->tiles[i / ATTENTION_QUERIES];

        if (t->last > 0)
            score_tile(j, t, w->queries + i, keys, w->scores + (int64_t)i * KV_BLOCK);
    }
    values = codec->load_values(kv_store_values(kv, j->p->layer, kv_head, block), head_dim, stored,
                                w->values);
    for (int32_t i = 0; i < n; i += ATTENTION_QUERIES) {
        const tile *t = &w->tiles[i / ATTENTION_QUERIES];
        float *acc[ATTENTION_QUERIES], *scores = w->scores + (int64_t)i * KV_BLOCK;

        if (t->last == 0)
            continue;
        for (int32_t k = 0; k < t->n; k++)
            acc[k] = to.acc + (int64_t)(i + k) * j->stride;
        weigh_tile(j, t, scores, to.states + i, acc);
        add_values(j, t, scores, values, acc);
    }
}

/* Fold one segment of keys, from nothing. */
void attention_fold_segment(const attention_job *j, const attention_worker *w,
                            const attention_item *it, int32_t kv_head, int32_t segment, int32_t n,
                            attention_fold to)
{
    const int32_t blocks = ATTENTION_SEGMENT / KV_BLOCK;
    int32_t block = w->queries[0].begin / KV_BLOCK;
    int32_t end = (w->queries[n - 1].end + KV_BLOCK - 1) / KV_BLOCK;

    memset(to.states, 0, (size_t)n * sizeof *to.states);
    for (int32_t i = 0; i < n; i++)
        to.states[i].empty = true;
    block = block > segment * blocks ? block : segment * blocks;
    end = end < (segment + 1) * blocks ? end : (segment + 1) * blocks;
    for (; block < end; block++)
        fold_block(j, w, it->span->kv, kv_head, block, n, to);
}
