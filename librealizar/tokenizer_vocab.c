/* SPDX-License-Identifier: MIT */
/* tokenizer_vocab.c: the tables of a tokenizer: text to id, id to bytes, and merges. */
#include "tokenizer_internal.h"

static const char space_mark[] = "\xe2\x96\x81"; /* U+2581, SentencePiece's space */

uint32_t tokenizer_hash(uint64_t seed, const char *text, size_t bytes)
{
    uint64_t h = seed ^ bytes, word;

    for (; bytes >= 8; text += 8, bytes -= 8) {
        memcpy(&word, text, 8);
        h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 32;
    }
    word = 0;
    for (size_t i = 0; i < bytes; i++)
        word |= (uint64_t)(unsigned char)text[i] << (8 * i);
    h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(h >> 32);
}

/* GPT-2's printable alphabet: bytes that print stand for themselves, the others from U+0100 on. */
static uint32_t alphabet_of_byte(unsigned byte)
{
    if ((byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte != 0xad))
        return byte;
    if (byte <= 0x20)
        return 0x100 + byte;
    return byte == 0xad ? 0x143 : 0x121 + (byte - 0x7f);
}

/* The byte that a character of the alphabet stands for, or -1. */
static int byte_of_alphabet(uint32_t c)
{
    if ((c >= '!' && c <= '~') || (c >= 0xa1 && c <= 0xff && c != 0xad))
        return (int)c;
    if (c >= 0x100 && c <= 0x120)
        return (int)(c - 0x100);
    if (c >= 0x121 && c <= 0x142)
        return (int)(c - 0x121 + 0x7f);
    return c == 0x143 ? 0xad : -1;
}

int32_t tokenizer_find_text(const realizar_tokenizer *t, const char *text, size_t bytes)
{
    const uint32_t hash = tokenizer_hash(t->seed, text, bytes);

    for (uint32_t i = hash & t->texts.mask;; i = (i + 1) & t->texts.mask) {
        const struct token_slot *slot = &t->texts.slots[i];
        if (slot->id < 0)
            return -1;
        if (slot->hash == hash && t->vocab->tokens[slot->id].length == bytes &&
            memcmp(t->vocab->tokens[slot->id].data, text, bytes) == 0)
            return slot->id;
    }
}

int32_t tokenizer_find_bytes(const realizar_tokenizer *t, const char *bytes, size_t n)
{
    char text[1024];
    size_t length = 0;

    if (n * 2 > sizeof text || n > t->longest_token)
        return -1;
    for (size_t i = 0; i < n; i++)
        length += utf8_encode(alphabet_of_byte((unsigned char)bytes[i]), text + length);
    return tokenizer_find_text(t, text, length);
}

unsigned tokenizer_added_flags(const realizar_tokenizer *t, int32_t id)
{
    if (t->vocab->flags)
        return t->vocab->flags[id];
    switch (t->kinds[id]) {
    case APR_TOKEN_CONTROL:
    case APR_TOKEN_UNKNOWN:
        return APR_ADDED | APR_ADDED_SPECIAL;
    case APR_TOKEN_USER_DEFINED:
        return APR_ADDED;
    default:
        return 0;
    }
}

/* The smallest power of two with room for n entries at a load of at most 5/8. */
static uint32_t table_size(size_t n)
{
    uint32_t size = 16;

    while (size < n + n / 2 + n / 10)
        size *= 2;
    return size;
}

static trueno_status out_of_memory(trueno_error *err)
{
    return trueno_fail(err, TRUENO_NO_MEMORY, "tokenizer: out of memory");
}

static trueno_status build_texts(realizar_tokenizer *t, trueno_error *err)
{
    const uint32_t size = table_size((size_t)t->vocab->n_tokens);

    t->texts.slots = trueno_arena_array(&t->arena, size, sizeof *t->texts.slots);
    if (!t->texts.slots)
        return out_of_memory(err);
    t->texts.mask = size - 1;
    memset(t->texts.slots, 0xff, size * sizeof *t->texts.slots);
    for (int32_t id = 0; id < t->vocab->n_tokens; id++) {
        const apr_text text = t->vocab->tokens[id];
        const uint32_t hash = tokenizer_hash(t->seed, text.data, text.length);
        uint32_t i = hash & t->texts.mask;
        while (t->texts.slots[i].id >= 0)
            i = (i + 1) & t->texts.mask;
        t->texts.slots[i].hash = hash;
        t->texts.slots[i].id = id;
        if (text.length > t->longest_token)
            t->longest_token = text.length;
    }
    return TRUENO_OK;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte that "<0xNN>" means, or -1. */
static int byte_of_token(apr_text text)
{
    if (text.length != 6 || memcmp(text.data, "<0x", 3) != 0 || text.data[5] != '>' ||
        hex_digit(text.data[3]) < 0 || hex_digit(text.data[4]) < 0)
        return -1;
    return hex_digit(text.data[3]) * 16 + hex_digit(text.data[4]);
}

/* Writes the bytes that a token stands for; returns how many: never more than its text has. */
static size_t write_piece(const realizar_tokenizer *t, int32_t id, char *out)
{
    const apr_text text = t->vocab->tokens[id];
    const char *p = text.data, *end = p + text.length;
    char *to = out;
    int byte;

    if (tokenizer_added_flags(t, id) & APR_ADDED) {
        memcpy(out, p, text.length);
        return text.length;
    }
    if (!t->vocab->byte_level && (byte = byte_of_token(text)) >= 0) {
        *out = (char)byte;
        return 1;
    }
    while (p < end) {
        const unsigned n = utf8_length(p, end);
        unsigned used;
        if (t->vocab->byte_level && n > 0 &&
            (byte = byte_of_alphabet(utf8_decode_valid(p, &used))) >= 0) {
            *to++ = (char)byte;
            p += n;
        } else if (!t->vocab->byte_level && end - p >= 3 && memcmp(p, space_mark, 3) == 0) {
            *to++ = ' ';
            p += 3;
        } else {
            *to++ = *p++;
        }
    }
    return (size_t)(to - out);
}

static trueno_status build_pieces(realizar_tokenizer *t, trueno_error *err)
{
    const int32_t n = t->vocab->n_tokens;
    size_t total = 0, used = 0;
    char *pieces;

    for (int32_t id = 0; id < n; id++)
        total += t->vocab->tokens[id].length;
    if (total > UINT32_MAX)
        return trueno_fail(err, TRUENO_UNSUPPORTED, "tokenizer: %zu bytes of tokens (limit %u)",
                           total, UINT32_MAX);
    pieces = trueno_arena_alloc(&t->arena, total + 1);
    t->piece_begin = trueno_arena_array(&t->arena, (size_t)n + 1, sizeof *t->piece_begin);
    if (!pieces || !t->piece_begin)
        return out_of_memory(err);
    for (int32_t id = 0; id < n; id++) {
        t->piece_begin[id] = (uint32_t)used;
        used += write_piece(t, id, pieces + used);
    }
    t->piece_begin[n] = (uint32_t)used;
    t->pieces = pieces;
    return TRUENO_OK;
}

static void build_bytes(realizar_tokenizer *t)
{
    static const char hex[] = "0123456789ABCDEF";

    t->has_all_bytes = true;
    for (unsigned b = 0; b < 256; b++) {
        const char text[] = {'<', '0', 'x', hex[b >> 4], hex[b & 15], '>'};
        const char byte = (char)b;
        int32_t id = t->vocab->byte_level ? tokenizer_find_bytes(t, &byte, 1)
                                          : tokenizer_find_text(t, text, sizeof text);
        /* an added token of that letter means the letter, not the byte (DeepSeek has some) */
        if (id >= 0 && tokenizer_added_flags(t, id) & APR_ADDED)
            id = -1;
        t->byte_ids[b] = id;
        t->has_all_bytes = t->has_all_bytes && t->byte_ids[b] >= 0;
    }
}

/* Splits merge `i` into its two texts. */
static bool merge_texts(const apr_vocab *v, int32_t i, apr_text *left, apr_text *right)
{
    const char *space;

    if (v->merge_pairs) {
        *left = v->merge_pairs[i][0];
        *right = v->merge_pairs[i][1];
        return left->length > 0 && right->length > 0;
    }
    if (v->merges[i].length < 3)
        return false;
    space = memchr(v->merges[i].data + 1, ' ', v->merges[i].length - 2);
    if (!space)
        return false;
    left->data = v->merges[i].data;
    left->length = (uint32_t)(space - left->data);
    right->data = space + 1;
    right->length = v->merges[i].length - left->length - 1;
    return true;
}

static bool is_concatenation(apr_text whole, apr_text left, apr_text right)
{
    return whole.length == left.length + right.length &&
           memcmp(whole.data, left.data, left.length) == 0 &&
           memcmp(whole.data + left.length, right.data, right.length) == 0;
}

/*
 * The token of left and right joined, or -1. Merges usually follow the ids: `guess` comes first.
 * `joined` has room for the longest token.
 */
static int32_t find_joined(const realizar_tokenizer *t, apr_text left, apr_text right,
                           int32_t guess, char *joined)
{
    if (guess < t->vocab->n_tokens && is_concatenation(t->vocab->tokens[guess], left, right))
        return guess;
    if ((uint64_t)left.length + right.length > t->longest_token)
        return -1;
    memcpy(joined, left.data, left.length);
    memcpy(joined + left.length, right.data, right.length);
    return tokenizer_find_text(t, joined, (size_t)left.length + right.length);
}

static merge_slot *free_or_same(realizar_tokenizer *t, int32_t left, int32_t right)
{
    const uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    uint32_t i = (uint32_t)((key ^ t->seed) * UINT64_C(0x9e3779b97f4a7c15) >> 32) & t->merges.mask;

    while (t->merges.slots[i].left >= 0 &&
           (t->merges.slots[i].left != left || t->merges.slots[i].right != right))
        i = (i + 1) & t->merges.mask;
    return &t->merges.slots[i];
}

static trueno_status build_merges(realizar_tokenizer *t, trueno_error *err)
{
    const apr_vocab *v = t->vocab;
    const uint32_t size = table_size((size_t)v->n_merges);
    char *buffer = trueno_arena_alloc(&t->arena, (size_t)t->longest_token + 1);
    int32_t joined = 255;

    t->merges.slots = trueno_arena_array(&t->arena, size, sizeof *t->merges.slots);
    if (!t->merges.slots || !buffer)
        return out_of_memory(err);
    t->merges.mask = size - 1;
    memset(t->merges.slots, 0xff, size * sizeof *t->merges.slots);
    for (int32_t i = 0; i < v->n_merges; i++) {
        apr_text left, right;
        int32_t l, r;
        if (!merge_texts(v, i, &left, &right))
            return trueno_fail(err, TRUENO_FORMAT, "merge %d: not two pieces with a space between",
                               i);
        l = tokenizer_find_text(t, left.data, left.length);
        r = tokenizer_find_text(t, right.data, right.length);
        joined = find_joined(t, left, right, joined + 1, buffer);
        if (l < 0 || r < 0 || joined < 0)
            return trueno_fail(err, TRUENO_FORMAT, "merge %d: \"%.*s\" is not in the vocabulary", i,
                               (int)(l < 0               ? left.length < 64 ? left.length : 64
                                     : right.length < 64 ? right.length
                                                         : 64),
                               l < 0 ? left.data : right.data);
        *free_or_same(t, l, r) =
            (merge_slot){.left = l, .right = r, .rank = (uint32_t)i, .id = joined};
    }
    return TRUENO_OK;
}

/* Ranks from scores: the higher the score, the lower the rank; equal scores share one. */
static trueno_status build_ranks(realizar_tokenizer *t, trueno_error *err)
{
    t->rank = trueno_arena_array(&t->arena, (size_t)t->vocab->n_tokens, sizeof *t->rank);
    if (!t->rank)
        return out_of_memory(err);
    for (int32_t id = 0; id < t->vocab->n_tokens; id++) {
        const float score = t->vocab->scores ? t->vocab->scores[id] + 0.0f : 0.0f;
        uint32_t bits;
        memcpy(&bits, &score, sizeof bits);
        t->rank[id] = bits >> 31 ? bits : 0x7fffffff - bits;
    }
    return TRUENO_OK;
}

trueno_status tokenizer_build_vocab(realizar_tokenizer *t, trueno_error *err)
{
    const apr_vocab *v = t->vocab;
    trueno_status st;

    if (v->n_tokens <= 0)
        return trueno_fail(err, TRUENO_FORMAT, "tokenizer: the vocabulary is empty");
    t->kinds = trueno_arena_alloc(&t->arena, (size_t)v->n_tokens);
    if (!t->kinds)
        return out_of_memory(err);
    if (v->types)
        memcpy(t->kinds, v->types, (size_t)v->n_tokens);
    else
        memset(t->kinds, APR_TOKEN_NORMAL, (size_t)v->n_tokens);
    if ((st = build_texts(t, err)) < 0 || (st = build_pieces(t, err)) < 0)
        return st;
    build_bytes(t);
    t->by_score = v->kind == APR_VOCAB_SPM;
    return t->by_score ? build_ranks(t, err) : build_merges(t, err);
}
