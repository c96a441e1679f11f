/* SPDX-License-Identifier: MIT */
/* The file of base distributions: what llama-perplexity reads as --kl-divergence-base. */
#ifndef CLI_EVAL_H
#define CLI_EVAL_H

#include "commands.h"

#include <stdio.h>

/*
 * "_logits_", three int32 (context, vocabulary, chunks), the chunks' tokens, then for every scored
 * token: scale and least log-probability (float), and one uint16 per token of the vocabulary (and
 * one of padding when that is odd), log p = least + scale * number, cut at 16 below the largest.
 */
typedef struct base_file {
    FILE *f;
    char *path, *temporary; /* temporary: being written */
    int32_t context, vocab, chunks;
    int32_t *tokens;
    uint16_t *packed;
    float *log_p;
} base_file;

trueno_status base_create(base_file *b, const char *path, int32_t context, int32_t vocab,
                          int32_t chunks, const int32_t *tokens, trueno_error *err);
trueno_status base_write(base_file *b, const float *logits, double log_sum, trueno_error *err);
/* Flush, sync and rename a file that was written; nothing to do for one that was read. */
trueno_status base_finish(base_file *b, trueno_error *err);

trueno_status base_open(base_file *b, const char *path, trueno_error *err);
trueno_status base_read(base_file *b, const float **log_p, trueno_error *err);

/* Free; an unfinished file that was being written is removed. */
void base_close(base_file *b);

#endif
