/* SPDX-License-Identifier: MIT */
/* A diagnosis as one JSON document. */
#include "../json_write.h"
#include "diagnosis.h"

#include <string.h>

static const char *const PRIORITIES[] = {[APR_PRIORITY_LOW] = "low",
                                         [APR_PRIORITY_MEDIUM] = "medium",
                                         [APR_PRIORITY_HIGH] = "high",
                                         [APR_PRIORITY_CRITICAL] = "critical"};
static const char *const ANDONS[] = {
    [APR_ANDON_RED] = "red", [APR_ANDON_YELLOW] = "yellow", [APR_ANDON_GREEN] = "green"};

/* Share of the damaged copies in which something is to be found, and its level's target. */
static const double FOUND_TARGET = 0.95;

static void write_conversions(apr_json *j, const apr_diagnosis *d)
{
    apr_json_put_open(j, "conversions", '[');
    for (int i = 0; i < DIAGNOSIS_FILES; i++) {
        apr_json_open(j, '{');
        apr_json_put_string(j, "to", d->conversions[i].format);
        apr_json_put_uint(j, "bytes", d->conversions[i].bytes);
        apr_json_put_bool(j, "same", d->conversions[i].same);
        apr_json_close(j, '}');
    }
    apr_json_close(j, ']');
}

static void write_criteria(apr_json *j, const apr_diagnosis *d)
{
    apr_json_put_open(j, "criteria", '[');
    for (int i = 0; i < N_CRITERIA; i++) {
        const apr_criterion *c = &d->criteria[i];

        apr_json_open(j, '{');
        apr_json_put_string(j, "id", c->id);
        apr_json_put_string(j, "what", c->what);
        apr_json_put_double(j, "value", c->value);
        apr_json_put_double(j, "least", c->least);
        apr_json_put_int(j, "n", c->n);
        apr_json_put_bool(j, "met", c->value >= c->least);
        apr_json_close(j, '}');
    }
    apr_json_close(j, ']');
}

static void write_numbers(apr_json *j, const char *key, const double *values, int n)
{
    apr_json_put_open(j, key, '[');
    for (int i = 0; i < n; i++)
        apr_json_double(j, values[i]);
    apr_json_close(j, ']');
}

static void write_errors(apr_json *j, const apr_diagnosis *d)
{
    apr_json_put_open(j, "errors", '{');
    apr_json_put_string(j, "type", trueno_type_get(d->o.type)->name);
    write_numbers(j, "weights", d->errors.weights, 1 + ERROR_FEATURES);
    apr_json_put_open(j, "tensors", '[');
    for (int32_t i = 0; i < d->errors.n_rows; i++) {
        const error_row *r = &d->errors.rows[i];

        apr_json_open(j, '{');
        apr_json_put_string(j, "name", r->tensor->name);
        apr_json_put_double(j, "predicted", r->predicted);
        apr_json_put_double(j, "measured", r->measured);
        apr_json_close(j, '}');
    }
    apr_json_close(j, ']');
    apr_json_close(j, '}');
}

static void write_trials(apr_json *j, const apr_diagnosis *d)
{
    apr_json_put_open(j, "trials", '[');
    for (size_t i = 0; i < d->n_trials; i++) {
        const trial *t = &d->trials[i];

        apr_json_open(j, '{');
        apr_json_put_string(j, "damage", apr_damage_name(t->damage));
        apr_json_put_string(j, "fault", t->fault);
        apr_json_put_string(j, "file", t->format);
        if (t->tensor != NULL)
            apr_json_put_string(j, "tensor", t->tensor);
        apr_json_put_bool(j, "held_out", i >= d->n_learned);
        apr_json_put_string(j, "status", trueno_status_name(t->status));
        apr_json_put_string(j, "message", t->message);
        apr_json_put_int(j, "cluster", t->cluster);
        apr_json_put_string(j, "kind", apr_damage_name(t->by_cluster));
        apr_json_put_string(j, "by_message", apr_damage_name(t->by_message));
        apr_json_close(j, '}');
    }
    apr_json_close(j, ']');
}

static void write_clusters(apr_json *j, const apr_diagnosis *d)
{
    apr_json_put_open(j, "clusters", '[');
    for (int32_t c = 0; c < APR_DAMAGE_KINDS; c++) {
        int64_t members = 0;

        for (size_t i = 0; i < d->n_trials; i++)
            members += d->trials[i].cluster == c;
        apr_json_open(j, '{');
        apr_json_put_string(j, "kind", apr_damage_name(d->kind_of_cluster[c]));
        apr_json_put_string(j, "fix", apr_damage_fix(d->kind_of_cluster[c]));
        apr_json_put_int(j, "members", members);
        apr_json_close(j, '}');
    }
    apr_json_close(j, ']');
}

static void write_found(apr_json *j, const apr_diagnosis *d)
{
    double low, high, rate = d->n_trials > 0 ? (double)d->found / (double)d->n_trials : 0;

    apr_wilson_interval(d->found, d->n_trials, 1.96, &low, &high);
    apr_json_put_open(j, "found", '{');
    apr_json_put_uint(j, "of", d->n_trials);
    apr_json_put_uint(j, "n", d->found);
    apr_json_put_double(j, "low", low);
    apr_json_put_double(j, "high", high);
    apr_json_put_string(j, "andon", ANDONS[apr_andon_level(rate, FOUND_TARGET)]);
    apr_json_close(j, '}');
    apr_json_put_open(j, "suspects", '[');
    for (size_t i = 0; i < d->n_suspects; i++) {
        apr_json_open(j, '{');
        apr_json_put_string(j, "decision", d->suspects[i].name);
        apr_json_put_uint(j, "passed", d->suspects[i].passed);
        apr_json_put_uint(j, "failed", d->suspects[i].failed);
        apr_json_put_double(j, "suspicion", d->suspects[i].suspicion);
        apr_json_put_string(j, "priority", PRIORITIES[d->suspects[i].priority]);
        apr_json_close(j, '}');
    }
    apr_json_close(j, ']');
}

static void write_points(apr_json *j, const apr_diagnosis *d)
{
    apr_json_put_open(j, "points", '[');
    for (size_t i = 0; i < d->n_points; i++) {
        apr_json_open(j, '{');
        apr_json_put_string(j, "tensor", d->points[i].tensor->name);
        write_numbers(j, "at", d->points[i].at, POINT_DIMENSIONS);
        apr_json_close(j, '}');
    }
    apr_json_close(j, ']');
}

trueno_status apr_diagnosis_json(const apr_diagnosis *d, char **out, size_t *bytes,
                                 trueno_error *err)
{
    apr_json j = {.buffer.allocator = d->allocator};

    apr_json_open(&j, '{');
    apr_json_put_int(&j, "schema", 1);
    apr_json_put_string(&j, "file", apr_model_path(d->model));
    apr_json_put_string(&j, "format", apr_model_format(d->model));
    apr_json_put_uint(&j, "seed", d->o.seed);
    write_conversions(&j, d);
    write_criteria(&j, d);
    write_errors(&j, d);
    write_trials(&j, d);
    write_clusters(&j, d);
    write_found(&j, d);
    write_points(&j, d);
    apr_json_close(&j, '}');
    return apr_json_finish(&j, "the diagnosis", out, bytes, err);
}
