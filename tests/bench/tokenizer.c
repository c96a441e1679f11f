/* SPDX-License-Identifier: MIT */
/*
 * bench_tokenizer MODEL [FILE | --hostile]: how fast a model's tokenizer is built, encodes and
 * decodes, on FILE, or on hostile texts of half a megabyte, one and two, or on these and generated
 * ones. Each figure is the best of five runs on one thread, in time of the processor.
 */
#include "text_generator.h"

#include <apr/model.h>
#include <realizar/tokenizer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RUNS = 5, MEGABYTE = 1000000, TWO_MEGABYTES = 2 * MEGABYTE, MOST_BYTES = 5 * MEGABYTE };

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void *must(void *p)
{
    if (!p) {
        fprintf(stderr, "bench_tokenizer: out of memory\n");
        exit(EXIT_FAILURE);
    }
    return p;
}

static void measure(const realizar_tokenizer *t, const char *name, const char *text, size_t bytes)
{
    const size_t capacity = realizar_tokenizer_encode_bound(t, bytes);
    int32_t *ids = must(malloc(capacity * sizeof *ids));
    char *out = must(malloc(bytes * 4 + 16));
    double encode = 1e9, decode = 1e9;
    trueno_error err = {0};
    size_t count = 0;

    for (int run = 0; run < RUNS; run++) {
        const double begin = now();
        double middle, end;
        if (realizar_tokenizer_encode(t, text, bytes, 0, ids, capacity, &count, &err) < 0) {
            fprintf(stderr, "%s: %s\n", name, err.message);
            exit(EXIT_FAILURE);
        }
        middle = now();
        (void)realizar_tokenizer_decode(t, ids, count, true, out, bytes * 4 + 16);
        end = now();
        encode = middle - begin < encode ? middle - begin : encode;
        decode = end - middle < decode ? end - middle : decode;
    }
    printf("%-16s %9zu bytes %9zu ids  encode %7.1f MB/s %8.2f ms  decode %7.1f MB/s\n", name,
           bytes, count, (double)bytes / encode / 1e6, encode * 1e3, (double)bytes / decode / 1e6);
    free(ids);
    free(out);
}

static void measure_file(const realizar_tokenizer *t, const char *path)
{
    FILE *f = must(fopen(path, "rb"));
    long bytes;
    char *text;

    if (fseek(f, 0, SEEK_END) != 0 || (bytes = ftell(f)) < 0)
        exit(EXIT_FAILURE);
    rewind(f);
    text = must(malloc((size_t)bytes + 1));
    if (fread(text, 1, (size_t)bytes, f) != (size_t)bytes)
        exit(EXIT_FAILURE);
    (void)fclose(f);
    measure(t, path, text, (size_t)bytes);
    free(text);
}

static void measure_hostile(const realizar_tokenizer *t)
{
    static const struct {
        const char *name, *unit;
    } hostile[] = {
        {"one letter", "a"}, {"one space", " "}, {"one word", NULL}, {"line ends", "\n"}};
    static const size_t sizes[] = {MEGABYTE / 2, MEGABYTE, TWO_MEGABYTES};
    char *text = must(malloc(TWO_MEGABYTES));
    text_random random = {.state = 1};

    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        for (size_t k = 0; k < TWO_MEGABYTES; k++)
            text[k] = (char)(hostile[i].unit ? (uint32_t)*hostile[i].unit
                                             : 'a' + text_below(&random, 26));
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) /* time must grow no faster */
            measure(t, hostile[i].name, text, sizes[k]);
    }
    free(text);
}

static void measure_generated(const realizar_tokenizer *t)
{
    char *text = must(malloc(MOST_BYTES + TEXT_SLACK));

    for (int kind = 0; kind < TEXT_KINDS; kind++)
        measure(t, text_kind_names[kind], text, text_chunk((text_kind)kind, 0, MOST_BYTES, text));
    free(text);
}

int main(int argc, char **argv)
{
    realizar_tokenizer *tokenizer;
    apr_model *model;
    trueno_error err = {0};
    double begin;

    if (argc < 2 || apr_model_open(&model, argv[1], NULL, &err) < 0) {
        fprintf(stderr, "bench_tokenizer: %s\n",
                argc < 2 ? "MODEL [FILE | --hostile]" : err.message);
        return EXIT_FAILURE;
    }
    begin = now();
    if (realizar_tokenizer_new(&tokenizer, apr_model_vocab(model), NULL, &err) < 0) {
        fprintf(stderr, "bench_tokenizer: %s\n", err.message);
        return EXIT_FAILURE;
    }
    printf("built in %.1f ms\n", (now() - begin) * 1e3);
    if (argc == 2)
        measure_generated(tokenizer);
    if (argc > 2 && strcmp(argv[2], "--hostile") != 0)
        measure_file(tokenizer, argv[2]);
    else
        measure_hostile(tokenizer);
    realizar_tokenizer_free(tokenizer);
    apr_model_close(model);
    return EXIT_SUCCESS;
}
