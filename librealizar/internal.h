/* SPDX-License-Identifier: MIT */
/* The engine's and the session's insides, shared by the files of librealizar. */
#ifndef REALIZAR_INTERNAL_H
#define REALIZAR_INTERNAL_H

#include "archs.h"

#include <pthread.h>
#include <realizar/chat.h>
#include <realizar/sampler.h>
#include <realizar/session.h>
#include <stdatomic.h>
#include <sys/types.h>
#include <trueno/sys/arena.h>

/* One layer's weights by role, bound and checked. NULL members do not exist in this architecture.
 */
typedef struct layer_weights {
    trueno_norm attn_norm, attn_post_norm, ffn_norm, ffn_post_norm; /* width 0: absent */
    trueno_attention attention;
    trueno_weight *qkv, *attn_out;
    float *qkv_bias, *attn_out_bias;
    trueno_weight *gate_up, *down; /* or `up` alone, not gated */
    float *gate_up_bias, *down_bias;
    trueno_weight *router, **expert_gate_up, **expert_down;      /* [n_experts] */
    trueno_weight *shared_router, *shared_gate_up, *shared_down; /* the expert of every row */
    uint64_t qkv_bytes, attn_out_bytes, ffn_bytes;               /* read for one row */
} layer_weights;

typedef struct model_weights {
    trueno_weight *embedding, *output; /* equal when tied */
    float *output_bias;
    trueno_norm output_norm;
    layer_weights *layer;
    float *rope_frequencies, *rope_local_frequencies; /* host, [n_rot / 2] */
    float rope_magnitude;
    uint64_t embedding_bytes, output_bytes;
} model_weights;

/* Row arrays of the forward pass, in the backend's memory, for `rows` rows. */
typedef struct activations {
    int32_t rows, logit_rows;
    float *x, *h, *qkv, *attn, *gate_up, *ff;
    float *last, *logits;
} activations;

/* Results are computed in groups of rows, so that logits of a whole text need no huge array. */
enum { LOGIT_GROUP = 64 };

struct step_request;
typedef struct step_plan step_plan;

struct realizar_engine {
    apr_model *model;
    const apr_config *config;
    const architecture *arch;
    realizar_tokenizer *tokenizer;
    trueno_backend *backend;
    model_weights weights;
    void *forbidden; /* with choose(): device [vocab_rows], ids that are no tokens; NULL: none */
    int32_t context, step_rows, vocab_rows;
    trueno_kv_type kv_type;
    const trueno_allocator *allocator;
    trueno_log log;
    pid_t process;      /* that opened it: a fork has none of the pool's threads */
    trueno_arena arena; /* dies with the engine */

    /* Everything below is guarded by `lock`; the backend belongs to the thread that leads. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct step_request *first, *last;
    bool leading;
    step_plan *plan;
    activations a;
};

/* A choice and the recent tokens that it points at. */
typedef struct choice_memory {
    trueno_choice choice;
    int32_t recent[TRUENO_MOST_RECENT];
} choice_memory;

/* A token chosen behind a session's last row, until somebody asks for it. */
typedef struct pending_choice {
    choice_memory memory; /* of the backend's choice */
    realizar_candidate chosen;
    bool known; /* `chosen` is */
    int32_t at; /* position of the token */
} pending_choice;

enum { MOST_PENDING = 2 };

struct realizar_session {
    realizar_engine *engine;
    trueno_kv *kv;
    int32_t *tokens; /* [context] */
    int32_t length, context;
    float *logits; /* [vocab_rows], after the last token */
    bool has_logits;
    atomic_bool cancelled;
    realizar_watch watch; /* fn NULL: nobody */
    pending_choice pending[MOST_PENDING];
    int32_t first_pending, n_pending;
    trueno_choice *asked; /* for the step that is being computed, of the backend; NULL: none */
};

/* A span's session rows in one forward pass, and which of them give results. */
typedef struct forward_span {
    realizar_session *session;
    int32_t first_row, n_rows;
    realizar_rows_wanted wanted;
    float *logits, *hidden; /* host, rows in order; NULL: not asked */
    float *last_logits;     /* host, of the last row, besides `logits`; NULL: not asked */
    trueno_choice *choice;  /* of a token after the last row; NULL: none */
} forward_span;

typedef struct forward_rows {
    trueno_rows rows;
    forward_span *spans;        /* [rows.n_spans] */
    const int32_t *wanted_rows; /* [n_wanted], step rows in order */
    int32_t n_wanted;
    bool leave;                  /* do not wait for what choices were queued for */
    const realizar_watch *watch; /* NULL: nobody watches; else there is one span */
} forward_rows;

/* bind.c: roles to weights; shapes proven. The engine's backend, config and arch are set. */
trueno_status bind_weights(realizar_engine *e, trueno_error *err);
void unbind_weights(realizar_engine *e);

/* rope.c: inverse frequencies of the model (and of its local layers) and the magnitude. */
trueno_status rope_prepare(realizar_engine *e, trueno_error *err);

/* forward.c: compute the rows of one step; TRUENO_CANCELLED when a session of it was cancelled. */
trueno_status forward_compute(realizar_engine *e, const forward_rows *step, trueno_error *err);

/* buffers.c: make room for `rows` rows and `wanted` results. */
trueno_status activations_reserve(realizar_engine *e, int32_t rows, int32_t wanted,
                                  trueno_error *err);
void activations_free(realizar_engine *e);

/* step.c: memory for putting steps together; then compute items, gathered with other callers', and
 * queue the choices that their sessions ask the backend for. leave: the step may still be under way
 * on return. */
trueno_status step_prepare(realizar_engine *e, trueno_error *err);
trueno_status step_compute(realizar_engine *e, const realizar_step_item *items, int32_t n_items,
                           bool leave, trueno_error *err);

/* session_step.c: forget chosen tokens that have not been computed. */
void session_forget_choices(realizar_session *s);

/* choice.c: the marks of ids that are no tokens, in the backend's memory. */
trueno_status choice_prepare(realizar_engine *e, trueno_error *err);
/* Can the sampler's settings be followed on the device? */
bool choice_possible(const realizar_engine *e, const realizar_sampler *sampler);
/* Draw for the token after the session's tokens and `tokens` (TRUENO_TOKEN_CHOSEN alone: the one
 * that is being chosen). The choice points into `memory`, the session and the sampler. */
void choice_make(const realizar_session *s, realizar_sampler *sampler, const int32_t *tokens,
                 int32_t count, choice_memory *memory);
/* Wait for the result. */
trueno_status choice_result(const realizar_session *s, const trueno_choice *choice,
                            realizar_candidate *out, trueno_error *err);

/* sampler.c */
const realizar_sampling *sampler_settings(const realizar_sampler *sampler);
double sampler_random(realizar_sampler *sampler);

/* chat_template.c: what the template's memory comes from; NULL: the default allocator. */
const trueno_allocator *template_allocator(const realizar_template *t);

#endif
