/* SPDX-License-Identifier: MIT */
/* Variables: scopes, looking names up, and assignment. */
#include "jinja/run.h"

jinja_scope *jinja_scope_new(jinja_context *c, jinja_scope *outer)
{
    jinja_scope *scope = jinja_alloc(c, 1, sizeof *scope);

    if (scope == NULL)
        return outer;
    scope->outer = outer;
    return scope;
}

void jinja_scope_set(jinja_context *c, jinja_scope *scope, const jinja_string *name,
                     jinja_value value)
{
    if (c->failed)
        return;
    for (size_t i = 0; i < scope->n; i++)
        if (scope->bindings[i].name == name) {
            scope->bindings[i].value = value;
            return;
        }
    if (!jinja_grow(c, &scope->bindings, scope->n, &scope->capacity, sizeof *scope->bindings, 4))
        return;
    scope->bindings[scope->n++] = (jinja_binding){.name = name, .value = value};
}

jinja_value jinja_lookup(jinja_context *c, const jinja_string *name)
{
    const jinja_callable *row;
    const jinja_value *global;

    for (const jinja_scope *scope = c->scope; scope != NULL; scope = scope->outer)
        for (size_t i = 0; i < scope->n; i++)
            if (scope->bindings[i].name == name)
                return scope->bindings[i].value;
    global = jinja_dict_find(c->globals, name->bytes, name->length);
    if (global != NULL)
        return *global;
    row = jinja_find_row(JINJA_GLOBALS, name->bytes, name->length);
    if (row != NULL)
        return (jinja_value){.kind = JINJA_FUNCTION, .as.function = row};
    return jinja_undefined_name(c, NULL, jinja_from_string(name));
}

static void unpack(jinja_context *c, const jinja_node *target, jinja_value value)
{
    const jinja_sequence *items = jinja_iterate(c, value);

    if (items == NULL)
        return;
    if (items->n < target->items.n)
        jinja_raise(c, "not enough values to unpack (expected %zu, got %zu)", target->items.n,
                    items->n);
    else if (items->n > target->items.n)
        jinja_raise(c, "too many values to unpack (expected %zu)", target->items.n);
    for (size_t i = 0; i < target->items.n && !c->failed; i++)
        jinja_assign(c, target->items.items[i], items->items[i]);
}

static void assign_attribute(jinja_context *c, const jinja_node *target, jinja_value value)
{
    jinja_value owner = jinja_lookup(c, target->name);
    const jinja_string *attribute = target->value.as.string;

    if (owner.kind != JINJA_NAMESPACE)
        jinja_raise(c, "cannot assign attribute on non-namespace object");
    else if (attribute->length > 0 && attribute->bytes[0] == '_')
        jinja_raise(c, "a namespace cannot store '%.*s': the name begins with an underscore",
                    (int)attribute->length, attribute->bytes);
    else
        jinja_dict_set(c, owner.as.dict, target->value, value);
}

void jinja_assign(jinja_context *c, const jinja_node *target, jinja_value value)
{
    if (!jinja_enter(c))
        return;
    c->offset = target->offset;
    switch (target->kind) {
    case JINJA_NAME:
        jinja_scope_set(c, c->scope, target->name, value);
        break;
    case JINJA_NAMESPACE_TARGET:
        assign_attribute(c, target, value);
        break;
    default:
        unpack(c, target, value);
    }
    c->depth--;
}
