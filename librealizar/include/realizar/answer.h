/* SPDX-License-Identifier: MIT */
/** @file answer.h  One question, one answer: the shortest way through the library. */
#ifndef REALIZAR_ANSWER_H
#define REALIZAR_ANSWER_H

#include <realizar/generate.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Receives the pieces of an answer as they come, on the calling thread; false ends the answer. */
typedef bool (*realizar_piece_fn)(void *user, const realizar_piece *piece);

/**
 * Answer one question: NUL-terminated UTF-8, put through the model's own chat template (raw text
 * for a model without one), in a session of its own. `each` gets every piece with `user`; options
 * NULL: the model's own defaults. Returns TRUENO_OK when the model ended, max_tokens came, or
 * `each` said false; else the errors of realizar_encode_question(), realizar_session_new(),
 * realizar_generation_start() and realizar_generation_next(). Any thread, many at once.
 */
TRUENO_API trueno_status realizar_answer(realizar_engine *engine, const char *question,
                                         const realizar_generation_options *options,
                                         realizar_piece_fn each, void *user, trueno_error *err);

#ifdef __cplusplus
}
#endif
#endif
