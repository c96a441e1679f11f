/* SPDX-License-Identifier: MIT */
/* Config and metadata entries as members of a JSON object. */
#include "config_json.h"

#include <string.h>

/* True for a field whose first .apr name is `name`. */
static bool is_named(const apr_field *field, const char *name)
{
    const char *keys = field->keys[APR_COLUMN_APR];

    return strcspn(keys, "|") == strlen(name) && strncmp(keys, name, strlen(name)) == 0;
}

/* Optional fields are told only when they are given; a float 0 has no bit set either. */
static bool is_given(const apr_config *config, const apr_field *field)
{
    const void *at = (const char *)config + field->offset;
    const int32_t number = field->kind == APR_FIELD_BOOL ? *(const bool *)at : *(const int32_t *)at;

    return number != 0 || field->need != APR_NEED_OPTIONAL;
}

static void write_value(apr_json *j, const apr_config *config, const apr_field *field)
{
    const void *at = (const char *)config + field->offset;

    if (field->kind == APR_FIELD_BOOL)
        apr_json_bool(j, *(const bool *)at);
    else if (field->kind == APR_FIELD_FLOAT)
        apr_json_float(j, *(const float *)at);
    else if (field->kind == APR_FIELD_SCALING)
        apr_json_string(j, apr_rope_scaling_name(*(const int32_t *)at));
    else
        apr_json_int(j, *(const int32_t *)at);
}

void apr_config_write(apr_json *j, const apr_config *config)
{
    const apr_field *field;

    for (unsigned i = 0; (field = apr_config_field(i)) != NULL; i++) {
        const char *keys = field->keys[APR_COLUMN_APR];
        char key[64] = "";

        if (!is_given(config, field))
            continue;
        memcpy(key, keys, strcspn(keys, "|"));
        apr_json_key(j, key);
        write_value(j, config, field);
    }
}

bool apr_config_write_one(apr_json *j, const apr_config *config, const char *name)
{
    const apr_field *field;

    for (unsigned i = 0; (field = apr_config_field(i)) != NULL; i++) {
        if (!is_named(field, name) || !is_given(config, field))
            continue;
        write_value(j, config, field);
        return true;
    }
    return false;
}

bool apr_config_names(const char *key)
{
    static const char *const OTHERS[] = {"architecture", "name", "bos_token_id", "eos_token_id",
                                         "chat_template"};
    const apr_field *field;

    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++)
        if (strcmp(OTHERS[i], key) == 0)
            return true;
    for (unsigned i = 0; (field = apr_config_field(i)) != NULL; i++)
        if (is_named(field, key))
            return true;
    return false;
}

static void write_scalar(apr_json *j, const apr_meta *meta)
{
    switch (meta->kind) {
    case APR_META_INT:
        apr_json_int(j, meta->i);
        break;
    case APR_META_UINT:
        apr_json_uint(j, meta->u);
        break;
    case APR_META_FLOAT:
        if (strcmp(meta->type_name, "f32") == 0)
            apr_json_float(j, (float)meta->f);
        else
            apr_json_double(j, meta->f);
        break;
    case APR_META_BOOL:
        apr_json_bool(j, meta->i != 0);
        break;
    case APR_META_STRING:
        apr_json_text(j, meta->text.data, meta->text.length);
        break;
    case APR_META_JSON:
        apr_json_raw(j, meta->text.data, meta->text.length);
        break;
    default:
        apr_json_null(j);
        break;
    }
}

static void write_array(apr_json *j, const apr_meta *meta, uint64_t most)
{
    apr_meta_cursor cursor = {0};
    apr_meta element;

    if (meta->count > most) {
        apr_json_open(j, '{');
        apr_json_key(j, "type");
        apr_json_string(j, meta->type_name);
        apr_json_key(j, "count");
        apr_json_uint(j, meta->count);
        apr_json_close(j, '}');
        return;
    }
    apr_json_open(j, '[');
    while (apr_meta_next(meta, &cursor, &element))
        write_scalar(j, &element);
    apr_json_close(j, ']');
}

void apr_json_meta(apr_json *j, const apr_meta *meta, uint64_t most)
{
    if (meta->kind == APR_META_ARRAY)
        write_array(j, meta, most);
    else
        write_scalar(j, meta);
}
