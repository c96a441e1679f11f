/* SPDX-License-Identifier: MIT */
/* unicode.h: UTF-8 decoding, character classes and normalisation for the tokenizers. */
#ifndef REALIZAR_UNICODE_H
#define REALIZAR_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <trueno/sys/arena.h>

/* Bits of unicode_class(); the same numbers stand in unicode_generate.c. */
enum {
    UNICODE_LETTER = 1,
    UNICODE_NUMBER = 2,
    UNICODE_MARK = 4,
    UNICODE_PUNCTUATION = 8,
    UNICODE_SYMBOL = 16,
    UNICODE_SPACE = 32,
    UNICODE_INERT = 64, /* NFC leaves it alone whatever stands before it */
    UNICODE_LATE = 128  /* too young for the normaliser: no form touches it */
};

/* Generated at build time by unicode_generate.c. */
extern const uint8_t realizar_class_blocks[][256];
extern const uint16_t realizar_class_index[0x110000 / 256];

/* Class bits of a code point below 0x110000. */
static inline unsigned unicode_class(uint32_t c)
{
    return realizar_class_blocks[realizar_class_index[c >> 8]][c & 255];
}

/* Decodes the character at `p`, which must be the beginning of a valid one; *length: its bytes. */
static inline uint32_t utf8_decode_valid(const char *p, unsigned *length)
{
    const unsigned char *u = (const unsigned char *)p;

    if (u[0] < 0x80) {
        *length = 1;
        return u[0];
    }
    if (u[0] < 0xe0) {
        *length = 2;
        return (uint32_t)(u[0] & 0x1f) << 6 | (u[1] & 0x3f);
    }
    if (u[0] < 0xf0) {
        *length = 3;
        return (uint32_t)(u[0] & 0x0f) << 12 | (uint32_t)(u[1] & 0x3f) << 6 | (u[2] & 0x3f);
    }
    *length = 4;
    return (uint32_t)(u[0] & 0x07) << 18 | (uint32_t)(u[1] & 0x3f) << 12 |
           (uint32_t)(u[2] & 0x3f) << 6 | (u[3] & 0x3f);
}

/*
 * Bytes of the character at p[0..end): 1 to 4, or 0 when the bytes there are no valid character
 * (overlong forms, surrogates and code points past U+10FFFF are not), or are cut short by `end`.
 */
unsigned utf8_length(const char *p, const char *end);

/* The end of the longest run of valid UTF-8 that begins at `p`. */
const char *utf8_valid_end(const char *p, const char *end);

/* Writes the UTF-8 form of a code point below 0x110000 to out[0..4); returns its bytes. */
unsigned utf8_encode(uint32_t c, char *out);

/* The end of the white space that begins at `p`; bytes that are no UTF-8 end it. */
const char *unicode_skip_space(const char *p, const char *end);

/* The beginning of the white space that ends at `end`; bytes that are no UTF-8 end it. */
const char *unicode_space_before(const char *begin, const char *end);

/* A word character: alphabetic, mark, decimal number, connector or joiner. */
bool unicode_is_word(uint32_t c);

typedef enum unicode_form { UNICODE_NFC, UNICODE_NFD, UNICODE_NFKC, UNICODE_NFKD } unicode_form;

/*
 * Normalises p[0..*length), valid UTF-8. Returns `p` itself when nothing changes, else the new text
 * in the arena; NULL when memory is out. *length becomes the new length. Time is linear.
 */
const char *unicode_normalize(const char *p, size_t *length, unicode_form form,
                              trueno_arena *arena);

/* The same for lower case, by the simple mapping of each character (U+0130 becomes i and a dot). */
const char *unicode_lowercase(const char *p, size_t *length, trueno_arena *arena);

#endif
