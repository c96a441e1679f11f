/* SPDX-License-Identifier: MIT */
/* What all readers do with a vocabulary once they have its parts. */
#ifndef APR_VOCAB_READ_H
#define APR_VOCAB_READ_H

#include "model_private.h"

/* Set every optional id to "none". */
void apr_vocab_init(apr_vocab *v);

/*
 * Check every special id against n_tokens, and complete eos_ids[]: the end-of-text token, the
 * end-of-turn token, and those control tokens whose text is known to end a turn.
 */
trueno_status apr_vocab_finish(apr_model *m, trueno_error *err);

/* Add an id that ends a turn, once; ids beyond the array's room are dropped. */
void apr_vocab_add_end(apr_vocab *v, int32_t id);

#endif
