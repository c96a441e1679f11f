/* SPDX-License-Identifier: MIT */
/* Calling macros and the bodies of call blocks. */
#include "jinja/run.h"

static const jinja_string *macro_name(const jinja_macro *macro)
{
    static const jinja_string CALLER = {.bytes = "caller", .length = 6, .n_chars = 6};

    return macro->name != NULL ? macro->name : &CALLER;
}

static const jinja_pair *find_named(const jinja_args *args, const jinja_string *name)
{
    for (size_t i = 0; i < args->n_named; i++)
        if (jinja_string_equal(args->named[i].key.as.string, name))
            return &args->named[i];
    return NULL;
}

/* True when a named argument fills a parameter that the positional ones left open. */
static bool fills_parameter(const jinja_node *node, const jinja_args *args,
                            const jinja_string *name)
{
    for (size_t i = args->n; i < node->parameters.n; i++)
        if (jinja_string_equal(node->parameters.items[i]->name, name))
            return true;
    return false;
}

static jinja_value missing_parameter(jinja_context *c, const jinja_string *name)
{
    jinja_builder b = {.c = c};

    jinja_append_format(&b, "parameter '%.*s' was not provided",
                        (int)(name->length < 60 ? name->length : 60), name->bytes);
    jinja_append_bytes(&b, "", 1, false); /* its NUL */
    return jinja_undefined_hint(c, c->failed ? "" : b.bytes);
}

/* Parameters in order, so that a default can use those before it. */
static void bind_parameters(jinja_context *c, const jinja_node *node, const jinja_args *args)
{
    size_t required = node->parameters.n - node->defaults.n;

    for (size_t i = 0; i < node->parameters.n && !c->failed; i++) {
        const jinja_string *name = node->parameters.items[i]->name;
        const jinja_pair *named = i < args->n ? NULL : find_named(args, name);
        jinja_value value;

        if (i < args->n)
            value = args->items[i];
        else if (named != NULL)
            value = named->value;
        else if (i >= required)
            value = jinja_evaluate(c, node->defaults.items[i - required]);
        else
            value = missing_parameter(c, name);
        jinja_scope_set(c, c->scope, name, value);
    }
}

/* caller, kwargs and varargs, where the body uses them; whatever else is left is an error. */
static void bind_special(jinja_context *c, const jinja_macro *macro, const jinja_args *args)
{
    const jinja_node *node = macro->node;
    const jinja_string *name = macro_name(macro);
    jinja_value caller = jinja_undefined_hint(c, "No caller defined");
    jinja_value varargs = jinja_tuple(c, 0);
    jinja_dict *kwargs = jinja_dict_new(c);

    for (size_t i = 0; i < args->n_named && !c->failed; i++) {
        const jinja_string *key = args->named[i].key.as.string;

        if (fills_parameter(node, args, key))
            continue;
        if (node->caller != NULL && jinja_string_equal(node->caller, key))
            caller = args->named[i].value;
        else if (node->kwargs != NULL)
            jinja_dict_set(c, kwargs, args->named[i].key, args->named[i].value);
        else
            jinja_raise(c, "macro '%.*s' takes no keyword argument '%.*s'", (int)name->length,
                        name->bytes, (int)key->length, key->bytes);
    }
    if (args->n > node->parameters.n && node->varargs == NULL)
        jinja_raise(c, "macro '%.*s' takes not more than %zu argument(s)", (int)name->length,
                    name->bytes, node->parameters.n);
    for (size_t i = node->parameters.n; i < args->n && !c->failed; i++)
        jinja_push(c, varargs, args->items[i]);
    if (node->caller != NULL)
        jinja_scope_set(c, c->scope, node->caller, caller);
    if (node->kwargs != NULL)
        jinja_scope_set(c, c->scope, node->kwargs, jinja_from_dict(kwargs));
    if (node->varargs != NULL)
        jinja_scope_set(c, c->scope, node->varargs, varargs);
}

jinja_value jinja_call_macro(jinja_context *c, const jinja_macro *macro, const jinja_args *args)
{
    jinja_scope *saved = c->scope;
    jinja_value text = jinja_none();
    jinja_flow flow;

    if (!jinja_enter(c))
        return text;
    c->scope = jinja_scope_new(c, macro->scope);
    bind_special(c, macro, args);
    bind_parameters(c, macro->node, args);
    if (!c->failed)
        text = jinja_capture(c, &macro->node->body, &flow);
    c->scope = saved;
    c->depth--;
    return text;
}
