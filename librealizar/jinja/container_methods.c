/* SPDX-License-Identifier: MIT */
/* Methods of list, tuple, range and dict that change nothing. */
#include "jinja/methods.h"

static JINJA_ROW_FUNCTION(sequence_index)
{
    const jinja_sequence *s = self.as.sequence;
    int64_t bounds[2] = {0, (int64_t)s->n};

    for (int i = 0; i < 2; i++) {
        bounds[i] = jinja_want_int(c, argv[1 + i], bounds[i]);
        if (bounds[i] < 0)
            bounds[i] = bounds[i] < -(int64_t)s->n ? 0 : bounds[i] + (int64_t)s->n;
    }
    for (int64_t i = bounds[0]; i < bounds[1] && i < (int64_t)s->n && jinja_spend(c, 1); i++)
        if (jinja_equal(c, s->items[i], argv[0]))
            return jinja_int(i);
    return jinja_raise(c, "the value is not in the %s", jinja_type_name(self));
}

static JINJA_ROW_FUNCTION(sequence_count)
{
    const jinja_sequence *s = self.as.sequence;
    int64_t n = 0;

    for (size_t i = 0; i < s->n && jinja_spend(c, 1); i++)
        n += jinja_equal(c, s->items[i], argv[0]);
    return jinja_int(n);
}

static JINJA_ROW_FUNCTION(copy)
{
    return self; /* nothing can change it */
}

static JINJA_ROW_FUNCTION(dict_get)
{
    const jinja_value *found =
        jinja_hashable(c, argv[0]) ? jinja_dict_get(c, self.as.dict, argv[0]) : NULL;

    if (found != NULL)
        return *found;
    return argv[1].kind == JINJA_MISSING ? jinja_none() : argv[1];
}

static JINJA_ROW_FUNCTION(dict_keys)
{
    const jinja_dict *dict = self.as.dict;
    jinja_value view = jinja_lazy_of(c, JINJA_DICT_KEYS, dict->n);

    for (size_t i = 0; i < dict->n && !c->failed; i++)
        jinja_push(c, view, dict->pairs[i].key);
    return view;
}

static JINJA_ROW_FUNCTION(dict_values)
{
    const jinja_dict *dict = self.as.dict;
    jinja_value view = jinja_lazy_of(c, JINJA_DICT_VALUES, dict->n);

    for (size_t i = 0; i < dict->n && !c->failed; i++)
        jinja_push(c, view, dict->pairs[i].value);
    return view;
}

static JINJA_ROW_FUNCTION(dict_items)
{
    const jinja_dict *dict = self.as.dict;
    jinja_value view = jinja_lazy_of(c, JINJA_DICT_ITEMS, dict->n);

    for (size_t i = 0; i < dict->n && !c->failed; i++)
        jinja_push(c, view, jinja_pair_of(c, dict->pairs[i].key, dict->pairs[i].value));
    return view;
}

static JINJA_ROW_FUNCTION(dict_from_keys)
{
    const jinja_sequence *keys = jinja_iterate(c, argv[0]);
    jinja_dict *dict = jinja_dict_new(c);
    jinja_value value = argv[1].kind == JINJA_MISSING ? jinja_none() : argv[1];

    for (size_t i = 0; keys != NULL && i < keys->n && jinja_spend(c, 1); i++)
        jinja_dict_set(c, dict, keys->items[i], value);
    return jinja_from_dict(dict);
}

const jinja_callable JINJA_SEQUENCE_METHODS[] = {
    {"index", sequence_index, "value start stop", 1},
    {"count", sequence_count, "value", 1},
    {"copy", copy, "", 0},
    {NULL, NULL, NULL, 0},
};

const jinja_callable JINJA_DICT_METHODS[] = {
    {"get", dict_get, "key default", 1},
    {"items", dict_items, "", 0},
    {"keys", dict_keys, "", 0},
    {"values", dict_values, "", 0},
    {"copy", copy, "", 0},
    {"fromkeys", dict_from_keys, "iterable value", 1},
    {NULL, NULL, NULL, 0},
};
