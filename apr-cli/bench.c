/* SPDX-License-Identifier: MIT */
/* apr bench: prompt processing (ppN) and generation (tgN), with the memory's speed read beside
 * them. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LIST = 16 };

typedef struct number_list {
    int32_t value[MAX_LIST];
    int count;
} number_list;

static trueno_status parse_list(const char *text, const char *name, int32_t least, number_list *out,
                                trueno_error *err)
{
    const char *at = text;

    out->count = 0;
    for (;;) {
        char *end;
        long value = strtol(at, &end, 10);

        if (end == at || (*end != ',' && *end != '\0') || value < least || value > 10000000)
            return trueno_fail(err, TRUENO_USAGE, "--%s: '%s' is not a list of numbers from %d on",
                               name, text, least);
        if (out->count == MAX_LIST)
            return trueno_fail(err, TRUENO_USAGE, "--%s: more than %d values", name, MAX_LIST);
        out->value[out->count++] = (int32_t)value;
        if (*end == '\0')
            return TRUENO_OK;
        at = end + 1;
    }
}

/* Sessions of one test, each filled to `depth`. */
static trueno_status open_sessions(bench_state *b, realizar_session **s, int32_t n, int32_t depth,
                                   trueno_error *err)
{
    for (int32_t i = 0; i < n; i++) {
        trueno_status status = realizar_session_new(&s[i], b->engine, 0, err);

        if (status == TRUENO_OK && depth > 0)
            status = realizar_session_append(s[i], b->tokens, depth, err);
        if (status < 0)
            return status;
    }
    return TRUENO_OK;
}

/* One prompt of `n` tokens; returns tokens per second. */
static trueno_status time_prompt(bench_state *b, realizar_session **s, int32_t n, double *tok_s,
                                 trueno_error *err)
{
    double began = now_milliseconds();
    trueno_status status = realizar_session_append(s[0], b->tokens, n, err);

    *tok_s = n * 1e3 / (now_milliseconds() - began);
    return status;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(const double *sorted, int n)
{
    return n % 2 == 1 ? sorted[n / 2] : 0.5 * (sorted[n / 2 - 1] + sorted[n / 2]);
}

static void add_row(bench_state *b, const bench_case *c, const double *samples, int n)
{
    double sorted[1000], middle, bytes = (double)realizar_engine_bytes_per_token(b->engine);
    char name[32];
    json_t *list = json_array(), *row;

    memcpy(sorted, samples, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, compare_doubles);
    middle = median(sorted, n);
    for (int i = 0; i < n; i++)
        (void)json_array_append_new(list, json_number(samples[i]));
    (void)snprintf(name, sizeof name, "%s%d", c->decode ? "tg" : "pp", c->tokens);
    row = json_pack("{s:s, s:i, s:i, s:o, s:o, s:o, s:o}", "test", name, "depth", c->depth, "batch",
                    c->batch, "samples_tok_s", list, "median", json_number(middle), "min",
                    json_number(sorted[0]), "max", json_number(sorted[n - 1]));
    if (c->decode) /* weights are read once a step, whatever the batch */
        (void)json_object_set_new(row, "gb_s", json_number(middle / c->batch * bytes * 1e-9));
    (void)json_object_set_new(row, "weights_bytes_per_token", json_integer((json_int_t)bytes));
    (void)json_array_append_new(b->rows, row);
}

static void print_row(const cli_arguments *a, const bench_state *b)
{
    const json_t *row = json_array_get(b->rows, json_array_size(b->rows) - 1);
    const json_t *gb_s = json_object_get(row, "gb_s");

    if (a->o.json)
        return;
    (void)printf(
        "%-8s %8lld %6lld %12.2f %12.2f %12.2f", json_string_value(json_object_get(row, "test")),
        (long long)json_integer_value(json_object_get(row, "depth")),
        (long long)json_integer_value(json_object_get(row, "batch")),
        json_real_value(json_object_get(row, "median")),
        json_real_value(json_object_get(row, "min")), json_real_value(json_object_get(row, "max")));
    if (gb_s != NULL)
        (void)printf(" %8.1f", json_real_value(gb_s));
    (void)putchar('\n');
    (void)fflush(stdout);
}

static void note_kv(bench_state *b, realizar_session **s, int32_t n)
{
    size_t bytes = 0;

    for (int32_t i = 0; i < n; i++)
        bytes += s[i] != NULL ? realizar_session_kv_bytes(s[i]) : 0;
    b->kv_bytes = bytes > b->kv_bytes ? bytes : b->kv_bytes;
}

static trueno_status run_once(bench_state *b, const bench_case *c, double *tok_s, trueno_error *err)
{
    realizar_session **s = calloc((size_t)c->batch, sizeof(realizar_session *));
    trueno_status status;

    if (s == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %d sessions", c->batch);
    status = open_sessions(b, s, c->batch, c->depth, err);
    if (status == TRUENO_OK)
        status = c->decode ? time_decode(b, s, c->batch, c->tokens, tok_s, err)
                           : time_prompt(b, s, c->tokens, tok_s, err);
    note_kv(b, s, c->batch);
    for (int32_t i = 0; i < c->batch; i++)
        realizar_session_free(s[i]);
    free(s);
    return status;
}

static trueno_status run_case(const cli_arguments *a, bench_state *b, const bench_case *c,
                              trueno_error *err)
{
    double samples[1000];
    int runs = (int)(a->o.warmup + a->o.repetitions), kept = 0;

    if (c->depth + c->tokens > realizar_engine_context(b->engine))
        return trueno_fail(err, TRUENO_USAGE, "%d tokens at depth %d do not fit the context of %d",
                           c->tokens, c->depth, realizar_engine_context(b->engine));
    for (int i = 0; i < runs; i++) {
        double tok_s = 0;
        trueno_status status = run_once(b, c, &tok_s, err);

        if (status < 0)
            return status;
        if (i >= a->o.warmup)
            samples[kept++] = tok_s;
    }
    add_row(b, c, samples, kept);
    print_row(a, b);
    return TRUENO_OK;
}

static trueno_status run_lists(const cli_arguments *a, bench_state *b, const number_list list[4],
                               trueno_error *err)
{
    for (int d = 0; d < list[2].count; d++)
        for (int m = 0; m < list[3].count; m++)
            for (int kind = 0; kind < 2; kind++)
                for (int i = 0; i < list[kind].count; i++) {
                    bench_case c = {.decode = kind == 1,
                                    .tokens = list[kind].value[i],
                                    .depth = list[2].value[d],
                                    .batch = list[3].value[m]};
                    trueno_status status;

                    if (c.tokens == 0 || (!c.decode && m > 0))
                        continue;
                    if (!c.decode)
                        c.batch = 1;
                    if ((status = run_case(a, b, &c, err)) < 0)
                        return status;
                }
    return TRUENO_OK;
}

static int32_t largest(const number_list *list)
{
    int32_t most = 0;

    for (int i = 0; i < list->count; i++)
        most = list->value[i] > most ? list->value[i] : most;
    return most;
}

/* Ids spread over the vocabulary: what they mean does not matter for speed. */
static trueno_status make_tokens(bench_state *b, const number_list list[4], trueno_error *err)
{
    uint32_t vocab = (uint32_t)apr_model_config(realizar_engine_model(b->engine))->vocab_size;
    uint32_t state = 1;

    for (int i = 0; i < 3; i++)
        b->n_tokens = largest(&list[i]) > b->n_tokens ? largest(&list[i]) : b->n_tokens;
    b->tokens = malloc(((size_t)b->n_tokens + 1) * sizeof *b->tokens);
    if (b->tokens == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %d tokens", b->n_tokens);
    for (int32_t i = 0; i <= b->n_tokens; i++) {
        state = state * 1664525u + 1013904223u;
        b->tokens[i] = (int32_t)((state >> 8) % vocab);
    }
    return TRUENO_OK;
}

/* What the tests took, then the memory's speed: that takes memory of its own, and when there is too
 * little the figures are printed without it. */
static void note_memory(const cli_arguments *a, bench_state *b)
{
    trueno_error why = {0};

    b->memory = memory_json(b->engine, b->kv_bytes);
    if (realizar_engine_bandwidth(b->engine, &b->gb_s, &why) < 0)
        print_note(a, "apr: %s", why.message);
}

static trueno_status print_result(const cli_arguments *a, bench_state *b, trueno_error *err)
{
    const apr_model *model = realizar_engine_model(b->engine);

    if (a->o.json)
        return print_json(
            json_pack("{s:i, s:s, s:s, s:s, s:I, s:i, s:O, s:o, s:O}", "schema", 1, "model",
                      apr_model_path(model), "backend", realizar_engine_backend(b->engine),
                      "device", realizar_engine_device(b->engine), "threads",
                      (json_int_t)(a->o.threads > 0 ? a->o.threads : trueno_cpu_default_threads()),
                      "ctx", realizar_engine_context(b->engine), "rows", b->rows, "bandwidth_gb_s",
                      b->gb_s > 0 ? json_number(b->gb_s) : json_null(), "memory", b->memory),
            err);
    if (b->gb_s > 0)
        (void)printf("memory read beside it: %.1f GB/s\n", b->gb_s);
    if (a->o.verbose)
        print_device_memory(a, b->engine);
    return TRUENO_OK;
}

static trueno_status bench(const cli_arguments *a, bench_state *b, const number_list list[4],
                           trueno_error *err)
{
    trueno_status status;
    double load_ms;

    if ((status = load_engine(a, a->positional[0], true, &b->engine, &load_ms, err)) < 0 ||
        (status = make_tokens(b, list, err)) < 0)
        return status;
    if (!a->o.json)
        (void)printf("%s (%s)\n%-8s %8s %6s %12s %12s %12s %8s\n",
                     realizar_engine_backend(b->engine), realizar_engine_device(b->engine), "test",
                     "depth", "batch", "median tok/s", "min", "max", "GB/s");
    status = run_lists(a, b, list, err);
    if (status == TRUENO_OK)
        note_memory(a, b);
    return status < 0 ? status : print_result(a, b, err);
}

trueno_status bench_command(cli_arguments *a, trueno_error *err)
{
    const struct {
        const char *text, *name;
        int32_t least;
    } given[4] = {{a->o.n_prompt, "n-prompt", 0},
                  {a->o.n_gen, "n-gen", 0},
                  {a->o.depth, "depth", 0},
                  {a->o.batch, "batch", 1}};
    number_list list[4];
    bench_state b = {.rows = json_array()};
    trueno_status status = TRUENO_OK;

    for (int i = 0; i < 4 && status == TRUENO_OK; i++)
        status = parse_list(given[i].text, given[i].name, given[i].least, &list[i], err);
    if (status == TRUENO_OK)
        status = bench(a, &b, list, err);
    realizar_engine_close(b.engine);
    json_decref(b.rows);
    json_decref(b.memory);
    free(b.tokens);
    return status;
}
