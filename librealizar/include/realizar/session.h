/* SPDX-License-Identifier: MIT */
/**
 * @file session.h  One timeline over an engine: tokens, their keys and values, the last logits.
 *
 * A session is used by one thread at a time; different sessions by different threads at once.
 * realizar_session_cancel() may be called from any thread.
 */
#ifndef REALIZAR_SESSION_H
#define REALIZAR_SESSION_H

#include <realizar/engine.h>
#include <realizar/sampler.h>
#include <realizar/stages.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct realizar_session realizar_session;

/**
 * A new, empty timeline of at most `context` positions (0: the engine's). Free it with
 * realizar_session_free() before the engine is closed. TRUENO_USAGE for more than the engine
 * allows, TRUENO_NO_MEMORY. Any thread: waits while a step is computed.
 */
TRUENO_API trueno_status realizar_session_new(realizar_session **out, realizar_engine *engine,
                                              int32_t context, trueno_error *err);

/** Free it; NULL is fine. Waits while a step is computed. */
TRUENO_API void realizar_session_free(realizar_session *session);

/** The engine it belongs to. */
TRUENO_API realizar_engine *realizar_session_engine(const realizar_session *session);

/** Positions computed so far, and their tokens (borrowed until the next call that changes them; -1:
 *  one that realizar_step_ahead() computed and nobody has asked for). */
TRUENO_API int32_t realizar_session_length(const realizar_session *session);
TRUENO_API const int32_t *realizar_session_tokens(const realizar_session *session);

/** Positions it may have. */
TRUENO_API int32_t realizar_session_context(const realizar_session *session);

/** Committed bytes of keys and values. */
TRUENO_API size_t realizar_session_kv_bytes(const realizar_session *session);

/**
 * Make the timeline equal to tokens[0..count): the common prefix is kept, the rest recomputed, and
 * the logits are those after the last token (which is computed again when nothing else is new).
 * *reused (may be NULL) is how many positions were kept. TRUENO_USAGE when count is 0, exceeds the
 * context, or an id is outside the vocabulary; TRUENO_CANCELLED leaves what was computed in place;
 * else as realizar_step().
 */
TRUENO_API trueno_status realizar_session_sync(realizar_session *session, const int32_t *tokens,
                                               int32_t count, int32_t *reused, trueno_error *err);

/** Add tokens [count] at the end and compute them; the logits are those after the last. Errors:
 * those of realizar_step(). */
TRUENO_API trueno_status realizar_session_append(realizar_session *session, const int32_t *tokens,
                                                 int32_t count, trueno_error *err);

/** Forget all positions from `length` on (a `length` outside the timeline: nothing). The logits
 * become unknown until the next append or sync. */
TRUENO_API void realizar_session_rewind(realizar_session *session, int32_t length);

/** Logits after the last token, [vocab_size], valid until the next computation; NULL before the
 * first. */
TRUENO_API const float *realizar_session_logits(const realizar_session *session);

/** Stop the computation under way, or the next one, with TRUENO_CANCELLED. Any thread, and safe in
 *  a signal handler. */
TRUENO_API void realizar_session_cancel(realizar_session *session);

/** Watch this session's steps; they are then computed apart from others'. NULL: stop watching. */
TRUENO_API void realizar_session_watch(realizar_session *session, const realizar_watch *watch);

/** Which rows of an item give results. */
typedef enum realizar_rows_wanted {
    REALIZAR_ROWS_NONE = 0,
    REALIZAR_ROWS_LAST = 1,
    REALIZAR_ROWS_ALL = 2
} realizar_rows_wanted;

/** New tokens for one session in a step. */
typedef struct realizar_step_item {
    realizar_session *session; /**< each session at most once in a step */
    const int32_t *tokens;
    int32_t count;
    realizar_rows_wanted wanted;
    float *logits; /**< [wanted rows, vocab_size], the caller's; NULL: only the session's own last
                      row */
    float
        *hidden; /**< [wanted rows, hidden_size]: the final norm's output, the caller's; or NULL */
    /** Choose a token after the last row (`wanted` LAST or ALL) into *chosen, where the backend can
     *  by the backend: the session's own logits are then unknown. NULL: none is chosen. */
    realizar_sampler *sampler;
    realizar_candidate *chosen;
} realizar_step_item;

/**
 * The primitive: compute the items' tokens as one list of rows, in chunks of the engine's
 * step_rows, and append them to their sessions. A row's result does not depend on the other rows.
 * All sessions belong to `engine`. On an error no session is changed except by chunks that were
 * complete. Any thread, several at once: their rows are computed together.
 *
 * TRUENO_USAGE: an item without tokens, an id outside the vocabulary, more positions than a context
 * has, a session twice or of another engine, or a forked child of the process that opened the
 * engine; TRUENO_CANCELLED; TRUENO_NO_MEMORY; TRUENO_INFERENCE or TRUENO_NO_DEVICE: the backend
 * failed.
 */
TRUENO_API trueno_status realizar_step(realizar_engine *engine, const realizar_step_item *items,
                                       int32_t n_items, trueno_error *err);

/** Instead of a token, alone in an item of realizar_step_ahead(): the one that was chosen behind
 * the session's last row and has not been asked for. */
#define REALIZAR_TOKEN_CHOSEN (-1)

/**
 * As realizar_step(), without waiting for the tokens that a GPU chooses: `chosen` of the items is
 * not used, realizar_session_chosen() gives each session's tokens in order. With
 * REALIZAR_TOKEN_CHOSEN the next step begins before the tokens of this one are known, and the
 * device does not wait for what the caller does between two steps. A GPU follows temperature 0 or a
 * top_k of 1 to 256, up to 16 biases, penalties over up to 64 tokens. With other settings, on other
 * backends and for a watched session the token is chosen before this returns; what a caller does is
 * the same. A session may have two tokens that are chosen and not asked for.
 *
 * Any other computation of the session forgets them, and so does realizar_session_rewind() with
 * what it forgets; one that has been computed stays in the timeline.
 * When it fails for some sessions, a cancelled one say, the tokens of those whose rows were all
 * computed can be asked for.
 * Errors besides those of realizar_step(): TRUENO_USAGE for a third token of a session and for
 * REALIZAR_TOKEN_CHOSEN where there is none. A failure of the device may be told by a later call.
 */
TRUENO_API trueno_status realizar_step_ahead(realizar_engine *engine,
                                             const realizar_step_item *items, int32_t n_items,
                                             trueno_error *err);

/**
 * Wait for the token chosen behind a row of realizar_step_ahead(), the oldest that has not been
 * asked for. TRUENO_USAGE when there is none; TRUENO_INFERENCE when the logits are not finite or
 * every token is forbidden; TRUENO_NO_DEVICE or TRUENO_INFERENCE when the backend failed: the
 * positions from the token on are then forgotten. The thread rule is the session's.
 */
TRUENO_API trueno_status realizar_session_chosen(realizar_session *session, realizar_candidate *out,
                                                 trueno_error *err);

#ifdef __cplusplus
}
#endif
#endif
