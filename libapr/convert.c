/* SPDX-License-Identifier: MIT */
/* Converting a model: choose the writer, write, read back and compare, then give the file its name.
 */
#include <apr/convert.h>

#include "convert_check.h"
#include "formats/write.h"
#include "model_private.h"
#include "output_folder.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <trueno/cpu.h>
#include <trueno/sys/threads.h>

static const struct writer_row {
    const char *name, *extension;
    const char *weights; /* extension of a file that stands for a folder's files beside it */
    /* one of the two: into a file, or into an empty folder */
    trueno_status (*write)(const apr_model *m, apr_output *out, const apr_convert_options *options,
                           trueno_error *err);
    trueno_status (*write_folder)(const apr_model *m, const char *folder,
                                  const apr_convert_options *options, trueno_error *err);
    bool packs; /* compresses tensors, and writes sets of files */
} WRITERS[] = {
    {"apr", ".apr", NULL, apr_write_apr, NULL, true},
    {"gguf", ".gguf", NULL, apr_write_gguf, NULL, false},
    {"safetensors", "-safetensors", ".safetensors", NULL, apr_write_safetensors, false},
};

enum { N_WRITERS = sizeof WRITERS / sizeof WRITERS[0] };

void apr_convert_options_init(apr_convert_options *o, size_t size)
{
    const apr_convert_options defaults = {.size = size};

    memset(o, 0, size);
    memcpy(o, &defaults, size < sizeof defaults ? size : sizeof defaults);
}

static bool has_extension(const char *path, const char *extension)
{
    size_t n = strlen(path), m = strlen(extension);

    while (n > 1 && path[n - 1] == '/')
        n--;
    return n > m && strncasecmp(path + n - m, extension, m) == 0;
}

static trueno_status find_writer(const char *path, const char *format,
                                 const struct writer_row **out, trueno_error *err)
{
    const struct writer_row *by_name = NULL, *by_format = NULL;
    const char *dot = strrchr(path, '.');

    for (int i = 0; i < N_WRITERS; i++) {
        if (has_extension(path, WRITERS[i].extension) ||
            (WRITERS[i].weights != NULL && has_extension(path, WRITERS[i].weights)))
            by_name = &WRITERS[i];
        if (format != NULL && strcasecmp(WRITERS[i].name, format) == 0)
            by_format = &WRITERS[i];
    }
    *out = format != NULL ? by_format : by_name;
    if (*out == NULL)
        return trueno_fail(err, TRUENO_USAGE,
                           "%s: cannot write the format '%s'; known are apr, gguf, safetensors",
                           path,
                           format != NULL ? format
                           : dot != NULL  ? dot
                                          : "");
    if (by_name != NULL && by_name != *out)
        return trueno_fail(err, TRUENO_USAGE, "%s: the name says %s, the format is %s", path,
                           by_name->name, (*out)->name);
    return TRUENO_OK;
}

static bool same_format(const apr_model *m, const struct writer_row *writer)
{
    return strncasecmp(m->format, writer->name, strlen(writer->name)) == 0;
}

/* Open what was written, whose bytes are known to be right, and compare it with its source. */
static trueno_status verify(const apr_model *m, const char *path, trueno_error *err)
{
    apr_model_options options = m->options;
    apr_model *written;
    trueno_status status;

    options.lenient = false;
    options.lazy = true; /* the bytes were read back */
    if ((status = apr_model_open(&written, path, &options, err)) < 0)
        return status;
    status = apr_convert_check_result(m, written, err);
    if (status == TRUENO_OK)
        status = apr_convert_check_source(written, err);
    apr_model_close(written);
    return status;
}

static trueno_status convert_to_file(const apr_model *m, const struct writer_row *writer,
                                     const char *path, const apr_convert_options *options,
                                     trueno_error *err)
{
    apr_output out;
    trueno_status status = apr_output_open(&out, path, options->force, err);

    if (status < 0)
        return status;
    if ((status = writer->write(m, &out, options, err)) == TRUENO_OK &&
        (status = apr_output_finish(&out, err)) == TRUENO_OK &&
        (status = verify(m, out.temporary, err)) == TRUENO_OK)
        status = apr_output_commit(&out, err);
    apr_output_abandon(&out);
    return status;
}

static trueno_status convert_to_folder(const apr_model *m, const struct writer_row *writer,
                                       const char *path, const apr_convert_options *options,
                                       trueno_error *err)
{
    apr_output_folder out;
    const bool beside = has_extension(path, writer->weights);
    trueno_status status = beside ? apr_output_folder_open_beside(&out, path, options->force, err)
                                  : apr_output_folder_open(&out, path, options->force, err);

    if (status < 0)
        return status;
    if ((status = writer->write_folder(m, out.temporary, options, err)) == TRUENO_OK &&
        (status = verify(m, out.temporary, err)) == TRUENO_OK)
        status = apr_output_folder_commit(&out, err);
    apr_output_folder_abandon(&out);
    return status;
}

/* Into a set of files, or one when it is enough. */
static trueno_status convert_to_set(const apr_model *m, const struct writer_row *writer,
                                    const char *path, const apr_convert_options *options,
                                    trueno_error *err)
{
    apr_output_folder out;
    char manifest[sizeof out.temporary + sizeof out.path + 16];
    const char *stem;
    int32_t count;
    trueno_status status = apr_count_shards(m, options, &count, err);

    if (status < 0)
        return status;
    if (count <= 1)
        return convert_to_file(m, writer, path, options, err);
    if ((status = apr_output_folder_open_set(&out, path, count, options->force, err)) < 0)
        return status;
    stem = strrchr(out.stem, '/') != NULL ? strrchr(out.stem, '/') + 1 : out.stem;
    (void)snprintf(manifest, sizeof manifest, "%s/%s.apr.index.json", out.temporary, stem);
    if ((status = apr_write_shards(m, out.temporary, stem, options, err)) == TRUENO_OK &&
        (status = verify(m, manifest, err)) == TRUENO_OK)
        status = apr_output_folder_commit(&out, err);
    apr_output_folder_abandon(&out);
    return status;
}

static trueno_status convert_on_threads(const apr_model *model, const struct writer_row *writer,
                                        const char *path, const apr_convert_options *options,
                                        trueno_error *err)
{
    apr_convert_options o = *options;
    trueno_pool *own = NULL;
    trueno_status status;

    if (o.pool == NULL) {
        const int threads = o.threads > 0 ? o.threads : trueno_cpu_default_threads();

        if ((status = trueno_pool_new(&own, threads, model->options.allocator, err)) < 0)
            return status;
        o.pool = own;
    }
    status = o.shard_bytes > 0       ? convert_to_set(model, writer, path, &o, err)
             : writer->write != NULL ? convert_to_file(model, writer, path, &o, err)
                                     : convert_to_folder(model, writer, path, &o, err);
    trueno_pool_free(own);
    return status;
}

static trueno_status check_packing(const apr_convert_options *o, const struct writer_row *writer,
                                   trueno_error *err)
{
    if (o->compress != NULL && strcmp(o->compress, "zstd") != 0)
        return trueno_fail(err, TRUENO_USAGE, "cannot compress with '%s'; known is zstd",
                           o->compress);
    if (!writer->packs && (o->compress != NULL || o->shard_bytes > 0))
        return trueno_fail(err, TRUENO_USAGE, "%s: only .apr files are %s", writer->name,
                           o->compress != NULL ? "compressed" : "written in shards");
    return TRUENO_OK;
}

/* Whether the same format again would be another file. */
static bool something_changes(const apr_model *m, const struct writer_row *writer,
                              const apr_convert_options *o)
{
    return m->blend != NULL || o->mix != NULL || o->compress != NULL || o->shard_bytes > 0 ||
           (writer->packs && (m->n_sources > 1 || m->packed != NULL));
}

trueno_status apr_convert_model(const apr_model *model, const char *path,
                                const apr_convert_options *options, trueno_error *err)
{
    const struct writer_row *writer;
    apr_convert_options o = {0};
    trueno_status status;

    if (options != NULL)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    if ((status = find_writer(path, o.format, &writer, err)) < 0)
        return status;
    if ((status = check_packing(&o, writer, err)) < 0)
        return status;
    if (same_format(model, writer) && !something_changes(model, writer, &o))
        return trueno_fail(err, TRUENO_USAGE, "%s: is %s already; only its weight types can change",
                           model->path, model->format);
    if ((status = apr_convert_check_source(model, err)) < 0)
        return status;
    return convert_on_threads(model, writer, path, &o, err);
}
