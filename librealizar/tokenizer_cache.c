/* SPDX-License-Identifier: MIT */
/*
 * tokenizer_cache.c: words seen before in the same text are copied from the ids already written.
 */
#include "tokenizer_cache.h"

enum {
    CACHE_TEXT_MIN = 1024,
    CACHE_WORD_MAX = 255,
    CACHE_SLOTS_MIN = 1 << 8,
    CACHE_SLOTS_MAX = 1 << 15
};

word_cache *bpe_cache_new(const realizar_tokenizer *t, size_t text_bytes)
{
    size_t slots = CACHE_SLOTS_MIN, bytes;
    word_cache *cache;

    if (text_bytes < CACHE_TEXT_MIN)
        return NULL;
    while (slots < CACHE_SLOTS_MAX && slots < text_bytes / 16)
        slots *= 2;
    bytes = sizeof *cache + slots * sizeof(cached_word) +
            (t->by_score ? KNOWN_PAIRS * sizeof(known_pair) : 0);
    cache = trueno_allocate_zero(t->allocator, bytes);
    if (cache) {
        cache->mask = (uint32_t)slots - 1;
        cache->bytes = bytes;
    }
    return cache;
}

void bpe_cache_free(const realizar_tokenizer *t, word_cache *cache)
{
    if (cache)
        trueno_release(t->allocator, cache, cache->bytes);
}

/* The word's first 8 bytes, with zeros behind a shorter one. */
static inline uint64_t head_of(const char *word, size_t bytes)
{
    uint64_t head = 0;

    if (bytes >= 8) {
        memcpy(&head, word, 8);
        return head;
    }
    for (size_t i = bytes; i-- > 0;)
        head = head << 8 | (unsigned char)word[i];
    return head;
}

trueno_status bpe_encode_word(encoder *e, const char *word, size_t bytes)
{
    cached_word *cached;
    uint64_t head;
    size_t begin;
    trueno_status st;

    if (!e->cache || bytes > CACHE_WORD_MAX)
        return bpe_merge_word(e, word, bytes);
    head = head_of(word, bytes);
    cached =
        &e->cache
             ->words[(bytes <= 8 ? (uint32_t)((head ^ bytes) * UINT64_C(0x9e3779b97f4a7c15) >> 40)
                                 : tokenizer_hash(e->t->seed, word, bytes)) &
                     e->cache->mask];
    if (cached->head == head && cached->bytes == bytes &&
        (bytes <= 8 || memcmp(cached->text + 8, word + 8, bytes - 8) == 0)) {
        if (cached->count > e->capacity - e->count)
            return trueno_fail(e->err, TRUENO_USAGE, "encode: more than %zu tokens", e->capacity);
        e->ids[e->count] = cached->first;
        for (size_t i = 1; i < cached->count; i++)
            e->ids[e->count + i] = e->ids[cached->ids + i];
        e->count += cached->count;
        return TRUENO_OK;
    }
    begin = e->count;
    if ((st = bpe_merge_word(e, word, bytes)) < 0 || e->count == begin)
        return st;
    *cached = (cached_word){.head = head,
                            .text = word,
                            .ids = begin,
                            .bytes = (uint16_t)bytes,
                            .count = (uint16_t)(e->count - begin),
                            .first = e->ids[begin]};
    return TRUENO_OK;
}
