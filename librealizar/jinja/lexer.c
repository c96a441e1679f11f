/* SPDX-License-Identifier: MIT */
/* Source to tokens, with Jinja2's rules for white space around tags (trim and lstrip on). */
#include "jinja/lexer.h"

#include "jinja/unicode.h"

#include <string.h>

void jinja_lex_fail_at(jinja_lexer *l, size_t offset, const char *message)
{
    l->c->offset = offset;
    jinja_fail(l->c, TRUENO_FORMAT, "%s", message);
}

jinja_token *jinja_lex_add_token(jinja_lexer *l, jinja_token_kind kind, size_t offset)
{
    if (!jinja_grow(l->c, &l->tokens, l->n, &l->capacity, sizeof *l->tokens, 256))
        return NULL;
    l->tokens[l->n] = (jinja_token){.kind = kind, .offset = offset};
    return &l->tokens[l->n++];
}

static void add_text(jinja_lexer *l, jinja_token_kind kind, size_t begin, size_t end)
{
    jinja_token *token = jinja_lex_add_token(l, kind, begin);

    if (token != NULL)
        token->value =
            jinja_from_string(jinja_string_over(l->c, l->source + begin, end - begin, false));
}

bool jinja_lex_looking_at(const jinja_lexer *l, size_t at, const char *text)
{
    size_t n = strlen(text);

    return at <= l->length && l->length - at >= n && memcmp(l->source + at, text, n) == 0;
}

static size_t skip_space(const jinja_lexer *l, size_t at)
{
    while (at < l->length && jinja_is_space(jinja_decode(l->source + at)))
        at += jinja_char_bytes(l->source + at);
    return at;
}

static size_t rstrip(const jinja_lexer *l, size_t begin, size_t end)
{
    while (end > begin) {
        size_t before = jinja_char_before(l->source, end);

        if (!jinja_is_space(jinja_decode(l->source + before)))
            break;
        end = before;
    }
    return end;
}

/* End of the text [begin, end) before a tag whose sign is '-', '+' or 0: what lstrip leaves. */
static size_t strip_before_tag(const jinja_lexer *l, size_t begin, size_t end, char sign,
                               bool variable)
{
    size_t line = end;

    if (sign == '-')
        return rstrip(l, begin, end);
    if (sign == '+' || variable)
        return end;
    while (line > begin && l->source[line - 1] != '\n')
        line--;
    if (line == begin && begin > 0 && l->source[begin - 1] != '\n')
        return end; /* something else stands on this line */
    return skip_space(l, line) >= end ? line : end;
}

char jinja_lex_sign_at(const jinja_lexer *l, size_t at)
{
    if (jinja_lex_looking_at(l, at, "-"))
        return '-';
    return (char)(jinja_lex_looking_at(l, at, "+") ? '+' : '\0');
}

/*
 * Where a closing `text` ("%}" or "#}") that begins at `at`, with its optional sign, ends with the
 * white space that it takes along; 0 when there is none.
 */
static size_t close_tag(const jinja_lexer *l, size_t at, const char *text)
{
    char sign = jinja_lex_sign_at(l, at);
    size_t end = at + (sign != '\0') + 2;

    if (!jinja_lex_looking_at(l, at + (sign != '\0'), text))
        return 0;
    if (sign == '-')
        return skip_space(l, end);
    if (sign == '\0' && jinja_lex_looking_at(l, end, "\n"))
        return end + 1;
    return end;
}

/* If `{% word %}` begins at `at`: offset after the word and the space that follows; else 0. */
static size_t tag_word(const jinja_lexer *l, size_t at, const char *word)
{
    size_t name;

    if (!jinja_lex_looking_at(l, at, "{%"))
        return 0;
    name = skip_space(l, at + 2 + (jinja_lex_sign_at(l, at + 2) != '\0'));
    if (!jinja_lex_looking_at(l, name, word))
        return 0;
    return skip_space(l, name + strlen(word));
}

static void skip_comment(jinja_lexer *l, size_t tag)
{
    for (size_t at = l->at; at < l->length; at++) {
        size_t end = close_tag(l, at, "#}");

        if (end != 0) {
            l->at = end;
            return;
        }
    }
    if (l->at < l->length) /* as Jinja2, which minds only what is not closed and not empty */
        jinja_lex_fail_at(l, tag, "missing end of comment tag");
}

/* The text between raw and endraw; l->at is behind `{% raw`. */
static void lex_raw(jinja_lexer *l, size_t tag)
{
    size_t begin = l->at + 2;

    if (jinja_lex_looking_at(l, l->at, "-%}"))
        begin = skip_space(l, l->at + 3);
    for (size_t at = begin; at < l->length; at++) {
        size_t close = tag_word(l, at, "endraw");
        size_t end = close == 0 ? 0 : close_tag(l, close, "%}");

        if (end != 0) {
            size_t stop = strip_before_tag(l, begin, at, jinja_lex_sign_at(l, at + 2), false);

            if (stop > begin)
                add_text(l, JINJA_TOKEN_DATA, begin, stop);
            l->at = end;
            return;
        }
    }
    l->at = l->length;
    if (begin < l->length)
        jinja_lex_fail_at(l, tag, "missing end of raw directive");
}

static void lex_name(jinja_lexer *l)
{
    size_t end = l->at;

    while (end < l->length && jinja_is_name_part(jinja_decode(l->source + end)))
        end += jinja_char_bytes(l->source + end);
    add_text(l, JINJA_TOKEN_NAME, l->at, end);
    l->at = end;
}

/* Keep account of brackets: a tag ends only where none is open. */
static void count_bracket(jinja_lexer *l, char op)
{
    static const char OPEN[] = "([{", CLOSE[] = ")]}";
    const char *open = strchr(OPEN, op);

    if (open != NULL) {
        if (l->n_brackets == JINJA_MAX_BRACKETS)
            jinja_lex_fail_at(l, l->at, "brackets nested too deeply");
        else
            l->brackets[l->n_brackets++] = CLOSE[open - OPEN];
    } else if (strchr(CLOSE, op) != NULL) {
        if (l->n_brackets == 0 || l->brackets[--l->n_brackets] != op)
            jinja_lex_fail_at(l, l->at, "a closing bracket that does not match");
    }
}

static void lex_operator(jinja_lexer *l)
{
    static const char *const DOUBLE[] = {"**", "//", "==", "!=", ">=", "<="};
    char ch = l->source[l->at];
    size_t n = 0;
    jinja_token *token;

    for (size_t i = 0; i < sizeof DOUBLE / sizeof DOUBLE[0] && n == 0; i++)
        if (jinja_lex_looking_at(l, l->at, DOUBLE[i]))
            n = 2;
    if (n == 0 && ch != '\0' && strchr("+-/*%~[](){}><=.:|,;", ch) != NULL)
        n = 1;
    if (n == 0) {
        jinja_lex_fail_at(l, l->at, "unexpected character");
        return;
    }
    token = jinja_lex_add_token(l, JINJA_TOKEN_OPERATOR, l->at);
    if (token == NULL)
        return;
    memcpy(token->op, l->source + l->at, n);
    if (n == 1)
        count_bracket(l, ch);
    l->at += n;
}

/* One token inside a tag. */
static void lex_expression(jinja_lexer *l)
{
    char ch = l->source[l->at];
    size_t end;

    if (ch == '\'' || ch == '"') {
        jinja_lex_string(l);
    } else if (ch >= '0' && ch <= '9') {
        end = jinja_lex_float_end(l, l->at);
        if (end != 0)
            jinja_lex_float(l, end);
        else
            jinja_lex_integer(l);
    } else if (jinja_is_name_start(jinja_decode(l->source + l->at))) {
        lex_name(l);
    } else {
        lex_operator(l);
    }
}

/* From behind "{{" or "{%" to behind its end. */
static void lex_tag(jinja_lexer *l, bool variable)
{
    while (!l->c->failed) {
        size_t end = 0;

        l->at = skip_space(l, l->at);
        if (l->at >= l->length)
            return; /* the parser says what is missing */
        if (l->n_brackets == 0 && variable) {
            if (jinja_lex_looking_at(l, l->at, "-}}"))
                end = skip_space(l, l->at + 3);
            else if (jinja_lex_looking_at(l, l->at, "}}"))
                end = l->at + 2;
        } else if (l->n_brackets == 0) {
            end = close_tag(l, l->at, "%}");
        }
        if (end != 0) {
            jinja_lex_add_token(l, variable ? JINJA_TOKEN_VARIABLE_END : JINJA_TOKEN_BLOCK_END,
                                l->at);
            l->at = end;
            return;
        }
        lex_expression(l);
    }
}

static size_t find_tag(const jinja_lexer *l)
{
    size_t at = l->at;

    while (at < l->length) {
        const char *brace = memchr(l->source + at, '{', l->length - at);

        if (brace == NULL)
            break;
        at = (size_t)(brace - l->source);
        if (jinja_lex_looking_at(l, at, "{{") || jinja_lex_looking_at(l, at, "{%") ||
            jinja_lex_looking_at(l, at, "{#"))
            return at;
        at++;
    }
    return l->length;
}

/* Text up to the next tag, and that tag. */
static void lex_root(jinja_lexer *l)
{
    size_t begin = l->at, tag = find_tag(l), end = tag;
    char sign = jinja_lex_sign_at(l, tag + 2);
    bool variable = jinja_lex_looking_at(l, tag, "{{");
    size_t raw = tag_word(l, tag, "raw");

    if (tag < l->length)
        end = strip_before_tag(l, begin, tag, sign, variable);
    if (end > begin)
        add_text(l, JINJA_TOKEN_DATA, begin, end);
    l->at = tag + 2 + (sign != '\0');
    if (tag >= l->length) {
        l->at = l->length;
    } else if (raw != 0 &&
               (jinja_lex_looking_at(l, raw, "%}") || jinja_lex_looking_at(l, raw, "-%}"))) {
        l->at = raw;
        lex_raw(l, tag);
    } else if (jinja_lex_looking_at(l, tag, "{#")) {
        skip_comment(l, tag);
    } else {
        jinja_lex_add_token(l, variable ? JINJA_TOKEN_VARIABLE_BEGIN : JINJA_TOKEN_BLOCK_BEGIN,
                            tag);
        l->n_brackets = 0;
        lex_tag(l, variable);
    }
}

const jinja_token *jinja_lex(jinja_context *c)
{
    jinja_lexer l = {.c = c, .source = c->source, .length = c->source_length};

    while (l.at < l.length && !c->failed)
        lex_root(&l);
    jinja_lex_add_token(&l, JINJA_TOKEN_END, l.length);
    return c->failed ? NULL : l.tokens;
}
