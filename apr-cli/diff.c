/* SPDX-License-Identifier: MIT */
/* apr diff: what two models say and hold differently. */
#include "rosetta_compare.h"

#include <stdio.h>
#include <string.h>

/* What differs besides the weights. */
typedef struct fact_report {
    json_t *list;
} fact_report;

static json_t *parse_value(const char *text)
{
    json_t *value = text != NULL ? json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;

    return value != NULL ? value : json_null();
}

static void take_fact(void *user, const apr_fact_difference *d)
{
    fact_report *r = user;

    (void)json_array_append_new(r->list, json_pack("{s:s, s:s, s:o, s:o}", "group", d->group, "key",
                                                   d->key, "first", parse_value(d->first), "second",
                                                   parse_value(d->second)));
}

static void print_fact(const json_t *fact)
{
    enum { MOST = 60 };
    static const char *const SIDES[] = {"first", "second"};

    (void)printf("%-11s%s\n", json_string_value(json_object_get(fact, "group")),
                 json_string_value(json_object_get(fact, "key")));
    for (int i = 0; i < 2; i++) {
        const json_t *value = json_object_get(fact, SIDES[i]);

        (void)printf("  %-7s ", SIDES[i]);
        if (json_is_null(value))
            (void)printf("-\n");
        else
            print_json_value(value, MOST);
    }
}

/* The whole comparison; t->list and r->list are the caller's. */
static trueno_status compare(const cli_arguments *a, fact_report *r, tensor_differences *t,
                             uint64_t *facts, trueno_error *err)
{
    apr_model *first = NULL, *second = NULL;
    trueno_status status = load_model(a, a->positional[0], true, &first, err);

    if (status == TRUENO_OK)
        status = load_model(a, a->positional[1], true, &second, err);
    if (status == TRUENO_OK && !a->o.values)
        status = apr_compare_facts(first, second, take_fact, r, facts, err);
    if (status == TRUENO_OK)
        status = compare_open_models(a, first, second, t, err);
    apr_model_close(first);
    apr_model_close(second);
    return status;
}

static json_t *diff_json(const cli_arguments *a, const fact_report *r, const tensor_differences *t,
                         bool same)
{
    json_t *o = comparison_json(&t->sums);

    (void)json_object_set_new(o, "schema", json_integer(1));
    (void)json_object_set_new(o, "first", json_string(a->positional[0]));
    (void)json_object_set_new(o, "second", json_string(a->positional[1]));
    (void)json_object_set_new(o, "passed", json_boolean(same));
    (void)json_object_set(o, "facts", r->list);
    (void)json_object_set(o, "differences", t->list);
    return o;
}

trueno_status diff_command(cli_arguments *a, trueno_error *err)
{
    fact_report r = {.list = json_array()};
    tensor_differences t = {.filter = a->o.filter,
                            .show_values = (int32_t)a->o.show_values,
                            .tolerance = option_given(a, "tolerance") ? a->o.tolerance : 0,
                            .only_failed = true,
                            .types_count = !a->o.values};
    uint64_t facts = 0;
    trueno_status status = compare(a, &r, &t, &facts, err);

    if (status == TRUENO_OK) {
        if (facts + t.failed > 0)
            status = trueno_fail(err, TRUENO_CONTENT,
                                 "%s and %s differ: %llu facts, %llu of %llu tensors",
                                 a->positional[0], a->positional[1], (unsigned long long)facts,
                                 (unsigned long long)t.failed, (unsigned long long)t.sums.tensors);
        if (a->o.json) {
            status = finish_report(a, diff_json(a, &r, &t, status == TRUENO_OK), status, err);
        } else {
            for (size_t i = 0; i < json_array_size(r.list); i++)
                print_fact(json_array_get(r.list, i));
            print_differences(t.list);
            if (status == TRUENO_OK)
                (void)printf("no difference: %llu tensors\n", (unsigned long long)t.sums.tensors);
        }
    }
    json_decref(r.list);
    json_decref(t.list);
    return status;
}
