/* SPDX-License-Identifier: MIT */
/* text_generator.c: texts of many kinds for the tokenizer's tests. */
#include "text_generator.h"

#include <stdio.h>
#include <string.h>

const char *const text_kind_names[TEXT_KINDS] = {"code",    "prose", "chinese", "emoji",
                                                 "control", "runs",  "unicode", "strings"};

static const uint32_t assigned[][2] = {
#include "unicode14_ranges.inc"
};

uint64_t text_next(text_random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint32_t text_below(text_random *random, uint32_t n)
{
    return (uint32_t)((text_next(random) >> 32) * n >> 32);
}

static size_t put_char(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

static size_t put_text(char *out, const char *text)
{
    const size_t n = strlen(text);

    for (size_t i = 0; i < n; i++)
        out[i] = text[i];
    return n;
}

#define PICK(random, list) ((list)[text_below(random, sizeof(list) / sizeof *(list))])

static uint32_t any_assigned(text_random *r)
{
    const uint32_t *range = PICK(r, assigned);

    return range[0] + text_below(r, range[1] - range[0] + 1);
}

static uint32_t any_han(text_random *r)
{
    /* common characters far more often than rare ones */
    return text_below(r, 4) ? 0x4e00 + text_below(r, 2500) : 0x4e00 + text_below(r, 20992);
}

static const char *const words[] = {
    "the",    "of",      "and",    "to",     "in",      "a",      "is",      "that",   "for",
    "it",     "was",     "on",     "with",   "as",      "be",     "at",      "by",     "this",
    "had",    "not",     "are",    "but",    "from",    "or",     "have",    "an",     "they",
    "which",  "one",     "you",    "were",   "her",     "all",    "she",     "there",  "would",
    "their",  "we",      "him",    "been",   "has",     "when",   "who",     "will",   "more",
    "people", "because", "little", "house",  "between", "water",  "through", "first",  "language",
    "model",  "memory",  "thread", "kernel", "matrix",  "vector", "token",   "buffer", "naïve",
    "café",   "Straße",  "señor",  "façade", "don't",   "I'm",    "they'll", "we've",  "you're",
    "HELLO",  "It'S",    "he'd",   "NASA",   "iPhone",  "1984",   "3.14159", "42nd"};

static const char *const syllables[] = {"ka",  "to", "mi", "re", "son", "ter", "ing", "al",
                                        "ver", "lo", "qu", "x",  "sh",  "ou",  "ed",  "ly"};

static size_t put_word(text_random *r, char *out)
{
    size_t n = 0;

    if (text_below(r, 4))
        return put_text(out, PICK(r, words));
    for (uint32_t i = 1 + text_below(r, 5); i > 0; i--)
        n += put_text(out + n, PICK(r, syllables));
    return n;
}

static size_t put_prose(text_random *r, char *out)
{
    static const char *const ends[] = {". ", ", ", "; ", "! ",  "? ",  ".\n",   ".\n\n", " — ",
                                       "…",  " (", ") ", "\" ", " \"", ".\r\n", ": "};
    size_t n = put_word(r, out);

    if (text_below(r, 3) == 0)
        return n + put_text(out + n, PICK(r, ends));
    out[n++] = ' ';
    return n;
}

static const char *const keywords[] = {"if (",
                                       "for (int i = 0; ",
                                       "return ",
                                       "static const ",
                                       "uint32_t ",
                                       "def ",
                                       "class ",
                                       "import ",
                                       "#include <",
                                       "while (",
                                       "struct ",
                                       "void *",
                                       "self.",
                                       "else {",
                                       "} else if (",
                                       "printf(\"%d\\n\", ",
                                       "const auto &",
                                       "fn ",
                                       "let mut ",
                                       "public static void ",
                                       "SELECT * FROM ",
                                       "// ",
                                       "/* ",
                                       " */",
                                       "0x1f",
                                       "->",
                                       "::",
                                       " = ",
                                       " += ",
                                       " == ",
                                       " != ",
                                       "&&",
                                       "||",
                                       "();",
                                       ");",
                                       "{}",
                                       "[i]",
                                       "};",
                                       "<div class=\"",
                                       "</div>",
                                       "lambda x: ",
                                       "'s'"};

/* In C the order of two calls in one expression is open: each draw is a statement of its own. */
static size_t put_code(text_random *r, char *out)
{
    const uint32_t what = text_below(r, 9);
    size_t n = 0;

    if (what == 0) { /* a new line and its indentation */
        const uint32_t levels = text_below(r, 6);
        const uint32_t width = text_below(r, 5) ? 4 : 1;
        out[n++] = '\n';
        for (uint32_t i = levels * width; i > 0; i--)
            out[n++] = text_below(r, 40) ? ' ' : '\t';
        return n;
    }
    if (what == 1) {
        const uint32_t limit = text_below(r, 10) ? 300 : 1u << 31;
        const uint32_t number = text_below(r, limit);
        return (size_t)sprintf(out, text_below(r, 2) ? "%u" : "%u.0f", number);
    }
    if (what < 5)
        return put_text(out, PICK(r, keywords));
    n = put_word(r, out); /* an identifier */
    for (uint32_t i = text_below(r, 3); i > 0; i--) {
        if (text_below(r, 3))
            out[n++] = '_';
        n += put_word(r, out + n);
    }
    if (text_below(r, 2))
        out[n++] = ' ';
    return n;
}

static size_t put_chinese(text_random *r, char *out)
{
    static const char *const marks[] = {"，", "。", "、", "！",   "？",     "“",   "”", "（",
                                        "）", "\n", "の", "です", "한국어", "ABC", " "};

    return text_below(r, 9) ? put_char(out, any_han(r)) : put_text(out, PICK(r, marks));
}

static size_t put_emoji(text_random *r, char *out)
{
    static const uint32_t joins[] = {0x200d, 0xfe0f, 0x1f3fb, 0x1f3ff, ' ', '\n', 'a', '!', 0x20e3};
    static const uint32_t bases[] = {0x1f300, 0x1f400, 0x1f600, 0x1f680,
                                     0x1f900, 0x2600,  0x2700,  0x1f1e6};

    uint32_t c;

    if (text_below(r, 3) == 0)
        return put_char(out, PICK(r, joins));
    c = PICK(r, bases);
    return put_char(out, c + text_below(r, 26));
}

static const uint32_t spaces[] = {' ',    ' ',    ' ',    '\n',   '\n',   '\r',   '\t',   0x0b,
                                  0x0c,   0x85,   0xa0,   0x1680, 0x180e, 0x2000, 0x2003, 0x2028,
                                  0x2029, 0x202f, 0x205f, 0x3000, 0x200b, 0xfeff, 0x00,   0x1f};

static size_t put_control(text_random *r, char *out)
{
    switch (text_below(r, 4)) {
    case 0:
        return put_char(out, text_below(r, 0xa0));
    case 1:
        return put_word(r, out);
    default:
        return put_char(out, PICK(r, spaces));
    }
}

static size_t put_run(text_random *r, char *out)
{
    static const uint32_t chars[] = {'a',     ' ',  '\n', '-',  '=',   '0', 0xe9, 0x4e00,
                                     0x1f600, '\'', 'A',  '\t', 0x301, '_', 0x660};
    const uint32_t c = PICK(r, chars);
    size_t n = 0;

    for (uint32_t i = 1 + (text_below(r, 3) ? text_below(r, 20) : text_below(r, 900)); i > 0; i--)
        n += put_char(out + n, c);
    return text_below(r, 3) ? n : n + put_word(r, out + n);
}

static size_t put_special(text_random *r, char *out)
{
    static const char *const specials[] = {
        "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<s>", "</s>", "<unk>", "<|",
        "|>",           "<0x0A>",     "<tool_call>",   "▁",   "Ġ",    "<|im_", "'ſ"};

    return put_text(out, PICK(r, specials));
}

static size_t put_mixed(text_random *r, char *out)
{
    switch (text_below(r, 12)) {
    case 0:
        return put_char(out, any_assigned(r));
    case 1:
        return put_char(out, PICK(r, spaces));
    case 2:
        return put_emoji(r, out);
    case 3:
        return put_chinese(r, out);
    case 4:
        return put_code(r, out);
    case 5:
        return text_below(r, 4) ? put_word(r, out) : put_special(r, out);
    case 6:
        return put_char(out, '0' + text_below(r, 10));
    case 7:
        return put_char(out, 0x300 + text_below(r, 0x70)); /* combining marks */
    case 8:
        return put_char(out, 'A' + text_below(r, 58));
    default:
        return put_char(out, ' ' + text_below(r, 95));
    }
}

size_t text_string(text_random *random, char *out)
{
    const uint32_t count = text_below(random, 24);
    size_t n = 0;

    for (uint32_t i = 0; i < count; i++)
        n += put_mixed(random, out + n);
    return n;
}

static size_t put_unicode(text_random *r, char *out)
{
    return put_char(out, text_below(r, 6) ? any_assigned(r) : ' ');
}

static size_t put_string_line(text_random *r, char *out)
{
    const size_t n = text_string(r, out);

    out[n] = '\n';
    return n + 1;
}

size_t text_chunk(text_kind kind, uint64_t index, size_t bytes, char *out)
{
    static size_t (*const put[TEXT_KINDS])(text_random *, char *) = {
        [TEXT_CODE] = put_code,       [TEXT_PROSE] = put_prose,        [TEXT_CHINESE] = put_chinese,
        [TEXT_EMOJI] = put_emoji,     [TEXT_CONTROL] = put_control,    [TEXT_RUNS] = put_run,
        [TEXT_UNICODE] = put_unicode, [TEXT_STRINGS] = put_string_line};
    text_random random = {.state = ((uint64_t)kind << 32) + index};
    size_t n = 0;

    while (n < bytes)
        n += put[kind](&random, out + n);
    return n;
}
