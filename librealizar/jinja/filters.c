/* SPDX-License-Identifier: MIT */
/* Looking filters up, and those about single values. */
#include "jinja/filters.h"

#include "jinja/unicode.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const jinja_callable *jinja_find_filter(const char *name, size_t length)
{
    static const jinja_callable *const TABLES[] = {JINJA_TEXT_FILTERS, JINJA_VALUE_FILTERS,
                                                   JINJA_SELECT_FILTERS, JINJA_ORDER_FILTERS};
    const jinja_callable *row = NULL;

    for (size_t i = 0; i < sizeof TABLES / sizeof TABLES[0] && row == NULL; i++)
        row = jinja_find_row(TABLES[i], name, length);
    return row;
}

static JINJA_ROW_FUNCTION(run_default)
{
    bool use = self.kind == JINJA_UNDEFINED || (jinja_truth(argv[1]) && !jinja_truth(self));

    if (!use)
        return self;
    return argv[0].kind == JINJA_MISSING ? jinja_from_string(&JINJA_EMPTY) : argv[0];
}

static JINJA_ROW_FUNCTION(run_abs)
{
    if (self.kind == JINJA_FLOAT)
        return jinja_float(fabs(self.as.number));
    if (self.kind == JINJA_INT)
        return self.as.integer < 0 ? jinja_negate(c, self) : self;
    if (self.kind == JINJA_BOOL)
        return jinja_int(self.as.boolean);
    if (self.kind == JINJA_UNDEFINED)
        return jinja_raise_undefined(c, self);
    return jinja_raise(c, "bad operand type for abs(): '%s'", jinja_type_name(self));
}

static JINJA_ROW_FUNCTION(run_attr)
{
    const jinja_string *name = jinja_want_string(c, argv[0]);
    jinja_value v;

    if (name == NULL || self.kind == JINJA_DICT) {
        /* foo|attr("bar") never falls back to foo["bar"] */
        if (name == NULL || jinja_find_row(JINJA_DICT_METHODS, name->bytes, name->length) == NULL)
            return jinja_undefined_name(c, "dict object", argv[0]);
    }
    v = jinja_getattr(c, self, argv[0]);
    return v;
}

static JINJA_ROW_FUNCTION(run_length)
{
    int64_t n = jinja_length(self);

    return n >= 0 ? jinja_int(n)
                  : jinja_raise(c, "object of type '%s' has no len()", jinja_type_name(self));
}

/* int(text, base), without underscores at odd places or anything behind. */
static bool parse_integer(const jinja_string *s, int64_t base, int64_t *value)
{
    char copy[80];
    size_t begin = 0, end = s->length, n = 0;
    char *stop;

    while (begin < end && jinja_is_space((unsigned char)s->bytes[begin]))
        begin++;
    while (end > begin && jinja_is_space((unsigned char)s->bytes[end - 1]))
        end--;
    if (end - begin >= sizeof copy || begin == end)
        return false;
    for (size_t i = begin; i < end; i++) {
        if (s->bytes[i] == '_' && i > begin && i + 1 < end && s->bytes[i + 1] != '_' &&
            s->bytes[i - 1] != '-' && s->bytes[i - 1] != '+')
            continue;
        if (jinja_is_space((unsigned char)s->bytes[i]) || s->bytes[i] == '\0')
            return false;
        copy[n++] = s->bytes[i];
    }
    copy[n] = '\0';
    begin = copy[0] == '-' || copy[0] == '+';
    if (copy[begin] == '-' || copy[begin] == '+')
        return false;
    if (copy[begin] == '0' && strchr("bBoO", copy[begin + 1]) != NULL && copy[begin + 1] != '\0' &&
        (base == ((copy[begin + 1] | 0x20) == 'b' ? 2 : 8) || base == 0))
        memmove(copy + begin, copy + begin + 2, n - begin - 1);
    errno = 0;
    *value = strtoll(copy, &stop, (int)base);
    return errno == 0 && *stop == '\0' && stop != copy;
}

static JINJA_ROW_FUNCTION(run_int)
{
    jinja_value fallback = argv[0].kind == JINJA_MISSING ? jinja_int(0) : argv[0];
    int64_t base = 10, i;
    double x = 0;

    if (self.kind == JINJA_UNDEFINED)
        return jinja_raise_undefined(c, self);
    /* a base that int() would refuse leaves the text to float() */
    if (self.kind == JINJA_STRING &&
        (argv[1].kind == JINJA_MISSING || jinja_index(argv[1], &base)) &&
        (base == 0 || (base >= 2 && base <= 36)) && parse_integer(self.as.string, base, &i))
        return jinja_int(i);
    if (jinja_index(self, &i))
        return jinja_int(i);
    if (self.kind == JINJA_STRING
            ? !jinja_parse_float(self.as.string->bytes, self.as.string->length, &x)
            : !jinja_number(self, &x))
        return fallback;
    if (isnan(x) || isinf(x))
        return fallback;
    if (fabs(x) >= 9.2e18)
        return jinja_raise(c, "an integer beyond 64 bits");
    return jinja_int((int64_t)x);
}

static JINJA_ROW_FUNCTION(run_float)
{
    double x;

    if (self.kind == JINJA_UNDEFINED)
        return jinja_raise_undefined(c, self);
    if (self.kind == JINJA_STRING
            ? jinja_parse_float(self.as.string->bytes, self.as.string->length, &x)
            : jinja_number(self, &x))
        return jinja_float(x);
    return argv[0].kind == JINJA_MISSING ? jinja_float(0) : argv[0];
}

/* Python's round(): to even, decided on the decimal digits. */
static double round_digits(double x, int64_t digits)
{
    char text[400];
    double scale;

    if (!isfinite(x) || digits > 300)
        return x;
    if (digits < 0) {
        scale = pow(10, (double)-digits);
        return isinf(scale) ? 0 * x : rint(x / scale) * scale;
    }
    (void)snprintf(text, sizeof text, "%.*f", (int)digits, x);
    return strtod(text, NULL);
}

static JINJA_ROW_FUNCTION(run_round)
{
    int64_t digits = jinja_want_int(c, argv[0], 0), i;
    double x, scale;

    if (self.kind == JINJA_UNDEFINED)
        return jinja_raise_undefined(c, self);
    if (!jinja_number(self, &x))
        return jinja_raise(c, "type %s doesn't define __round__ method", jinja_type_name(self));
    if (argv[1].kind == JINJA_MISSING ||
        (argv[1].kind == JINJA_STRING && jinja_string_is(argv[1].as.string, "common"))) {
        if (jinja_index(self, &i) && digits >= 0)
            return jinja_int(i);
        x = round_digits(x, digits);
        return jinja_index(self, &i) ? jinja_int((int64_t)x) : jinja_float(x);
    }
    scale = pow(10, (double)digits);
    if (argv[1].kind == JINJA_STRING && jinja_string_is(argv[1].as.string, "ceil"))
        return jinja_float(ceil(x * scale) / scale);
    if (argv[1].kind == JINJA_STRING && jinja_string_is(argv[1].as.string, "floor"))
        return jinja_float(floor(x * scale) / scale);
    return jinja_raise(c, "method must be common, ceil or floor");
}

static JINJA_ROW_FUNCTION(run_file_size)
{
    static const char PREFIXES[] = "kMGTPEZY";
    bool binary = jinja_truth(argv[0]);
    double base = binary ? 1024 : 1000, unit = base, bytes;
    jinja_value number = run_float(c, self, (jinja_value[1]){{.kind = JINJA_NONE}}, raw);
    jinja_builder b = {.c = c};
    size_t i = 0;
    char text[64];

    if (!jinja_number(number, &bytes))
        return jinja_raise(c, "filesizeformat needs a number");
    if (bytes == 1)
        return jinja_text(c, "1 Byte");
    if (bytes < base) {
        jinja_append_format(&b, "%lld Bytes", (long long)bytes);
        return jinja_built_value(&b);
    }
    for (; i < 7 && bytes >= unit * base; i++)
        unit *= base;
    (void)snprintf(text, sizeof text, "%.1f", bytes / unit);
    for (char *p = text; *p != '\0'; p++)
        if (*p == ',')
            *p = '.'; /* the locale's */
    jinja_append_text(&b, text);
    jinja_append_format(&b, " %c%s", binary && i == 0 ? 'K' : PREFIXES[i], binary ? "iB" : "B");
    return jinja_built_value(&b);
}

/* The indent argument: none, a number of spaces, or a text. */
static void read_indent(jinja_context *c, jinja_value v, jinja_json_options *o)
{
    int64_t n = 0;
    char *spaces;

    if (v.kind == JINJA_MISSING || v.kind == JINJA_NONE)
        return;
    if (v.kind == JINJA_STRING) {
        o->indent = v.as.string->bytes;
        o->indent_length = v.as.string->length;
        return;
    }
    n = jinja_want_int(c, v, 0);
    if (n > 1000)
        jinja_raise(c, "an indent of more than 1000");
    if (n < 0)
        n = 0;
    spaces = jinja_alloc(c, (size_t)n + 1, 1);
    if (spaces == NULL)
        return;
    memset(spaces, ' ', (size_t)n);
    o->indent = spaces;
    o->indent_length = (size_t)n;
}

static void read_separators(jinja_context *c, jinja_value v, jinja_json_options *o)
{
    const jinja_sequence *pair;

    o->item_separator = jinja_text(c, o->indent != NULL ? "," : ", ").as.string;
    o->key_separator = jinja_text(c, ": ").as.string;
    if (v.kind == JINJA_MISSING || v.kind == JINJA_NONE)
        return;
    pair = jinja_iterate(c, v);
    if (pair == NULL || pair->n != 2 || pair->items[0].kind != JINJA_STRING ||
        pair->items[1].kind != JINJA_STRING) {
        jinja_raise(c, "separators must be two strings");
        return;
    }
    o->item_separator = jinja_string_over(c, pair->items[0].as.string->bytes,
                                          pair->items[0].as.string->length, false);
    o->key_separator = jinja_string_over(c, pair->items[1].as.string->bytes,
                                         pair->items[1].as.string->length, false);
}

static JINJA_ROW_FUNCTION(run_tojson)
{
    jinja_json_options o = {.ensure_ascii = jinja_truth(argv[0]),
                            .sort_keys = jinja_truth(argv[3])};
    jinja_builder b = {.c = c};

    read_indent(c, argv[1], &o);
    read_separators(c, argv[2], &o);
    if (c->failed)
        return jinja_none();
    jinja_append_json(&b, self, &o, 0);
    if (jinja_from_user(c, self))
        jinja_mark_from(&b, 0);
    return jinja_built_value(&b);
}

static JINJA_ROW_FUNCTION(run_from_json)
{
    const jinja_string *s = jinja_want_string(c, self);

    return s == NULL ? jinja_none()
                     : jinja_parse_json(c, s->bytes, s->length, jinja_has_marks(s), "from_json");
}

const jinja_callable JINJA_VALUE_FILTERS[] = {
    {"default", run_default, "default_value boolean", 0},
    {"d", run_default, "default_value boolean", 0},
    {"tojson", run_tojson, "ensure_ascii indent separators sort_keys", 0},
    {"from_json", run_from_json, "", 0},
    {"length", run_length, "", 0},
    {"count", run_length, "", 0},
    {"abs", run_abs, "", 0},
    {"attr", run_attr, "name", 1},
    {"int", run_int, "default base", 0},
    {"float", run_float, "default", 0},
    {"round", run_round, "precision method", 0},
    {"filesizeformat", run_file_size, "binary", 0},
    {"pprint", NULL, "*", 0},
    {NULL, NULL, NULL, 0},
};
