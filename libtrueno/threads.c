/* SPDX-License-Identifier: MIT */
/*
 * A pool of threads for loops over rows or heads.
 *
 * A loop of n items is cut into pieces; each thread owns a contiguous share of the pieces and helps
 * with the others' when its own is done. A share is one 64-bit word, (job number, next piece),
 * taken by compare-and-swap, so a thread that slept through a whole job cannot take a piece of the
 * next one with the old job's function: its compare fails on the job number.
 *
 * Waiting is a bounded spin and then a futex. When other processes want the cores, a thread that
 * waits must give its core away at once, or all threads together wait for whole time slices.
 */
#include <trueno/sys/threads.h>

#include <assert.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/*
 * How long a thread spins before it sleeps: longer than the work on one thread between two products
 * of a decode step, far shorter than a time slice. Two hardware threads, SmolLM2 135M, decode,
 * modes alternated inside one process every 600 loops, median of 31, us a loop:
 *
 *     spin, us                    0    2    5   10   20   50  100  200
 *     cores free                 35   33   28   26   24   21    -    -
 *     cores free, second run      -    -    -    -   18   18   17   18
 *     a busy loop on each core   68   62   53   53   49   49    -    -
 *     the same, second run        -    -    -    -   60   58   57   59
 *     twenty busy processes      50   50   51   52   56   64    -    -
 */
enum { SPIN_NANOSECONDS = 50000, SPINS_PER_CLOCK = 16, MAX_THREADS = 1024, CACHE_LINE = 64 };

#define NO_PIECE UINT32_MAX

/* What a worker needs to know of itself. */
typedef struct worker {
    trueno_pool *pool;
    int thread;
    pthread_t handle;
} worker;

typedef struct share {
    _Alignas(CACHE_LINE) _Atomic uint64_t next; /* job number << 32 | next piece, or NO_PIECE */
    _Atomic uint32_t end;                       /* one past the last piece */
} share;

struct trueno_pool {
    const trueno_allocator *allocator;
    int threads, started;
    share *shares;
    worker *workers; /* [threads]; the caller's is unused */

    _Alignas(CACHE_LINE) _Atomic uint32_t job; /* number of the newest job; workers sleep on it */
    _Atomic uint32_t sleepers;
    _Atomic bool stop;
    _Atomic int64_t n, grain;
    _Atomic(trueno_loop_fn) fn;
    _Atomic(void *) context;

    _Alignas(CACHE_LINE) _Atomic uint32_t remaining; /* pieces not done; the caller sleeps on it */
    _Atomic uint32_t caller_sleeps;
};

static void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word, int count)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

static inline void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t now_nanoseconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Spin until *word differs from `value` (true) or the time is over (false). */
static bool spin_while_equal(_Atomic uint32_t *word, uint32_t value)
{
    int64_t deadline = 0;

    for (;;) {
        for (int i = 0; i < SPINS_PER_CLOCK; i++) {
            if (atomic_load_explicit(word, memory_order_acquire) != value)
                return true;
            pause_briefly();
        }
        if (deadline == 0)
            deadline = now_nanoseconds() + SPIN_NANOSECONDS;
        else if (now_nanoseconds() > deadline)
            return false;
    }
}

/* Take the next piece of a share of job `job`, or NO_PIECE. */
static uint32_t take_piece(share *s, uint32_t job)
{
    uint64_t word = atomic_load_explicit(&s->next, memory_order_acquire);

    for (;;) {
        uint32_t piece = (uint32_t)word;

        /* `end` belongs to this job if the exchange succeeds: a new job first invalidates `next`.
         */
        if (word >> 32 != job || piece == NO_PIECE ||
            piece >= atomic_load_explicit(&s->end, memory_order_acquire))
            return NO_PIECE;
        if (atomic_compare_exchange_weak_explicit(&s->next, &word, word + 1, memory_order_acq_rel,
                                                  memory_order_acquire))
            return piece;
    }
}

/* Count `done` pieces as finished and wake the caller after the last. */
static void finish_pieces(trueno_pool *pool, uint32_t done)
{
    if (done != 0 && atomic_fetch_sub(&pool->remaining, done) == done &&
        atomic_load(&pool->caller_sleeps) != 0)
        futex_wake(&pool->remaining, 1);
}

/* Run pieces of job `job`: the own share first, then the others' in order. */
static void work(trueno_pool *pool, uint32_t job, int thread)
{
    int64_t n = atomic_load_explicit(&pool->n, memory_order_acquire);
    int64_t grain = atomic_load_explicit(&pool->grain, memory_order_acquire);
    trueno_loop_fn fn = atomic_load_explicit(&pool->fn, memory_order_acquire);
    void *context = atomic_load_explicit(&pool->context, memory_order_acquire);

    for (int i = 0; i < pool->threads; i++) {
        share *s = &pool->shares[(thread + i) % pool->threads];
        uint32_t piece, done = 0;

        while ((piece = take_piece(s, job)) != NO_PIECE) {
            int64_t begin = (int64_t)piece * grain;

            fn(context, begin, begin + grain < n ? begin + grain : n, thread);
            done++;
        }
        finish_pieces(pool, done);
    }
}

/* Wait for a job newer than `seen`; returns its number. */
static uint32_t wait_for_job(trueno_pool *pool, uint32_t seen)
{
    if (!spin_while_equal(&pool->job, seen)) {
        (void)atomic_fetch_add(&pool->sleepers, 1);
        while (atomic_load(&pool->job) == seen)
            futex_wait(&pool->job, seen);
        (void)atomic_fetch_sub(&pool->sleepers, 1);
    }
    return atomic_load_explicit(&pool->job, memory_order_acquire);
}

static void *worker_main(void *argument)
{
    const worker *self = argument;
    trueno_pool *pool = self->pool;
    uint32_t job = 0;

    for (;;) {
        job = wait_for_job(pool, job);
        if (atomic_load(&pool->stop))
            return NULL;
        work(pool, job, self->thread);
    }
}

/* Make `job` visible and wake the threads that sleep. */
static void publish(trueno_pool *pool, uint32_t job)
{
    atomic_store(&pool->job, job);
    if (atomic_load(&pool->sleepers) != 0)
        futex_wake(&pool->job, pool->threads);
}

static trueno_status start_worker(trueno_pool *pool, int thread, trueno_error *err)
{
    worker *w = &pool->workers[thread];
    int failure;

    w->pool = pool;
    w->thread = thread;
    failure = pthread_create(&w->handle, NULL, worker_main, w);
    if (failure != 0)
        return trueno_fail(err, TRUENO_NO_MEMORY, "cannot start thread %d of %d: %s", thread + 1,
                           pool->threads, strerror(failure));
    pool->started++;
    return TRUENO_OK;
}

trueno_status trueno_pool_new(trueno_pool **out, int threads, const trueno_allocator *allocator,
                              trueno_error *err)
{
    trueno_status status = TRUENO_OK;
    trueno_pool *pool;

    *out = NULL;
    if (threads < 1 || threads > MAX_THREADS)
        return trueno_fail(err, TRUENO_USAGE, "%d threads: must be 1 to %d", threads, MAX_THREADS);
    pool = trueno_allocate_zero(allocator, sizeof *pool);
    if (pool == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a pool of %d threads", threads);
    pool->allocator = allocator;
    pool->threads = threads;
    pool->shares = trueno_allocate_zero(allocator, (size_t)threads * sizeof *pool->shares);
    pool->workers = trueno_allocate_zero(allocator, (size_t)threads * sizeof *pool->workers);
    if (pool->shares == NULL || pool->workers == NULL)
        status = trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a pool of %d threads", threads);
    for (int i = 1; status == TRUENO_OK && i < threads; i++)
        status = start_worker(pool, i, err);
    if (status != TRUENO_OK)
        trueno_pool_free(pool);
    else
        *out = pool;
    return status;
}

void trueno_pool_free(trueno_pool *pool)
{
    if (pool == NULL)
        return;
    atomic_store(&pool->stop, true);
    publish(pool, atomic_load(&pool->job) + 1);
    for (int i = 1; i <= pool->started; i++)
        (void)pthread_join(pool->workers[i].handle, NULL);
    trueno_release(pool->allocator, pool->workers, (size_t)pool->threads * sizeof *pool->workers);
    trueno_release(pool->allocator, pool->shares, (size_t)pool->threads * sizeof *pool->shares);
    trueno_release(pool->allocator, pool, sizeof *pool);
}

int trueno_pool_threads(const trueno_pool *pool)
{
    return pool->threads;
}

/* Hand out `pieces` pieces as job `job`. All pieces of the job before are done. */
static void set_shares(trueno_pool *pool, uint32_t job, uint32_t pieces)
{
    uint32_t threads = (uint32_t)pool->threads;

    for (uint32_t i = 0; i < threads; i++) {
        uint32_t begin = (uint32_t)((uint64_t)pieces * i / threads);

        atomic_store_explicit(&pool->shares[i].end,
                              (uint32_t)((uint64_t)pieces * (i + 1) / threads),
                              memory_order_release);
        atomic_store_explicit(&pool->shares[i].next, (uint64_t)job << 32 | begin,
                              memory_order_release);
    }
}

/* Wait until all pieces are done: those left are in the hands of other threads. */
static void wait_for_pieces(trueno_pool *pool)
{
    uint32_t left;

    while ((left = atomic_load_explicit(&pool->remaining, memory_order_acquire)) != 0) {
        if (spin_while_equal(&pool->remaining, left))
            continue;
        atomic_store(&pool->caller_sleeps, 1);
        if (atomic_load(&pool->remaining) == left)
            futex_wait(&pool->remaining, left);
        atomic_store(&pool->caller_sleeps, 0);
    }
}

void trueno_pool_for(trueno_pool *pool, int64_t n, int64_t grain, trueno_loop_fn fn, void *context)
{
    int64_t pieces = (n + grain - 1) / grain;
    uint32_t job;

    assert(n >= 0 && grain > 0 && pieces < NO_PIECE);
    if (pool->threads == 1 || pieces <= 1) {
        if (n > 0)
            fn(context, 0, n, 0);
        return;
    }
    job = atomic_load_explicit(&pool->job, memory_order_relaxed) + 1;
    atomic_store_explicit(&pool->remaining, (uint32_t)pieces, memory_order_relaxed);
    for (int i = 0; i < pool->threads; i++) /* before the fields: see take_piece() */
        atomic_store(&pool->shares[i].next, (uint64_t)job << 32 | NO_PIECE);
    atomic_store_explicit(&pool->n, n, memory_order_release);
    atomic_store_explicit(&pool->grain, grain, memory_order_release);
    atomic_store_explicit(&pool->fn, fn, memory_order_release);
    atomic_store_explicit(&pool->context, context, memory_order_release);
    set_shares(pool, job, (uint32_t)pieces);
    publish(pool, job);
    work(pool, job, 0);
    wait_for_pieces(pool);
}
