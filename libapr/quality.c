/* SPDX-License-Identifier: MIT */
/* THE TABLE of quality checks, and running them. */
#include "quality.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef enum group { STRUCTURE, WEIGHTS, USE, CONVERSION } group;

static const char *const GROUPS[] = {"structure", "weights", "use", "conversion"};

#define NOTE    APR_QUALITY_NOTE
#define WARNING APR_QUALITY_WARNING
#define ERROR   APR_QUALITY_ERROR

/* The points of a group are 25 together. */
static const struct check_row {
    const char *id;
    group group;
    apr_quality_level level;
    int32_t points;
    apr_quality_check *run;
    const char *what;
} CHECKS[] = {
    {"version", STRUCTURE, NOTE, 2, apr_quality_version,
     "the file is of the format's newest version, with all that it protects"},
    {"alignment", STRUCTURE, NOTE, 4, apr_quality_alignment, "every tensor's bytes are aligned"},
    {"types", STRUCTURE, WARNING, 4, apr_quality_types,
     "every tensor is of a type that can be computed with"},
    {"sizes", STRUCTURE, ERROR, 4, apr_quality_sizes,
     "the embedding has the config's hidden size and vocabulary"},
    {"shapes", STRUCTURE, ERROR, 5, apr_quality_shapes,
     "every tensor has the shape that the config asks for"},
    {"layers", STRUCTURE, ERROR, 4, apr_quality_layers, "all layers have the same parts"},
    {"gaps", STRUCTURE, NOTE, 2, apr_quality_gaps, "no bytes lie unused between or behind tensors"},

    {"nan", WEIGHTS, ERROR, 5, apr_quality_nan, "no weight is NaN"},
    {"infinite", WEIGHTS, ERROR, 4, apr_quality_infinite, "no weight is infinite"},
    {"zero", WEIGHTS, ERROR, 3, apr_quality_zero, "no matrix is all zeros"},
    {"flat", WEIGHTS, ERROR, 2, apr_quality_flat, "no matrix holds one value alone"},
    {"norms", WEIGHTS, WARNING, 3, apr_quality_norms, "norms have weights of a plausible size"},
    {"range", WEIGHTS, WARNING, 3, apr_quality_range, "no weight is beyond 1e6"},
    {"embedding", WEIGHTS, ERROR, 3, apr_quality_embedding, "the embedding is dense"},
    {"outliers", WEIGHTS, WARNING, 2, apr_quality_outliers,
     "a matrix's deviation is like that of its kind in other layers"},

    {"tokenizer", USE, WARNING, 6, apr_quality_tokenizer, "the tokenizer is in the model, whole"},
    {"pre-tokenizer", USE, WARNING, 3, apr_quality_pre_tokenizer,
     "how text is cut before merging is said"},
    {"special-tokens", USE, WARNING, 4, apr_quality_special_tokens,
     "a token ends the turn, and it is a special one"},
    {"chat-template", USE, NOTE, 3, apr_quality_chat_template, "a chat template is there"},
    {"name", USE, NOTE, 2, apr_quality_name, "the model has a name"},
    {"license", USE, WARNING, 3, apr_quality_license, "the license is said"},
    {"provenance", USE, NOTE, 2, apr_quality_provenance, "where the model comes from is said"},
    {"description", USE, NOTE, 2, apr_quality_description, "a description is there"},

    {"architecture", CONVERSION, WARNING, 7, apr_quality_architecture,
     "the architecture is one that every format can hold"},
    {"names", CONVERSION, NOTE, 4, apr_quality_names, "every tensor has a name of a known part"},
    {"ties", CONVERSION, NOTE, 3, apr_quality_ties,
     "the output matrix is no copy of the embedding"},
    {"merges", CONVERSION, WARNING, 4, apr_quality_merges,
     "both sides of every merge, and what it makes, are tokens"},
    {"tokens", CONVERSION, WARNING, 3, apr_quality_tokens, "no two tokens have the same text"},
    {"layout", CONVERSION, ERROR, 4, apr_quality_layout,
     "its tensors can be laid out in each of the formats"},
};

enum { N_CHECKS = sizeof CHECKS / sizeof CHECKS[0] };

apr_quality_outcome apr_quality_say(apr_quality_look *l, apr_quality_outcome outcome,
                                    const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(l->detail, sizeof l->detail, format, arguments);
    va_end(arguments);
    return outcome;
}

static void count(apr_quality_sums *s, const struct check_row *row, apr_quality_outcome outcome)
{
    s->passed += outcome == APR_QUALITY_PASSED;
    s->skipped += outcome == APR_QUALITY_SKIPPED;
    if (outcome == APR_QUALITY_SKIPPED)
        return;
    s->possible += row->points;
    s->group_possible[row->group] += row->points;
    if (outcome == APR_QUALITY_PASSED) {
        s->points += row->points;
        s->group_points[row->group] += row->points;
        return;
    }
    s->failed++;
    s->errors += row->level == ERROR;
    s->warnings += row->level == WARNING;
    s->notes += row->level == NOTE;
}

static void run_checks(apr_quality_look *l, apr_quality_fn fn, void *user, apr_quality_sums *out)
{
    *out = (apr_quality_sums){0};
    for (int i = 0; i < N_CHECKS; i++) {
        const struct check_row *row = &CHECKS[i];
        apr_quality_finding f = {row->id,     GROUPS[row->group], row->what, row->level,
                                 row->points, APR_QUALITY_PASSED, l->detail};

        if (row->group == WEIGHTS && l->stats == NULL)
            continue;
        l->detail[0] = '\0';
        f.outcome = row->run(l);
        count(out, row, f.outcome);
        if (fn != NULL)
            fn(user, &f);
    }
    out->score = out->possible > 0 ? 100 * out->points / out->possible : 0;
}

trueno_status apr_quality_lint(const apr_model *m, apr_quality_fn fn, void *user,
                               apr_quality_sums *out, trueno_error *err)
{
    apr_quality_look l = {.m = m};

    (void)err;
    run_checks(&l, fn, user, out);
    return TRUENO_OK;
}

/* Keeps every tensor's statistics; those of one that nothing reads stay zero. */
typedef struct keeping {
    const apr_model *m;
    apr_tensor_statistics *stats;
} keeping;

static trueno_status keep(void *user, const apr_tensor *t, const apr_tensor_statistics *s,
                          trueno_error *err)
{
    const keeping *k = user;

    (void)err;
    if (s != NULL)
        k->stats[t - k->m->tensors] = *s;
    return TRUENO_OK;
}

trueno_status apr_quality_score(const apr_model *m, int32_t threads, apr_quality_fn fn, void *user,
                                apr_quality_sums *out, trueno_error *err)
{
    const apr_tensors_stats_options options = {.size = sizeof options, .threads = threads};
    const size_t bytes = (m->n_tensors + 1) * sizeof(apr_tensor_statistics);
    keeping k = {m, trueno_allocate_zero(m->options.allocator, bytes)};
    apr_quality_look l = {.m = m, .stats = k.stats};
    trueno_status status;

    if (k.stats == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for statistics of %zu tensors",
                           m->path, m->n_tensors);
    status = apr_tensors_stats(m, &options, keep, &k, err);
    if (status == TRUENO_OK)
        run_checks(&l, fn, user, out);
    trueno_release(m->options.allocator, k.stats, bytes);
    return status;
}
