/* SPDX-License-Identifier: MIT */
/* apr lint and apr validate: what is wrong with a model file, and what it is worth. */
#include "commands.h"

#include <apr/quality.h>
#include <apr/statistics.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const GROUPS[] = {"structure", "weights", "use", "conversion"};

enum { N_GROUPS = sizeof GROUPS / sizeof GROUPS[0] };

/* What a check's outcome is called, and its colour on a terminal. */
static const struct mark {
    const char *word, *label, *color;
} MARKS[] = {
    {"note", "NOTE", "36"},   {"warning", "WARN", "33"}, {"error", "FAIL", "31"},
    {"passed", "PASS", "32"}, {"skipped", "SKIP", "90"},
};

static const struct mark *mark_of(const apr_quality_finding *f)
{
    return f->outcome == APR_QUALITY_PASSED    ? &MARKS[3]
           : f->outcome == APR_QUALITY_SKIPPED ? &MARKS[4]
                                               : &MARKS[f->level];
}

static void print_finding(const cli_arguments *a, const apr_quality_finding *f)
{
    const struct mark *mark = mark_of(f);
    const bool color = terminal_wants_color(a, STDOUT_FILENO);

    (void)printf(color ? "\033[%sm[%s]\033[0m " : "%.0s[%s] ", mark->color, mark->label);
    (void)printf("%-14s %s", f->id, f->what);
    (void)(f->detail[0] != '\0' ? printf(": %s\n", f->detail) : printf("\n"));
}

/* One run over the checks. */
typedef struct quality_report {
    const cli_arguments *a;
    json_t *checks;    /* all of them, for --json */
    bool print_passed; /* in text, too */
} quality_report;

static void take_finding(void *user, const apr_quality_finding *f)
{
    static const char *const OUTCOMES[] = {"passed", "failed", "skipped"};
    quality_report *r = user;

    if (!r->a->o.json && (r->print_passed || f->outcome == APR_QUALITY_FAILED))
        print_finding(r->a, f);
    (void)json_array_append_new(
        r->checks,
        json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:o}", "id", f->id, "group", f->group, "level",
                  MARKS[f->level].word, "outcome", OUTCOMES[f->outcome], "points", f->points,
                  "what", f->what, "detail", json_text(f->detail, strlen(f->detail))));
}

/* The sums as members of a report's document. */
static void put_sums(json_t *o, const char *file, const apr_quality_sums *s, bool passed)
{
    (void)json_object_set_new(o, "schema", json_integer(1));
    (void)json_object_set_new(o, "file", json_string(file));
    (void)json_object_set_new(o, "passed", json_boolean(passed));
    (void)json_object_set_new(o, "errors", json_integer(s->errors));
    (void)json_object_set_new(o, "warnings", json_integer(s->warnings));
    (void)json_object_set_new(o, "notes", json_integer(s->notes));
    (void)json_object_set_new(o, "skipped", json_integer(s->skipped));
}

trueno_status lint_command(cli_arguments *a, trueno_error *err)
{
    quality_report r = {.a = a, .checks = json_array()};
    apr_quality_sums s = {0};
    apr_model *model = NULL;
    trueno_status status = load_model(a, a->positional[0], true, &model, err);
    bool failed;

    if (status == TRUENO_OK)
        status = apr_quality_lint(model, take_finding, &r, &s, err);
    apr_model_close(model);
    if (status < 0) {
        json_decref(r.checks);
        return status;
    }
    failed = s.errors + s.warnings > 0 || (a->o.strict && s.notes > 0);
    if (failed)
        status = trueno_fail(err, TRUENO_CONTENT, "%s: errors: %d, warnings: %d, notes: %d",
                             a->positional[0], s.errors, s.warnings, s.notes);
    if (a->o.json) {
        json_t *o = json_object();

        put_sums(o, a->positional[0], &s, !failed);
        (void)json_object_set(o, "checks", r.checks);
        status = finish_report(a, o, status, err);
    } else if (!failed) {
        (void)printf("%s: passed, notes: %d\n", a->positional[0], s.notes);
    }
    json_decref(r.checks);
    return status;
}

static const char *grade(int32_t score)
{
    return score >= 90 ? "A" : score >= 80 ? "B" : score >= 70 ? "C" : score >= 60 ? "D" : "F";
}

static void print_score(const apr_quality_sums *s)
{
    enum { BAR = 25 };

    for (int i = 0; i < N_GROUPS; i++) {
        const int filled =
            s->group_possible[i] > 0 ? BAR * s->group_points[i] / s->group_possible[i] : 0;

        (void)printf("%-12s %2d of %2d points  [", GROUPS[i], s->group_points[i],
                     s->group_possible[i]);
        for (int k = 0; k < BAR; k++)
            (void)putchar(k < filled ? '#' : '.');
        (void)printf("]\n");
    }
    (void)printf("score %d of 100 (%d of %d points), grade %s; %d passed, %d failed, %d skipped\n",
                 s->score, s->points, s->possible, grade(s->score), s->passed, s->failed,
                 s->skipped);
}

static json_t *score_json(const apr_quality_sums *s)
{
    json_t *groups = json_array();

    for (int i = 0; i < N_GROUPS; i++)
        (void)json_array_append_new(groups, json_pack("{s:s, s:i, s:i}", "name", GROUPS[i],
                                                      "points", s->group_points[i], "possible",
                                                      s->group_possible[i]));
    return json_pack("{s:i, s:s, s:i, s:i, s:o}", "score", s->score, "grade", grade(s->score),
                     "points", s->points, "possible", s->possible, "groups", groups);
}

/* The verdict over the score: errors always, the rest by --min-score and --strict. */
static trueno_status judge(const cli_arguments *a, const apr_quality_sums *s, trueno_error *err)
{
    if (s->errors > 0 || (a->o.strict && s->failed > 0))
        return trueno_fail(err, TRUENO_CONTENT, "%s: errors: %d, warnings: %d, notes: %d; score %d",
                           a->positional[0], s->errors, s->warnings, s->notes, s->score);
    if (s->score < a->o.min_score)
        return trueno_fail(err, TRUENO_CONTENT, "%s: the score is %d, asked for are %lld",
                           a->positional[0], s->score, (long long)a->o.min_score);
    return TRUENO_OK;
}

static trueno_status validate_quality(cli_arguments *a, const apr_model *model, trueno_error *err)
{
    quality_report r = {.a = a, .checks = json_array(), .print_passed = true};
    apr_quality_sums s = {0};
    trueno_status status =
        apr_quality_score(model, (int32_t)a->o.threads, take_finding, &r, &s, err);

    if (status == TRUENO_OK) {
        status = judge(a, &s, err);
        if (a->o.json) {
            json_t *o = score_json(&s);

            put_sums(o, a->positional[0], &s, status == TRUENO_OK);
            (void)json_object_set(o, "checks", r.checks);
            status = finish_report(a, o, status, err);
        } else {
            print_score(&s);
        }
    }
    json_decref(r.checks);
    return status;
}

/* Without a score: finite weights are asked for. */
static trueno_status check_finite(void *user, const apr_tensor *t, const apr_tensor_statistics *s,
                                  trueno_error *err)
{
    if (s == NULL || s->nans + s->infinities == 0)
        return TRUENO_OK;
    return trueno_fail(err, TRUENO_CONTENT, "%s: %s: %llu NaN and %llu infinite values of %llu",
                       (const char *)user, t->name, (unsigned long long)s->nans,
                       (unsigned long long)s->infinities, (unsigned long long)s->count);
}

static trueno_status validate_plainly(const cli_arguments *a, const apr_model *model,
                                      trueno_error *err)
{
    const apr_tensors_stats_options options = {.size = sizeof options,
                                               .threads = (int32_t)a->o.threads};
    const char *file = a->positional[0];
    trueno_status status = apr_model_check_shapes(model, err);

    if (status == TRUENO_OK)
        status = apr_tensors_stats(model, &options, check_finite, (void *)(uintptr_t)file, err);
    if (status == TRUENO_OK && a->o.json)
        return print_json(json_pack("{s:i, s:s, s:b, s:I}", "schema", 1, "file", file, "valid", 1,
                                    "tensors", (json_int_t)apr_model_tensor_count(model)),
                          err);
    if (status == TRUENO_OK)
        (void)printf("%s: valid, %zu tensors\n", file, apr_model_tensor_count(model));
    return status;
}

trueno_status validate_command(cli_arguments *a, trueno_error *err)
{
    const bool score = a->o.quality || a->o.strict || option_given(a, "min-score");
    apr_model *model;
    trueno_status status;

    a->o.verify = true; /* every checksum */
    status = load_model(a, a->positional[0], false, &model, err);
    if (status < 0)
        return status;
    status = score ? validate_quality(a, model, err) : validate_plainly(a, model, err);
    apr_model_close(model);
    return status;
}
