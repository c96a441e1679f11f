/* SPDX-License-Identifier: MIT */
/* str() and repr() as Python prints them. */
#include "jinja/value.h"

#include "jinja/run.h"
#include "jinja/unicode.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void append_inner(jinja_builder *b, jinja_value v);

/* The digits of the shortest decimal that reads back as x, and its exponent: d.ddd x 10^exponent.
 */
static size_t shortest_digits(double x, char digits[20], int *exponent)
{
    char text[JINJA_FLOAT_BYTES];
    size_t n = 0;
    char *e;

    for (int precision = 0; precision < 17; precision++) {
        (void)snprintf(text, sizeof text, "%.*e", precision, x);
        if (strtod(text, NULL) == x)
            break;
    }
    e = strchr(text, 'e');
    *exponent = (int)strtol(e + 1, NULL, 10);
    for (const char *p = text; p < e; p++)
        if (*p >= '0' && *p <= '9') /* the decimal point depends on the locale */
            digits[n++] = *p;
    return n;
}

size_t jinja_format_float(double x, char out[JINJA_FLOAT_BYTES])
{
    char digits[20];
    int exponent;
    size_t n, at = 0;

    if (isnan(x))
        return (size_t)snprintf(out, JINJA_FLOAT_BYTES, "nan");
    if (isinf(x))
        return (size_t)snprintf(out, JINJA_FLOAT_BYTES, x > 0 ? "inf" : "-inf");
    n = shortest_digits(fabs(x), digits, &exponent);
    if (signbit(x))
        out[at++] = '-';
    if (exponent < -4 || exponent >= 16) {
        out[at++] = digits[0];
        if (n > 1) {
            out[at++] = '.';
            memcpy(out + at, digits + 1, n - 1);
            at += n - 1;
        }
        return at + (size_t)snprintf(out + at, JINJA_FLOAT_BYTES - at, "e%c%02d",
                                     exponent < 0 ? '-' : '+', abs(exponent));
    }
    if (exponent < 0) {
        out[at++] = '0';
        out[at++] = '.';
        for (int i = -1; i > exponent; i--)
            out[at++] = '0';
        memcpy(out + at, digits, n);
        at += n;
    } else {
        for (size_t i = 0; i < n || i <= (size_t)exponent; i++) {
            if (i == (size_t)exponent + 1)
                out[at++] = '.';
            out[at++] = (char)(i < n ? digits[i] : '0');
        }
        if (n <= (size_t)exponent + 1) {
            out[at++] = '.';
            out[at++] = '0';
        }
    }
    out[at] = '\0';
    return at;
}

/* Copy digits without single underscores between them; false where Python refuses one. */
static bool copy_number(const char *text, size_t length, char *out)
{
    const char point = *localeconv()->decimal_point;
    size_t n = 0;

    for (size_t i = 0; i < length; i++) {
        char ch = text[i];

        if (ch == '_') {
            if (i == 0 || i + 1 == length || text[i - 1] < '0' || text[i - 1] > '9' ||
                text[i + 1] < '0' || text[i + 1] > '9')
                return false;
            continue;
        }
        if ((ch < '0' || ch > '9') && ch != '.' && ch != 'e' && ch != 'E' && ch != '+' && ch != '-')
            return false; /* no hexadecimal floats */
        out[n++] = (char)(ch == '.' ? point : ch);
    }
    out[n] = '\0';
    return n > 0;
}

static bool is_word(const char *text, size_t length, const char *word)
{
    return length == strlen(word) && strncasecmp(text, word, length) == 0;
}

bool jinja_parse_float(const char *text, size_t length, double *x)
{
    char copy[400];
    size_t sign;
    char *end;

    while (length > 0 && jinja_is_space((unsigned char)text[0])) {
        text++;
        length--;
    }
    while (length > 0 && jinja_is_space((unsigned char)text[length - 1]))
        length--;
    sign = length > 0 && (text[0] == '-' || text[0] == '+');
    if (is_word(text + sign, length - sign, "inf") ||
        is_word(text + sign, length - sign, "infinity")) {
        *x = text[0] == '-' ? -INFINITY : INFINITY;
        return true;
    }
    if (is_word(text + sign, length - sign, "nan")) {
        *x = NAN;
        return true;
    }
    if (length >= sizeof copy || !copy_number(text, length, copy))
        return false;
    *x = strtod(copy, &end);
    return *end == '\0' && end != copy;
}

static void append_escaped(jinja_builder *b, uint32_t code, const char *bytes, size_t n, char quote)
{
    if (code == '\n')
        jinja_append_text(b, "\\n");
    else if (code == '\r')
        jinja_append_text(b, "\\r");
    else if (code == '\t')
        jinja_append_text(b, "\\t");
    else if (code == '\\' || code == (unsigned char)quote)
        jinja_append_format(b, "\\%c", (char)code);
    else if (jinja_is_printable(code))
        jinja_append_bytes(b, bytes, n, false);
    else
        jinja_append_format(b,
                            code < 0x100     ? "\\x%02x"
                            : code < 0x10000 ? "\\u%04x"
                                             : "\\U%08x",
                            code);
}

static void append_quoted(jinja_builder *b, const jinja_string *s)
{
    bool single = memchr(s->bytes, '\'', s->length) != NULL;
    char quote = single && memchr(s->bytes, '"', s->length) == NULL ? '"' : '\'';

    jinja_append_bytes(b, &quote, 1, false);
    for (size_t at = 0; at < s->length && !b->c->failed;) {
        size_t n = jinja_char_bytes(s->bytes + at);

        append_escaped(b, jinja_decode(s->bytes + at), s->bytes + at, n, quote);
        at += n;
    }
    jinja_append_bytes(b, &quote, 1, false);
}

static void append_items(jinja_builder *b, const jinja_sequence *s, const char *open,
                         const char *close)
{
    jinja_append_text(b, open);
    for (size_t i = 0; i < s->n && jinja_spend(b->c, 1); i++) {
        if (i > 0)
            jinja_append_text(b, ", ");
        append_inner(b, s->items[i]);
    }
    jinja_append_text(b, close);
}

static void append_lazy(jinja_builder *b, const jinja_sequence *s)
{
    switch (s->lazy) {
    case JINJA_RANGE:
        jinja_append_format(b, "range(%lld, %lld", (long long)s->bounds[0],
                            (long long)s->bounds[1]);
        if (s->bounds[2] != 1)
            jinja_append_format(b, ", %lld", (long long)s->bounds[2]);
        jinja_append_text(b, ")");
        break;
    case JINJA_DICT_KEYS:
        append_items(b, s, "dict_keys([", "])");
        break;
    case JINJA_DICT_VALUES:
        append_items(b, s, "dict_values([", "])");
        break;
    case JINJA_DICT_ITEMS:
        append_items(b, s, "dict_items([", "])");
        break;
    default:
        jinja_append_text(b, "<generator object>");
    }
}

static void append_dict(jinja_builder *b, const jinja_dict *dict)
{
    jinja_append_text(b, "{");
    for (size_t i = 0; i < dict->n && jinja_spend(b->c, 1); i++) {
        if (i > 0)
            jinja_append_text(b, ", ");
        append_inner(b, dict->pairs[i].key);
        jinja_append_text(b, ": ");
        append_inner(b, dict->pairs[i].value);
    }
    jinja_append_text(b, "}");
}

static void append_collection(jinja_builder *b, jinja_value v)
{
    if (!jinja_enter(b->c))
        return;
    if (v.kind == JINJA_LIST) {
        append_items(b, v.as.sequence, "[", "]");
    } else if (v.kind == JINJA_TUPLE) {
        append_items(b, v.as.sequence, "(", v.as.sequence->n == 1 ? ",)" : ")");
    } else if (v.kind == JINJA_LAZY) {
        append_lazy(b, v.as.sequence);
    } else if (v.kind == JINJA_DICT) {
        append_dict(b, v.as.dict);
    } else {
        jinja_append_text(b, "<Namespace ");
        append_dict(b, v.as.dict);
        jinja_append_text(b, ">");
    }
    b->c->depth--;
}

/* repr() without marks */
static void append_inner(jinja_builder *b, jinja_value v)
{
    char text[JINJA_FLOAT_BYTES];

    switch (v.kind) {
    case JINJA_MISSING:
    case JINJA_UNDEFINED:
        jinja_append_text(b, "Undefined");
        break;
    case JINJA_NONE:
        jinja_append_text(b, "None");
        break;
    case JINJA_BOOL:
        jinja_append_text(b, v.as.boolean ? "True" : "False");
        break;
    case JINJA_INT:
        jinja_append_format(b, "%lld", (long long)v.as.integer);
        break;
    case JINJA_FLOAT:
        jinja_append_bytes(b, text, jinja_format_float(v.as.number, text), false);
        break;
    case JINJA_STRING:
        if (v.as.string->safe)
            jinja_append_text(b, "Markup(");
        append_quoted(b, v.as.string);
        if (v.as.string->safe)
            jinja_append_text(b, ")");
        break;
    case JINJA_LIST:
    case JINJA_TUPLE:
    case JINJA_LAZY:
    case JINJA_DICT:
    case JINJA_NAMESPACE:
        append_collection(b, v);
        break;
    case JINJA_MACRO:
        jinja_append_text(b, "<Macro ");
        if (v.as.macro->name != NULL)
            append_quoted(b, v.as.macro->name);
        else
            jinja_append_text(b, "anonymous");
        jinja_append_text(b, ">");
        break;
    case JINJA_LOOP:
        jinja_append_format(b, "<LoopContext %lld/%lld>", (long long)v.as.loop->index0 + 1,
                            (long long)jinja_loop_length(b->c, v.as.loop));
        break;
    default:
        jinja_append_format(b, "<%s object>", jinja_type_name(v));
    }
}

void jinja_append_repr(jinja_builder *b, jinja_value v)
{
    size_t start = b->length;

    append_inner(b, v);
    if (jinja_from_user(b->c, v))
        jinja_mark_from(b, start);
}

void jinja_append_str(jinja_builder *b, jinja_value v)
{
    if (v.kind == JINJA_STRING)
        jinja_append_string(b, v.as.string);
    else if (v.kind != JINJA_UNDEFINED && v.kind != JINJA_MISSING)
        jinja_append_repr(b, v);
}

const jinja_string *jinja_str(jinja_context *c, jinja_value v)
{
    jinja_builder b = {.c = c};

    if (v.kind == JINJA_STRING)
        return v.as.string;
    jinja_append_str(&b, v);
    return jinja_built(&b);
}
