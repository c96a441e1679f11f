/* SPDX-License-Identifier: MIT */
/* Strings and numbers of the template language. */
#include "jinja/lexer.h"

#include <string.h>

static uint32_t hex_value(char ch)
{
    if (ch >= '0' && ch <= '9')
        return (uint32_t)(ch - '0');
    if (ch >= 'a' && ch <= 'f')
        return (uint32_t)(ch - 'a' + 10);
    if (ch >= 'A' && ch <= 'F')
        return (uint32_t)(ch - 'A' + 10);
    return 16;
}

/* \xhh, \uhhhh, \Uhhhhhhhh: `digits` of them at `at`. */
static size_t unescape_hex(jinja_lexer *l, jinja_builder *b, size_t at, size_t digits)
{
    uint32_t code = 0;

    for (size_t i = 0; i < digits; i++) {
        uint32_t digit = at + i < l->length ? hex_value(l->source[at + i]) : 16;

        if (digit == 16) {
            jinja_lex_fail_at(l, at, "truncated escape in a string");
            return at;
        }
        code = code << 4 | digit;
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
        jinja_lex_fail_at(l, at, "a string escape that is no character");
    else
        jinja_append_char(b, code, false);
    return at + digits;
}

static size_t unescape_octal(jinja_lexer *l, jinja_builder *b, size_t at)
{
    uint32_t code = 0;

    for (int i = 0; i < 3 && l->source[at] >= '0' && l->source[at] <= '7'; i++)
        code = code * 8 + (uint32_t)(l->source[at++] - '0');
    jinja_append_char(b, code, false);
    return at;
}

/* The escape behind a backslash at `at`; returns the offset after it. A closing quote follows. */
static size_t unescape(jinja_lexer *l, jinja_builder *b, size_t at)
{
    static const char FROM[] = "\\'\"abfnrtv";
    static const char TO[] = "\\'\"\a\b\f\n\r\t\v";
    char ch = l->source[at];
    const char *known = strchr(FROM, ch);

    if (ch == '\n')
        return at + 1;
    if (known != NULL && ch != '\0') {
        jinja_append_bytes(b, &TO[known - FROM], 1, false);
        return at + 1;
    }
    if (ch >= '0' && ch <= '7')
        return unescape_octal(l, b, at);
    if (ch == 'x' || ch == 'u' || ch == 'U')
        return unescape_hex(l, b, at + 1, ch == 'x' ? 2 : ch == 'u' ? 4 : 8);
    if (ch == 'N') {
        l->c->offset = at;
        jinja_fail(l->c, TRUENO_UNSUPPORTED, "character names (\\N{...}) are not supported");
        return at + 1;
    }
    jinja_append_text(b, "\\"); /* as Python: an unknown escape stays as it is */
    return at;
}

void jinja_lex_string(jinja_lexer *l)
{
    jinja_builder b = {.c = l->c};
    size_t start = l->at, at = start + 1, plain = at;
    char quote = l->source[start];
    jinja_token *token;

    while (at < l->length && l->source[at] != quote && !l->c->failed) {
        if (l->source[at] != '\\') {
            at++;
            continue;
        }
        jinja_append_bytes(&b, l->source + plain, at - plain, false);
        at = at + 1 < l->length ? unescape(l, &b, at + 1) : l->length;
        plain = at;
    }
    if (at >= l->length) {
        jinja_lex_fail_at(l, start, "a string is not closed");
        return;
    }
    jinja_append_bytes(&b, l->source + plain, at - plain, false);
    token = jinja_lex_add_token(l, JINJA_TOKEN_STRING, start);
    if (token != NULL)
        token->value = jinja_built_value(&b);
    l->at = at + 1;
}

static bool is_digit_at(const jinja_lexer *l, size_t at)
{
    return at < l->length && l->source[at] >= '0' && l->source[at] <= '9';
}

/* Digits with single underscores between them; offset after them. */
static size_t skip_digits(const jinja_lexer *l, size_t at)
{
    while (is_digit_at(l, at) || (jinja_lex_looking_at(l, at, "_") && is_digit_at(l, at + 1) &&
                                  at > 0 && is_digit_at(l, at - 1)))
        at++;
    return at;
}

/* End of a float that begins at `at`, or 0 when it is an integer. */
size_t jinja_lex_float_end(const jinja_lexer *l, size_t at)
{
    size_t end = skip_digits(l, at), exponent;
    bool is_float = false;

    if (at > 0 && l->source[at - 1] == '.')
        return 0;
    if (jinja_lex_looking_at(l, end, ".") && is_digit_at(l, end + 1)) {
        end = skip_digits(l, end + 1);
        is_float = true;
    }
    if (jinja_lex_looking_at(l, end, "e") || jinja_lex_looking_at(l, end, "E")) {
        exponent = end + 1 + (jinja_lex_sign_at(l, end + 1) != '\0');
        if (is_digit_at(l, exponent))
            return skip_digits(l, exponent);
    }
    return is_float ? end : 0;
}

void jinja_lex_float(jinja_lexer *l, size_t end)
{
    jinja_token *token = jinja_lex_add_token(l, JINJA_TOKEN_NUMBER, l->at);
    double x = 0;

    if (token == NULL)
        return;
    if (!jinja_parse_float(l->source + l->at, end - l->at, &x))
        jinja_lex_fail_at(l, l->at, "a number that cannot be read");
    token->value = jinja_float(x);
    l->at = end;
}

void jinja_lex_integer(jinja_lexer *l)
{
    size_t at = l->at;
    uint32_t base = 10;
    int64_t n = 0;
    jinja_token *token;

    if (l->source[at] == '0' && at + 2 < l->length) {
        char kind = (char)(l->source[at + 1] | 0x20);
        uint32_t wanted = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 10;
        size_t first = at + 2 + jinja_lex_looking_at(l, at + 2, "_");

        if (wanted != 10 && first < l->length && hex_value(l->source[first]) < wanted) {
            base = wanted;
            at += 2;
        }
    }
    while (at < l->length) {
        uint32_t digit = hex_value(l->source[at]);

        if (l->source[at] == '_' && at + 1 < l->length && hex_value(l->source[at + 1]) < base) {
            at++;
            continue;
        }
        if (digit >= base)
            break;
        if (n > (INT64_MAX - (int64_t)digit) / base) {
            jinja_lex_fail_at(l, l->at, "an integer over 9223372036854775807");
            return;
        }
        n = n * base + digit;
        at++;
        if (base == 10 && l->source[l->at] == '0' && is_digit_at(l, at) && l->source[at] != '0')
            break; /* 0 and then another number, as Jinja2 reads 007 */
    }
    token = jinja_lex_add_token(l, JINJA_TOKEN_NUMBER, l->at);
    if (token != NULL)
        token->value = jinja_int(n);
    l->at = at;
}
