/* SPDX-License-Identifier: MIT */
/* Recording a model: its config, its tokenizer, and statistics and a checksum of every tensor. */
#include "canary.h"

#include "config_json.h"
#include <stdio.h>
#include <string.h>
#include <zlib.h>

static void put_crc(apr_json *j, const char *key, uint32_t crc)
{
    char text[16];

    (void)snprintf(text, sizeof text, "%08x", crc);
    apr_json_put_string(j, key, text);
}

static uint32_t add_text(uint32_t crc, const apr_text *text, const char *end)
{
    if (text->length > 0)
        crc = (uint32_t)crc32_z(crc, (const Bytef *)text->data, text->length);
    return (uint32_t)crc32_z(crc, (const Bytef *)end, strlen(end) + 1);
}

/* Every text, with what ends it so that none can move into the next. */
static uint32_t tokens_crc(const apr_vocab *v)
{
    uint32_t crc = 0;

    for (int32_t i = 0; i < v->n_tokens; i++)
        crc = add_text(crc, &v->tokens[i], "");
    return crc;
}

/* As "left right", whichever of the two forms the file has. */
static uint32_t merges_crc(const apr_vocab *v)
{
    uint32_t crc = 0;

    for (int32_t i = 0; i < v->n_merges; i++) {
        if (v->merges == NULL) {
            const apr_text *left = &v->merge_pairs[i][0];

            crc = (uint32_t)crc32_z(crc, (const Bytef *)left->data, left->length);
            crc = (uint32_t)crc32_z(crc, (const Bytef *)" ", 1);
        }
        crc = add_text(crc, v->merges == NULL ? &v->merge_pairs[i][1] : &v->merges[i], "");
    }
    return crc;
}

static void put_vocab(apr_json *j, const apr_vocab *v)
{
    const struct {
        const char *key;
        int32_t id;
    } ids[] = {{"bos_token_id", v->bos},
               {"eos_token_id", v->eos},
               {"unknown_token_id", v->unk},
               {"padding_token_id", v->pad}};

    apr_json_put_int(j, "tokens", v->n_tokens);
    put_crc(j, "token_texts_crc32", tokens_crc(v));
    put_crc(j, "token_types_crc32",
            (uint32_t)crc32_z(0, v->types, (size_t)v->n_tokens * sizeof *v->types));
    apr_json_put_int(j, "merges", v->n_merges);
    put_crc(j, "merges_crc32", merges_crc(v));
    if (v->scores != NULL)
        put_crc(j, "scores_crc32",
                (uint32_t)crc32_z(0, (const Bytef *)v->scores,
                                  (size_t)v->n_tokens * sizeof *v->scores));
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        apr_json_put_int(j, ids[i].key, ids[i].id);
    apr_json_put_bool(j, "add_bos_token", v->add_bos);
    apr_json_put_bool(j, "add_eos_token", v->add_eos);
}

void apr_canary_put_facts(apr_json *j, const apr_model *m)
{
    apr_json_put_open(j, "config", '{');
    apr_json_put_string(j, "architecture", m->config.architecture);
    apr_config_write(j, &m->config);
    apr_json_close(j, '}');
    apr_json_put_open(j, "tokenizer", '{');
    if (m->has_vocab)
        put_vocab(j, &m->vocab);
    if (m->chat_template != NULL)
        put_crc(j, "chat_template_crc32",
                (uint32_t)crc32_z(0, (const Bytef *)m->chat_template, strlen(m->chat_template)));
    apr_json_close(j, '}');
}

static void put_input(apr_json *j, const apr_canary_input *input)
{
    apr_json_put_open(j, "input", '{');
    apr_json_key(j, "text");
    apr_json_text(j, input->text, input->bytes);
    apr_json_put_open(j, "ids", '[');
    for (size_t i = 0; i < input->n_ids; i++)
        apr_json_int(j, input->ids[i]);
    apr_json_close(j, ']');
    apr_json_close(j, '}');
}

static void put_statistics(apr_json *j, const apr_tensor_statistics *s)
{
    apr_json_put_double(j, "mean", s->mean);
    apr_json_put_double(j, "std", s->std);
    apr_json_put_double(j, "min", s->min);
    apr_json_put_double(j, "max", s->max);
    apr_json_put_uint(j, "nan_count", s->nans);
    apr_json_put_uint(j, "inf_count", s->infinities);
}

static trueno_status put_tensor(apr_json *j, const apr_canonical *c, const apr_planned *p,
                                trueno_error *err)
{
    apr_canonical_values values;
    uint64_t count = 1;
    trueno_status status = apr_canonical_read(c, p, NULL, &values, err);

    if (status < 0)
        return status;
    apr_json_put_open(j, p->name, '{');
    apr_json_put_string(j, "dtype", apr_canonical_type(p));
    apr_json_put_ints(j, "shape", p->dims, p->n_dims);
    for (int i = 0; i < p->n_dims; i++)
        count *= (uint64_t)p->dims[i];
    apr_json_put_uint(j, "count", count);
    if (apr_canonical_is_readable(p))
        put_statistics(j, &values.statistics);
    put_crc(j, "crc32", values.crc);
    apr_json_close(j, '}');
    return TRUENO_OK;
}

static trueno_status put_tensors(apr_json *j, const apr_canonical *c, trueno_error *err)
{
    trueno_status status = TRUENO_OK;

    apr_json_put_uint(j, "tensor_count", c->plan.n);
    apr_json_put_open(j, "tensors", '{');
    for (size_t i = 0; i < c->plan.n && status == TRUENO_OK; i++)
        status = put_tensor(j, c, &c->plan.tensors[i], err);
    apr_json_close(j, '}');
    return status;
}

trueno_status apr_canary_make(const apr_model *m, const apr_canary_input *input,
                              const char *created_at, int32_t threads, char **out, size_t *bytes,
                              trueno_error *err)
{
    apr_json j = {.buffer.allocator = m->options.allocator};
    apr_canonical c;
    trueno_status status = apr_canonical_open(&c, m, threads, err);

    *out = NULL;
    *bytes = 0;
    apr_json_open(&j, '{');
    apr_json_put_int(&j, "schema", 1);
    apr_json_put_string(&j, "kind", "canary");
    apr_json_put_string(&j, "model_name", m->config.name);
    if (created_at != NULL)
        apr_json_put_string(&j, "created_at", created_at);
    apr_json_put_string(&j, "source_format", m->format);
    apr_canary_put_facts(&j, m);
    if (input != NULL)
        put_input(&j, input);
    if (status == TRUENO_OK)
        status = put_tensors(&j, &c, err);
    apr_json_close(&j, '}');
    apr_canonical_close(&c);
    if (status < 0) {
        apr_json_drop(&j);
        return status;
    }
    return apr_json_finish(&j, m->path, out, bytes, err);
}
