/* SPDX-License-Identifier: MIT */
/* JSON: what the caller gives, and what tojson writes (as Python's json.dumps does). */
#include "jinja/value.h"

#include "jinja/unicode.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

static void append_json_char(jinja_builder *b, uint32_t code, const char *bytes, size_t n,
                             bool ensure_ascii)
{
    static const char SHORT[] = "\b\f\n\r\t\"\\";
    static const char LETTERS[] = "bfnrt\"\\";
    const char *found = code != 0 && code < 0x80 ? strchr(SHORT, (int)code) : NULL;

    if (found != NULL)
        jinja_append_format(b, "\\%c", LETTERS[found - SHORT]);
    else if (code < 0x20 || (ensure_ascii && code < 0x10000))
        jinja_append_format(b, "\\u%04x", code);
    else if (ensure_ascii && code >= 0x10000)
        jinja_append_format(b, "\\u%04x\\u%04x", 0xD800 + ((code - 0x10000) >> 10),
                            0xDC00 + ((code - 0x10000) & 0x3FF));
    else
        jinja_append_bytes(b, bytes, n, false);
}

static void append_json_string(jinja_builder *b, const jinja_string *s, bool ensure_ascii)
{
    size_t plain = 0;

    jinja_append_text(b, "\"");
    for (size_t at = 0; at < s->length && !b->c->failed;) {
        unsigned char first = (unsigned char)s->bytes[at];
        size_t n = jinja_char_bytes(s->bytes + at);

        if (first < 0x20 || first == '"' || first == '\\' || (ensure_ascii && first >= 0x7F)) {
            jinja_append_bytes(b, s->bytes + plain, at - plain, false);
            append_json_char(b, jinja_decode(s->bytes + at), s->bytes + at, n, ensure_ascii);
            plain = at + n;
        }
        at += n;
    }
    jinja_append_bytes(b, s->bytes + plain, s->length - plain, false);
    jinja_append_text(b, "\"");
}

static void append_json_float(jinja_builder *b, double x)
{
    char text[JINJA_FLOAT_BYTES];

    if (isnan(x))
        jinja_append_text(b, "NaN");
    else if (isinf(x))
        jinja_append_text(b, x > 0 ? "Infinity" : "-Infinity");
    else
        jinja_append_bytes(b, text, jinja_format_float(x, text), false);
}

static void new_line(jinja_builder *b, const jinja_json_options *o, unsigned level)
{
    if (o->indent == NULL)
        return;
    jinja_append_text(b, "\n");
    for (unsigned i = 0; i < level && !b->c->failed; i++)
        jinja_append_bytes(b, o->indent, o->indent_length, false);
}

static void append_json_list(jinja_builder *b, const jinja_sequence *s, const jinja_json_options *o,
                             unsigned level)
{
    if (s->n == 0) {
        jinja_append_text(b, "[]");
        return;
    }
    jinja_append_text(b, "[");
    for (size_t i = 0; i < s->n && jinja_spend(b->c, 1); i++) {
        if (i > 0)
            jinja_append_string(b, o->item_separator);
        new_line(b, o, level + 1);
        jinja_append_json(b, s->items[i], o, level + 1);
    }
    new_line(b, o, level);
    jinja_append_text(b, "]");
}

static void append_json_key(jinja_builder *b, jinja_value key, const jinja_json_options *o)
{
    switch (key.kind) {
    case JINJA_STRING:
        append_json_string(b, key.as.string, o->ensure_ascii);
        break;
    case JINJA_NONE:
    case JINJA_BOOL:
    case JINJA_INT:
    case JINJA_FLOAT:
        jinja_append_text(b, "\"");
        jinja_append_json(b, key, o, 0);
        jinja_append_text(b, "\"");
        break;
    default:
        jinja_raise(b->c, "keys must be str, int, float, bool or None, not %s",
                    jinja_type_name(key));
    }
}

/* The pairs in the order in which they are written: by key when that was asked for. */
static const jinja_pair *ordered_pairs(jinja_context *c, const jinja_dict *dict, bool sort)
{
    jinja_pair *pairs;

    if (!sort || dict->n < 2)
        return dict->pairs;
    pairs = jinja_alloc(c, dict->n, sizeof *pairs);
    if (pairs == NULL)
        return NULL;
    for (size_t i = 0; i < dict->n; i++) {
        size_t at = i;

        for (; at > 0 && jinja_less(c, dict->pairs[i].key, pairs[at - 1].key); at--)
            pairs[at] = pairs[at - 1];
        pairs[at] = dict->pairs[i];
        if (!jinja_spend(c, 1 + i - at))
            return NULL;
    }
    return pairs;
}

static void append_json_dict(jinja_builder *b, const jinja_dict *dict, const jinja_json_options *o,
                             unsigned level)
{
    const jinja_pair *pairs = ordered_pairs(b->c, dict, o->sort_keys);

    if (dict->n == 0 || pairs == NULL) {
        jinja_append_text(b, "{}");
        return;
    }
    jinja_append_text(b, "{");
    for (size_t i = 0; i < dict->n && jinja_spend(b->c, 1); i++) {
        if (i > 0)
            jinja_append_string(b, o->item_separator);
        new_line(b, o, level + 1);
        append_json_key(b, pairs[i].key, o);
        jinja_append_string(b, o->key_separator);
        jinja_append_json(b, pairs[i].value, o, level + 1);
    }
    new_line(b, o, level);
    jinja_append_text(b, "}");
}

void jinja_append_json(jinja_builder *b, jinja_value v, const jinja_json_options *o, unsigned level)
{
    if (!jinja_enter(b->c))
        return;
    switch (v.kind) {
    case JINJA_NONE:
        jinja_append_text(b, "null");
        break;
    case JINJA_BOOL:
        jinja_append_text(b, v.as.boolean ? "true" : "false");
        break;
    case JINJA_INT:
        jinja_append_format(b, "%lld", (long long)v.as.integer);
        break;
    case JINJA_FLOAT:
        append_json_float(b, v.as.number);
        break;
    case JINJA_STRING:
        append_json_string(b, v.as.string, o->ensure_ascii);
        break;
    case JINJA_LIST:
    case JINJA_TUPLE:
        append_json_list(b, v.as.sequence, o, level);
        break;
    case JINJA_DICT:
        append_json_dict(b, v.as.dict, o, level);
        break;
    default:
        jinja_raise(b->c, "Object of type %s is not JSON serializable", jinja_type_name(v));
    }
    b->c->depth--;
}

static jinja_value from_json(jinja_context *c, const json_t *json, bool from_user);

static jinja_value text_from_json(jinja_context *c, const char *text, size_t n, bool from_user)
{
    char *copy = jinja_alloc(c, n + 1, 1);

    if (copy == NULL)
        return jinja_from_string(&JINJA_EMPTY);
    memcpy(copy, text, n);
    return jinja_from_string(jinja_string_over(c, copy, n, from_user));
}

static jinja_value array_from_json(jinja_context *c, const json_t *json, bool from_user)
{
    size_t n = json_array_size(json);
    jinja_value list = jinja_list(c, n);

    for (size_t i = 0; i < n && !c->failed; i++)
        jinja_push(c, list, from_json(c, json_array_get(json, i), from_user));
    if (!c->failed)
        list.as.sequence->from_user = from_user;
    return list;
}

static jinja_value object_from_json(jinja_context *c, json_t *json, bool from_user)
{
    jinja_dict *dict = jinja_dict_new(c);

    for (void *i = json_object_iter(json); i != NULL && !c->failed;
         i = json_object_iter_next(json, i)) {
        const char *key = json_object_iter_key(i);

        jinja_dict_set(c, dict, text_from_json(c, key, strlen(key), from_user),
                       from_json(c, json_object_iter_value(i), from_user));
    }
    if (!c->failed)
        dict->from_user = from_user;
    return jinja_from_dict(dict);
}

static jinja_value from_json(jinja_context *c, const json_t *json, bool from_user)
{
    jinja_value v = jinja_none();

    if (!jinja_enter(c))
        return v;
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        v = object_from_json(c, (json_t *)(uintptr_t)json, from_user);
        break;
    case JSON_ARRAY:
        v = array_from_json(c, json, from_user);
        break;
    case JSON_STRING:
        v = text_from_json(c, json_string_value(json), json_string_length(json), from_user);
        break;
    case JSON_INTEGER:
        v = jinja_int(json_integer_value(json));
        break;
    case JSON_REAL:
        v = jinja_float(json_real_value(json));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        v = jinja_bool(json_is_true(json));
        break;
    default:
        break;
    }
    c->depth--;
    return v;
}

jinja_value jinja_parse_json(jinja_context *c, const char *text, size_t bytes, bool from_user,
                             const char *what)
{
    json_error_t error;
    json_t *json = json_loadb(text, bytes, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    jinja_value v;

    if (json == NULL) {
        c->failed = true;
        c->status = trueno_fail(c->err, TRUENO_FORMAT, "%s: line %d column %d: %s", what,
                                error.line, error.column, error.text);
        return jinja_none();
    }
    v = from_json(c, json, from_user);
    json_decref(json);
    return v;
}
