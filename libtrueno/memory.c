/* SPDX-License-Identifier: MIT */
/* The default allocator and the thin helpers over an application's hooks. */
#include <trueno/memory.h>

#include <stdlib.h>
#include <string.h>

static void *default_allocate(void *user, size_t bytes, size_t align)
{
    size_t rounded = (bytes + align - 1) / align * align;

    (void)user;
    if (rounded < bytes)
        return NULL;
    return aligned_alloc(align, rounded);
}

static void default_release(void *user, void *p, size_t bytes)
{
    (void)user;
    (void)bytes;
    free(p);
}

static const trueno_allocator DEFAULT_ALLOCATOR = {default_allocate, default_release, NULL};

const trueno_allocator *trueno_default_allocator(void)
{
    return &DEFAULT_ALLOCATOR;
}

void *trueno_allocate(const trueno_allocator *a, size_t bytes, size_t align)
{
    if (a == NULL)
        a = &DEFAULT_ALLOCATOR;
    if (align < sizeof(void *))
        align = sizeof(void *);
    return a->allocate(a->user, bytes > 0 ? bytes : 1, align);
}

void *trueno_allocate_zero(const trueno_allocator *a, size_t bytes)
{
    void *p = trueno_allocate(a, bytes, 64);

    if (p != NULL)
        memset(p, 0, bytes);
    return p;
}

void trueno_release(const trueno_allocator *a, void *p, size_t bytes)
{
    if (p == NULL)
        return;
    if (a == NULL)
        a = &DEFAULT_ALLOCATOR;
    a->release(a->user, p, bytes > 0 ? bytes : 1);
}
