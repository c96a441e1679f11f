/* SPDX-License-Identifier: MIT */
/* How fast memory can be read right now: the limit that decode is judged against. */
#include "bench.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 5 };
static const size_t BYTES = (size_t)512 << 20; /* far beyond any cache that one process owns */

typedef struct reader {
    pthread_t thread;
    const uint64_t *data;
    size_t words;
    uint64_t sum; /* kept, so that the reads are not removed */
} reader;

static void *read_all(void *context)
{
    reader *r = context;
    uint64_t a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;

    for (size_t i = 0; i + 8 <= r->words; i += 8) {
        __builtin_prefetch(r->data + i + 256);
        a += r->data[i];
        b += r->data[i + 1];
        c += r->data[i + 2];
        d += r->data[i + 3];
        e += r->data[i + 4];
        f += r->data[i + 5];
        g += r->data[i + 6];
        h += r->data[i + 7];
    }
    r->sum = a + b + c + d + e + f + g + h;
    return NULL;
}

static trueno_status read_round(reader *readers, int n, const uint64_t *data, double *gb_s,
                                trueno_error *err)
{
    size_t share = BYTES / sizeof *data / (size_t)n;
    double began = now_milliseconds();
    int started = 0;

    for (; started < n; started++) {
        readers[started].data = data + (size_t)started * share;
        readers[started].words = share;
        if (pthread_create(&readers[started].thread, NULL, read_all, &readers[started]) != 0)
            break;
    }
    for (int i = 0; i < started; i++)
        (void)pthread_join(readers[i].thread, NULL);
    if (started < n)
        return trueno_fail(err, TRUENO_INTERNAL, "cannot start %d threads", n);
    *gb_s = (double)(share * (size_t)n * sizeof *data) / (now_milliseconds() - began) * 1e-6;
    return TRUENO_OK;
}

trueno_status measure_bandwidth(int threads, double *gb_s, trueno_error *err)
{
    int n = threads > 0 ? threads : trueno_cpu_default_threads();
    uint64_t *data = malloc(BYTES);
    reader *readers = calloc((size_t)n, sizeof *readers);
    trueno_status status = TRUENO_OK;

    *gb_s = 0;
    if (data == NULL || readers == NULL)
        status = trueno_fail(err, TRUENO_NO_MEMORY, "no memory to measure the bandwidth");
    else
        memset(data, 1, BYTES);
    for (int i = 0; i < ROUNDS && status == TRUENO_OK; i++) {
        double once = 0;

        status = read_round(readers, n, data, &once, err);
        *gb_s = once > *gb_s ? once : *gb_s;
    }
    free(data);
    free(readers);
    return status;
}
