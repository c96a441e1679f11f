/* SPDX-License-Identifier: MIT */
/* Opening a model: map, probe, read; and closing it. */
#include "formats.h"
#include "formats/hf.h"
#include "model_private.h"
#include "packed_tensors.h"
#include "reader.h"
#include <string.h>
#include <sys/stat.h>

void apr_model_options_init(apr_model_options *o, size_t size)
{
    const apr_model_options defaults = {.size = size};

    memset(o, 0, size);
    memcpy(o, &defaults, size < sizeof defaults ? size : sizeof defaults);
}

/* A model with its path and room for one source. */
static trueno_status new_model(apr_model **out, const char *path, const apr_model_options *options,
                               trueno_error *err)
{
    const trueno_allocator *allocator = options != NULL ? options->allocator : NULL;
    apr_model *m = trueno_allocate_zero(allocator, sizeof *m);

    *out = m;
    if (m == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for a model", path);
    apr_model_options_init(&m->options, sizeof m->options);
    if (options != NULL)
        memcpy(&m->options, options,
               options->size < sizeof m->options ? options->size : sizeof m->options);
    m->options.allocator = allocator;
    m->arena.allocator = allocator;
    m->defaults = (apr_generation_defaults){-1, -1, -1, -1, -1, -1};
    m->path = path; /* replaced by a copy at once; for the message if there is no memory for it */
    if ((m->path = trueno_arena_string(&m->arena, path, strlen(path))) == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for the path", path);
    return apr_model_allocate(m, &m->sources, 1, sizeof *m->sources, "file", err);
}

static trueno_status read_first(apr_model *m, trueno_error *err)
{
    const trueno_map *map = &m->sources[0].map;
    const apr_format *format = apr_format_probe(map->data, map->bytes);

    if (format == NULL) {
        char begin[12];

        apr_printable(begin, sizeof begin, (const char *)map->data,
                      map->bytes < 4 ? map->bytes : 4);
        return trueno_fail(err, TRUENO_FORMAT,
                           "%s: begins with '%s' and is no model file of a known format", m->path,
                           begin);
    }
    m->format = format->name;
    return format->read(m, err);
}

/* Give the opened model to the caller, or close it and pass the failure on. */
static trueno_status finish_open(apr_model **out, apr_model *m, trueno_status status)
{
    if (status < 0) {
        apr_model_close(m);
        return status;
    }
    *out = m;
    return TRUENO_OK;
}

trueno_status apr_model_open(apr_model **out, const char *path, const apr_model_options *options,
                             trueno_error *err)
{
    struct stat info;
    apr_model *m;
    trueno_status status;

    *out = NULL;
    if ((status = new_model(&m, path, options, err)) < 0)
        return finish_open(out, m, status);
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        status = apr_hf_read_folder(m, err);
    else if ((status = apr_model_add_file(m, path, err)) == TRUENO_OK)
        status = read_first(m, err);
    return finish_open(out, m, status);
}

trueno_status apr_model_open_memory(apr_model **out, const void *data, size_t bytes,
                                    const apr_model_options *options, trueno_error *err)
{
    apr_model *m;
    trueno_status status;

    *out = NULL;
    if ((status = new_model(&m, "memory", options, err)) == TRUENO_OK) {
        m->sources[0] = (apr_source){.map = {data, bytes, false}, .path = m->path};
        m->n_sources = 1;
        status = read_first(m, err);
    }
    return finish_open(out, m, status);
}

void apr_model_close(apr_model *m)
{
    const trueno_allocator *allocator;

    if (m == NULL)
        return;
    allocator = m->options.allocator;
    apr_packed_close(m);
    for (size_t i = 0; i < m->n_sources; i++)
        trueno_map_close(&m->sources[i].map);
    trueno_arena_free(&m->arena);
    trueno_release(allocator, m, sizeof *m);
}
