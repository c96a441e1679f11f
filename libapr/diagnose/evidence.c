/* SPDX-License-Identifier: MIT */
/* What counts of passed and failed runs say: suspicion of decisions, intervals of rates. */
#include "learn.h"

#include <math.h>

static double share(uint64_t part, uint64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

static apr_priority priority_of(const apr_suspect *s)
{
    double failed = share(s->failed, s->passed + s->failed);

    return failed > 0.20   ? APR_PRIORITY_CRITICAL
           : failed > 0.10 ? APR_PRIORITY_HIGH
           : failed > 0.05 ? APR_PRIORITY_MEDIUM
                           : APR_PRIORITY_LOW;
}

static bool is_before(const apr_suspect *a, const apr_suspect *b)
{
    return a->suspicion > b->suspicion || (a->suspicion == b->suspicion && a->failed > b->failed);
}

void apr_tarantula_rank(apr_suspect *suspects, size_t n, uint64_t total_passed,
                        uint64_t total_failed)
{
    for (size_t i = 0; i < n; i++) {
        apr_suspect *s = &suspects[i], here;
        double failed = share(s->failed, total_failed), passed = share(s->passed, total_passed);
        size_t at = i;

        s->suspicion = failed + passed > 0 ? failed / (failed + passed) : 0;
        s->priority = priority_of(s);
        here = *s;
        for (; at > 0 && is_before(&here, &suspects[at - 1]);
             at--) /* stable, and lists are short */
            suspects[at] = suspects[at - 1];
        suspects[at] = here;
    }
}

void apr_wilson_interval(uint64_t successes, uint64_t n, double z, double *low, double *high)
{
    double count = (double)n, p = share(successes, n), middle, half, below;

    *low = 0;
    *high = 1;
    if (n == 0)
        return;
    below = 1 + z * z / count;
    middle = (p + z * z / (2 * count)) / below;
    half = z / below * sqrt(p * (1 - p) / count + z * z / (4 * count * count));
    *low = successes == 0 ? 0 : fmax(0, middle - half);
    *high = successes == n ? 1 : fmin(1, middle + half);
}

apr_andon apr_andon_level(double rate, double target)
{
    return rate >= target ? APR_ANDON_GREEN : rate >= target / 2 ? APR_ANDON_YELLOW : APR_ANDON_RED;
}
