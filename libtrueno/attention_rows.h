/* SPDX-License-Identifier: MIT */
/** @file attention_rows.h  Attention of a step's rows on the CPU: tiles, ranges of keys, threads.
 */
#ifndef ATTENTION_ROWS_H
#define ATTENTION_ROWS_H

#include "host.h"

/** Scratch memory of attention, kept between calls. */
typedef struct attention_scratch {
    host_buffer items, threads, partials;
} attention_scratch;

/**
 * The table's attention(). Keys are folded in blocks of KV_BLOCK positions, blocks in segments of
 * ATTENTION_SEGMENT positions, segments in order; blocks and segments begin at multiples of their
 * size, so a row's result depends neither on the other rows nor on the threads.
 */
void attention_rows(host_backend *host, const kernel_table *kernels, attention_scratch *scratch,
                    const trueno_attention *p, const float *qkv, float *out,
                    const trueno_attention_watch *watch);

void attention_scratch_free(host_backend *host, attention_scratch *scratch);

#endif
