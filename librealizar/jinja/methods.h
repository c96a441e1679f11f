/* SPDX-License-Identifier: MIT */
/** Functions that methods of str share with filters. All take the row signature of jinja_callable.
 */
#ifndef REALIZAR_JINJA_METHODS_H
#define REALIZAR_JINJA_METHODS_H

#include "jinja/value.h"

/* The characters of a string, one after the other, with their origin. */
typedef struct jinja_walker {
    const jinja_string *s;
    size_t at;   /* the next character's bytes */
    size_t mark; /* the first mark that may still cover it */
} jinja_walker;

/* False at the end. */
bool jinja_next_char(jinja_walker *w, uint32_t *code, bool *from_user);

#define JINJA_ROW_FUNCTION(name)                                                  \
    jinja_value name(jinja_context *c, jinja_value self, const jinja_value *argv, \
                     const jinja_args *raw)

/* string_case.c */
JINJA_ROW_FUNCTION(jinja_str_upper);
JINJA_ROW_FUNCTION(jinja_str_lower);
JINJA_ROW_FUNCTION(jinja_str_capitalize);
JINJA_ROW_FUNCTION(jinja_str_title);
JINJA_ROW_FUNCTION(jinja_str_swapcase);
JINJA_ROW_FUNCTION(jinja_str_casefold);
JINJA_ROW_FUNCTION(jinja_str_isupper);
JINJA_ROW_FUNCTION(jinja_str_islower);
JINJA_ROW_FUNCTION(jinja_str_istitle);
JINJA_ROW_FUNCTION(jinja_str_isalpha);
JINJA_ROW_FUNCTION(jinja_str_isalnum);
JINJA_ROW_FUNCTION(jinja_str_isdigit);
JINJA_ROW_FUNCTION(jinja_str_isdecimal);
JINJA_ROW_FUNCTION(jinja_str_isnumeric);
JINJA_ROW_FUNCTION(jinja_str_isspace);
JINJA_ROW_FUNCTION(jinja_str_isascii);
JINJA_ROW_FUNCTION(jinja_str_isprintable);
JINJA_ROW_FUNCTION(jinja_str_isidentifier);

/* string_split.c */
JINJA_ROW_FUNCTION(jinja_str_strip);
JINJA_ROW_FUNCTION(jinja_str_lstrip);
JINJA_ROW_FUNCTION(jinja_str_rstrip);
JINJA_ROW_FUNCTION(jinja_str_split);
JINJA_ROW_FUNCTION(jinja_str_rsplit);
JINJA_ROW_FUNCTION(jinja_str_splitlines);
JINJA_ROW_FUNCTION(jinja_str_partition);
JINJA_ROW_FUNCTION(jinja_str_rpartition);
/* Lines of a string, without their ends unless `keep`. */
jinja_value jinja_lines(jinja_context *c, const jinja_string *s, bool keep);

/* string_find.c */
JINJA_ROW_FUNCTION(jinja_str_find);
JINJA_ROW_FUNCTION(jinja_str_rfind);
JINJA_ROW_FUNCTION(jinja_str_index);
JINJA_ROW_FUNCTION(jinja_str_rindex);
JINJA_ROW_FUNCTION(jinja_str_count);
JINJA_ROW_FUNCTION(jinja_str_startswith);
JINJA_ROW_FUNCTION(jinja_str_endswith);
JINJA_ROW_FUNCTION(jinja_str_replace);
JINJA_ROW_FUNCTION(jinja_str_removeprefix);
JINJA_ROW_FUNCTION(jinja_str_removesuffix);
/* s with `old` replaced by `new`, at most `count` times (negative: all). */
const jinja_string *jinja_replace(jinja_context *c, const jinja_string *s, const jinja_string *old,
                                  const jinja_string *new_text, int64_t count);
/* Byte offset of the last `needle` that ends by `end`, or SIZE_MAX. */
size_t jinja_find_last(jinja_context *c, const jinja_string *s, size_t end,
                       const jinja_string *needle);

/* string_pad.c */
JINJA_ROW_FUNCTION(jinja_str_center);
JINJA_ROW_FUNCTION(jinja_str_ljust);
JINJA_ROW_FUNCTION(jinja_str_rjust);
JINJA_ROW_FUNCTION(jinja_str_zfill);
JINJA_ROW_FUNCTION(jinja_str_expandtabs);

/* An argument that must be a str: NULL with the error set if it is not. */
const jinja_string *jinja_want_string(jinja_context *c, jinja_value v);
/* An argument that must be an int; `missing` when it was not given. */
int64_t jinja_want_int(jinja_context *c, jinja_value v, int64_t missing);

#endif
