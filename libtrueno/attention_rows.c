/* SPDX-License-Identifier: MIT */
/*
 * Attention of a step's rows: an item of work is a run of rows of one session, one head of keys,
 * and either all segments of keys (prefill) or one of them (long contexts with few rows).
 *
 * All query heads of a group share the expanded keys and values of a block. How rows are cut into
 * items, and items spread over threads, never changes the order in which a query meets its keys.
 */
#include "attention_rows.h"

#include "attention_fold.h"

enum {
    ITEM_QUERIES = 192,    /* queries that share an expanded block: their sums stay in cache */
    ITEMS_PER_THREAD = 4,  /* so that threads end together */
    SPLIT_PARTIALS = 16384 /* most (query, segment) pairs kept when segments are spread */
};

static void merge_folds(const attention_job *j, int32_t n, attention_fold from, attention_fold to)
{
    for (int32_t i = 0; i < n; i++)
        j->kernels->attention_merge(&from.states[i], from.acc + (int64_t)i * j->stride, j->stride,
                                    &to.states[i], to.acc + (int64_t)i * j->stride);
}

static void finish_item(const attention_job *j, const attention_item *it, int32_t kv_head,
                        attention_fold from)
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

static attention_fold partial_at(const attention_job *j, int64_t index)
{
    return attention_fold_at(j, j->partials + (size_t)index * j->fold_bytes);
}

/* Index i: key head i % n_kv_heads of item i / n_kv_heads. */
static void run_items(void *context, int64_t begin, int64_t end, int thread)
{
    const attention_job *j = context;
    attention_worker w = attention_worker_at(j, thread);

    for (int64_t i = begin; i < end; i++) {
        const attention_item *it = &j->items[i / j->p->n_kv_heads];
        int32_t kv_head = (int32_t)(i % j->p->n_kv_heads);
        int32_t n = attention_list_queries(j, it, kv_head, w.queries);
        int32_t last = (w.queries[n - 1].end - 1) / ATTENTION_SEGMENT;

        if (it->segment >= 0) {
            attention_fold_segment(j, &w, it, kv_head, it->segment, n, partial_at(j, i));
            continue;
        }
        attention_fold_segment(j, &w, it, kv_head, it->first_segment, n, w.total);
        for (int32_t s = it->first_segment + 1; s <= last; s++) {
            attention_fold_segment(j, &w, it, kv_head, s, n, w.segment);
            merge_folds(j, n, w.segment, w.total);
        }
        finish_item(j, it, kv_head, w.total);
    }
}

/* Spread segments: add each item's to that of its first segment, in order, and finish. */
static void merge_items(const attention_job *j)
{
    int32_t heads = j->p->n_kv_heads;

    for (int32_t first = 0, next; first < j->n_items; first = next) {
        const attention_item *it = &j->items[first];

        for (next = first + 1; next < j->n_items; next++)
            if (j->items[next].segment == j->items[next].first_segment)
                break;
        for (int32_t head = 0; head < heads; head++) {
            attention_fold total = partial_at(j, (int64_t)first * heads + head);

            for (int32_t i = first + 1; i < next; i++)
                merge_folds(j, it->n_rows * j->group, partial_at(j, (int64_t)i * heads + head),
                            total);
            finish_item(j, it, head, total);
        }
    }
}

/* Rows of an item: many share expanded blocks, but every thread should get several items. */
static int32_t rows_of_items(const attention_job *j, int32_t n_rows, int threads)
{
    int64_t most = ITEM_QUERIES / j->group > 1 ? ITEM_QUERIES / j->group : 1;
    int64_t spread = (int64_t)n_rows * j->p->n_kv_heads / ((int64_t)threads * ITEMS_PER_THREAD);

    if (threads == 1 || spread > most)
        return (int32_t)most;
    return spread > 1 ? (int32_t)spread : 1;
}

/* Cut the step into items of at most `item_rows` rows; items NULL: only count. */
static int32_t list_items(const trueno_attention *p, const trueno_rows *rows, int32_t item_rows,
                          bool split, attention_item *items)
{
    int32_t n = 0;

    for (int32_t s = 0; s < rows->n_spans; s++) {
        const trueno_span *span = &rows->spans[s];

        for (int32_t first = 0; first < span->n_rows; first += item_rows) {
            int32_t left = span->n_rows - first, position = span->first_pos + first;
            attention_item it = {.span = span, .first = first, .segment = -1};
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
static bool should_split(const attention_job *j, const trueno_rows *rows, int32_t item_rows,
                         int threads)
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
    attention_job j = {.kernels = kernels,
                       .p = p,
                       .qkv = qkv,
                       .out = out,
                       .watch = watch,
                       .rule = {p->scale, p->softcap, watch != NULL},
                       .group = p->n_heads / p->n_kv_heads,
                       .stride = kv_stride(p->head_dim)};
    int32_t item_rows = rows_of_items(&j, host->rows->n_rows, threads);
    attention_item *items;
    bool split;

    j.item_queries = item_rows * j.group;
    j.fold_bytes = attention_fold_bytes(&j);
    j.thread_bytes = attention_worker_bytes(&j);
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
