/* SPDX-License-Identifier: MIT */
/*
 * text_generator.h: texts of many kinds for the tokenizer's tests, the same on every machine.
 *
 * Expected ids are recorded as hashes over these texts (tests/data/tokenizer), so a change here
 * means recording them again: tests/references/tokenizer_ids.py.
 */
#ifndef TEXT_GENERATOR_H
#define TEXT_GENERATOR_H

#include <stddef.h>
#include <stdint.h>

typedef enum text_kind {
    TEXT_CODE,
    TEXT_PROSE,
    TEXT_CHINESE,
    TEXT_EMOJI,
    TEXT_CONTROL, /* control characters, line ends and spaces of every sort */
    TEXT_RUNS,    /* long runs of one character */
    TEXT_UNICODE, /* any code points assigned in Unicode 14 */
    TEXT_STRINGS, /* short random strings, one a line: see text_string() */
    TEXT_KINDS
} text_kind;

extern const char *const text_kind_names[TEXT_KINDS];

/* SplitMix64. */
typedef struct text_random {
    uint64_t state;
} text_random;
uint64_t text_next(text_random *random);
/* 0 to n - 1. */
uint32_t text_below(text_random *random, uint32_t n);

/* Room that text_chunk() needs behind the bytes asked for. */
#define TEXT_SLACK 4096

/*
 * Chunk number `index` of a kind: valid UTF-8 of about `bytes` bytes (never fewer, at most
 * TEXT_SLACK more) in out. Returns how many.
 */
size_t text_chunk(text_kind kind, uint64_t index, size_t bytes, char *out);

/* One short random string of 0 to 48 characters, of all kinds mixed; returns its bytes (<= 2048).
 */
size_t text_string(text_random *random, char *out);

#endif
