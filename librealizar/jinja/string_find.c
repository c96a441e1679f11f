/* SPDX-License-Identifier: MIT */
/* Methods of str that look for other text, and replace it. */
#include "jinja/methods.h"

#include "jinja/unicode.h"

#include <string.h>

size_t jinja_find_last(jinja_context *c, const jinja_string *s, size_t end,
                       const jinja_string *needle)
{
    size_t n = needle->length;

    if (n > end)
        return SIZE_MAX;
    if (n == 0)
        return end;
    for (size_t at = end - n + 1; at-- > 0;) {
        if (s->bytes[at] != needle->bytes[0] || s->bytes[at + n - 1] != needle->bytes[n - 1])
            continue;
        if (!jinja_spend(c, 1 + n / 32))
            break;
        if (memcmp(s->bytes + at, needle->bytes, n) == 0)
            return at;
    }
    return SIZE_MAX;
}

/* Bytes [begin, end) of the characters [argv[0], argv[1]) of a string, as slices count them. */
static bool window(jinja_context *c, const jinja_string *s, const jinja_value *argv, size_t *begin,
                   size_t *end)
{
    int64_t n = (int64_t)s->n_chars, bounds[2] = {0, n};

    for (int i = 0; i < 2; i++) {
        if (argv[i].kind != JINJA_NONE)
            bounds[i] = jinja_want_int(c, argv[i], bounds[i]);
        if (bounds[i] < 0)
            bounds[i] = bounds[i] < -n ? 0 : bounds[i] + n;
    }
    if (c->failed || bounds[0] > n)
        return false;
    if (bounds[1] > n)
        bounds[1] = n;
    if (bounds[0] > bounds[1] || !jinja_spend(c, s->length / 64))
        return false;
    *begin = jinja_char_offset(s, (size_t)bounds[0]);
    *end = jinja_char_offset(s, (size_t)bounds[1]);
    return true;
}

/* The character index where argv[0] is found, or -1. */
static int64_t find(jinja_context *c, const jinja_string *s, const jinja_value *argv,
                    bool from_right)
{
    const jinja_string *needle = jinja_want_string(c, argv[0]);
    size_t begin, end, at;
    const char *first;

    if (needle == NULL || !window(c, s, argv + 1, &begin, &end))
        return -1;
    if (from_right) {
        at = jinja_find_last(c, s, end, needle);
        if (at == SIZE_MAX || at < begin)
            return -1;
    } else {
        first = memmem(s->bytes + begin, end - begin, needle->bytes, needle->length);
        if (first == NULL)
            return -1;
        at = (size_t)(first - s->bytes);
    }
    return (int64_t)jinja_count_chars(s->bytes, at);
}

static jinja_value found_or_raise(jinja_context *c, int64_t at)
{
    return at >= 0 ? jinja_int(at) : jinja_raise(c, "substring not found");
}

JINJA_ROW_FUNCTION(jinja_str_find)
{
    return jinja_int(find(c, self.as.string, argv, false));
}

JINJA_ROW_FUNCTION(jinja_str_rfind)
{
    return jinja_int(find(c, self.as.string, argv, true));
}

JINJA_ROW_FUNCTION(jinja_str_index)
{
    return found_or_raise(c, find(c, self.as.string, argv, false));
}

JINJA_ROW_FUNCTION(jinja_str_rindex)
{
    return found_or_raise(c, find(c, self.as.string, argv, true));
}

JINJA_ROW_FUNCTION(jinja_str_count)
{
    const jinja_string *s = self.as.string, *needle = jinja_want_string(c, argv[0]);
    size_t begin, end;
    int64_t n = 0;
    const char *at;

    if (needle == NULL || !window(c, s, argv + 1, &begin, &end))
        return jinja_int(0);
    if (needle->length == 0)
        return jinja_int((int64_t)jinja_count_chars(s->bytes + begin, end - begin) + 1);
    while ((at = memmem(s->bytes + begin, end - begin, needle->bytes, needle->length)) != NULL) {
        n++;
        begin = (size_t)(at - s->bytes) + needle->length;
    }
    return jinja_int(n);
}

static bool has_affix(const jinja_string *s, size_t begin, size_t end, const jinja_string *affix,
                      bool at_end)
{
    return affix->length <= end - begin && memcmp(s->bytes + (at_end ? end - affix->length : begin),
                                                  affix->bytes, affix->length) == 0;
}

/* startswith and endswith: one affix, or a tuple of which any will do. */
static jinja_value match_affix(jinja_context *c, jinja_value self, const jinja_value *argv,
                               bool at_end)
{
    const jinja_string *s = self.as.string, *affix;
    const jinja_sequence *choices;
    size_t begin, end;
    bool inside = window(c, s, argv + 1, &begin, &end);

    if (argv[0].kind != JINJA_TUPLE) {
        affix = jinja_want_string(c, argv[0]);
        return jinja_bool(affix != NULL && inside && has_affix(s, begin, end, affix, at_end));
    }
    choices = argv[0].as.sequence;
    for (size_t i = 0; i < choices->n && !c->failed; i++) {
        affix = jinja_want_string(c, choices->items[i]);
        if (affix != NULL && inside && has_affix(s, begin, end, affix, at_end))
            return jinja_bool(true);
    }
    return jinja_bool(false);
}

JINJA_ROW_FUNCTION(jinja_str_startswith)
{
    return match_affix(c, self, argv, false);
}

JINJA_ROW_FUNCTION(jinja_str_endswith)
{
    return match_affix(c, self, argv, true);
}

JINJA_ROW_FUNCTION(jinja_str_removeprefix)
{
    const jinja_string *s = self.as.string, *affix = jinja_want_string(c, argv[0]);

    if (affix == NULL || !has_affix(s, 0, s->length, affix, false))
        return self;
    return jinja_from_string(jinja_substring(c, s, affix->length, s->length));
}

JINJA_ROW_FUNCTION(jinja_str_removesuffix)
{
    const jinja_string *s = self.as.string, *affix = jinja_want_string(c, argv[0]);

    if (affix == NULL || !has_affix(s, 0, s->length, affix, true))
        return self;
    return jinja_from_string(jinja_substring(c, s, 0, s->length - affix->length));
}

/* The new text before each character, and at the end. */
static const jinja_string *interleave(jinja_context *c, const jinja_string *s,
                                      const jinja_string *new_text, int64_t count)
{
    jinja_builder b = {.c = c};
    size_t at = 0;

    while (count-- != 0 && !c->failed) {
        size_t next;

        jinja_append_string(&b, new_text);
        if (at >= s->length)
            break;
        next = at + jinja_char_bytes(s->bytes + at);
        jinja_append_string(&b, jinja_substring(c, s, at, next));
        at = next;
    }
    jinja_append_string(&b, jinja_substring(c, s, at, s->length));
    return jinja_built(&b);
}

const jinja_string *jinja_replace(jinja_context *c, const jinja_string *s, const jinja_string *old,
                                  const jinja_string *new_text, int64_t count)
{
    jinja_builder b = {.c = c};
    size_t at = 0;

    if (!jinja_spend(c, s->length / 64))
        return &JINJA_EMPTY;
    if (old->length == 0)
        return interleave(c, s, new_text, count);
    while (count-- != 0 && !c->failed) {
        const char *found = memmem(s->bytes + at, s->length - at, old->bytes, old->length);

        if (found == NULL)
            break;
        jinja_append_string(&b, jinja_substring(c, s, at, (size_t)(found - s->bytes)));
        jinja_append_string(&b, new_text);
        at = (size_t)(found - s->bytes) + old->length;
        if (!jinja_spend(c, 1))
            break;
    }
    if (at == 0)
        return s;
    jinja_append_string(&b, jinja_substring(c, s, at, s->length));
    return jinja_built(&b);
}

JINJA_ROW_FUNCTION(jinja_str_replace)
{
    const jinja_string *s = self.as.string, *old = jinja_want_string(c, argv[0]);
    const jinja_string *new_text = jinja_want_string(c, argv[1]);
    int64_t count = jinja_want_int(c, argv[2], -1);

    if (c->failed)
        return jinja_none();
    if (s->safe)
        new_text = jinja_escape(c, new_text);
    s = jinja_with_safety(c, jinja_replace(c, s, old, new_text, count < 0 ? -1 : count), s->safe);
    return jinja_from_string(s);
}
