/* SPDX-License-Identifier: MIT */
/**
 * @file stages.h  The ten stages from text to token, and the one hook for everything that watches.
 *
 * `apr check`, `--trace`, `--verbose` and the server's trace header are listeners of the same
 * events. Without a listener a stage costs one predictable branch.
 */
#ifndef REALIZAR_STAGES_H
#define REALIZAR_STAGES_H

#include <apr/roles.h>
#include <stddef.h>
#include <stdint.h>
#include <trueno/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The stages, numbered as in the documents (norm is 7, position 3); events come as executed. */
typedef enum realizar_stage {
    REALIZAR_STAGE_TOKENIZER = 1,
    REALIZAR_STAGE_EMBEDDING = 2,
    REALIZAR_STAGE_POSITION = 3,
    REALIZAR_STAGE_QKV = 4,
    REALIZAR_STAGE_ATTENTION = 5,
    REALIZAR_STAGE_FFN = 6,
    REALIZAR_STAGE_NORM = 7,
    REALIZAR_STAGE_LM_HEAD = 8,
    REALIZAR_STAGE_PROBABILITIES = 9,
    REALIZAR_STAGE_SAMPLER = 10,
    REALIZAR_STAGE_COUNT = 10
} realizar_stage;

/** One row of the stage table. */
typedef struct realizar_stage_info {
    realizar_stage stage;
    const char *key;     /**< "qkv": JSON and traces */
    const char *title;   /**< "Q/K/V Projection" */
    const char *meaning; /**< one plain line: "Make 3 question copies" */
} realizar_stage_info;

/** The row of a stage, NULL outside 1..10. */
TRUENO_API const realizar_stage_info *realizar_stage_get(int stage);

typedef enum realizar_event_kind {
    REALIZAR_STAGE_BEGIN,
    REALIZAR_STAGE_END,
    REALIZAR_PRODUCT_INPUT /**< the input rows of a matrix product, before it runs */
} realizar_event_kind;

/** What a listener asks for; zero gives begin and end events without data or extra waiting. */
enum {
    REALIZAR_WANT_TIME = 1 << 0,   /**< wait for the device at each end, so that times are real */
    REALIZAR_WANT_OUTPUT = 1 << 1, /**< `data` holds the stage's output rows */
    REALIZAR_WANT_ATTENTION = 1 << 2, /**< log_sum_exp and mean_score of every head */
    REALIZAR_WANT_INPUTS = 1 << 3     /**< product-input events */
};

/** One event. Pointers live during the callback only. */
typedef struct realizar_event {
    realizar_event_kind kind;
    realizar_stage stage;
    int32_t layer;          /**< -1 outside the layers */
    apr_role role;          /**< which norm or product: APR_ATTN_NORM, APR_FFN_DOWN... */
    int32_t first_position; /**< of the session's first row in this step */
    int32_t n_rows, width;  /**< rows of the watched session, floats in each row of `data` */
    uint64_t nanoseconds;   /**< END: since BEGIN, measured (0 without WANT_TIME) */
    uint64_t weight_bytes;  /**< END: bytes of weights that the stage reads */
    const float *data;      /**< host memory, [n_rows, width], or NULL */
    const float *log_sum_exp,
        *mean_score; /**< attention: host memory, [n_rows, n_heads], or NULL */
    int32_t expert;  /**< product inputs of one expert of a mixture: which; else -1 */
} realizar_event;

/** Called on the thread that computes the step, which waits: it may cancel, but must not compute or
 * free. */
typedef void (*realizar_watch_fn)(void *user, const realizar_event *event);

/** A listener. `wants` are REALIZAR_WANT bits. */
typedef struct realizar_watch {
    realizar_watch_fn fn;
    void *user;
    unsigned wants;
} realizar_watch;

#ifdef __cplusplus
}
#endif
#endif
