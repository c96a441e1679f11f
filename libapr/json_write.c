/* SPDX-License-Identifier: MIT */
/* JSON text: escapes, commas and shortest numbers. */
#include "json_write.h"

#include "reader.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void append(apr_json *j, const char *text, size_t length)
{
    apr_buffer_append(&j->buffer, text, length);
}

static void begin_value(apr_json *j)
{
    if (j->comma)
        append(j, ",", 1);
    j->comma = true;
}

void apr_json_open(apr_json *j, char bracket)
{
    begin_value(j);
    append(j, &bracket, 1);
    j->comma = false;
}

void apr_json_close(apr_json *j, char bracket)
{
    append(j, &bracket, 1);
    j->comma = true;
}

/* The escape of an ASCII byte that needs one, into e; its length, 0 when the byte stands for
 * itself. */
static int escape(unsigned char c, char e[8])
{
    static const char SHORT[] = "\"\"\\\\\bb\ff\nn\rr\tt";

    for (size_t i = 0; i + 1 < sizeof SHORT; i += 2)
        if (c == (unsigned char)SHORT[i])
            return snprintf(e, 8, "\\%c", SHORT[i + 1]);
    return c < 0x20 || c == 0x7f ? snprintf(e, 8, "\\u%04x", c) : 0;
}

void apr_json_text(apr_json *j, const char *text, size_t length)
{
    size_t done = 0, at = 0;

    begin_value(j);
    append(j, "\"", 1);
    while (at < length) {
        size_t step = apr_utf8_length(text + at, length - at);
        char e[8];
        int escaped = step == 1 ? escape((unsigned char)text[at], e) : 0;

        if (step != 0 && escaped == 0) {
            at += step;
            continue;
        }
        append(j, text + done, at - done);
        append(j, step == 0 ? "\xef\xbf\xbd" : e, step == 0 ? 3 : (size_t)escaped);
        done = ++at;
    }
    append(j, text + done, at - done);
    append(j, "\"", 1);
}

void apr_json_string(apr_json *j, const char *text)
{
    apr_json_text(j, text, strlen(text));
}

void apr_json_key(apr_json *j, const char *key)
{
    apr_json_string(j, key);
    append(j, ":", 1);
    j->comma = false;
}

void apr_json_raw(apr_json *j, const char *text, size_t length)
{
    begin_value(j);
    append(j, text, length);
}

void apr_json_more(apr_json *j, const char *text, size_t length)
{
    append(j, text, length);
}

void apr_json_int(apr_json *j, int64_t value)
{
    char text[32];

    apr_json_raw(j, text, (size_t)snprintf(text, sizeof text, "%" PRId64, value));
}

void apr_json_uint(apr_json *j, uint64_t value)
{
    char text[32];

    apr_json_raw(j, text, (size_t)snprintf(text, sizeof text, "%" PRIu64, value));
}

/* A number's text must say that it is no integer: what reads 1 back as an integer would lose it. */
static void raw_number(apr_json *j, const char *text)
{
    char whole[48];
    int length =
        snprintf(whole, sizeof whole, "%s%s", text, strpbrk(text, ".e") != NULL ? "" : ".0");

    apr_json_raw(j, whole, (size_t)length);
}

void apr_json_float(apr_json *j, float value)
{
    char text[40];

    if (!isfinite(value)) {
        apr_json_null(j);
        return;
    }
    for (int digits = 6; digits <= 9; digits++) {
        (void)snprintf(text, sizeof text - 3, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    raw_number(j, text);
}

void apr_json_double(apr_json *j, double value)
{
    char text[40];

    if (!isfinite(value)) {
        apr_json_null(j);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text - 3, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    raw_number(j, text);
}

void apr_json_bool(apr_json *j, bool value)
{
    apr_json_raw(j, value ? "true" : "false", value ? 4 : 5);
}

void apr_json_null(apr_json *j)
{
    apr_json_raw(j, "null", 4);
}

void apr_json_put_open(apr_json *j, const char *key, char bracket)
{
    apr_json_key(j, key);
    apr_json_open(j, bracket);
}

void apr_json_put_string(apr_json *j, const char *key, const char *text)
{
    apr_json_key(j, key);
    apr_json_string(j, text);
}

void apr_json_put_int(apr_json *j, const char *key, int64_t value)
{
    apr_json_key(j, key);
    apr_json_int(j, value);
}

void apr_json_put_uint(apr_json *j, const char *key, uint64_t value)
{
    apr_json_key(j, key);
    apr_json_uint(j, value);
}

void apr_json_put_double(apr_json *j, const char *key, double value)
{
    apr_json_key(j, key);
    apr_json_double(j, value);
}

void apr_json_put_bool(apr_json *j, const char *key, bool value)
{
    apr_json_key(j, key);
    apr_json_bool(j, value);
}

void apr_json_put_ints(apr_json *j, const char *key, const int64_t *values, int32_t n)
{
    apr_json_put_open(j, key, '[');
    for (int32_t i = 0; i < n; i++)
        apr_json_int(j, values[i]);
    apr_json_close(j, ']');
}

void apr_json_put_floats(apr_json *j, const char *key, const float *values, int32_t n)
{
    apr_json_put_open(j, key, '[');
    for (int32_t i = 0; i < n; i++)
        apr_json_float(j, values[i]);
    apr_json_close(j, ']');
}

void apr_json_drop(apr_json *j)
{
    apr_buffer_free(&j->buffer);
    j->comma = false;
}

trueno_status apr_json_finish(apr_json *j, const char *what, char **out, size_t *bytes,
                              trueno_error *err)
{
    const apr_buffer *b = &j->buffer;
    char *exact = b->failed ? NULL : trueno_allocate(b->allocator, b->length + 1, 16);

    *out = exact;
    *bytes = 0;
    if (exact != NULL) {
        memcpy(exact, b->data, b->length);
        exact[b->length] = '\0';
        *bytes = b->length;
    }
    apr_json_drop(j);
    if (exact == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for the JSON text", what);
    return TRUENO_OK;
}
