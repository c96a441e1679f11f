/* SPDX-License-Identifier: MIT */
/* The packed layout of each weight type: one row a type. */
#include "packed_format.h"

#include "blocks.h"

#define AT(type, field) offsetof(block_##type, field)
#define DWORDS(from, n)          \
    {                            \
        PIECE_DWORDS, n, from, 0 \
    }
#define BITS(from)             \
    {                          \
        PIECE_BITS, 1, from, 0 \
    }
#define WORDS(n, from, next)       \
    {                              \
        PIECE_WORDS, n, from, next \
    }
#define WORD(from)             \
    {                          \
        PIECE_WORD, 1, from, 0 \
    }

/* The second of two blocks in a unit begins where the first ends. */
#define NEXT(type, field) (sizeof(block_##type) + AT(type, field))

static const packed_format FORMATS[TRUENO_TYPE_LIMIT] = {
    [TRUENO_F32] = {16, 16, 16, 0, false, true, {DWORDS(0, 16)}},
    [TRUENO_F16] = {16, 16, 8, 0, false, true, {WORDS(8, 0, 2)}},
    [TRUENO_BF16] = {16, 16, 8, 0, false, true, {DWORDS(0, 8)}},
    [TRUENO_Q4_0] = {64,
                     2,
                     9,
                     32,
                     false,
                     true,
                     {WORDS(1, AT(q4_0, d), NEXT(q4_0, d)), DWORDS(AT(q4_0, qs), 4),
                      DWORDS(NEXT(q4_0, qs), 4)}},
    [TRUENO_Q4_1] =
        {32, 1, 5, 32, true, false, {WORDS(1, AT(q4_1, d), AT(q4_1, m)), DWORDS(AT(q4_1, qs), 4)}},
    [TRUENO_Q5_0] = {64,
                     2,
                     11,
                     32,
                     false,
                     true,
                     {WORDS(1, AT(q5_0, d), NEXT(q5_0, d)), BITS(AT(q5_0, qh)),
                      BITS(NEXT(q5_0, qh)), DWORDS(AT(q5_0, qs), 4), DWORDS(NEXT(q5_0, qs), 4)}},
    [TRUENO_Q5_1] = {32,
                     1,
                     6,
                     32,
                     true,
                     false,
                     {WORDS(1, AT(q5_1, d), AT(q5_1, m)), BITS(AT(q5_1, qh)),
                      DWORDS(AT(q5_1, qs), 4)}},
    [TRUENO_Q8_0] = {64,
                     2,
                     17,
                     32,
                     false,
                     true,
                     {WORDS(1, AT(q8_0, d), NEXT(q8_0, d)), DWORDS(AT(q8_0, qs), 8),
                      DWORDS(NEXT(q8_0, qs), 8)}},
    [TRUENO_Q2_K] = {256,
                     1,
                     21,
                     16,
                     true,
                     false,
                     {WORDS(1, AT(q2_k, d), AT(q2_k, dmin)), DWORDS(AT(q2_k, scales), 4),
                      DWORDS(AT(q2_k, qs), 16)}},
    [TRUENO_Q3_K] = {256,
                     1,
                     28,
                     16,
                     false,
                     true,
                     {WORD(AT(q3_k, d)), DWORDS(AT(q3_k, scales), 3), DWORDS(AT(q3_k, hmask), 8),
                      DWORDS(AT(q3_k, qs), 16)}},
    [TRUENO_Q4_K] = {256,
                     1,
                     36,
                     32,
                     true,
                     false,
                     {WORDS(1, AT(q4_k, d), AT(q4_k, dmin)), DWORDS(AT(q4_k, scales), 3),
                      DWORDS(AT(q4_k, qs), 32)}},
    [TRUENO_Q5_K] = {256,
                     1,
                     44,
                     32,
                     true,
                     false,
                     {WORDS(1, AT(q5_k, d), AT(q5_k, dmin)), DWORDS(AT(q5_k, scales), 3),
                      DWORDS(AT(q5_k, qh), 8), DWORDS(AT(q5_k, qs), 32)}},
    [TRUENO_Q6_K] = {256,
                     1,
                     53,
                     16,
                     false,
                     true,
                     {WORD(AT(q6_k, d)), DWORDS(AT(q6_k, scales), 4), DWORDS(AT(q6_k, ql), 32),
                      DWORDS(AT(q6_k, qh), 16)}},
    [TRUENO_IQ4_NL] = {64,
                       2,
                       9,
                       32,
                       false,
                       true,
                       {WORDS(1, AT(iq4_nl, d), NEXT(iq4_nl, d)), DWORDS(AT(iq4_nl, qs), 4),
                        DWORDS(NEXT(iq4_nl, qs), 4)}},
    [TRUENO_IQ4_XS] = {256,
                       1,
                       34,
                       32,
                       false,
                       true,
                       {WORDS(1, AT(iq4_xs, d), AT(iq4_xs, scales_h)),
                        DWORDS(AT(iq4_xs, scales_l), 1), DWORDS(AT(iq4_xs, qs), 32)}},
};

const packed_format *packed_format_get(int64_t type)
{
    if (type < 0 || type >= TRUENO_TYPE_LIMIT || FORMATS[type].lines == 0)
        return NULL;
    return &FORMATS[type];
}
