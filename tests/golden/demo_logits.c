/* SPDX-License-Identifier: MIT */
/*
 * Logits of the demo model against transformers in F32: demo_logits LOGITS.bin DEMO-F32.gguf
 *
 * The demo's weights are the same numbers in every file, so the recorded logits judge all of them.
 * Where activations are not rounded (F32 weights, or the reference backend) the distance is that of
 * two orders of summation: 3e-6 measured. The fast path over Q8_0 rounds every product's input to 8
 * bits per 32; through three layers that comes to 3e-2 in the worst row, and twice that is allowed.
 */
#include "logits.h"

#include <math.h>
#include <string.h>

enum { MAX_TOKENS = 512 };

typedef struct reference {
    unsigned char *bytes;
    size_t size;
    uint32_t vocabulary, cases;
} reference;

static void read_file(reference *r, const char *path)
{
    FILE *f = fopen(path, "rb");
    long size;

    if (!f || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 16 || fseek(f, 0, SEEK_SET) != 0) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(1);
    }
    r->size = (size_t)size;
    r->bytes = malloc(r->size);
    if (!r->bytes || fread(r->bytes, 1, r->size, f) != r->size ||
        memcmp(r->bytes, "LOGITS1", 8) != 0) {
        fprintf(stderr, "%s: not a file of logits\n", path);
        exit(1);
    }
    memcpy(&r->vocabulary, r->bytes + 8, 4);
    memcpy(&r->cases, r->bytes + 12, 4);
    fclose(f);
}

/* Root mean square of the difference, relative to that of the expected row. */
static double relative_error(const float *got, const float *expected, uint32_t n)
{
    double difference = 0, scale = 0;

    for (uint32_t i = 0; i < n; i++) {
        difference += ((double)got[i] - expected[i]) * ((double)got[i] - expected[i]);
        scale += (double)expected[i] * expected[i];
    }
    return sqrt(difference / scale);
}

/* Largest relative error over all recorded rows of all cases. */
static double worst_row(realizar_engine *engine, const reference *r)
{
    const unsigned char *at = r->bytes + 16;
    double worst = 0;

    for (uint32_t c = 0; c < r->cases; c++) {
        uint32_t head[2];
        int32_t ids[MAX_TOKENS];

        memcpy(head, at, sizeof head);
        if (head[0] > MAX_TOKENS || head[1] > head[0])
            exit(1);
        memcpy(ids, at + 8, head[0] * sizeof *ids);
        at += 8 + head[0] * sizeof *ids;
        float *expected = malloc((size_t)head[1] * r->vocabulary * 4);
        float *got = logits_of(engine, ids, (int32_t)head[0]);

        if (!expected)
            abort();
        memcpy(expected, at, (size_t)head[1] * r->vocabulary * 4);
        at += (size_t)head[1] * r->vocabulary * 4;
        for (uint32_t row = 0; row < head[1]; row++) {
            const size_t position = head[0] - head[1] + row;
            const double error =
                relative_error(got + position * r->vocabulary,
                               expected + (size_t)row * r->vocabulary, r->vocabulary);
            if (!(error <= worst)) /* a NaN is the worst of all */
                worst = error;
        }
        free(expected);
        free(got);
    }
    return worst;
}

/* One line and 1 for a failure, 0 otherwise. path NULL: the model in the library. */
static int check(const char *what, const char *path, const char *backend, double allowed,
                 const reference *r)
{
    realizar_engine_options options;
    realizar_engine *engine;
    trueno_error err = {0};
    double worst;

    realizar_engine_options_init(&options, sizeof options);
    options.backend = backend;
    options.kv_type = TRUENO_KV_F32;
    require(path ? realizar_engine_open(&engine, path, &options, &err)
                 : realizar_engine_open_demo(&engine, &options, &err),
            &err);
    if (realizar_engine_vocab_size(engine) != (int32_t)r->vocabulary)
        exit(1);
    worst = worst_row(engine, r);
    realizar_engine_close(engine);
    printf("%s on %s: worst relative error %.3g, allowed %.3g\n", what, backend, worst, allowed);
    return !(worst <= allowed);
}

int main(int argc, char **argv)
{
    reference r = {0};
    int failed;

    if (argc != 3)
        return 2;
    read_file(&r, argv[1]);
    failed = check("F32", argv[2], "reference", 1e-5, &r) + check("F32", argv[2], "cpu", 1e-4, &r) +
             check("Q8_0", NULL, "reference", 1e-5, &r) + check("Q8_0", NULL, "cpu", 6e-2, &r);
    free(r.bytes);
    return failed ? 1 : 0;
}
