/* SPDX-License-Identifier: MIT */
/* How values of metadata are stored: the types that GGUF numbers, which arrays of metadata keep in
 * memory whatever file they come from. */
#ifndef APR_VALUE_TYPES_H
#define APR_VALUE_TYPES_H

#include <apr/model.h>

/* Those that are written by name; the numbers are GGUF's. */
enum {
    APR_VALUE_U16 = 2,
    APR_VALUE_U32 = 4,
    APR_VALUE_I32 = 5,
    APR_VALUE_F32 = 6,
    APR_VALUE_BOOL = 7,
    APR_VALUE_STRING = 8,
    APR_VALUE_ARRAY = 9,
    APR_VALUE_U64 = 10,
    APR_VALUE_F64 = 12,
    APR_N_VALUE_TYPES = 13
};

typedef struct apr_value_type {
    const char *name, *array_name; /* "u32", "arr[u32]" */
    apr_meta_kind kind;
    size_t bytes; /* of the value; of a string or an array at least */
} apr_value_type;

/* The type of that number, which is one of APR_N_VALUE_TYPES. */
const apr_value_type *apr_value_type_get(int number);

/* The number of a type by its name ("u32", "arr[str]" gives the element's), -1: unknown. */
int apr_value_type_find(const char *name, bool *array);

/* A number or bool of type `number` at p, whose bytes were checked. */
void apr_value_decode(const uint8_t *p, int32_t number, apr_meta *out);

#endif
