/* SPDX-License-Identifier: MIT */
/* apr split and apr join: a model as a set of files, and back. */
#include "commands.h"

#include <apr/split.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The source's name without folder, number and extension. */
static void stem_of(const char *path, char *out, size_t capacity)
{
    static const char *const ENDS[] = {".gguf", ".safetensors", ".apr.index.json", ".apr"};
    const char *base;
    size_t n = strlen(path);
    int first, second, length;

    while (n > 1 && path[n - 1] == '/')
        n--;
    base = path + n;
    while (base > path && base[-1] != '/')
        base--;
    n -= (size_t)(base - path);
    for (size_t i = 0; i < sizeof ENDS / sizeof ENDS[0]; i++)
        if (n > strlen(ENDS[i]) &&
            strncasecmp(base + n - strlen(ENDS[i]), ENDS[i], strlen(ENDS[i])) == 0) {
            n -= strlen(ENDS[i]);
            break;
        }
    if (n > 15 && sscanf(base + n - 15, "-%5d-of-%5d%n", &first, &second, &length) == 2 &&
        length == 15)
        n -= 15;
    (void)snprintf(out, capacity, "%.*s", (int)n, base);
}

/* Where to write: --output, or the source's stem in the working folder. */
static trueno_status choose_output(const cli_arguments *a, const apr_model *model, bool split,
                                   char *out, size_t capacity, trueno_error *err)
{
    const bool folder = strcmp(apr_model_format(model), "SafeTensors") == 0;
    const bool gguf = strncmp(apr_model_format(model), "GGUF", 4) == 0;
    char stem[512];
    int n;

    stem_of(a->positional[0], stem, sizeof stem);
    n = a->o.output != NULL ? snprintf(out, capacity, "%s", a->o.output)
                            : snprintf(out, capacity, "%s%s", stem,
                                       folder && split ? "-split"
                                       : folder        ? "-joined"
                                       : gguf          ? ".gguf"
                                                       : ".apr");
    if (n < 0 || (size_t)n >= capacity)
        return trueno_fail(err, TRUENO_USAGE, "the output's path is too long");
    return TRUENO_OK;
}

static trueno_status report(const cli_arguments *a, const char *verb, const char *output,
                            int32_t files, trueno_error *err)
{
    if (a->o.json)
        return print_json(json_pack("{s:i, s:s, s:s, s:i}", "schema", 1, "source", a->positional[0],
                                    "output", output, "files", files),
                          err);
    print_note(a, "%s %s as %s, files: %d", verb, a->positional[0], output, files);
    return TRUENO_OK;
}

trueno_status split_command(cli_arguments *a, trueno_error *err)
{
    apr_split_options options = {
        .size = sizeof options, .max_tensors = (uint64_t)a->o.max_tensors, .force = a->o.force};
    char output[4096];
    int32_t files = 0;
    apr_model *model = NULL;
    trueno_status status = TRUENO_OK;

    a->o.verify = true; /* damaged weights would get checksums that fit them */
    if (a->o.max_shard_size != NULL)
        status = parse_size(a->o.max_shard_size, &options.max_bytes, err);
    else if (options.max_tensors == 0)
        status = trueno_fail(err, TRUENO_USAGE,
                             "--max-shard-size SIZE or --max-tensors N is "
                             "needed");
    if (status == TRUENO_OK)
        status = load_model(a, a->positional[0], true, &model, err);
    if (status == TRUENO_OK)
        status = choose_output(a, model, true, output, sizeof output, err);
    if (status == TRUENO_OK)
        status = apr_split_model(model, output, &options, &files, err);
    apr_model_close(model);
    return status < 0 ? status : report(a, "split", output, files, err);
}

trueno_status join_command(cli_arguments *a, trueno_error *err)
{
    char output[4096];
    apr_model *model = NULL;
    trueno_status status;

    a->o.verify = true; /* as for split */
    status = load_model(a, a->positional[0], true, &model, err);
    if (status == TRUENO_OK)
        status = choose_output(a, model, false, output, sizeof output, err);
    if (status == TRUENO_OK)
        status = apr_split_join(model, output, a->o.force, err);
    apr_model_close(model);
    return status < 0 ? status : report(a, "joined", output, 1, err);
}
