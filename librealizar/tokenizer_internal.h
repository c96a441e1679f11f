/* SPDX-License-Identifier: MIT */
/*
 * tokenizer_internal.h: the parts of a tokenizer and how they meet.
 *
 *   tokenizer.c            build, free, encode and decode: the public functions
 *   tokenizer_vocab.c      texts to ids, ids to bytes, merges
 *   tokenizer_added.c      added tokens, cut out of the text first
 *   tokenizer_steps.c      the pipeline of a vocabulary: its steps, compiled
 *   tokenizer_pipeline.c   the pipeline run: text to words
 *   pre_tokenizers.c       the table of GGUF's pre-tokeniser names
 *   tokenizer_regex.c      regular expressions over PCRE2
 *   tokenizer_words.c      the same by hand for the expressions that matter for speed
 *   tokenizer_cache.c      words to ids: those seen before
 *   tokenizer_bpe.c        words to ids: merging
 */
#ifndef REALIZAR_TOKENIZER_INTERNAL_H
#define REALIZAR_TOKENIZER_INTERNAL_H

#include "realizar/tokenizer.h"
#include "unicode.h"

#include <string.h>

/* ---- vocabulary ---------------------------------------------------------------------------- */

/* Open-addressing table over vocab->tokens: text to id. */
typedef struct token_table {
    struct token_slot {
        uint32_t hash;
        int32_t id; /* -1: free */
    } * slots;
    uint32_t mask;
} token_table;

typedef struct merge_slot {
    int32_t left, right; /* left -1: free */
    uint32_t rank;       /* lower merges first */
    int32_t id;          /* of the token that the two become */
} merge_slot;

typedef struct merge_table {
    merge_slot *slots;
    uint32_t mask;
} merge_table;

/* ---- added tokens -------------------------------------------------------------------------- */

/* A trie whose edges lie in one hash table. Node 0 is the root. */
typedef struct added_trie {
    struct added_edge {
        uint32_t key; /* node << 8 | byte, plus 1; 0: free */
        uint32_t node;
    } * edges;
    uint32_t mask, n_nodes;
    int32_t *token;      /* per node: the token that ends there, or -1 */
    uint32_t first[256]; /* edges of the root, or 0 */
} added_trie;

/* ---- pipeline ------------------------------------------------------------------------------ */

typedef struct token_regex token_regex;
struct encoder;

/*
 * Finds the next match in [p, end), valid UTF-8, of which [base, end) is what the expression sees.
 * Returns where it begins and sets *match_end, or NULL when there is none.
 */
typedef const char *find_function(const char *base, const char *p, const char *end,
                                  const char **match_end);

typedef enum pipeline_kind {
    PIPELINE_NORMALIZE, /* by `form` */
    PIPELINE_LOWERCASE,
    PIPELINE_STRIP,
    PIPELINE_PREPEND,
    PIPELINE_REPLACE,
    PIPELINE_SPLIT,
    PIPELINE_SPACE_PREFIX, /* ByteLevel's add_prefix_space */
    PIPELINE_METASPACE,    /* replace spaces, prefix; splitting is a step of its own */
    PIPELINE_CUT           /* wherever no token can cross */
} pipeline_kind;

typedef struct pipeline_step {
    pipeline_kind kind;
    unicode_form form;
    apr_split_behavior behavior;
    bool invert;
    uint32_t flags;
    /* How matches are found: by hand, by expression, or as the literal text `pattern`. */
    find_function *find;
    token_regex *regex;
    const char *pattern, *text;
    uint32_t pattern_length, text_length;
} pipeline_step;

#define PIPELINE_MAX 24

typedef struct pipeline {
    pipeline_step steps[PIPELINE_MAX];
    int n_normalizers; /* the first steps; the others split */
    int n_steps;
    size_t growth; /* bytes that one byte of text can become, at most */
    size_t prefix; /* bytes put before the text */
} pipeline;

/* ---- tokenizer ----------------------------------------------------------------------------- */

struct realizar_tokenizer {
    const apr_vocab *vocab;
    const trueno_allocator *allocator;
    trueno_arena arena; /* owns all tables */
    uint64_t seed;      /* of the hash tables, so that a file cannot choose its collisions */
    token_table texts;
    uint32_t longest_token; /* bytes */
    merge_table merges;
    bool by_score;      /* SentencePiece: any two pieces whose text is a token merge */
    uint32_t *rank;     /* by_score: rank of each token */
    bool ignore_merges; /* a word that is a token is that token */
    bool whole_lines;   /* the same for words of line ends alone */
    bool has_all_bytes; /* every byte has a token */
    uint8_t *joined;    /* of PIPELINE_CUT: a bit for each two bytes side by side in a token */
    bool crosses_marks; /* some token has U+2581 behind another character */
    int32_t byte_ids[256];
    int32_t unknown; /* id for what has no token, or -1 */
    const char *pieces;
    uint32_t *piece_begin; /* n_tokens + 1 */
    uint8_t *kinds;        /* apr_token_type of each token */
    added_trie added[2];   /* matched in the raw, and in the normalised text */
    pipeline pipeline;
    bool space_prefixed; /* encoding puts a space before the text */
};

uint32_t tokenizer_hash(uint64_t seed, const char *text, size_t bytes);

trueno_status tokenizer_build_vocab(realizar_tokenizer *t, trueno_error *err);
/* The token with exactly this text, or -1. */
int32_t tokenizer_find_text(const realizar_tokenizer *t, const char *text, size_t bytes);
/* The token that a byte-level vocabulary writes for these bytes, or -1. */
int32_t tokenizer_find_bytes(const realizar_tokenizer *t, const char *bytes, size_t n);
/* The flags (APR_ADDED...) of a token, from the file or from its type. */
unsigned tokenizer_added_flags(const realizar_tokenizer *t, int32_t id);

static inline const merge_slot *tokenizer_find_merge(const realizar_tokenizer *t, int32_t left,
                                                     int32_t right)
{
    const uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    uint32_t i = (uint32_t)((key ^ t->seed) * UINT64_C(0x9e3779b97f4a7c15) >> 32) & t->merges.mask;

    for (;; i = (i + 1) & t->merges.mask) {
        const merge_slot *slot = &t->merges.slots[i];
        if (slot->left == left && slot->right == right)
            return slot;
        if (slot->left < 0)
            return NULL;
    }
}

/* ---- encoding one text --------------------------------------------------------------------- */

typedef struct word_cache word_cache;

typedef struct encoder {
    const realizar_tokenizer *t;
    trueno_arena arena; /* normalised texts and regex memory; lives for the call */
    word_cache *cache;  /* or NULL */
    void *match_data, *match_context, *jit_stack; /* of PCRE2, made when first needed */
    bool at_start;                                /* the fragment begins the text */
    bool no_prefix;                               /* the fragment continues an earlier text */
    int32_t *ids;
    size_t count, capacity;
    trueno_error *err;
} encoder;

static inline trueno_status encoder_put(encoder *e, int32_t id)
{
    if (e->count == e->capacity)
        return trueno_fail(e->err, TRUENO_USAGE, "encode: more than %zu tokens", e->capacity);
    e->ids[e->count++] = id;
    return TRUENO_OK;
}

/* ---- the parts ----------------------------------------------------------------------------- */

trueno_status added_build(realizar_tokenizer *t, trueno_error *err);
bool added_trie_empty(const added_trie *trie);

/*
 * The next added token in text[from..bytes): true, with its id and place, or false. A special one
 * is found only where no byte of it lies in a span of the user (or at all, when !special).
 */
typedef struct added_match {
    int32_t id;
    size_t begin, end; /* without the white space around it that it swallows: see added_trim() */
} added_match;
typedef struct user_spans {
    const realizar_text_span *spans;
    size_t count;
    size_t origin; /* of the text that is looked at, in the text that the spans count in */
    bool all;      /* everything is the user's */
} user_spans;
/* True when any of [begin, end) is the user's. */
bool added_is_users(const user_spans *user, size_t begin, size_t end);
bool added_find(const realizar_tokenizer *t, int which, const char *text, size_t bytes, size_t from,
                const user_spans *user, added_match *match);

trueno_status pipeline_build(realizar_tokenizer *t, trueno_error *err);
void pipeline_free(pipeline *p);
/* Normalised text, in the encoder's arena or `text` itself; NULL: no memory. *bytes is updated. */
const char *pipeline_normalize(encoder *e, const char *text, size_t *bytes);
/* Pre-tokenises text[0..bytes) and encodes its words. */
trueno_status pipeline_encode(encoder *e, const char *text, size_t bytes);
/* Frees what pipeline_encode() made for itself in the encoder. */
void pipeline_end(encoder *e);

/* Steps of a pre-tokeniser that GGUF names, or NULL. */
typedef struct pre_tokenizer {
    const char *name;
    const struct pre_steps *steps;
} pre_tokenizer;
typedef struct pre_steps {
    bool nfc, ignore_merges;
    bool marks;            /* not byte-level: spaces become U+2581, line ends are whole tokens */
    const char *splits[8]; /* expressions, each isolating its matches, in order */
} pre_steps;
const pre_tokenizer *pre_tokenizer_find(const char *name);

/* The hand-written twin of an expression, or NULL. */
find_function *words_for_pattern(const char *pattern);
extern const char words_gpt2_pattern[];
/* One punctuation character, or a run of them, as Hugging Face's tokenizers see it. */
extern const char words_punctuation[], words_punctuation_run[];

trueno_status regex_compile(token_regex **out, const char *pattern, trueno_error *err);
void regex_free(token_regex *regex);
/* As find_function; *start is NULL when nothing matches. Fails when a limit is passed. */
trueno_status regex_find(encoder *e, const token_regex *regex, const char *base, const char *p,
                         const char *end, const char **start, const char **match_end);

/* Encodes one word. */
trueno_status bpe_encode_word(encoder *e, const char *word, size_t bytes);
/* A cache for a text of so many bytes; NULL when it does not pay or memory is out. */
word_cache *bpe_cache_new(const realizar_tokenizer *t, size_t text_bytes);
void bpe_cache_free(const realizar_tokenizer *t, word_cache *cache);

#endif
