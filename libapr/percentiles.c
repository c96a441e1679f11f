/* SPDX-License-Identifier: MIT */
/* Exact percentiles in two readings. */
#include "percentiles.h"

#include <string.h>

enum { HALF_VALUES = 1 << 16 };

static const size_t COUNTS_BYTES = (size_t)(1 + APR_PERCENTILES) * HALF_VALUES * sizeof(uint64_t);

const char *const APR_PERCENTILE_KEYS[APR_PERCENTILES] = {"p1",  "p5",  "p25", "p50",
                                                          "p75", "p95", "p99"};

static const double SHARES[APR_PERCENTILES] = {0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99};

trueno_status apr_percentiles_init(apr_percentiles *p, const trueno_allocator *allocator,
                                   const char *file, trueno_error *err)
{
    *p = (apr_percentiles){.allocator = allocator};
    p->counts = trueno_allocate(allocator, COUNTS_BYTES, 64);
    if (p->counts == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for percentiles", file);
    return TRUENO_OK;
}

void apr_percentiles_free(apr_percentiles *p)
{
    trueno_release(p->allocator, p->counts, COUNTS_BYTES);
    p->counts = NULL;
}

void apr_percentiles_begin(apr_percentiles *p)
{
    memset(p->counts, 0, COUNTS_BYTES);
    p->finite = 0;
    p->second = false;
}

static uint32_t ordered(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

static float unordered(uint32_t key)
{
    uint32_t bits = (key & 0x80000000u) != 0 ? key & 0x7fffffffu : ~key;
    float x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

static bool is_finite_bits(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return (bits & 0x7f800000u) != 0x7f800000u;
}

void apr_percentiles_count(apr_percentiles *p, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const uint32_t key = ordered(x[i]);

        if (!is_finite_bits(x[i]))
            continue;
        if (!p->second) {
            p->counts[key >> 16]++;
            p->finite++;
        }
        for (int k = 0; p->second && k < APR_PERCENTILES; k++)
            if (p->bin[k] == key >> 16)
                p->counts[(size_t)(k + 1) * HALF_VALUES + (key & 0xffff)]++;
    }
}

/* The entry of a histogram that holds rank *rank, which becomes the rank within it. */
static uint32_t find_rank(const uint64_t *counts, uint64_t *rank)
{
    uint32_t at = 0;

    while (at < HALF_VALUES - 1 && *rank >= counts[at])
        *rank -= counts[at++];
    return at;
}

void apr_percentiles_again(apr_percentiles *p)
{
    p->second = true;
    for (int k = 0; k < APR_PERCENTILES && p->finite > 0; k++) {
        p->rank[k] = (uint64_t)(SHARES[k] * (double)(p->finite - 1));
        p->bin[k] = find_rank(p->counts, &p->rank[k]);
    }
}

void apr_percentiles_end(apr_percentiles *p)
{
    for (int k = 0; k < APR_PERCENTILES; k++) {
        const uint64_t *low = p->counts + (size_t)(k + 1) * HALF_VALUES;

        p->value[k] = p->finite > 0 ? unordered(p->bin[k] << 16 | find_rank(low, &p->rank[k])) : 0;
    }
}
