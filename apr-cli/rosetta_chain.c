/* SPDX-License-Identifier: MIT */
/* apr rosetta chain and verify: conversions one after another, each compared with the source. */
#include "rosetta_compare.h"

#include <apr/convert.h>
#include <apr/inspect.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_STEPS = 16, PATH_BYTES = 4096 };

/* A run of conversions. */
typedef struct chain {
    const cli_arguments *a;
    const char *formats[MOST_STEPS];
    const char *infix; /* in the names of files: "", or what makes those of a round trip unique */
    int n;
    char paths[MOST_STEPS][PATH_BYTES]; /* of each step's result */
    int done;
    json_t *steps;
    double first_error; /* the largest difference after the first step that had one */
    bool bounded;       /* no step's difference grew faster than the square root of their number */
    apr_comparison last;
    uint64_t failed; /* tensors of the last comparison beyond the tolerance, or missing */
} chain;

static bool is_format(const char *format)
{
    return strcasecmp(format, "apr") == 0 || strcasecmp(format, "gguf") == 0 ||
           strcasecmp(format, "safetensors") == 0;
}

/* "gguf" of "GGUF v3". */
static const char *format_of(const apr_model *model)
{
    const char *name = apr_model_format(model);

    return strncmp(name, "GGUF", 4) == 0  ? "gguf"
           : strncmp(name, "APR", 3) == 0 ? "apr"
                                          : "safetensors";
}

static trueno_status check_formats(const chain *c, const char *source, trueno_error *err)
{
    const char *before = source;

    for (int i = 0; i < c->n; i++) {
        if (!is_format(c->formats[i]))
            return trueno_fail(err, TRUENO_USAGE,
                               "cannot write the format '%s'; known are apr, gguf, safetensors",
                               c->formats[i]);
        if (strcasecmp(c->formats[i], before) == 0)
            return trueno_fail(err, TRUENO_USAGE, "step %d goes from %s to %s", i + 1, before,
                               c->formats[i]);
        before = c->formats[i];
    }
    return TRUENO_OK;
}

static trueno_status make_folder(const char *path, trueno_error *err)
{
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return trueno_fail(err, TRUENO_IO, "%s: %s", path, strerror(errno));
    return TRUENO_OK;
}

static void step_path(chain *c, int step)
{
    const char *source = c->a->positional[0], *base = strrchr(source, '/');
    const bool folder = strcasecmp(c->formats[step], "safetensors") == 0;
    size_t stem;

    base = base != NULL && base[1] != '\0' ? base + 1 : source;
    stem = strcspn(base, "./");
    (void)snprintf(c->paths[step], PATH_BYTES, "%.*s/%.*s%s-%d%c%s", 3000, c->a->o.work_dir,
                   (int)(stem < 500 ? stem : 500), base, c->infix, step + 1, folder ? '-' : '.',
                   c->formats[step]);
}

static trueno_status convert_step(chain *c, int step, trueno_error *err)
{
    apr_convert_options o;
    apr_model *model;
    trueno_status status =
        load_model(c->a, step == 0 ? c->a->positional[0] : c->paths[step - 1], false, &model, err);

    if (status < 0)
        return status;
    apr_convert_options_init(&o, sizeof o);
    o.format = c->formats[step];
    o.force = c->a->o.force;
    o.threads = (int32_t)c->a->o.threads;
    step_path(c, step);
    status = apr_convert_model(model, c->paths[step], &o, err);
    apr_model_close(model);
    if (status == TRUENO_OK)
        c->done = step + 1;
    return status;
}

/* Compare a step's result with the source and note it. */
static trueno_status compare_step(chain *c, int step, double milliseconds, double tolerance,
                                  trueno_error *err)
{
    tensor_differences t = {.tolerance = tolerance};
    trueno_status status = compare_files(c->a, c->a->positional[0], c->paths[step], &t, err);
    json_t *o;

    if (status < 0) {
        json_decref(t.list);
        return status;
    }
    if (c->first_error == 0)
        c->first_error = t.sums.max;
    if (t.sums.max > c->first_error * sqrt(step + 1.0))
        c->bounded = false;
    c->last = t.sums;
    c->failed = t.failed;
    o = comparison_json(&t.sums);
    (void)json_object_set_new(o, "format", json_string(c->formats[step]));
    (void)json_object_set_new(o, "file", json_string(c->paths[step]));
    (void)json_object_set_new(o, "milliseconds", json_number(milliseconds));
    (void)json_object_set_new(o, "differences", t.list);
    (void)json_array_append_new(c->steps, o);
    if (!c->a->o.json)
        print_note(c->a, "%-11s %s: %llu tensors, largest difference to the source %g, %.1f s",
                   c->formats[step], c->paths[step], (unsigned long long)t.sums.tensors, t.sums.max,
                   milliseconds * 1e-3);
    return TRUENO_OK;
}

static trueno_status run_steps(chain *c, double tolerance, bool only_last, trueno_error *err)
{
    trueno_status status = make_folder(c->a->o.work_dir, err);

    for (int i = 0; i < c->n && status == TRUENO_OK; i++) {
        double began = now_milliseconds();

        status = convert_step(c, i, err);
        if (status == TRUENO_OK && (!only_last || i + 1 == c->n))
            status = compare_step(c, i, now_milliseconds() - began, tolerance, err);
    }
    return status;
}

static trueno_status source_format(const cli_arguments *a, const char **out, trueno_error *err)
{
    apr_model *model;
    trueno_status status = load_model(a, a->positional[0], false, &model, err);

    if (status < 0)
        return status;
    *out = format_of(model);
    apr_model_close(model);
    return TRUENO_OK;
}

trueno_status rosetta_chain_command(cli_arguments *a, trueno_error *err)
{
    const double tolerance = option_given(a, "tolerance") ? a->o.tolerance : INFINITY;
    chain c = {.a = a, .infix = "", .n = a->n_positional - 1, .bounded = true};
    const char *source;
    trueno_status status;

    a->o.verify = true; /* what is converted is not damaged */
    if (c.n > MOST_STEPS)
        return trueno_fail(err, TRUENO_USAGE, "%d steps, at most %d", c.n, MOST_STEPS);
    for (int i = 0; i < c.n; i++)
        c.formats[i] = a->positional[i + 1];
    if ((status = source_format(a, &source, err)) < 0 ||
        (status = check_formats(&c, source, err)) < 0)
        return status;
    c.steps = json_array();
    status = run_steps(&c, tolerance, false, err);
    if (status == TRUENO_OK && c.failed > 0)
        status =
            trueno_fail(err, TRUENO_CONTENT,
                        "%s: %llu tensors differ after %d steps by more than %g (largest %g)",
                        a->positional[0], (unsigned long long)c.failed, c.n, tolerance, c.last.max);
    if (status == TRUENO_OK && !c.bounded)
        status = trueno_fail(err, TRUENO_CONTENT,
                             "%s: the differences grow faster than the square root of the steps: "
                             "%g after the first, %g after %d",
                             a->positional[0], c.first_error, c.last.max, c.n);
    if (a->o.json && json_array_size(c.steps) > 0)
        status =
            finish_report(a,
                          json_pack("{s:i, s:s, s:s, s:b, s:b, s:O}", "schema", 1, "source",
                                    a->positional[0], "source_format", source, "passed",
                                    status == TRUENO_OK, "bounded", c.bounded, "steps", c.steps),
                          status, err);
    json_decref(c.steps);
    return status;
}

/* Keys of the first model's metadata that the second lacks or says otherwise. */
static json_t *changed_keys(const json_t *first, const json_t *second)
{
    const json_t *before = json_object_get(first, "metadata");
    const json_t *after = json_object_get(second, "metadata");
    json_t *list = json_array();
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)before, key, value)
    {
        if (!json_equal(value, json_object_get(after, key)))
            (void)json_array_append_new(list, json_string(key));
    }
    return list;
}

static trueno_status read_metadata(const cli_arguments *a, const char *path, json_t **out,
                                   trueno_error *err)
{
    char *text = NULL;
    size_t bytes = 0;
    apr_model *model;
    trueno_status status = load_model(a, path, false, &model, err);

    *out = NULL;
    if (status < 0)
        return status;
    status = apr_inspect_json(model, true, &text, &bytes, err);
    status = take_document(model, status, text, bytes, out, err);
    apr_model_close(model);
    return status;
}

static trueno_status compare_metadata(const chain *c, json_t **changed, trueno_error *err)
{
    json_t *first = NULL, *second = NULL;
    trueno_status status = read_metadata(c->a, c->a->positional[0], &first, err);

    if (status == TRUENO_OK)
        status = read_metadata(c->a, c->paths[c->n - 1], &second, err);
    if (status == TRUENO_OK)
        *changed = changed_keys(first, second);
    json_decref(first);
    json_decref(second);
    return status;
}

/* Remove the files of a round trip that this run has written. */
static void remove_results(const chain *c)
{
    static const char *const FILES[] = {"model.safetensors", "config.json",
                                        "generation_config.json", "tokenizer.json",
                                        "tokenizer_config.json"};

    for (int i = 0; i < c->done; i++) {
        char file[PATH_BYTES + 64];

        if (unlink(c->paths[i]) == 0)
            continue;
        for (size_t k = 0; k < sizeof FILES / sizeof FILES[0]; k++) {
            (void)snprintf(file, sizeof file, "%s/%s", c->paths[i], FILES[k]);
            (void)unlink(file);
        }
        (void)rmdir(c->paths[i]);
    }
    (void)rmdir(c->a->o.work_dir); /* when nothing else is in it */
}

static trueno_status report_round_trip(cli_arguments *a, chain *c, const char *source,
                                       double tolerance, json_t *changed, trueno_error *err)
{
    trueno_status status = TRUENO_OK;
    json_t *o;

    if (c->failed > 0)
        status = trueno_fail(err, TRUENO_CONTENT,
                             "%s: %llu tensors differ after %s and back by more than %g (largest "
                             "%g)",
                             a->positional[0], (unsigned long long)c->failed, c->formats[0],
                             tolerance, c->last.max);
    if (!a->o.json) {
        (void)printf("%s, %s, %s: largest difference %g, mean %g, %llu tensors, %zu changed keys\n",
                     source, c->formats[0], source, c->last.max, c->last.mean,
                     (unsigned long long)c->last.tensors, json_array_size(changed));
        for (size_t i = 0; i < json_array_size(changed); i++)
            (void)printf("  %s\n", json_string_value(json_array_get(changed, i)));
        return status;
    }
    o = comparison_json(&c->last);
    (void)json_object_set_new(o, "schema", json_integer(1));
    (void)json_object_set_new(o, "source", json_string(a->positional[0]));
    (void)json_object_set_new(o, "source_format", json_string(source));
    (void)json_object_set_new(o, "intermediate", json_string(c->formats[0]));
    (void)json_object_set_new(o, "tolerance", json_number(tolerance));
    (void)json_object_set_new(o, "is_equivalent", json_boolean(status == TRUENO_OK));
    (void)json_object_set(o, "changed_metadata", changed);
    (void)json_object_set(o, "differences",
                          json_object_get(json_array_get(c->steps, 0), "differences"));
    return finish_report(a, o, status, err);
}

trueno_status rosetta_verify_command(cli_arguments *a, trueno_error *err)
{
    const double tolerance = option_given(a, "tolerance") ? a->o.tolerance : 1e-5;
    char infix[32];
    chain c = {.a = a, .infix = infix, .n = 2, .bounded = true};
    json_t *changed = NULL;
    const char *source;
    trueno_status status;

    a->o.verify = true; /* what is converted is not damaged */
    if ((status = source_format(a, &source, err)) < 0)
        return status;
    (void)snprintf(infix, sizeof infix, "-%ld", (long)getpid());
    c.formats[0] = a->o.intermediate != NULL            ? a->o.intermediate
                   : strcmp(source, "safetensors") == 0 ? "apr"
                                                        : "safetensors";
    c.formats[1] = source;
    if ((status = check_formats(&c, source, err)) < 0)
        return status;
    c.steps = json_array();
    status = run_steps(&c, tolerance, true, err);
    if (status == TRUENO_OK)
        status = compare_metadata(&c, &changed, err);
    remove_results(&c);
    if (status == TRUENO_OK)
        status = report_round_trip(a, &c, source, tolerance, changed, err);
    json_decref(changed);
    json_decref(c.steps);
    return status;
}
