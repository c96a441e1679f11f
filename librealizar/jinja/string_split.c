/* SPDX-License-Identifier: MIT */
/* Methods of str that cut: strip, split, lines, partition. */
#include "jinja/methods.h"

#include "jinja/unicode.h"

#include <string.h>

const jinja_string *jinja_want_string(jinja_context *c, jinja_value v)
{
    if (v.kind == JINJA_STRING)
        return v.as.string;
    jinja_raise(c, "expected a str, not %s", jinja_type_name(v));
    return NULL;
}

int64_t jinja_want_int(jinja_context *c, jinja_value v, int64_t missing)
{
    int64_t i = missing;

    if (v.kind == JINJA_UNDEFINED)
        jinja_raise_undefined(c, v);
    else if (v.kind != JINJA_MISSING && !jinja_index(v, &i))
        jinja_raise(c, "'%s' object cannot be interpreted as an integer", jinja_type_name(v));
    return i;
}

/* True when the character at `at` is white space (chars NULL) or one of `chars`. */
static bool strippable(const jinja_string *s, size_t at, const jinja_string *chars)
{
    size_t n = jinja_char_bytes(s->bytes + at);

    if (chars == NULL)
        return jinja_is_space(jinja_decode(s->bytes + at));
    for (size_t i = 0; i < chars->length; i += jinja_char_bytes(chars->bytes + i))
        if (jinja_char_bytes(chars->bytes + i) == n &&
            memcmp(chars->bytes + i, s->bytes + at, n) == 0)
            return true;
    return false;
}

static jinja_value strip(jinja_context *c, jinja_value self, jinja_value which, bool left,
                         bool right)
{
    const jinja_string *s = jinja_str(c, self), *chars = NULL;
    size_t begin = 0, end = s->length;

    if (which.kind != JINJA_MISSING && which.kind != JINJA_NONE) {
        chars = jinja_want_string(c, which);
        if (chars == NULL || !jinja_spend(c, s->length / 64 * (1 + chars->length / 4)))
            return jinja_none();
    }
    while (left && begin < end && strippable(s, begin, chars))
        begin += jinja_char_bytes(s->bytes + begin);
    while (right && end > begin) {
        size_t before = jinja_char_before(s->bytes, end);

        if (!strippable(s, before, chars))
            break;
        end = before;
    }
    return jinja_from_string(jinja_substring(c, s, begin, end));
}

JINJA_ROW_FUNCTION(jinja_str_strip)
{
    return strip(c, self, argv[0], true, true);
}

JINJA_ROW_FUNCTION(jinja_str_lstrip)
{
    return strip(c, self, argv[0], true, false);
}

JINJA_ROW_FUNCTION(jinja_str_rstrip)
{
    return strip(c, self, argv[0], false, true);
}

static void push_part(jinja_context *c, jinja_value list, const jinja_string *s, size_t begin,
                      size_t end)
{
    jinja_push(c, list, jinja_from_string(jinja_substring(c, s, begin, end)));
}

static size_t skip_spaces(const jinja_string *s, size_t at, bool spaces)
{
    while (at < s->length && jinja_is_space(jinja_decode(s->bytes + at)) == spaces)
        at += jinja_char_bytes(s->bytes + at);
    return at;
}

/* Words between white space; after `most` cuts the rest is one part, its end as it is. */
static void split_words(jinja_context *c, jinja_value list, const jinja_string *s, int64_t most)
{
    size_t at = skip_spaces(s, 0, true);

    while (at < s->length && !c->failed) {
        size_t end = most-- == 0 ? s->length : skip_spaces(s, at, false);

        push_part(c, list, s, at, end);
        at = skip_spaces(s, end, true);
    }
}

static void split_at(jinja_context *c, jinja_value list, const jinja_string *s,
                     const jinja_string *separator, int64_t most)
{
    size_t at = 0;

    while (most-- != 0 && !c->failed) {
        const char *found =
            memmem(s->bytes + at, s->length - at, separator->bytes, separator->length);

        if (found == NULL)
            break;
        push_part(c, list, s, at, (size_t)(found - s->bytes));
        at = (size_t)(found - s->bytes) + separator->length;
    }
    push_part(c, list, s, at, s->length);
}

static size_t skip_spaces_back(const jinja_string *s, size_t end, bool spaces)
{
    while (end > 0) {
        size_t before = jinja_char_before(s->bytes, end);

        if (jinja_is_space(jinja_decode(s->bytes + before)) != spaces)
            break;
        end = before;
    }
    return end;
}

static void rsplit_words(jinja_context *c, jinja_value list, const jinja_string *s, int64_t most)
{
    size_t end = skip_spaces_back(s, s->length, true);

    while (end > 0 && !c->failed) {
        size_t begin = most-- == 0 ? 0 : skip_spaces_back(s, end, false);

        push_part(c, list, s, begin, end);
        end = skip_spaces_back(s, begin, true);
    }
}

static void rsplit_at(jinja_context *c, jinja_value list, const jinja_string *s,
                      const jinja_string *separator, int64_t most)
{
    size_t end = s->length;

    while (most-- != 0 && !c->failed) {
        size_t found = jinja_find_last(c, s, end, separator);

        if (found == SIZE_MAX)
            break;
        push_part(c, list, s, found + separator->length, end);
        end = found;
    }
    push_part(c, list, s, 0, end);
}

static void reverse(jinja_sequence *s)
{
    for (size_t i = 0; i < s->n / 2; i++) {
        jinja_value other = s->items[s->n - 1 - i];

        s->items[s->n - 1 - i] = s->items[i];
        s->items[i] = other;
    }
}

static jinja_value split(jinja_context *c, jinja_value self, const jinja_value *argv,
                         bool from_right)
{
    const jinja_string *s = self.as.string, *separator = NULL;
    int64_t most = jinja_want_int(c, argv[1], -1);
    jinja_value list = jinja_list(c, 0);

    if (argv[0].kind != JINJA_MISSING && argv[0].kind != JINJA_NONE) {
        separator = jinja_want_string(c, argv[0]);
        if (separator != NULL && separator->length == 0)
            return jinja_raise(c, "empty separator");
    }
    if (most < 0)
        most = -1;
    if (!jinja_spend(c, s->length / 64))
        return list;
    if (from_right) {
        if (separator == NULL)
            rsplit_words(c, list, s, most);
        else
            rsplit_at(c, list, s, separator, most);
        if (!c->failed)
            reverse(list.as.sequence);
    } else if (separator == NULL) {
        split_words(c, list, s, most);
    } else {
        split_at(c, list, s, separator, most);
    }
    return list;
}

JINJA_ROW_FUNCTION(jinja_str_split)
{
    return split(c, self, argv, false);
}

JINJA_ROW_FUNCTION(jinja_str_rsplit)
{
    return split(c, self, argv, true);
}

jinja_value jinja_lines(jinja_context *c, const jinja_string *s, bool keep)
{
    jinja_value list = jinja_list(c, 0);
    size_t begin = 0, at = 0;

    while (at < s->length && !c->failed) {
        size_t end = at;

        at += jinja_char_bytes(s->bytes + at);
        if (!jinja_is_line_break(jinja_decode(s->bytes + end)))
            continue;
        if (s->bytes[end] == '\r' && at < s->length && s->bytes[at] == '\n')
            at++;
        push_part(c, list, s, begin, keep ? at : end);
        begin = at;
    }
    if (begin < s->length)
        push_part(c, list, s, begin, s->length);
    return list;
}

JINJA_ROW_FUNCTION(jinja_str_splitlines)
{
    return jinja_lines(c, self.as.string, jinja_want_int(c, argv[0], 0) != 0);
}

static jinja_value three(jinja_context *c, const jinja_string *a, const jinja_string *b,
                         const jinja_string *d)
{
    jinja_value parts = jinja_tuple(c, 3);

    jinja_push(c, parts, jinja_from_string(a));
    jinja_push(c, parts, jinja_from_string(b));
    jinja_push(c, parts, jinja_from_string(d));
    return parts;
}

static jinja_value partition(jinja_context *c, jinja_value self, jinja_value at, bool from_right)
{
    const jinja_string *s = self.as.string, *separator = jinja_want_string(c, at);
    const char *first;
    size_t found;

    if (separator == NULL || !jinja_spend(c, s->length / 64))
        return jinja_none();
    if (separator->length == 0)
        return jinja_raise(c, "empty separator");
    first = memmem(s->bytes, s->length, separator->bytes, separator->length);
    found = from_right      ? jinja_find_last(c, s, s->length, separator)
            : first != NULL ? (size_t)(first - s->bytes)
                            : SIZE_MAX;
    if (found == SIZE_MAX)
        return from_right ? three(c, &JINJA_EMPTY, &JINJA_EMPTY, s)
                          : three(c, s, &JINJA_EMPTY, &JINJA_EMPTY);
    return three(c, jinja_substring(c, s, 0, found), separator,
                 jinja_substring(c, s, found + separator->length, s->length));
}

JINJA_ROW_FUNCTION(jinja_str_partition)
{
    return partition(c, self, argv[0], false);
}

JINJA_ROW_FUNCTION(jinja_str_rpartition)
{
    return partition(c, self, argv[0], true);
}
