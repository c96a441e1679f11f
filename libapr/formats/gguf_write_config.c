/* SPDX-License-Identifier: MIT */
/* Keys of a GGUF file: those of the source as they were, and those that the config gives. */
#include "gguf_write.h"

#include "../config.h"
#include "source_keys.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Written by this writer from other facts, or true of the source's file alone. */
static bool is_own(const char *key)
{
    static const char *const KEYS[] = {
        "general.architecture",         "general.alignment", "general.file_type",
        "general.quantization_version", "split.no",          "split.count",
        "split.tensors.count"};

    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++)
        if (strcmp(KEYS[i], key) == 0)
            return true;
    return false;
}

/* A scalar in the bytes of a GGUF type, from a metadata value of any format. */
static trueno_status put_scalar(const apr_model *m, const char *key, const apr_meta *v, int type,
                                apr_buffer *out, trueno_error *err)
{
    const bool wants_float = type == APR_VALUE_F32 || type == APR_VALUE_F64;
    const bool is_text = v->kind == APR_META_STRING && type != APR_VALUE_U64;
    uint64_t large = 0;
    double wide = v->kind == APR_META_FLOAT ? v->f : (double)v->i;
    float single = (float)wide;

    if (is_text != (type == APR_VALUE_STRING) || v->kind == APR_META_JSON ||
        (v->kind == APR_META_FLOAT && !wants_float))
        return trueno_fail(err, TRUENO_FORMAT,
                           "%s: metadata: %s is not of the type source_types says", m->path, key);
    if (v->kind == APR_META_STRING && type == APR_VALUE_U64) { /* beyond 63 bits */
        for (uint32_t i = 0; i < v->text.length && v->text.data[i] >= '0'; i++)
            large = large * 10 + (uint64_t)(v->text.data[i] - '0');
        apr_gguf_put_u64(out, large);
    } else if (is_text)
        apr_gguf_put_text(out, v->text.data, v->text.length);
    else if (type == APR_VALUE_F32)
        apr_buffer_append(out, &single, sizeof single);
    else if (wants_float)
        apr_buffer_append(out, &wide, sizeof wide);
    else
        apr_buffer_append(out, &v->i,
                          apr_value_type_get(type)->bytes); /* little-endian: low bytes first */
    return TRUENO_OK;
}

/* Elements of an array: of a GGUF source in its own bytes, of a .apr source as JSON text. */
static trueno_status put_elements(const apr_model *m, const apr_meta *meta, int type,
                                  apr_buffer *out, trueno_error *err)
{
    apr_meta_cursor cursor = {0};
    apr_meta element;
    json_t *list;
    trueno_status status = TRUENO_OK;

    apr_gguf_put_u32(out, (uint32_t)type);
    if (meta->kind == APR_META_ARRAY) {
        apr_gguf_put_u64(out, meta->count);
        while (status == TRUENO_OK && apr_meta_next(meta, &cursor, &element))
            status = put_scalar(m, meta->key, &element, type, out, err);
        return status;
    }
    list = meta->kind == APR_META_JSON ? json_loadb(meta->text.data, meta->text.length, 0, NULL)
                                       : NULL;
    if (!json_is_array(list)) {
        json_decref(list);
        return trueno_fail(err, TRUENO_FORMAT, "%s: metadata: %s is no list", m->path, meta->key);
    }
    apr_gguf_put_u64(out, json_array_size(list));
    for (size_t i = 0; i < json_array_size(list) && status == TRUENO_OK; i++) {
        if (!apr_json_scalar(json_array_get(list, i), &element))
            element = (apr_meta){.kind = APR_META_JSON};
        status = put_scalar(m, meta->key, &element, type, out, err);
    }
    json_decref(list);
    return status;
}

static trueno_status keep_key(const apr_model *m, const apr_meta *meta, const char *type_name,
                              apr_gguf_keys *keys, trueno_error *err)
{
    bool array;
    int type = apr_value_type_find(type_name, &array);

    if (type < 0)
        return trueno_fail(err, TRUENO_FORMAT, "%s: metadata: the type of %s is unknown", m->path,
                           meta->key);
    apr_gguf_key(keys, meta->key, array ? APR_VALUE_ARRAY : (uint32_t)type);
    return array ? put_elements(m, meta, type, &keys->bytes, err)
                 : put_scalar(m, meta->key, meta, type, &keys->bytes, err);
}

/* Entries that never were GGUF keys, as one text. */
static trueno_status put_bag(const apr_source_keys *source, apr_gguf_keys *keys, trueno_error *err)
{
    static const apr_entry_kind KINDS[] = {APR_ENTRY_CONFIG, APR_ENTRY_GENERATION, APR_ENTRY_OTHER};
    apr_json j = {.buffer.allocator = source->m->options.allocator};
    size_t bytes;
    char *text;
    bool any = false;
    trueno_status status;

    apr_json_open(&j, '{');
    if (source->m->defaults.do_sample > 0) { /* which no key of GGUF says */
        apr_json_put_bool(&j, APR_SOURCE_DO_SAMPLE, true);
        any = true;
    }
    for (size_t i = 0; i < source->m->n_meta; i++) {
        const apr_meta *meta = &source->m->meta[i];
        const apr_entry_kind kind = apr_source_kind(source, meta);

        if (kind != KINDS[0] && kind != KINDS[1] && kind != KINDS[2])
            continue;
        any = true;
        apr_json_key(&j, meta->key);
        apr_source_put(&j, meta);
    }
    apr_json_close(&j, '}');
    if ((status = apr_json_finish(&j, source->m->path, &text, &bytes, err)) < 0)
        return status;
    if (any)
        apr_gguf_key_text(keys, APR_SOURCE_BAG, text);
    trueno_release(source->m->options.allocator, text, bytes + 1);
    return TRUENO_OK;
}

/* Every entry that is or was a GGUF key, in its type; then all others. */
static trueno_status keep_source(const apr_source_keys *source, apr_gguf_keys *keys,
                                 trueno_error *err)
{
    const apr_model *m = source->m;
    trueno_status status = TRUENO_OK;

    for (size_t i = 0; i < m->n_meta && status == TRUENO_OK; i++) {
        const apr_meta *meta = &m->meta[i];

        if (apr_source_kind(source, meta) == APR_ENTRY_GGUF && !is_own(meta->key))
            status = keep_key(m, meta, apr_source_type(source, meta), keys, err);
    }
    return status < 0 ? status : put_bag(source, keys, err);
}

/* The key of a field: the second of two names of the norm's epsilon where that one is meant. */
static void field_key(const apr_model *m, const apr_field *field, char *out, size_t capacity)
{
    const char *name = field->keys[APR_COLUMN_GGUF];
    size_t length = strcspn(name, "|");

    if (strcmp(field->name, "norm_eps") == 0 && m->architecture != NULL &&
        m->architecture->layer_norm) {
        name += length + 1;
        length = strcspn(name, "|");
    }
    (void)snprintf(out, capacity, "%s%.*s", m->config.architecture, (int)length - 2, name + 2);
}

/* Fields that GGUF says by tensors (Llama 3's and long RoPE), not by these keys. */
static bool is_said_by_tensors(const apr_config *c, const char *field)
{
    return (c->rope_scaling == APR_ROPE_SCALING_LLAMA3 ||
            c->rope_scaling == APR_ROPE_SCALING_LONGROPE) &&
           (strcmp(field, "rope_scaling") == 0 || strcmp(field, "rope_scaling_factor") == 0 ||
            (c->rope_scaling == APR_ROPE_SCALING_LLAMA3 &&
             strcmp(field, "rope_original_positions") == 0));
}

static void put_field(const apr_model *m, const apr_config *c, const apr_field *field,
                      const char *key, apr_gguf_keys *keys)
{
    const void *at = (const char *)c + field->offset;
    const int32_t number = field->kind == APR_FIELD_BOOL ? *(const bool *)at : *(const int32_t *)at;

    (void)m;
    if (number == 0) /* absent; a float 0 has no bit set either */
        return;
    if (field->kind == APR_FIELD_FLOAT)
        apr_gguf_key_f32(keys, key, *(const float *)at);
    else if (field->kind == APR_FIELD_BOOL)
        apr_gguf_key_bool(keys, key, true);
    else if (field->kind == APR_FIELD_SCALING)
        apr_gguf_key_text(keys, key, apr_rope_scaling_name(number));
    else
        apr_gguf_key_u32(keys, key, (uint32_t)number);
}

/* True when the source has a key of that name. */
static bool was_kept(const apr_source_keys *source, const char *key)
{
    const apr_meta *meta = apr_model_meta_find(source->m, key);

    return meta != NULL && apr_source_kind(source, meta) == APR_ENTRY_GGUF;
}

static void put_defaults(const apr_source_keys *source, apr_gguf_keys *keys)
{
    const apr_generation_defaults *d = &source->m->defaults;
    const struct {
        const char *key;
        float value;
    } rows[] = {{"general.sampling.temp", d->do_sample == 0 ? 0 : d->temperature},
                {"general.sampling.top_p", d->top_p},
                {"general.sampling.min_p", d->min_p},
                {"general.sampling.penalty_repeat", d->repeat_penalty}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].value >= 0 && !was_kept(source, rows[i].key))
            apr_gguf_key_f32(keys, rows[i].key, rows[i].value);
    if (d->top_k >= 0 && !was_kept(source, "general.sampling.top_k"))
        apr_gguf_key_u32(keys, "general.sampling.top_k", (uint32_t)d->top_k);
}

/* The magnitude that long RoPE multiplies by, where the model does not say it. */
static float long_rope_attention(const apr_config *c)
{
    double scale = (double)c->max_positions / c->rope_original_positions;

    if (c->rope_attention_factor != 0)
        return c->rope_attention_factor;
    return scale <= 1 ? 1.0F : (float)sqrt(1 + log(scale) / log(c->rope_original_positions));
}

static void put_config(const apr_source_keys *source, const apr_config *c, apr_gguf_keys *keys)
{
    const apr_model *m = source->m;
    const apr_field *field;
    char key[160];

    for (unsigned i = 0; (field = apr_config_field(i)) != NULL; i++) {
        if (field->keys[APR_COLUMN_GGUF][0] == '\0' || is_said_by_tensors(c, field->name))
            continue;
        field_key(m, field, key, sizeof key);
        if (!was_kept(source, key))
            put_field(m, c, field, key, keys);
    }
    (void)snprintf(key, sizeof key, "%s.attention.value_length", c->architecture);
    if (!was_kept(source, key))
        apr_gguf_key_u32(keys, key, (uint32_t)c->head_dim);
    (void)snprintf(key, sizeof key, "%s.rope.scaling.attn_factor", c->architecture);
    if (c->rope_scaling == APR_ROPE_SCALING_LONGROPE && c->rope_original_positions > 1 &&
        !was_kept(source, key))
        apr_gguf_key_f32(keys, key, long_rope_attention(c));
}

trueno_status apr_gguf_write_config(const apr_model *m, const apr_config *config,
                                    apr_gguf_keys *keys, trueno_error *err)
{
    apr_source_keys source = apr_source_keys_of(m);
    trueno_status status;

    apr_gguf_key_text(keys, "general.architecture", config->architecture);
    status = keep_source(&source, keys, err);
    if (status == TRUENO_OK) {
        if (config->name[0] != '\0' && !was_kept(&source, "general.name"))
            apr_gguf_key_text(keys, "general.name", config->name);
        if (m->architecture != NULL)
            put_config(&source, config, keys);
        put_defaults(&source, keys);
    }
    apr_source_keys_free(&source);
    return status;
}
