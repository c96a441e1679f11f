/* SPDX-License-Identifier: MIT */
/* The one checked reader: every byte of every format is taken through it. */
#ifndef APR_READER_H
#define APR_READER_H

#include <apr/vocab.h>
#include <stddef.h>
#include <stdint.h>
#include <trueno/error.h>

/* A window of a file and a position in it. `item` says what is being read, for messages. */
typedef struct apr_reader {
    const uint8_t *data;
    size_t bytes;
    size_t position;
    const char *file;
    char item[96];
} apr_reader;

/* Bytes not yet read. */
static inline size_t apr_reader_left(const apr_reader *r)
{
    return r->bytes - r->position;
}

/* "FILE: byte N: ITEM: text" as an error of that status. */
trueno_status apr_reader_fail(const apr_reader *r, trueno_status status, trueno_error *err,
                              const char *format, ...) TRUENO_PRINTF(4, 5);

/* Name what is being read: `text` (bytes of the file, made printable and short) after `kind`. */
void apr_reader_item(apr_reader *r, const char *kind, const char *text, size_t length);

/* Take `bytes` bytes; *out points into the window. */
trueno_status apr_read_bytes(apr_reader *r, const char *field, uint64_t bytes, const uint8_t **out,
                             trueno_error *err);

/* Little-endian numbers. */
trueno_status apr_read_u8(apr_reader *r, const char *field, uint8_t *out, trueno_error *err);
trueno_status apr_read_u16(apr_reader *r, const char *field, uint16_t *out, trueno_error *err);
trueno_status apr_read_u32(apr_reader *r, const char *field, uint32_t *out, trueno_error *err);
trueno_status apr_read_u64(apr_reader *r, const char *field, uint64_t *out, trueno_error *err);

/* A string with a 64-bit length before it, at most `limit` bytes. */
trueno_status apr_read_text(apr_reader *r, const char *field, uint64_t limit, apr_text *out,
                            trueno_error *err);

/*
 * A count of things that take at least `least` bytes each, at most `limit` of them: refused unless
 * so many fit in what is left, so that the count may size an allocation.
 */
trueno_status apr_read_count(apr_reader *r, const char *field, uint64_t least, uint64_t limit,
                             uint64_t *out, trueno_error *err);

/* Fail unless `count` things of at least `least` bytes each fit in what is left. */
trueno_status apr_reader_fits(const apr_reader *r, const char *field, uint64_t count,
                              uint64_t least, trueno_error *err);

/* Move to the next multiple of `alignment` (a power of two); false when that is past the end. */
bool apr_reader_align(apr_reader *r, size_t alignment);

/* Bytes of a file as one printable line: control and non-ASCII bytes as '?', cut with "...". */
void apr_printable(char *out, size_t capacity, const char *text, size_t length);

/* A text of the file as one line of valid UTF-8, other bytes as '?', cut to fit with its zero. */
void apr_copy_line(char *out, size_t capacity, apr_text text);

/* Length of the valid UTF-8 sequence at text (1 to 4), or 0 when there is none. */
size_t apr_utf8_length(const char *text, size_t left);

#endif
