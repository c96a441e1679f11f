/* SPDX-License-Identifier: MIT */
/** @file attention_fold.h  Running states of attention: what attention_rows.c cuts and joins, and
 * attention_fold.c computes.
 */
#ifndef ATTENTION_FOLD_H
#define ATTENTION_FOLD_H

#include "host.h"

enum { ATTENTION_SEGMENT = 512 }; /* positions folded from nothing, before they join those before */

typedef struct attention_item {
    const trueno_span *span;
    int32_t first, n_rows; /* rows of the span */
    int32_t segment;       /* of keys; -1: all, one after the other */
    int32_t first_segment; /* the first that any row of the item sees */
} attention_item;

typedef struct attention_query {
    const float *q;
    int32_t begin, end; /* positions that it sees */
} attention_query;

/* Running states and sums of an item's queries. */
typedef struct attention_fold {
    softmax_state *states; /* [queries] */
    float *acc;            /* [queries][stride] */
} attention_fold;

/* One thread's scratch memory. */
typedef struct attention_worker {
    float *keys, *values; /* one block, expanded */
    float *scores;        /* [queries][KV_BLOCK] */
    attention_query *queries;
    struct tile *tiles; /* of the block at hand */
    attention_fold total, segment;
} attention_worker;

typedef struct attention_job {
    const kernel_table *kernels;
    const trueno_attention *p;
    const float *qkv;
    float *out;
    const trueno_attention_watch *watch;
    score_rule rule;
    int32_t group, stride; /* query heads a key head; floats of an accumulator */
    int32_t item_queries;  /* most queries of an item */
    const attention_item *items;
    int32_t n_items;
    char *threads;       /* scratch of all threads */
    size_t thread_bytes; /* of one */
    char *partials;      /* one fold an (item, head) when segments are spread, else NULL */
    size_t fold_bytes;
} attention_job;

/** Bytes of one fold, and the fold that lies at `memory` (64-byte aligned). */
size_t attention_fold_bytes(const attention_job *j);
attention_fold attention_fold_at(const attention_job *j, char *memory);

/** Bytes of a thread's scratch memory, and that of thread `thread` in j->threads. */
size_t attention_worker_bytes(const attention_job *j);
attention_worker attention_worker_at(const attention_job *j, int thread);

/**
 * The queries of an item for one key head, rows in order, a row's heads together; returns how many.
 */
int32_t attention_list_queries(const attention_job *j, const attention_item *it, int32_t kv_head,
                               attention_query *queries);

/** Fold one segment of keys into `to`, from nothing; w->queries holds the item's `n` queries. */
void attention_fold_segment(const attention_job *j, const attention_worker *w,
                            const attention_item *it, int32_t kv_head, int32_t segment, int32_t n,
                            attention_fold to);

#endif
