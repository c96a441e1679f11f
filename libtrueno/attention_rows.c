/* SPDX-License-Identifier: MIT */
/*
 * Attention of a step's rows: an item of work is a run of rows of one session, one head of keys,
 * and either all segments of keys (prefill) or one of them (long contexts with few rows).
 *
 * All query heads of a group share the expanded keys and values of a block. How rows are cut into
 * items, and items spread over threads, never changes the order in which a query meets its keys.
 */
#include "attention_rows.h"

#include <string.h>

enum {
    ATTENTION_SEGMENT = 512, /* positions folded from nothing, before they join those before */
    ITEM_QUERIES = 192,      /* queries that share an expanded block: their sums stay in cache */
    ITEMS_PER_THREAD = 4,    /* so that threads end together */
    SPLIT_PARTIALS = 16384   /* most (query, segment) pairs kept when segments are spread */
};

typedef struct item {
    const trueno_span *span;
    int32_t first, n_rows; /* rows of the span */
    int32_t segment;       /* of keys; -1: all, one after the other */
    int32_t first_segment; /* the first that any row of the item sees */
} item;

typedef struct query {
    const float *q;
    int32_t begin, end; /* positions that it sees */
} query;

/* Running states and sums of an item's queries. */
typedef struct fold {
    softmax_state *states; /* [queries] */
    float *acc;            /* [queries][stride] */
} fold;

/* What up to ATTENTION_QUERIES queries see of one block. */
typedef struct tile {
    int32_t n;
    int32_t begin[ATTENTION_QUERIES], end[ATTENTION_QUERIES]; /* slots; begin >= end: nothing */
    int32_t shared_begin, shared_end;                         /* slots that all of them see */
    int32_t last;                                             /* one past the last that any sees */
} tile;

/* One thread's scratch memory. */
typedef struct worker {
    float *keys, *values; /* one block, expanded */
    float *scores;        /* [queries][KV_BLOCK] */
    query *queries;
    tile *tiles; /* of the block at hand */
    fold total, segment;
} worker;

typedef struct job {
    const kernel_table *kernels;
    const trueno_attention *p;
    const float *qkv;
    float *out;
    const trueno_attention_watch *watch;
    score_rule rule;
    int32_t group, stride; /* query heads a key head; floats of an accumulator */
    int32_t item_queries;  /* most queries of an item */
    const item *items;
    int32_t n_items;
    char *threads;       /* scratch of all threads */
    size_t thread_bytes; /* of one */
    char *partials;      /* one fold an (item, head) when segments are spread, else NULL */
    size_t fold_bytes;
} job;

static size_t round64(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

static fold fold_at(const job *j, char *memory)
{
    return (fold){
        (softmax_state *)(void *)memory,
        (float *)(void *)(memory + round64((size_t)j->item_queries * sizeof(softmax_state)))};
}

static size_t fold_size(const job *j)
{
    return round64((size_t)j->item_queries * sizeof(softmax_state)) +
           (size_t)j->item_queries * (size_t)j->stride * sizeof(float);
}

static size_t block_floats(const job *j)
{
    return (size_t)j->stride * KV_BLOCK;
}

static int32_t item_tiles(const job *j)
{
    return (j->item_queries + ATTENTION_QUERIES - 1) / ATTENTION_QUERIES;
}

static size_t worker_size(const job *j)
{
    return 2 * block_floats(j) * sizeof(float) +
           (size_t)j->item_queries * KV_BLOCK * sizeof(float) + 2 * j->fold_bytes +
           round64((size_t)j->item_queries * sizeof(query)) +
           round64((size_t)item_tiles(j) * sizeof(tile));
}

static worker worker_at(const job *j, int thread)
{
    char *memory = j->threads + (size_t)thread * j->thread_bytes;
    worker w;

    w.keys = (float *)(void *)memory;
    w.values = w.keys + block_floats(j);
    w.scores = w.values + block_floats(j);
    memory = (char *)(w.scores + (size_t)j->item_queries * KV_BLOCK);
    w.total = fold_at(j, memory);
    w.segment = fold_at(j, memory + j->fold_bytes);
    memory += 2 * j->fold_bytes;
    w.queries = (query *)(void *)memory;
    w.tiles = (tile *)(void *)(memory + round64((size_t)j->item_queries * sizeof(query)));
    return w;
}

/* The queries of an item for one key head, rows in order, a row's heads together; returns how many.
 */
static int32_t list_queries(const job *j, const item *it, int32_t kv_head, query *queries)
{
    const trueno_attention *p = j->p;
    int64_t width = ((int64_t)p->n_heads + 2 * (int64_t)p->n_kv_heads) * p->head_dim;
    int32_t n = 0;

    for (int32_t r = it->first; r < it->first + it->n_rows; r++) {
        const float *heads = j->qkv + (int64_t)(it->span->first_row + r) * width;
        int32_t position = it->span->first_pos + r;

        for (int32_t h = 0; h < j->group; h++)
            queries[n++] =
                (query){heads + (int64_t)(kv_head * j->group + h) * p->head_dim,
                        p->window > 0 && position >= p->window ? position - p->window + 1 : 0,
                        position + 1};
    }
    return n;
}

static int32_t clamp_to_block(int32_t position)
{
    return position < 0 ? 0 : position > KV_BLOCK ? KV_BLOCK : position;
}

static tile tile_of(const query *queries, int32_t n, int32_t base)
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
static void list_tiles(const query *queries, int32_t n, int32_t base, tile *tiles)
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

static void score_tile(const job *j, const tile *t, const query *queries, const float *keys,
                       float *scores)
{
    const float *q[ATTENTION_QUERIES];

    for (int32_t i = 0; i < t->n; i++)
        q[i] = queries[i].q;
    j->kernels->attention_scores(q, t->n, keys, j->p->head_dim,
                                 (t->last + KERNEL_LANES - 1) / KERNEL_LANES, scores);
}

/* Scores to weights; sums are scaled to the new maximum. */
static void weigh_tile(const job *j, const tile *t, float *scores, softmax_state *states,
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
static void add_values_singly(const job *j, const tile *t, const float *weights,
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
static void add_values(const job *j, const tile *t, const float *weights, const float *values,
                       float *const *acc)
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
static void fold_block(const job *j, const worker *w, const trueno_kv *kv, int32_t kv_head,
                       int32_t block, int32_t n, fold to)
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
static void fold_segment(const job *j, const worker *w, const item *it, int32_t kv_head,
                         int32_t segment, int32_t n, fold to)
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

static void merge_folds(const job *j, int32_t n, fold from, fold to)
{
    for (int32_t i = 0; i < n; i++)
        j->kernels->attention_merge(&from.states[i], from.acc + (int64_t)i * j->stride, j->stride,
                                    &to.states[i], to.acc + (int64_t)i * j->stride);
}

static void finish_item(const job *j, const item *it, int32_t kv_head, fold from)
{
    const trueno_attention *p = j->p;

    for (int32_t i = 0; i < it->n_rows * j->group; i++) {
        int64_t row = it->span->first_row + it->first + i / j->group;
        int64_t head = row * p->n_heads + (int64_t)kv_head * j->group + i % j->group;

        j->kernels->attention_finish(&from.states[i], from.acc + (int64_t)i * j->stride,
                                     p->head_dim, j->out + head * p->head_dim,
                                     j->watch != NULL ? &j->watch->log_sum_exp[head] : NULL,
                                     j->watch != NULL ? &j->watch->mean_score[head] : NULL);
    }
}

static fold partial_at(const job *j, int64_t index)
{
    return fold_at(j, j->partials + (size_t)index * j->fold_bytes);
}

/* Index i: key head i % n_kv_heads of item i / n_kv_heads. */
static void run_items(void *context, int64_t begin, int64_t end, int thread)
{
    const job *j = context;
    worker w = worker_at(j, thread);

    for (int64_t i = begin; i < end; i++) {
        const item *it = &j->items[i / j->p->n_kv_heads];
        int32_t kv_head = (int32_t)(i % j->p->n_kv_heads);
        int32_t n = list_queries(j, it, kv_head, w.queries);
        int32_t last = (w.queries[n - 1].end - 1) / ATTENTION_SEGMENT;

        if (it->segment >= 0) {
            fold_segment(j, &w, it, kv_head, it->segment, n, partial_at(j, i));
            continue;
        }
        fold_segment(j, &w, it, kv_head, it->first_segment, n, w.total);
        for (int32_t s = it->first_segment + 1; s <= last; s++) {
            fold_segment(j, &w, it, kv_head, s, n, w.segment);
            merge_folds(j, n, w.segment, w.total);
        }
        finish_item(j, it, kv_head, w.total);
    }
}

/* Spread segments: add each item's to that of its first segment, in order, and finish. */
static void merge_items(const job *j)
{
    int32_t heads = j->p->n_kv_heads;

    for (int32_t first = 0, next; first < j->n_items; first = next) {
        const item *it = &j->items[first];

        for (next = first + 1; next < j->n_items; next++)
            if (j->items[next].segment == j->items[next].first_segment)
                break;
        for (int32_t head = 0; head < heads; head++) {
            fold total = partial_at(j, (int64_t)first * heads + head);

            for (int32_t i = first + 1; i < next; i++)
                merge_folds(j, it->n_rows * j->group, partial_at(j, (int64_t)i * heads + head),
                            total);
            finish_item(j, it, head, total);
        }
    }
}

/* Rows of an item: many share expanded blocks, but every thread should get several items. */
static int32_t rows_of_items(const job *j, int32_t n_rows, int threads)
{
    int64_t most = ITEM_QUERIES / j->group > 1 ? ITEM_QUERIES / j->group : 1;
    int64_t spread = (int64_t)n_rows * j->p->n_kv_heads / ((int64_t)threads * ITEMS_PER_THREAD);

    if (threads == 1 || spread > most)
        return (int32_t)most;
    return spread > 1 ? (int32_t)spread : 1;
}

/* Cut the step into items of at most `item_rows` rows; items NULL: only count. */
static int32_t list_items(const trueno_attention *p, const trueno_rows *rows, int32_t item_rows,
                          bool split, item *items)
{
    int32_t n = 0;

    for (int32_t s = 0; s < rows->n_spans; s++) {
        const trueno_span *span = &rows->spans[s];

        for (int32_t first = 0; first < span->n_rows; first += item_rows) {
            int32_t left = span->n_rows - first, position = span->first_pos + first;
            item it = {.span = span, .first = first, .segment = -1};
            int32_t last;

            it.n_rows = left < item_rows ? left : item_rows;
            it.first_segment =
                (p->window > 0 && position >= p->window ? position - p->window + 1 : 0) /
                ATTENTION_SEGMENT;
            last = split ? (position + it.n_rows - 1) / ATTENTION_SEGMENT : it.first_segment;
            for (int32_t segment = it.first_segment; segment <= last; segment++) {
                if (split)
                    it.segment = segment;
                if (items != NULL)
                    items[n] = it;
                n++;
            }
        }
    }
    return n;
}

/* Spread segments over threads when whole rows would leave threads idle. */
static bool should_split(const job *j, const trueno_rows *rows, int32_t item_rows, int threads)
{
    int64_t whole = list_items(j->p, rows, item_rows, false, NULL);
    int64_t split = list_items(j->p, rows, item_rows, true, NULL);

    return threads > 1 && split > whole && whole * j->p->n_kv_heads < 2 * (int64_t)threads &&
           split * j->item_queries <= SPLIT_PARTIALS;
}

void attention_rows(host_backend *host, const kernel_table *kernels, attention_scratch *scratch,
                    const trueno_attention *p, const float *qkv, float *out,
                    const trueno_attention_watch *watch)
{
    int threads = trueno_pool_threads(host->pool);
    job j = {.kernels = kernels,
             .p = p,
             .qkv = qkv,
             .out = out,
             .watch = watch,
             .rule = {p->scale, p->softcap, watch != NULL},
             .group = p->n_heads / p->n_kv_heads,
             .stride = kv_stride(p->head_dim)};
    int32_t item_rows = rows_of_items(&j, host->rows->n_rows, threads);
    item *items;
    bool split;

    j.item_queries = item_rows * j.group;
    j.fold_bytes = fold_size(&j);
    j.thread_bytes = worker_size(&j);
    split = should_split(&j, host->rows, item_rows, threads);
    j.n_items = list_items(p, host->rows, item_rows, split, NULL);
    items = host_scratch(host, &scratch->items, (size_t)j.n_items * sizeof *items);
    j.threads = host_scratch(host, &scratch->threads, (size_t)threads * j.thread_bytes);
    if (split)
        j.partials = host_scratch(host, &scratch->partials,
                                  (size_t)j.n_items * (size_t)p->n_kv_heads * j.fold_bytes);
    if (items == NULL || j.threads == NULL || (split && j.partials == NULL))
        return;
    (void)list_items(p, host->rows, item_rows, split, items);
    j.items = items;
    trueno_pool_for(host->pool, (int64_t)j.n_items * p->n_kv_heads, 1, run_items, &j);
    if (split)
        merge_items(&j);
}

void attention_scratch_free(host_backend *host, attention_scratch *scratch)
{
    trueno_release(host->allocator, scratch->items.data, scratch->items.bytes);
    trueno_release(host->allocator, scratch->threads.data, scratch->threads.bytes);
    trueno_release(host->allocator, scratch->partials.data, scratch->partials.bytes);
}
