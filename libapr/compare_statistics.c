/* SPDX-License-Identifier: MIT */
/* Statistics of a model's tensors against those of another model, or against recorded ones. */
#include <apr/compare.h>

#include "canonical.h"
#include "file_limits.h"
#include "json_read.h"
#include "names.h"
#include <math.h>
#include <string.h>

/* Mean and standard deviation before the percentiles. */
enum { MEAN, STD, FIRST_PERCENTILE, N_VALUES = FIRST_PERCENTILE + APR_PERCENTILES };

/* What is compared of one tensor. */
typedef struct print {
    int32_t n_dims;
    int64_t dims[4];
    bool has_values; /* else its type is read by nothing */
    uint64_t not_finite;
    double values[N_VALUES];
} print;

/* How far the tensors of a kind may be off, in parts of the threshold: a norm's few weights scale
 * whole channels, an embedding's rows of rare tokens hardly count. */
static const struct kind {
    const char *name;
    double factor;
} NORM = {"norm", 0.5}, EMBEDDING = {"embedding", 2}, WEIGHT = {"weight", 1};

/* One comparison. */
typedef struct comparing {
    const apr_compare_statistics_options *o;
    apr_canonical first, reference; /* the reference is a model, or */
    json_t *recorded;               /* a fingerprint, and */
    json_t *by_name;                /* its tensors */
    apr_percentiles percentiles;
    apr_statistics_fn fn;
    void *user;
    apr_statistics_sums *sums;
} comparing;

static const struct kind *kind_of(int32_t role)
{
    if (apr_role_is_norm(role))
        return &NORM;
    return role == APR_TOKEN_EMBEDDING || role == APR_OUTPUT ? &EMBEDDING : &WEIGHT;
}

static const char *value_name(int i)
{
    return i == MEAN ? "mean" : i == STD ? "std" : APR_PERCENTILE_KEYS[i - FIRST_PERCENTILE];
}

static trueno_status print_of(comparing *c, const apr_canonical *from, const apr_planned *p,
                              print *out, trueno_error *err)
{
    apr_canonical_values v;
    trueno_status status;

    *out = (print){.n_dims = p->n_dims, .has_values = apr_canonical_is_readable(p)};
    memcpy(out->dims, p->dims, sizeof out->dims);
    if (!out->has_values)
        return TRUENO_OK;
    if ((status = apr_canonical_read(from, p, &c->percentiles, &v, err)) < 0)
        return status;
    out->not_finite = v.statistics.nans + v.statistics.infinities;
    out->values[MEAN] = v.statistics.mean;
    out->values[STD] = v.statistics.std;
    for (int i = 0; i < APR_PERCENTILES; i++)
        out->values[FIRST_PERCENTILE + i] = (double)c->percentiles.value[i];
    return TRUENO_OK;
}

/* A fingerprint's norms are as its file stores them. */
static print recorded_print(const comparing *c, const json_t *t, const struct kind *kind)
{
    const double offset =
        kind == &NORM ? json_number_value(json_object_get(c->recorded, "norm_weight_offset")) : 0;
    const json_t *shape = json_object_get(t, "shape");
    print out = {.n_dims = (int32_t)json_array_size(shape),
                 .dims = {1, 1, 1, 1},
                 .has_values = json_object_get(t, "mean") != NULL};

    for (int i = 0; i < out.n_dims; i++)
        out.dims[i] = json_integer_value(json_array_get(shape, (size_t)i));
    out.not_finite = (uint64_t)(json_integer_value(json_object_get(t, "nan_count")) +
                                json_integer_value(json_object_get(t, "inf_count")));
    for (int i = 0; i < N_VALUES; i++)
        out.values[i] =
            json_number_value(json_object_get(t, value_name(i))) + (i == STD ? 0 : offset);
    return out;
}

/* What the reference has of a tensor; *found false where it has none. */
static trueno_status reference_print(comparing *c, const apr_planned *p, print *out, bool *found,
                                     trueno_error *err)
{
    const apr_planned *other;
    const json_t *t;

    if (c->recorded != NULL) {
        t = json_object_get(c->by_name, p->name);
        *found = t != NULL;
        if (*found)
            *out = recorded_print(c, t, kind_of(p->role));
        return TRUENO_OK;
    }
    other = apr_canonical_find(&c->reference, p->name);
    *found = other != NULL;
    return *found ? print_of(c, &c->reference, other, out, err) : TRUENO_OK;
}

static void tell(comparing *c, apr_statistics_difference *d)
{
    apr_statistics_sums *s = c->sums;

    d->level = d->deviation > d->threshold        ? APR_STATISTICS_BEYOND
               : d->deviation > d->threshold / 10 ? APR_STATISTICS_SUSPICIOUS
                                                  : APR_STATISTICS_NEAR;
    s->tensors++;
    s->beyond += d->level == APR_STATISTICS_BEYOND;
    s->suspicious += d->level == APR_STATISTICS_SUSPICIOUS;
    s->deviation = fmax(s->deviation, d->deviation);
    if (c->fn != NULL)
        c->fn(c->user, d);
}

/* The statistic that is farthest from the reference's, in its standard deviations. */
static void compare_prints(const print *now, const print *recorded, apr_statistics_difference *d)
{
    d->deviation = 0;
    d->what = value_name(MEAN);
    for (int i = 0; i < N_VALUES; i++) {
        const double distance = fabs(now->values[i] - recorded->values[i]);
        const double deviation = distance == 0 ? 0 : distance / recorded->values[STD];

        if (i > 0 && !(deviation > d->deviation))
            continue;
        d->deviation = deviation;
        d->what = value_name(i);
        d->value = now->values[i];
        d->reference = recorded->values[i];
    }
}

static trueno_status compare_tensor(comparing *c, const apr_planned *p, trueno_error *err)
{
    const struct kind *kind = kind_of(p->role);
    apr_statistics_difference d = {.name = p->name,
                                   .kind = kind->name,
                                   .deviation = INFINITY,
                                   .threshold = c->o->threshold * kind->factor};
    print now, recorded;
    bool found;
    trueno_status status = reference_print(c, p, &recorded, &found, err);

    if (status < 0 || (!found && apr_canonical_is_table(p->name)))
        return status;
    if ((status = print_of(c, &c->first, p, &now, err)) < 0)
        return status;
    if (!found) {
        d.what = "not in the reference";
    } else if (now.n_dims != recorded.n_dims ||
               memcmp(now.dims, recorded.dims, sizeof now.dims) != 0) {
        d.what = "another shape";
    } else if (now.has_values != recorded.has_values) {
        d.what = "a type without statistics";
    } else if (now.not_finite != recorded.not_finite) {
        d.what = "values that are not finite";
        d.value = (double)now.not_finite;
        d.reference = (double)recorded.not_finite;
    } else {
        compare_prints(&now, &recorded, &d);
    }
    tell(c, &d);
    return TRUENO_OK;
}

static void tell_missing(comparing *c, const char *name)
{
    apr_statistics_difference d = {.name = name,
                                   .kind = WEIGHT.name,
                                   .what = "missing",
                                   .deviation = INFINITY,
                                   .threshold = c->o->threshold};

    if (apr_name_matches(name, c->o->filter) && apr_canonical_find(&c->first, name) == NULL &&
        !apr_canonical_is_table(name))
        tell(c, &d);
}

static trueno_status compare_all(comparing *c, trueno_error *err)
{
    trueno_status status = TRUENO_OK;
    const char *name;
    json_t *t;

    for (size_t i = 0; i < c->first.plan.n && status == TRUENO_OK; i++)
        if (apr_name_matches(c->first.plan.tensors[i].name, c->o->filter))
            status = compare_tensor(c, &c->first.plan.tensors[i], err);
    if (status < 0)
        return status;
    for (size_t i = 0; i < c->reference.plan.n; i++)
        tell_missing(c, c->reference.plan.tensors[i].name);
    json_object_foreach(c->by_name, name, t)
    {
        tell_missing(c, name);
    }
    return TRUENO_OK;
}

/* One tensor of a fingerprint has what is compared. */
static bool is_print(const json_t *t)
{
    const json_t *shape = json_object_get(t, "shape");

    if (!json_is_string(json_object_get(t, "name")) || json_array_size(shape) == 0 ||
        json_array_size(shape) > APR_LIMIT_DIMS)
        return false;
    for (int i = 0; i < N_VALUES && json_object_get(t, "mean") != NULL; i++)
        if (!json_is_number(json_object_get(t, value_name(i))))
            return false;
    return true;
}

static trueno_status read_fingerprint(comparing *c, const char *path, trueno_error *err)
{
    json_t *list;
    trueno_status status = apr_json_load(path, APR_LIMIT_INDEX_BYTES, true, &c->recorded, err);

    if (status < 0)
        return status;
    if (c->recorded == NULL)
        return trueno_fail(err, TRUENO_NOT_FOUND, "%s: No such file or directory", path);
    list = json_object_get(c->recorded, "tensors");
    c->by_name = json_object();
    if (!json_is_array(list))
        return trueno_fail(err, TRUENO_FORMAT, "%s: no fingerprint: it has no list of tensors",
                           path);
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *t = json_array_get(list, i);

        if (!is_print(t))
            return trueno_fail(err, TRUENO_FORMAT,
                               "%s: tensor %zu has no name, shape and statistics of a fingerprint",
                               path, i);
        if (json_object_set(c->by_name, json_string_value(json_object_get(t, "name")), t) != 0)
            return trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory for %zu tensors", path,
                               json_array_size(list));
    }
    return TRUENO_OK;
}

static trueno_status open_reference(comparing *c, trueno_error *err)
{
    const apr_compare_statistics_options *o = c->o;

    if (o->fingerprints != NULL)
        return read_fingerprint(c, o->fingerprints, err);
    return apr_canonical_open(&c->reference, o->reference, o->threads, err);
}

trueno_status apr_compare_statistics(const apr_model *m,
                                     const apr_compare_statistics_options *options,
                                     apr_statistics_fn fn, void *user, apr_statistics_sums *out,
                                     trueno_error *err)
{
    apr_compare_statistics_options o = {0};
    comparing c = {.o = &o, .fn = fn, .user = user, .sums = out};
    trueno_status status;

    memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    *out = (apr_statistics_sums){0};
    if ((o.reference == NULL) == (o.fingerprints == NULL))
        return trueno_fail(err, TRUENO_USAGE,
                           "%s: a reference model or a fingerprint is needed, and not both",
                           m->path);
    if ((status = apr_percentiles_init(&c.percentiles, m->options.allocator, m->path, err)) < 0)
        return status;
    if ((status = apr_canonical_open(&c.first, m, o.threads, err)) == TRUENO_OK &&
        (status = open_reference(&c, err)) == TRUENO_OK)
        status = compare_all(&c, err);
    apr_canonical_close(&c.first);
    apr_canonical_close(&c.reference);
    json_decref(c.by_name);
    json_decref(c.recorded);
    apr_percentiles_free(&c.percentiles);
    return status;
}
