/* SPDX-License-Identifier: MIT */
/*
 * tokenizer_cache.h: what the encoding of one text remembers: its words, and for SentencePiece
 * vocabularies what became of two neighbours.
 */
#ifndef REALIZAR_TOKENIZER_CACHE_H
#define REALIZAR_TOKENIZER_CACHE_H

#include "tokenizer_internal.h"

#define NO_RANK UINT32_MAX

/* What two neighbours become. */
typedef struct pair {
    uint32_t rank; /* NO_RANK: they do not merge */
    int32_t id;
} pair;

/* Answers already found for two neighbours of a SentencePiece vocabulary, by their ids. */
typedef struct known_pair {
    int32_t left, right; /* both 0: free; that pair is not kept */
    pair joined;
} known_pair;

enum { KNOWN_PAIRS = 1 << 13 };

typedef struct cached_word {
    uint64_t head;    /* the first 8 bytes, zeros behind a shorter word */
    const char *text; /* an earlier place of the same word; NULL: free */
    size_t ids;       /* where its ids begin in the output */
    uint16_t bytes, count;
    int32_t first; /* the first of the ids */
} cached_word;

struct word_cache {
    uint32_t mask;
    size_t bytes; /* of the allocation */
    cached_word words[];
    /* behind them, for SentencePiece vocabularies: KNOWN_PAIRS known_pair */
};

static inline known_pair *known_pairs(word_cache *cache)
{
    return (known_pair *)(void *)(cache->words + cache->mask + 1);
}

/* The ids of a word that is not in the cache, by merging (tokenizer_bpe.c). */
trueno_status bpe_merge_word(encoder *e, const char *word, size_t bytes);

#endif
