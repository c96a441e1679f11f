/* SPDX-License-Identifier: MIT */
/** What the two halves of the lexer share. */
#ifndef REALIZAR_JINJA_LEXER_H
#define REALIZAR_JINJA_LEXER_H

#include "jinja/ast.h"

enum { JINJA_MAX_BRACKETS = 200 };

typedef struct jinja_lexer {
    jinja_context *c;
    const char *source;
    size_t length, at;
    jinja_token *tokens;
    size_t n, capacity;
    char brackets[JINJA_MAX_BRACKETS]; /* closing characters that are awaited */
    size_t n_brackets;
} jinja_lexer;

/* Keep the error, at this offset of the source. */
void jinja_lex_fail_at(jinja_lexer *l, size_t offset, const char *message);
/* NULL, with the error set, when there is no memory. */
jinja_token *jinja_lex_add_token(jinja_lexer *l, jinja_token_kind kind, size_t offset);
bool jinja_lex_looking_at(const jinja_lexer *l, size_t at, const char *text);
/* '-' or '+' at this offset, else NUL. */
char jinja_lex_sign_at(const jinja_lexer *l, size_t at);
/* Literals at l->at. */
void jinja_lex_string(jinja_lexer *l);
/* End of a float that begins at `at`, or 0 when it is an integer. */
size_t jinja_lex_float_end(const jinja_lexer *l, size_t at);
void jinja_lex_float(jinja_lexer *l, size_t end);
void jinja_lex_integer(jinja_lexer *l);

#endif
