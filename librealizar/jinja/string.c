/* SPDX-License-Identifier: MIT */
/* Strings that know which of their bytes came from the user, and the builder that makes them. */
#include "jinja/value.h"

#include "jinja/unicode.h"

#include <stdio.h>
#include <string.h>

const jinja_string JINJA_EMPTY = {.bytes = ""};

/* Room behind the newest of some strings that continue each other. */
struct jinja_growth {
    const jinja_string *newest; /* NULL while a builder continues it */
    char *bytes;
    jinja_span *marks;
    size_t capacity, marks_capacity;
};

enum { GROWTH_BYTES = 256 }; /* shorter texts are as well copied */

static jinja_string *new_string(jinja_context *c, const char *bytes, size_t length)
{
    jinja_string *s = jinja_alloc(c, 1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->bytes = bytes;
    s->length = length;
    s->n_chars = jinja_count_chars(bytes, length);
    return s;
}

const jinja_string *jinja_string_over(jinja_context *c, const char *bytes, size_t length,
                                      bool from_user)
{
    jinja_string *s;
    jinja_span *mark;

    if (length == 0)
        return &JINJA_EMPTY;
    s = new_string(c, bytes, length);
    if (s == NULL)
        return &JINJA_EMPTY;
    if (from_user) {
        mark = jinja_alloc(c, 1, sizeof *mark);
        if (mark == NULL)
            return &JINJA_EMPTY;
        mark->end = length;
        s->marks = mark;
        s->n_marks = 1;
    }
    return s;
}

/* Index of the first mark that ends after `at`. */
static size_t first_mark_after(const jinja_string *s, size_t at)
{
    size_t low = 0, high = s->n_marks;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (s->marks[middle].end > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Give `out` the marks that `s` has in [begin, end). */
static bool cut_marks(jinja_context *c, jinja_string *out, const jinja_string *s, size_t begin,
                      size_t end)
{
    size_t first = first_mark_after(s, begin), n = 0;
    jinja_span *marks;

    while (first + n < s->n_marks && s->marks[first + n].begin < end)
        n++;
    if (n == 0)
        return true;
    marks = jinja_alloc(c, n, sizeof *marks);
    if (marks == NULL)
        return false;
    for (size_t i = 0; i < n; i++) {
        const jinja_span *m = &s->marks[first + i];

        marks[i].begin = m->begin > begin ? m->begin - begin : 0;
        marks[i].end = (m->end < end ? m->end : end) - begin;
    }
    out->marks = marks;
    out->n_marks = n;
    return true;
}

const jinja_string *jinja_substring(jinja_context *c, const jinja_string *s, size_t begin,
                                    size_t end)
{
    jinja_string *out;

    if (begin == 0 && end == s->length)
        return s;
    if (begin >= end && !s->safe)
        return &JINJA_EMPTY;
    if (begin >= end)
        begin = end;
    out = jinja_alloc(c, 1, sizeof *out);
    if (out == NULL || !cut_marks(c, out, s, begin, end))
        return &JINJA_EMPTY;
    out->bytes = s->bytes + begin;
    out->length = end - begin;
    out->n_chars =
        s->n_chars == s->length ? out->length : jinja_count_chars(out->bytes, end - begin);
    out->safe = s->safe;
    return out;
}

const jinja_string *jinja_with_safety(jinja_context *c, const jinja_string *s, bool safe)
{
    jinja_string *out;

    if (s->safe == safe)
        return s;
    out = jinja_alloc(c, 1, sizeof *out);
    if (out == NULL)
        return &JINJA_EMPTY;
    *out = *s;
    out->safe = safe;
    return out;
}

const jinja_string *jinja_concat(jinja_context *c, const jinja_string *a, const jinja_string *b)
{
    jinja_builder out = {.c = c};

    if (a->length == 0)
        return b;
    if (b->length == 0)
        return a;
    jinja_continue(&out, a);
    jinja_append_string(&out, b);
    return jinja_built_to_grow(&out);
}

bool jinja_string_equal(const jinja_string *a, const jinja_string *b)
{
    return a->length == b->length &&
           (a->bytes == b->bytes || memcmp(a->bytes, b->bytes, a->length) == 0);
}

bool jinja_string_is(const jinja_string *s, const char *text)
{
    return s->length == strlen(text) && memcmp(s->bytes, text, s->length) == 0;
}

int jinja_string_compare(const jinja_string *a, const jinja_string *b)
{
    size_t n = a->length < b->length ? a->length : b->length;
    int order = memcmp(a->bytes, b->bytes, n); /* UTF-8 sorts as its code points do */

    return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

size_t jinja_char_offset(const jinja_string *s, size_t i)
{
    size_t at = 0;

    if (s->n_chars == s->length)
        return i;
    while (i-- > 0)
        at += jinja_char_bytes(s->bytes + at);
    return at;
}

/* Make room for `n` more bytes. */
static bool reserve_bytes(jinja_builder *b, size_t n)
{
    jinja_context *c = b->c;
    size_t capacity = b->capacity < 32 ? 64 : b->capacity * 2;
    char *bytes;

    if (c->failed)
        return false;
    if (n <= b->capacity - b->length)
        return true;
    if (n > c->max_output_bytes || b->length > c->max_output_bytes - n) {
        jinja_fail(c, TRUENO_CONTENT, "a text goes over the limit of %zu bytes",
                   c->max_output_bytes);
        return false;
    }
    if (capacity < b->length + n)
        capacity = b->length + n;
    bytes = jinja_alloc(c, capacity, 1);
    if (bytes == NULL)
        return false;
    if (b->length > 0)
        memcpy(bytes, b->bytes, b->length);
    b->bytes = bytes;
    b->capacity = capacity;
    return true;
}

static void add_mark(jinja_builder *b, size_t begin, size_t end)
{
    if (b->n_marks > b->old_marks && b->marks[b->n_marks - 1].end == begin) {
        b->marks[b->n_marks - 1].end = end;
        return;
    }
    if (!jinja_grow(b->c, &b->marks, b->n_marks, &b->marks_capacity, sizeof *b->marks, 4))
        return;
    b->marks[b->n_marks].begin = begin;
    b->marks[b->n_marks++].end = end;
}

void jinja_append_bytes(jinja_builder *b, const char *bytes, size_t n, bool from_user)
{
    if (n == 0 || !reserve_bytes(b, n))
        return;
    memcpy(b->bytes + b->length, bytes, n);
    if (from_user)
        add_mark(b, b->length, b->length + n);
    b->length += n;
}

void jinja_append_text(jinja_builder *b, const char *text)
{
    jinja_append_bytes(b, text, strlen(text), false);
}

void jinja_append_char(jinja_builder *b, uint32_t code_point, bool from_user)
{
    char utf8[4];

    jinja_append_bytes(b, utf8, jinja_encode(code_point, utf8), from_user);
}

void jinja_append_string(jinja_builder *b, const jinja_string *s)
{
    size_t start = b->length;

    if (s->length == 0 || !reserve_bytes(b, s->length))
        return;
    memcpy(b->bytes + start, s->bytes, s->length);
    for (size_t i = 0; i < s->n_marks && !b->c->failed; i++)
        add_mark(b, start + s->marks[i].begin, start + s->marks[i].end);
    b->length += s->length;
}

void jinja_append_repeated(jinja_builder *b, const jinja_string *s, size_t times)
{
    if (s->length == 0)
        return;
    for (size_t i = 0; i < times && jinja_spend(b->c, 1); i++)
        jinja_append_string(b, s);
}

void jinja_mark_from(jinja_builder *b, size_t start)
{
    if (b->length > start && !b->c->failed)
        add_mark(b, start, b->length);
}

void jinja_append_format(jinja_builder *b, const char *format, ...)
{
    char text[160];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    jinja_append_text(b, text);
}

void jinja_continue(jinja_builder *b, const jinja_string *s)
{
    struct jinja_growth *growth = s->growth;

    if (growth == NULL || growth->newest != s) {
        jinja_append_string(b, s);
        return;
    }
    growth->newest = NULL; /* x ~ (x ~ y): the inner one must copy */
    b->growth = growth;
    b->bytes = growth->bytes;
    b->length = b->old_length = s->length;
    b->capacity = growth->capacity;
    b->marks = growth->marks;
    b->n_marks = b->old_marks = s->n_marks;
    b->marks_capacity = growth->marks_capacity;
    b->old_chars = s->n_chars;
}

/* NULL for an empty text and after a failure. */
static jinja_string *build(jinja_builder *b)
{
    size_t added = b->length - b->old_length;
    jinja_string *s;

    if (b->length == 0 || b->c->failed)
        return NULL;
    s = jinja_alloc(b->c, 1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->bytes = b->bytes;
    s->length = b->length;
    s->n_chars = b->old_chars + jinja_count_chars(b->bytes + b->old_length, added);
    s->marks = b->marks;
    s->n_marks = b->n_marks;
    return s;
}

const jinja_string *jinja_built(jinja_builder *b)
{
    const jinja_string *s = build(b);

    return s != NULL ? s : &JINJA_EMPTY;
}

const jinja_string *jinja_built_to_grow(jinja_builder *b)
{
    jinja_string *s = build(b);
    struct jinja_growth *growth = b->growth;

    if (s == NULL)
        return &JINJA_EMPTY;
    if (growth == NULL && s->length >= GROWTH_BYTES)
        growth = jinja_alloc(b->c, 1, sizeof *growth);
    if (growth != NULL)
        *growth = (struct jinja_growth){.newest = s,
                                        .bytes = b->bytes,
                                        .marks = b->marks,
                                        .capacity = b->capacity,
                                        .marks_capacity = b->marks_capacity};
    s->growth = growth;
    return s;
}

jinja_value jinja_built_value(jinja_builder *b)
{
    return jinja_from_string(jinja_built(b));
}
