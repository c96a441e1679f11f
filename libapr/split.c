/* SPDX-License-Identifier: MIT */
/* Dividing a model into files, and joining files: which parts there are, and what they are called.
 */
#include "split.h"

#include "convert_check.h"
#include "file_limits.h"
#include "formats/write.h"
#include "output_folder.h"
#include <stdio.h>
#include <string.h>

static bool is_format(const apr_model *m, const char *name)
{
    return strncmp(m->format, name, strlen(name)) == 0;
}

/* Tensors from `first` on that go into one file: one at least. */
static size_t fill_part(const apr_model *m, size_t first, const apr_split_options *o)
{
    uint64_t bytes = m->tensors[first].bytes;
    size_t n = 1;

    while (first + n < m->n_tensors && (o->max_tensors == 0 || n < o->max_tensors)) {
        const uint64_t more = m->tensors[first + n].bytes;

        if (o->max_bytes > 0 && (more > o->max_bytes || bytes > o->max_bytes - more))
            break;
        bytes += more;
        n++;
    }
    return n;
}

static trueno_status divide(apr_split *s, apr_split_part parts[APR_LIMIT_SPLITS],
                            const apr_split_options *o, trueno_error *err)
{
    s->parts = parts;
    for (size_t first = 0; first < s->m->n_tensors; s->n_parts++) {
        if (s->n_parts == APR_LIMIT_SPLITS)
            return trueno_fail(err, TRUENO_USAGE, "%s: more than %d files", s->m->path,
                               APR_LIMIT_SPLITS);
        parts[s->n_parts] = (apr_split_part){first, fill_part(s->m, first, o)};
        first += parts[s->n_parts].n;
    }
    if (s->n_parts < 2)
        return trueno_fail(err, TRUENO_USAGE, "%s: all tensors fit one file of that limit",
                           s->m->path);
    return TRUENO_OK;
}

/* Open what was written, lazily, and compare it with the model. */
static trueno_status verify(const apr_model *m, const char *path, trueno_error *err)
{
    apr_model_options options = m->options;
    apr_model *written;
    trueno_status status;

    options.lazy = true;
    if ((status = apr_model_open(&written, path, &options, err)) < 0)
        return status;
    status = apr_convert_check_result(m, written, err);
    apr_model_close(written);
    return status;
}

static trueno_status split_gguf(const apr_split *s, const char *path, bool force, trueno_error *err)
{
    apr_output_folder out;
    char name[4096], to[4096], at[8300];
    trueno_status status = apr_output_folder_open_gguf(&out, path, s->n_parts, force, err);

    if (status < 0)
        return status;
    for (int32_t i = s->n_parts - 1; i >= 0 && status == TRUENO_OK; i--) {
        (void)out.name(&out, s->n_parts - 1 - i, name, to, sizeof name);
        (void)snprintf(at, sizeof at, "%s/%s", out.temporary, name);
        status = apr_split_write_gguf(s, i, at, err);
    }
    if (status == TRUENO_OK)
        status = verify(s->m, at, err); /* the first file */
    if (status == TRUENO_OK)
        status = apr_output_folder_commit(&out, err);
    apr_output_folder_abandon(&out);
    return status;
}

static trueno_status write_folder(const apr_split *s, const char *path, bool force,
                                  trueno_error *err)
{
    apr_output_folder out;
    trueno_status status = apr_output_folder_open(&out, path, force, err);

    if (status < 0)
        return status;
    if ((status = apr_split_write_safetensors(s, out.temporary, err)) == TRUENO_OK &&
        (status = verify(s->m, out.temporary, err)) == TRUENO_OK)
        status = apr_output_folder_commit(&out, err);
    apr_output_folder_abandon(&out);
    return status;
}

static trueno_status convert(const apr_model *m, const char *path, uint64_t shard_bytes, bool force,
                             trueno_error *err)
{
    apr_convert_options options;

    apr_convert_options_init(&options, sizeof options);
    options.format = "apr";
    options.shard_bytes = shard_bytes;
    options.force = force;
    return apr_convert_model(m, path, &options, err);
}

static trueno_status split_apr(const apr_model *m, const char *path, const apr_split_options *o,
                               int32_t *files, trueno_error *err)
{
    const apr_convert_options options = {.size = sizeof options, .shard_bytes = o->max_bytes};
    trueno_status status;

    if (o->max_bytes == 0 || o->max_tensors > 0)
        return trueno_fail(err, TRUENO_USAGE, "%s: .apr files are divided by their size alone",
                           m->path);
    if ((status = apr_count_shards(m, &options, files, err)) < 0)
        return status;
    if (*files < 2)
        return trueno_fail(err, TRUENO_USAGE, "%s: all tensors fit one file of that limit",
                           m->path);
    return convert(m, path, o->max_bytes, o->force, err);
}

trueno_status apr_split_model(const apr_model *m, const char *path,
                              const apr_split_options *options, int32_t *files, trueno_error *err)
{
    apr_split_part parts[APR_LIMIT_SPLITS];
    apr_split_options o = {0};
    apr_split s = {.m = m};
    int32_t n_files = 0;
    trueno_status status;

    if (options != NULL)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    if (o.max_bytes == 0 && o.max_tensors == 0)
        return trueno_fail(err, TRUENO_USAGE, "%s: no limit to divide by", m->path);
    if (is_format(m, "APR")) {
        status = split_apr(m, path, &o, &n_files, err);
    } else if (m->n_sources > 1) {
        status = trueno_fail(err, TRUENO_USAGE, "%s: is a set of %zu files; join it first", m->path,
                             m->n_sources);
    } else {
        if ((status = divide(&s, parts, &o, err)) == TRUENO_OK)
            status = is_format(m, "GGUF") ? split_gguf(&s, path, o.force, err)
                                          : write_folder(&s, path, o.force, err);
        n_files = s.n_parts;
    }
    if (files != NULL)
        *files = n_files;
    return status;
}

static trueno_status join_gguf(const apr_split *s, const char *path, bool force, trueno_error *err)
{
    apr_output_folder out;
    char name[4096], to[4096], at[8300];
    trueno_status status = apr_output_folder_open_gguf(&out, path, 1, force, err);

    if (status < 0)
        return status;
    (void)out.name(&out, 0, name, to, sizeof name);
    (void)snprintf(at, sizeof at, "%s/%s", out.temporary, name);
    if ((status = apr_split_write_gguf(s, 0, at, err)) == TRUENO_OK &&
        (status = verify(s->m, at, err)) == TRUENO_OK)
        status = apr_output_folder_commit(&out, err);
    apr_output_folder_abandon(&out);
    return status;
}

trueno_status apr_split_join(const apr_model *m, const char *path, bool force, trueno_error *err)
{
    const apr_split_part all = {0, m->n_tensors};
    const apr_split s = {m, &all, 1};

    if (m->n_sources < 2)
        return trueno_fail(err, TRUENO_USAGE, "%s: is one file already", m->path);
    if (is_format(m, "APR"))
        return convert(m, path, 0, force, err);
    return is_format(m, "GGUF") ? join_gguf(&s, path, force, err)
                                : write_folder(&s, path, force, err);
}
