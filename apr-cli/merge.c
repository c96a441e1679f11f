/* SPDX-License-Identifier: MIT */
/* apr merge: several models as one. */
#include "commands.h"

#include <apr/merge.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "0.7,0.3": one number for each model. */
static trueno_status parse_weights(const char *text, int n, double *out, trueno_error *err)
{
    const char *at = text;
    char *end = NULL;

    for (int i = 0; i < n; i++) {
        out[i] = strtod(at, &end);
        if (end == at || *end != (i + 1 < n ? ',' : '\0'))
            return trueno_fail(err, TRUENO_USAGE, "--weights: '%s' is no list of %d numbers", text,
                               n);
        at = end + 1;
    }
    return TRUENO_OK;
}

/* What was opened for a merge. */
typedef struct merging {
    apr_model *models[APR_MERGE_MOST], *base;
    int n;
} merging;

static trueno_status open_models(const cli_arguments *a, merging *m, trueno_error *err)
{
    trueno_status status = TRUENO_OK;

    for (m->n = 0; m->n < a->n_positional && status == TRUENO_OK; m->n++)
        status = load_whole_model(a, a->positional[m->n], &m->models[m->n], err);
    if (status == TRUENO_OK && a->o.base != NULL)
        status = load_whole_model(a, a->o.base, &m->base, err);
    return status;
}

static void close_models(merging *m)
{
    for (int i = 0; i < m->n; i++)
        apr_model_close(m->models[i]);
    apr_model_close(m->base);
}

static trueno_status read_options(const cli_arguments *a, apr_merge_options *o, double *weights,
                                  trueno_error *err)
{
    apr_merge_options_init(o, sizeof *o);
    o->method = a->o.strategy;
    o->t = a->o.ratio;
    o->density = a->o.density;
    o->lambda = a->o.lambda;
    o->format = a->o.format;
    o->force = a->o.force;
    o->threads = (int32_t)a->o.threads;
    if (a->o.output == NULL)
        return trueno_fail(err, TRUENO_USAGE, "--output FILE is needed");
    if (a->n_positional > APR_MERGE_MOST)
        return trueno_fail(err, TRUENO_USAGE, "%d models, at most %d are merged", a->n_positional,
                           APR_MERGE_MOST);
    if (a->o.quantize != NULL && (o->mix = apr_mix_find(a->o.quantize)) == NULL)
        return trueno_fail(err, TRUENO_USAGE, "--quantize: '%s' is no weight type and no mix",
                           a->o.quantize);
    if (a->o.merge_weights == NULL)
        return TRUENO_OK;
    if (strcmp(o->method, "weighted") != 0 && strcmp(o->method, "ties") != 0)
        return trueno_fail(err, TRUENO_USAGE, "--weights: %s takes none", o->method);
    o->weights = weights;
    return parse_weights(a->o.merge_weights, a->n_positional, weights, err);
}

trueno_status merge_command(cli_arguments *a, trueno_error *err)
{
    double weights[APR_MERGE_MOST];
    apr_merge_options options;
    merging m = {0};
    json_t *sources;
    trueno_status status = read_options(a, &options, weights, err);

    a->o.verify = true; /* damaged weights would get checksums that fit them */
    if (status == TRUENO_OK)
        status = open_models(a, &m, err);
    options.base = m.base;
    if (status == TRUENO_OK)
        status = apr_merge_models((const apr_model *const *)m.models, (size_t)m.n, a->o.output,
                                  &options, err);
    close_models(&m);
    if (status < 0)
        return status;
    if (!a->o.json) {
        print_note(a, "%s: %s of %d models", a->o.output, options.method, m.n);
        return TRUENO_OK;
    }
    sources = json_array();
    for (int i = 0; i < a->n_positional; i++)
        (void)json_array_append_new(sources, json_string(a->positional[i]));
    return print_json(json_pack("{s:i, s:o, s:s, s:s}", "schema", 1, "sources", sources, "output",
                                a->o.output, "strategy", options.method),
                      err);
}
