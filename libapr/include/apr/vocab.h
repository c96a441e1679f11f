/* SPDX-License-Identifier: MIT */
/** @file vocab.h  A vocabulary and its rules as a file carries them; the tokenizer is in
 * librealizar. */
#ifndef APR_VOCAB_H
#define APR_VOCAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <trueno/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum apr_vocab_kind {
    APR_VOCAB_BPE = 0,  /**< merges over pieces: byte-level ("gpt2"), or with byte fallback */
    APR_VOCAB_SPM = 1,  /**< SentencePiece BPE: merges by score ("llama") */
    APR_VOCAB_OTHER = 2 /**< a kind that can be listed but not tokenised with; `model` names it */
} apr_vocab_kind;

/** GGUF's token types. */
typedef enum apr_token_type {
    APR_TOKEN_NORMAL = 1,
    APR_TOKEN_UNKNOWN = 2,
    APR_TOKEN_CONTROL = 3, /**< special: never shown, never made from a user's text */
    APR_TOKEN_USER_DEFINED = 4,
    APR_TOKEN_UNUSED = 5, /**< never sampled */
    APR_TOKEN_BYTE = 6
} apr_token_type;

/** Flags of an added token (tokenizer.json). GGUF readers derive them from the token type. */
enum {
    APR_ADDED = 1 << 0, /**< cut out of the text before pre-tokenisation */
    APR_ADDED_SPECIAL = 1 << 1,
    APR_ADDED_LSTRIP = 1 << 2,
    APR_ADDED_RSTRIP = 1 << 3,
    APR_ADDED_SINGLE_WORD = 1 << 4,
    APR_ADDED_NORMALIZED = 1 << 5
};

/** One step of normalisation or pre-tokenisation, in order (from tokenizer.json). */
typedef enum apr_text_step_kind {
    APR_STEP_NFC,
    APR_STEP_NFD,
    APR_STEP_NFKC,
    APR_STEP_NFKD,
    APR_STEP_LOWERCASE,
    APR_STEP_STRIP,       /**< flag bits 0: left, 1: right */
    APR_STEP_PREPEND,     /**< `text` before a non-empty input */
    APR_STEP_REPLACE,     /**< `pattern` (a regular expression when `regex`) by `text` */
    APR_STEP_SPLIT,       /**< `pattern`, `behavior`, `invert` */
    APR_STEP_DIGITS,      /**< flag bit 0: individual digits */
    APR_STEP_PUNCTUATION, /**< `behavior` */
    APR_STEP_WHITESPACE,
    APR_STEP_METASPACE, /**< `text` replacement; flag bits 0: prepend always, 1: first only, 2:
                           split */
    APR_STEP_BYTE_LEVEL /**< flag bits 0: add_prefix_space, 1: use the GPT-2 expression */
} apr_text_step_kind;

typedef enum apr_split_behavior {
    APR_SPLIT_REMOVED,
    APR_SPLIT_ISOLATED,
    APR_SPLIT_MERGED_PREVIOUS,
    APR_SPLIT_MERGED_NEXT,
    APR_SPLIT_CONTIGUOUS
} apr_split_behavior;

typedef struct apr_text_step {
    apr_text_step_kind kind;
    bool normalizer; /**< part of the normaliser, else of the pre-tokeniser */
    bool regex, invert;
    apr_split_behavior behavior;
    uint32_t flags;
    const char *pattern, *text; /**< NUL-terminated, or NULL */
} apr_text_step;

/** A length-counted piece of bytes: tokens may hold any byte. */
typedef struct apr_text {
    const char *data;
    uint32_t length;
} apr_text;

/**
 * A vocabulary. Arrays have n_tokens entries unless said, and live as long as the model. Token
 * texts are as in the file: byte-level tokens in GPT-2's printable alphabet, SentencePiece ones
 * with U+2581 for the space and <0xNN> bytes. Ids are in range: checked by the reader.
 */
typedef struct apr_vocab {
    apr_vocab_kind kind;
    const char *model; /**< the file's own word for the kind: "gpt2", "llama", "bert" */
    int32_t n_tokens;
    const apr_text *tokens;
    const float *scores;  /**< SPM; NULL if absent */
    const uint8_t *types; /**< apr_token_type */
    const uint8_t *flags; /**< APR_ADDED... bits */
    int32_t n_merges;
    const apr_text *merges; /**< "left right" in rank order, as GGUF has them; or NULL */
    const apr_text (
        *merge_pairs)[2]; /**< the same as pairs (tokenizer.json's newer form); or NULL */

    const char *pre; /**< GGUF's tokenizer.ggml.pre, or NULL; resolved by librealizar's table */
    int32_t n_steps;
    const apr_text_step *steps; /**< explicit pipeline from tokenizer.json; n_steps 0: use `pre` */
    bool byte_level, byte_fallback, ignore_merges, fuse_unknown;
    bool add_space_prefix; /**< SPM: a space is put before the text */
    bool remove_extra_whitespace;

    int32_t bos, eos, unk, pad, eot; /**< -1: none */
    bool add_bos, add_eos;
    int32_t n_eos;
    int32_t eos_ids[8]; /**< every id that ends a turn, from config and generation config */
} apr_vocab;

#ifdef __cplusplus
}
#endif
#endif
