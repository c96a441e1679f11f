/* SPDX-License-Identifier: MIT */
/* Backends under test, and comparing what they compute with formulas. */
#ifndef TESTS_KERNELS_BACKENDS_H
#define TESTS_KERNELS_BACKENDS_H

#include "support.h"

#include <trueno/backend.h>

/* A backend with no more of the processor's abilities than `mask`; the test fails without it. */
static inline trueno_backend *open_backend(const char *name, int threads, uint32_t mask)
{
    trueno_backend_options options;
    trueno_backend *be;
    trueno_error err = {0};

    trueno_backend_options_init(&options, sizeof options);
    options.threads = threads;
    trueno_cpu_set_mask(mask);
    if (trueno_backend_open(&be, name, &options, &err) < 0)
        fail_msg("%s", err.message);
    trueno_cpu_set_mask(UINT32_MAX);
    return be;
}

/* Calls `check` with a backend of every level, on 1 and on 3 threads, and with the reference. */
static inline void at_every_level(void (*check)(trueno_backend *be))
{
    uint32_t levels[8];
    int n = test_levels(levels);

    for (int i = 0; i <= n; i++)
        for (int threads = 1; threads <= 3; threads += 2) {
            trueno_backend *be = i < n ? open_backend("cpu", threads, levels[i])
                                       : open_backend("reference", threads, UINT32_MAX);

            check(be);
            be->close(be);
        }
}

static inline void check_close(const trueno_backend *be, const char *what, const float *got,
                               const double *want, size_t n, double relative, double absolute)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - want[i]) <= relative * fabs(want[i]) + absolute))
            fail_msg("%s, %s: element %zu of %zu is %.9g, must be %.9g", be->name, what, i, n,
                     (double)got[i], want[i]);
}

static inline double activation_formula(trueno_activation act, double x)
{
    if (act == TRUENO_SILU)
        return x / (1.0 + exp(-x));
    if (act == TRUENO_GELU_TANH)
        return 0.5 * x *
               (1.0 + tanh(sqrt(2.0 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
    return 0.5 * x * erfc(-x / sqrt(2.0));
}

#endif
