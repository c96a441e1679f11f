/* SPDX-License-Identifier: MIT */
/*
 * Times attention of the CPU backend: a prompt in chunks of 512 rows, and single rows behind it.
 * usage: bench_attention [threads [positions [n_heads n_kv_heads head_dim [kv type 0..2]]]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <trueno/backend.h>

enum { CHUNK = 512, DECODE_ROWS = 64, LAYERS = 8 };

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Each layer's seconds; a busy machine disturbs some of them, so medians are reported. */
typedef struct timing {
    double attention[DECODE_ROWS * LAYERS], store[DECODE_ROWS * LAYERS];
    int n;
} timing;

static double median(double *x, int n)
{
    qsort(x, (size_t)n, sizeof *x, compare_doubles);
    return x[n / 2];
}

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float random_float(void)
{
    return (float)rand() / (float)RAND_MAX - 0.5f;
}

/* Runs rows [first, first + n) of all layers. */
static void step(trueno_backend *be, trueno_attention *facts, trueno_kv *kv, int32_t first,
                 int32_t n, float *qkv, float *out, timing *t)
{
    const trueno_span span = {kv, 0, n, first};
    const trueno_rows rows = {n, 1, NULL, &span};

    if (be->kv_reserve(be, kv, first + n, NULL) < 0 || be->step_begin(be, &rows, NULL) < 0)
        exit(1);
    for (facts->layer = 0; facts->layer < LAYERS; facts->layer++) {
        double start = now(), stored;

        be->rope_store(be, facts, qkv);
        stored = now();
        be->attention(be, facts, qkv, out, NULL);
        t->attention[t->n] = now() - stored;
        t->store[t->n++] = stored - start;
    }
    (void)be->step_end(be, NULL);
}

static int argument(int argc, char **argv, int i, int otherwise)
{
    return argc > i ? atoi(argv[i]) : otherwise;
}

int main(int argc, char **argv)
{
    int threads = argument(argc, argv, 1, 0), n = argument(argc, argv, 2, 2048);
    int heads = argument(argc, argv, 3, 12), kv_heads = argument(argc, argv, 4, 2);
    int dim = argument(argc, argv, 5, 128), type = argument(argc, argv, 6, 0);
    size_t width = (size_t)(heads + 2 * kv_heads) * (size_t)dim;
    const trueno_kv_shape shape = {LAYERS, kv_heads, dim, n + DECODE_ROWS, (trueno_kv_type)type};
    trueno_attention facts = {.n_heads = heads,
                              .n_kv_heads = kv_heads,
                              .head_dim = dim,
                              .scale = 0.1f,
                              .rope = {TRUENO_ROPE_NEOX, dim, 1.0f, NULL}};
    float *frequencies = calloc((size_t)dim, sizeof *frequencies);
    float *qkv = malloc(CHUNK * width * sizeof *qkv), *out = malloc(CHUNK * width * sizeof *out);
    trueno_backend_options options;
    trueno_backend *be;
    trueno_kv *kv;
    static timing t;
    double seconds = 0.0, store = 0.0, flops = 0.0;

    trueno_backend_options_init(&options, sizeof options);
    options.threads = threads;
    if (frequencies == NULL || qkv == NULL || out == NULL ||
        trueno_backend_open(&be, "cpu", &options, NULL) < 0 ||
        be->kv_new(be, &shape, &kv, NULL) < 0)
        return 1;
    facts.rope.inverse_frequency = frequencies;
    for (size_t i = 0; i < CHUNK * width; i++)
        qkv[i] = random_float();
    printf("%s; %d positions, %d/%d heads of %d, kv type %d\n", be->device, n, heads, kv_heads, dim,
           type);
    for (int first = 0; first < n; first += CHUNK) {
        int rows = n - first < CHUNK ? n - first : CHUNK;

        t.n = 0;
        step(be, &facts, kv, first, rows, qkv, out, &t);
        seconds += median(t.attention, t.n);
        store += median(t.store, t.n);
        for (int r = 0; r < rows; r++)
            flops += 4.0 * heads * dim * (first + r + 1);
    }
    printf("prefill: %.2f ms a layer, %.1f GFLOP/s; store %.3f ms a layer\n",
           1e3 * seconds / LAYERS, 1e-9 * flops / seconds, 1e3 * store);
    t.n = 0;
    for (int r = 0; r < DECODE_ROWS; r++)
        step(be, &facts, kv, n + r, 1, qkv, out, &t);
    seconds = median(t.attention, t.n);
    printf("decode: %.2f us a layer, %.2f GB/s of keys and values; store %.2f us a layer\n",
           1e6 * seconds, 1e-9 * (double)be->kv_bytes(kv) / LAYERS / seconds,
           1e6 * median(t.store, t.n));
    be->kv_free(be, kv);
    be->close(be);
    free(out);
    free(qkv);
    free(frequencies);
    return 0;
}
