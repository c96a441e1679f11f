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

/* Is the number of n characters an integer that is too large for jansson, 2^63 or more? */
static bool is_large_integer(const char *number, size_t n)
{
    static const char most[] = "9223372036854775807";

    for (size_t i = 0; i < n; i++)
        if (number[i] < '0' || number[i] > '9')
            return false;
    return n > sizeof most - 1 || (n == sizeof most - 1 && memcmp(number, most, n) > 0);
}

static size_t number_length(const char *p, const char *end)
{
    size_t n = 0;

    while (p + n < end && p[n] != '\0' && strchr("0123456789.eE+-", p[n]) != NULL)
        n++;
    return n;
}

/* Parse a document; integers that jansson does not hold become strings, so that no digit is lost.
 */
static json_t *parse_document(const char *text, size_t bytes, json_error_t *problem)
{
    const char *end = text + bytes;
    char *copy = malloc(bytes + bytes / 9 + 2), *to = copy; /* quotes: 2 for 19 digits */
    bool in_string = false;
    json_t *document;

    if (copy == NULL)
        return NULL;
    for (const char *p = text; p < end;) {
        size_t n = 1; /* characters that go along as they are */

        if (in_string && *p == '\\') {
            n = end - p > 1 ? 2 : 1;
        } else if (*p == '"') {
            in_string = !in_string;
        } else if (!in_string && *p >= '0' && *p <= '9') {
            n = number_length(p, end);
            if (p[-(p > text)] != '-' && is_large_integer(p, n)) {
                to += sprintf(to, "\"%.*s\"", (int)n, p);
                p += n;
                continue;
            }
        }
        memcpy(to, p, n);
        to += n;
        p += n;
    }
    document = json_loadb(copy, (size_t)(to - copy), JSON_ALLOW_NUL, problem);
    free(copy);
    return document;
}

trueno_status take_document(const apr_model *model, trueno_status status, char *text, size_t bytes,
                            json_t **out, trueno_error *err)
{
    json_error_t problem = {.text = "no memory"};

    *out = NULL;
    if (status == TRUENO_OK && (*out = parse_document(text, bytes, &problem)) == NULL)
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
