/* SPDX-License-Identifier: MIT */
/* str.format(). */
#include "jinja/format.h"

#include "jinja/unicode.h"

#include <string.h>

static bool is_align(uint32_t code)
{
    return code == '<' || code == '>' || code == '^' || code == '=';
}

static void read_spec(jinja_reader *r, jinja_spec *spec)
{
    size_t first = r->at < r->end ? jinja_char_bytes(r->s->bytes + r->at) : 0;

    if (r->at + first < r->end && is_align((unsigned char)r->s->bytes[r->at + first])) {
        spec->fill = jinja_decode(r->s->bytes + r->at);
        spec->align = r->s->bytes[r->at + first];
        r->at += first + 1;
    } else if (is_align((unsigned char)jinja_peek(r))) {
        spec->align = r->s->bytes[r->at++];
    }
    if (jinja_peek(r) == '+' || jinja_peek(r) == '-' || jinja_peek(r) == ' ') {
        spec->sign = (char)(jinja_peek(r) == '-' ? '\0' : jinja_peek(r));
        r->at++;
    }
    spec->alternate = jinja_skip(r, '#');
    spec->zero = jinja_skip(r, '0');
    spec->width = jinja_read_number(r);
    if (jinja_peek(r) == ',' || jinja_peek(r) == '_')
        spec->grouping = r->s->bytes[r->at++];
    if (jinja_skip(r, '.'))
        spec->precision = jinja_read_number(r);
    if (r->at < r->end)
        spec->type = r->s->bytes[r->at++];
    if (r->at < r->end)
        jinja_raise(r->c, "invalid format specifier");
}

/* The value that the first part of a field names. */
static jinja_value field_root(jinja_reader *r, size_t begin, size_t end)
{
    int64_t index = 0;
    bool number = end > begin;

    for (size_t i = begin; i < end && number && index < JINJA_MAX_FORMAT_NUMBER; i++) {
        number = r->s->bytes[i] >= '0' && r->s->bytes[i] <= '9';
        index = index * 10 + (r->s->bytes[i] - '0');
    }
    if (begin == end) {
        index = (int64_t)r->used++;
        r->automatic = true;
    } else if (number) {
        r->numbered = true;
    } else {
        for (size_t i = 0; i < r->args->n_named; i++) {
            const jinja_string *name = r->args->named[i].key.as.string;

            if (name->length == end - begin &&
                memcmp(name->bytes, r->s->bytes + begin, end - begin) == 0)
                return r->args->named[i].value;
        }
        return jinja_raise(r->c, "'%.*s'", (int)(end - begin), r->s->bytes + begin);
    }
    if (r->automatic && r->numbered)
        return jinja_raise(r->c, "cannot switch between manual field specification and automatic "
                                 "field numbering");
    if ((size_t)index >= r->args->n)
        return jinja_raise(r->c, "replacement index %lld out of range for positional args tuple",
                           (long long)index);
    return r->args->items[index];
}

/* [key] or [7] behind a field's name */
static jinja_value field_item(jinja_reader *r, jinja_value v)
{
    size_t begin = r->at;
    jinja_reader digits = {.c = r->c, .s = r->s, .at = begin};

    while (r->at < r->end && r->s->bytes[r->at] != ']')
        r->at++;
    digits.end = r->at;
    if (jinja_peek(&digits) >= '0' && jinja_peek(&digits) <= '9') {
        int64_t index = jinja_read_number(&digits);

        if (digits.at == digits.end && jinja_skip(r, ']'))
            return jinja_getitem(r->c, v, jinja_int(index));
    }
    if (!jinja_skip(r, ']'))
        return jinja_raise(r->c, "missing ']' in format string");
    return jinja_getitem(r->c, v, jinja_from_string(jinja_substring(r->c, r->s, begin, r->at - 1)));
}

/* name, then any .attribute or [key] */
static jinja_value read_field(jinja_reader *r)
{
    size_t begin = r->at;
    jinja_value v;

    while (r->at < r->end && strchr(".[!:}", r->s->bytes[r->at]) == NULL)
        r->at++;
    v = field_root(r, begin, r->at);
    while (!r->c->failed) {
        if (jinja_skip(r, '.')) {
            begin = r->at;
            while (r->at < r->end && strchr(".[!:}", r->s->bytes[r->at]) == NULL)
                r->at++;
            v = jinja_getattr(r->c, v,
                              jinja_from_string(jinja_substring(r->c, r->s, begin, r->at)));
        } else if (jinja_skip(r, '[')) {
            v = field_item(r, v);
        } else {
            break;
        }
    }
    return v;
}

/* The specification's own text, with the fields inside it replaced. */
static const jinja_string *expand_spec(jinja_reader *r)
{
    jinja_builder b = {.c = r->c};

    while (r->at < r->end && r->s->bytes[r->at] != '}' && jinja_spend(r->c, 1)) {
        if (jinja_skip(r, '{')) {
            jinja_append_str(&b, read_field(r));
            if (!jinja_skip(r, '}'))
                jinja_raise(r->c, "expected '}' before end of string");
            continue;
        }
        jinja_append_bytes(&b, r->s->bytes + r->at, 1, false);
        r->at++;
    }
    return jinja_built(&b);
}

/* What follows a {. */
static void format_field(jinja_reader *r)
{
    jinja_spec spec = {.precision = -1};
    jinja_value v = read_field(r);
    jinja_builder b = {.c = r->c};
    char conversion;

    if (jinja_skip(r, '!')) {
        conversion = jinja_peek(r);
        r->at++;
        if (conversion == 'r' || conversion == 'a') {
            jinja_append_repr(&b, v);
            v = jinja_built_value(&b);
        } else if (conversion == 's') {
            v = jinja_from_string(jinja_str(r->c, v));
        } else {
            jinja_raise(r->c, "unknown conversion specifier");
        }
    }
    if (jinja_skip(r, ':')) {
        const jinja_string *text = expand_spec(r);
        jinja_reader inner = {.c = r->c, .s = text, .end = text->length};

        read_spec(&inner, &spec);
    }
    if (!jinja_skip(r, '}'))
        jinja_raise(r->c, "expected '}' before end of string");
    if ((v.kind == JINJA_INT || v.kind == JINJA_BOOL) && spec.precision >= 0 &&
        (spec.type == 0 || strchr("dxXobcn", spec.type) != NULL))
        jinja_raise(r->c, "Precision not allowed in integer format specifier");
    if (r->s->safe && v.kind == JINJA_STRING)
        v = jinja_from_string(jinja_escape(r->c, v.as.string));
    if (!r->c->failed)
        jinja_append_formatted(&r->out, v, &spec);
}

jinja_value jinja_str_format(jinja_context *c, const jinja_string *format, const jinja_args *args)
{
    jinja_reader r = {.c = c, .s = format, .end = format->length, .out = {.c = c}, .args = args};

    while (r.at < r.end && jinja_spend(c, 1)) {
        size_t begin = r.at;

        while (r.at < r.end && format->bytes[r.at] != '{' && format->bytes[r.at] != '}')
            r.at++;
        jinja_append_literal(&r, begin, r.at);
        if (r.at >= r.end)
            break;
        if (r.at + 1 < r.end && format->bytes[r.at + 1] == format->bytes[r.at]) {
            jinja_append_literal(&r, r.at, r.at + 1);
            r.at += 2;
        } else if (jinja_skip(&r, '{')) {
            format_field(&r);
        } else {
            return jinja_raise(c, "single '}' encountered in format string");
        }
    }
    return jinja_from_string(jinja_with_safety(c, jinja_built(&r.out), format->safe));
}
