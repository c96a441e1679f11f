/* SPDX-License-Identifier: MIT */
/* Filters that compare items: sort, unique, min, max, sum, groupby, dictsort. */
#include "jinja/filters.h"

#include <string.h>

/* Text compares without case unless asked for. */
static jinja_value fold(jinja_context *c, jinja_value v, bool case_sensitive)
{
    return v.kind == JINJA_STRING && !case_sensitive ? jinja_str_lower(c, v, NULL, NULL) : v;
}

/* The key of an item under "a.b" or, for sort, "a,b": one value, or a list of several. */
static jinja_value sort_key(jinja_context *c, jinja_value item, jinja_value paths,
                            bool case_sensitive)
{
    const jinja_value nothing = {.kind = JINJA_MISSING};
    const jinja_string *text;
    jinja_value keys;
    size_t begin = 0;

    if (paths.kind != JINJA_STRING ||
        memchr(paths.as.string->bytes, ',', paths.as.string->length) == NULL)
        return fold(c, jinja_get_path(c, item, paths, nothing), case_sensitive);
    text = paths.as.string;
    keys = jinja_list(c, 2);
    while (begin <= text->length && !c->failed) {
        const char *comma = memchr(text->bytes + begin, ',', text->length - begin);
        size_t end = comma == NULL ? text->length : (size_t)(comma - text->bytes);
        jinja_value path = jinja_from_string(jinja_substring(c, text, begin, end));

        jinja_push(c, keys, fold(c, jinja_get_path(c, item, path, nothing), case_sensitive));
        begin = end + 1;
    }
    return keys;
}

/* Pairs of (key, item), merged by key: stable, also in reverse. */
static void merge(jinja_context *c, const jinja_pair *from, jinja_pair *to, size_t begin,
                  size_t middle, size_t end, bool reverse)
{
    size_t a = begin, b = middle;

    for (size_t i = begin; i < end; i++) {
        bool second =
            a == middle || (b < end && (reverse ? jinja_less(c, from[a].key, from[b].key)
                                                : jinja_less(c, from[b].key, from[a].key)));

        to[i] = second ? from[b++] : from[a++];
    }
}

static jinja_pair *sort_pairs(jinja_context *c, jinja_pair *pairs, size_t n, bool reverse)
{
    jinja_pair *other = jinja_alloc(c, n + 1, sizeof *other);

    for (size_t width = 1; other != NULL && width < n && jinja_spend(c, n); width *= 2) {
        jinja_pair *swap = pairs;

        for (size_t begin = 0; begin < n; begin += 2 * width) {
            size_t middle = begin + width < n ? begin + width : n;
            size_t end = begin + 2 * width < n ? begin + 2 * width : n;

            merge(c, pairs, other, begin, middle, end, reverse);
        }
        pairs = other;
        other = swap;
    }
    return pairs;
}

static jinja_pair *keyed(jinja_context *c, const jinja_sequence *items, jinja_value path,
                         bool case_sensitive, jinja_value fallback)
{
    jinja_pair *pairs = items == NULL ? NULL : jinja_alloc(c, items->n + 1, sizeof *pairs);

    for (size_t i = 0; pairs != NULL && i < items->n && jinja_spend(c, 1); i++) {
        pairs[i].key =
            fallback.kind == JINJA_MISSING
                ? sort_key(c, items->items[i], path, case_sensitive)
                : fold(c, jinja_get_path(c, items->items[i], path, fallback), case_sensitive);
        pairs[i].value = items->items[i];
    }
    return c->failed ? NULL : pairs;
}

static JINJA_ROW_FUNCTION(run_sort)
{
    const jinja_sequence *items = jinja_iterate(c, self);
    jinja_pair *pairs =
        keyed(c, items, argv[2], jinja_truth(argv[1]), (jinja_value){.kind = JINJA_MISSING});
    jinja_value out = jinja_list(c, items != NULL ? items->n : 0);

    if (pairs == NULL)
        return out;
    pairs = sort_pairs(c, pairs, items->n, jinja_truth(argv[0]));
    for (size_t i = 0; i < items->n && !c->failed; i++)
        jinja_push(c, out, pairs[i].value);
    return out;
}

static JINJA_ROW_FUNCTION(run_dictsort)
{
    bool by_value = false, case_sensitive = jinja_truth(argv[0]);
    const jinja_dict *dict = self.as.dict;
    jinja_value out = jinja_list(c, 0);
    jinja_pair *pairs;

    if (self.kind != JINJA_DICT)
        return self.kind == JINJA_UNDEFINED
                   ? jinja_raise_undefined(c, self)
                   : jinja_raise(c, "dictsort needs a dict, not %s", jinja_type_name(self));
    if (argv[1].kind == JINJA_STRING && jinja_string_is(argv[1].as.string, "value"))
        by_value = true;
    else if (argv[1].kind != JINJA_MISSING &&
             !(argv[1].kind == JINJA_STRING && jinja_string_is(argv[1].as.string, "key")))
        return jinja_raise(c, "you can only sort by either \"key\" or \"value\"");
    pairs = jinja_alloc(c, dict->n + 1, sizeof *pairs);
    for (size_t i = 0; pairs != NULL && i < dict->n && jinja_spend(c, 1); i++) {
        pairs[i].key =
            fold(c, by_value ? dict->pairs[i].value : dict->pairs[i].key, case_sensitive);
        pairs[i].value = jinja_pair_of(c, dict->pairs[i].key, dict->pairs[i].value);
    }
    if (c->failed)
        return out;
    pairs = sort_pairs(c, pairs, dict->n, jinja_truth(argv[2]));
    for (size_t i = 0; i < dict->n && !c->failed; i++)
        jinja_push(c, out, pairs[i].value);
    return out;
}

static JINJA_ROW_FUNCTION(run_unique)
{
    const jinja_sequence *items = jinja_iterate(c, self);
    jinja_value out = jinja_lazy_of(c, JINJA_GENERATOR, 0);
    jinja_dict *seen = jinja_dict_new(c);

    for (size_t i = 0; items != NULL && i < items->n && jinja_spend(c, 1); i++) {
        jinja_value key = fold(c, jinja_get_path(c, items->items[i], argv[1], (jinja_value){0}),
                               jinja_truth(argv[0]));

        if (!jinja_hashable(c, key) || jinja_dict_get(c, seen, key) != NULL)
            continue;
        jinja_dict_set(c, seen, key, jinja_none());
        jinja_push(c, out, items->items[i]);
    }
    return out;
}

static jinja_value extreme(jinja_context *c, jinja_value self, const jinja_value *argv, bool most)
{
    const jinja_sequence *items = jinja_iterate(c, self);
    jinja_pair *pairs =
        keyed(c, items, argv[1], jinja_truth(argv[0]), (jinja_value){.kind = JINJA_NONE});
    size_t best = 0;

    if (pairs == NULL)
        return jinja_none();
    if (items->n == 0)
        return jinja_undefined_hint(c, "no aggregated item, sequence was empty");
    for (size_t i = 1; i < items->n && jinja_spend(c, 1); i++)
        if (most ? jinja_less(c, pairs[best].key, pairs[i].key)
                 : jinja_less(c, pairs[i].key, pairs[best].key))
            best = i;
    return pairs[best].value;
}

static JINJA_ROW_FUNCTION(run_min)
{
    return extreme(c, self, argv, false);
}

static JINJA_ROW_FUNCTION(run_max)
{
    return extreme(c, self, argv, true);
}

static JINJA_ROW_FUNCTION(run_sum)
{
    const jinja_sequence *items = jinja_iterate(c, self);
    jinja_value sum = argv[1].kind == JINJA_MISSING ? jinja_int(0) : argv[1];

    if (sum.kind == JINJA_STRING)
        return jinja_raise(c, "sum() can't sum strings [use ''.join(seq) instead]");
    for (size_t i = 0; items != NULL && i < items->n && jinja_spend(c, 1); i++)
        sum = jinja_add(c, sum, jinja_get_path(c, items->items[i], argv[0], (jinja_value){0}));
    return sum;
}

static JINJA_ROW_FUNCTION(run_groupby)
{
    const jinja_sequence *items = jinja_iterate(c, self);
    jinja_value fallback = argv[1].kind == JINJA_MISSING ? jinja_none() : argv[1];
    jinja_pair *pairs = keyed(c, items, argv[0], jinja_truth(argv[2]), fallback);
    jinja_value out = jinja_list(c, 0), group = jinja_none();

    if (pairs == NULL)
        return out;
    pairs = sort_pairs(c, pairs, items->n, false);
    for (size_t i = 0; i < items->n && jinja_spend(c, 1); i++) {
        if (i == 0 || !jinja_equal(c, pairs[i].key, pairs[i - 1].key)) {
            group = jinja_list(c, 0);
            jinja_push(
                c, out,
                jinja_pair_of(c, jinja_get_path(c, pairs[i].value, argv[0], fallback), group));
        }
        if (!c->failed)
            jinja_push(c, group, pairs[i].value);
    }
    return out;
}

const jinja_callable JINJA_ORDER_FILTERS[] = {
    {"sort", run_sort, "reverse case_sensitive attribute", 0},
    {"dictsort", run_dictsort, "case_sensitive by reverse", 0},
    {"unique", run_unique, "case_sensitive attribute", 0},
    {"min", run_min, "case_sensitive attribute", 0},
    {"max", run_max, "case_sensitive attribute", 0},
    {"sum", run_sum, "attribute start", 0},
    {"groupby", run_groupby, "attribute default case_sensitive", 1},
    {NULL, NULL, NULL, 0},
};
