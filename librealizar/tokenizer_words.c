/* SPDX-License-Identifier: MIT */
/*
 * tokenizer_words.c: hand-written twins of the expressions that matter for speed.
 *
 * Each finds exactly what its expression finds in valid UTF-8; the test compares them with PCRE2 on
 * random text and on every short string over the characters that matter.
 */
#include "tokenizer_internal.h"

const char words_gpt2_pattern[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+|"
                                  " ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

const char words_punctuation[] = "(?#of tokenizers)[\\p{P}$+<=>^`|~]";
const char words_punctuation_run[] = "(?#of tokenizers)[\\p{P}$+<=>^`|~]+";

#define L UNICODE_LETTER
#define N UNICODE_NUMBER
#define M UNICODE_MARK
#define Z UNICODE_SPACE

static inline unsigned class_at(const char *p, unsigned *length)
{
    if ((unsigned char)*p < 0x80) {
        *length = 1;
        return realizar_class_blocks[0][(unsigned char)*p]; /* block 0 is U+0000 to U+00FF */
    }
    return unicode_class(utf8_decode_valid(p, length));
}

/* The end of the run of characters at p that have one of the class bits. */
static inline const char *run_of(const char *p, const char *end, unsigned bits)
{
    unsigned n;

    while (p < end && class_at(p, &n) & bits)
        p += n;
    return p;
}

/* The end of the run of characters at p that have none of the class bits. */
static inline const char *run_without(const char *p, const char *end, unsigned bits)
{
    unsigned n;

    while (p < end && !(class_at(p, &n) & bits))
        p += n;
    return p;
}

/* Where "\s+(?!\S)|\s+" ends, at the white space p: before the last one if more text follows. */
static inline const char *spaces_end(const char *p, const char *end)
{
    const char *last = p;
    unsigned n;

    for (const char *q = p; q < end && class_at(q, &n) & Z; q += n)
        last = q;
    class_at(last, &n);
    return last + n == end || last == p ? last + n : last;
}

/* GPT-2: a space may lead letters, numbers or others. */
static const char *gpt2_word(const char *base, const char *p, const char *end,
                             const char **match_end)
{
    unsigned n, class;
    const char *q = p;

    if (p >= end)
        return NULL;
    if (*p == '\'' && end - p >= 2) {
        const char a = p[1], b = (char)(end - p >= 3 ? p[2] : 0);
        if (a == 's' || a == 't' || a == 'm' || a == 'd') {
            *match_end = p + 2;
            return p;
        }
        if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) {
            *match_end = p + 3;
            return p;
        }
    }
    if (*p == ' ' && p + 1 < end)
        q = p + 1;
    class = class_at(q, &n);
    if (class & L)
        *match_end = run_of(q + n, end, L);
    else if (class & N)
        *match_end = run_of(q + n, end, N);
    else if (!(class & Z))
        *match_end = run_without(q + n, end, L | N | Z);
    else
        *match_end = spaces_end(p, end);
    return p;
}

/* The end of "(?i:'s|'t|'re|'ve|'m|'ll|'d)" at the apostrophe p, or NULL. U+017F folds to s. */
static inline const char *contraction_end(const char *p, const char *end)
{
    char a, b;

    if (end - p < 2)
        return NULL;
    a = (char)(p[1] | 0x20);
    if ((unsigned char)p[1] < 0x80 && (a == 's' || a == 't' || a == 'm' || a == 'd'))
        return p + 2;
    if (end - p < 3)
        return NULL;
    if ((unsigned char)p[1] == 0xc5 && (unsigned char)p[2] == 0xbf)
        return p + 3;
    b = (char)(p[2] | 0x20);
    if ((unsigned char)p[1] >= 0x80 || (unsigned char)p[2] >= 0x80)
        return NULL;
    return (b == 'e' && (a == 'r' || a == 'v')) || (a == 'l' && b == 'l') ? p + 3 : NULL;
}

/* The end of "\s*[\r\n]+|\s+(?!\S)|\s+" at the white space p: after its last line end, if any. */
static inline const char *lines_end(const char *p, const char *end)
{
    const char *after_line = NULL, *last = p;
    unsigned n;

    for (const char *q = p; q < end && class_at(q, &n) & Z; q += n) {
        last = q;
        if (*q == '\n' || *q == '\r')
            after_line = q + 1;
    }
    if (after_line)
        return after_line;
    class_at(last, &n);
    return last + n == end || last == p ? last + n : last;
}

/*
 * The family of cl100k: letters (class bits `letters`) with any one character before them but a
 * line end or number; at most `digits` numbers; others with a space before and line ends after.
 */
static inline const char *cl100k_word_end(const char *p, const char *end, unsigned letters,
                                          int digits)
{
    unsigned n, next_length, class;
    const char *q;

    if (*p == '\'' && (q = contraction_end(p, end)) != NULL)
        return q;
    class = class_at(p, &n);
    if (class & letters)
        return run_of(p + n, end, letters);
    if (class & N) {
        for (p += n; --digits > 0 && p < end && class_at(p, &n) & N; p += n) {
        }
        return p;
    }
    q = p + n;
    if (q < end && *p != '\r' && *p != '\n' && class_at(q, &next_length) & letters)
        return run_of(q + next_length, end, letters);
    if (*p == ' ' && q < end && !(class_at(q, &next_length) & (Z | N | letters)))
        class = 0;
    if (class & Z)
        return lines_end(p, end);
    q = run_without(q, end, Z | N | letters);
    while (q < end && (*q == '\r' || *q == '\n'))
        q++;
    return q;
}

static const char *qwen2_word(const char *base, const char *p, const char *end,
                              const char **match_end)
{
    if (p >= end)
        return NULL;
    *match_end = cl100k_word_end(p, end, L, 1);
    return p;
}

static const char *qwen35_word(const char *base, const char *p, const char *end,
                               const char **match_end)
{
    if (p >= end)
        return NULL;
    *match_end = cl100k_word_end(p, end, L | M, 1);
    return p;
}

static const char *llama3_word(const char *base, const char *p, const char *end,
                               const char **match_end)
{
    if (p >= end)
        return NULL;
    *match_end = cl100k_word_end(p, end, L, 3);
    return p;
}

/* The first character in [p, end) that has one of the class bits, or NULL. */
static inline const char *first_of(const char *p, const char *end, unsigned bits)
{
    const char *q = run_without(p, end, bits);

    return q < end ? q : NULL;
}

static const char *one_number(const char *base, const char *p, const char *end,
                              const char **match_end)
{
    unsigned n;
    const char *q = first_of(p, end, N);

    if (q) {
        class_at(q, &n);
        *match_end = q + n;
    }
    return q;
}

static const char *numbers(const char *base, const char *p, const char *end, const char **match_end)
{
    const char *q = first_of(p, end, N);

    if (q)
        *match_end = run_of(q, end, N);
    return q;
}

static const char *line_end(const char *base, const char *p, const char *end,
                            const char **match_end)
{
    while (p < end && *p != '\n' && *p != '\r')
        p++;
    *match_end = p + 1;
    return p < end ? p : NULL;
}

/* "\s?X+" for a class X that holds no space. */
static inline const char *space_and_run(const char *p, const char *end, unsigned bits,
                                        const char **match_end)
{
    const char *q = first_of(p, end, bits), *space;

    if (!q)
        return NULL;
    *match_end = run_of(q, end, bits);
    /* the one white space before it belongs to it */
    for (space = q; space > p && q - space < 4;) {
        unsigned n;
        space--;
        if (((unsigned char)*space & 0xc0) == 0x80)
            continue;
        return class_at(space, &n) & Z ? space : q;
    }
    return q;
}

static const char *space_letters(const char *base, const char *p, const char *end,
                                 const char **match_end)
{
    return space_and_run(p, end, L, match_end);
}

static const char *space_punctuation(const char *base, const char *p, const char *end,
                                     const char **match_end)
{
    return space_and_run(p, end, UNICODE_PUNCTUATION, match_end);
}

/*
 * "\s+$", which also ends before a line feed. As an expression it takes time squared in a long run
 * of spaces.
 */
static const char *trailing_space(const char *base, const char *p, const char *end,
                                  const char **match_end)
{
    while ((p = first_of(p, end, Z)) != NULL) {
        const char *q, *last = NULL;
        unsigned n;
        for (q = p; q < end && class_at(q, &n) & Z; q += n)
            if (*q == '\n' && q > p)
                last = q;
        if (q == end)
            last = end;
        if (last) {
            *match_end = last;
            return p;
        }
        p = q;
    }
    return NULL;
}

/* Punctuation of Unicode 9 and later, which tokenizers' Punctuation does not know. */
static const uint32_t late_punctuation[][2] = {
    {0x61d, 0x61d},     {0x9fd, 0x9fd},     {0xa76, 0xa76},     {0xc77, 0xc77},
    {0xc84, 0xc84},     {0x1b7d, 0x1b7e},   {0x2e43, 0x2e4f},   {0x2e52, 0x2e5d},
    {0x10ead, 0x10ead}, {0x10f55, 0x10f59}, {0x10f86, 0x10f89}, {0x1144b, 0x1144f},
    {0x1145a, 0x1145b}, {0x1145d, 0x1145d}, {0x11660, 0x1166c}, {0x116b9, 0x116b9},
    {0x1183b, 0x1183b}, {0x11944, 0x11946}, {0x119e2, 0x119e2}, {0x11a3f, 0x11a46},
    {0x11a9a, 0x11a9c}, {0x11a9e, 0x11aa2}, {0x11c41, 0x11c45}, {0x11c70, 0x11c71},
    {0x11ef7, 0x11ef8}, {0x11fff, 0x11fff}, {0x12ff1, 0x12ff2}, {0x16e97, 0x16e9a},
    {0x16fe2, 0x16fe2}, {0x1e95e, 0x1e95f}};

/* What Hugging Face's tokenizers call punctuation: that of Unicode 8, and all of ASCII's signs. */
static bool is_punctuation(uint32_t c, unsigned class)
{
    size_t low = 0, high = sizeof late_punctuation / sizeof *late_punctuation;

    if (c < 0x80)
        return class & (UNICODE_PUNCTUATION | UNICODE_SYMBOL);
    if (!(class & UNICODE_PUNCTUATION))
        return c == 0x166d || c == 0x111c9; /* they were punctuation then */
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (late_punctuation[middle][1] < c)
            low = middle + 1;
        else
            high = middle;
    }
    return low == sizeof late_punctuation / sizeof *late_punctuation ||
           c < late_punctuation[low][0];
}

static const char *one_punctuation(const char *base, const char *p, const char *end,
                                   const char **match_end)
{
    unsigned n;

    for (; p < end; p += n) {
        const uint32_t c = utf8_decode_valid(p, &n);
        if (is_punctuation(c, unicode_class(c))) {
            *match_end = p + n;
            return p;
        }
    }
    return NULL;
}

static const char *punctuation(const char *base, const char *p, const char *end,
                               const char **match_end)
{
    const char *start = one_punctuation(base, p, end, match_end), *next;

    if (!start)
        return NULL;
    while (*match_end < end && one_punctuation(base, *match_end, *match_end + 1, &next)) {
        unsigned n;
        utf8_decode_valid(*match_end, &n);
        *match_end += n;
    }
    return start;
}

static const struct {
    const char *pattern;
    find_function *find;
} twins[] = {
    {words_gpt2_pattern, gpt2_word},
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "
     "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
     "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     qwen2_word},
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| "
     "?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     qwen35_word},
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
     "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     llama3_word},
    {"\\p{N}", one_number},
    {"\\p{N}+", numbers},
    {"[\\r\\n]", line_end},
    {"[\r\n]", line_end},
    {"\\s?\\p{L}+", space_letters},
    {"\\s?\\p{P}+", space_punctuation},
    {"\\s+$", trailing_space},
    {words_punctuation, one_punctuation},
    {words_punctuation_run, punctuation},
};

find_function *words_for_pattern(const char *pattern)
{
    for (size_t i = 0; i < sizeof twins / sizeof *twins; i++)
        if (strcmp(twins[i].pattern, pattern) == 0)
            return twins[i].find;
    return NULL;
}
