/* SPDX-License-Identifier: MIT */
/*
 * realizar: runs, times and describes a model with librealizar alone. The full tool is `apr`; this
 * one shows that the library needs nothing beside it, and serves where only the library is.
 */
#include <errno.h>
#include <realizar/answer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { EXIT_USAGE = 2, MAX_RUNS = 100 };

static const char USAGE[] =
    "usage: realizar run MODEL QUESTION        answer a question\n"
    "       realizar bench MODEL [-p N] [-n N] [-r N]\n"
    "                                          tokens a second: prompts of N (512) tokens, then\n"
    "                                          N (128) tokens generated; median of N (5) runs\n"
    "       realizar info MODEL                what was opened, and where it runs\n"
    "       realizar --help | --version\n"
    "MODEL is a model file or folder, or `demo`: the one inside the library.\n";

/* One line; the exit code of a status is its number, as for every program of the project. */
static int report(const trueno_error *err)
{
    int code = err->status == TRUENO_CANCELLED ? 130 : -(int)err->status;

    fprintf(stderr, "realizar: %s\n", err->message);
    return code == -(int)TRUENO_NO_MEMORY ? -(int)TRUENO_UNSUPPORTED : code;
}

static trueno_status open_model(realizar_engine **out, const char *name, trueno_error *err)
{
    return strcmp(name, "demo") == 0 ? realizar_engine_open_demo(out, NULL, err)
                                     : realizar_engine_open(out, name, NULL, err);
}

static bool show(void *user, const realizar_piece *piece)
{
    return fwrite(piece->text, 1, piece->bytes, user) == piece->bytes && fflush(user) == 0;
}

static int run(realizar_engine *engine, const char *question)
{
    trueno_error err = {0};

    if (realizar_answer(engine, question, NULL, show, stdout, &err) < 0)
        return report(&err);
    if (putchar('\n') == EOF || fflush(stdout) != 0) {
        fprintf(stderr, "realizar: standard output: %s\n", strerror(errno));
        return -(int)TRUENO_IO;
    }
    return 0;
}

static int info(realizar_engine *engine, const char *name)
{
    trueno_memory_use use;

    realizar_engine_memory(engine, &use);
    printf("model: %s\nlibrary: realizar %s\nbackend: %s, %s\n", name, realizar_version(),
           realizar_engine_backend(engine), realizar_engine_device(engine));
    printf("context: %d positions\nvocabulary: %d rows\nhidden size: %d\n",
           realizar_engine_context(engine), realizar_engine_vocab_size(engine),
           realizar_engine_hidden_size(engine));
    printf("weights read for a token: %llu bytes\n",
           (unsigned long long)realizar_engine_bytes_per_token(engine));
    return 0;
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Tokens a second of one prompt of n tokens, or of n tokens one by one; negative: failed. */
static double one_run(realizar_engine *engine, const int32_t *tokens, int32_t n, bool one_by_one,
                      trueno_error *err)
{
    realizar_session *session = NULL;
    trueno_status status = realizar_session_new(&session, engine, 0, err);
    double begin = seconds(), speed;

    for (int32_t i = 0, step = one_by_one ? 1 : n; status == TRUENO_OK && i < n; i += step)
        status = realizar_session_append(session, tokens + i, step, err);
    speed = n / (seconds() - begin);
    realizar_session_free(session);
    return status < 0 ? -1.0 : speed;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int time_test(realizar_engine *engine, const int32_t *tokens, int32_t n, bool one_by_one,
                     int32_t runs)
{
    double speed[MAX_RUNS];
    trueno_error err = {0};

    if (one_run(engine, tokens, n, one_by_one, &err) < 0) /* pages and clocks get warm */
        return report(&err);
    for (int32_t i = 0; i < runs; i++)
        if ((speed[i] = one_run(engine, tokens, n, one_by_one, &err)) < 0)
            return report(&err);
    qsort(speed, (size_t)runs, sizeof *speed, by_size);
    printf("%s%d: %.1f tokens a second (%.1f..%.1f, n = %d)\n", one_by_one ? "tg" : "pp", n,
           speed[runs / 2], speed[0], speed[runs - 1], runs);
    return fflush(stdout) == 0 ? 0 : -(int)TRUENO_IO;
}

static int bench(realizar_engine *engine, int32_t prompt, int32_t generated, int32_t runs)
{
    int32_t most = prompt > generated ? prompt : generated;
    int32_t *tokens = calloc((size_t)most, sizeof *tokens);
    int code;

    if (tokens == NULL)
        return fprintf(stderr, "realizar: no memory for %d tokens\n", most), 1;
    for (int32_t i = 0; i < most; i++)
        tokens[i] = (i * 7919) % realizar_engine_vocab_size(engine); /* made up: speed only */
    code = time_test(engine, tokens, prompt, false, runs);
    if (code == 0)
        code = time_test(engine, tokens, generated, true, runs);
    free(tokens);
    return code;
}

/* Value of `-x N` in [1, most]; 0: not a number there. */
static int32_t number(const char *text, long most)
{
    char *end = NULL;
    long value = text == NULL ? 0 : strtol(text, &end, 10);

    return text == NULL || end == text || *end != '\0' || value < 1 || value > most
               ? 0
               : (int32_t)value;
}

static int usage(void)
{
    fputs(USAGE, stderr);
    return EXIT_USAGE;
}

static int bench_command(realizar_engine *engine, int argc, char **argv)
{
    int32_t prompt = 512, generated = 128, runs = 5;

    for (int i = 0; i < argc; i += 2) {
        int32_t *value = strcmp(argv[i], "-p") == 0   ? &prompt
                         : strcmp(argv[i], "-n") == 0 ? &generated
                         : strcmp(argv[i], "-r") == 0 ? &runs
                                                      : NULL;

        if (value == NULL || i + 1 == argc ||
            (*value = number(argv[i + 1], value == &runs ? MAX_RUNS : 1 << 20)) == 0)
            return usage();
    }
    return bench(engine, prompt, generated, runs);
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    realizar_engine *engine = NULL;
    trueno_error err = {0};
    int code;

    if (strcmp(command, "--help") == 0)
        return fputs(USAGE, stdout) == EOF;
    if (strcmp(command, "--version") == 0)
        return printf("realizar %s\n", realizar_version()) < 0;
    if (!(strcmp(command, "run") == 0 && argc == 4) &&
        !(strcmp(command, "info") == 0 && argc == 3) &&
        !(strcmp(command, "bench") == 0 && argc >= 3))
        return usage();
    if (open_model(&engine, argv[2], &err) < 0)
        return report(&err);
    code = command[0] == 'r'   ? run(engine, argv[3])
           : command[0] == 'i' ? info(engine, argv[2])
                               : bench_command(engine, argc - 3, argv + 3);
    realizar_engine_close(engine);
    return code;
}
