/* SPDX-License-Identifier: MIT */
/* The thread pool: every item once, late sleepers, uneven work, many short loops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <trueno/sys/threads.h>

static trueno_pool *open_pool(int threads)
{
    trueno_pool *pool;
    trueno_error err = {0};

    if (trueno_pool_new(&pool, threads, NULL, &err) < 0)
        fail_msg("%s", err.message);
    return pool;
}

typedef struct count_job {
    uint8_t *hits;
    _Atomic int64_t *sum;
    int threads;
    _Atomic int bad_thread;
} count_job;

static void count(void *context, int64_t begin, int64_t end, int thread)
{
    count_job *job = context;

    if (thread < 0 || thread >= job->threads)
        atomic_store(&job->bad_thread, 1);
    for (int64_t i = begin; i < end; i++) {
        job->hits[i]++; /* plain: the thread sanitizer sees it if two threads get one item */
        (void)atomic_fetch_add(job->sum, i);
    }
}

static void test_every_item_once(void **state)
{
    static const int THREADS[] = {1, 2, 3, 8};
    static const int64_t ITEMS[] = {0, 1, 2, 7, 100, 4097};
    static const int64_t GRAINS[] = {1, 3, 64, 5000};

    (void)state;
    for (int t = 0; t < 4; t++) {
        trueno_pool *pool = open_pool(THREADS[t]);

        assert_int_equal(trueno_pool_threads(pool), THREADS[t]);
        for (int i = 0; i < 6; i++)
            for (int g = 0; g < 4; g++) {
                int64_t n = ITEMS[i];
                uint8_t *hits = calloc((size_t)n + 1, 1);
                _Atomic int64_t sum = 0;
                count_job job = {hits, &sum, THREADS[t], 0};

                trueno_pool_for(pool, n, GRAINS[g], count, &job);
                for (int64_t k = 0; k < n; k++)
                    assert_int_equal(hits[k], 1);
                assert_int_equal(hits[n], 0);
                assert_int_equal(atomic_load(&sum), n * (n - 1) / 2);
                assert_int_equal(atomic_load(&job.bad_thread), 0);
                free(hits);
            }
        trueno_pool_free(pool);
    }
}

/* Results written by other threads are visible when the call returns, loop after loop. */
typedef struct chain_job {
    const int64_t *from;
    int64_t *to;
} chain_job;

static void add_one(void *context, int64_t begin, int64_t end, int thread)
{
    const chain_job *job = context;

    (void)thread;
    for (int64_t i = begin; i < end; i++)
        job->to[i] = job->from[i] + 1;
}

static void test_many_short_loops(void **state)
{
    enum { N = 37, LOOPS = 20000 };
    int64_t a[N] = {0}, b[N] = {0};
    trueno_pool *pool = open_pool(4);

    (void)state;
    for (int loop = 0; loop < LOOPS; loop++) {
        chain_job job = loop % 2 == 0 ? (chain_job){a, b} : (chain_job){b, a};

        trueno_pool_for(pool, N, 1 + loop % 5, add_one, &job);
        if (loop % 5000 == 4999) { /* long enough that the workers sleep */
            const struct timespec pause = {0, 3000000};

            (void)nanosleep(&pause, NULL);
        }
    }
    for (int i = 0; i < N; i++)
        assert_int_equal(a[i], LOOPS);
    trueno_pool_free(pool);
}

/* A loop whose first item takes long: the other threads do the rest of its share. */
static void slow_first(void *context, int64_t begin, int64_t end, int thread)
{
    _Atomic int *owner = context;
    const struct timespec pause = {0, 30000000};

    for (int64_t i = begin; i < end; i++) {
        if (i == 0)
            (void)nanosleep(&pause, NULL);
        atomic_store(&owner[i], thread + 1);
    }
}

static void test_help_with_a_late_share(void **state)
{
    _Atomic int owner[40] = {0};
    trueno_pool *pool = open_pool(2);
    int late, helped = 0;

    (void)state;
    trueno_pool_for(pool, 40, 1, slow_first, owner);
    late = atomic_load(&owner[0]);
    for (int i = 1; i < 20; i++) /* the late thread's own share */
        if (atomic_load(&owner[i]) != late)
            helped++;
    assert_true(helped > 0);
    trueno_pool_free(pool);
}

static void test_pools_come_and_go(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        trueno_pool *pool = open_pool(1 + i % 7);
        _Atomic int64_t sum = 0;
        uint8_t hits[10] = {0};
        count_job job = {hits, &sum, 7, 0};

        if (i % 2 == 0)
            trueno_pool_for(pool, 10, 1, count, &job);
        trueno_pool_free(pool);
    }
    trueno_pool_free(NULL);
}

static void test_errors(void **state)
{
    trueno_pool *pool = (trueno_pool *)(void *)state; /* anything but NULL */
    trueno_error err = {0};

    assert_int_equal(trueno_pool_new(&pool, 0, NULL, &err), TRUENO_USAGE);
    assert_null(pool);
    assert_non_null(strstr(err.message, "0 threads"));
    assert_int_equal(trueno_pool_new(&pool, 1000000, NULL, &err), TRUENO_USAGE);
    assert_non_null(strstr(err.message, "1000000"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_item_once),
        cmocka_unit_test(test_many_short_loops),
        cmocka_unit_test(test_help_with_a_late_share),
        cmocka_unit_test(test_pools_come_and_go),
        cmocka_unit_test(test_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
