/* SPDX-License-Identifier: MIT */
/* apr inspect and apr tensors: what is in a model file. */
#include "commands.h"

#include <apr/inspect.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_BYTES = 100 };

void print_json_value(const json_t *value, size_t most)
{
    if (json_is_string(value)) {
        const char *text = json_string_value(value);
        size_t line = strcspn(text, "\n");

        (void)printf("%.*s%s\n", (int)(line < most ? line : most), text,
                     line < most && text[line] == '\0' ? "" : " ...");
    } else {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9));

        (void)printf("%.*s%s\n", (int)most, text != NULL ? text : "?",
                     text != NULL && strlen(text) > most ? " ..." : "");
        free(text);
    }
}

void print_members(const json_t *object, const char *indent, size_t most)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        if (strcmp(key, "schema") == 0)
            continue;
        if (strcmp(key, "metadata") == 0) {
            (void)printf("metadata\n");
            print_members(value, "  ", most);
            continue;
        }
        (void)printf("%s%-*s ", indent, (int)(32 - strlen(indent)), key);
        print_json_value(value, most);
    }
}

static void print_shape(const json_t *shape)
{
    char text[64];
    size_t used = 0;

    for (size_t i = 0; i < json_array_size(shape) && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%lld", i > 0 ? " x " : "",
                                 (long long)json_integer_value(json_array_get(shape, i)));
    (void)printf(" %-18s", text);
}

static void print_statistics(const json_t *stats)
{
    (void)printf("  min %10.4g max %10.4g mean %10.3g std %10.3g zeros %lld NaN %lld Inf %lld",
                 json_number_value(json_object_get(stats, "min")),
                 json_number_value(json_object_get(stats, "max")),
                 json_number_value(json_object_get(stats, "mean")),
                 json_number_value(json_object_get(stats, "std")),
                 (long long)json_integer_value(json_object_get(stats, "zero_count")),
                 (long long)json_integer_value(json_object_get(stats, "nan_count")),
                 (long long)json_integer_value(json_object_get(stats, "inf_count")));
}

void print_tensors(const json_t *document)
{
    const json_t *list = json_object_get(document, "tensors");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *t = json_array_get(list, i), *stats = json_object_get(t, "stats");

        (void)printf("%-36s %-7s", json_string_value(json_object_get(t, "name")),
                     json_string_value(json_object_get(t, "dtype")));
        print_shape(json_object_get(t, "shape"));
        (void)printf(" %12lld", (long long)json_integer_value(json_object_get(t, "bytes")));
        if (json_is_object(stats))
            print_statistics(stats);
        (void)putchar('\n');
    }
}

trueno_status take_document(const apr_model *model, trueno_status status, char *text, size_t bytes,
                            json_t **out, trueno_error *err)
{
    json_error_t problem;

    *out = NULL;
    if (status == TRUENO_OK && (*out = json_loadb(text, bytes, JSON_ALLOW_NUL, &problem)) == NULL)
        status =
            trueno_fail(err, TRUENO_INTERNAL, "document: line %d: %s", problem.line, problem.text);
    apr_inspect_free(model, text, bytes);
    return status;
}

trueno_status document_command(const cli_arguments *a, document_maker *make, document_teller *tell,
                               trueno_error *err)
{
    char *text = NULL;
    size_t bytes = 0;
    json_t *document;
    apr_model *model;
    trueno_status status = load_model(a, a->positional[0], true, &model, err);

    if (status < 0)
        return status;
    status = make(a, model, &text, &bytes, err);
    status = take_document(model, status, text, bytes, &document, err);
    apr_model_close(model);
    return status == TRUENO_OK ? tell(a, document, err) : status;
}

static trueno_status make_inspection(const cli_arguments *a, const apr_model *model, char **text,
                                     size_t *bytes, trueno_error *err)
{
    return apr_inspect_json(model, a->o.vocab, text, bytes, err);
}

static trueno_status tell_inspection(const cli_arguments *a, json_t *document, trueno_error *err)
{
    if (a->o.json)
        return print_json(document, err);
    print_members(document, "", VALUE_BYTES);
    json_decref(document);
    return TRUENO_OK;
}

trueno_status inspect_command(cli_arguments *a, trueno_error *err)
{
    return document_command(a, make_inspection, tell_inspection, err);
}

static trueno_status make_tensors(const cli_arguments *a, const apr_model *model, char **text,
                                  size_t *bytes, trueno_error *err)
{
    const apr_tensors_options options = {.size = sizeof options,
                                         .filter = a->o.filter,
                                         .limit = (size_t)a->o.limit,
                                         .stats = a->o.stats,
                                         .threads = (int32_t)a->o.threads};

    return apr_tensors_json(model, &options, text, bytes, err);
}

static trueno_status tell_tensors(const cli_arguments *a, json_t *document, trueno_error *err)
{
    if (a->o.json)
        return print_json(document, err);
    print_tensors(document);
    json_decref(document);
    return TRUENO_OK;
}

trueno_status tensors_command(cli_arguments *a, trueno_error *err)
{
    return document_command(a, make_tensors, tell_tensors, err);
}
