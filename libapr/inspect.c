/* SPDX-License-Identifier: MIT */
/* A model as JSON: what `apr inspect` and `apr tensors` print. */
#include <apr/inspect.h>
#include <apr/statistics.h>

#include "config_json.h"
#include "json_write.h"
#include "model_private.h"
#include "names.h"
#include "storage_types.h"
#include <string.h>

enum { SHORT_ARRAY = 16 };

static void write_id(apr_json *j, const char *key, int32_t id)
{
    apr_json_key(j, key);
    if (id >= 0)
        apr_json_int(j, id);
    else
        apr_json_null(j);
}

/* What every model has, whatever its format calls it. */
static void write_known(apr_json *j, const apr_model *m)
{
    apr_json_key(j, "architecture");
    apr_json_string(j, m->config.architecture);
    if (m->config.name[0] != '\0') {
        apr_json_key(j, "name");
        apr_json_string(j, m->config.name);
    }
    apr_config_write(j, &m->config);
    write_id(j, "bos_token_id", m->has_vocab ? m->vocab.bos : -1);
    write_id(j, "eos_token_id", m->has_vocab ? m->vocab.eos : -1);
    apr_json_key(j, "chat_template");
    if (m->chat_template != NULL)
        apr_json_string(j, m->chat_template);
    else
        apr_json_null(j);
}

/* How many tensors there are of each element type, in the order of GGML's numbers. */
static void write_types(apr_json *j, const apr_model *m)
{
    uint64_t counts[APR_TYPE_LIMIT] = {0};
    apr_storage_type type;

    for (size_t i = 0; i < m->n_tensors; i++)
        if ((unsigned)m->tensors[i].type < APR_TYPE_LIMIT)
            counts[m->tensors[i].type]++;
    apr_json_open(j, '{');
    for (int id = 0; id < APR_TYPE_LIMIT; id++) {
        if (counts[id] == 0 || apr_storage_type_get(id, &type) != 0)
            continue;
        apr_json_key(j, type.name);
        apr_json_uint(j, counts[id]);
    }
    apr_json_close(j, '}');
}

static void write_file(apr_json *j, const apr_model *m)
{
    apr_json_key(j, "schema");
    apr_json_int(j, 1);
    apr_json_key(j, "file");
    apr_json_string(j, m->path);
    apr_json_key(j, "format");
    apr_json_string(j, m->format);
    apr_json_key(j, "size_bytes");
    apr_json_uint(j, apr_model_bytes(m));
    apr_json_key(j, "parameters");
    apr_json_uint(j, apr_model_parameters(m));
    apr_json_key(j, "tensor_count");
    apr_json_uint(j, m->n_tensors);
    apr_json_key(j, "tensor_types");
    write_types(j, m);
    apr_json_key(j, "checksum_valid");
    if (m->checksum == APR_CHECKSUM_NONE)
        apr_json_null(j);
    else
        apr_json_bool(j, m->checksum == APR_CHECKSUM_VALID);
}

trueno_status apr_inspect_json(const apr_model *m, bool whole_arrays, char **out, size_t *bytes,
                               trueno_error *err)
{
    apr_json j = {.buffer.allocator = m->options.allocator};

    apr_json_open(&j, '{');
    write_file(&j, m);
    apr_json_put_open(&j, "metadata", '{');
    write_known(&j, m);
    for (size_t i = 0; i < m->n_meta; i++) {
        const apr_meta *meta = &m->meta[i];

        if (apr_config_names(meta->key) || apr_model_meta_find(m, meta->key) != meta)
            continue;
        apr_json_key(&j, meta->key);
        apr_json_meta(&j, meta, whole_arrays ? UINT64_MAX : SHORT_ARRAY);
    }
    apr_json_close(&j, '}');
    apr_json_close(&j, '}');
    return apr_json_finish(&j, m->path, out, bytes, err);
}

static void write_stats(apr_json *j, const apr_tensor_statistics *s)
{
    apr_json_key(j, "stats");
    if (s == NULL) { /* nothing reads its type */
        apr_json_null(j);
        return;
    }
    apr_json_open(j, '{');
    apr_json_put_double(j, "min", s->min);
    apr_json_put_double(j, "max", s->max);
    apr_json_put_double(j, "mean", s->mean);
    apr_json_put_double(j, "std", s->std);
    apr_json_put_uint(j, "nan_count", s->nans);
    apr_json_put_uint(j, "inf_count", s->infinities);
    apr_json_put_uint(j, "zero_count", s->zeros);
    apr_json_close(j, '}');
}

/* The members of a tensor's object that need no reading of weights. */
static void write_tensor(apr_json *j, const apr_model *m, const apr_tensor *t)
{
    apr_json_put_string(j, "name", t->name);
    apr_json_put_string(j, "dtype", apr_tensor_type_name(t));
    apr_json_put_ints(j, "shape", t->dims, t->n_dims);
    apr_json_put_uint(j, "bytes", t->bytes);
    apr_json_put_uint(j, "offset", t->offset);
    if (m->n_sources > 1)
        apr_json_put_string(j, "file", m->sources[t->file].path);
}

/* A list of tensors in the making. */
typedef struct listing {
    const apr_model *m;
    apr_json *j;
} listing;

static trueno_status write_with_stats(void *user, const apr_tensor *t,
                                      const apr_tensor_statistics *s, trueno_error *err)
{
    const listing *l = user;

    (void)err;
    apr_json_open(l->j, '{');
    write_tensor(l->j, l->m, t);
    write_stats(l->j, s);
    apr_json_close(l->j, '}');
    return TRUENO_OK;
}

static void write_without_stats(apr_json *j, const apr_model *m, const apr_tensors_options *o)
{
    size_t listed = 0;

    for (size_t i = 0; i < m->n_tensors && (o->limit == 0 || listed < o->limit); i++) {
        if (!apr_name_matches(m->tensors[i].name, o->filter))
            continue;
        listed++;
        apr_json_open(j, '{');
        write_tensor(j, m, &m->tensors[i]);
        apr_json_close(j, '}');
    }
}

trueno_status apr_tensors_json(const apr_model *m, const apr_tensors_options *options, char **out,
                               size_t *bytes, trueno_error *err)
{
    apr_json j = {.buffer.allocator = m->options.allocator};
    listing l = {.m = m, .j = &j};
    apr_tensors_options o = {0};
    trueno_status status = TRUENO_OK;

    *out = NULL;
    *bytes = 0;
    if (options != NULL)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    apr_json_open(&j, '{');
    apr_json_put_int(&j, "schema", 1);
    apr_json_put_open(&j, "tensors", '[');
    if (o.stats) {
        const apr_tensors_stats_options which = {
            .size = sizeof which, .filter = o.filter, .limit = o.limit, .threads = o.threads};

        status = apr_tensors_stats(m, &which, write_with_stats, &l, err);
    } else {
        write_without_stats(&j, m, &o);
    }
    apr_json_close(&j, ']');
    apr_json_close(&j, '}');
    if (status < 0) {
        apr_json_drop(&j);
        return status;
    }
    return apr_json_finish(&j, m->path, out, bytes, err);
}

void apr_inspect_free(const apr_model *m, char *text, size_t bytes)
{
    trueno_release(m->options.allocator, text, bytes + 1);
}
