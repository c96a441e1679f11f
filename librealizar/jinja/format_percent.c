/* SPDX-License-Identifier: MIT */
/* "%s" % values. */
#include "jinja/format.h"

#include <string.h>

static jinja_value next_value(jinja_reader *r)
{
    bool tuple = r->values.kind == JINJA_TUPLE;
    size_t n = tuple ? r->values.as.sequence->n : 1;

    if (r->used >= n)
        return jinja_raise(r->c, "not enough arguments for format string");
    r->used++;
    return tuple ? r->values.as.sequence->items[r->used - 1] : r->values;
}

static jinja_value named_value(jinja_reader *r)
{
    size_t begin = r->at;
    const jinja_value *found;

    while (r->at < r->end && r->s->bytes[r->at] != ')')
        r->at++;
    if (r->values.kind != JINJA_DICT)
        return jinja_raise(r->c, "format requires a mapping");
    found = jinja_dict_find(r->values.as.dict, r->s->bytes + begin, r->at - begin);
    if (!jinja_skip(r, ')'))
        return jinja_raise(r->c, "incomplete format key");
    if (found == NULL)
        return jinja_raise(r->c, "'%.*s'", (int)(r->at - 1 - begin), r->s->bytes + begin);
    return *found;
}

static int64_t star_or_number(jinja_reader *r)
{
    int64_t n = 0;

    if (!jinja_skip(r, '*'))
        return jinja_read_number(r);
    if (!jinja_index(next_value(r), &n))
        jinja_raise(r->c, "* wants int");
    else if (n > JINJA_MAX_FORMAT_NUMBER || n < -JINJA_MAX_FORMAT_NUMBER)
        jinja_raise(r->c, "a number in a format is too big");
    return n;
}

static void read_percent_flags(jinja_reader *r, jinja_spec *spec)
{
    for (;; r->at++) {
        char ch = jinja_peek(r);

        if (ch == '-')
            spec->align = '<';
        else if (ch == '+')
            spec->sign = '+';
        else if (ch == ' ' && spec->sign == 0)
            spec->sign = ' ';
        else if (ch == '#')
            spec->alternate = true;
        else if (ch == '0')
            spec->zero = true;
        else if (ch != ' ')
            break;
    }
}

/* int(value) of %d for a float; %x and the like take ints alone. */
static jinja_value to_integer(jinja_reader *r, jinja_value v, char type)
{
    if (v.kind == JINJA_FLOAT && type == 'd' && v.as.number > -9e18 && v.as.number < 9e18)
        return jinja_int((int64_t)v.as.number);
    if (v.kind == JINJA_UNDEFINED)
        return jinja_raise_undefined(r->c, v);
    if (v.kind != JINJA_INT && v.kind != JINJA_BOOL)
        return jinja_raise(r->c, "%%%c format: a number is required, not %s", type,
                           jinja_type_name(v));
    return v;
}

static void append_percent_text(jinja_reader *r, jinja_value v, jinja_spec *spec)
{
    jinja_builder b = {.c = r->c};
    const jinja_string *text;

    if (spec->type == 's' && r->s->safe)
        text = jinja_escape(r->c, jinja_str(r->c, v));
    else if (spec->type == 's')
        text = jinja_str(r->c, v);
    else {
        jinja_append_repr(&b, v);
        text = jinja_built(&b);
    }
    if (spec->precision >= 0 && (uint64_t)spec->precision < text->n_chars)
        text = jinja_substring(r->c, text, 0, jinja_char_offset(text, (size_t)spec->precision));
    jinja_append_padded(&r->out, text, spec, '>');
}

static void append_percent_value(jinja_reader *r, jinja_value v, jinja_spec *spec)
{
    double x;

    if (spec->type == 'i' || spec->type == 'u')
        spec->type = 'd';
    if (spec->align == '<')
        spec->zero = false;
    switch (spec->type) {
    case 's':
    case 'r':
    case 'a':
        append_percent_text(r, v, spec);
        break;
    case 'c':
        if (v.kind == JINJA_STRING && v.as.string->n_chars == 1)
            jinja_append_padded(&r->out, v.as.string, spec, '>');
        else if (v.kind == JINJA_INT)
            jinja_append_formatted(&r->out, v, spec);
        else
            jinja_raise(r->c, "%%c requires int or char");
        break;
    case 'd':
    case 'x':
    case 'X':
    case 'o':
        jinja_append_formatted(&r->out, to_integer(r, v, spec->type), spec);
        break;
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
        if (jinja_number(v, &x))
            jinja_append_formatted(&r->out, jinja_float(x), spec);
        else
            jinja_raise(r->c, "must be real number, not %s", jinja_type_name(v));
        break;
    default:
        jinja_raise(r->c, "unsupported format character");
    }
}

/* What follows a %. */
static void percent_field(jinja_reader *r)
{
    jinja_spec spec = {.precision = -1};
    jinja_value v = {.kind = JINJA_MISSING};

    if (jinja_skip(r, '%')) {
        jinja_append_text(&r->out, "%");
        return;
    }
    if (jinja_skip(r, '('))
        v = named_value(r);
    read_percent_flags(r, &spec);
    spec.width = star_or_number(r);
    if (spec.width < 0) {
        spec.width = -spec.width;
        spec.align = '<';
    }
    if (jinja_skip(r, '.'))
        spec.precision = star_or_number(r);
    while (jinja_peek(r) == 'h' || jinja_peek(r) == 'l' || jinja_peek(r) == 'L')
        r->at++;
    spec.type = jinja_peek(r);
    if (r->at++ >= r->end) {
        jinja_raise(r->c, "incomplete format");
        return;
    }
    if (v.kind == JINJA_MISSING)
        v = next_value(r);
    if (!r->c->failed)
        append_percent_value(r, v, &spec);
}

jinja_value jinja_percent(jinja_context *c, const jinja_string *format, jinja_value values)
{
    jinja_reader r = {
        .c = c, .s = format, .end = format->length, .out = {.c = c}, .values = values};
    bool mapping = values.kind == JINJA_DICT || values.kind == JINJA_LIST ||
                   values.kind == JINJA_UNDEFINED; /* Python asks for [], no more */

    while (r.at < r.end && jinja_spend(c, 1)) {
        const char *found = memchr(format->bytes + r.at, '%', r.end - r.at);
        size_t stop = found == NULL ? r.end : (size_t)(found - format->bytes);

        jinja_append_literal(&r, r.at, stop);
        r.at = stop + 1;
        if (found != NULL)
            percent_field(&r);
    }
    if (!mapping && r.used < (values.kind == JINJA_TUPLE ? values.as.sequence->n : 1))
        return jinja_raise(c, "not all arguments converted during string formatting");
    return jinja_from_string(jinja_with_safety(c, jinja_built(&r.out), format->safe));
}
