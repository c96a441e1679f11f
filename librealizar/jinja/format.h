/* SPDX-License-Identifier: MIT */
/** Reading format texts, and one value formatted by a specification, for % and str.format alike. */
#ifndef REALIZAR_JINJA_FORMAT_H
#define REALIZAR_JINJA_FORMAT_H

#include "jinja/value.h"

typedef struct jinja_spec {
    uint32_t fill;     /* code point; 0: a space */
    char align;        /* '<', '>', '^', '=', or 0: by type */
    char sign;         /* '+', ' ', or 0 */
    bool alternate;    /* # */
    bool zero;         /* 0 before the width */
    char grouping;     /* ',', '_', or 0 */
    int64_t width;     /* 0: none */
    int64_t precision; /* -1: none */
    char type;         /* 0: by value */
} jinja_spec;

/* Append v as the specification says; raises when the type of v does not take it. */
void jinja_append_formatted(jinja_builder *b, jinja_value v, const jinja_spec *spec);
/* Append a string filled up to the width; right-aligned where the specification does not say. */
void jinja_append_padded(jinja_builder *b, const jinja_string *s, const jinja_spec *spec,
                         char default_align);

enum { JINJA_MAX_FORMAT_NUMBER = 1000000 };

/* A format being read. */
typedef struct jinja_reader {
    jinja_context *c;
    const jinja_string *s;
    size_t at, end;
    jinja_builder out;
    /* % */
    jinja_value values;
    /* format() */
    const jinja_args *args;
    size_t used; /* positional values taken so far */
    bool numbered, automatic;
} jinja_reader;

/* The next byte, or NUL at the end. */
char jinja_peek(const jinja_reader *r);
bool jinja_skip(jinja_reader *r, char ch);
/* Digits, up to a million. */
int64_t jinja_read_number(jinja_reader *r);
/* Text of the format itself, as it is. */
void jinja_append_literal(jinja_reader *r, size_t begin, size_t end);

#endif
