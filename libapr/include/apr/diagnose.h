/* SPDX-License-Identifier: MIT */
/**
 * @file diagnose.h  What can go wrong when a model is converted, learned from real conversions.
 *
 * A diagnosis converts a model, damages copies of the results in the ways in which converters fail,
 * looks at each as a reader would, and fits the learners of learn.h to what it saw: how much a
 * weight type will change each tensor, which kind of damage a finding is, and what mends it.
 */
#ifndef APR_DIAGNOSE_H
#define APR_DIAGNOSE_H

#include <apr/model.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The kinds of damage. */
typedef enum apr_damage {
    APR_DAMAGE_SHAPE = 0, /**< a tensor has other dimensions */
    APR_DAMAGE_QUANT,     /**< blocks of a quantised tensor hold wrong scales or weights */
    APR_DAMAGE_DTYPE,     /**< a tensor is declared as another element type */
    APR_DAMAGE_LAYOUT,    /**< weights are right, in another order (column-major) */
    APR_DAMAGE_HEADER,    /**< the file's own header or its length is wrong */
    APR_DAMAGE_KINDS
} apr_damage;

/** "SHAPE_MISMATCH", "QUANT_ARTIFACT", "DTYPE_CORRUPT", "LAYOUT_GHOST", "HEADER_INVALID". Static.
 */
TRUENO_API const char *apr_damage_name(apr_damage kind);

/** What mends it, in a sentence. Static. */
TRUENO_API const char *apr_damage_fix(apr_damage kind);

typedef struct apr_diagnose_options {
    size_t size;        /**< sizeof, as filled by apr_diagnose_options_init() */
    uint64_t seed;      /**< of places and order of the damage; the same seed, the same diagnosis */
    int32_t trials;     /**< damaged copies of each kind: half to learn from, half to judge by */
    trueno_type type;   /**< the weight type whose errors are predicted, tensor by tensor */
    int32_t threads;    /**< 0: trueno_cpu_default_threads() */
    const char *folder; /**< for the converted files, removed again; NULL: $TMPDIR, else /tmp */
} apr_diagnose_options;

/** Defaults into *o (seed 1, 24 trials, Q4_0); `size` is the caller's sizeof *o. */
TRUENO_API void apr_diagnose_options_init(apr_diagnose_options *o, size_t size);

/** One measured criterion. */
typedef struct apr_criterion {
    const char *id;   /**< "F-LR-001"; static */
    const char *what; /**< "R2 of predicted conversion errors, held-out tensors"; static */
    double value, least;
    int32_t n; /**< observations that it was measured on */
} apr_criterion;

/** A finished diagnosis; immutable. */
typedef struct apr_diagnosis apr_diagnosis;

/**
 * Diagnose `model`. It is converted to .apr and GGUF (files of its size in options->folder, removed
 * before this returns), every weight is read once, and up to 64 tensors are rounded to every weight
 * type. The model must outlive the diagnosis. options NULL: defaults.
 *
 * TRUENO_USAGE: fewer than 4 trials, or a model of fewer than 8 matrices, which gives nothing to
 * learn from; errors of apr_convert_model(); TRUENO_IO; TRUENO_NO_MEMORY.
 */
TRUENO_API trueno_status apr_diagnose_model(apr_diagnosis **out, const apr_model *model,
                                            const apr_diagnose_options *options, trueno_error *err);

/** NULL is fine. */
TRUENO_API void apr_diagnosis_free(apr_diagnosis *diagnosis);

/** The i-th criterion, or NULL past the last. Each was measured on data that nothing was fitted to.
 */
TRUENO_API const apr_criterion *apr_diagnosis_criterion(const apr_diagnosis *diagnosis, size_t i);

/** The kind of damage that an error message speaks of; *probability (NULL: unwanted) in [0, 1]. */
TRUENO_API apr_damage apr_diagnosis_classify(const apr_diagnosis *diagnosis, const char *message,
                                             double *probability);

/**
 * The whole diagnosis as JSON: {"schema":1,"file","format","seed","conversions":[{"to","bytes",
 * "same"}],"criteria":[{"id","what","value","least","n","met"}],"errors":{"type","weights",
 * "tensors":[{"name","predicted","measured"}]},"trials":[{"damage","fault","file","tensor","held_out",
 * "status","message","cluster","kind","by_message"}],"clusters":[{"kind","fix","members"}],
 * "found":{"of","n","low","high","andon"},"suspects":[{"decision","passed","failed","suspicion","priority"}],
 * "points":[{"tensor","at":[x,y,z]}]}. Free *out with apr_inspect_free() and the diagnosed model.
 * TRUENO_NO_MEMORY.
 */
TRUENO_API trueno_status apr_diagnosis_json(const apr_diagnosis *diagnosis, char **out,
                                            size_t *bytes, trueno_error *err);

/**
 * The tensors in the three directions of most variance of twelve statistics, drawn as SVG (seen
 * from a corner, nearer ones larger, coloured by the part they play). Free and errors as above.
 */
TRUENO_API trueno_status apr_diagnosis_plot(const apr_diagnosis *diagnosis, char **out,
                                            size_t *bytes, trueno_error *err);

#ifdef __cplusplus
}
#endif
#endif
