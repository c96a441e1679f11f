/* SPDX-License-Identifier: MIT */
/* Converting a model: choose the writer, write, read back and compare, then give the file its name.
 */
#include <apr/convert.h>

#include "formats/write.h"
#include "model_private.h"
#include <string.h>
#include <strings.h>

static const struct writer_row {
    const char *name, *extension;
    trueno_status (*write)(const apr_model *m, apr_output *out, const apr_convert_options *options,
                           trueno_error *err);
} WRITERS[] = {
    {"apr", ".apr", apr_write_apr},
    {"gguf", ".gguf", apr_write_gguf},
};

enum { N_WRITERS = sizeof WRITERS / sizeof WRITERS[0] };

void apr_convert_options_init(apr_convert_options *o, size_t size)
{
    const apr_convert_options defaults = {.size = size};

    memset(o, 0, size);
    memcpy(o, &defaults, size < sizeof defaults ? size : sizeof defaults);
}

static trueno_status find_writer(const char *path, const char *format,
                                 const struct writer_row **out, trueno_error *err)
{
    const char *dot = strrchr(path, '.');

    *out = NULL;
    for (int i = 0; i < N_WRITERS; i++)
        if (format != NULL ? strcasecmp(WRITERS[i].name, format) == 0
                           : dot != NULL && strcasecmp(WRITERS[i].extension, dot) == 0)
            *out = &WRITERS[i];
    if (*out == NULL)
        return trueno_fail(err, TRUENO_USAGE,
                           "%s: cannot write the format '%s'; known are apr, gguf", path,
                           format != NULL ? format
                           : dot != NULL  ? dot
                                          : "");
    for (int i = 0; i < N_WRITERS && dot != NULL; i++)
        if (strcasecmp(WRITERS[i].extension, dot) == 0 && &WRITERS[i] != *out)
            return trueno_fail(err, TRUENO_USAGE, "%s: the name says %s, the format is %s", path,
                               WRITERS[i].name, (*out)->name);
    return TRUENO_OK;
}

static bool same_format(const apr_model *m, const struct writer_row *writer)
{
    return strncasecmp(m->format, writer->name, strlen(writer->name)) == 0;
}

/* What must be the same in both, with the code of its difference. */
static trueno_status compare(const apr_model *before, const apr_model *after, trueno_error *err)
{
    const apr_config *a = &before->config, *b = &after->config;
    const struct {
        const char *code, *what;
        long long before, after;
    } rows[] = {
        {"ROSETTA-HIDDEN-001", "hidden size", a->hidden_size, b->hidden_size},
        {"ROSETTA-LAYER-001", "number of layers", a->n_layers, b->n_layers},
        {"ROSETTA-DIM-001", "number of key-value heads", a->n_kv_heads, b->n_kv_heads},
        {"ROSETTA-VOCAB-001", "vocabulary size", a->vocab_size, b->vocab_size},
        {"ROSETTA-VOCAB-001", "vocabulary", before->has_vocab, after->has_vocab},
        {"ROSETTA-VOCAB-001", "number of merges", before->vocab.n_merges, after->vocab.n_merges},
    };

    if (strcmp(a->architecture, b->architecture) != 0)
        return trueno_fail(err, TRUENO_CONTENT, "%s: architecture %s became %s (ROSETTA-ARCH-001)",
                           before->path, a->architecture, b->architecture);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].before != rows[i].after)
            return trueno_fail(err, TRUENO_CONTENT, "%s: %s %lld became %lld (%s)", before->path,
                               rows[i].what, rows[i].before, rows[i].after, rows[i].code);
    if (apr_model_parameters(after) < apr_model_parameters(before))
        return trueno_fail(err, TRUENO_CONTENT, "%s: %llu weights became %llu (ROSETTA-COUNT-001)",
                           before->path, (unsigned long long)apr_model_parameters(before),
                           (unsigned long long)apr_model_parameters(after));
    return TRUENO_OK;
}

/* Open what was written, with every checksum, and compare it with what it was made from. */
static trueno_status verify(const apr_model *m, const apr_output *out, trueno_error *err)
{
    apr_model_options options = m->options;
    apr_model *written;
    trueno_status status;

    options.verify = true;
    options.lenient = false;
    if ((status = apr_model_open(&written, out->temporary, &options, err)) < 0)
        return status;
    status = compare(m, written, err);
    if (status == TRUENO_OK)
        status = apr_model_check_shapes(written, err);
    apr_model_close(written);
    return status;
}

trueno_status apr_convert_model(const apr_model *model, const char *path,
                                const apr_convert_options *options, trueno_error *err)
{
    const struct writer_row *writer;
    apr_convert_options o = {0};
    apr_output out;
    trueno_status status;

    if (options != NULL)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    if ((status = find_writer(path, o.format, &writer, err)) < 0)
        return status;
    if (same_format(model, writer) && o.mix == NULL)
        return trueno_fail(err, TRUENO_USAGE, "%s: is %s already; only its weight types can change",
                           model->path, model->format);
    if ((status = apr_output_open(&out, path, o.force, err)) < 0)
        return status;
    if ((status = writer->write(model, &out, &o, err)) == TRUENO_OK &&
        (status = apr_output_finish(&out, err)) == TRUENO_OK &&
        (status = verify(model, &out, err)) == TRUENO_OK)
        status = apr_output_commit(&out, err);
    apr_output_abandon(&out);
    return status;
}
