/* SPDX-License-Identifier: MIT */
/* Filters about text. */
#include "jinja/filters.h"

#include "jinja/unicode.h"

#include <string.h>

static JINJA_ROW_FUNCTION(run_string)
{
    return jinja_from_string(jinja_str(c, self));
}

static JINJA_ROW_FUNCTION(run_safe)
{
    return jinja_from_string(jinja_with_safety(c, jinja_str(c, self), true));
}

static JINJA_ROW_FUNCTION(run_escape)
{
    return jinja_from_string(jinja_escape(c, jinja_str(c, self)));
}

static JINJA_ROW_FUNCTION(run_force_escape)
{
    return jinja_from_string(jinja_escape(c, jinja_with_safety(c, jinja_str(c, self), false)));
}

/* The words that str.title takes are runs of letters; this filter's stand behind space or brackets.
 */
static JINJA_ROW_FUNCTION(run_title)
{
    jinja_walker w = {.s = jinja_str(c, self)};
    jinja_builder b = {.c = c};
    uint32_t code, out[3];
    bool from_user, starts = true;

    while (jinja_next_char(&w, &code, &from_user) && jinja_spend(c, 1)) {
        size_t n = starts ? jinja_upper(code, out) : jinja_lower(code, out);

        for (size_t i = 0; i < n; i++)
            jinja_append_char(&b, out[i], from_user);
        starts = jinja_is_space(code) || code == '-' || code == '(' || code == '{' || code == '<' ||
                 code == '[';
    }
    return jinja_built_value(&b);
}

static JINJA_ROW_FUNCTION(run_replace)
{
    const jinja_string *old = jinja_str(c, argv[0]), *new_text = jinja_str(c, argv[1]);
    int64_t count = argv[2].kind == JINJA_NONE ? -1 : jinja_want_int(c, argv[2], -1);
    const jinja_string *s =
        jinja_replace(c, jinja_str(c, self), old, new_text, count < 0 ? -1 : count);

    return jinja_from_string(jinja_with_safety(c, s, false));
}

static JINJA_ROW_FUNCTION(run_join)
{
    const jinja_sequence *items = jinja_iterate(c, self);
    const jinja_string *separator =
        argv[0].kind == JINJA_MISSING ? &JINJA_EMPTY : jinja_str(c, argv[0]);
    jinja_builder b = {.c = c};

    for (size_t i = 0; items != NULL && i < items->n && jinja_spend(c, 1); i++) {
        jinja_value item = items->items[i];

        if (argv[1].kind != JINJA_MISSING && argv[1].kind != JINJA_NONE)
            item = jinja_get_path(c, item, argv[1], (jinja_value){.kind = JINJA_MISSING});
        if (i > 0)
            jinja_append_string(&b, separator);
        jinja_append_str(&b, item);
    }
    return jinja_built_value(&b);
}

static JINJA_ROW_FUNCTION(run_indent)
{
    static const jinja_string NEW_LINE = {.bytes = "\n", .length = 1, .n_chars = 1};
    static const jinja_string SPACE = {.bytes = " ", .length = 1, .n_chars = 1};
    const jinja_string *text;
    jinja_builder width = {.c = c}, b = {.c = c};
    const jinja_string *indent;
    jinja_value lines;

    if (self.kind != JINJA_STRING)
        return self.kind == JINJA_UNDEFINED
                   ? jinja_raise_undefined(c, self)
                   : jinja_raise(c, "indent needs a str, not %s", jinja_type_name(self));
    if (argv[0].kind == JINJA_STRING) {
        indent = argv[0].as.string;
    } else {
        int64_t n = jinja_want_int(c, argv[0], 4);

        jinja_append_repeated(&width, &SPACE, n > 0 ? (size_t)n : 0);
        indent = jinja_built(&width);
    }
    text = jinja_concat(c, self.as.string, &NEW_LINE); /* so that an empty text is one line */
    lines = jinja_lines(c, text, false);
    for (size_t i = 0; i < lines.as.sequence->n && jinja_spend(c, 1); i++) {
        const jinja_string *line = lines.as.sequence->items[i].as.string;

        if (i > 0)
            jinja_append_text(&b, "\n");
        if (i == 0 ? jinja_truth(argv[1]) : line->length > 0 || jinja_truth(argv[2]))
            jinja_append_string(&b, indent);
        jinja_append_string(&b, line);
    }
    return jinja_from_string(jinja_with_safety(c, jinja_built(&b), self.as.string->safe));
}

static JINJA_ROW_FUNCTION(run_truncate)
{
    const jinja_string *s, *end, *cut;
    int64_t length = jinja_want_int(c, argv[0], 255), leeway = 5;
    size_t stop;
    jinja_value kept;

    end = argv[2].kind == JINJA_MISSING ? jinja_text(c, "...").as.string
                                        : jinja_want_string(c, argv[2]);
    if (argv[3].kind != JINJA_NONE)
        leeway = jinja_want_int(c, argv[3], 5);
    if (c->failed)
        return jinja_none();
    if (length < (int64_t)end->n_chars)
        return jinja_raise(c, "expected length >= %zu, got %lld", end->n_chars, (long long)length);
    if (leeway < 0)
        return jinja_raise(c, "expected leeway >= 0, got %lld", (long long)leeway);
    if (jinja_length(self) < 0)
        return jinja_raise(c, "object of type '%s' has no len()", jinja_type_name(self));
    if ((uint64_t)jinja_length(self) <= (uint64_t)length + (uint64_t)leeway)
        return self;
    s = jinja_want_string(c, self);
    if (s == NULL)
        return jinja_none();
    cut = jinja_substring(c, s, 0, jinja_char_offset(s, (size_t)length - end->n_chars));
    if (!jinja_truth(argv[1])) {
        static const jinja_string SPACE = {.bytes = " ", .length = 1, .n_chars = 1};

        stop = jinja_find_last(c, cut, cut->length, &SPACE);
        cut = jinja_substring(c, cut, 0, stop == SIZE_MAX ? cut->length : stop);
    }
    kept = jinja_from_string(jinja_concat(c, cut, end));
    return kept;
}

static JINJA_ROW_FUNCTION(run_word_count)
{
    jinja_walker w = {.s = jinja_str(c, self)};
    uint32_t code;
    bool from_user, inside = false;
    int64_t n = 0;

    while (jinja_next_char(&w, &code, &from_user)) {
        bool word = code == '_' || jinja_is_alpha(code) || jinja_is_numeric(code);

        n += word && !inside;
        inside = word;
    }
    return jinja_int(n);
}

/* The character that an entity stands for, when w is behind its ampersand; w goes behind the
 * entity. */
static uint32_t unescape_entity(jinja_walker *w)
{
    static const struct {
        const char *name;
        uint32_t code;
    } ROWS[] = {{"amp;", '&'},  {"lt;", '<'},  {"gt;", '>'},    {"quot;", '"'},
                {"#39;", '\''}, {"#34;", '"'}, {"apos;", '\''}, {"nbsp;", 0xA0}};

    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        size_t n = strlen(ROWS[i].name);

        if (w->s->length - w->at >= n && memcmp(w->s->bytes + w->at, ROWS[i].name, n) == 0) {
            w->at += n;
            return ROWS[i].code;
        }
    }
    return '&';
}

/* Without what stands between < and >, with single spaces, and the common entities as characters.
 */
static JINJA_ROW_FUNCTION(run_strip_tags)
{
    jinja_walker w = {.s = jinja_str(c, self)};
    jinja_builder b = {.c = c};
    uint32_t code;
    bool from_user, space = false;

    while (jinja_next_char(&w, &code, &from_user) && jinja_spend(c, 1)) {
        const char *close = code == '<' ? memchr(w.s->bytes + w.at, '>', w.s->length - w.at) : NULL;

        if (close != NULL) {
            w.at = (size_t)(close - w.s->bytes) + 1;
        } else if (jinja_is_space(code)) {
            space = b.length > 0;
        } else {
            if (space)
                jinja_append_text(&b, " ");
            space = false;
            jinja_append_char(&b, code == '&' ? unescape_entity(&w) : code, from_user);
        }
    }
    return jinja_built_value(&b);
}

/* RFC 3986; a slash is kept in a path, not in a query. */
static void append_url(jinja_builder *b, const jinja_string *s, bool keep_slash)
{
    for (size_t i = 0; i < s->length && jinja_spend(b->c, 1); i++) {
        unsigned char ch = (unsigned char)s->bytes[i];

        if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
            strchr("_.-~", ch) != NULL || (ch == '/' && keep_slash)) {
            if (ch != '\0') {
                jinja_append_bytes(b, s->bytes + i, 1, jinja_has_marks(s));
                continue;
            }
        }
        if (ch == ' ' && !keep_slash)
            jinja_append_text(b, "+");
        else
            jinja_append_format(b, "%%%02X", ch);
    }
}

static JINJA_ROW_FUNCTION(run_url_encode)
{
    jinja_builder b = {.c = c};
    const jinja_sequence *pairs;

    if (self.kind != JINJA_DICT && self.kind != JINJA_LIST && self.kind != JINJA_TUPLE) {
        append_url(&b, jinja_str(c, self), true);
        return jinja_built_value(&b);
    }
    if (self.kind == JINJA_DICT)
        self = jinja_run_row(c, jinja_find_row(JINJA_DICT_METHODS, "items", 5), "method", self,
                             &(jinja_args){0});
    pairs = jinja_iterate(c, self);
    for (size_t i = 0; pairs != NULL && i < pairs->n && jinja_spend(c, 1); i++) {
        const jinja_sequence *pair = jinja_iterate(c, pairs->items[i]);

        if (pair == NULL || pair->n != 2)
            return jinja_raise(c, "urlencode needs pairs");
        if (i > 0)
            jinja_append_text(&b, "&");
        append_url(&b, jinja_str(c, pair->items[0]), false);
        jinja_append_text(&b, "=");
        append_url(&b, jinja_str(c, pair->items[1]), false);
    }
    return jinja_built_value(&b);
}

static JINJA_ROW_FUNCTION(run_xml_attributes)
{
    jinja_builder b = {.c = c};
    bool space = argv[0].kind == JINJA_MISSING || jinja_truth(argv[0]);

    if (self.kind != JINJA_DICT)
        return jinja_raise(c, "xmlattr needs a dict, not %s", jinja_type_name(self));
    for (size_t i = 0; i < self.as.dict->n && jinja_spend(c, 1); i++) {
        const jinja_pair *pair = &self.as.dict->pairs[i];
        const jinja_string *key = jinja_want_string(c, pair->key);

        if (pair->value.kind == JINJA_NONE || pair->value.kind == JINJA_UNDEFINED || key == NULL)
            continue;
        for (size_t k = 0; k < key->length; k++)
            if (strchr(" \t\n\r\f\v/>=", key->bytes[k]) != NULL)
                return jinja_raise(c, "invalid character in attribute name");
        if (space || b.length > 0)
            jinja_append_text(&b, " ");
        jinja_append_string(&b, jinja_escape(c, key));
        jinja_append_text(&b, "=\"");
        jinja_append_string(&b, jinja_escape(c, jinja_str(c, pair->value)));
        jinja_append_text(&b, "\"");
    }
    return jinja_built_value(&b);
}

/* "..."|format(a, b) is "..." % (a, b), or with named values a mapping. */
static JINJA_ROW_FUNCTION(run_format)
{
    jinja_value values = jinja_tuple(c, raw->n);
    jinja_dict *named;

    if (raw->n > 0 && raw->n_named > 0)
        return jinja_raise(c, "can't handle positional and keyword arguments at the same time");
    if (raw->n_named > 0) {
        named = jinja_dict_new(c);
        for (size_t i = 0; i < raw->n_named; i++)
            jinja_dict_set(c, named, raw->named[i].key, raw->named[i].value);
        return jinja_percent(c, jinja_str(c, self), jinja_from_dict(named));
    }
    for (size_t i = 0; i < raw->n; i++)
        jinja_push(c, values, raw->items[i]);
    return jinja_percent(c, jinja_str(c, self), values);
}

const jinja_callable JINJA_TEXT_FILTERS[] = {
    {"trim", jinja_str_strip, "chars", 0},
    {"string", run_string, "", 0},
    {"join", run_join, "d attribute", 0},
    {"safe", run_safe, "", 0},
    {"upper", jinja_str_upper, "", 0},
    {"lower", jinja_str_lower, "", 0},
    {"capitalize", jinja_str_capitalize, "", 0},
    {"title", run_title, "", 0},
    {"replace", run_replace, "old new count", 2},
    {"indent", run_indent, "width first blank", 0},
    {"center", jinja_str_center, "width", 0},
    {"escape", run_escape, "", 0},
    {"e", run_escape, "", 0},
    {"forceescape", run_force_escape, "", 0},
    {"format", run_format, "*", 0},
    {"truncate", run_truncate, "length killwords end leeway", 0},
    {"wordcount", run_word_count, "", 0},
    {"striptags", run_strip_tags, "", 0},
    {"urlencode", run_url_encode, "", 0},
    {"xmlattr", run_xml_attributes, "autospace", 0},
    {"urlize", NULL, "*", 0},
    {"wordwrap", NULL, "*", 0},
    {NULL, NULL, NULL, 0},
};
