/* SPDX-License-Identifier: MIT */
/* How fast host memory can be read right now: the limit that decode is judged against. */
#include "host.h"

#include <string.h>
#include <time.h>

enum { ROUNDS = 5, PIECE = 1 << 20, PIECES = 512 }; /* far beyond any cache that one process owns */

typedef struct reading {
    uint64_t *data, *sums; /* sums: [PIECES], kept so that the reads are not removed */
} reading;

static void fill_pieces(void *context, int64_t begin, int64_t end, int thread)
{
    reading *r = context;

    (void)thread;
    memset((char *)r->data + begin * PIECE, 1, (size_t)(end - begin) * PIECE);
}

static uint64_t read_piece(const uint64_t *data)
{
    uint64_t a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;

    for (size_t i = 0; i < PIECE / sizeof *data; i += 8) {
        __builtin_prefetch(data + i + 256);
        a += data[i];
        b += data[i + 1];
        c += data[i + 2];
        d += data[i + 3];
        e += data[i + 4];
        f += data[i + 5];
        g += data[i + 6];
        h += data[i + 7];
    }
    return a + b + c + d + e + f + g + h;
}

static void read_pieces(void *context, int64_t begin, int64_t end, int thread)
{
    reading *r = context;

    (void)thread;
    for (int64_t i = begin; i < end; i++)
        r->sums[i] = read_piece(r->data + i * (PIECE / (int64_t)sizeof *r->data));
}

static double seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

trueno_status host_bandwidth(trueno_backend *be, double *gb_s, trueno_error *err)
{
    host_backend *host = host_of(be);
    size_t bytes = (size_t)PIECE * PIECES, sum_bytes = PIECES * sizeof(uint64_t);
    reading r = {trueno_allocate(host->allocator, bytes, 64),
                 trueno_allocate(host->allocator, sum_bytes, 64)};
    trueno_status status = TRUENO_OK;

    *gb_s = 0;
    if (r.data == NULL || r.sums == NULL) {
        status = trueno_fail(err, TRUENO_NO_MEMORY, "no memory of %zu bytes to measure its speed",
                             bytes);
    } else {
        trueno_pool_for(host->pool, PIECES, 1, fill_pieces, &r);
        for (int i = 0; i < ROUNDS; i++) {
            double began = seconds(), speed;

            trueno_pool_for(host->pool, PIECES, 4, read_pieces, &r);
            speed = (double)bytes / (seconds() - began) * 1e-9;
            *gb_s = speed > *gb_s ? speed : *gb_s;
        }
    }
    trueno_release(host->allocator, r.data, bytes);
    trueno_release(host->allocator, r.sums, sum_bytes);
    return status;
}
