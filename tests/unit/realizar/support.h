/* SPDX-License-Identifier: MIT */
/* What the tests of librealizar share: the demo model, and an allocator that counts and fails. */
#ifndef TESTS_REALIZAR_SUPPORT_H
#define TESTS_REALIZAR_SUPPORT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <realizar/generate.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Counts blocks and bytes, and fails the fail_at-th allocation (0: never), or all from it on. */
typedef struct test_allocator {
    atomic_llong blocks, bytes, calls;
    long long fail_at;
    int fail_on;
} test_allocator;

static inline void *test_allocate(void *user, size_t bytes, size_t align)
{
    test_allocator *t = user;
    long long call = atomic_fetch_add(&t->calls, 1) + 1;
    void *p;

    if (t->fail_at > 0 && (call == t->fail_at || (t->fail_on && call > t->fail_at)))
        return NULL;
    p = aligned_alloc(align, (bytes + align - 1) / align * align);
    if (p != NULL) {
        memset(p, 0xa5, bytes);
        atomic_fetch_add(&t->blocks, 1);
        atomic_fetch_add(&t->bytes, (long long)bytes);
    }
    return p;
}

static inline void test_release(void *user, void *p, size_t bytes)
{
    test_allocator *t = user;

    atomic_fetch_sub(&t->blocks, 1);
    atomic_fetch_sub(&t->bytes, (long long)bytes);
    free(p);
}

static inline trueno_allocator test_hooks(test_allocator *t)
{
    return (trueno_allocator){test_allocate, test_release, t};
}

#define CHECK_OK(call)                                                               \
    do {                                                                             \
        trueno_status status_ = (call);                                              \
        if (status_ < 0)                                                             \
            fail_msg("%s: %s: %s", #call, trueno_status_name(status_), err.message); \
    } while (0)

static inline realizar_engine *open_demo(const realizar_engine_options *o)
{
    realizar_engine *e;
    trueno_error err = {0};

    CHECK_OK(realizar_engine_open_demo(&e, o, &err));
    return e;
}

/* The demo on the CPU with all its memory from `t`, by *hooks, which must live as long. */
static inline realizar_engine *open_counted(test_allocator *t, trueno_allocator *hooks)
{
    realizar_engine_options o;

    *hooks = test_hooks(t);
    realizar_engine_options_init(&o, sizeof o);
    o.backend = "cpu";
    o.allocator = hooks;
    return open_demo(&o);
}

static inline realizar_session *open_session(realizar_engine *e)
{
    realizar_session *s;
    trueno_error err = {0};

    CHECK_OK(realizar_session_new(&s, e, 0, &err));
    return s;
}

/* Pseudo-random ids below `vocab`. */
static inline void fill_tokens(int32_t *ids, int32_t n, int32_t vocab, uint32_t seed)
{
    for (int32_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        ids[i] = (int32_t)((seed >> 8) % (uint32_t)vocab);
    }
}

static inline int32_t demo_vocab(const realizar_engine *e)
{
    return apr_model_config(realizar_engine_model(e))->vocab_size;
}

static inline size_t encode(const realizar_engine *e, const char *text, int32_t *ids,
                            size_t capacity)
{
    trueno_error err = {0};
    size_t count = 0;

    CHECK_OK(realizar_tokenizer_encode(realizar_engine_tokenizer(e), text, strlen(text),
                                       REALIZAR_ENCODE_SPECIAL, ids, capacity, &count, &err));
    return count;
}

#define QUESTION "<|im_start|>user\nWhat is 2+2?<|im_end|>\n<|im_start|>assistant\n"

#endif
