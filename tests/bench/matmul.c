/* SPDX-License-Identifier: MIT */
/*
 * Times matrix products of packed weights: GB/s of one token beside a plain read of the same bytes,
 * GOP/s of many tokens. Usage: bench_matmul [TYPE|all] [threads] [rows] [cols] [rounds]
 */
#include "packed.h"
#include "../kernels/weights.h"

#include <stdatomic.h>
#include <trueno/sys/mapfile.h>

enum { TOTAL_BYTES = 320 << 20, MATRICES = 64, TOKENS = 512, ROUNDS_LIMIT = 100 };

/* One thread is timed by its processor time, so that other processes weigh less. */
static clockid_t clock_id = CLOCK_MONOTONIC;

static double now(void)
{
    struct timespec t;

    clock_gettime(clock_id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print_rate(const char *what, double *seconds, int n, double amount, const char *unit)
{
    qsort(seconds, (size_t)n, sizeof *seconds, by_value);
    printf("  %s %.1f %s (%.1f..%.1f)", what, amount / seconds[n / 2] * 1e-9, unit,
           amount / seconds[n - 1] * 1e-9, amount / seconds[0] * 1e-9);
}

static atomic_uint_fast64_t sink;

static void read_lines(void *context, int64_t begin, int64_t end, int thread)
{
    const uint64_t *p = (const uint64_t *)context + begin * 512;
    uint64_t sums[8] = {0};

    (void)thread;
    for (int64_t i = 0; i < (end - begin) * 512; i += 8) {
        __builtin_prefetch(p + i + 512);
        for (int j = 0; j < 8; j++)
            sums[j] |= p[i + j];
    }
    for (int j = 0; j < 8; j++)
        atomic_fetch_add(&sink, sums[j]);
}

static void bench_type(trueno_type type, trueno_pool *pool, int64_t rows, int64_t cols, int rounds)
{
    static double seconds[ROUNDS_LIMIT];
    trueno_tensor t = trueno_tensor_make(type, rows, cols, NULL);
    size_t bytes = trueno_tensor_bytes(&t), blocks = bytes / (size_t)trueno_type_get(type)->bytes;
    int n = (int)(TOTAL_BYTES / bytes) + 1;
    uint8_t *data = malloc(bytes);
    float *x = malloc(TOKENS * (size_t)cols * sizeof *x);
    float *y = malloc(TOKENS * (size_t)rows * sizeof *y);
    packed_weight *w[MATRICES];
    packed_work *work;
    trueno_error err;

    n = n > MATRICES ? MATRICES : n;
    random_blocks(type, data, (int64_t)blocks, 0.01f);
    t.data = data;
    for (size_t i = 0; i < TOKENS * (size_t)cols; i++)
        x[i] = random_normal();
    if (packed_work_new(&work, pool, NULL, &err) < 0)
        exit(1);
    double pack = now();
    for (int i = 0; i < n; i++)
        if (packed_new(&w[i], work, &t, 1, false, &err) < 0)
            exit(1);
    pack = now() - pack;
    printf("%-6s %lldx%lld x %d", trueno_type_get(type)->name, (long long)rows, (long long)cols, n);
    printf("  pack %.1f GB/s", (double)bytes * n / pack * 1e-9);
    uint8_t *plain = malloc(bytes * (size_t)n);
    memset(plain, 1, bytes * (size_t)n);
    for (int r = 0; r < rounds; r++) {
        double t0 = now();

        trueno_pool_for(pool, (int64_t)(bytes * (size_t)n / 4096), 16, read_lines, plain);
        seconds[r] = now() - t0;
    }
    print_rate("read", seconds, rounds, (double)bytes * n, "GB/s");
    free(plain);
    for (int r = 0; r < rounds; r++) {
        double t0 = now();

        for (int i = 0; i < n; i++)
            packed_matmul(work, w[i], NULL, x, 1, false, y);
        seconds[r] = now() - t0;
    }
    print_rate("one", seconds, rounds, (double)bytes * n, "GB/s");
    for (int tokens = 4; tokens <= TOKENS; tokens = tokens == 4    ? 16
                                                    : tokens == 16 ? 128
                                                                   : 4 * tokens) {
        char label[16];

        for (int r = 0; r < rounds; r++) {
            double t0 = now();

            for (int i = 0; i < n && i < 4; i++)
                packed_matmul(work, w[i], NULL, x, tokens, false, y);
            seconds[r] = now() - t0;
        }
        snprintf(label, sizeof label, "n=%d", tokens);
        print_rate(label, seconds, rounds,
                   2.0 * (double)rows * (double)cols * tokens * (n < 4 ? n : 4), "GOP/s");
    }
    printf("\n");
    for (int i = 0; i < n; i++)
        packed_free(w[i]);
    packed_work_free(work);
    free(data);
    free(x);
    free(y);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "all";
    int threads = argc > 2 ? atoi(argv[2]) : trueno_cpu_default_threads();
    int64_t rows = argc > 3 ? atoll(argv[3]) : 8960, cols = argc > 4 ? atoll(argv[4]) : 1536;
    int rounds = argc > 5 ? atoi(argv[5]) : 5;
    trueno_pool *pool;
    trueno_error err;

    test_seed_init();
    if (threads == 1)
        clock_id = CLOCK_PROCESS_CPUTIME_ID;
    if (trueno_pool_new(&pool, threads, NULL, &err) < 0)
        return 1;
    printf("%s, %d threads\n", trueno_cpu_level_name(trueno_cpu_flags()), threads);
    for (int type = 0; type < TRUENO_TYPE_LIMIT; type++) {
        const trueno_type_info *info = trueno_type_get(type);

        if (info != NULL && (strcmp(name, "all") == 0 || strcmp(name, info->name) == 0) &&
            cols % info->block == 0)
            bench_type((trueno_type)type, pool, rows, cols, rounds);
    }
    trueno_pool_free(pool);
    return 0;
}
