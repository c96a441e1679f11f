/* SPDX-License-Identifier: MIT */
/* The one checked reader: lengths are compared with what is left before anything is computed. */
#include "reader.h"

#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

trueno_status apr_reader_fail(const apr_reader *r, trueno_status status, trueno_error *err,
                              const char *format, ...)
{
    char text[300];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return trueno_fail(err, status, "%s: byte %zu: %s%s%s", r->file, r->position, r->item,
                       r->item[0] != '\0' ? ": " : "", text);
}

void apr_printable(char *out, size_t capacity, const char *text, size_t length)
{
    size_t n = 0;

    while (n < length && n + 4 < capacity) {
        unsigned char c = (unsigned char)text[n];

        out[n++] = (char)(c >= 0x20 && c < 0x7f ? c : '?');
    }
    out[n] = '\0';
    if (n < length)
        memcpy(out + n, "...", 4);
}

void apr_reader_item(apr_reader *r, const char *kind, const char *text, size_t length)
{
    size_t prefix = strnlen(kind, 24);

    memcpy(r->item, kind, prefix);
    if (length > 0)
        r->item[prefix++] = ' ';
    apr_printable(r->item + prefix, sizeof r->item - prefix, text, length);
}

trueno_status apr_read_bytes(apr_reader *r, const char *field, uint64_t bytes, const uint8_t **out,
                             trueno_error *err)
{
    if (bytes > apr_reader_left(r))
        return apr_reader_fail(r, TRUENO_FORMAT, err, "%s needs %llu bytes, %zu left in the file",
                               field, (unsigned long long)bytes, apr_reader_left(r));
    *out = r->data + r->position;
    r->position += (size_t)bytes;
    return TRUENO_OK;
}

/* A little-endian number of so many bytes. */
static trueno_status read_number(apr_reader *r, const char *field, size_t bytes, uint64_t *out,
                                 trueno_error *err)
{
    const uint8_t *p = NULL;
    trueno_status status = apr_read_bytes(r, field, bytes, &p, err);

    *out = 0;
    if (status == TRUENO_OK)
        memcpy(out, p, bytes);
    *out = le64toh(*out);
    return status;
}

trueno_status apr_read_u8(apr_reader *r, const char *field, uint8_t *out, trueno_error *err)
{
    uint64_t number;
    trueno_status status = read_number(r, field, sizeof *out, &number, err);

    *out = (uint8_t)number;
    return status;
}

trueno_status apr_read_u16(apr_reader *r, const char *field, uint16_t *out, trueno_error *err)
{
    uint64_t number;
    trueno_status status = read_number(r, field, sizeof *out, &number, err);

    *out = (uint16_t)number;
    return status;
}

trueno_status apr_read_u32(apr_reader *r, const char *field, uint32_t *out, trueno_error *err)
{
    uint64_t number;
    trueno_status status = read_number(r, field, sizeof *out, &number, err);

    *out = (uint32_t)number;
    return status;
}

trueno_status apr_read_u64(apr_reader *r, const char *field, uint64_t *out, trueno_error *err)
{
    return read_number(r, field, sizeof *out, out, err);
}

trueno_status apr_read_text(apr_reader *r, const char *field, uint64_t limit, apr_text *out,
                            trueno_error *err)
{
    uint64_t length = 0;
    const uint8_t *p = NULL;
    trueno_status status = apr_read_u64(r, field, &length, err);

    if (status < 0)
        return status;
    if (length > limit)
        return apr_reader_fail(r, TRUENO_FORMAT, err, "%s of %llu bytes, at most %llu allowed",
                               field, (unsigned long long)length, (unsigned long long)limit);
    status = apr_read_bytes(r, field, length, &p, err);
    if (status == TRUENO_OK)
        *out = (apr_text){(const char *)p, (uint32_t)length};
    return status;
}

trueno_status apr_reader_fits(const apr_reader *r, const char *field, uint64_t count,
                              uint64_t least, trueno_error *err)
{
    if (count > apr_reader_left(r) / least)
        return apr_reader_fail(r, TRUENO_FORMAT, err,
                               "%s is %llu, but only %zu bytes are left in the file", field,
                               (unsigned long long)count, apr_reader_left(r));
    return TRUENO_OK;
}

trueno_status apr_read_count(apr_reader *r, const char *field, uint64_t least, uint64_t limit,
                             uint64_t *out, trueno_error *err)
{
    trueno_status status = apr_read_u64(r, field, out, err);

    if (status == TRUENO_OK && *out > limit)
        return apr_reader_fail(r, TRUENO_FORMAT, err, "%s is %llu, at most %llu allowed", field,
                               (unsigned long long)*out, (unsigned long long)limit);
    return status < 0 ? status : apr_reader_fits(r, field, *out, least, err);
}

bool apr_reader_align(apr_reader *r, size_t alignment)
{
    size_t rest = r->position & (alignment - 1);

    if (rest == 0)
        return true;
    if (alignment - rest > apr_reader_left(r))
        return false;
    r->position += alignment - rest;
    return true;
}

size_t apr_utf8_length(const char *text, size_t left)
{
    const unsigned char *s = (const unsigned char *)text;
    /* least second byte after E0 and F0, greatest after ED and F4: no overlong forms, surrogates */
    unsigned char low = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
    size_t length = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

    if (length < 2)
        return length;
    if (s[0] > 0xf4 || length > left || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

void apr_copy_line(char *out, size_t capacity, apr_text text)
{
    size_t n = 0, at = 0;

    while (at < text.length) {
        size_t step = apr_utf8_length(text.data + at, text.length - at);
        bool shown = step > 1 ||
                     (step == 1 && (unsigned char)text.data[at] >= 0x20 && text.data[at] != 0x7f);

        if (n + (shown ? step : 1) >= capacity)
            break;
        if (shown)
            memcpy(out + n, text.data + at, step);
        else
            out[n] = '?';
        n += shown ? step : 1;
        at += step > 0 ? step : 1;
    }
    out[n] = '\0';
}
