/* SPDX-License-Identifier: MIT */
/* Guard pages and an allocator that counts and fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "memory_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

guarded guarded_copy(const void *data, size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (bytes + page - 1) / page * page;
    guarded g = {.bytes = bytes, .map_bytes = room + page};

    g.map = mmap(NULL, g.map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.map == MAP_FAILED || mprotect((char *)g.map + room, page, PROT_NONE) != 0)
        abort();
    g.data = (uint8_t *)g.map + room - bytes;
    if (bytes > 0)
        memcpy(g.data, data, bytes);
    return g;
}

void guarded_free(guarded *g)
{
    (void)munmap(g->map, g->map_bytes);
    *g = (guarded){0};
}

static void *counted_allocate(void *user, size_t bytes, size_t align)
{
    counting *c = user;
    void *p;

    c->calls++;
    if (c->fail_at != 0 && (c->calls == c->fail_at || (c->fail_for_good && c->calls > c->fail_at)))
        return NULL;
    p = trueno_allocate(NULL, bytes, align);
    if (p == NULL)
        return NULL;
    memset(p, 0xa5, bytes); /* nothing may depend on fresh memory being zero */
    c->live += bytes;
    if (c->live > c->peak)
        c->peak = c->live;
    if (bytes > c->largest)
        c->largest = bytes;
    return p;
}

static void counted_release(void *user, void *p, size_t bytes)
{
    counting *c = user;

    c->live -= bytes;
    trueno_release(NULL, p, bytes);
}

void counting_init(counting *c)
{
    *c = (counting){.allocator = {counted_allocate, counted_release, c}};
}

apr_model_options counted_options(counting *c)
{
    apr_model_options options;

    counting_init(c);
    apr_model_options_init(&options, sizeof options);
    options.allocator = &c->allocator;
    return options;
}

size_t fail_each_allocation(counted_attempt *attempt, void *user)
{
    size_t n = 0;

    for (int for_good = 0; for_good < 2; for_good++)
        for (n = 1;; n++) {
            trueno_status status;
            counting c;

            counting_init(&c);
            c.fail_at = n;
            c.fail_for_good = for_good != 0;
            status = attempt(&c, user);
            assert_int_equal(c.live, 0);
            if (c.calls < n)
                break;
            if (status != TRUENO_OK)
                assert_int_equal(status, TRUENO_NO_MEMORY);
        }
    return n - 1;
}
