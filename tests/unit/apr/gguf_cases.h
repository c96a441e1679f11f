/* SPDX-License-Identifier: MIT */
/* Bad GGUF files as rows of a table. */
#ifndef TEST_APR_GGUF_CASES_H
#define TEST_APR_GGUF_CASES_H

#include "gguf_build.h"
#include <stdbool.h>
#include <trueno/error.h>

/* A key of the file, by one of the macros below. */
typedef struct case_key {
    const char *name; /* NULL: none */
    uint32_t type;    /* V_U32, V_F32, V_STR or V_ARR */
    uint32_t number;  /* an array's first four bytes, and again for every further four */
    float real;
    const char *text;
    uint32_t element, count; /* of an array: of one or of four bytes each */
} case_key;

#define KEY_U32(key, value)                             \
    {                                                   \
        .name = (key), .type = V_U32, .number = (value) \
    }
#define KEY_F32(key, value)                           \
    {                                                 \
        .name = (key), .type = V_F32, .real = (value) \
    }
#define KEY_STR(key, value)                           \
    {                                                 \
        .name = (key), .type = V_STR, .text = (value) \
    }
#define KEY_ARRAY(key, type_of, n, bytes)                                                   \
    {                                                                                       \
        .name = (key), .type = V_ARR, .element = (type_of), .count = (n), .number = (bytes) \
    }

/* A tiny model with one change, a key more or what a function does: how it is refused. */
typedef struct bad_case {
    const char *name;
    trueno_status status;
    const char *says; /* part of the message */
    void (*change)(gguf_build *g);
    bool without_tiny; /* the change, or the key, is all that there is */
    uint32_t tokens;   /* not 0: a vocabulary of so many that are alike, in place of the tiny one */
    case_key key;
} bad_case;

/* Each has its status, and says what it should. */
void check_bad_cases(const bad_case *cases, size_t n);

/* A lenient reader opens it. */
void check_lenient(const bad_case *c);

#endif
