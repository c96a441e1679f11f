/* SPDX-License-Identifier: MIT */
/* Expressions. */
#include "jinja/run.h"

static jinja_value make_sequence(jinja_context *c, const jinja_node *node, jinja_value sequence)
{
    for (size_t i = 0; i < node->items.n && !c->failed; i++)
        jinja_push(c, sequence, jinja_evaluate(c, node->items.items[i]));
    return sequence;
}

static jinja_value make_dict(jinja_context *c, const jinja_node *node)
{
    jinja_dict *dict = jinja_dict_new(c);

    for (size_t i = 0; i + 1 < node->items.n && !c->failed; i += 2) {
        jinja_value key = jinja_evaluate(c, node->items.items[i]);

        jinja_dict_set(c, dict, key, jinja_evaluate(c, node->items.items[i + 1]));
    }
    return jinja_from_dict(dict);
}

static jinja_value subscript(jinja_context *c, const jinja_node *node)
{
    jinja_value object = jinja_evaluate(c, node->a);
    jinja_value bounds[3];

    if (node->b->kind != JINJA_SLICE)
        return jinja_getitem(c, object, jinja_evaluate(c, node->b));
    for (size_t i = 0; i < 3; i++)
        bounds[i] = node->b->items.items[i] == NULL ? jinja_none()
                                                    : jinja_evaluate(c, node->b->items.items[i]);
    c->offset = node->offset;
    return jinja_slice(c, object, bounds);
}

static jinja_value concat(jinja_context *c, const jinja_node *node)
{
    jinja_builder b = {.c = c};

    jinja_continue(&b, jinja_str(c, jinja_evaluate(c, node->items.items[0])));
    for (size_t i = 1; i < node->items.n && !c->failed; i++)
        jinja_append_str(&b, jinja_evaluate(c, node->items.items[i]));
    return jinja_from_string(jinja_built_to_grow(&b));
}

static bool compare(jinja_context *c, jinja_comparison op, jinja_value a, jinja_value b)
{
    switch (op) {
    case JINJA_EQ:
        return jinja_equal(c, a, b);
    case JINJA_NE:
        return !jinja_equal(c, a, b);
    case JINJA_LT:
        return jinja_less(c, a, b);
    case JINJA_LE: /* not the opposite of >: NaN */
        return jinja_less(c, a, b) || jinja_equal(c, a, b);
    case JINJA_GT:
        return jinja_less(c, b, a);
    case JINJA_GE:
        return jinja_less(c, b, a) || jinja_equal(c, a, b);
    case JINJA_IN:
        return jinja_contains(c, b, a);
    default:
        return !jinja_contains(c, b, a);
    }
}

static jinja_value comparison(jinja_context *c, const jinja_node *node)
{
    jinja_value left = jinja_evaluate(c, node->a);
    bool holds = true;

    for (size_t i = 0; i < node->items.n && holds && !c->failed; i++) {
        const jinja_node *operand = node->items.items[i];
        jinja_value right = jinja_evaluate(c, operand->a);

        c->offset = operand->offset;
        holds = compare(c, operand->op, left, right);
        left = right;
    }
    return jinja_bool(holds);
}

static jinja_value conditional(jinja_context *c, const jinja_node *node)
{
    if (jinja_truth(jinja_evaluate(c, node->a)))
        return jinja_evaluate(c, node->b);
    if (node->c != NULL)
        return jinja_evaluate(c, node->c);
    return jinja_undefined_hint(c, "the inline if-expression evaluated to false and no else "
                                   "section was defined");
}

/* Evaluated arguments in arrays of the arena. */
typedef struct collected {
    jinja_value positional; /* list */
    jinja_pair *named;
    size_t n_named, capacity;
} collected;

static void add_named(jinja_context *c, collected *all, jinja_value name, jinja_value value)
{
    if (name.kind != JINJA_STRING) {
        jinja_raise(c, "keywords must be strings");
        return;
    }
    for (size_t i = 0; i < all->n_named; i++)
        if (jinja_string_equal(all->named[i].key.as.string, name.as.string))
            jinja_raise(c, "got multiple values for keyword argument '%.*s'",
                        (int)name.as.string->length, name.as.string->bytes);
    if (!jinja_grow(c, &all->named, all->n_named, &all->capacity, sizeof *all->named, 4))
        return;
    all->named[all->n_named++] = (jinja_pair){.key = name, .value = value};
}

static void spread(jinja_context *c, collected *all, const jinja_arguments *written)
{
    if (written->star != NULL) {
        const jinja_sequence *items = jinja_iterate(c, jinja_evaluate(c, written->star));

        for (size_t i = 0; items != NULL && i < items->n && !c->failed; i++)
            jinja_push(c, all->positional, items->items[i]);
    }
    if (written->double_star != NULL) {
        jinja_value dict = jinja_evaluate(c, written->double_star);

        if (dict.kind != JINJA_DICT)
            jinja_raise(c, "argument after ** must be a mapping, not %s", jinja_type_name(dict));
        for (size_t i = 0; !c->failed && i < dict.as.dict->n; i++)
            add_named(c, all, dict.as.dict->pairs[i].key, dict.as.dict->pairs[i].value);
    }
}

/* Arguments in the order in which they are written; `caller` is one named argument more. */
static jinja_args evaluate_arguments(jinja_context *c, const jinja_arguments *written,
                                     const jinja_value *caller)
{
    collected all = {.positional = jinja_list(c, written != NULL ? written->positional.n : 0)};

    if (written != NULL) {
        for (size_t i = 0; i < written->positional.n && !c->failed; i++)
            jinja_push(c, all.positional, jinja_evaluate(c, written->positional.items[i]));
        for (size_t i = 0; i < written->named.n && !c->failed; i++)
            add_named(c, &all, jinja_from_string(written->names[i]),
                      jinja_evaluate(c, written->named.items[i]));
        spread(c, &all, written);
    }
    if (caller != NULL)
        add_named(c, &all, jinja_text(c, "caller"), *caller);
    return (jinja_args){.items = all.positional.as.sequence->items,
                        .n = all.positional.as.sequence->n,
                        .named = all.named,
                        .n_named = all.n_named};
}

jinja_value jinja_evaluate_call(jinja_context *c, const jinja_node *node, const jinja_value *caller)
{
    jinja_value callee = jinja_evaluate(c, node->a);
    jinja_args args = evaluate_arguments(c, node->arguments, caller);

    c->offset = node->offset;
    return jinja_call(c, callee, &args);
}

static jinja_value run_filter_or_test(jinja_context *c, const jinja_node *node, jinja_value self)
{
    const char *kind = node->kind == JINJA_FILTER ? "filter" : "test";
    jinja_args args;

    if (node->row == NULL) {
        c->offset = node->offset;
        return jinja_raise(c, "no %s named '%.*s'", kind, (int)node->name->length,
                           node->name->bytes);
    }
    args = evaluate_arguments(c, node->arguments, NULL);
    c->offset = node->offset;
    return jinja_run_row(c, node->row, kind, self, &args);
}

jinja_value jinja_filter_text(jinja_context *c, const jinja_node *filters, jinja_value text)
{
    if (filters == NULL || !jinja_enter(c))
        return text;
    text = run_filter_or_test(c, filters, jinja_filter_text(c, filters->a, text));
    c->depth--;
    return text;
}

static jinja_value unary(jinja_context *c, const jinja_node *node)
{
    jinja_value v = jinja_evaluate(c, node->a);
    double x;

    if (node->kind == JINJA_NOT)
        return jinja_bool(!jinja_truth(v));
    c->offset = node->offset;
    if (node->kind == JINJA_NEGATIVE)
        return jinja_negate(c, v);
    if (v.kind == JINJA_UNDEFINED)
        return jinja_raise_undefined(c, v);
    if (!jinja_number(v, &x))
        return jinja_raise(c, "bad operand type for unary +: '%s'", jinja_type_name(v));
    return v.kind == JINJA_BOOL ? jinja_int(v.as.boolean) : v;
}

static jinja_value binary(jinja_context *c, const jinja_node *node)
{
    jinja_value a = jinja_evaluate(c, node->a), b;

    if (node->kind == JINJA_AND)
        return jinja_truth(a) ? jinja_evaluate(c, node->b) : a;
    if (node->kind == JINJA_OR)
        return jinja_truth(a) ? a : jinja_evaluate(c, node->b);
    b = jinja_evaluate(c, node->b);
    c->offset = node->offset;
    switch (node->kind) {
    case JINJA_ADD:
        return jinja_add(c, a, b);
    case JINJA_SUBTRACT:
        return jinja_subtract(c, a, b);
    case JINJA_MULTIPLY:
        return jinja_multiply(c, a, b);
    case JINJA_DIVIDE:
        return jinja_divide(c, a, b);
    case JINJA_FLOOR_DIVIDE:
        return jinja_floor_divide(c, a, b);
    case JINJA_MODULO:
        return jinja_modulo(c, a, b);
    default:
        return jinja_power(c, a, b);
    }
}

static jinja_value evaluate(jinja_context *c, const jinja_node *node)
{
    jinja_value v;

    switch (node->kind) {
    case JINJA_CONST:
        return node->value;
    case JINJA_NAME:
        return jinja_lookup(c, node->name);
    case JINJA_MAKE_TUPLE:
        return make_sequence(c, node, jinja_tuple(c, node->items.n));
    case JINJA_MAKE_LIST:
        return make_sequence(c, node, jinja_list(c, node->items.n));
    case JINJA_MAKE_DICT:
        return make_dict(c, node);
    case JINJA_GETATTR:
        v = jinja_evaluate(c, node->a);
        c->offset = node->offset;
        return jinja_getattr(c, v, node->value);
    case JINJA_GETITEM:
        return subscript(c, node);
    case JINJA_CALL:
        return jinja_evaluate_call(c, node, NULL);
    case JINJA_FILTER:
    case JINJA_TEST:
        return run_filter_or_test(c, node, jinja_evaluate(c, node->a));
    case JINJA_NOT:
    case JINJA_NEGATIVE:
    case JINJA_POSITIVE:
        return unary(c, node);
    case JINJA_CONCAT:
        return concat(c, node);
    case JINJA_COMPARE:
        return comparison(c, node);
    case JINJA_CONDITIONAL:
        return conditional(c, node);
    case JINJA_SLICE:
        return jinja_raise(c, "a slice inside a tuple of subscripts");
    default:
        return binary(c, node);
    }
}

jinja_value jinja_evaluate(jinja_context *c, const jinja_node *node)
{
    jinja_value v;

    if (!jinja_spend(c, 1) || !jinja_enter(c))
        return jinja_none();
    c->offset = node->offset;
    v = evaluate(c, node);
    c->depth--;
    return v;
}
