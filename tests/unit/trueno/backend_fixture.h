/* SPDX-License-Identifier: MIT */
/* What the tests of backends share: counted memory, and a backend that has it. */
#ifndef TEST_TRUENO_BACKEND_FIXTURE_H
#define TEST_TRUENO_BACKEND_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <trueno/backend.h>

/* An allocator that counts, and fails from call `fail_at` on. */
typedef struct counter {
    int64_t calls, live, live_bytes, fail_at;
} counter;

static inline void *count_allocate(void *user, size_t bytes, size_t align)
{
    counter *c = user;
    const trueno_allocator *base = trueno_default_allocator();

    if (c->fail_at > 0 && c->calls + 1 >= c->fail_at)
        return NULL;
    c->calls++;
    c->live++;
    c->live_bytes += (int64_t)bytes;
    return base->allocate(base->user, bytes, align);
}

static inline void count_release(void *user, void *p, size_t bytes)
{
    counter *c = user;
    const trueno_allocator *base = trueno_default_allocator();

    c->live--;
    c->live_bytes -= (int64_t)bytes;
    base->release(base->user, p, bytes);
}

/* A backend of two threads; a failure of the test without it. */
static inline trueno_backend *open_backend(const char *name, const trueno_allocator *allocator)
{
    trueno_backend_options options;
    trueno_backend *be;
    trueno_error err = {0};

    trueno_backend_options_init(&options, sizeof options);
    options.threads = 2;
    options.allocator = allocator;
    if (trueno_backend_open(&be, name, &options, &err) < 0)
        fail_msg("%s", err.message);
    return be;
}

static const char *const HOST_BACKENDS[] = {"cpu", "reference"};

#endif
