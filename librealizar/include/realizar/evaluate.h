/* SPDX-License-Identifier: MIT */
/**
 * @file evaluate.h  What a model says about a given text: an embedding, and how likely it is.
 *
 * Both compute on an empty or used session, which is rewound to nothing first and holds the text
 * afterwards. Thread rule: as the session. realizar_session_cancel() stops them.
 */
#ifndef REALIZAR_EVALUATE_H
#define REALIZAR_EVALUATE_H

#include <realizar/session.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The text's embedding: the mean over all tokens of the final norm's output, scaled to length 1.
 *
 * tokens     [count]        at least one
 * embedding  [hidden_size]  written whole; zeros when the mean is zero
 *
 * Sums are double. Errors: those of realizar_step(); TRUENO_NO_MEMORY.
 */
TRUENO_API trueno_status realizar_embed(realizar_session *session, const int32_t *tokens,
                                        int32_t count, float *embedding, trueno_error *err);

/**
 * How likely each token is after those before it.
 *
 * tokens             [count]      at least two
 * log_probabilities  [count - 1]  natural logs; entry i is of tokens[i + 1] given tokens[0..i]
 *
 * Of the model's own distribution over all its logits, summed in double. Errors: those of
 * realizar_step(); TRUENO_NO_MEMORY.
 */
TRUENO_API trueno_status realizar_score(realizar_session *session, const int32_t *tokens,
                                        int32_t count, float *log_probabilities, trueno_error *err);

#ifdef __cplusplus
}
#endif
#endif
