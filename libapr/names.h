/* SPDX-License-Identifier: MIT */
/* Sorted indexes: find by name, and see duplicates, without hashing. */
#ifndef APR_NAMES_H
#define APR_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Order of the things numbered a and b: negative, 0, positive. */
typedef int (*apr_order)(const void *things, uint32_t a, uint32_t b);

/* Sort index[0..n) by `order`: in place, no allocation, no recursion, n log n at worst. */
void apr_sort_index(uint32_t *index, size_t n, const void *things, apr_order order);

/* True when the name matches a pattern with * and ?, or holds a text without them; NULL: always. */
bool apr_name_matches(const char *name, const char *filter);

/* Fill index[0..n) with 0..n-1 and sort it. */
void apr_make_index(uint32_t *index, size_t n, const void *things, apr_order order);

#endif
