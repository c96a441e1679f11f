/* SPDX-License-Identifier: MIT */
/* Ways in which converters fail, done to the bytes of a file. */
#ifndef APR_DIAGNOSE_FAULTS_H
#define APR_DIAGNOSE_FAULTS_H

#include <apr/diagnose.h>
#include <stdbool.h>
#include <trueno/memory.h>

/* A private copy of a file: what is written to it stays in memory. */
typedef struct fault_image {
    uint8_t *bytes;
    size_t size;
    const trueno_allocator *allocator; /* for work on it */
    size_t kept; /* bytes that a reader gets: fewer than size when it was cut */
} fault_image;

/* One way to fail. `damage` false: not with this tensor (NULL: the header is damaged). */
typedef struct fault_row {
    apr_damage kind;
    const char *name;
    bool gguf_only, header;
    bool (*damage)(fault_image *image, const apr_tensor *tensor, uint64_t *random);
} fault_row;

/* The number-th row of this kind, counted round; those of GGUF alone only for `gguf`. */
const fault_row *fault_find(apr_damage kind, uint32_t number, bool gguf);

#endif
