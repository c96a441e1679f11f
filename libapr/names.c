/* SPDX-License-Identifier: MIT */
/* Names: sorted indexes (heap sort: hostile files cannot make it slow, deep or hungry), filters. */
#include "names.h"

#include <fnmatch.h>
#include <string.h>

static void swap(uint32_t *a, uint32_t *b)
{
    uint32_t t = *a;

    *a = *b;
    *b = t;
}

static void sift_down(uint32_t *index, size_t root, size_t n, const void *things, apr_order order)
{
    for (;;) {
        size_t child = 2 * root + 1;

        if (child >= n)
            return;
        if (child + 1 < n && order(things, index[child], index[child + 1]) < 0)
            child++;
        if (order(things, index[root], index[child]) >= 0)
            return;
        swap(&index[root], &index[child]);
        root = child;
    }
}

void apr_sort_index(uint32_t *index, size_t n, const void *things, apr_order order)
{
    for (size_t root = n / 2; root-- > 0;)
        sift_down(index, root, n, things, order);
    for (size_t end = n; end-- > 1;) {
        swap(&index[0], &index[end]);
        sift_down(index, 0, end, things, order);
    }
}

void apr_make_index(uint32_t *index, size_t n, const void *things, apr_order order)
{
    for (size_t i = 0; i < n; i++)
        index[i] = (uint32_t)i;
    apr_sort_index(index, n, things, order);
}

bool apr_name_matches(const char *name, const char *filter)
{
    if (filter == NULL)
        return true;
    if (strpbrk(filter, "*?[") != NULL)
        return fnmatch(filter, name, 0) == 0;
    return strstr(name, filter) != NULL;
}
