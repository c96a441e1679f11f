/* SPDX-License-Identifier: MIT */
/* Global functions: range, dict, namespace, cycler, joiner, raise_exception, strftime_now. */
#include "jinja/value.h"

#include <string.h>
#include <time.h>

enum { MAX_RANGE = 100000 }; /* the sandbox's */

static jinja_value run_range(jinja_context *c, jinja_value self, const jinja_value *argv,
                             const jinja_args *raw)
{
    int64_t bounds[3] = {0, 0, 1}, count = 0;
    jinja_value range;
    int64_t *kept;

    for (size_t i = 0; i < 3 && argv[i].kind != JINJA_MISSING; i++)
        if (!jinja_index(argv[i], &bounds[i]))
            return argv[i].kind == JINJA_UNDEFINED
                       ? jinja_raise_undefined(c, argv[i])
                       : jinja_raise(c, "'%s' object cannot be interpreted as an integer",
                                     jinja_type_name(argv[i]));
    if (argv[1].kind == JINJA_MISSING) {
        bounds[1] = bounds[0];
        bounds[0] = 0;
    }
    if (bounds[2] == 0)
        return jinja_raise(c, "range() arg 3 must not be zero");
    if (bounds[2] > 0 ? bounds[1] > bounds[0] : bounds[1] < bounds[0]) {
        uint64_t span = bounds[2] > 0 ? (uint64_t)bounds[1] - (uint64_t)bounds[0]
                                      : (uint64_t)bounds[0] - (uint64_t)bounds[1];
        uint64_t step = bounds[2] > 0 ? (uint64_t)bounds[2] : 0 - (uint64_t)bounds[2];

        if ((span - 1) / step >= MAX_RANGE)
            return jinja_raise(c, "range too big: the sandbox allows %d items", MAX_RANGE);
        count = (int64_t)((span - 1) / step) + 1;
    }
    range = jinja_lazy_of(c, JINJA_RANGE, (size_t)count);
    kept = jinja_alloc(c, 3, sizeof *kept);
    if (kept == NULL)
        return jinja_none();
    memcpy(kept, bounds, sizeof bounds);
    range.as.sequence->bounds = kept;
    for (int64_t i = 0; i < count && !c->failed; i++)
        jinja_push(c, range, jinja_int(bounds[0] + i * bounds[2]));
    return range;
}

/* Pairs of a mapping, or of an iterable of pairs, into `dict`. */
static void update(jinja_context *c, jinja_dict *dict, jinja_value from)
{
    const jinja_sequence *pairs;

    if (from.kind == JINJA_DICT) {
        for (size_t i = 0; i < from.as.dict->n && jinja_spend(c, 1); i++)
            jinja_dict_set(c, dict, from.as.dict->pairs[i].key, from.as.dict->pairs[i].value);
        return;
    }
    pairs = jinja_iterate(c, from);
    for (size_t i = 0; pairs != NULL && i < pairs->n && jinja_spend(c, 1); i++) {
        const jinja_sequence *pair = jinja_iterate(c, pairs->items[i]);

        if (pair == NULL || pair->n != 2) {
            jinja_raise(c, "dictionary update sequence element #%zu is not a pair", i);
            return;
        }
        jinja_dict_set(c, dict, pair->items[0], pair->items[1]);
    }
}

static jinja_dict *dict_of(jinja_context *c, const char *name, const jinja_args *raw)
{
    jinja_dict *dict = jinja_dict_new(c);

    if (raw->n > 1)
        jinja_raise(c, "%s expected at most 1 argument, got %zu", name, raw->n);
    if (raw->n == 1)
        update(c, dict, raw->items[0]);
    for (size_t i = 0; i < raw->n_named && !c->failed; i++)
        jinja_dict_set(c, dict, raw->named[i].key, raw->named[i].value);
    return dict;
}

static jinja_value run_dict(jinja_context *c, jinja_value self, const jinja_value *argv,
                            const jinja_args *raw)
{
    return jinja_from_dict(dict_of(c, "dict", raw));
}

static jinja_value run_namespace(jinja_context *c, jinja_value self, const jinja_value *argv,
                                 const jinja_args *raw)
{
    jinja_dict *dict = dict_of(c, "namespace", raw);

    for (size_t i = 0; i < dict->n && !c->failed; i++) {
        jinja_value key = dict->pairs[i].key;

        if (key.kind == JINJA_STRING && key.as.string->length > 0 && key.as.string->bytes[0] == '_')
            jinja_raise(c, "a namespace cannot store '%.*s': the name begins with an underscore",
                        (int)key.as.string->length, key.as.string->bytes);
    }
    return (jinja_value){.kind = JINJA_NAMESPACE, .as.dict = dict};
}

static jinja_value new_cycler(jinja_context *c, jinja_kind kind, jinja_value items,
                              jinja_value separator)
{
    jinja_cycler *cycler = jinja_alloc(c, 1, sizeof *cycler);

    if (cycler == NULL)
        return jinja_none();
    cycler->items = items.as.sequence;
    cycler->separator = separator;
    return (jinja_value){.kind = kind, .as.cycler = cycler};
}

static jinja_value run_cycler(jinja_context *c, jinja_value self, const jinja_value *argv,
                              const jinja_args *raw)
{
    jinja_value items = jinja_list(c, raw->n);

    if (raw->n == 0)
        return jinja_raise(c, "at least one item has to be provided");
    for (size_t i = 0; i < raw->n; i++)
        jinja_push(c, items, raw->items[i]);
    return new_cycler(c, JINJA_CYCLER, items, jinja_none());
}

static jinja_value run_joiner(jinja_context *c, jinja_value self, const jinja_value *argv,
                              const jinja_args *raw)
{
    return new_cycler(c, JINJA_JOINER, jinja_list(c, 0),
                      argv[0].kind == JINJA_MISSING ? jinja_text(c, ", ") : argv[0]);
}

static jinja_value cycler_next(jinja_context *c, jinja_value self, const jinja_value *argv,
                               const jinja_args *raw)
{
    jinja_cycler *cycler = self.as.cycler;

    return cycler->items->items[cycler->position++ % cycler->items->n];
}

static jinja_value cycler_reset(jinja_context *c, jinja_value self, const jinja_value *argv,
                                const jinja_args *raw)
{
    self.as.cycler->position = 0;
    return jinja_none();
}

static jinja_value run_raise_exception(jinja_context *c, jinja_value self, const jinja_value *argv,
                                       const jinja_args *raw)
{
    const jinja_string *message = jinja_str(c, argv[0]);

    jinja_fail(c, TRUENO_USAGE, "%.*s", (int)message->length, message->bytes);
    return jinja_none();
}

static jinja_value run_strftime_now(jinja_context *c, jinja_value self, const jinja_value *argv,
                                    const jinja_args *raw)
{
    char format[256], text[1024];
    time_t now = (time_t)c->now;
    struct tm tm;
    jinja_builder b = {.c = c};

    if (argv[0].kind != JINJA_STRING || argv[0].as.string->length >= sizeof format)
        return jinja_raise(c, "strftime_now() takes a format of less than 256 bytes");
    memcpy(format, argv[0].as.string->bytes, argv[0].as.string->length);
    format[argv[0].as.string->length] = '\0';
    if (localtime_r(&now, &tm) == NULL)
        return jinja_raise(c, "the time cannot be shown");
    jinja_append_bytes(&b, text, strftime(text, sizeof text, format, &tm),
                       jinja_has_marks(argv[0].as.string));
    return jinja_built_value(&b);
}

const jinja_callable JINJA_GLOBALS[] = {
    {"range", run_range, "start stop step", 1},
    {"dict", run_dict, "*", 0},
    {"namespace", run_namespace, "*", 0},
    {"cycler", run_cycler, "*", 0},
    {"joiner", run_joiner, "sep", 0},
    {"raise_exception", run_raise_exception, "message", 1},
    {"strftime_now", run_strftime_now, "format", 1},
    {"lipsum", NULL, "*", 0},
    {NULL, NULL, NULL, 0},
};

const jinja_callable JINJA_CYCLER_METHODS[] = {
    {"next", cycler_next, "", 0},
    {"reset", cycler_reset, "", 0},
    {NULL, NULL, NULL, 0},
};
