/* SPDX-License-Identifier: MIT */
/* Telling the fields of files: the walk, and which of the formats' walks is taken. */
#include "layout.h"

#include "packed_tensors.h"
#include "reader.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void tell(apr_walk *w, uint64_t bytes, const char *what, const char *value)
{
    const apr_region region = {w->file, w->position, bytes,      w->data + w->position,
                               what,    value,       w->unpacked};

    if (w->fn != NULL) /* else bytes are passed over */
        w->fn(w->user, &region);
}

static bool has(apr_walk *w, uint64_t bytes)
{
    w->ended = w->ended || bytes > w->bytes - w->position;
    return !w->ended;
}

const uint8_t *apr_walk_field(apr_walk *w, uint64_t bytes, const char *what, const char *format,
                              ...)
{
    char value[APR_VALUE_BYTES];
    const uint8_t *at = w->data + w->position;
    va_list arguments;

    if (!has(w, bytes))
        return NULL;
    va_start(arguments, format);
    (void)vsnprintf(value, sizeof value, format, arguments);
    va_end(arguments);
    tell(w, bytes, what, value);
    w->position += bytes;
    return at;
}

uint64_t apr_walk_number(apr_walk *w, int bytes, const char *what)
{
    uint64_t value = 0;

    if (!has(w, (uint64_t)bytes))
        return 0;
    for (int i = bytes - 1; i >= 0; i--)
        value = value << 8 | w->data[w->position + (uint64_t)i];
    (void)apr_walk_field(w, (uint64_t)bytes, what, "%" PRIu64, value);
    return value;
}

void apr_walk_text(apr_walk *w, uint64_t bytes, const char *what)
{
    char shown[APR_VALUE_BYTES - 2];

    if (!has(w, bytes))
        return;
    apr_printable(shown, sizeof shown, (const char *)w->data + w->position, (size_t)bytes);
    (void)apr_walk_field(w, bytes, what, "%s", shown);
}

void apr_walk_remark(apr_walk *w, const char *what, const char *format, ...)
{
    char value[APR_VALUE_BYTES];
    va_list arguments;

    if (w->ended)
        return;
    va_start(arguments, format);
    (void)vsnprintf(value, sizeof value, format, arguments);
    va_end(arguments);
    tell(w, 0, what, value);
}

static apr_walk begin(const apr_model *m, size_t source, const apr_layout_options *o,
                      apr_region_fn fn, void *user)
{
    const apr_source *s = &m->sources[source];

    return (apr_walk){.file = s->path,
                      .data = s->map.data,
                      .bytes = s->map.bytes,
                      .limit = o->limit > 0 ? o->limit : 8,
                      .fn = fn,
                      .user = user};
}

static void tell_tables(const apr_model *m, const apr_layout_options *o, apr_region_fn fn,
                        void *user)
{
    static const struct {
        const char *format;
        void (*walk)(apr_walk *w, const apr_model *m, size_t source);
    } FORMATS[] = {
        {"GGUF", apr_walk_gguf}, {"APR", apr_walk_apr}, {"SafeTensors", apr_walk_safetensors}};

    for (size_t source = 0; source < m->n_sources; source++)
        for (size_t i = 0; i < sizeof FORMATS / sizeof FORMATS[0]; i++) {
            apr_walk w = begin(m, source, o, fn, user);

            if (strncmp(m->format, FORMATS[i].format, strlen(FORMATS[i].format)) == 0)
                FORMATS[i].walk(&w, m, source);
        }
}

/* Blocks from the file itself, or of a compressed tensor from what its frame gives. */
static trueno_status tell_tensor(const apr_model *m, const apr_tensor *t,
                                 const apr_layout_options *o, apr_region_fn fn, void *user,
                                 trueno_error *err)
{
    apr_walk w = begin(m, (size_t)t->file, o, fn, user);
    trueno_status status = TRUENO_OK;

    if (t->packed > 0) {
        w.position = t->offset;
        (void)apr_walk_field(&w, apr_packed_stored(m, t), "compressed tensor",
                             "becomes %" PRIu64 " bytes, told below", t->bytes);
        if ((status = apr_model_fetch(m, t, err)) < 0)
            return status;
    }
    if (t->packed > 0 || (const uint8_t *)t->data != w.data + t->offset) {
        w.unpacked = true; /* or narrowed from F64 */
        w.data = t->data;
        w.bytes = t->bytes;
        w.position = 0;
    } else {
        w.position = t->offset;
        w.bytes = t->offset + t->bytes;
    }
    apr_walk_blocks(&w, t, o->first);
    return status;
}

trueno_status apr_layout_tell(const apr_model *m, const apr_layout_options *options,
                              apr_region_fn fn, void *user, trueno_error *err)
{
    apr_layout_options o = {0};
    const apr_tensor *t;

    if (options != NULL)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    if (o.tensor == NULL) {
        tell_tables(m, &o, fn, user);
        return TRUENO_OK;
    }
    t = apr_model_find(m, o.tensor);
    if (t == NULL)
        return trueno_fail(err, TRUENO_USAGE, "%s: no tensor is named %s", m->path, o.tensor);
    return tell_tensor(m, t, &o, fn, user, err);
}
