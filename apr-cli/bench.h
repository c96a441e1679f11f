/* SPDX-License-Identifier: MIT */
/* What the parts of apr bench share. */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include "commands.h"

typedef struct bench_case {
    bool decode;
    int32_t tokens, depth, batch;
} bench_case;

typedef struct bench_state {
    realizar_engine *engine;
    json_t *rows;
    int32_t *tokens; /* made-up ids, as many as the longest test needs */
    int32_t n_tokens;
    double gb_s;     /* read beside the tests; 0: not measured */
    json_t *memory;  /* in use after the tests */
    size_t kv_bytes; /* most that a test's sessions had */
} bench_state;

/* `n` tokens of each of `batch` sessions: tokens per second. */
trueno_status time_decode(bench_state *b, realizar_session **s, int32_t batch, int32_t n,
                          double *tok_s, trueno_error *err);

#endif
