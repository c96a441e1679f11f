/* SPDX-License-Identifier: MIT */
/* Text on its way out: whole UTF-8 characters only, and nothing that may become a stop text. */
#ifndef REALIZAR_HELD_TEXT_H
#define REALIZAR_HELD_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <trueno/memory.h>

typedef struct held_text {
    const trueno_allocator *allocator;
    char *bytes; /* text that was added and not yet released */
    size_t length, capacity;
    size_t released; /* bytes at the front that the last take() gave out */
    char **stops;    /* copies, NUL-terminated */
    size_t n_stops;
    bool stopped; /* a stop text came: what follows it was dropped */
} held_text;

/* Copies the stop texts; empty ones are refused by the caller. */
trueno_status held_text_init(held_text *h, const char *const *stops, size_t n_stops,
                             const trueno_allocator *allocator, trueno_error *err);
void held_text_free(held_text *h);

/* Add decoded bytes of a token. After a stop text came, nothing is added any more. */
trueno_status held_text_add(held_text *h, const char *bytes, size_t length, trueno_error *err);

/* Release what can be shown now (with `all`: everything); valid until the next add. */
const char *held_text_take(held_text *h, bool all, size_t *length);

#endif
