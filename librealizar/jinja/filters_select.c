/* SPDX-License-Identifier: MIT */
/* Filters that pick and transform items: map, select, first, slice, batch... */
#include "jinja/filters.h"

#include <string.h>

/* One part of a path: digits are an index. */
static jinja_value path_key(jinja_context *c, const jinja_string *path, size_t begin, size_t end)
{
    int64_t index = 0;
    bool number = end > begin && end - begin < 10;

    for (size_t i = begin; i < end && number; i++) {
        number = path->bytes[i] >= '0' && path->bytes[i] <= '9';
        index = index * 10 + (path->bytes[i] - '0');
    }
    return number ? jinja_int(index) : jinja_from_string(jinja_substring(c, path, begin, end));
}

jinja_value jinja_get_path(jinja_context *c, jinja_value item, jinja_value path,
                           jinja_value fallback)
{
    const jinja_string *text;
    bool has_fallback = fallback.kind != JINJA_MISSING && fallback.kind != JINJA_NONE;
    size_t begin = 0;

    if (path.kind == JINJA_NONE || path.kind == JINJA_MISSING)
        return item;
    if (path.kind != JINJA_STRING) {
        item = jinja_getitem(c, item, path);
        return item.kind == JINJA_UNDEFINED && has_fallback ? fallback : item;
    }
    text = path.as.string;
    while (begin <= text->length && !c->failed) {
        const char *dot = memchr(text->bytes + begin, '.', text->length - begin);
        size_t end = dot == NULL ? text->length : (size_t)(dot - text->bytes);

        item = jinja_getitem(c, item, path_key(c, text, begin, end));
        if (item.kind == JINJA_UNDEFINED && has_fallback)
            item = fallback;
        begin = end + 1;
    }
    return item;
}

static jinja_value map_attribute(jinja_context *c, const jinja_sequence *items,
                                 const jinja_args *raw)
{
    jinja_value path = {.kind = JINJA_MISSING}, fallback = {.kind = JINJA_MISSING};
    jinja_value out = jinja_lazy_of(c, JINJA_GENERATOR, items->n);

    for (size_t i = 0; i < raw->n_named; i++) {
        const jinja_string *name = raw->named[i].key.as.string;

        if (jinja_string_is(name, "attribute"))
            path = raw->named[i].value;
        else if (jinja_string_is(name, "default"))
            fallback = raw->named[i].value;
        else
            return jinja_raise(c, "unexpected keyword argument '%.*s'", (int)name->length,
                               name->bytes);
    }
    if (path.kind == JINJA_MISSING)
        return jinja_raise(c, "map requires a filter argument");
    for (size_t i = 0; i < items->n && jinja_spend(c, 1); i++)
        jinja_push(c, out, jinja_get_path(c, items->items[i], path, fallback));
    return out;
}

/* The row that the argument names; NULL with the error set. */
static const jinja_callable *named_row(jinja_context *c, jinja_value name, bool filter)
{
    const jinja_string *s = jinja_want_string(c, name);
    const jinja_callable *row;

    if (s == NULL)
        return NULL;
    row = filter ? jinja_find_filter(s->bytes, s->length)
                 : jinja_find_row(JINJA_TESTS, s->bytes, s->length);
    if (row == NULL)
        jinja_raise(c, "no %s named '%.*s'", filter ? "filter" : "test", (int)s->length, s->bytes);
    return row;
}

static JINJA_ROW_FUNCTION(run_map)
{
    const jinja_sequence *items;
    const jinja_callable *row;
    jinja_args rest = *raw;
    jinja_value out;

    if (!jinja_truth(self))
        return jinja_lazy_of(c, JINJA_GENERATOR, 0);
    items = jinja_iterate(c, self);
    if (items == NULL)
        return jinja_none();
    if (raw->n == 0)
        return map_attribute(c, items, raw);
    row = named_row(c, raw->items[0], true);
    rest.items++;
    rest.n--;
    out = jinja_lazy_of(c, JINJA_GENERATOR, items->n);
    for (size_t i = 0; row != NULL && i < items->n && jinja_spend(c, 1); i++)
        jinja_push(c, out, jinja_run_row(c, row, "filter", items->items[i], &rest));
    return out;
}

/* select, reject, selectattr and rejectattr: by a test (or truth) of the item or its attribute. */
static jinja_value pick(jinja_context *c, jinja_value self, const jinja_args *raw, bool attribute,
                        bool wanted)
{
    const jinja_sequence *items;
    const jinja_callable *row = NULL;
    jinja_args rest = *raw;
    jinja_value out = jinja_lazy_of(c, JINJA_GENERATOR, 0);
    size_t used = attribute;

    if (!jinja_truth(self))
        return out;
    items = jinja_iterate(c, self);
    if (raw->n < used)
        return jinja_raise(c, "missing parameter for attribute name");
    if (raw->n > used) {
        row = named_row(c, raw->items[used], false);
        rest.items += used + 1;
        rest.n -= used + 1;
    }
    for (size_t i = 0; items != NULL && i < items->n && jinja_spend(c, 1); i++) {
        jinja_value v = items->items[i];

        if (attribute)
            v = jinja_get_path(c, v, raw->items[0], (jinja_value){.kind = JINJA_MISSING});
        if (row != NULL)
            v = jinja_run_row(c, row, "test", v, &rest);
        if (jinja_truth(v) == wanted)
            jinja_push(c, out, items->items[i]);
    }
    return out;
}

static JINJA_ROW_FUNCTION(run_select)
{
    return pick(c, self, raw, false, true);
}

static JINJA_ROW_FUNCTION(run_reject)
{
    return pick(c, self, raw, false, false);
}

static JINJA_ROW_FUNCTION(run_selectattr)
{
    return pick(c, self, raw, true, true);
}

static JINJA_ROW_FUNCTION(run_rejectattr)
{
    return pick(c, self, raw, true, false);
}

static JINJA_ROW_FUNCTION(run_first)
{
    const jinja_sequence *items;

    if (self.kind == JINJA_LAZY && self.as.sequence->lazy == JINJA_GENERATOR) {
        jinja_sequence *s = self.as.sequence; /* takes one */

        return s->consumed < s->n ? s->items[s->consumed++]
                                  : jinja_undefined_hint(c, "no first item, sequence was empty");
    }
    items = jinja_iterate(c, self);
    if (items == NULL)
        return jinja_none();
    return items->n > 0 ? items->items[0]
                        : jinja_undefined_hint(c, "no first item, sequence was empty");
}

static JINJA_ROW_FUNCTION(run_last)
{
    const jinja_sequence *items;

    if (self.kind == JINJA_LAZY && self.as.sequence->lazy == JINJA_GENERATOR)
        return jinja_raise(c, "'generator' object is not reversible");
    items = jinja_iterate(c, self);
    if (items == NULL)
        return jinja_none();
    return items->n > 0 ? items->items[items->n - 1]
                        : jinja_undefined_hint(c, "no last item, sequence was empty");
}

static JINJA_ROW_FUNCTION(run_list)
{
    const jinja_sequence *items = jinja_iterate(c, self);
    jinja_value list = jinja_list(c, items != NULL ? items->n : 0);

    for (size_t i = 0; items != NULL && i < items->n && !c->failed; i++)
        jinja_push(c, list, items->items[i]);
    if (self.kind != JINJA_STRING && items != NULL && !c->failed)
        list.as.sequence->from_user = items->from_user;
    return list;
}

static JINJA_ROW_FUNCTION(run_items)
{
    jinja_value out = jinja_lazy_of(c, JINJA_GENERATOR, 0);

    if (self.kind == JINJA_UNDEFINED)
        return out;
    if (self.kind != JINJA_DICT)
        return jinja_raise(c, "can only get item pairs from a mapping");
    for (size_t i = 0; i < self.as.dict->n && !c->failed; i++)
        jinja_push(c, out,
                   jinja_pair_of(c, self.as.dict->pairs[i].key, self.as.dict->pairs[i].value));
    return out;
}

static JINJA_ROW_FUNCTION(run_reverse)
{
    static const jinja_value BACKWARDS[3] = {
        {.kind = JINJA_NONE}, {.kind = JINJA_NONE}, {.kind = JINJA_INT, .as.integer = -1}};
    const jinja_sequence *items;
    jinja_value out;

    if (self.kind == JINJA_STRING)
        return jinja_slice(c, self, BACKWARDS);
    items = jinja_iterate(c, self);
    out = jinja_lazy_of(c, JINJA_GENERATOR, items != NULL ? items->n : 0);
    for (size_t i = items != NULL ? items->n : 0; i-- > 0 && !c->failed;)
        jinja_push(c, out, items->items[i]);
    return out;
}

static JINJA_ROW_FUNCTION(run_batch)
{
    const jinja_sequence *items = jinja_iterate(c, self);
    int64_t size = jinja_want_int(c, argv[0], 0);
    jinja_value out = jinja_lazy_of(c, JINJA_GENERATOR, 0), row = jinja_list(c, 0);

    for (size_t i = 0; items != NULL && i < items->n && !c->failed; i++) {
        if ((int64_t)row.as.sequence->n == size) {
            jinja_push(c, out, row);
            row = jinja_list(c, 0);
        }
        jinja_push(c, row, items->items[i]);
    }
    if (row.as.sequence->n == 0 || c->failed)
        return out;
    while (argv[1].kind != JINJA_MISSING && argv[1].kind != JINJA_NONE &&
           (int64_t)row.as.sequence->n < size && !c->failed)
        jinja_push(c, row, argv[1]);
    jinja_push(c, out, row);
    return out;
}

static JINJA_ROW_FUNCTION(run_slice)
{
    const jinja_sequence *items = jinja_iterate(c, self);
    int64_t n_slices = jinja_want_int(c, argv[0], 0);
    jinja_value out = jinja_lazy_of(c, JINJA_GENERATOR, 0);
    size_t at = 0, each, extra;

    if (items == NULL || c->failed)
        return jinja_none();
    if (n_slices == 0)
        return jinja_raise(c, "integer division or modulo by zero");
    if (n_slices < 0)
        return out;
    each = items->n / (size_t)n_slices;
    extra = items->n % (size_t)n_slices;
    for (int64_t i = 0; i < n_slices && !c->failed; i++) {
        jinja_value part = jinja_list(c, 0);

        for (size_t k = 0; k < each + ((size_t)i < extra) && !c->failed; k++)
            jinja_push(c, part, items->items[at++]);
        if (argv[1].kind != JINJA_MISSING && argv[1].kind != JINJA_NONE && (size_t)i >= extra)
            jinja_push(c, part, argv[1]);
        jinja_push(c, out, part);
    }
    return out;
}

const jinja_callable JINJA_SELECT_FILTERS[] = {
    {"items", run_items, "", 0},
    {"list", run_list, "", 0},
    {"map", run_map, "*", 0},
    {"select", run_select, "*", 0},
    {"reject", run_reject, "*", 0},
    {"selectattr", run_selectattr, "*", 0},
    {"rejectattr", run_rejectattr, "*", 0},
    {"first", run_first, "", 0},
    {"last", run_last, "", 0},
    {"reverse", run_reverse, "", 0},
    {"batch", run_batch, "linecount fill_with", 1},
    {"slice", run_slice, "slices fill_with", 1},
    {"random", NULL, "*", 0},
    {NULL, NULL, NULL, 0},
};
