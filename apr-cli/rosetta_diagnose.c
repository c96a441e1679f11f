/* SPDX-License-Identifier: MIT */
/* apr rosetta diagnose: what goes wrong in conversions, learned from real ones. */
#include "commands.h"

#include <apr/diagnose.h>
#include <apr/inspect.h>
#include <stdio.h>
#include <string.h>

enum { WORST = 8 };

static trueno_status read_options(const cli_arguments *a, apr_diagnose_options *o,
                                  trueno_error *err)
{
    apr_diagnose_options_init(o, sizeof *o);
    o->threads = (int32_t)a->o.threads;
    o->trials = (int32_t)a->o.trials;
    if (option_given(a, "seed"))
        o->seed = (uint64_t)a->o.seed;
    if (a->o.quantize != NULL) {
        int type = trueno_type_find(a->o.quantize);

        if (type < 0)
            return trueno_fail(err, TRUENO_USAGE, "--quantize: '%s' is not a weight type",
                               a->o.quantize);
        o->type = (trueno_type)type;
    }
    return TRUENO_OK;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

static double number_of(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static void print_criteria(const json_t *document)
{
    size_t i;
    json_t *c;

    json_array_foreach(json_object_get(document, "criteria"), i, c)(void)
        printf("%-13s %s: %.3f, at least %.2f, n = %d: %s\n", text_of(c, "id"), text_of(c, "what"),
               number_of(c, "value"), number_of(c, "least"), (int)number_of(c, "n"),
               json_is_true(json_object_get(c, "met")) ? "met" : "MISSED");
}

/* The tensors that the type is predicted to change most. */
static void print_errors(const json_t *errors)
{
    json_t *tensors = json_object_get(errors, "tensors");
    double below = 1e300;

    (void)printf("\nlargest differences after rounding to %s\n%-40s %12s %12s\n",
                 text_of(errors, "type"), "tensor", "predicted", "measured");
    for (int line = 0; line < WORST; line++) {
        json_t *best = NULL, *t;
        size_t i;

        json_array_foreach(tensors, i, t) if (number_of(t, "predicted") < below &&
                                              (best == NULL || number_of(t, "predicted") >
                                                                   number_of(best, "predicted")))
            best = t;
        if (best == NULL)
            break;
        below = number_of(best, "predicted");
        (void)printf("%-40s %12.3g %12.3g\n", text_of(best, "name"), below,
                     number_of(best, "measured"));
    }
}

/* One line a fault: how often it was found, and as what. */
static void print_trials(const json_t *document)
{
    json_t *trials = json_object_get(document, "trials"), *seen = json_object(), *t, *u;
    size_t i, k;

    (void)printf("\n%-16s %-30s %6s %9s %9s\n", "damage", "done", "copies", "cluster", "message");
    json_array_foreach(trials, i, t)
    {
        int n = 0, cluster = 0, message = 0;

        if (json_object_get(seen, text_of(t, "fault")) != NULL)
            continue;
        (void)json_object_set_new(seen, text_of(t, "fault"), json_true());
        json_array_foreach(trials, k, u)
        {
            if (strcmp(text_of(u, "fault"), text_of(t, "fault")) != 0)
                continue;
            n++;
            cluster += strcmp(text_of(u, "kind"), text_of(u, "damage")) == 0;
            message += strcmp(text_of(u, "by_message"), text_of(u, "damage")) == 0;
        }
        (void)printf("%-16s %-30s %6d %9d %9d\n", text_of(t, "damage"), text_of(t, "fault"), n,
                     cluster, message);
    }
    json_decref(seen);
}

static void print_report(const json_t *document)
{
    const json_t *found = json_object_get(document, "found");
    size_t i;
    json_t *c;

    json_array_foreach(json_object_get(document, "conversions"), i, c)(void) printf(
        "to %-5s %s\n", text_of(c, "to"),
        json_is_true(json_object_get(c, "same")) ? "every weight the same" : "WEIGHTS DIFFER");
    print_criteria(document);
    print_errors(json_object_get(document, "errors"));
    print_trials(document);
    (void)printf("\nfound %d of %d (95 %%: %.3f to %.3f), %s\n", (int)number_of(found, "n"),
                 (int)number_of(found, "of"), number_of(found, "low"), number_of(found, "high"),
                 text_of(found, "andon"));
    json_array_foreach(json_object_get(document, "clusters"), i, c)(void)
        printf("cluster %d: %d copies, %s: %s\n", (int)i, (int)number_of(c, "members"),
               text_of(c, "kind"), text_of(c, "fix"));
}

static void add_message(const cli_arguments *a, const apr_diagnosis *diagnosis, json_t *document)
{
    double probability;
    apr_damage kind;

    if (a->o.message == NULL)
        return;
    kind = apr_diagnosis_classify(diagnosis, a->o.message, &probability);
    (void)json_object_set_new(document, "message",
                              json_pack("{s:s, s:s, s:s, s:f}", "text", a->o.message, "kind",
                                        apr_damage_name(kind), "fix", apr_damage_fix(kind),
                                        "probability", probability));
}

/* TRUENO_CONTENT naming the first criterion that was missed. */
static trueno_status judge(const apr_diagnosis *diagnosis, trueno_error *err)
{
    const apr_criterion *c;

    for (size_t i = 0; (c = apr_diagnosis_criterion(diagnosis, i)) != NULL; i++)
        if (!(c->value >= c->least))
            return trueno_fail(err, TRUENO_CONTENT, "%s: %s is %.3f, at least %.2f is asked for",
                               c->id, c->what, c->value, c->least);
    return TRUENO_OK;
}

static trueno_status make_document(const apr_model *model, const apr_diagnosis *diagnosis,
                                   json_t **out, trueno_error *err)
{
    char *text = NULL;
    size_t bytes = 0;
    const trueno_status status = apr_diagnosis_json(diagnosis, &text, &bytes, err);

    return take_document(model, status, text, bytes, out, err);
}

static trueno_status write_plot(const cli_arguments *a, const apr_model *model,
                                const apr_diagnosis *diagnosis, trueno_error *err)
{
    char *text = NULL;
    size_t bytes = 0;
    trueno_status status = apr_diagnosis_plot(diagnosis, &text, &bytes, err);

    if (status == TRUENO_OK)
        status = write_text_file(a, text, bytes, a->o.plot, err);
    apr_inspect_free(model, text, bytes);
    return status;
}

static trueno_status show(cli_arguments *a, const apr_model *model, const apr_diagnosis *diagnosis,
                          trueno_error *err)
{
    json_t *document = NULL, *message;
    trueno_status status = make_document(model, diagnosis, &document, err);

    if (status == TRUENO_OK && a->o.plot != NULL)
        status = write_plot(a, model, diagnosis, err);
    if (status < 0) {
        json_decref(document);
        return status;
    }
    add_message(a, diagnosis, document);
    status = judge(diagnosis, err);
    if (a->o.json)
        return finish_report(a, document, status, err);
    print_report(document);
    if ((message = json_object_get(document, "message")) != NULL)
        (void)printf("\nthe message: %s (%.0f %%): %s\n", text_of(message, "kind"),
                     100 * number_of(message, "probability"), text_of(message, "fix"));
    json_decref(document);
    return status;
}

trueno_status rosetta_diagnose_command(cli_arguments *a, trueno_error *err)
{
    apr_diagnose_options o;
    apr_diagnosis *diagnosis = NULL;
    apr_model *model;
    trueno_status status = read_options(a, &o, err);

    if (status < 0 || (status = load_model(a, a->positional[0], false, &model, err)) < 0)
        return status;
    status = apr_diagnose_model(&diagnosis, model, &o, err);
    if (status == TRUENO_OK)
        status = show(a, model, diagnosis, err);
    apr_diagnosis_free(diagnosis);
    apr_model_close(model);
    return status;
}
