/* SPDX-License-Identifier: MIT */
/* Sizes and names of every element type a file may hold, also of those nothing computes with. */
#ifndef APR_STORAGE_TYPES_H
#define APR_STORAGE_TYPES_H

#include <stdbool.h>
#include <stdint.h>

/* Types outside the registry that code names; from 192 on those that GGML has no number for. */
enum {
    APR_TYPE_I8 = 24,
    APR_TYPE_I16 = 25,
    APR_TYPE_I32 = 26,
    APR_TYPE_I64 = 27,
    APR_TYPE_F64 = 28,
    APR_TYPE_U8 = 192,
    APR_TYPE_BOOL,
    APR_TYPE_U16,
    APR_TYPE_U32,
    APR_TYPE_U64,
    APR_TYPE_F8_E4M3,
    APR_TYPE_F8_E5M2,
    APR_TYPE_LIMIT
};

typedef struct apr_storage_type {
    int32_t id; /* GGML's */
    const char *name;
    int32_t block, bytes;
} apr_storage_type;

/* Fill *out for a GGML type id; 0, or -1 when the id is unknown. */
int apr_storage_type_get(int64_t id, apr_storage_type *out);

/* True when values of the type can be read as floats: those of the registry, numbers, F64, F8. */
bool apr_storage_is_readable(int64_t id);

/*
 * Expand `n` values (a multiple of the type's block) to float; data need not be aligned. False, and
 * nothing written, for a type that cannot be read.
 */
bool apr_storage_to_f32(int64_t id, const void *data, float *out, int64_t n);

#endif
