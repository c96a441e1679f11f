/* SPDX-License-Identifier: MIT */
/** Running a parsed template: scopes, loops, expressions, statements. */
#ifndef REALIZAR_JINJA_RUN_H
#define REALIZAR_JINJA_RUN_H

#include "jinja/ast.h"

typedef struct jinja_binding {
    const jinja_string *name; /* interned */
    jinja_value value;
} jinja_binding;

/* Variables of a loop's iteration, a macro's call, a with block...; names are looked up outwards.
 */
typedef struct jinja_scope {
    struct jinja_scope *outer;
    jinja_binding *bindings;
    size_t n, capacity;
    bool captured; /* a macro refers to it: it must not be used again */
} jinja_scope;

/* A running for loop, and what `loop` is inside it. */
struct jinja_loop {
    const jinja_node *node;
    const jinja_sequence *items;
    size_t next; /* item to look at next */
    bool tested; /* `items` are only those that pass the loop's `if` */
    jinja_scope *outer;
    int64_t index0;
    int64_t length; /* -1: not asked yet */
    unsigned depth0;
    jinja_value before, current, after; /* MISSING where there is none */
    jinja_value last_changed;           /* the tuple that loop.changed() saw last */
};

typedef enum jinja_flow { JINJA_GO_ON, JINJA_LEAVE_LOOP, JINJA_NEXT_ITERATION } jinja_flow;

/* ---- scope.c ---- */

jinja_scope *jinja_scope_new(jinja_context *c, jinja_scope *outer);
void jinja_scope_set(jinja_context *c, jinja_scope *scope, const jinja_string *name,
                     jinja_value value);
jinja_value jinja_lookup(jinja_context *c, const jinja_string *name);
/* Assign to a name, an attribute of a namespace, or several at once. */
void jinja_assign(jinja_context *c, const jinja_node *target, jinja_value value);

/* ---- evaluate.c ---- */

jinja_value jinja_evaluate(jinja_context *c, const jinja_node *node);
/* The callee, then the arguments of a call as written. `caller` (may be NULL) is passed along. */
jinja_value jinja_evaluate_call(jinja_context *c, const jinja_node *node,
                                const jinja_value *caller);
/* Filters of a block around its text. */
jinja_value jinja_filter_text(jinja_context *c, const jinja_node *filters, jinja_value text);

/* ---- execute.c ---- */

jinja_flow jinja_execute(jinja_context *c, const jinja_nodes *body);
/* What a body prints, as a string. */
jinja_value jinja_capture(jinja_context *c, const jinja_nodes *body, jinja_flow *flow);

/* ---- loop.c ---- */

/* Run a for statement over `v`, printing; depth0 counts the recursion. */
void jinja_run_loop(jinja_context *c, const jinja_node *node, jinja_value v, jinja_scope *outer,
                    unsigned depth0);
jinja_value jinja_loop_attribute(jinja_context *c, jinja_loop *loop, const jinja_string *name);
/* Items in all; the rest of a filtered loop is tested for it. */
int64_t jinja_loop_length(jinja_context *c, jinja_loop *loop);
jinja_value jinja_call_loop(jinja_context *c, jinja_loop *loop, const jinja_args *args);

/* ---- macro.c ---- */

jinja_value jinja_call_macro(jinja_context *c, const jinja_macro *macro, const jinja_args *args);

#endif
