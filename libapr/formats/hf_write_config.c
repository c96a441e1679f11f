/* SPDX-License-Identifier: MIT */
/* config.json and generation_config.json from a model of any format. */
#include "hf_write.h"

#include "../config_json.h"
#include "source_keys.h"
#include <stdio.h>
#include <string.h>

/* True when config.json gets a member of that name from the model's entries. */
static bool was_kept(const apr_source_keys *keys, const char *key)
{
    const apr_meta *meta = apr_model_meta_find(keys->m, key);

    return meta != NULL && apr_source_kind(keys, meta) == APR_ENTRY_CONFIG;
}

/* True for keys of GGUF files that neither config.json nor the tokenizer's files say. */
static bool is_beyond(const apr_source_keys *keys, const apr_meta *meta)
{
    static const char *const OF_WEIGHTS[] = {"general.file_type", "general.quantization_version"};
    const apr_entry_kind kind = apr_source_kind(keys, meta);

    for (size_t i = 0; i < sizeof OF_WEIGHTS / sizeof OF_WEIGHTS[0]; i++)
        if (strcmp(OF_WEIGHTS[i], meta->key) == 0)
            return false;
    return kind == APR_ENTRY_OTHER || (kind == APR_ENTRY_GGUF && !apr_source_in_vocab(meta->key) &&
                                       !apr_source_in_config(keys->m, meta->key));
}

/* Keys of GGUF files with their types, for the way back. */
static void put_beyond(apr_json *j, const apr_source_keys *keys)
{
    const apr_model *m = keys->m;

    apr_json_put_open(j, APR_SOURCE_METADATA, '{');
    for (size_t i = 0; i < m->n_meta; i++) {
        if (!is_beyond(keys, &m->meta[i]))
            continue;
        apr_json_key(j, m->meta[i].key);
        apr_source_put(j, &m->meta[i]);
    }
    apr_json_close(j, '}');
    apr_json_put_open(j, APR_SOURCE_TYPES, '{');
    for (size_t i = 0; i < m->n_meta; i++)
        if (is_beyond(keys, &m->meta[i]) && apr_source_type(keys, &m->meta[i]) != NULL)
            apr_json_put_string(j, m->meta[i].key, apr_source_type(keys, &m->meta[i]));
    apr_json_close(j, '}');
}

static void put_all_beyond(apr_json *j, const apr_source_keys *keys)
{
    for (size_t i = 0; i < keys->m->n_meta; i++)
        if (is_beyond(keys, &keys->m->meta[i])) {
            put_beyond(j, keys);
            return;
        }
}

/* The name that config.json has for a field: the first without a dot, "" when there is none. */
static void field_key(const apr_model *m, const apr_field *field, char out[64])
{
    const char *keys = field->keys[APR_COLUMN_HF];
    size_t length = strcspn(keys, "|");

    if (strcmp(field->name, "norm_eps") == 0 && m->architecture != NULL &&
        m->architecture->layer_norm) {
        keys += length + 1;
        length = strcspn(keys, "|");
    }
    out[0] = '\0';
    if (length < 64 && memchr(keys, '.', length) == NULL)
        (void)snprintf(out, 64, "%.*s", (int)length, keys);
}

static void put_field(apr_json *j, const apr_config *c, const apr_field *field, const char *key)
{
    const void *at = (const char *)c + field->offset;
    const int32_t number = field->kind == APR_FIELD_BOOL ? *(const bool *)at : *(const int32_t *)at;

    if (number == 0 && field->need == APR_NEED_OPTIONAL)
        return;
    apr_json_key(j, key);
    if (field->kind == APR_FIELD_FLOAT)
        apr_json_float(j, *(const float *)at);
    else if (field->kind == APR_FIELD_BOOL)
        apr_json_bool(j, number != 0);
    else
        apr_json_int(j, number);
}

static void put_float(apr_json *j, const char *key, float value)
{
    if (value == 0)
        return;
    apr_json_key(j, key);
    apr_json_float(j, value);
}

static void put_scaling(apr_json *j, const apr_config *c)
{
    if (c->rope_scaling == APR_ROPE_SCALING_NONE)
        return;
    apr_json_put_open(j, "rope_scaling", '{');
    apr_json_put_string(j, "rope_type", apr_rope_scaling_name(c->rope_scaling));
    put_float(j, "factor", c->rope_scaling_factor);
    put_float(j, "attention_factor", c->rope_attention_factor);
    put_float(j, "beta_fast", c->yarn_beta_fast);
    put_float(j, "beta_slow", c->yarn_beta_slow);
    put_float(j, "mscale", c->yarn_mscale);
    put_float(j, "mscale_all_dim", c->yarn_mscale_all_dim);
    put_float(j, "low_freq_factor", c->llama3_low_frequency_factor);
    put_float(j, "high_freq_factor", c->llama3_high_frequency_factor);
    if (c->rope_original_positions > 0) {
        apr_json_key(j, "original_max_position_embeddings");
        apr_json_int(j, c->rope_original_positions);
    }
    if (c->n_rope_factors > 0) {
        apr_json_put_floats(j, "long_factor", c->rope_long_factors, c->n_rope_factors);
        apr_json_put_floats(j, "short_factor", c->rope_short_factors, c->n_rope_factors);
    }
    apr_json_close(j, '}');
}

static void put_ends(apr_json *j, const apr_vocab *v)
{
    if (v->n_eos == 0)
        return;
    apr_json_key(j, "eos_token_id");
    if (v->n_eos > 1)
        apr_json_open(j, '[');
    for (int32_t i = 0; i < v->n_eos; i++)
        apr_json_int(j, v->eos_ids[i]);
    if (v->n_eos > 1)
        apr_json_close(j, ']');
}

/* An id, or an explicit null: without it a class's own default would be taken. */
static void put_id(apr_json *j, const char *key, int32_t id)
{
    apr_json_key(j, key);
    if (id >= 0)
        apr_json_int(j, id);
    else
        apr_json_null(j);
}

static void put_class(apr_json *j, const apr_source_keys *keys, const char *dtype)
{
    const apr_model *m = keys->m;
    const apr_architecture *row = m->architecture;

    apr_json_put_open(j, "architectures", '[');
    apr_json_string(j, row->hf_class);
    apr_json_close(j, ']');
    apr_json_put_string(j, "model_type", row->hf_model_type);
    apr_json_put_string(j, "torch_dtype", dtype);
    if (!was_kept(keys, "hidden_act"))
        apr_json_put_string(j, "hidden_act", row->hf_activation);
    if (row->norm_plus_one && !was_kept(keys, "hidden_activation"))
        apr_json_put_string(j, "hidden_activation", row->hf_activation);
    if (!was_kept(keys, "attention_bias")) {
        apr_json_key(j, "attention_bias");
        apr_json_bool(j, apr_model_role(m, APR_ATTN_Q_BIAS, 0) != NULL);
    }
    if (apr_model_role(m, APR_FFN_GATE_BIAS, 0) != NULL && !was_kept(keys, "mlp_bias")) {
        apr_json_key(j, "mlp_bias");
        apr_json_bool(j, true);
    }
}

void apr_hf_write_config(apr_json *j, const apr_model *m, const apr_config *c, const char *dtype)
{
    apr_source_keys keys = apr_source_keys_of(m);
    const bool has_rope = was_kept(&keys, "rope_parameters") || was_kept(&keys, "rope_scaling");
    const apr_field *field;
    char key[64];

    apr_json_open(j, '{');
    put_class(j, &keys, dtype);
    apr_source_put_kind(j, &keys, APR_ENTRY_CONFIG);
    for (unsigned i = 0; (field = apr_config_field(i)) != NULL; i++) {
        field_key(m, field, key);
        if (key[0] != '\0' && !was_kept(&keys, key))
            put_field(j, c, field, key);
    }
    if (m->architecture->post_norms && c->query_scale == 0 &&
        !was_kept(&keys, "query_pre_attn_scalar")) { /* where GGUF says nothing */
        apr_json_key(j, "query_pre_attn_scalar");
        apr_json_int(j, c->head_dim);
    }
    if (!has_rope)
        put_scaling(j, c);
    if (!has_rope && c->n_rot != c->head_dim && !was_kept(&keys, "partial_rotary_factor"))
        put_float(j, "partial_rotary_factor", (float)c->n_rot / (float)c->head_dim);
    if (c->sliding_window > 0 && !was_kept(&keys, "use_sliding_window")) {
        apr_json_key(j, "use_sliding_window");
        apr_json_bool(j, true);
    }
    if (!was_kept(&keys, "bos_token_id"))
        put_id(j, "bos_token_id", m->has_vocab ? m->vocab.bos : -1);
    if (!was_kept(&keys, "pad_token_id"))
        put_id(j, "pad_token_id", m->has_vocab ? m->vocab.pad : -1);
    if (m->has_vocab)
        put_ends(j, &m->vocab);
    put_all_beyond(j, &keys);
    apr_json_close(j, '}');
    apr_source_keys_free(&keys);
}

void apr_hf_write_generation(apr_json *j, const apr_model *m)
{
    const apr_generation_defaults *d = &m->defaults;
    apr_source_keys keys = apr_source_keys_of(m);

    apr_json_open(j, '{');
    apr_source_put_kind(j, &keys, APR_ENTRY_GENERATION);
    apr_source_keys_free(&keys);
    if (m->has_vocab) {
        put_id(j, "bos_token_id", m->vocab.bos);
        put_id(j, "pad_token_id", m->vocab.pad);
        put_ends(j, &m->vocab);
    }
    if (d->do_sample >= 0) {
        apr_json_key(j, "do_sample");
        apr_json_bool(j, d->do_sample != 0);
    }
    put_float(j, "temperature", d->temperature > 0 ? d->temperature : 0);
    put_float(j, "top_p", d->top_p > 0 ? d->top_p : 0);
    put_float(j, "min_p", d->min_p > 0 ? d->min_p : 0);
    put_float(j, "repetition_penalty", d->repeat_penalty > 0 ? d->repeat_penalty : 0);
    if (d->top_k >= 0) {
        apr_json_key(j, "top_k");
        apr_json_int(j, d->top_k);
    }
    apr_json_close(j, '}');
}
