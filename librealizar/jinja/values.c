/* SPDX-License-Identifier: MIT */
/* Making values, and what Python says of them: truth, length, iteration, names of types. */
#include "jinja/value.h"

#include "jinja/unicode.h"

#include <string.h>

jinja_value jinja_none(void)
{
    return (jinja_value){.kind = JINJA_NONE};
}

jinja_value jinja_bool(bool boolean)
{
    return (jinja_value){.kind = JINJA_BOOL, .as.boolean = boolean};
}

jinja_value jinja_int(int64_t integer)
{
    return (jinja_value){.kind = JINJA_INT, .as.integer = integer};
}

jinja_value jinja_float(double number)
{
    return (jinja_value){.kind = JINJA_FLOAT, .as.number = number};
}

jinja_value jinja_from_string(const jinja_string *s)
{
    return (jinja_value){.kind = JINJA_STRING, .as.string = s};
}

jinja_value jinja_from_dict(jinja_dict *dict)
{
    return (jinja_value){.kind = JINJA_DICT, .as.dict = dict};
}

jinja_value jinja_text(jinja_context *c, const char *text)
{
    return jinja_from_string(jinja_string_over(c, text, strlen(text), false));
}

static jinja_value new_undefined(jinja_context *c, const char *hint, const char *owner,
                                 jinja_value name)
{
    jinja_undefined *u = jinja_alloc(c, 1, sizeof *u);

    if (u != NULL)
        *u = (jinja_undefined){.hint = hint, .owner = owner, .name = name};
    return (jinja_value){.kind = JINJA_UNDEFINED, .as.undefined = u};
}

jinja_value jinja_undefined_hint(jinja_context *c, const char *hint)
{
    return new_undefined(c, hint, NULL, jinja_none());
}

jinja_value jinja_undefined_name(jinja_context *c, const char *owner, jinja_value name)
{
    return new_undefined(c, NULL, owner, name);
}

jinja_value jinja_raise_undefined(jinja_context *c, jinja_value v)
{
    const jinja_undefined *u = v.as.undefined;
    jinja_builder b = {.c = c};
    const jinja_string *name;

    if (c->failed || u == NULL)
        return jinja_none();
    if (u->hint != NULL)
        return jinja_raise(c, "%s", u->hint);
    jinja_append_repr(&b, u->name);
    name = jinja_built(&b);
    if (u->owner == NULL)
        return jinja_raise(c, "%.*s is undefined", (int)name->length, name->bytes);
    return jinja_raise(c, "'%s' has no %s %.*s", u->owner,
                       u->name.kind == JINJA_STRING ? "attribute" : "element", (int)name->length,
                       name->bytes);
}

static jinja_value new_sequence(jinja_context *c, jinja_kind kind, jinja_lazy lazy, size_t capacity)
{
    static jinja_sequence nothing; /* never written: capacity 0, and the context has failed */
    jinja_sequence *s = jinja_alloc(c, 1, sizeof *s);
    jinja_value v = {.kind = kind, .as.sequence = s};

    if (s == NULL) {
        v.as.sequence = &nothing;
        return v;
    }
    s->lazy = lazy;
    if (capacity > 0 && (s->items = jinja_alloc(c, capacity, sizeof *s->items)) != NULL)
        s->capacity = capacity;
    return v;
}

jinja_value jinja_list(jinja_context *c, size_t capacity)
{
    return new_sequence(c, JINJA_LIST, JINJA_NOT_LAZY, capacity);
}

jinja_value jinja_tuple(jinja_context *c, size_t capacity)
{
    return new_sequence(c, JINJA_TUPLE, JINJA_NOT_LAZY, capacity);
}

jinja_value jinja_lazy_of(jinja_context *c, jinja_lazy lazy, size_t capacity)
{
    return new_sequence(c, JINJA_LAZY, lazy, capacity);
}

void jinja_push(jinja_context *c, jinja_value sequence, jinja_value item)
{
    jinja_sequence *s = sequence.as.sequence;

    if (!jinja_spend(c, 1))
        return;
    if (!jinja_grow(c, &s->items, s->n, &s->capacity, sizeof *s->items, 8))
        return;
    s->items[s->n++] = item;
}

jinja_value jinja_pair_of(jinja_context *c, jinja_value a, jinja_value b)
{
    jinja_value pair = jinja_tuple(c, 2);

    jinja_push(c, pair, a);
    jinja_push(c, pair, b);
    return pair;
}

bool jinja_truth(jinja_value v)
{
    switch (v.kind) {
    case JINJA_MISSING:
    case JINJA_UNDEFINED:
    case JINJA_NONE:
        return false;
    case JINJA_BOOL:
        return v.as.boolean;
    case JINJA_INT:
        return v.as.integer != 0;
    case JINJA_FLOAT:
        return v.as.number != 0;
    case JINJA_STRING:
        return v.as.string->length > 0;
    case JINJA_LIST:
    case JINJA_TUPLE:
        return v.as.sequence->n > 0;
    case JINJA_LAZY:
        return v.as.sequence->lazy == JINJA_GENERATOR || v.as.sequence->n > 0;
    case JINJA_DICT:
        return v.as.dict->n > 0;
    default:
        return true;
    }
}

bool jinja_number(jinja_value v, double *number)
{
    switch (v.kind) {
    case JINJA_BOOL:
        *number = v.as.boolean;
        return true;
    case JINJA_INT:
        *number = (double)v.as.integer;
        return true;
    case JINJA_FLOAT:
        *number = v.as.number;
        return true;
    default:
        return false;
    }
}

bool jinja_index(jinja_value v, int64_t *index)
{
    if (v.kind == JINJA_BOOL)
        *index = v.as.boolean;
    else if (v.kind == JINJA_INT)
        *index = v.as.integer;
    else
        return false;
    return true;
}

const char *jinja_type_name(jinja_value v)
{
    static const char *const NAMES[] = {
        [JINJA_MISSING] = "Undefined",
        [JINJA_UNDEFINED] = "Undefined",
        [JINJA_NONE] = "NoneType",
        [JINJA_BOOL] = "bool",
        [JINJA_INT] = "int",
        [JINJA_FLOAT] = "float",
        [JINJA_STRING] = "str",
        [JINJA_LIST] = "list",
        [JINJA_TUPLE] = "tuple",
        [JINJA_LAZY] = "generator",
        [JINJA_DICT] = "dict",
        [JINJA_NAMESPACE] = "Namespace",
        [JINJA_MACRO] = "Macro",
        [JINJA_FUNCTION] = "function",
        [JINJA_METHOD] = "builtin_function_or_method",
        [JINJA_LOOP] = "LoopContext",
        [JINJA_CYCLER] = "Cycler",
        [JINJA_JOINER] = "Joiner",
    };
    static const char *const LAZY_NAMES[] = {
        [JINJA_NOT_LAZY] = "generator",    [JINJA_RANGE] = "range",
        [JINJA_DICT_KEYS] = "dict_keys",   [JINJA_DICT_VALUES] = "dict_values",
        [JINJA_DICT_ITEMS] = "dict_items", [JINJA_GENERATOR] = "generator",
    };

    return v.kind == JINJA_LAZY ? LAZY_NAMES[v.as.sequence->lazy] : NAMES[v.kind];
}

bool jinja_is_iterable(jinja_value v)
{
    return v.kind == JINJA_UNDEFINED || v.kind == JINJA_STRING || v.kind == JINJA_LIST ||
           v.kind == JINJA_TUPLE || v.kind == JINJA_LAZY || v.kind == JINJA_DICT ||
           v.kind == JINJA_LOOP;
}

int64_t jinja_length(jinja_value v)
{
    switch (v.kind) {
    case JINJA_UNDEFINED:
        return 0;
    case JINJA_STRING:
        return (int64_t)v.as.string->n_chars;
    case JINJA_LIST:
    case JINJA_TUPLE:
        return (int64_t)v.as.sequence->n;
    case JINJA_LAZY:
        return v.as.sequence->lazy == JINJA_GENERATOR ? -1 : (int64_t)v.as.sequence->n;
    case JINJA_DICT:
        return (int64_t)v.as.dict->n;
    default:
        return -1;
    }
}

static const jinja_sequence *characters(jinja_context *c, const jinja_string *s)
{
    jinja_value list = jinja_list(c, s->n_chars);

    s = jinja_with_safety(c, s, false); /* the characters of Markup are plain */
    for (size_t at = 0; at < s->length && !c->failed;) {
        size_t next = at + jinja_char_bytes(s->bytes + at);

        jinja_push(c, list, jinja_from_string(jinja_substring(c, s, at, next)));
        at = next;
    }
    return list.as.sequence;
}

static const jinja_sequence *rest_of_generator(jinja_context *c, jinja_sequence *s)
{
    jinja_sequence *rest = jinja_list(c, 0).as.sequence;

    if (c->failed)
        return NULL;
    if (s->consumed < s->n) {
        rest->items = s->items + s->consumed;
        rest->n = rest->capacity = s->n - s->consumed;
    }
    s->consumed = s->n;
    return rest;
}

const jinja_sequence *jinja_iterate(jinja_context *c, jinja_value v)
{
    jinja_value list;

    switch (v.kind) {
    case JINJA_UNDEFINED:
        return jinja_list(c, 0).as.sequence;
    case JINJA_STRING:
        return characters(c, v.as.string);
    case JINJA_LIST:
    case JINJA_TUPLE:
        return v.as.sequence;
    case JINJA_LAZY:
        return v.as.sequence->lazy == JINJA_GENERATOR ? rest_of_generator(c, v.as.sequence)
                                                      : v.as.sequence;
    case JINJA_DICT:
        list = jinja_list(c, v.as.dict->n);
        for (size_t i = 0; i < v.as.dict->n && !c->failed; i++)
            jinja_push(c, list, v.as.dict->pairs[i].key);
        return list.as.sequence;
    default:
        jinja_raise(c, "'%s' object is not iterable", jinja_type_name(v));
        return NULL;
    }
}

bool jinja_from_user(jinja_context *c, jinja_value v)
{
    bool found = false;

    switch (v.kind) {
    case JINJA_STRING:
        return jinja_has_marks(v.as.string);
    case JINJA_LIST:
    case JINJA_TUPLE:
    case JINJA_LAZY:
        if (v.as.sequence->from_user)
            return true;
        if (!jinja_enter(c))
            return true;
        for (size_t i = 0; i < v.as.sequence->n && !found && jinja_spend(c, 1); i++)
            found = jinja_from_user(c, v.as.sequence->items[i]);
        c->depth--;
        return found;
    case JINJA_DICT:
    case JINJA_NAMESPACE:
        if (v.as.dict->from_user)
            return true;
        if (!jinja_enter(c))
            return true;
        for (size_t i = 0; i < v.as.dict->n && !found && jinja_spend(c, 1); i++)
            found = jinja_from_user(c, v.as.dict->pairs[i].key) ||
                    jinja_from_user(c, v.as.dict->pairs[i].value);
        c->depth--;
        return found;
    default:
        return false;
    }
}
