/* SPDX-License-Identifier: MIT */
/* Vocabularies small enough to reckon with by hand, and what their tests ask of a tokenizer. */
#ifndef TESTS_REALIZAR_TOKENIZER_FIXTURE_H
#define TESTS_REALIZAR_TOKENIZER_FIXTURE_H

#include "support.h"

#include <realizar/tokenizer.h>

#include "tokenizer_internal.h"

#define MARK "\xe2\x96\x81"

enum { MAX_TOKENS = 600 };

/* A vocabulary and all that it points to; from calloc, freed by free. */
typedef struct fixture {
    apr_vocab vocab;
    apr_text tokens[MAX_TOKENS];
    uint8_t types[MAX_TOKENS], flags[MAX_TOKENS];
    float scores[MAX_TOKENS];
    apr_text merges[64];
    char store[MAX_TOKENS * 16];
    size_t used;
} fixture;

/* The 256 bytes (ids 0 to 255, in the order of their letters), and merges that make "the" words. */
fixture *byte_level(const char *pre);

/* Letters, pieces with scores and all byte tokens. */
fixture *sentencepiece(void);

/* One more token (a copy of the text), and its id. */
int32_t add(fixture *f, const char *text, apr_token_type type, unsigned flags);

/* A special token that is cut out of texts; `more` is APR_ADDED_... */
int32_t add_special(fixture *f, const char *text, unsigned more);

/* One more merge; the text must outlive the fixture. */
void add_merge(fixture *f, const char *merge);

/* The vocabulary's tokenizer; fails the test where there is none. */
realizar_tokenizer *build(const fixture *f);

/* Fails the test unless the vocabulary is refused with the status and words. */
void refuse(const fixture *f, trueno_status status, const char *words);

/* Encodes and writes the tokens' texts, a bar between two; valid until the next call. */
const char *texts_of(const realizar_tokenizer *t, const char *text, size_t bytes, unsigned flags,
                     const realizar_text_span *user, size_t n_user);

#define SPECIAL             REALIZAR_ENCODE_SPECIAL
#define IDS(t, text, flags) texts_of(t, text, strlen(text), flags, NULL, 0)

#endif
