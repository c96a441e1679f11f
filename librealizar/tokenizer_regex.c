/* SPDX-License-Identifier: MIT */
/*
 * tokenizer_regex.c: the regular expressions of pre-tokenisers, on PCRE2 with its JIT.
 *
 * They are written for Oniguruma (Ruby's syntax, Unicode classes), so a few things are rewritten
 * first; what cannot be said in PCRE2 with the same meaning is refused.
 * Source: Oniguruma's doc/RE, pcre2pattern(3); the differences were looked for code point by code
 * point over Unicode 14.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "tokenizer_internal.h"

#include <pcre2.h>
#include <stdlib.h>

struct token_regex {
    pcre2_code *code;
};

#define SPACE_SET "\\p{Z}\\t-\\r\\x{85}"
#define WORD_SET  "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"

/* How a letter after a backslash is written: outside a class, and inside one (NULL: refused). */
static const struct {
    char letter;
    const char *outside, *inside;
} rewritten[] = {
    {'s', "[" SPACE_SET "]", SPACE_SET},
    {'S', "[^" SPACE_SET "]", NULL},
    {'w', "[" WORD_SET "]", WORD_SET},
    {'W', "[^" WORD_SET "]", NULL},
    {'h', "[0-9a-fA-F]", "0-9a-fA-F"},
    {'H', "[^0-9a-fA-F]", NULL},
    {'b', NULL, "\\x{08}"},
    {'Z', NULL, NULL},
    {'R', NULL, NULL},
    {'X', NULL, NULL},
    {'G', NULL, NULL},
    {'K', NULL, NULL},
    {'B', NULL, NULL},
    {'Q', NULL, NULL},
    {'E', NULL, NULL},
    {'C', NULL, NULL},
    {'c', NULL, NULL},
};

typedef struct writer {
    char *out;
    size_t length, capacity;
} writer;

static void put(writer *w, const char *text, size_t n)
{
    if (w->length + n < w->capacity)
        memcpy(w->out + w->length, text, n);
    w->length += n;
}

/* The properties of one and two letters are general categories; PCRE2 reads others as extensions.
 */
static void put_property(writer *w, const char *name, size_t n)
{
    size_t skip = n > 0 && *name == '^';

    put(w, "{", 1);
    put(w, name, skip);
    if (n - skip > 2 && memchr(name, ':', n) == NULL && memchr(name, '=', n) == NULL &&
        !(n - skip == 10 && memcmp(name + skip, "Alphabetic", 10) == 0))
        put(w, "sc:", 3);
    put(w, name + skip, n - skip);
    put(w, "}", 1);
}

/* Rewrites the escape at p ("\x"); returns what follows it, or NULL when it has no counterpart. */
static const char *put_escape(writer *w, const char *p, bool in_class)
{
    const char *end;

    if (p[1] == '\0')
        return NULL;
    for (size_t i = 0; i < sizeof rewritten / sizeof *rewritten; i++) {
        const char *text = in_class ? rewritten[i].inside : rewritten[i].outside;
        if (rewritten[i].letter != p[1])
            continue;
        if (!text)
            return NULL;
        put(w, text, strlen(text));
        return p + 2;
    }
    put(w, p, 2);
    if ((p[1] != 'p' && p[1] != 'P') || p[2] != '{')
        return p + 2;
    end = strchr(p, '}');
    if (!end)
        return NULL;
    put_property(w, p + 3, (size_t)(end - p) - 3);
    return end + 1;
}

/* True for the constructs at p that mean something else, or nothing, in PCRE2. */
static bool is_foreign(const char *p, bool in_class)
{
    if (in_class)
        return strncmp(p, "&&", 2) == 0 || *p == '[';
    if (p[0] == '}' && p[1] == '+')
        return true; /* possessive in PCRE2, a repetition of the repetition in Ruby */
    return p[0] == '(' && p[1] == '*';
}

/* As much of a pattern as a message shows: at most 160 bytes, cut between characters. */
static int shown(const char *pattern)
{
    size_t n = strlen(pattern);

    if (n > 160)
        for (n = 160; n > 0 && ((unsigned char)pattern[n] & 0xc0) == 0x80;)
            n--;
    return (int)n;
}

static bool rewrite(writer *w, const char *p)
{
    bool in_class = false;

    while (*p) {
        if (*p == '\\') {
            p = put_escape(w, p, in_class);
            if (!p)
                return false;
            continue;
        }
        if (is_foreign(p, in_class))
            return false;
        if (in_class && *p == ']') {
            in_class = false;
        } else if (!in_class && *p == '[') {
            in_class = true;
            put(w, p++, 1);
            if (*p == '^')
                put(w, p++, 1);
            if (*p == ']')
                return false;
            continue;
        }
        put(w, p++, 1);
    }
    return !in_class;
}

trueno_status regex_compile(token_regex **out, const char *pattern, trueno_error *err)
{
    const size_t capacity = strlen(pattern) * 40 + 1;
    writer w = {.out = malloc(capacity), .capacity = capacity};
    token_regex *regex = malloc(sizeof *regex);
    trueno_status st = TRUENO_OK;
    int code = 0;
    PCRE2_SIZE at = 0;

    *out = NULL;
    if (!w.out || !regex) {
        st = trueno_fail(err, TRUENO_NO_MEMORY, "tokenizer: out of memory");
        goto done;
    }
    if (!rewrite(&w, pattern)) {
        st = trueno_fail(err, TRUENO_UNSUPPORTED,
                         "pre-tokenizer: the expression \"%.*s\" has no exact counterpart here",
                         shown(pattern), pattern);
        goto done;
    }
    regex->code = pcre2_compile((PCRE2_SPTR)w.out, w.length,
                                PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
                                &code, &at, NULL);
    if (!regex->code) {
        PCRE2_UCHAR reason[120] = "";
        pcre2_get_error_message(code, reason, sizeof reason);
        st = trueno_fail(err, TRUENO_FORMAT, "pre-tokenizer: \"%.*s\": %s", shown(pattern), pattern,
                         (const char *)reason);
        goto done;
    }
    pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE); /* without it the interpreter serves */
    *out = regex;
    regex = NULL;
done:
    free(w.out);
    free(regex);
    return st;
}

void regex_free(token_regex *regex)
{
    if (!regex)
        return;
    pcre2_code_free(regex->code);
    free(regex);
}

/* Memory for matching, made once a call of encode. */
static bool prepare(encoder *e)
{
    if (e->match_data)
        return true;
    e->match_data = pcre2_match_data_create(1, NULL);
    e->match_context = pcre2_match_context_create(NULL);
    e->jit_stack = pcre2_jit_stack_create(32 << 10, 64 << 20, NULL);
    if (!e->match_data || !e->match_context)
        return false;
    if (e->jit_stack)
        pcre2_jit_stack_assign(e->match_context, NULL, e->jit_stack);
    pcre2_set_heap_limit(e->match_context, 256 << 10); /* KiB */
    return true;
}

trueno_status regex_find(encoder *e, const token_regex *regex, const char *base, const char *p,
                         const char *end, const char **start, const char **match_end)
{
    const size_t length = (size_t)(end - base);
    const PCRE2_SIZE *found;
    uint32_t limit;
    int rc;

    if (!prepare(e))
        return trueno_fail(e->err, TRUENO_NO_MEMORY, "tokenizer: out of memory");
    /* room for one pass over the text with some backtracking: an expression is the file's, and one
     * that needs time squared is stopped */
    limit = length > (UINT32_MAX - 10000000) / 64 ? UINT32_MAX : 10000000 + (uint32_t)length * 64;
    pcre2_set_match_limit(e->match_context, limit);
    rc = pcre2_match(regex->code, (PCRE2_SPTR)base, length, (PCRE2_SIZE)(p - base),
                     PCRE2_NO_UTF_CHECK, e->match_data, e->match_context);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
        rc = pcre2_match(regex->code, (PCRE2_SPTR)base, length, (PCRE2_SIZE)(p - base),
                         PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, e->match_data, e->match_context);
    *start = NULL;
    if (rc == PCRE2_ERROR_NOMATCH)
        return TRUENO_OK;
    if (rc < 0)
        return trueno_fail(e->err, TRUENO_CONTENT,
                           "pre-tokenizer: an expression passed its limits on %zu bytes (PCRE2 %d)",
                           length, rc);
    found = pcre2_get_ovector_pointer(e->match_data);
    if (found[1] < found[0])
        return trueno_fail(e->err, TRUENO_CONTENT,
                           "pre-tokenizer: a match that ends before it begins");
    *start = base + found[0];
    *match_end = base + found[1];
    return TRUENO_OK;
}

void pipeline_end(encoder *e)
{
    pcre2_match_data_free(e->match_data);
    pcre2_match_context_free(e->match_context);
    pcre2_jit_stack_free(e->jit_stack);
    e->match_data = e->match_context = e->jit_stack = NULL;
}
