/* SPDX-License-Identifier: MIT */
/* Pre-tokenisers that both GGUF (by a name) and tokenizer.json (by a pipeline) can say. */
#ifndef APR_PRE_ROWS_H
#define APR_PRE_ROWS_H

#include <apr/vocab.h>

typedef struct apr_pre_row {
    const char *pre;     /* tokenizer.ggml.pre */
    const char *pattern; /* of the one Split; NULL: none, ByteLevel's own expression */
    bool digits;         /* a Digits step, each digit alone */
    bool nfc;
} apr_pre_row;

/* The row of a GGUF name, or NULL. */
const apr_pre_row *apr_pre_find(const char *pre);

/* The row whose pipeline the vocabulary's steps are, or NULL. */
const apr_pre_row *apr_pre_of_steps(const apr_vocab *v);

#endif
