/* SPDX-License-Identifier: MIT */
/* How long a chat of many messages takes to render: bench_templates [MESSAGES [TEMPLATE.jinja...]]
 * Without templates, the built-in ones. Each line: median, least and most milliseconds of 21
 * renderings, bytes. */
#include <realizar/chat.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RUNS = 21, MAX_SOURCE = 1 << 20 };

static double now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* A system message, then users and assistants by turns, some 200 bytes each. */
static char *make_messages(int n)
{
    size_t room = (size_t)n * 400 + 64, at;
    char *json = malloc(room);

    if (json == NULL)
        exit(1);
    at = (size_t)snprintf(json, room, "[{\"role\":\"system\",\"content\":\"Be brief.\"}");
    for (int i = 1; i < n; i++) {
        at += (size_t)snprintf(json + at, room - at, ",{\"role\":\"%s\",\"content\":\"Message %d:",
                               i % 2 ? "user" : "assistant", i);
        for (int k = 0; k < 30; k++)
            at += (size_t)snprintf(json + at, room - at, " words\\n%d", k);
        at += (size_t)snprintf(json + at, room - at, "\"}");
    }
    (void)snprintf(json + at, room - at, "]");
    return json;
}

static int time_template(const char *name, const char *source, size_t bytes, const char *messages)
{
    realizar_chat_input input;
    realizar_template *t = NULL;
    trueno_error err = {0};
    double ms[RUNS];
    size_t length = 0;

    realizar_chat_input_init(&input, sizeof input);
    input.messages = messages;
    input.messages_bytes = strlen(messages);
    input.bos_token = "<s>";
    input.eos_token = "</s>";
    input.add_generation_prompt = true;
    if (realizar_template_new(&t, source, bytes, name, NULL, &err) < 0) {
        printf("%-50s %s\n", name, err.message);
        return 1;
    }
    for (int i = 0; i < RUNS; i++) {
        realizar_prompt prompt = {0};
        double start = now_ms();

        if (realizar_template_render(t, &input, &prompt, &err) < 0) {
            printf("%-50s %s\n", name, err.message);
            realizar_template_free(t);
            return 1;
        }
        ms[i] = now_ms() - start;
        length = prompt.bytes;
        realizar_prompt_free(&prompt);
    }
    realizar_template_free(t);
    qsort(ms, RUNS, sizeof ms[0], by_value);
    printf("%-50s %8.3f %8.3f %8.3f ms %9zu bytes\n", name, ms[RUNS / 2], ms[0], ms[RUNS - 1],
           length);
    return 0;
}

static int time_file(const char *path, const char *messages)
{
    char *source = malloc(MAX_SOURCE);
    const char *slash = strrchr(path, '/');
    FILE *f = fopen(path, "rb");
    int failed = 1;

    if (f != NULL && source != NULL)
        failed = time_template(slash != NULL ? slash + 1 : path, source,
                               fread(source, 1, MAX_SOURCE, f), messages);
    if (f != NULL)
        (void)fclose(f);
    free(source);
    return failed;
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 200;
    char *messages = n > 0 && n < 1000000 ? make_messages(n) : NULL;
    int failed = 0;

    if (messages == NULL) {
        (void)fprintf(stderr, "usage: bench_templates [MESSAGES [TEMPLATE.jinja...]]\n");
        return 2;
    }
    for (int i = 2; i < argc; i++)
        failed += time_file(argv[i], messages);
    for (size_t i = 0; argc < 3 && realizar_template_preset_name(i) != NULL; i++) {
        const char *source = realizar_template_preset(realizar_template_preset_name(i));

        failed += time_template(realizar_template_preset_name(i), source, strlen(source), messages);
    }
    free(messages);
    return failed > 0;
}
