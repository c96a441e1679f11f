/* SPDX-License-Identifier: MIT */
/* object.name, object[key] and object[a:b:c]. */
#include "jinja/run.h"

#include "jinja/unicode.h"

/* "dict object", as messages about missing attributes say */
static const char *owner_name(jinja_value v)
{
    switch (v.kind) {
    case JINJA_NONE:
        return "None";
    case JINJA_BOOL:
        return "bool object";
    case JINJA_INT:
        return "int object";
    case JINJA_FLOAT:
        return "float object";
    case JINJA_STRING:
        return "str object";
    case JINJA_LIST:
        return "list object";
    case JINJA_TUPLE:
        return "tuple object";
    case JINJA_DICT:
        return "dict object";
    case JINJA_NAMESPACE:
        return "namespace object";
    default:
        return "object";
    }
}

/* Methods that would change their object; the immutable sandbox knows them, but refuses them. */
static bool is_mutator(jinja_kind kind, const jinja_string *name)
{
    static const char *const LIST[] = {"append", "clear",  "pop",    "reverse", "insert",
                                       "sort",   "extend", "remove", NULL};
    static const char *const DICT[] = {"clear", "pop", "popitem", "setdefault", "update", NULL};
    const char *const *names = kind == JINJA_LIST ? LIST : kind == JINJA_DICT ? DICT : NULL;

    for (; names != NULL && *names != NULL; names++)
        if (jinja_string_is(name, *names))
            return true;
    return false;
}

static const jinja_callable *methods_of(jinja_value v)
{
    switch (v.kind) {
    case JINJA_STRING:
        return JINJA_STRING_METHODS;
    case JINJA_LIST:
    case JINJA_TUPLE:
        return JINJA_SEQUENCE_METHODS;
    case JINJA_LAZY:
        return v.as.sequence->lazy == JINJA_RANGE ? JINJA_SEQUENCE_METHODS : NULL;
    case JINJA_DICT:
        return JINJA_DICT_METHODS;
    case JINJA_LOOP:
        return JINJA_LOOP_METHODS;
    case JINJA_CYCLER:
        return JINJA_CYCLER_METHODS;
    default:
        return NULL;
    }
}

static jinja_value bind_method(jinja_context *c, jinja_value self, const jinja_callable *row)
{
    jinja_method *method = jinja_alloc(c, 1, sizeof *method);

    if (method == NULL)
        return jinja_none();
    *method = (jinja_method){.self = self, .row = row};
    return (jinja_value){.kind = JINJA_METHOD, .as.method = method};
}

static jinja_value macro_attribute(jinja_context *c, const jinja_macro *macro,
                                   const jinja_string *name)
{
    const jinja_node *node = macro->node;
    jinja_value names;

    if (jinja_string_is(name, "name"))
        return macro->name != NULL ? jinja_from_string(macro->name) : jinja_none();
    if (jinja_string_is(name, "caller"))
        return jinja_bool(node->caller != NULL);
    if (jinja_string_is(name, "catch_kwargs"))
        return jinja_bool(node->kwargs != NULL);
    if (jinja_string_is(name, "catch_varargs"))
        return jinja_bool(node->varargs != NULL);
    if (!jinja_string_is(name, "arguments"))
        return (jinja_value){.kind = JINJA_MISSING};
    names = jinja_tuple(c, node->parameters.n);
    for (size_t i = 0; i < node->parameters.n; i++)
        jinja_push(c, names, jinja_from_string(node->parameters.items[i]->name));
    return names;
}

/* What Python finds as an attribute, dictionaries' keys apart; MISSING when nothing. */
static jinja_value python_attribute(jinja_context *c, jinja_value v, const jinja_string *name)
{
    const jinja_callable *table = methods_of(v), *row;
    const jinja_value *found;
    jinja_value attribute = {.kind = JINJA_MISSING};

    if (v.kind == JINJA_NAMESPACE) {
        found = jinja_dict_find(v.as.dict, name->bytes, name->length);
        return found != NULL ? *found : attribute;
    }
    if (v.kind == JINJA_MACRO)
        return macro_attribute(c, v.as.macro, name);
    if (v.kind == JINJA_LOOP)
        attribute = jinja_loop_attribute(c, v.as.loop, name);
    if (v.kind == JINJA_CYCLER && jinja_string_is(name, "current"))
        attribute = v.as.cycler->items->items[v.as.cycler->position % v.as.cycler->items->n];
    if (attribute.kind != JINJA_MISSING || table == NULL)
        return attribute;
    row = jinja_find_row(table, name->bytes, name->length);
    return row != NULL ? bind_method(c, v, row) : attribute;
}

static jinja_value refuse_mutator(jinja_context *c, jinja_value v, const jinja_string *name)
{
    jinja_builder b = {.c = c};

    jinja_append_format(&b,
                        "access to attribute '%.*s' of '%s' object is unsafe: a template "
                        "cannot change a list or dict",
                        (int)name->length, name->bytes, jinja_type_name(v));
    jinja_append_bytes(&b, "", 1, false);
    return jinja_undefined_hint(c, c->failed ? "" : b.bytes);
}

jinja_value jinja_getattr(jinja_context *c, jinja_value v, jinja_value name)
{
    const jinja_string *text = name.as.string;
    const jinja_value *item;
    jinja_value attribute;

    if (v.kind == JINJA_UNDEFINED)
        return jinja_raise_undefined(c, v);
    if (is_mutator(v.kind, text))
        return refuse_mutator(c, v, text);
    attribute = python_attribute(c, v, text);
    if (attribute.kind != JINJA_MISSING)
        return attribute;
    if (v.kind == JINJA_DICT) {
        item = jinja_dict_find(v.as.dict, text->bytes, text->length);
        if (item != NULL)
            return *item;
    }
    return jinja_undefined_name(c, owner_name(v), name);
}

static bool is_indexable(jinja_value v)
{
    return v.kind == JINJA_LIST || v.kind == JINJA_TUPLE || v.kind == JINJA_STRING ||
           (v.kind == JINJA_LAZY && v.as.sequence->lazy == JINJA_RANGE);
}

static jinja_value item_at(jinja_context *c, jinja_value v, int64_t index, jinja_value key)
{
    int64_t n = jinja_length(v);
    size_t begin;

    if (index < 0)
        index += n;
    if (index < 0 || index >= n)
        return jinja_undefined_name(c, owner_name(v), key);
    if (v.kind != JINJA_STRING)
        return v.as.sequence->items[index];
    if (!jinja_spend(c, (uint64_t)index / 64))
        return jinja_none();
    begin = jinja_char_offset(v.as.string, (size_t)index);
    return jinja_from_string(jinja_substring(c, v.as.string, begin,
                                             begin + jinja_char_bytes(v.as.string->bytes + begin)));
}

jinja_value jinja_getitem(jinja_context *c, jinja_value v, jinja_value key)
{
    const jinja_value *item;
    jinja_value attribute = {.kind = JINJA_MISSING};
    int64_t index;

    if (c->failed)
        return jinja_none();
    if (v.kind == JINJA_UNDEFINED)
        return jinja_raise_undefined(c, v);
    if (v.kind == JINJA_DICT && key.kind != JINJA_LIST && key.kind != JINJA_DICT) {
        item = jinja_dict_get(c, v.as.dict, key);
        if (item != NULL)
            return *item;
    }
    if (is_indexable(v) && jinja_index(key, &index))
        return item_at(c, v, index, key);
    if (key.kind == JINJA_STRING) {
        if (is_mutator(v.kind, key.as.string))
            return refuse_mutator(c, v, key.as.string);
        attribute = python_attribute(c, v, key.as.string);
    }
    return attribute.kind != JINJA_MISSING ? attribute
                                           : jinja_undefined_name(c, owner_name(v), key);
}

/* Python's slice.indices(): start and count of the items that a slice takes. */
static bool slice_bounds(jinja_context *c, const jinja_value bounds[3], int64_t n, int64_t *start,
                         int64_t *step, int64_t *count)
{
    int64_t stop, given[3];
    bool has[3];

    for (int i = 0; i < 3; i++) {
        has[i] = bounds[i].kind != JINJA_NONE;
        if (has[i] && !jinja_index(bounds[i], &given[i])) {
            jinja_raise(c, "slice indices must be integers or None");
            return false;
        }
    }
    *step = has[2] ? given[2] : 1;
    if (*step == 0 || *step == INT64_MIN) {
        jinja_raise(c, "slice step cannot be zero");
        return false;
    }
    for (int i = 0; i < 2; i++)
        if (has[i]) {
            if (given[i] < 0)
                given[i] = given[i] < -n ? -1 : given[i] + n;
            if (given[i] < 0)
                given[i] = *step < 0 ? -1 : 0;
            if (given[i] >= n)
                given[i] = *step < 0 ? n - 1 : n;
        }
    *start = has[0] ? given[0] : *step < 0 ? n - 1 : 0;
    stop = has[1] ? given[1] : *step < 0 ? -1 : n;
    if (*step > 0)
        *count = stop > *start ? (stop - *start - 1) / *step + 1 : 0;
    else
        *count = stop < *start ? (*start - stop - 1) / -*step + 1 : 0;
    return true;
}

static jinja_value slice_string(jinja_context *c, const jinja_string *s, int64_t start,
                                int64_t step, int64_t count)
{
    jinja_builder b = {.c = c};
    const jinja_sequence *chars;
    size_t begin;

    if (!jinja_spend(c, s->length / 64))
        return jinja_none();
    if (step == 1 || count == 0) {
        begin = jinja_char_offset(s, (size_t)(count == 0 ? 0 : start));
        s = jinja_substring(c, s, begin, s->length);
        return jinja_from_string(jinja_substring(c, s, 0, jinja_char_offset(s, (size_t)count)));
    }
    chars = jinja_iterate(c, jinja_from_string(s));
    for (int64_t i = 0; i < count && !c->failed; i++)
        jinja_append_string(&b, chars->items[start + i * step].as.string);
    return jinja_from_string(jinja_with_safety(c, jinja_built(&b), s->safe));
}

static jinja_value slice_sequence(jinja_context *c, jinja_value v, int64_t start, int64_t step,
                                  int64_t count)
{
    const jinja_sequence *from = v.as.sequence;
    jinja_value out = v.kind == JINJA_TUPLE  ? jinja_tuple(c, 0)
                      : v.kind == JINJA_LIST ? jinja_list(c, 0)
                                             : jinja_lazy_of(c, JINJA_RANGE, 0);
    int64_t *bounds;

    if (c->failed)
        return out;
    if (v.kind == JINJA_LAZY) {
        bounds = jinja_alloc(c, 3, sizeof *bounds);
        if (bounds == NULL)
            return out;
        bounds[0] = from->bounds[0] + start * from->bounds[2];
        bounds[2] = from->bounds[2] * step;
        bounds[1] = bounds[0] + count * bounds[2];
        out.as.sequence->bounds = bounds;
    }
    out.as.sequence->from_user = from->from_user;
    if (step == 1 && count > 0) { /* immutable, so the items can be shared */
        out.as.sequence->items = from->items + start;
        out.as.sequence->n = out.as.sequence->capacity = (size_t)count;
        return out;
    }
    for (int64_t i = 0; i < count && !c->failed; i++)
        jinja_push(c, out, from->items[start + i * step]);
    return out;
}

jinja_value jinja_slice(jinja_context *c, jinja_value v, const jinja_value bounds[3])
{
    int64_t start, step, count;

    if (c->failed)
        return jinja_none();
    if (v.kind == JINJA_UNDEFINED)
        return jinja_raise_undefined(c, v);
    if (v.kind == JINJA_DICT)
        return jinja_raise(c, "unhashable type: 'slice'");
    if (!is_indexable(v))
        return jinja_raise(c, "'%s' object is not subscriptable", jinja_type_name(v));
    if (!slice_bounds(c, bounds, jinja_length(v), &start, &step, &count))
        return jinja_none();
    return v.kind == JINJA_STRING ? slice_string(c, v.as.string, start, step, count)
                                  : slice_sequence(c, v, start, step, count);
}
