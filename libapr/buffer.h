/* SPDX-License-Identifier: MIT */
/* Bytes that grow; an allocation that fails is remembered and told at the end. */
#ifndef APR_BUFFER_H
#define APR_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <trueno/memory.h>

typedef struct apr_buffer {
    const trueno_allocator *allocator;
    char *data;
    size_t length, capacity;
    bool failed;
} apr_buffer;

void apr_buffer_append(apr_buffer *b, const void *data, size_t length);

/* Release the bytes; the buffer can be used again. */
void apr_buffer_free(apr_buffer *b);

#endif
