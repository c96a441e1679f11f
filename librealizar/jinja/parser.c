/* SPDX-License-Identifier: MIT */
/* The parser's tools: tokens, nodes, names, tuples and targets. */
#include "jinja/ast.h"

#include <stdio.h>
#include <string.h>

enum { MAX_PARSE_DEPTH = 200 };

void jinja_parse_fail(jinja_parser *p, const char *format, ...)
{
    char text[200];
    jinja_builder found = {.c = p->c};
    const jinja_string *name;
    va_list args;

    if (p->c->failed)
        return;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    p->c->offset = p->token->offset;
    switch (p->token->kind) {
    case JINJA_TOKEN_END:
        jinja_append_text(&found, "the end of the template");
        break;
    case JINJA_TOKEN_BLOCK_END:
    case JINJA_TOKEN_VARIABLE_END:
        jinja_append_text(&found, "the end of the tag");
        break;
    case JINJA_TOKEN_OPERATOR:
        jinja_append_format(&found, "'%s'", p->token->op);
        break;
    case JINJA_TOKEN_NAME:
        jinja_append_repr(&found, p->token->value);
        break;
    default:
        jinja_append_text(&found, "something else");
    }
    name = jinja_built(&found);
    jinja_fail(p->c, TRUENO_FORMAT, "%s, found %.*s", text, (int)name->length, name->bytes);
}

bool jinja_parser_enter(jinja_parser *p)
{
    if (p->c->failed)
        return false;
    if (p->depth >= MAX_PARSE_DEPTH) {
        jinja_parse_fail(p, "nested more than %d levels deep", MAX_PARSE_DEPTH);
        return false;
    }
    p->depth++;
    return true;
}

jinja_node *jinja_new_node(jinja_parser *p, jinja_node_kind kind, size_t offset)
{
    jinja_node *node = jinja_alloc(p->c, 1, sizeof *node);

    if (node == NULL) {
        node = &p->spare;
        memset(node, 0, sizeof *node);
    }
    node->kind = kind;
    node->offset = offset;
    node->value = jinja_none();
    return node;
}

void jinja_add_node(jinja_parser *p, jinja_nodes *list, jinja_node *node)
{
    if (!jinja_grow(p->c, &list->items, list->n, &list->capacity, sizeof(jinja_node *), 4))
        return;
    list->items[list->n++] = node;
}

bool jinja_at_operator(const jinja_parser *p, const char *op)
{
    return p->token->kind == JINJA_TOKEN_OPERATOR && strcmp(p->token->op, op) == 0;
}

bool jinja_at_name(const jinja_parser *p, const char *name)
{
    return p->token->kind == JINJA_TOKEN_NAME && jinja_string_is(p->token->value.as.string, name);
}

bool jinja_skip_operator(jinja_parser *p, const char *op)
{
    if (!jinja_at_operator(p, op))
        return false;
    p->token++;
    return true;
}

bool jinja_skip_name(jinja_parser *p, const char *name)
{
    if (!jinja_at_name(p, name))
        return false;
    p->token++;
    return true;
}

bool jinja_expect_operator(jinja_parser *p, const char *op)
{
    if (jinja_skip_operator(p, op))
        return true;
    jinja_parse_fail(p, "expected '%s'", op);
    return false;
}

bool jinja_expect_token(jinja_parser *p, jinja_token_kind kind, const char *what)
{
    if (p->token->kind == kind) {
        p->token++;
        return true;
    }
    jinja_parse_fail(p, "expected %s", what);
    return false;
}

void jinja_expect_word(jinja_parser *p, const char *name)
{
    if (!jinja_skip_name(p, name))
        jinja_parse_fail(p, "expected '%s'", name);
}

/* One pointer for each name of the template. */
const jinja_string *jinja_intern(jinja_parser *p, const jinja_string *name)
{
    for (size_t i = 0; i < p->n_names; i++)
        if (jinja_string_equal(p->names[i], name))
            return p->names[i];
    if (!jinja_grow(p->c, &p->names, p->n_names, &p->names_capacity, sizeof(jinja_string *), 64))
        return name;
    p->names[p->n_names++] = name;
    return name;
}

const jinja_string *jinja_expect_name(jinja_parser *p)
{
    if (p->token->kind != JINJA_TOKEN_NAME) {
        jinja_parse_fail(p, "expected a name");
        return &JINJA_EMPTY;
    }
    return jinja_intern(p, (p->token++)->value.as.string);
}

static bool at_tuple_end(const jinja_parser *p, const char *end)
{
    return p->token->kind == JINJA_TOKEN_VARIABLE_END || p->token->kind == JINJA_TOKEN_BLOCK_END ||
           jinja_at_operator(p, ")") || (end != NULL && jinja_at_name(p, end));
}

jinja_node *jinja_parse_tuple(jinja_parser *p, bool without_condition, const char *end)
{
    size_t offset = p->token->offset;
    jinja_node *first, *tuple;

    if (at_tuple_end(p, end)) {
        jinja_parse_fail(p, "expected an expression");
        return jinja_new_node(p, JINJA_CONST, offset);
    }
    first = jinja_parse_expression(p, without_condition);
    if (!jinja_at_operator(p, ","))
        return first;
    tuple = jinja_new_node(p, JINJA_MAKE_TUPLE, offset);
    jinja_add_node(p, &tuple->items, first);
    while (!p->c->failed && jinja_skip_operator(p, ",") && !at_tuple_end(p, end))
        jinja_add_node(p, &tuple->items, jinja_parse_expression(p, without_condition));
    return tuple;
}

/* A name, a namespace's attribute, or such in parentheses or brackets. */
static jinja_node *parse_one_target(jinja_parser *p, bool with_namespace)
{
    static const char *const CONSTANTS[] = {"true", "false", "none", "True", "False", "None"};
    size_t offset = p->token->offset;
    jinja_node *node;

    if (jinja_at_operator(p, "(")) {
        if (!jinja_parser_enter(p))
            return jinja_new_node(p, JINJA_CONST, offset);
        p->token++;
        node = jinja_parse_target(p, NULL, with_namespace);
        jinja_expect_operator(p, ")");
        p->depth--;
        return node;
    }
    for (size_t i = 0; i < sizeof CONSTANTS / sizeof CONSTANTS[0]; i++)
        if (jinja_at_name(p, CONSTANTS[i]))
            jinja_parse_fail(p, "cannot assign to a constant");
    node = jinja_new_node(p, JINJA_NAME, offset);
    node->name = jinja_expect_name(p);
    if (with_namespace && jinja_skip_operator(p, ".")) {
        node->kind = JINJA_NAMESPACE_TARGET;
        node->value = jinja_from_string(jinja_expect_name(p));
    } else if (p->loops > 0 && jinja_string_is(node->name, "loop")) {
        p->c->offset = offset;
        jinja_fail(p->c, TRUENO_FORMAT, "cannot assign to the special variable loop inside a loop");
    }
    return node;
}

jinja_node *jinja_parse_target(jinja_parser *p, const char *end, bool with_namespace)
{
    jinja_node *first = parse_one_target(p, with_namespace), *tuple;

    if (!jinja_at_operator(p, ","))
        return first;
    tuple = jinja_new_node(p, JINJA_MAKE_TUPLE, first->offset);
    jinja_add_node(p, &tuple->items, first);
    while (!p->c->failed && jinja_skip_operator(p, ",") && !at_tuple_end(p, end) &&
           !jinja_at_operator(p, "="))
        jinja_add_node(p, &tuple->items, parse_one_target(p, with_namespace));
    return tuple;
}
