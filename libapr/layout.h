/* SPDX-License-Identifier: MIT */
/* Walking over a file's bytes and telling what they are. */
#ifndef APR_LAYOUT_PRIVATE_H
#define APR_LAYOUT_PRIVATE_H

#include "model_private.h"
#include <apr/layout.h>

/* Most bytes of a value's text, its zero included. */
enum { APR_VALUE_BYTES = 120 };

/* A walk over one file, or one unpacked tensor. Every step is checked against the end. */
typedef struct apr_walk {
    const char *file;
    const uint8_t *data;
    uint64_t bytes, position;
    bool unpacked, ended; /* ended: a step went past the end, and nothing more is told */
    uint64_t limit;       /* entries of a table */
    apr_region_fn fn;
    void *user;
} apr_walk;

/* Tell the next `bytes` bytes; where they lie, or NULL past the end. */
const uint8_t *apr_walk_field(apr_walk *w, uint64_t bytes, const char *what, const char *format,
                              ...) TRUENO_PRINTF(4, 5);

/* Tell a little-endian number of 1, 2, 4 or 8 bytes, and give it. */
uint64_t apr_walk_number(apr_walk *w, int bytes, const char *what);

/* Tell a text of the file. */
void apr_walk_text(apr_walk *w, uint64_t bytes, const char *what);

/* Say something about what came before. */
void apr_walk_remark(apr_walk *w, const char *what, const char *format, ...) TRUENO_PRINTF(3, 4);

/* Each format's tables. */
void apr_walk_gguf(apr_walk *w, const apr_model *m, size_t source);
void apr_walk_apr(apr_walk *w, const apr_model *m, size_t source);
void apr_walk_safetensors(apr_walk *w, const apr_model *m, size_t source);

/* Blocks [first, first + limit) of a tensor whose bytes are w->data. */
void apr_walk_blocks(apr_walk *w, const apr_tensor *t, uint64_t first);

#endif
