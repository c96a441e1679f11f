/* SPDX-License-Identifier: MIT */
/* The for statement, and the `loop` variable inside it. */
#include "jinja/run.h"

/* The next item that passes the loop's own `if`; MISSING at the end. Evaluated as late as can be.
 */
static jinja_value pull(jinja_context *c, jinja_loop *loop)
{
    const jinja_node *node = loop->node;

    while (loop->next < loop->items->n && jinja_spend(c, 1)) {
        jinja_value item = loop->items->items[loop->next++];
        jinja_scope *scope = c->scope;
        bool passes;

        if (node->c == NULL || loop->tested)
            return item;
        c->scope = jinja_scope_new(c, loop->outer);
        jinja_assign(c, node->a, item);
        passes = jinja_truth(jinja_evaluate(c, node->c));
        c->scope = scope;
        if (passes)
            return item;
    }
    return (jinja_value){.kind = JINJA_MISSING};
}

static jinja_value peek(jinja_context *c, jinja_loop *loop)
{
    if (loop->after.kind == JINJA_MISSING)
        loop->after = pull(c, loop);
    return loop->after;
}

int64_t jinja_loop_length(jinja_context *c, jinja_loop *loop)
{
    jinja_value rest, item;

    if (loop->length >= 0)
        return loop->length;
    if (loop->node->c == NULL) {
        loop->length = (int64_t)loop->items->n;
        return loop->length;
    }
    rest = jinja_list(c, 0); /* the items that pass from here on */
    while ((item = pull(c, loop)).kind != JINJA_MISSING && !c->failed)
        jinja_push(c, rest, item);
    loop->length =
        loop->index0 + 1 + (loop->after.kind != JINJA_MISSING) + (int64_t)rest.as.sequence->n;
    loop->items = rest.as.sequence;
    loop->next = 0;
    loop->tested = true;
    return loop->length;
}

static jinja_value next_item(jinja_context *c, jinja_loop *loop)
{
    jinja_value item = loop->after;

    if (item.kind != JINJA_MISSING) {
        loop->after = (jinja_value){.kind = JINJA_MISSING};
        return item;
    }
    return pull(c, loop);
}

/* A scope for one iteration: the last one's again, unless a macro holds it. */
static jinja_scope *iteration_scope(jinja_context *c, jinja_scope *last, jinja_scope *outer)
{
    if (last == NULL || last->captured)
        return jinja_scope_new(c, outer);
    last->n = 0;
    return last;
}

void jinja_run_loop(jinja_context *c, const jinja_node *node, jinja_value v, jinja_scope *outer,
                    unsigned depth0)
{
    jinja_loop *loop = jinja_alloc(c, 1, sizeof *loop);
    jinja_scope *saved = c->scope, *scope = NULL;
    jinja_flow flow = JINJA_GO_ON;
    bool finished_one = false; /* as in Jinja2, an iteration that was left early does not count */
    jinja_value item;

    if (loop == NULL)
        return;
    c->offset = node->b->offset;
    *loop =
        (jinja_loop){.node = node, .outer = outer, .index0 = -1, .length = -1, .depth0 = depth0};
    loop->items = jinja_iterate(c, v);
    if (loop->items == NULL)
        return;
    while (flow != JINJA_LEAVE_LOOP && (item = next_item(c, loop)).kind != JINJA_MISSING &&
           !c->failed) {
        loop->index0++;
        loop->before = loop->current;
        loop->current = item;
        scope = iteration_scope(c, scope, outer);
        c->scope = scope;
        jinja_scope_set(c, scope, node->name, (jinja_value){.kind = JINJA_LOOP, .as.loop = loop});
        jinja_assign(c, node->a, item);
        flow = jinja_execute(c, &node->body);
        finished_one |= flow == JINJA_GO_ON;
        c->scope = saved;
    }
    if (!finished_one && !c->failed) {
        c->scope = jinja_scope_new(c, outer);
        (void)jinja_execute(c, &node->otherwise);
    }
    c->scope = saved;
}

jinja_value jinja_loop_attribute(jinja_context *c, jinja_loop *loop, const jinja_string *name)
{
    jinja_value v;

    if (jinja_string_is(name, "index0"))
        return jinja_int(loop->index0);
    if (jinja_string_is(name, "index"))
        return jinja_int(loop->index0 + 1);
    if (jinja_string_is(name, "first"))
        return jinja_bool(loop->index0 == 0);
    if (jinja_string_is(name, "last"))
        return jinja_bool(peek(c, loop).kind == JINJA_MISSING);
    if (jinja_string_is(name, "length"))
        return jinja_int(jinja_loop_length(c, loop));
    if (jinja_string_is(name, "revindex0"))
        return jinja_int(jinja_loop_length(c, loop) - loop->index0 - 1);
    if (jinja_string_is(name, "revindex"))
        return jinja_int(jinja_loop_length(c, loop) - loop->index0);
    if (jinja_string_is(name, "depth0"))
        return jinja_int(loop->depth0);
    if (jinja_string_is(name, "depth"))
        return jinja_int((int64_t)loop->depth0 + 1);
    if (jinja_string_is(name, "previtem"))
        return loop->index0 == 0 ? jinja_undefined_hint(c, "there is no previous item")
                                 : loop->before;
    if (jinja_string_is(name, "nextitem")) {
        v = peek(c, loop);
        return v.kind == JINJA_MISSING ? jinja_undefined_hint(c, "there is no next item") : v;
    }
    return (jinja_value){.kind = JINJA_MISSING};
}

jinja_value jinja_call_loop(jinja_context *c, jinja_loop *loop, const jinja_args *args)
{
    jinja_builder text = {.c = c}, *outer = c->out;

    if (!loop->node->recursive)
        return jinja_raise(c, "the loop must have the 'recursive' marker to be called recursively");
    if (args->n != 1 || args->n_named != 0)
        return jinja_raise(c, "loop() takes one argument");
    c->out = &text;
    jinja_run_loop(c, loop->node, args->items[0], loop->outer, loop->depth0 + 1);
    c->out = outer;
    return jinja_built_value(&text);
}

static jinja_value cycle(jinja_context *c, jinja_value self, const jinja_value *argv,
                         const jinja_args *raw)
{
    if (raw->n == 0)
        return jinja_raise(c, "no items for cycling given");
    return raw->items[(size_t)self.as.loop->index0 % raw->n];
}

static jinja_value changed(jinja_context *c, jinja_value self, const jinja_value *argv,
                           const jinja_args *raw)
{
    jinja_loop *loop = self.as.loop;
    jinja_value now = jinja_tuple(c, raw->n);

    for (size_t i = 0; i < raw->n; i++)
        jinja_push(c, now, raw->items[i]);
    if (loop->last_changed.kind == JINJA_TUPLE && jinja_equal(c, loop->last_changed, now))
        return jinja_bool(false);
    loop->last_changed = now;
    return jinja_bool(true);
}

const jinja_callable JINJA_LOOP_METHODS[] = {
    {"cycle", cycle, "*", 0},
    {"changed", changed, "*", 0},
    {NULL, NULL, NULL, 0},
};
