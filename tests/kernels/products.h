/* SPDX-License-Identifier: MIT */
/* What the tests of packed weights' products share: levels, random cases, guarded products. */
#ifndef TESTS_KERNELS_PRODUCTS_H
#define TESTS_KERNELS_PRODUCTS_H

#include "packed.h"
#include "weights.h"

enum { GUARD = 64, MANY = 37 };

static int failures, checks;

static inline void check(bool ok, const char *what, trueno_type type, int64_t rows, int64_t cols)
{
    checks++;
    if (ok)
        return;
    failures++;
    printf("FAILED %s %lldx%lld: %s\n", trueno_type_get(type)->name, (long long)rows,
           (long long)cols, what);
}

/* Exit status: 0 when every check held. */
static inline int finish_checks(void)
{
    printf("%d checks, %d failed\n", checks, failures);
    return failures != 0;
}

/* The levels to test, lowest first; those that this machine lacks are named, not counted. */
static const struct level {
    const char *name;
    uint32_t flags;
} LEVELS[] = {
    {"scalar", 0},
    {"avx2", TRUENO_CPU_AVX2},
    {"avx512-vnni", TRUENO_CPU_AVX2 | TRUENO_CPU_AVX512},
    {"avx512-amx", TRUENO_CPU_AVX2 | TRUENO_CPU_AVX512 | TRUENO_CPU_AMX_INT8},
    {"avx512-amx-bf16",
     TRUENO_CPU_AVX2 | TRUENO_CPU_AVX512 | TRUENO_CPU_AMX_INT8 | TRUENO_CPU_AMX_BF16},
    {"neon", TRUENO_CPU_NEON},
    {"neon-dotprod", TRUENO_CPU_NEON | TRUENO_CPU_DOTPROD},
};
enum { N_LEVELS = sizeof LEVELS / sizeof *LEVELS };

static inline bool level_is_here(const struct level *level)
{
    return (trueno_cpu_detect() & level->flags) == level->flags;
}

static inline void name_missing_levels(void)
{
    for (int l = 0; l < N_LEVELS; l++)
        if (!level_is_here(&LEVELS[l]))
            printf("not on this machine: %s\n", LEVELS[l].name);
}

static inline void must(trueno_status st, const trueno_error *err)
{
    if (st < 0) {
        printf("%s\n", err->message);
        exit(1);
    }
}

typedef struct level_context {
    trueno_pool *pool;
    packed_work *work;
} level_context;

static inline level_context level_open(uint32_t flags, int threads)
{
    level_context c = {0};
    trueno_error err;

    trueno_cpu_set_mask(flags);
    must(trueno_pool_new(&c.pool, threads, NULL, &err), &err);
    must(packed_work_new(&c.work, c.pool, NULL, &err), &err);
    trueno_cpu_set_mask(UINT32_MAX);
    return c;
}

static inline void level_close(level_context *c)
{
    packed_work_free(c->work);
    trueno_pool_free(c->pool);
}

/* Activations of one case: ordinary rows, a row of zeros, outliers, and blocks of tiny numbers. */
static inline float *make_activations(int64_t cols)
{
    float *x = malloc((size_t)(MANY * cols) * sizeof *x);

    for (int64_t i = 0; i < MANY * cols; i++) {
        float scale = test_bits() % 61 == 0 ? 40 : 1;

        x[i] = random_normal() * scale;
        if (i / cols == 2)
            x[i] = 0;
        if (i / cols == 3)
            x[i] *= 1e-35f;
        if (i / cols == 4)
            x[i] = test_bits() % 2 ? 1e20f : -1e20f;
    }
    return x;
}

/* y of `n` rows in one call, with guards around it and poison in it. */
static inline float *multiply(level_context *c, const packed_weight *w, const float *bias,
                              const float *x, int64_t n, const float *start)
{
    size_t count = (size_t)(n * packed_rows(w));
    float *memory = malloc((count + 2 * (size_t)GUARD) * sizeof *memory),
          *y = malloc(count * sizeof *y);
    bool intact = true;

    memset(memory, 0xfb, (count + 2 * (size_t)GUARD) * sizeof *memory); /* a NaN with a payload */
    if (start != NULL)
        memcpy(memory + GUARD, start, count * sizeof *start);
    packed_matmul(c->work, w, bias, x, n, start != NULL, memory + GUARD);
    for (size_t i = 0; i < GUARD * sizeof *memory; i++)
        intact &=
            ((uint8_t *)memory)[i] == 0xfb && ((uint8_t *)(memory + GUARD + count))[i] == 0xfb;
    if (!intact) {
        failures++;
        printf("FAILED: bytes beside y were written\n");
    }
    memcpy(y, memory + GUARD, count * sizeof *y);
    free(memory);
    return y;
}

static inline bool same(const float *a, const float *b, int64_t n)
{
    return memcmp(a, b, (size_t)n * sizeof *a) == 0;
}

static inline trueno_tensor make_tensor(trueno_type type, int64_t rows, int64_t cols,
                                        float magnitude)
{
    trueno_tensor t = trueno_tensor_make(type, rows, cols, NULL);
    uint8_t *data = malloc(trueno_tensor_bytes(&t) + 1);

    /* an odd address: files promise no alignment */
    random_blocks(type, data + 1, rows * (cols / trueno_type_get(type)->block), magnitude);
    t.data = data + 1;
    return t;
}

static inline void free_tensor(trueno_tensor *t)
{
    free((uint8_t *)(uintptr_t)t->data - 1);
}

#endif
