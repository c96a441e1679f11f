/* SPDX-License-Identifier: MIT */
/* The two backends that the CUDA tests compare, arrays in their memory, and the count of failures.
 */
#ifndef TESTS_KERNELS_CUDA_SIDES_H
#define TESTS_KERNELS_CUDA_SIDES_H

#include "weights.h"

#include <trueno/backend.h>

enum { REFERENCE, CUDA, N_SIDES, SKIPPED = 77 };

static trueno_backend *sides[N_SIDES];
static int n_checks, n_failed;

static inline void die(const trueno_error *err)
{
    printf("FAILED: %s\n", err->message);
    exit(1);
}

static inline void open_sides(void)
{
    static const char *const NAMES[N_SIDES] = {"reference", "cuda"};

    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* a crash loses nothing */
    for (int s = 0; s < N_SIDES; s++) {
        trueno_error err = {0};
        trueno_status status = trueno_backend_open(&sides[s], NAMES[s], NULL, &err);

        if (status == TRUENO_NO_DEVICE) {
            printf("skipped: %s\n", err.message);
            exit(SKIPPED);
        }
        if (status < 0)
            die(&err);
        printf("%s: %s\n", NAMES[s], sides[s]->device);
    }
}

/* Exit status: 0 when every check held. */
static inline int close_sides(void)
{
    for (int s = 0; s < N_SIDES; s++)
        sides[s]->close(sides[s]);
    printf("%d checks, %d failed\n", n_checks, n_failed);
    return n_failed > 0;
}

static inline void report(const char *what, double error, double bound)
{
    bool holds = error <= bound;

    n_checks++;
    n_failed += !holds;
    if (!holds || getenv("TEST_VERBOSE") != NULL)
        printf("%s %s: %.3g (bound %.3g)\n", holds ? "ok    " : "FAILED", what, error, bound);
}

static inline float *put(trueno_backend *be, const float *x, size_t n)
{
    trueno_error err = {0};
    void *p;

    if (be->alloc(be, n * sizeof *x, &p, &err) < 0 || be->write(be, p, x, n * sizeof *x, &err) < 0)
        die(&err);
    return p;
}

static inline float *put_poison(trueno_backend *be, size_t n)
{
    float *x = malloc(n * sizeof *x), *p;

    memset(x, 0xff, n * sizeof *x);
    p = put(be, x, n);
    free(x);
    return p;
}

static inline float *get(trueno_backend *be, const float *p, size_t n)
{
    float *x = malloc(n * sizeof *x);
    trueno_error err = {0};

    if (be->read(be, x, p, n * sizeof *x, &err) < 0)
        die(&err);
    return x;
}

static inline void drop(trueno_backend *be, float *p)
{
    be->release(be, p);
}

typedef struct error_size {
    double most, rms,
        relative; /* largest error; rms of what is wanted; rms of the error over that */
} error_size;

/* A value that is no number on one side alone makes every size NaN. */
static inline error_size compare(const float *got, const float *want, size_t n)
{
    error_size e = {0, 0, 0};
    double square = 0;

    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)got[i] - (double)want[i]);

        if (got[i] == want[i])
            d = 0;
        square += d * d;
        e.rms += (double)want[i] * (double)want[i];
        if (!(d <= e.most))
            e.most = d;
        if (isnan(d))
            return (error_size){NAN, NAN, NAN};
    }
    e.rms = sqrt(e.rms / (double)n);
    e.relative = sqrt(square / (double)n) / (e.rms > 0 ? e.rms : 1);
    return e;
}

#endif
