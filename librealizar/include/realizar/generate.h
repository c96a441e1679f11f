/* SPDX-License-Identifier: MIT */
/**
 * @file generate.h  From a prompt to text, a piece at a time.
 *
 *     realizar_generation *g;
 *     realizar_piece piece;
 *     if (realizar_generation_start(&g, session, ids, n, NULL, &err) == TRUENO_OK)
 *         while (realizar_generation_next(g, &piece, &err) == 1)
 *             fwrite(piece.text, 1, piece.bytes, stdout);
 *     realizar_generation_free(g);
 *
 * A generation is used by the thread that uses its session, which it borrows: free it first.
 */
#ifndef REALIZAR_GENERATE_H
#define REALIZAR_GENERATE_H

#include <realizar/sampler.h>
#include <realizar/session.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct realizar_generation realizar_generation;

typedef struct realizar_generation_options {
    size_t size;        /**< sizeof, as filled by realizar_generation_options_init() */
    int32_t max_tokens; /**< 0: until the turn ends or the context is full */
    realizar_sampling sampling;
    const char *const
        *stops; /**< n_stops NUL-terminated texts; copied. The text ends before them */
    int32_t n_stops;
    bool ignore_eos;   /**< end-of-turn tokens are never sampled and do not end the text */
    bool show_special; /**< control tokens appear in the text */
    /** Where the backend can choose tokens (a GPU), do not wait for one before computing the next;
     *  realizar_generation_top() then knows nothing. The tokens are the same. */
    bool run_ahead;
} realizar_generation_options;

/** Defaults, with the engine's model's own generation defaults in `sampling`; engine may be NULL.
 */
TRUENO_API void realizar_generation_options_init(realizar_generation_options *o, size_t size,
                                                 const realizar_engine *engine);

typedef enum realizar_finish {
    REALIZAR_RUNNING = 0,
    REALIZAR_FINISH_STOP = 1,      /**< the model ended its turn */
    REALIZAR_FINISH_LENGTH = 2,    /**< max_tokens, or the context is full */
    REALIZAR_FINISH_STOP_TEXT = 3, /**< a stop text came */
    REALIZAR_FINISH_CANCELLED = 4
} realizar_finish;

/** "stop", "length", "stop_text", "cancelled". */
TRUENO_API const char *realizar_finish_name(realizar_finish finish);

/** What one step gave. `text` lives until the next call, is not NUL-terminated, and is whole UTF-8
 *  characters as far as the tokens are; it may be empty while a character or stop text is open. */
typedef struct realizar_piece {
    const char *text;
    size_t bytes;
    int32_t id;            /**< the sampled token */
    float log_probability; /**< natural log, of the model's own distribution */
} realizar_piece;

/**
 * Compute the prompt ids[0..count) (keeping what the session has of them) and get ready to sample.
 * options NULL: defaults; texts and lists in it are copied. TRUENO_USAGE with both numbers when the
 * prompt does not fit the session's context, or for a setting out of its range; else as
 * realizar_session_sync(). On failure *out is NULL.
 */
TRUENO_API trueno_status realizar_generation_start(realizar_generation **out,
                                                   realizar_session *session, const int32_t *ids,
                                                   int32_t count,
                                                   const realizar_generation_options *options,
                                                   trueno_error *err);

/** 1: *piece is the next one; 0: finished; negative: a trueno_status, as of realizar_step() and
 *  realizar_sampler_choose(). Asked again after the end, it gives 0. */
TRUENO_API int realizar_generation_next(realizar_generation *g, realizar_piece *piece,
                                        trueno_error *err);

/** Why it ended, or REALIZAR_RUNNING. */
TRUENO_API realizar_finish realizar_generation_finish(const realizar_generation *g);

/** The sampled ids so far, the end-of-turn token included when it was sampled: borrowed until the
 * next call, [*count]. */
TRUENO_API const int32_t *realizar_generation_ids(const realizar_generation *g, int32_t *count);

/** The `n` most probable tokens at the last step, out [n]; returns how many: 0 when the token was
 * chosen by the backend. */
TRUENO_API int32_t realizar_generation_top(const realizar_generation *g, realizar_candidate *out,
                                           int32_t n);

/** Measured times of one generation. */
typedef struct realizar_timings {
    int32_t prompt_tokens, reused_tokens, completion_tokens;
    double prompt_ms;      /**< computing the prompt */
    double first_token_ms; /**< from start to the first sampled token */
    double decode_ms;      /**< from the first sampled token to the last */
} realizar_timings;

/** The times up to now. */
TRUENO_API void realizar_generation_timings(const realizar_generation *g, realizar_timings *out);

/** NULL is fine. The session keeps its timeline. */
TRUENO_API void realizar_generation_free(realizar_generation *g);

#ifdef __cplusplus
}
#endif
#endif
