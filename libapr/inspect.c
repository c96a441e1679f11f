/* SPDX-License-Identifier: MIT */
/* A model as JSON: what `apr inspect` and `apr tensors` print. */
#include <apr/inspect.h>

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
    apr_json_key(&j, "metadata");
    apr_json_open(&j, '{');
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

static trueno_status write_stats(apr_json *j, const apr_model *m, const apr_tensor *t,
                                 trueno_error *err)
{
    apr_tensor_statistics s;
    trueno_status status = apr_tensor_stats(m, t, &s, err);

    apr_json_key(j, "stats");
    if (status == TRUENO_UNSUPPORTED) {
        apr_json_null(j);
        return TRUENO_OK;
    }
    if (status < 0)
        return status;
    apr_json_open(j, '{');
    apr_json_key(j, "min");
    apr_json_double(j, s.min);
    apr_json_key(j, "max");
    apr_json_double(j, s.max);
    apr_json_key(j, "mean");
    apr_json_double(j, s.mean);
    apr_json_key(j, "std");
    apr_json_double(j, s.std);
    apr_json_key(j, "nan_count");
    apr_json_uint(j, s.nans);
    apr_json_key(j, "inf_count");
    apr_json_uint(j, s.infinities);
    apr_json_key(j, "zero_count");
    apr_json_uint(j, s.zeros);
    apr_json_close(j, '}');
    return TRUENO_OK;
}

static trueno_status write_tensor(apr_json *j, const apr_model *m, const apr_tensor *t, bool stats,
                                  trueno_error *err)
{
    trueno_status status = TRUENO_OK;

    apr_json_open(j, '{');
    apr_json_key(j, "name");
    apr_json_string(j, t->name);
    apr_json_key(j, "dtype");
    apr_json_string(j, apr_tensor_type_name(t));
    apr_json_key(j, "shape");
    apr_json_open(j, '[');
    for (int i = 0; i < t->n_dims; i++)
        apr_json_int(j, t->dims[i]);
    apr_json_close(j, ']');
    apr_json_key(j, "bytes");
    apr_json_uint(j, t->bytes);
    apr_json_key(j, "offset");
    apr_json_uint(j, t->offset);
    if (m->n_sources > 1) {
        apr_json_key(j, "file");
        apr_json_string(j, m->sources[t->file].path);
    }
    if (stats)
        status = write_stats(j, m, t, err);
    apr_json_close(j, '}');
    return status;
}

trueno_status apr_tensors_json(const apr_model *m, const apr_tensors_options *options, char **out,
                               size_t *bytes, trueno_error *err)
{
    apr_json j = {.buffer.allocator = m->options.allocator};
    apr_tensors_options o = {0};
    size_t listed = 0;
    trueno_status status = TRUENO_OK;

    *out = NULL;
    *bytes = 0;
    if (options != NULL)
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    apr_json_open(&j, '{');
    apr_json_key(&j, "schema");
    apr_json_int(&j, 1);
    apr_json_key(&j, "tensors");
    apr_json_open(&j, '[');
    for (size_t i = 0; i < m->n_tensors && status == TRUENO_OK; i++) {
        if (!apr_name_matches(m->tensors[i].name, o.filter) || (o.limit != 0 && listed == o.limit))
            continue;
        listed++;
        status = write_tensor(&j, m, &m->tensors[i], o.stats, err);
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
