/* SPDX-License-Identifier: MIT */
/* Errors with their place in the template, limits, and memory of one compilation or rendering. */
#include "jinja/value.h"

#include <stdio.h>
#include <string.h>

enum { MAX_DEPTH = 500 };

void jinja_position(const char *source, size_t length, size_t offset, size_t *line, size_t *column)
{
    size_t l = 1, col = 1;

    for (size_t i = 0; i < offset && i < length; i++) {
        if (source[i] == '\n') {
            l++;
            col = 1;
        } else if (((unsigned char)source[i] & 0xC0) != 0x80) {
            col++;
        }
    }
    *line = l;
    *column = col;
}

/* The status and "name:line:column: text"; the first error stays. */
static void fail_with(jinja_context *c, trueno_status status, const char *format, va_list args)
{
    char text[400];
    size_t line, column;

    if (c->failed)
        return;
    c->failed = true;
    c->status = status;
    (void)vsnprintf(text, sizeof text, format, args);
    for (char *p = text; *p != '\0'; p++)
        if (*p == '\n' || *p == '\r')
            *p = ' '; /* an error is one line */
    jinja_position(c->source, c->source_length, c->offset, &line, &column);
    (void)trueno_fail(c->err, status, "%.60s:%zu:%zu: %s", c->name, line, column, text);
}

void jinja_fail(jinja_context *c, trueno_status status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fail_with(c, status, format, args);
    va_end(args);
}

jinja_value jinja_raise(jinja_context *c, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fail_with(c, TRUENO_CONTENT, format, args);
    va_end(args);
    return jinja_none();
}

void *jinja_alloc(jinja_context *c, size_t count, size_t size)
{
    void *p;

    if (c->failed)
        return NULL;
    if (count > c->max_memory_bytes / size ||
        count * size > c->max_memory_bytes - c->arena->used_bytes ||
        c->arena->used_bytes > c->max_memory_bytes) {
        jinja_fail(c, TRUENO_CONTENT, "working memory goes over the limit of %zu bytes",
                   c->max_memory_bytes);
        return NULL;
    }
    p = trueno_arena_array(c->arena, count, size);
    if (p == NULL)
        jinja_fail(c, TRUENO_NO_MEMORY, "cannot allocate %zu bytes", count * size);
    return p;
}

bool jinja_grow(jinja_context *c, void *array, size_t n, size_t *capacity, size_t size,
                size_t first)
{
    size_t wanted = *capacity == 0 ? first : *capacity * 2;
    void *old, *items;

    if (n < *capacity)
        return !c->failed;
    items = jinja_alloc(c, wanted, size);
    if (items == NULL)
        return false;
    memcpy(&old, array, sizeof old);
    if (n > 0)
        memcpy(items, old, n * size);
    memcpy(array, &items, sizeof items);
    *capacity = wanted;
    return true;
}

bool jinja_spend(jinja_context *c, uint64_t n)
{
    if (c->failed)
        return false;
    if (n > c->steps_left) {
        jinja_fail(c, TRUENO_CONTENT, "the template takes more steps than the limit allows");
        return false;
    }
    c->steps_left -= n;
    return true;
}

bool jinja_enter(jinja_context *c)
{
    if (c->failed)
        return false;
    if (c->depth >= MAX_DEPTH) {
        jinja_fail(c, TRUENO_CONTENT, "nested more than %d levels deep", MAX_DEPTH);
        return false;
    }
    c->depth++;
    return true;
}
