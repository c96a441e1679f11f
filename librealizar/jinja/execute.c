/* SPDX-License-Identifier: MIT */
/* Statements. */
#include "jinja/run.h"

static void print(jinja_context *c, const jinja_node *node)
{
    for (size_t i = 0; i < node->items.n && !c->failed; i++)
        jinja_append_str(c->out, jinja_evaluate(c, node->items.items[i]));
}

jinja_value jinja_capture(jinja_context *c, const jinja_nodes *body, jinja_flow *flow)
{
    jinja_builder text = {.c = c}, *outer = c->out;

    c->out = &text;
    *flow = jinja_execute(c, body);
    c->out = outer;
    return jinja_built_value(&text);
}

/* The text of a block in a scope of its own, through the block's filters. */
static jinja_value filtered_block(jinja_context *c, const jinja_node *node, jinja_flow *flow)
{
    jinja_scope *outer = c->scope;
    jinja_value text;

    c->scope = jinja_scope_new(c, outer);
    text = jinja_capture(c, &node->body, flow);
    if (*flow == JINJA_GO_ON)
        text = jinja_filter_text(c, node->b, text);
    c->scope = outer;
    return text;
}

static jinja_flow set_block(jinja_context *c, const jinja_node *node)
{
    jinja_flow flow;
    jinja_value text = filtered_block(c, node, &flow);

    if (flow == JINJA_GO_ON)
        jinja_assign(c, node->a, text);
    return flow;
}

static jinja_flow filter_block(jinja_context *c, const jinja_node *node)
{
    jinja_flow flow;
    jinja_value text = filtered_block(c, node, &flow);

    if (flow == JINJA_GO_ON)
        jinja_append_str(c->out, text);
    return flow;
}

static jinja_value new_macro(jinja_context *c, const jinja_node *node)
{
    jinja_macro *macro = jinja_alloc(c, 1, sizeof *macro);

    if (macro == NULL)
        return jinja_none();
    *macro = (jinja_macro){.name = node->name, .node = node, .scope = c->scope};
    for (jinja_scope *s = c->scope; s != NULL; s = s->outer)
        s->captured = true;
    return (jinja_value){.kind = JINJA_MACRO, .as.macro = macro};
}

static void call_block(jinja_context *c, const jinja_node *node)
{
    jinja_value caller = new_macro(c, node);

    jinja_append_str(c->out, jinja_evaluate_call(c, node->a, &caller));
}

static jinja_flow with_block(jinja_context *c, const jinja_node *node)
{
    jinja_scope *outer = c->scope, *inner = jinja_scope_new(c, outer);
    jinja_flow flow;

    for (size_t i = 0; i + 1 < node->items.n && !c->failed; i += 2) {
        jinja_value value = jinja_evaluate(c, node->items.items[i + 1]); /* in the outer scope */

        c->scope = inner;
        jinja_assign(c, node->items.items[i], value);
        c->scope = outer;
    }
    c->scope = inner;
    flow = jinja_execute(c, &node->body);
    c->scope = outer;
    return flow;
}

static void generation(jinja_context *c, const jinja_node *node)
{
    jinja_scope *outer = c->scope;

    c->scope = jinja_scope_new(c, outer);
    (void)jinja_execute(c, &node->body);
    c->scope = outer;
}

static jinja_flow execute_one(jinja_context *c, const jinja_node *node)
{
    switch (node->kind) {
    case JINJA_TEXT:
        jinja_append_string(c->out, node->value.as.string);
        return JINJA_GO_ON;
    case JINJA_PRINT:
        print(c, node);
        return JINJA_GO_ON;
    case JINJA_IF:
        return jinja_execute(c, jinja_truth(jinja_evaluate(c, node->a)) ? &node->body
                                                                        : &node->otherwise);
    case JINJA_FOR:
        jinja_run_loop(c, node, jinja_evaluate(c, node->b), c->scope, 0);
        return JINJA_GO_ON;
    case JINJA_SET:
        jinja_assign(c, node->a, jinja_evaluate(c, node->b));
        return JINJA_GO_ON;
    case JINJA_SET_BLOCK:
        return set_block(c, node);
    case JINJA_DEFINE_MACRO:
        jinja_scope_set(c, c->scope, node->name, new_macro(c, node));
        return JINJA_GO_ON;
    case JINJA_CALL_BLOCK:
        call_block(c, node);
        return JINJA_GO_ON;
    case JINJA_FILTER_BLOCK:
        return filter_block(c, node);
    case JINJA_WITH:
        return with_block(c, node);
    case JINJA_GENERATION:
        generation(c, node);
        return JINJA_GO_ON;
    case JINJA_BREAK:
        return JINJA_LEAVE_LOOP;
    case JINJA_CONTINUE:
        return JINJA_NEXT_ITERATION;
    default:
        c->offset = node->offset;
        jinja_fail(c, TRUENO_INTERNAL, "a statement that cannot be run");
        return JINJA_GO_ON;
    }
}

jinja_flow jinja_execute(jinja_context *c, const jinja_nodes *body)
{
    jinja_flow flow = JINJA_GO_ON;

    if (!jinja_enter(c))
        return flow;
    for (size_t i = 0; i < body->n && flow == JINJA_GO_ON && jinja_spend(c, 1); i++) {
        c->offset = body->items[i]->offset;
        flow = execute_one(c, body->items[i]);
    }
    c->depth--;
    return flow;
}
