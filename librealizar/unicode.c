/* SPDX-License-Identifier: MIT */
/* unicode.c: UTF-8 validity, white space, and normalisation in linear time over utf8proc. */
#include "unicode.h"

#include <string.h>
#include <utf8proc.h>

unsigned utf8_length(const char *p, const char *end)
{
    const unsigned char *u = (const unsigned char *)p;
    const size_t left = (size_t)(end - p);

    if (left == 0)
        return 0;
    if (u[0] < 0x80)
        return 1;
    if (u[0] < 0xc2 || u[0] > 0xf4 || left < 2 || (u[1] & 0xc0) != 0x80)
        return 0;
    if (u[0] < 0xe0)
        return 2;
    if (left < 3 || (u[2] & 0xc0) != 0x80)
        return 0;
    if (u[0] < 0xf0) {
        const bool overlong = u[0] == 0xe0 && u[1] < 0xa0;
        const bool surrogate = u[0] == 0xed && u[1] > 0x9f;
        return overlong || surrogate ? 0 : 3;
    }
    if (left < 4 || (u[3] & 0xc0) != 0x80)
        return 0;
    return (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f) ? 0 : 4;
}

const char *utf8_valid_end(const char *p, const char *end)
{
    for (;;) {
        uint64_t word;
        unsigned n;

        while (end - p >= 8) {
            memcpy(&word, p, 8);
            if (word & UINT64_C(0x8080808080808080))
                break;
            p += 8;
        }
        n = utf8_length(p, end);
        if (n == 0)
            return p;
        p += n;
    }
}

unsigned utf8_encode(uint32_t c, char *out)
{
    return (unsigned)utf8proc_encode_char((utf8proc_int32_t)c, (utf8proc_uint8_t *)out);
}

const char *unicode_skip_space(const char *p, const char *end)
{
    unsigned n, length;

    while ((length = utf8_length(p, end)) > 0 &&
           unicode_class(utf8_decode_valid(p, &n)) & UNICODE_SPACE)
        p += length;
    return p;
}

const char *unicode_space_before(const char *begin, const char *end)
{
    while (end > begin) {
        const char *p = end - 1;
        unsigned n;
        while (p > begin && end - p < 4 && ((unsigned char)*p & 0xc0) == 0x80)
            p--;
        if (utf8_length(p, end) != end - p ||
            !(unicode_class(utf8_decode_valid(p, &n)) & UNICODE_SPACE))
            break;
        end = p;
    }
    return end;
}

bool unicode_is_word(uint32_t c)
{
    const utf8proc_property_t *property = utf8proc_get_property((utf8proc_int32_t)c);

    return unicode_class(c) & (UNICODE_LETTER | UNICODE_MARK) ||
           property->category == UTF8PROC_CATEGORY_ND ||
           property->category == UTF8PROC_CATEGORY_NL ||
           property->category == UTF8PROC_CATEGORY_PC ||
           (c >= 0x24b6 && c <= 0x24e9) || /* circled letters are alphabetic symbols */
           (c >= 0x1f130 && c <= 0x1f149) || (c >= 0x1f150 && c <= 0x1f169) ||
           (c >= 0x1f170 && c <= 0x1f189) || c == 0x200c || c == 0x200d;
}

/* Sorts one run of characters with non-zero combining classes by class, stably. */
static bool order_marks(utf8proc_int32_t *run, size_t n, trueno_arena *arena)
{
    size_t start[257] = {0};
    utf8proc_int32_t *copy;

    if (n < 2)
        return true;
    copy = trueno_arena_array(arena, n, sizeof *copy);
    if (!copy)
        return false;
    memcpy(copy, run, n * sizeof *copy);
    for (size_t i = 0; i < n; i++)
        start[(utf8proc_get_property(copy[i])->combining_class & 255) + 1]++;
    for (int i = 0; i < 256; i++)
        start[i + 1] += start[i];
    for (size_t i = 0; i < n; i++)
        run[start[utf8proc_get_property(copy[i])->combining_class & 255]++] = copy[i];
    return true;
}

/* Canonical ordering by counting: utf8proc's own is quadratic in the length of a run of marks. */
static bool order_all_marks(utf8proc_int32_t *text, size_t n, trueno_arena *arena)
{
    for (size_t i = 0; i < n;) {
        size_t j = i;
        bool sorted = true;
        while (j < n && utf8proc_get_property(text[j])->combining_class != 0) {
            sorted = sorted && (j == i || utf8proc_get_property(text[j - 1])->combining_class <=
                                              utf8proc_get_property(text[j])->combining_class);
            j++;
        }
        if (!sorted && !order_marks(text + i, j - i, arena))
            return false;
        i = j + 1;
    }
    return true;
}

/* Longest decomposition of one character: 18 characters (U+FDFA). */
#define MAX_DECOMPOSED 32

/* Normalises one piece and appends it at *out, which has room. */
static bool normalize_piece(const char *p, const char *end, int options, char **out,
                            trueno_arena *arena)
{
    size_t capacity = (size_t)(end - p) + MAX_DECOMPOSED, n = 0;
    utf8proc_int32_t *text = trueno_arena_array(arena, capacity, sizeof *text);
    utf8proc_ssize_t made;
    unsigned length;

    if (!text)
        return false;
    for (; p < end; p += length) {
        utf8proc_int32_t c = (utf8proc_int32_t)utf8_decode_valid(p, &length);
        int boundary = 0;
        if (n + MAX_DECOMPOSED > capacity) {
            utf8proc_int32_t *more = trueno_arena_array(arena, capacity * 2, sizeof *more);
            if (!more)
                return false;
            memcpy(more, text, n * sizeof *more);
            text = more;
            capacity *= 2;
        }
        made = utf8proc_decompose_char(c, text + n, MAX_DECOMPOSED, options, &boundary);
        if (made < 0 || made > MAX_DECOMPOSED)
            return false;
        n += (size_t)made;
    }
    if (!order_all_marks(text, n, arena))
        return false;
    made = utf8proc_normalize_utf32(text, (utf8proc_ssize_t)n, options);
    if (made < 0)
        return false;
    for (utf8proc_ssize_t i = 0; i < made; i++)
        *out += utf8_encode((uint32_t)text[i], *out);
    return true;
}

/*
 * The next piece at or after `p` that NFC may change: characters that are not inert, with the inert
 * one before them. Returns false when there is none; else [*begin, *end).
 */
static bool next_unstable(const char *p, const char *stop, const char **begin, const char **end)
{
    const char *before = p;
    unsigned n;

    while (p < stop) {
        unsigned class;
        if ((unsigned char)*p < 0xcc) { /* below U+0300 everything is inert */
            before = p;
            p += (unsigned char)*p < 0x80 ? 1 : 2;
            continue;
        }
        class = unicode_class(utf8_decode_valid(p, &n));
        if (!(class & UNICODE_INERT))
            break;
        before = class & UNICODE_LATE ? p + n : p;
        p += n;
    }
    if (p >= stop)
        return false;
    *begin = before;
    while (p < stop && !(unicode_class(utf8_decode_valid(p, &n)) & UNICODE_INERT))
        p += n;
    *end = p;
    return true;
}

/* Bytes that normalisation can make of one byte, at most: U+FDFA grows from 3 to 33 bytes. */
#define MAX_GROWTH 11

/* All forms but NFC: everything is decomposed, character by character. */
static const char *normalize_whole(const char *p, size_t *length, int options, trueno_arena *arena)
{
    const char *end = p + *length, *stop;
    char *out = trueno_arena_array(arena, *length + 1, MAX_GROWTH), *to = out;
    unsigned n;

    if (!out)
        return NULL;
    for (; p < end; p = stop) {
        for (stop = p; stop < end && !(unicode_class(utf8_decode_valid(stop, &n)) & UNICODE_LATE);)
            stop += n;
        if (stop > p && !normalize_piece(p, stop, options, &to, arena))
            return NULL;
        for (p = stop; stop < end && unicode_class(utf8_decode_valid(stop, &n)) & UNICODE_LATE;)
            stop += n;
        memcpy(to, p, (size_t)(stop - p));
        to += stop - p;
    }
    *length = (size_t)(to - out);
    return out;
}

const char *unicode_normalize(const char *p, size_t *length, unicode_form form, trueno_arena *arena)
{
    static const int options[] = {
        [UNICODE_NFC] = UTF8PROC_STABLE | UTF8PROC_COMPOSE,
        [UNICODE_NFD] = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE,
        [UNICODE_NFKC] = UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT,
        [UNICODE_NFKD] = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT,
    };
    const char *stop = p + *length, *done = p, *begin, *end;
    char *out, *to;

    if (form != UNICODE_NFC)
        return *length == 0 ? p : normalize_whole(p, length, options[form], arena);
    if (!next_unstable(p, stop, &begin, &end))
        return p;
    to = out = trueno_arena_array(arena, *length + 1, 3); /* NFC at most triples the bytes */
    if (!out)
        return NULL;
    do {
        memcpy(to, done, (size_t)(begin - done));
        to += begin - done;
        if (!normalize_piece(begin, end, options[form], &to, arena))
            return NULL;
        done = end;
    } while (next_unstable(done, stop, &begin, &end));
    memcpy(to, done, (size_t)(stop - done));
    to += stop - done;
    *length = (size_t)(to - out);
    return out;
}

const char *unicode_lowercase(const char *p, size_t *length, trueno_arena *arena)
{
    const char *end = p + *length;
    char *out = trueno_arena_array(arena, *length + 1, 2), *to = out;
    unsigned n;

    if (!out)
        return NULL;
    for (; p < end; p += n) {
        const uint32_t c = utf8_decode_valid(p, &n);
        if (c == 0x130) { /* the one character whose full lower case is two */
            *to++ = 'i';
            to += utf8_encode(0x307, to);
        } else {
            to += utf8_encode((uint32_t)utf8proc_tolower((utf8proc_int32_t)c), to);
        }
    }
    *length = (size_t)(to - out);
    return out;
}
