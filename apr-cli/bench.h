/* SPDX-License-Identifier: MIT */
/* What the parts of apr bench share. */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include "commands.h"

typedef struct bench_case {
    bool decode;
    int32_t tokens, depth, batch;
} bench_case;

/* Sequential read speed of memory with `threads` threads (0: the default number), in GB/s. */
trueno_status measure_bandwidth(int threads, double *gb_s, trueno_error *err);

#endif
