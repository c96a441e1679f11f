/* SPDX-License-Identifier: MIT */
/* A diagnosis: convert, damage, look, and rank what goes with failure. */
#include "diagnosis.h"

#include "../model_private.h"
#include "learn.h"
#include <apr/compare.h>
#include <apr/convert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <trueno/cpu.h>
#include <unistd.h>

enum { LEAST_TRIALS = 4, MOST_TRIALS = 1000, LEAST_MATRICES = 8, TRIES = 64 };

static const struct {
    const char *name, *fix;
} KINDS[APR_DAMAGE_KINDS] = {
    [APR_DAMAGE_SHAPE] = {"SHAPE_MISMATCH",
                          "write the dimensions that the config asks for, innermost first in GGUF"},
    [APR_DAMAGE_QUANT] = {"QUANT_ARTIFACT", "quantise the tensor again from its source"},
    [APR_DAMAGE_DTYPE] = {"DTYPE_CORRUPT",
                          "declare the element type that the data were written in"},
    [APR_DAMAGE_LAYOUT] = {"LAYOUT_GHOST",
                           "write rows one after another (row-major), blocks along a row"},
    [APR_DAMAGE_HEADER] = {"HEADER_INVALID",
                           "fetch or convert the file again: its header or length is not whole"},
};

const char *apr_damage_name(apr_damage kind)
{
    return KINDS[kind].name;
}

const char *apr_damage_fix(apr_damage kind)
{
    return KINDS[kind].fix;
}

void apr_diagnose_options_init(apr_diagnose_options *o, size_t size)
{
    const apr_diagnose_options defaults = {
        .size = size, .seed = 1, .trials = 24, .type = TRUENO_Q4_0};

    memset(o, 0, size);
    memcpy(o, &defaults, size < sizeof defaults ? size : sizeof defaults);
}

/* The folder of the converted files, and what is in it. */
typedef struct workshop {
    char *folder;
    trial_file files[DIAGNOSIS_FILES];
} workshop;

static void workshop_close(workshop *w)
{
    for (int i = 0; i < DIAGNOSIS_FILES; i++) {
        apr_model_close(w->files[i].model);
        if (w->files[i].path != NULL)
            (void)unlink(w->files[i].path);
    }
    if (w->folder != NULL)
        (void)rmdir(w->folder);
}

static char *join(trueno_arena *arena, const char *folder, const char *name)
{
    size_t bytes = strlen(folder) + strlen(name) + 2;
    char *path = trueno_arena_array(arena, bytes, 1);

    if (path != NULL)
        (void)snprintf(path, bytes, "%s/%s", folder, name);
    return path;
}

static trueno_status workshop_open(workshop *w, apr_diagnosis *d, trueno_error *err)
{
    const char *temporary = d->o.folder != NULL ? d->o.folder : getenv("TMPDIR");
    char *folder = join(&d->arena, temporary != NULL && *temporary != '\0' ? temporary : "/tmp",
                        "apr-diagnose-XXXXXX");

    if (folder == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a path");
    if (mkdtemp(folder) == NULL)
        return trueno_fail(err, TRUENO_IO, "%s: %s", folder, strerror(errno));
    w->folder = folder;
    return TRUENO_OK;
}

static trueno_status convert_one(const apr_model *from, trial_file *to, trueno_pool *pool,
                                 trueno_error *err)
{
    apr_convert_options o;
    apr_model_options read_back;
    trueno_status status;

    apr_model_options_init(&read_back, sizeof read_back);
    read_back.allocator = from->options.allocator;
    apr_convert_options_init(&o, sizeof o);
    o.format = to->format;
    o.pool = pool;
    status = apr_convert_model(from, to->path, &o, err);
    return status < 0 ? status : apr_model_open(&to->model, to->path, &read_back, err);
}

/*
 * The model as .apr and as GGUF, the one from the other, since no format is converted to itself:
 * a GGUF file by way of .apr, any other straight.
 */
static trueno_status convert_both(workshop *w, apr_diagnosis *d, trueno_pool *pool,
                                  trueno_error *err)
{
    bool from_apr = strcmp(apr_model_format(d->model), "APR") == 0;
    const apr_model *from = d->model;

    w->files[0] = (trial_file){.format = from_apr ? "gguf" : "apr"};
    w->files[1] = (trial_file){.format = from_apr ? "apr" : "gguf"};
    for (int i = 0; i < DIAGNOSIS_FILES; i++) {
        trial_file *f = &w->files[i];
        apr_comparison same;
        trueno_status status;

        f->path = join(&d->arena, w->folder, f->format[0] == 'a' ? "clean.apr" : "clean.gguf");
        if (f->path == NULL)
            return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a path");
        if ((status = convert_one(from, f, pool, err)) < 0 ||
            (status = apr_compare_models(d->model, f->model, NULL, NULL, NULL, &same, err)) < 0)
            return status;
        trial_file_watch(f);
        d->conversions[i].format = f->format;
        d->conversions[i].bytes = apr_model_bytes(f->model);
        d->conversions[i].same = same.same == same.tensors && same.missing == 0;
        from = f->model;
    }
    return TRUENO_OK;
}

/* One trial of a kind, in either file; the next of its faults when one is not possible. */
static trueno_status try_kind(workshop *w, apr_damage kind, uint32_t *number, uint64_t *random,
                              trial *out, bool *possible, trueno_error *err)
{
    *possible = false;
    for (int i = 0; i < TRIES && !*possible; i++) {
        const trial_file *f = &w->files[apr_random_below(random, DIAGNOSIS_FILES)];
        trueno_status status = trial_run(f, kind, (*number)++, random, out, possible, err);

        if (status < 0)
            return status;
    }
    return TRUENO_OK;
}

/* All kinds in turn, so that the first half of the trials has as many of each as the second. */
static trueno_status run_trials(workshop *w, apr_diagnosis *d, trueno_error *err)
{
    uint32_t numbers[APR_DAMAGE_KINDS] = {0};
    uint64_t random = d->o.seed;

    d->trials =
        trueno_arena_array(&d->arena, (size_t)d->o.trials * APR_DAMAGE_KINDS, sizeof(trial));
    if (d->trials == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %d trials", d->o.trials);
    for (int32_t i = 0; i < d->o.trials; i++) {
        if (i == d->o.trials / 2)
            d->n_learned = d->n_trials;
        for (int kind = 0; kind < APR_DAMAGE_KINDS; kind++) {
            trial *t = &d->trials[d->n_trials];
            bool possible;
            trueno_status status =
                try_kind(w, (apr_damage)kind, &numbers[kind], &random, t, &possible, err);

            if (status < 0)
                return status;
            /* texts of the files die with them */
            if (possible && t->tensor != NULL &&
                (t->tensor = trueno_arena_string(&d->arena, t->tensor, strlen(t->tensor))) == NULL)
                return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a name");
            d->n_trials += possible;
            d->found += possible && t->found;
        }
    }
    return TRUENO_OK;
}

static apr_suspect *suspect(apr_diagnosis *d, const char *name)
{
    for (size_t i = 0; i < d->n_suspects; i++)
        if (strcmp(d->suspects[i].name, name) == 0)
            return &d->suspects[i];
    if (d->n_suspects == MAX_SUSPECTS)
        return NULL;
    d->suspects[d->n_suspects].name = name;
    return &d->suspects[d->n_suspects++];
}

static void count_decision(apr_diagnosis *d, const char *name, bool failed)
{
    apr_suspect *s = suspect(d, name);

    if (s != NULL)
        *(failed ? &s->failed : &s->passed) += 1;
}

/* Which of a conversion's decisions go with failure: format and kind of weights go with both. */
static void rank_decisions(const workshop *w, apr_diagnosis *d)
{
    uint64_t passed = 0;

    for (int i = 0; i < DIAGNOSIS_FILES; i++)
        for (int32_t k = 0; k < w->files[i].n_watched; k++) {
            const trueno_type_info *info = trueno_type_get(w->files[i].watched[k]->type);

            count_decision(
                d, strcmp(w->files[i].format, "apr") == 0 ? "writes .apr" : "writes GGUF", false);
            count_decision(d, info->block > 1 ? "quantised weights" : "floats", false);
            passed++;
        }
    for (size_t i = 0; i < d->n_trials; i++) {
        const trial *t = &d->trials[i];

        if (!t->found)
            continue;
        count_decision(d, strcmp(t->format, "apr") == 0 ? "writes .apr" : "writes GGUF", true);
        if (t->tensor != NULL)
            count_decision(d, t->quantised ? "quantised weights" : "floats", true);
        count_decision(d, t->fault, true);
    }
    apr_tarantula_rank(d->suspects, d->n_suspects, passed, d->found);
}

static trueno_status diagnose(apr_diagnosis *d, workshop *w, trueno_pool *pool, trueno_error *err)
{
    trueno_status status;

    if ((status = error_model_fit(&d->errors, d->model, d->o.type, pool, d->allocator, err)) < 0)
        return status;
    d->criteria[0] =
        (apr_criterion){"F-LR-001", "R2 of predicted conversion errors, held-out tensors",
                        d->errors.r2, 0.7, d->errors.n_held};
    if ((status = diagnosis_project(d, err)) < 0 || (status = workshop_open(w, d, err)) < 0 ||
        (status = convert_both(w, d, pool, err)) < 0 || (status = run_trials(w, d, err)) < 0)
        return status;
    rank_decisions(w, d);
    return diagnosis_learn(d, err);
}

static trueno_status check_options(const apr_diagnosis *d, trueno_error *err)
{
    size_t matrices = 0;

    for (size_t i = 0; i < apr_model_tensor_count(d->model); i++)
        matrices += apr_model_tensor(d->model, i)->n_dims == 2;
    if (d->o.trials < LEAST_TRIALS || d->o.trials > MOST_TRIALS)
        return trueno_fail(err, TRUENO_USAGE, "%d trials: must be %d to %d", d->o.trials,
                           LEAST_TRIALS, MOST_TRIALS);
    if (trueno_type_get(d->o.type) == NULL)
        return trueno_fail(err, TRUENO_USAGE, "weight type %d is not known", (int)d->o.type);
    if (matrices < LEAST_MATRICES)
        return trueno_fail(err, TRUENO_USAGE, "%zu matrices: %d at least are needed to learn from",
                           matrices, LEAST_MATRICES);
    return TRUENO_OK;
}

trueno_status apr_diagnose_model(apr_diagnosis **out, const apr_model *model,
                                 const apr_diagnose_options *options, trueno_error *err)
{
    const trueno_allocator *allocator = model->options.allocator;
    apr_diagnosis *d = trueno_allocate_zero(allocator, sizeof *d);
    workshop w = {0};
    trueno_pool *pool = NULL;
    trueno_status status;

    *out = NULL;
    if (d == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a diagnosis");
    d->model = model;
    d->allocator = d->arena.allocator = allocator;
    apr_diagnose_options_init(&d->o, sizeof d->o);
    if (options != NULL)
        memcpy(&d->o, options, options->size < sizeof d->o ? options->size : sizeof d->o);
    if ((status = check_options(d, err)) == TRUENO_OK)
        status = trueno_pool_new(
            &pool, d->o.threads > 0 ? d->o.threads : trueno_cpu_default_threads(), allocator, err);
    if (status == TRUENO_OK)
        status = diagnose(d, &w, pool, err);
    workshop_close(&w);
    trueno_pool_free(pool);
    if (status < 0)
        apr_diagnosis_free(d);
    else
        *out = d;
    return status;
}

void apr_diagnosis_free(apr_diagnosis *d)
{
    if (d == NULL)
        return;
    trueno_arena_free(&d->arena);
    trueno_release(d->allocator, d, sizeof *d);
}

const apr_criterion *apr_diagnosis_criterion(const apr_diagnosis *d, size_t i)
{
    return i < N_CRITERIA ? &d->criteria[i] : NULL;
}
