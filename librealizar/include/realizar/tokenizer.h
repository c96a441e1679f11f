/* SPDX-License-Identifier: MIT */
/**
 * @file tokenizer.h  Text to token ids and back.
 *
 * A tokenizer is immutable once made and may be used by any number of threads at once.
 */
#ifndef REALIZAR_TOKENIZER_H
#define REALIZAR_TOKENIZER_H

#include <apr/model.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct realizar_tokenizer realizar_tokenizer;

/**
 * Build a tokenizer over a vocabulary, which must outlive it (its texts are borrowed). Fails with
 * TRUENO_UNSUPPORTED naming the kind or the pre-tokeniser when it is not known or the file has
 * none, and TRUENO_FORMAT on merges that do not fit the vocabulary. `allocator`: NULL for the
 * default one; PCRE2, which runs expressions without a hand-written twin, allocates by itself.
 */
TRUENO_API trueno_status realizar_tokenizer_new(realizar_tokenizer **out, const apr_vocab *vocab,
                                                const trueno_allocator *allocator,
                                                trueno_error *err);

/** NULL is fine. */
TRUENO_API void realizar_tokenizer_free(realizar_tokenizer *tokenizer);

/** Flags of realizar_tokenizer_encode(). */
enum {
    REALIZAR_ENCODE_SPECIAL = 1 << 0,  /**< special tokens written in the text become their ids */
    REALIZAR_ENCODE_BOS = 1 << 1,      /**< put BOS (EOS) where the model asks for it */
    REALIZAR_ENCODE_CONTINUES = 1 << 2 /**< not the beginning of a text: no space prefix */
};

/** Ids an encode of `bytes` bytes of text can give at most. */
TRUENO_API size_t realizar_tokenizer_encode_bound(const realizar_tokenizer *tokenizer,
                                                  size_t bytes);

/**
 * Encode `bytes` bytes of text (any bytes; invalid UTF-8 is kept byte by byte where the vocabulary
 * can) into ids[0..capacity). *count is the number of ids; TRUENO_USAGE when capacity is too small,
 * TRUENO_CONTENT when an expression of a tokenizer.json passes its limits on this text.
 * Order: added tokens are cut out first (leftmost, longest), what is between is normalised,
 * pre-tokenised into words, and each word merged. Linear in the input, n log n in one word.
 * Source: Hugging Face's tokenizers, whose ids these are.
 */
TRUENO_API trueno_status realizar_tokenizer_encode(const realizar_tokenizer *tokenizer,
                                                   const char *text, size_t bytes, unsigned flags,
                                                   int32_t *ids, size_t capacity, size_t *count,
                                                   trueno_error *err);

/** Bytes [begin, end) of a text. */
typedef struct realizar_text_span {
    size_t begin, end;
} realizar_text_span;

/**
 * As realizar_tokenizer_encode(), with the places that a user wrote: user[0..n_user), in order and
 * apart. A special token is taken only where none of its bytes lies in such a span, so that a
 * user's text, pasted into a template's, never becomes one; in all else the text is read as a
 * whole, and the ids are those of the plain call when the user wrote no special token. (Added
 * tokens that the vocabulary does not call special are words like others and are taken everywhere.)
 * TRUENO_USAGE when spans overlap, are unsorted, or reach past the text.
 */
TRUENO_API trueno_status realizar_tokenizer_encode_spans(const realizar_tokenizer *tokenizer,
                                                         const char *text, size_t bytes,
                                                         const realizar_text_span *user,
                                                         size_t n_user, unsigned flags,
                                                         int32_t *ids, size_t capacity,
                                                         size_t *count, trueno_error *err);

/**
 * The bytes that token `id` stands for in running text (borrowed, NOT NUL-terminated): decoded, so
 * that concatenating them gives the text. Control tokens give no bytes unless `special`.
 * {NULL, 0} for ids outside the vocabulary.
 */
TRUENO_API apr_text realizar_tokenizer_piece(const realizar_tokenizer *tokenizer, int32_t id,
                                             bool special);

/**
 * Decode ids to bytes in out[0..capacity); returns the bytes needed (may exceed capacity). A
 * SentencePiece text loses the space that encoding put before it when `ids` begin a text.
 */
TRUENO_API size_t realizar_tokenizer_decode(const realizar_tokenizer *tokenizer, const int32_t *ids,
                                            size_t count, bool special, char *out, size_t capacity);

/** The id of the token of exactly this text (as the vocabulary writes it), or -1. */
TRUENO_API int32_t realizar_tokenizer_find(const realizar_tokenizer *tokenizer, const char *text,
                                           size_t bytes);

/** True when sampling must never choose `id`: outside the vocabulary, or marked unused. */
TRUENO_API bool realizar_tokenizer_is_unused(const realizar_tokenizer *tokenizer, int32_t id);

/** True when `id` ends a turn. */
TRUENO_API bool realizar_tokenizer_is_end(const realizar_tokenizer *tokenizer, int32_t id);

/** The vocabulary it was built over. */
TRUENO_API const apr_vocab *realizar_tokenizer_vocab(const realizar_tokenizer *tokenizer);

#ifdef __cplusplus
}
#endif
#endif
