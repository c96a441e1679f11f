/* SPDX-License-Identifier: MIT */
/* apr convert, import and export: a model in another format, or with other weight types. */
#include "commands.h"

#include <apr/convert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a conversion is asked to do. */
typedef struct conversion {
    cli_arguments *a;
    const char *format; /* given, or what the command stands for; NULL: by the extension */
    const char *target; /* as an argument; NULL: by --output */
    char *output;       /* allocated */
    double last_shown;
} conversion;

static const char *extension(const char *path)
{
    const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');

    return dot != NULL && (slash == NULL || dot > slash) ? dot + 1 : "";
}

/* Without --output: the source's stem and the format's extension, in the working folder. */
static trueno_status derive_output(conversion *c, trueno_error *err)
{
    const char *source = c->a->positional[0], *base = strrchr(source, '/');
    size_t stem, bytes;

    base = base != NULL && base[1] != '\0' ? base + 1 : source;
    stem = strcspn(base, "/");
    if (extension(base)[0] != '\0')
        stem -= strlen(extension(base)) + 1;
    if (c->format == NULL)
        return trueno_fail(err, TRUENO_USAGE, "--output FILE or --format is needed");
    bytes = stem + strlen(c->format) + 2;
    c->output = malloc(bytes);
    if (c->output == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a path");
    (void)snprintf(c->output, bytes, "%.*s%c%s", (int)stem, base,
                   strcmp(c->format, "safetensors") == 0 ? '-' : '.', c->format); /* a folder */
    return TRUENO_OK;
}

static trueno_status choose_output(conversion *c, trueno_error *err)
{
    const char *given = c->target != NULL ? c->target : c->a->o.output;

    if (c->target != NULL && c->a->o.output != NULL)
        return trueno_fail(err, TRUENO_USAGE, "the target is given twice: %s and --output %s",
                           c->target, c->a->o.output);
    if (given == NULL)
        return derive_output(c, err);
    if (c->a->o.format == NULL && extension(given)[0] != '\0')
        c->format = NULL; /* the extension decides */
    c->output = strdup(given);
    return c->output != NULL ? TRUENO_OK : trueno_fail(err, TRUENO_NO_MEMORY, "no memory");
}

static bool show_progress(void *user, uint64_t done, uint64_t total)
{
    conversion *c = user;
    double now = now_milliseconds();

    if (c->a->o.quiet || c->a->o.json || !isatty(STDERR_FILENO) ||
        (now - c->last_shown < 100 && done < total))
        return !interrupted();
    c->last_shown = now;
    (void)fprintf(stderr, "\r%s: %3.0f %%", c->output,
                  total > 0 ? 100.0 * (double)done / (double)total : 100.0);
    if (done >= total)
        (void)fprintf(stderr, "\r\033[K");
    return !interrupted();
}

/* Bytes of a file, or of the files of a folder. */
static json_int_t bytes_of(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    struct stat info = {0};
    json_int_t bytes = 0;

    if (dir == NULL)
        return stat(path, &info) == 0 ? (json_int_t)info.st_size : 0;
    while ((entry = readdir(dir)) != NULL)
        if (fstatat(dirfd(dir), entry->d_name, &info, 0) == 0 && S_ISREG(info.st_mode))
            bytes += (json_int_t)info.st_size;
    (void)closedir(dir);
    return bytes;
}

/* Of a set it is the manifest that was made last. */
static void find_manifest(conversion *c)
{
    const char *dot = strrchr(c->output, '.');
    const int stem = (int)(dot != NULL ? dot - c->output : (ptrdiff_t)strlen(c->output));
    struct stat single, manifest;
    char path[4096];

    if (snprintf(path, sizeof path, "%.*s.apr.index.json", stem, c->output) >= (int)sizeof path ||
        stat(path, &manifest) != 0 ||
        (stat(c->output, &single) == 0 && single.st_mtime > manifest.st_mtime))
        return;
    free(c->output);
    c->output = strdup(path);
}

/* Bytes of all files of a set; 0: it is none. */
static json_int_t bytes_of_set(const char *path)
{
    apr_model_options o;
    apr_model *set;
    json_int_t bytes;

    apr_model_options_init(&o, sizeof o);
    o.lazy = true;
    if (apr_model_open(&set, path, &o, NULL) < 0)
        return 0;
    bytes = (json_int_t)apr_model_bytes(set);
    apr_model_close(set);
    return bytes;
}

static trueno_status report(const conversion *c, const apr_model *source, double began,
                            trueno_error *err)
{
    const json_int_t bytes =
        c->a->o.max_shard_size != NULL ? bytes_of_set(c->output) : bytes_of(c->output);
    double seconds = (now_milliseconds() - began) / 1e3;

    if (c->a->o.json)
        return print_json(json_pack("{s:i, s:s, s:s, s:I, s:I, s:o}", "schema", 1, "source",
                                    c->a->positional[0], "output", c->output, "source_bytes",
                                    (json_int_t)apr_model_bytes(source), "output_bytes", bytes,
                                    "seconds", json_number(seconds)),
                          err);
    print_note(c->a, "%s: %.1f MB from %.1f MB in %.1f s", c->output, (double)bytes * 1e-6,
               (double)apr_model_bytes(source) * 1e-6, seconds);
    return TRUENO_OK;
}

/* "4GB", "500MB", "1GiB", "1000000": bytes, in powers of 1000 or of 1024. */
trueno_status parse_size(const char *text, uint64_t *out, trueno_error *err)
{
    static const struct {
        const char *unit;
        double bytes;
    } UNITS[] = {{"", 1},       {"B", 1},         {"KB", 1e3},     {"MB", 1e6},
                 {"GB", 1e9},   {"K", 1024},      {"M", 1 << 20},  {"G", 1 << 30},
                 {"KiB", 1024}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};
    char *end;
    const double number = strtod(text, &end);

    for (size_t i = 0; end != text && i < sizeof UNITS / sizeof UNITS[0]; i++)
        if (strcasecmp(end, UNITS[i].unit) == 0 && number * UNITS[i].bytes >= 1 &&
            number * UNITS[i].bytes < 1e18) {
            *out = (uint64_t)(number * UNITS[i].bytes);
            return TRUENO_OK;
        }
    return trueno_fail(err, TRUENO_USAGE, "--max-shard-size: '%s' is no size like 4GB or 500MB",
                       text);
}

/* The options of the conversion by those of the command. */
static trueno_status read_options(conversion *c, apr_convert_options *o, trueno_error *err)
{
    const cli_options *given = &c->a->o;

    apr_convert_options_init(o, sizeof *o);
    o->format = c->format;
    o->force = given->force;
    o->threads = (int32_t)given->threads;
    o->progress = show_progress;
    o->progress_user = c;
    o->compress = strcmp(given->compress, "none") != 0 ? given->compress : NULL;
    if (given->quantize != NULL && (o->mix = apr_mix_find(given->quantize)) == NULL)
        return trueno_fail(err, TRUENO_USAGE, "--quantize: '%s' is no weight type and no mix",
                           given->quantize);
    return given->max_shard_size != NULL ? parse_size(given->max_shard_size, &o->shard_bytes, err)
                                         : TRUENO_OK;
}

static trueno_status convert(conversion *c, trueno_error *err)
{
    apr_convert_options o = {0};
    apr_model *model = NULL;
    apr_importance *importance = NULL;
    double began = now_milliseconds();
    trueno_status status = choose_output(c, err);

    c->a->o.verify = true; /* what is converted is not damaged */
    interrupt_ask();
    if (status == TRUENO_OK)
        status = read_options(c, &o, err);
    if (status == TRUENO_OK && c->a->o.imatrix != NULL) {
        status = o.mix != NULL ? apr_importance_open(&importance, c->a->o.imatrix, err)
                               : trueno_fail(err, TRUENO_USAGE, "--imatrix needs --quantize TYPE");
        o.importance = importance;
    }
    if (status == TRUENO_OK)
        status = load_model(c->a, c->a->positional[0], false, &model, err);
    if (status == TRUENO_OK)
        status = apr_convert_model(model, c->output, &o, err);
    if (status == TRUENO_OK && c->a->o.max_shard_size != NULL)
        find_manifest(c);
    if (status == TRUENO_OK)
        status = report(c, model, began, err);
    apr_importance_free(importance);
    apr_model_close(model);
    free(c->output);
    return status;
}

trueno_status convert_command(cli_arguments *a, trueno_error *err)
{
    conversion c = {.a = a, .format = a->o.format};

    return convert(&c, err);
}

trueno_status rosetta_convert_command(cli_arguments *a, trueno_error *err)
{
    conversion c = {.a = a, .format = a->o.format, .target = a->positional[1]};

    return convert(&c, err);
}

trueno_status import_command(cli_arguments *a, trueno_error *err)
{
    conversion c = {.a = a, .format = a->o.format != NULL ? a->o.format : "apr"};

    return convert(&c, err);
}
