/* SPDX-License-Identifier: MIT */
/* apr rosetta diff-tensors: the weights of two models; and what chain and verify need of it. */
#include "rosetta_compare.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const KINDS[] = {[APR_SAME] = "same",
                                    [APR_VALUES_DIFFER] = "values",
                                    [APR_SHAPES_DIFFER] = "shape",
                                    [APR_TRANSPOSED] = "transposed",
                                    [APR_ONLY_IN_FIRST] = "only in first",
                                    [APR_ONLY_IN_SECOND] = "only in second"};

static json_t *shape_json(const int64_t *dims, int32_t n)
{
    json_t *list = json_array();

    for (int32_t i = 0; i < n; i++)
        (void)json_array_append_new(list, json_integer(dims[i]));
    return list;
}

static json_t *values_json(const float *values, int32_t n)
{
    json_t *list = json_array();

    for (int32_t i = 0; i < n; i++)
        (void)json_array_append_new(list, json_number(values[i]));
    return list;
}

static json_t *difference_json(const apr_tensor_difference *d, int32_t values)
{
    const int32_t n = d->n_values < values ? d->n_values : values;
    json_t *o = json_pack("{s:s, s:s}", "name", d->name, "kind", KINDS[d->kind]);

    if (d->type_first != NULL) {
        (void)json_object_set_new(o, "dtype_first", json_string(d->type_first));
        (void)json_object_set_new(o, "shape_first", shape_json(d->dims_first, d->n_dims_first));
    }
    if (d->type_second != NULL) {
        (void)json_object_set_new(o, "dtype_second", json_string(d->type_second));
        (void)json_object_set_new(o, "shape_second", shape_json(d->dims_second, d->n_dims_second));
    }
    (void)json_object_set_new(o, "count", json_integer((json_int_t)d->count));
    (void)json_object_set_new(o, "differing", json_integer((json_int_t)d->differing));
    (void)json_object_set_new(o, "max_diff", json_number(d->max));
    (void)json_object_set_new(o, "mean_diff", json_number(d->mean));
    (void)json_object_set_new(o, "relative", json_number(d->relative));
    if (n > 0) {
        (void)json_object_set_new(o, "index", json_integer((json_int_t)d->at));
        (void)json_object_set_new(o, "values_first", values_json(d->first_values, n));
        (void)json_object_set_new(o, "values_second", values_json(d->second_values, n));
    }
    return o;
}

static void take_difference(void *user, const apr_tensor_difference *d)
{
    tensor_differences *t = user;
    const bool other_type = t->types_count && d->type_first != NULL && d->type_second != NULL &&
                            strcmp(d->type_first, d->type_second) != 0;
    const bool failed = other_type || (d->kind != APR_SAME &&
                                       (d->kind != APR_VALUES_DIFFER || d->max > t->tolerance));

    t->failed += failed;
    if (failed || t->with_same || (d->kind != APR_SAME && !t->only_failed)) {
        json_t *o = difference_json(d, t->show_values);

        if (other_type && d->kind == APR_SAME)
            (void)json_object_set_new(o, "kind", json_string("type"));
        (void)json_array_append_new(t->list, o);
    }
}

trueno_status compare_open_models(const cli_arguments *a, const apr_model *first,
                                  const apr_model *second, tensor_differences *t, trueno_error *err)
{
    const apr_compare_options options = {
        .size = sizeof options, .filter = t->filter, .threads = (int32_t)a->o.threads};

    t->list = json_array();
    t->failed = 0;
    return apr_compare_models(first, second, &options, take_difference, t, &t->sums, err);
}

trueno_status compare_files(const cli_arguments *a, const char *first, const char *second,
                            tensor_differences *t, trueno_error *err)
{
    apr_model *x = NULL, *y = NULL;
    trueno_status status = load_model(a, first, true, &x, err);

    t->list = NULL;
    if (status == TRUENO_OK)
        status = load_model(a, second, true, &y, err);
    if (status == TRUENO_OK)
        status = compare_open_models(a, x, y, t, err);
    apr_model_close(x);
    apr_model_close(y);
    return status;
}

json_t *comparison_json(const apr_comparison *s)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "tensors", (json_int_t)s->tensors,
                     "same", (json_int_t)s->same, "values_differ", (json_int_t)s->values_differ,
                     "shapes_differ", (json_int_t)s->shapes_differ, "missing",
                     (json_int_t)s->missing, "max_diff", json_number(s->max), "mean_diff",
                     json_number(s->mean));
}

static void print_values(const char *what, const json_t *values)
{
    (void)printf("    %s", what);
    for (size_t i = 0; i < json_array_size(values); i++)
        (void)printf(" %.9g", json_number_value(json_array_get(values, i)));
    (void)putchar('\n');
}

void print_differences(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *d = json_array_get(list, i);
        const char *first = json_string_value(json_object_get(d, "dtype_first"));
        const char *second = json_string_value(json_object_get(d, "dtype_second"));

        (void)printf("%-44s %-14s %-6s %-6s max %-11.4g mean %-11.4g relative %.4g\n",
                     json_string_value(json_object_get(d, "name")),
                     json_string_value(json_object_get(d, "kind")), first != NULL ? first : "-",
                     second != NULL ? second : "-",
                     json_number_value(json_object_get(d, "max_diff")),
                     json_number_value(json_object_get(d, "mean_diff")),
                     json_number_value(json_object_get(d, "relative")));
        if (json_object_get(d, "values_first") == NULL)
            continue;
        (void)printf("    from index %lld\n",
                     (long long)json_integer_value(json_object_get(d, "index")));
        print_values("first ", json_object_get(d, "values_first"));
        print_values("second", json_object_get(d, "values_second"));
    }
}

trueno_status rosetta_diff_command(cli_arguments *a, trueno_error *err)
{
    tensor_differences t = {.filter = a->o.filter,
                            .with_same = !a->o.mismatches_only,
                            .show_values = (int32_t)a->o.show_values,
                            .tolerance = option_given(a, "tolerance") ? a->o.tolerance : 0};
    trueno_status status = compare_files(a, a->positional[0], a->positional[1], &t, err);

    if (status == TRUENO_OK && t.failed > 0)
        status = trueno_fail(err, TRUENO_CONTENT,
                             "%s and %s: %llu of %llu tensors differ by more than %g (largest %g)",
                             a->positional[0], a->positional[1], (unsigned long long)t.failed,
                             (unsigned long long)t.sums.tensors, t.tolerance, t.sums.max);
    if (status == TRUENO_OK || status == TRUENO_CONTENT) {
        if (a->o.json) {
            json_t *o = comparison_json(&t.sums);

            (void)json_object_set_new(o, "schema", json_integer(1));
            (void)json_object_set_new(o, "first", json_string(a->positional[0]));
            (void)json_object_set_new(o, "second", json_string(a->positional[1]));
            (void)json_object_set_new(o, "tolerance", json_number(t.tolerance));
            (void)json_object_set_new(o, "passed", json_boolean(status == TRUENO_OK));
            (void)json_object_set(o, "differences", t.list);
            status = finish_report(a, o, status, err);
        } else {
            print_differences(t.list);
            (void)printf("%llu tensors: %llu the same, %llu with other values, %llu of other "
                         "shapes, %llu missing; largest difference %g\n",
                         (unsigned long long)t.sums.tensors, (unsigned long long)t.sums.same,
                         (unsigned long long)t.sums.values_differ,
                         (unsigned long long)t.sums.shapes_differ,
                         (unsigned long long)t.sums.missing, t.sums.max);
        }
    }
    json_decref(t.list);
    return status;
}
