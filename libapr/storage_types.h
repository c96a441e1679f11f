/* SPDX-License-Identifier: MIT */
/* Sizes and names of every element type a file may hold, also of those nothing computes with. */
#ifndef APR_STORAGE_TYPES_H
#define APR_STORAGE_TYPES_H

#include <stdint.h>

typedef struct apr_storage_type {
    int32_t id; /* GGML's */
    const char *name;
    int32_t block, bytes;
} apr_storage_type;

/* Fill *out for a GGML type id; 0, or -1 when the id is unknown. */
int apr_storage_type_get(int64_t id, apr_storage_type *out);

#endif
