/* SPDX-License-Identifier: MIT */
/* What each tensor of an output file is made of, and making it row by row. */
#ifndef APR_PLAN_H
#define APR_PLAN_H

#include "model_private.h"
#include "output.h"
#include <apr/convert.h>

/* One tensor of the output. */
typedef struct apr_planned {
    const char *name;
    trueno_type type;
    int32_t n_dims;
    int64_t dims[4];
    uint64_t bytes;
    uint64_t offset;                /* relative to the output's data, by apr_plan_place() */
    const apr_tensor *const *parts; /* put one behind the other: experts of a stack */
    int32_t n_parts;
    const float *values;         /* instead of parts: F32 values of the plan's own */
    int32_t role, layer, expert; /* expert: of one that is a tensor of its own, else -1 */
    float add;                   /* to every weight */
    int32_t heads;               /* rows are reordered within each of so many heads; 0: not */
    bool to_norm;                /* from split halves to adjacent pairs, else the other way */
    bool packed; /* compressed in the output, where it takes stored_bytes; with apr_plan_write() */
    uint64_t stored_bytes;
} apr_planned;

/* What the target format asks of tensors. */
typedef struct apr_plan_target {
    apr_role_names names;
    int32_t rope_type;        /* order of Q and K rows; -1: as it is */
    float norm_weight_offset; /* -1: as it is */
    bool stack_experts;       /* GGUF: a layer's experts in one tensor */
    bool split_experts;       /* Hugging Face: a tensor for each expert */
    bool vectors_f32;         /* GGUF readers want one-dimensional tensors so */
    bool floats_only;         /* SafeTensors: no quantised types */
    bool config_has_rope;     /* tables of RoPE factors are said by the config */
} apr_plan_target;

typedef struct apr_plan {
    trueno_arena arena;
    apr_config config; /* of the output */
    apr_plan_target target;
    apr_planned *tensors;
    size_t n;
    size_t alignment; /* of each tensor in the output, by apr_plan_place() */
} apr_plan;

/*
 * Plan the tensors of `m` for a target, types by options->mix. Free with
 * trueno_arena_free(&plan->arena).
 */
trueno_status apr_plan_make(apr_plan *plan, const apr_model *m, const apr_plan_target *target,
                            const apr_convert_options *options, trueno_error *err);

/* Sort `n` of the tensors, from `first` on, by name. */
trueno_status apr_plan_sort(apr_plan *plan, size_t first, size_t n, trueno_error *err);

/* Offsets in order, each a multiple of `alignment`; the end of the last is the result. */
uint64_t apr_plan_place(apr_plan *plan, size_t alignment);

/*
 * Write every tensor at its place, counted from the output's current offset; finite or refused.
 * With options->compress, those of a few kilobytes or more that shrink are compressed, and places
 * become those that are then found. Works on options->pool, which must not be NULL.
 */
trueno_status apr_plan_write(apr_plan *plan, const apr_model *m, apr_output *out,
                             const apr_convert_options *options, trueno_error *err);

/* True for tensors that apr_plan_write() may compress. */
bool apr_planned_may_pack(const apr_planned *p);

/* A tensor of the plan's own values. */
trueno_status apr_plan_add_values(apr_plan *plan, const char *name, const float *values, int32_t n,
                                  trueno_error *err);

/* True for norms' weights, which the offset of a format is added to. */
bool apr_role_is_norm(int32_t role);

/* A role's name in a format, "" when it has none; NUL-terminated in out[0..capacity). */
void apr_role_tensor_name(const apr_model *m, int32_t role, int32_t layer, int32_t expert,
                          apr_role_names names, char *out, size_t capacity);

#endif
