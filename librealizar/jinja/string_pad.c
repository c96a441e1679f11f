/* SPDX-License-Identifier: MIT */
/* Methods of str that fill up to a width, and the table of all of them. */
#include "jinja/methods.h"

static jinja_value pad(jinja_context *c, const jinja_string *s, const jinja_string *fill,
                       int64_t left, int64_t right)
{
    jinja_builder b = {.c = c};

    if (left <= 0 && right <= 0)
        return jinja_from_string(s);
    jinja_append_repeated(&b, fill, (size_t)left);
    jinja_append_string(&b, s);
    jinja_append_repeated(&b, fill, (size_t)right);
    return jinja_from_string(jinja_with_safety(c, jinja_built(&b), s->safe));
}

/* Width still to fill, and the character to fill it with. */
static int64_t room(jinja_context *c, const jinja_string *s, const jinja_value *argv,
                    const jinja_string **fill)
{
    static const jinja_string SPACE = {.bytes = " ", .length = 1, .n_chars = 1};
    int64_t width = jinja_want_int(c, argv[0], 80);

    *fill = argv[1].kind == JINJA_MISSING ? &SPACE : jinja_want_string(c, argv[1]);
    if (*fill != NULL && (*fill)->n_chars != 1)
        jinja_raise(c, "the fill character must be exactly one character long");
    return c->failed || width <= (int64_t)s->n_chars ? 0 : width - (int64_t)s->n_chars;
}

JINJA_ROW_FUNCTION(jinja_str_center)
{
    const jinja_string *s = jinja_str(c, self), *fill;
    int64_t n = room(c, s, argv, &fill);
    int64_t left = n / 2 + (n & ((int64_t)s->n_chars + n) & 1);

    return pad(c, s, fill, left, n - left);
}

JINJA_ROW_FUNCTION(jinja_str_ljust)
{
    const jinja_string *fill;
    int64_t n = room(c, self.as.string, argv, &fill);

    return pad(c, self.as.string, fill, 0, n);
}

JINJA_ROW_FUNCTION(jinja_str_rjust)
{
    const jinja_string *fill;
    int64_t n = room(c, self.as.string, argv, &fill);

    return pad(c, self.as.string, fill, n, 0);
}

JINJA_ROW_FUNCTION(jinja_str_zfill)
{
    const jinja_string *s = self.as.string;
    int64_t n = jinja_want_int(c, argv[0], 0) - (int64_t)s->n_chars;
    size_t sign = s->length > 0 && (s->bytes[0] == '-' || s->bytes[0] == '+');
    jinja_builder b = {.c = c};

    if (n <= 0 || c->failed)
        return self;
    jinja_append_string(&b, jinja_substring(c, s, 0, sign));
    for (int64_t i = 0; i < n && jinja_spend(c, 1); i++)
        jinja_append_text(&b, "0");
    jinja_append_string(&b, jinja_substring(c, s, sign, s->length));
    return jinja_built_value(&b);
}

JINJA_ROW_FUNCTION(jinja_str_expandtabs)
{
    int64_t size = jinja_want_int(c, argv[0], 8), column = 0;
    jinja_walker w = {.s = self.as.string};
    jinja_builder b = {.c = c};
    uint32_t code;
    bool from_user;

    while (jinja_next_char(&w, &code, &from_user) && jinja_spend(c, 1)) {
        if (code != '\t') {
            jinja_append_char(&b, code, from_user);
            column = code == '\n' || code == '\r' ? 0 : column + 1;
            continue;
        }
        for (int64_t n = size > 0 ? size - column % size : 0; n > 0 && jinja_spend(c, 1); n--) {
            jinja_append_char(&b, ' ', from_user);
            column++;
        }
    }
    return jinja_built_value(&b);
}

static JINJA_ROW_FUNCTION(str_join)
{
    const jinja_sequence *items = jinja_iterate(c, argv[0]);
    jinja_builder b = {.c = c};

    for (size_t i = 0; items != NULL && i < items->n && jinja_spend(c, 1); i++) {
        if (items->items[i].kind != JINJA_STRING)
            return jinja_raise(c, "sequence item %zu: expected str instance, %s found", i,
                               jinja_type_name(items->items[i]));
        if (i > 0)
            jinja_append_string(&b, self.as.string);
        jinja_append_string(&b, items->items[i].as.string);
    }
    return jinja_built_value(&b);
}

static JINJA_ROW_FUNCTION(str_format)
{
    return jinja_str_format(c, self.as.string, raw);
}

static JINJA_ROW_FUNCTION(str_format_map)
{
    jinja_args args = {0};

    if (argv[0].kind != JINJA_DICT)
        return jinja_raise(c, "format_map() takes a mapping, not %s", jinja_type_name(argv[0]));
    for (size_t i = 0; i < argv[0].as.dict->n; i++)
        if (argv[0].as.dict->pairs[i].key.kind != JINJA_STRING)
            return jinja_raise(c, "format_map() takes keys that are strings");
    args.named = argv[0].as.dict->pairs;
    args.n_named = argv[0].as.dict->n;
    return jinja_str_format(c, self.as.string, &args);
}

const jinja_callable JINJA_STRING_METHODS[] = {
    {"strip", jinja_str_strip, "chars", 0},
    {"lstrip", jinja_str_lstrip, "chars", 0},
    {"rstrip", jinja_str_rstrip, "chars", 0},
    {"split", jinja_str_split, "sep maxsplit", 0},
    {"rsplit", jinja_str_rsplit, "sep maxsplit", 0},
    {"splitlines", jinja_str_splitlines, "keepends", 0},
    {"startswith", jinja_str_startswith, "prefix start end", 1},
    {"endswith", jinja_str_endswith, "suffix start end", 1},
    {"replace", jinja_str_replace, "old new count", 2},
    {"upper", jinja_str_upper, "", 0},
    {"lower", jinja_str_lower, "", 0},
    {"capitalize", jinja_str_capitalize, "", 0},
    {"title", jinja_str_title, "", 0},
    {"swapcase", jinja_str_swapcase, "", 0},
    {"casefold", jinja_str_casefold, "", 0},
    {"find", jinja_str_find, "sub start end", 1},
    {"rfind", jinja_str_rfind, "sub start end", 1},
    {"index", jinja_str_index, "sub start end", 1},
    {"rindex", jinja_str_rindex, "sub start end", 1},
    {"count", jinja_str_count, "sub start end", 1},
    {"join", str_join, "iterable", 1},
    {"format", str_format, "*", 0},
    {"format_map", str_format_map, "mapping", 1},
    {"partition", jinja_str_partition, "sep", 1},
    {"rpartition", jinja_str_rpartition, "sep", 1},
    {"removeprefix", jinja_str_removeprefix, "prefix", 1},
    {"removesuffix", jinja_str_removesuffix, "suffix", 1},
    {"isupper", jinja_str_isupper, "", 0},
    {"islower", jinja_str_islower, "", 0},
    {"istitle", jinja_str_istitle, "", 0},
    {"isalpha", jinja_str_isalpha, "", 0},
    {"isalnum", jinja_str_isalnum, "", 0},
    {"isdigit", jinja_str_isdigit, "", 0},
    {"isdecimal", jinja_str_isdecimal, "", 0},
    {"isnumeric", jinja_str_isnumeric, "", 0},
    {"isspace", jinja_str_isspace, "", 0},
    {"isascii", jinja_str_isascii, "", 0},
    {"isprintable", jinja_str_isprintable, "", 0},
    {"isidentifier", jinja_str_isidentifier, "", 0},
    {"center", jinja_str_center, "width fillchar", 1},
    {"ljust", jinja_str_ljust, "width fillchar", 1},
    {"rjust", jinja_str_rjust, "width fillchar", 1},
    {"zfill", jinja_str_zfill, "width", 1},
    {"expandtabs", jinja_str_expandtabs, "tabsize", 0},
    {"encode", NULL, "*", 0},
    {"maketrans", NULL, "*", 0},
    {"translate", NULL, "*", 0},
    {NULL, NULL, NULL, 0},
};
