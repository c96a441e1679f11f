/* SPDX-License-Identifier: MIT */
/* apr rosetta validate-stats: statistics of a model's tensors against a reference's. */
#include "commands.h"

#include <apr/compare.h>
#include <stdio.h>
#include <string.h>

/* One run: lines as they come, or a list for the document. */
typedef struct statistics_report {
    const cli_arguments *a;
    json_t *list;
} statistics_report;

static const char *const LEVELS[] = {[APR_STATISTICS_NEAR] = "near",
                                     [APR_STATISTICS_SUSPICIOUS] = "suspicious",
                                     [APR_STATISTICS_BEYOND] = "beyond"};

static void print_difference(const apr_statistics_difference *d)
{
    static const char *const LABELS[] = {[APR_STATISTICS_NEAR] = "PASS",
                                         [APR_STATISTICS_SUSPICIOUS] = "WARN",
                                         [APR_STATISTICS_BEYOND] = "FAIL"};

    (void)printf("[%s] %-9s %-32s %s", LABELS[d->level], d->kind, d->name, d->what);
    if (d->value != 0 || d->reference != 0)
        (void)printf(" %.4g, reference %.4g", d->value, d->reference);
    (void)printf("; deviation %.3g of %.3g\n", d->deviation, d->threshold);
}

static void take_difference(void *user, const apr_statistics_difference *d)
{
    statistics_report *r = user;

    if (!r->a->o.json && (d->level > APR_STATISTICS_NEAR || r->a->o.verbose))
        print_difference(d);
    if (d->level == APR_STATISTICS_NEAR)
        return;
    (void)json_array_append_new(
        r->list, json_pack("{s:o, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "name",
                           json_text(d->name, strlen(d->name)), "kind", d->kind, "level",
                           LEVELS[d->level], "what", d->what, "value", json_number(d->value),
                           "reference", json_number(d->reference), "deviation",
                           json_number(d->deviation), "threshold", json_number(d->threshold)));
}

/* Errors always fail, suspicions under --strict. */
static trueno_status judge(const cli_arguments *a, const apr_statistics_sums *s, trueno_error *err)
{
    if (s->beyond == 0 && (!a->o.strict || s->suspicious == 0))
        return TRUENO_OK;
    return trueno_fail(err, TRUENO_CONTENT,
                       "%s: statistics of %llu of %llu tensors are beyond their thresholds, %llu "
                       "suspicious",
                       a->positional[0], (unsigned long long)s->beyond,
                       (unsigned long long)s->tensors, (unsigned long long)s->suspicious);
}

static json_t *report_json(const statistics_report *r, const apr_statistics_sums *s, bool passed)
{
    const cli_arguments *a = r->a;

    return json_pack(
        "{s:i, s:s, s:s, s:o, s:b, s:I, s:I, s:I, s:o, s:O}", "schema", 1, "file", a->positional[0],
        "reference", a->o.reference != NULL ? a->o.reference : a->o.fingerprints, "threshold",
        json_number(a->o.threshold), "passed", passed, "tensors", (json_int_t)s->tensors, "beyond",
        (json_int_t)s->beyond, "suspicious", (json_int_t)s->suspicious, "max_deviation",
        json_number(s->deviation), "differences", r->list);
}

static trueno_status compare(cli_arguments *a, const apr_model *model, const apr_model *reference,
                             trueno_error *err)
{
    const apr_compare_statistics_options options = {.size = sizeof options,
                                                    .reference = reference,
                                                    .fingerprints = a->o.fingerprints,
                                                    .threshold = a->o.threshold,
                                                    .filter = a->o.filter,
                                                    .threads = (int32_t)a->o.threads};
    statistics_report r = {.a = a, .list = json_array()};
    apr_statistics_sums s;
    trueno_status status = apr_compare_statistics(model, &options, take_difference, &r, &s, err);

    if (status == TRUENO_OK) {
        status = judge(a, &s, err);
        if (a->o.json)
            status = finish_report(a, report_json(&r, &s, status == TRUENO_OK), status, err);
        else
            (void)printf("%s: %llu tensors, %llu beyond, %llu suspicious; largest deviation %.3g\n",
                         a->positional[0], (unsigned long long)s.tensors,
                         (unsigned long long)s.beyond, (unsigned long long)s.suspicious,
                         s.deviation);
    }
    json_decref(r.list);
    return status;
}

trueno_status rosetta_statistics_command(cli_arguments *a, trueno_error *err)
{
    apr_model *model = NULL, *reference = NULL;
    trueno_status status;

    if ((a->o.reference == NULL) == (a->o.fingerprints == NULL))
        return trueno_fail(err, TRUENO_USAGE,
                           "one of --reference MODEL and --fingerprints FILE is needed");
    status = load_model(a, a->positional[0], true, &model, err);
    if (status == TRUENO_OK && a->o.reference != NULL)
        status = load_model(a, a->o.reference, true, &reference, err);
    if (status == TRUENO_OK)
        status = compare(a, model, reference, err);
    apr_model_close(model);
    apr_model_close(reference);
    return status;
}
