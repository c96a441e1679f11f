/* SPDX-License-Identifier: MIT */
/* Numbers and texts by a format specification: sign, base, precision, grouping, width. */
#include "jinja/format.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_PRECISION = 300, DIGITS_BYTES = 800 };

static void append_fill(jinja_builder *b, const jinja_spec *spec, int64_t times)
{
    for (int64_t i = 0; i < times && jinja_spend(b->c, 1); i++)
        jinja_append_char(b, spec->fill != 0 ? spec->fill : ' ', false);
}

void jinja_append_padded(jinja_builder *b, const jinja_string *s, const jinja_spec *spec,
                         char default_align)
{
    int64_t missing = spec->width - (int64_t)s->n_chars, left;
    char align = (char)(spec->align != 0 ? spec->align : default_align);

    if (missing < 0)
        missing = 0;
    left = align == '<' ? 0 : align == '^' ? missing / 2 : missing;
    append_fill(b, spec, left);
    jinja_append_string(b, s);
    append_fill(b, spec, missing - left);
}

static void append_text_value(jinja_builder *b, const jinja_string *s, const jinja_spec *spec)
{
    if (spec->align == '=' || spec->sign != 0 || spec->alternate || spec->grouping != 0) {
        jinja_raise(b->c, "a format specification for numbers, given a str");
        return;
    }
    if (spec->precision >= 0 && (uint64_t)spec->precision < s->n_chars)
        s = jinja_substring(b->c, s, 0, jinja_char_offset(s, (size_t)spec->precision));
    jinja_append_padded(b, s, spec, '<');
}

/* The integer part's digits with a separator every `every` digits; returns the length. */
static size_t group_digits(const char *digits, size_t n, char separator, size_t every, char *out)
{
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        if (i > 0 && separator != 0 && (n - i) % every == 0)
            out[at++] = separator;
        out[at++] = digits[i];
    }
    return at;
}

/* Sign, prefix, whole digits and the rest, filled up to the width. */
static void append_number(jinja_builder *b, const jinja_spec *spec, bool negative,
                          const char *prefix, const char *whole, size_t n_whole, const char *rest)
{
    char sign = (char)(negative ? '-' : spec->sign);
    char align = (char)(spec->align != 0 ? spec->align : spec->zero ? '=' : '>');
    size_t every =
        spec->type == 'x' || spec->type == 'X' || spec->type == 'o' || spec->type == 'b' ? 4 : 3;
    char grouped[DIGITS_BYTES * 2];
    size_t n = group_digits(whole, n_whole, spec->grouping, every, grouped);
    size_t n_sign = sign != 0, n_prefix = strlen(prefix), n_rest = strlen(rest);
    int64_t missing = spec->width - (int64_t)(n_sign + n_prefix + n + n_rest), left;
    jinja_spec filling = *spec;

    if (spec->zero && spec->fill == 0)
        filling.fill = '0';
    if (missing < 0)
        missing = 0;
    left = align == '<' || align == '=' ? 0 : align == '^' ? missing / 2 : missing;
    append_fill(b, &filling, left);
    jinja_append_bytes(b, &sign, n_sign, false);
    jinja_append_text(b, prefix);
    if (align == '=')
        append_fill(b, &filling, missing);
    jinja_append_bytes(b, grouped, n, false);
    jinja_append_text(b, rest);
    if (align == '<' || align == '^')
        append_fill(b, &filling, missing - left);
}

static void append_integer(jinja_builder *b, int64_t i, const jinja_spec *spec)
{
    static const char LOWER[] = "0123456789abcdef", UPPER[] = "0123456789ABCDEF";
    uint64_t left = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
    unsigned base = 10;
    const char *prefix = "";
    char digits[MAX_PRECISION + 80];
    size_t at = sizeof digits, wanted;

    if (spec->type == 'x' || spec->type == 'X') {
        base = 16;
        prefix = spec->type == 'x' ? "0x" : "0X";
    } else if (spec->type == 'o') {
        base = 8;
        prefix = "0o";
    } else if (spec->type == 'b') {
        base = 2;
        prefix = "0b";
    }
    do {
        digits[--at] = (spec->type == 'X' ? UPPER : LOWER)[left % base];
        left /= base;
    } while (left != 0);
    wanted = spec->precision > 0 ? (size_t)spec->precision : 1;
    while (sizeof digits - at < wanted)
        digits[--at] = '0';
    append_number(b, spec, i < 0, spec->alternate ? prefix : "", digits + at, sizeof digits - at,
                  "");
}

/* The locale's decimal point, whatever it is, to a dot. */
static void fix_point(char *text)
{
    for (; *text != '\0'; text++)
        if (strchr("0123456789eE+-infaINFA", *text) == NULL)
            *text = '.';
}

static void print_float(double x, const jinja_spec *spec, char out[DIGITS_BYTES])
{
    int precision = spec->precision < 0 ? 6 : (int)spec->precision;
    char shortest[JINJA_FLOAT_BYTES];

    switch (spec->type) {
    case 'e':
        (void)snprintf(out, DIGITS_BYTES, "%.*e", precision, x);
        break;
    case 'E':
        (void)snprintf(out, DIGITS_BYTES, "%.*E", precision, x);
        break;
    case 'g':
        (void)snprintf(out, DIGITS_BYTES, spec->alternate ? "%#.*g" : "%.*g", precision, x);
        break;
    case 'G':
        (void)snprintf(out, DIGITS_BYTES, spec->alternate ? "%#.*G" : "%.*G", precision, x);
        break;
    case '%':
        (void)snprintf(out, DIGITS_BYTES, "%.*f%%", precision, x * 100);
        break;
    case 'f':
    case 'F':
        (void)snprintf(out, DIGITS_BYTES, "%.*f", precision, x);
        break;
    default: /* no type: as repr(), or the general format with at least one decimal */
        if (spec->precision < 0) {
            shortest[jinja_format_float(x, shortest)] = '\0';
            (void)snprintf(out, DIGITS_BYTES, "%s", shortest);
            return;
        }
        (void)snprintf(out, DIGITS_BYTES, "%.*g", precision, x);
        if (strpbrk(out, ".,eni") == NULL)
            (void)snprintf(out, DIGITS_BYTES, "%.*g.0", precision, x);
    }
    if (spec->type != '%')
        fix_point(out);
    else
        for (char *p = out; p[1] != '\0'; p++)
            if ((*p < '0' || *p > '9') && *p != '-' && !(*p >= 'a' && *p <= 'z'))
                *p = '.';
}

static void append_float(jinja_builder *b, double x, const jinja_spec *spec)
{
    char text[DIGITS_BYTES];
    size_t n_whole;
    jinja_spec plain = *spec;

    print_float(fabs(x), spec, text);
    n_whole = strspn(text, "0123456789");
    if (n_whole == 0) { /* inf, nan */
        plain.grouping = 0;
        append_number(b, &plain, signbit(x) && !isnan(x), "", text, strlen(text), "");
        return;
    }
    append_number(b, spec, signbit(x), "", text, n_whole, text + n_whole);
}

static bool is_float_type(char type)
{
    return type != 0 && strchr("eEfFgG%", type) != NULL;
}

void jinja_append_formatted(jinja_builder *b, jinja_value v, const jinja_spec *spec)
{
    int64_t i;
    double x;

    if (spec->precision > MAX_PRECISION) {
        jinja_raise(b->c, "precision too big");
        return;
    }
    if (v.kind == JINJA_STRING && (spec->type == 0 || spec->type == 's')) {
        append_text_value(b, v.as.string, spec);
    } else if (v.kind == JINJA_FLOAT && (spec->type == 0 || is_float_type(spec->type))) {
        append_float(b, v.as.number, spec);
    } else if (jinja_index(v, &i) && spec->type == 'c' && i >= 0 && i < 0x110000 &&
               (i < 0xD800 || i > 0xDFFF)) {
        jinja_builder one = {.c = b->c};

        jinja_append_char(&one, (uint32_t)i, false);
        jinja_append_padded(b, jinja_built(&one), spec, '<');
    } else if (jinja_index(v, &i) && is_float_type(spec->type) && jinja_number(v, &x)) {
        append_float(b, x, spec);
    } else if (jinja_index(v, &i) && spec->type != 's' && spec->type != 'c' &&
               (v.kind == JINJA_INT || spec->type != 0)) {
        append_integer(b, i, spec);
    } else if (spec->type == 0 && spec->width == 0 && spec->precision < 0 && spec->align == 0) {
        jinja_append_str(b, v);
    } else if (v.kind == JINJA_BOOL && spec->type == 0) {
        append_integer(b, v.as.boolean, spec);
    } else if (spec->type != 0) {
        jinja_raise(b->c, "unknown format code '%c' for object of type '%s'", spec->type,
                    jinja_type_name(v));
    } else {
        jinja_raise(b->c, "unsupported format string passed to %s.__format__", jinja_type_name(v));
    }
}
