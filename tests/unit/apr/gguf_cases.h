/* SPDX-License-Identifier: MIT */
/* Bad GGUF files as rows of a table. */
#ifndef TEST_APR_GGUF_CASES_H
#define TEST_APR_GGUF_CASES_H

#include "gguf_build.h"
#include <stdbool.h>
#include <trueno/error.h>

/* A tiny model with one change: how it is refused. */
typedef struct bad_case {
    const char *name;
    trueno_status status;
    const char *says; /* part of the message */
    void (*change)(gguf_build *g);
    bool without_tiny; /* the change makes all keys and tensors */
} bad_case;

/* Each has its status, and says what it should. */
void check_bad_cases(const bad_case *cases, size_t n);

/* A lenient reader opens it. */
void check_lenient(const bad_case *c);

#endif
