/* SPDX-License-Identifier: MIT */
/* Bytes that grow, doubling. */
#include "buffer.h"

#include <string.h>

void apr_buffer_append(apr_buffer *b, const void *data, size_t length)
{
    if (b->failed)
        return;
    if (length > b->capacity - b->length) {
        size_t capacity = (b->capacity < 1024 ? 1024 : b->capacity) * 2;
        char *grown;

        if (capacity - b->length < length)
            capacity = b->length + length;
        grown = trueno_allocate(b->allocator, capacity, 16);
        if (grown == NULL) {
            b->failed = true;
            return;
        }
        if (b->length > 0)
            memcpy(grown, b->data, b->length);
        trueno_release(b->allocator, b->data, b->capacity);
        b->data = grown;
        b->capacity = capacity;
    }
    if (length > 0)
        memcpy(b->data + b->length, data, length);
    b->length += length;
}

void apr_buffer_free(apr_buffer *b)
{
    trueno_release(b->allocator, b->data, b->capacity);
    *b = (apr_buffer){.allocator = b->allocator};
}
