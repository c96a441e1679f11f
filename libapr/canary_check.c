/* SPDX-License-Identifier: MIT */
/* Holding a model against a recorded canary. */
#include "canary.h"

#include "file_limits.h"
#include "json_read.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct apr_canary {
    const trueno_allocator *allocator;
    json_t *root;
    int32_t *ids; /* of the recorded text */
    size_t n_ids;
};

static bool is_statistics(const json_t *t)
{
    static const char *const KEYS[] = {"mean", "std", "min", "max", "nan_count", "inf_count"};

    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++)
        if (!json_is_number(json_object_get(t, KEYS[i])))
            return false;
    return true;
}

static trueno_status check_tensor(const char *path, const char *name, const json_t *t,
                                  trueno_error *err)
{
    const json_t *shape = json_object_get(t, "shape");
    const size_t n = json_array_size(shape);

    for (size_t i = 0; i < n; i++)
        if (!json_is_integer(json_array_get(shape, i)))
            return trueno_fail(err, TRUENO_FORMAT, "%s: %.100s: its shape is no list of numbers",
                               path, name);
    if (n == 0 || n > APR_LIMIT_DIMS || !json_is_string(json_object_get(t, "crc32")) ||
        (json_object_get(t, "mean") != NULL && !is_statistics(t)))
        return trueno_fail(err, TRUENO_FORMAT,
                           "%s: %.100s has no shape, checksum and statistics of a canary", path,
                           name);
    return TRUENO_OK;
}

/* The members that the checks rely on. */
static trueno_status check_document(const char *path, json_t *root, trueno_error *err)
{
    const char *kind = json_string_value(json_object_get(root, "kind")), *name;
    json_t *tensors = json_object_get(root, "tensors"), *t;
    trueno_status status = TRUENO_OK;

    if (kind == NULL || strcmp(kind, "canary") != 0 || !json_is_object(tensors) ||
        !json_is_object(json_object_get(root, "config")) ||
        !json_is_object(json_object_get(root, "tokenizer")))
        return trueno_fail(err, TRUENO_FORMAT, "%s: no canary that apr canary create has made",
                           path);
    if (json_integer_value(json_object_get(root, "schema")) != 1)
        return trueno_fail(err, TRUENO_FORMAT, "%s: a canary of another schema than 1", path);
    json_object_foreach(tensors, name, t)
    {
        if ((status = check_tensor(path, name, t, err)) < 0)
            return status;
    }
    return TRUENO_OK;
}

static trueno_status read_ids(apr_canary *c, const char *path, trueno_error *err)
{
    const json_t *ids = apr_json_at(c->root, "input.ids");

    c->n_ids = json_array_size(ids);
    c->ids = trueno_allocate(c->allocator, c->n_ids * sizeof *c->ids, 64);
    if (c->ids == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for %zu tokens", path, c->n_ids);
    for (size_t i = 0; i < c->n_ids; i++) {
        const json_int_t id = json_integer_value(json_array_get(ids, i));

        if (!json_is_integer(json_array_get(ids, i)) || id < 0 || id > INT32_MAX)
            return trueno_fail(err, TRUENO_FORMAT, "%s: input.ids[%zu] is no token", path, i);
        c->ids[i] = (int32_t)id;
    }
    return TRUENO_OK;
}

trueno_status apr_canary_open(apr_canary **out, const char *path, const trueno_allocator *allocator,
                              trueno_error *err)
{
    apr_canary *c = trueno_allocate_zero(allocator, sizeof *c);
    trueno_status status;

    *out = NULL;
    if (c == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for the canary", path);
    c->allocator = allocator;
    if ((status = apr_json_load(path, APR_LIMIT_INDEX_BYTES, true, &c->root, err)) == TRUENO_OK &&
        c->root == NULL)
        status = trueno_fail(err, TRUENO_NOT_FOUND, "%s: No such file or directory", path);
    if (status == TRUENO_OK)
        status = check_document(path, c->root, err);
    if (status == TRUENO_OK)
        status = read_ids(c, path, err);
    if (status < 0) {
        apr_canary_close(c);
        return status;
    }
    *out = c;
    return TRUENO_OK;
}

void apr_canary_close(apr_canary *c)
{
    if (c == NULL)
        return;
    json_decref(c->root);
    if (c->ids != NULL)
        trueno_release(c->allocator, c->ids, c->n_ids * sizeof *c->ids);
    trueno_release(c->allocator, c, sizeof *c);
}

bool apr_canary_text(const apr_canary *c, apr_canary_input *out)
{
    const json_t *text = apr_json_at(c->root, "input.text");

    *out = (apr_canary_input){json_string_value(text), json_string_length(text), c->ids, c->n_ids};
    return out->text != NULL;
}

/* One check in progress. */
typedef struct checking {
    const apr_canary *canary;
    const apr_model *m;
    double tolerance;
    bool other_format; /* than the canary's model */
    apr_canary_fn fn;
    void *user;
    apr_canary_sums *sums;
    char detail[512];
} checking;

static void tell(checking *c, const char *group, const char *name, bool passed, double deviation)
{
    const apr_canary_finding f = {group, name, passed, c->detail, deviation};

    c->sums->passed += passed;
    c->sums->failed += !passed;
    c->sums->deviation = fmax(c->sums->deviation, deviation);
    if (c->fn != NULL)
        c->fn(c->user, &f);
    c->detail[0] = '\0';
}

TRUENO_PRINTF(2, 3) static void say(checking *c, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(c->detail, sizeof c->detail, format, args);
    va_end(args);
}

static bool same_value(const json_t *a, const json_t *b)
{
    return json_is_number(a) && json_is_number(b) ? json_number_value(a) == json_number_value(b)
                                                  : json_equal(a, b) == 1;
}

/* A value as text, "nothing" for none. */
static void value_text(const json_t *value, char out[100])
{
    char *text = value != NULL ? json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9)) : NULL;

    (void)snprintf(out, 100, "%s", text != NULL ? text : "nothing");
    free(text);
}

static void check_fact(checking *c, const char *group, const char *key, const json_t *now,
                       const json_t *recorded)
{
    char texts[2][100];

    if (!same_value(now, recorded)) {
        value_text(now, texts[0]);
        value_text(recorded, texts[1]);
        say(c, "%s, recorded is %s", texts[0], texts[1]);
    }
    tell(c, group, key, c->detail[0] == '\0', 0);
}

/* Fields that say how a format stores rows and norms; and where one side has no such field, those
 * that one format says in a table of factors or leaves to be derived. */
static bool is_convention(const checking *c, const char *key, bool one_sided)
{
    static const char *const OF_ROWS[] = {"rope_type", "norm_weight_offset"};
    static const char *const DERIVED[] = {"rope_scaling", "rope_original_positions",
                                          "rope_attention_factor", "llama3_", "query_scale"};

    for (size_t i = 0; i < sizeof OF_ROWS / sizeof OF_ROWS[0]; i++)
        if (strcmp(OF_ROWS[i], key) == 0)
            return true;
    for (size_t i = 0; i < sizeof DERIVED / sizeof DERIVED[0]; i++)
        if (one_sided && c->other_format && strncmp(DERIVED[i], key, strlen(DERIVED[i])) == 0)
            return true;
    return false;
}

/* Every member that the model or the canary has. */
static void check_members(checking *c, const char *group, json_t *now)
{
    json_t *recorded = json_object_get(c->canary->root, group), *value;
    const char *key;

    now = json_object_get(now, group);
    json_object_foreach(recorded, key, value)
    {
        const json_t *other = json_object_get(now, key);

        if (!is_convention(c, key, other == NULL))
            check_fact(c, group, key, other, value);
    }
    json_object_foreach(now, key, value)
    {
        if (json_object_get(recorded, key) == NULL && !is_convention(c, key, true))
            check_fact(c, group, key, value, NULL);
    }
}

static trueno_status check_facts(checking *c, trueno_error *err)
{
    const trueno_allocator *allocator = c->m->options.allocator;
    apr_json j = {.buffer.allocator = allocator};
    json_t *now = NULL;
    char *text = NULL;
    size_t bytes = 0;
    trueno_status status;

    apr_json_open(&j, '{');
    apr_canary_put_facts(&j, c->m);
    apr_json_close(&j, '}');
    if ((status = apr_json_finish(&j, c->m->path, &text, &bytes, err)) < 0)
        return status;
    status = apr_json_parse(c->m->path, text, bytes, &now, err);
    trueno_release(allocator, text, bytes + 1);
    if (status < 0)
        return status;
    check_members(c, "config", now);
    check_members(c, "tokenizer", now);
    json_decref(now);
    return TRUENO_OK;
}

static double number(const json_t *t, const char *key)
{
    return json_number_value(json_object_get(t, key));
}

/* A difference in units of `unit`. */
static double in_units(double now, double recorded, double unit)
{
    const double d = fabs(now - recorded);

    return d == 0 ? 0 : d / unit; /* infinite for a unit of 0 */
}

/* By how much the values deviate from what was recorded of them. */
static double deviation(const apr_tensor_statistics *s, const json_t *t)
{
    const double std = number(t, "std"), span = number(t, "max") - number(t, "min");
    double most;

    if ((double)s->nans != number(t, "nan_count") ||
        (double)s->infinities != number(t, "inf_count"))
        return INFINITY;
    most = fmax(in_units(s->mean, number(t, "mean"), std), in_units(s->std, std, std));
    most = fmax(most, in_units(s->min, number(t, "min"), span));
    return fmax(most, in_units(s->max, number(t, "max"), span));
}

static bool same_shape(const apr_planned *p, const json_t *shape)
{
    bool same = json_array_size(shape) == (size_t)p->n_dims;

    for (int i = 0; same && i < p->n_dims; i++)
        same = json_integer_value(json_array_get(shape, (size_t)i)) == p->dims[i];
    return same;
}

static void say_shapes(checking *c, const apr_planned *p, const json_t *shape)
{
    char recorded[100], now[100] = "";
    size_t used = 0;

    for (int i = 0; i < p->n_dims; i++)
        used += (size_t)snprintf(now + used, sizeof now - used, "%s%lld", i > 0 ? ", " : "",
                                 (long long)p->dims[i]);
    value_text(shape, recorded);
    say(c, "shape [%s], recorded is %s", now, recorded);
}

/* The values of a tensor of the recorded shape. */
static trueno_status check_values(checking *c, const apr_canonical *canonical, const apr_planned *p,
                                  const json_t *t, trueno_error *err)
{
    apr_canonical_values values;
    const apr_tensor_statistics *s = &values.statistics;
    double most = 0;
    char crc[16];
    trueno_status status = apr_canonical_read(canonical, p, NULL, &values, err);

    if (status < 0)
        return status;
    (void)snprintf(crc, sizeof crc, "%08x", values.crc);
    if (strcmp(crc, json_string_value(json_object_get(t, "crc32"))) != 0) {
        most = apr_canonical_is_readable(p) && json_object_get(t, "mean") != NULL ? deviation(s, t)
                                                                                  : INFINITY;
        say(c,
            "values differ (%s, recorded is %s): mean %.6g std %.6g min %.6g max %.6g, recorded "
            "%.6g %.6g %.6g %.6g",
            crc, json_string_value(json_object_get(t, "crc32")), s->mean, s->std, s->min, s->max,
            number(t, "mean"), number(t, "std"), number(t, "min"), number(t, "max"));
    }
    tell(c, "tensor", p->name, c->detail[0] == '\0' || (c->tolerance > 0 && most <= c->tolerance),
         most);
    return TRUENO_OK;
}

static trueno_status check_tensors(checking *c, const apr_canonical *canonical, trueno_error *err)
{
    json_t *recorded = json_object_get(c->canary->root, "tensors"), *t;
    trueno_status status = TRUENO_OK;
    const char *name;

    for (size_t i = 0; i < canonical->plan.n && status == TRUENO_OK; i++) {
        const apr_planned *p = &canonical->plan.tensors[i];

        if ((t = json_object_get(recorded, p->name)) == NULL) {
            if (apr_canonical_is_table(p->name))
                continue;
            say(c, "is not in the canary");
            tell(c, "tensor", p->name, false, 0);
        } else if (!same_shape(p, json_object_get(t, "shape"))) {
            say_shapes(c, p, json_object_get(t, "shape"));
            tell(c, "tensor", p->name, false, 0);
        } else {
            status = check_values(c, canonical, p, t, err);
        }
    }
    if (status < 0)
        return status;
    json_object_foreach(recorded, name, t)
    {
        if (apr_canonical_find(canonical, name) != NULL || apr_canonical_is_table(name))
            continue;
        say(c, "is missing");
        tell(c, "tensor", name, false, 0);
    }
    return TRUENO_OK;
}

static const char *recorded_format(const apr_canary *c)
{
    const char *format = json_string_value(json_object_get(c->root, "source_format"));

    return format != NULL ? format : "";
}

trueno_status apr_canary_check(const apr_canary *canary, const apr_model *m, double tolerance,
                               int32_t threads, apr_canary_fn fn, void *user, apr_canary_sums *out,
                               trueno_error *err)
{
    checking c = {
        .canary = canary, .m = m, .tolerance = tolerance, .fn = fn, .user = user, .sums = out};
    apr_canonical canonical;
    trueno_status status;

    c.other_format = strncmp(m->format, recorded_format(canary), 4) != 0;
    *out = (apr_canary_sums){0};
    if ((status = apr_canonical_open(&canonical, m, threads, err)) == TRUENO_OK &&
        (status = check_facts(&c, err)) == TRUENO_OK)
        status = check_tensors(&c, &canonical, err);
    apr_canonical_close(&canonical);
    return status;
}
