/* SPDX-License-Identifier: MIT */
/** Characters as Python sees them: UTF-8, white space, letter case, categories. */
#ifndef REALIZAR_JINJA_UNICODE_H
#define REALIZAR_JINJA_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the character that begins here (valid UTF-8). */
static inline size_t jinja_char_bytes(const char *p)
{
    unsigned char first = (unsigned char)*p;

    return first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

/* Code points in valid UTF-8. */
size_t jinja_count_chars(const char *bytes, size_t n);
/* Offset of the first byte that is not valid UTF-8, or n. */
size_t jinja_valid_utf8(const char *bytes, size_t n);
/* The character at p (valid UTF-8). */
uint32_t jinja_decode(const char *p);
/* Write a code point; returns its 1 to 4 bytes. */
size_t jinja_encode(uint32_t code_point, char out[4]);
/* Offset of the character before `end` (> 0). */
size_t jinja_char_before(const char *bytes, size_t end);

bool jinja_is_space(uint32_t c);      /* str.isspace */
bool jinja_is_line_break(uint32_t c); /* where str.splitlines cuts */
bool jinja_is_alpha(uint32_t c);
bool jinja_is_decimal(uint32_t c);
bool jinja_is_digit(uint32_t c);
bool jinja_is_numeric(uint32_t c);
bool jinja_is_printable(uint32_t c); /* repr() shows it as it is */
bool jinja_is_upper(uint32_t c);
bool jinja_is_lower(uint32_t c);
bool jinja_is_title(uint32_t c);
bool jinja_is_name_start(uint32_t c);
bool jinja_is_name_part(uint32_t c);

/* Full case mapping of one character into 1 to 3 others; returns how many. */
size_t jinja_upper(uint32_t c, uint32_t out[3]);
size_t jinja_lower(uint32_t c, uint32_t out[3]);
size_t jinja_title(uint32_t c, uint32_t out[3]);
size_t jinja_casefold(uint32_t c, uint32_t out[3]);

#endif
