/* SPDX-License-Identifier: MIT */
/* Tokens to operands: literals, calls, subscripts, filters, tests, signs. */
#include "jinja/ast.h"

#include <string.h>

/* What a macro is given besides its parameters depends on the names that its body uses. */
static void note_special_name(jinja_parser *p, const jinja_string *name)
{
    for (struct jinja_macro_frame *f = p->frame; f != NULL; f = f->outer) {
        if (jinja_string_is(name, "caller"))
            f->node->caller = name;
        else if (jinja_string_is(name, "varargs"))
            f->node->varargs = name;
        else if (jinja_string_is(name, "kwargs"))
            f->node->kwargs = name;
    }
}

static jinja_node *parse_name_or_const(jinja_parser *p)
{
    const jinja_string *text = p->token->value.as.string;
    size_t offset = p->token->offset;
    jinja_node *node;

    if (jinja_string_is(text, "true") || jinja_string_is(text, "True") ||
        jinja_string_is(text, "false") || jinja_string_is(text, "False")) {
        node = jinja_new_node(p, JINJA_CONST, offset);
        node->value = jinja_bool(text->bytes[0] == 't' || text->bytes[0] == 'T');
        p->token++;
    } else if (jinja_string_is(text, "none") || jinja_string_is(text, "None")) {
        node = jinja_new_node(p, JINJA_CONST, offset);
        p->token++;
    } else {
        node = jinja_new_node(p, JINJA_NAME, offset);
        node->name = jinja_expect_name(p);
        note_special_name(p, node->name);
    }
    return node;
}

/* Adjacent string literals are one. */
static jinja_node *parse_strings(jinja_parser *p)
{
    jinja_node *node = jinja_new_node(p, JINJA_CONST, p->token->offset);
    jinja_builder b = {.c = p->c};

    node->value = (p->token++)->value;
    if (p->token->kind != JINJA_TOKEN_STRING)
        return node;
    jinja_append_string(&b, node->value.as.string);
    while (p->token->kind == JINJA_TOKEN_STRING)
        jinja_append_string(&b, (p->token++)->value.as.string);
    node->value = jinja_built_value(&b);
    return node;
}

static jinja_node *parse_list(jinja_parser *p)
{
    jinja_node *node = jinja_new_node(p, JINJA_MAKE_LIST, p->token->offset);

    jinja_expect_operator(p, "[");
    while (!p->c->failed && !jinja_at_operator(p, "]")) {
        jinja_add_node(p, &node->items, jinja_parse_expression(p, false));
        if (!jinja_at_operator(p, "]"))
            jinja_expect_operator(p, ",");
    }
    jinja_expect_operator(p, "]");
    return node;
}

static jinja_node *parse_dict(jinja_parser *p)
{
    jinja_node *node = jinja_new_node(p, JINJA_MAKE_DICT, p->token->offset);

    jinja_expect_operator(p, "{");
    while (!p->c->failed && !jinja_at_operator(p, "}")) {
        jinja_add_node(p, &node->items, jinja_parse_expression(p, false));
        jinja_expect_operator(p, ":");
        jinja_add_node(p, &node->items, jinja_parse_expression(p, false));
        if (!jinja_at_operator(p, "}"))
            jinja_expect_operator(p, ",");
    }
    jinja_expect_operator(p, "}");
    return node;
}

static jinja_node *parse_parentheses(jinja_parser *p)
{
    jinja_node *node;
    size_t offset = p->token->offset;

    jinja_expect_operator(p, "(");
    if (jinja_skip_operator(p, ")"))
        return jinja_new_node(p, JINJA_MAKE_TUPLE, offset);
    node = jinja_parse_tuple(p, false, NULL);
    jinja_expect_operator(p, ")");
    return node;
}

static jinja_node *parse_primary(jinja_parser *p)
{
    jinja_node *node;

    switch (p->token->kind) {
    case JINJA_TOKEN_NAME:
        return parse_name_or_const(p);
    case JINJA_TOKEN_STRING:
        return parse_strings(p);
    case JINJA_TOKEN_NUMBER:
        node = jinja_new_node(p, JINJA_CONST, p->token->offset);
        node->value = (p->token++)->value;
        return node;
    default:
        if (jinja_at_operator(p, "("))
            return parse_parentheses(p);
        if (jinja_at_operator(p, "["))
            return parse_list(p);
        if (jinja_at_operator(p, "{"))
            return parse_dict(p);
        jinja_parse_fail(p, "expected an expression");
        return jinja_new_node(p, JINJA_CONST, p->token->offset);
    }
}

static void parse_argument(jinja_parser *p, jinja_arguments *args)
{
    if (jinja_skip_operator(p, "*")) {
        if (args->star != NULL || args->double_star != NULL)
            jinja_parse_fail(p, "invalid syntax for function call expression");
        args->star = jinja_parse_expression(p, false);
        return;
    }
    if (jinja_skip_operator(p, "**")) {
        if (args->double_star != NULL)
            jinja_parse_fail(p, "invalid syntax for function call expression");
        args->double_star = jinja_parse_expression(p, false);
        return;
    }
    if (p->token->kind == JINJA_TOKEN_NAME && p->token[1].kind == JINJA_TOKEN_OPERATOR &&
        strcmp(p->token[1].op, "=") == 0) {
        size_t n = args->named.n;
        const jinja_string **names = jinja_alloc(p->c, n + 1, sizeof(jinja_string *));

        if (names == NULL)
            return;
        if (n > 0)
            memcpy(names, args->names, n * sizeof(jinja_string *));
        names[n] = jinja_expect_name(p);
        args->names = names;
        p->token++;
        jinja_add_node(p, &args->named, jinja_parse_expression(p, false));
        if (args->double_star != NULL)
            jinja_parse_fail(p, "invalid syntax for function call expression");
        return;
    }
    if (args->named.n > 0 || args->star != NULL || args->double_star != NULL)
        jinja_parse_fail(p, "a positional argument after others");
    jinja_add_node(p, &args->positional, jinja_parse_expression(p, false));
}

static jinja_arguments *parse_arguments(jinja_parser *p)
{
    static jinja_arguments nothing;
    jinja_arguments *args = jinja_alloc(p->c, 1, sizeof *args);

    if (args == NULL)
        return &nothing;
    jinja_expect_operator(p, "(");
    while (!p->c->failed && !jinja_at_operator(p, ")")) {
        parse_argument(p, args);
        if (!jinja_at_operator(p, ")"))
            jinja_expect_operator(p, ",");
    }
    jinja_expect_operator(p, ")");
    return args;
}

static jinja_node *parse_call(jinja_parser *p, jinja_node *callee)
{
    jinja_node *node = jinja_new_node(p, JINJA_CALL, p->token->offset);

    node->a = callee;
    node->arguments = parse_arguments(p);
    return node;
}

/* What stands between brackets: an expression or a slice. */
static jinja_node *parse_subscript_item(jinja_parser *p)
{
    jinja_node *bounds[3] = {NULL, NULL, NULL};
    size_t offset = p->token->offset, i = 0;
    jinja_node *node;

    if (!jinja_at_operator(p, ":"))
        bounds[0] = jinja_parse_expression(p, false);
    if (!jinja_at_operator(p, ":"))
        return bounds[0];
    while (i < 2 && jinja_skip_operator(p, ":")) {
        i++;
        if (!jinja_at_operator(p, ":") && !jinja_at_operator(p, "]") && !jinja_at_operator(p, ","))
            bounds[i] = jinja_parse_expression(p, false);
    }
    node = jinja_new_node(p, JINJA_SLICE, offset);
    for (i = 0; i < 3; i++)
        jinja_add_node(p, &node->items, bounds[i]);
    return node;
}

static jinja_node *parse_attribute(jinja_parser *p, jinja_node *object)
{
    jinja_node *node;

    p->token++; /* . */
    node = jinja_new_node(p, JINJA_GETATTR, p->token->offset);
    node->a = object;
    if (p->token->kind == JINJA_TOKEN_NUMBER && p->token->value.kind == JINJA_INT) {
        node->kind = JINJA_GETITEM;
        node->b = jinja_new_node(p, JINJA_CONST, p->token->offset);
        node->b->value = (p->token++)->value;
    } else if (p->token->kind == JINJA_TOKEN_NAME) {
        node->value = jinja_from_string(jinja_expect_name(p));
    } else {
        jinja_parse_fail(p, "expected a name or a number after '.'");
    }
    return node;
}

static jinja_node *parse_brackets(jinja_parser *p, jinja_node *object)
{
    jinja_node *node = jinja_new_node(p, JINJA_GETITEM, p->token->offset);
    jinja_node *first;

    p->token++; /* [ */
    node->a = object;
    if (jinja_at_operator(p, "]")) {
        node->b = jinja_new_node(p, JINJA_MAKE_TUPLE, p->token->offset);
    } else {
        node->b = first = parse_subscript_item(p);
        if (jinja_at_operator(p, ",")) {
            node->b = jinja_new_node(p, JINJA_MAKE_TUPLE, first->offset);
            jinja_add_node(p, &node->b->items, first);
            while (!p->c->failed && jinja_skip_operator(p, ","))
                jinja_add_node(p, &node->b->items, parse_subscript_item(p));
        }
    }
    jinja_expect_operator(p, "]");
    return node;
}

static jinja_node *parse_postfix(jinja_parser *p, jinja_node *node)
{
    while (!p->c->failed) {
        if (jinja_at_operator(p, "."))
            node = parse_attribute(p, node);
        else if (jinja_at_operator(p, "["))
            node = parse_brackets(p, node);
        else if (jinja_at_operator(p, "("))
            node = parse_call(p, node);
        else
            break;
    }
    return node;
}

/* `name` of a filter or test: dotted names are one. */
static const jinja_string *parse_dotted_name(jinja_parser *p)
{
    const jinja_string *name = jinja_expect_name(p);

    while (!p->c->failed && jinja_skip_operator(p, ".")) {
        name = jinja_concat(p->c, name, jinja_text(p->c, ".").as.string);
        name = jinja_concat(p->c, name, jinja_expect_name(p));
    }
    return name;
}

/* An unknown name is an error now, but inside an if only when it is reached. */
static void find_row(jinja_parser *p, jinja_node *node)
{
    const jinja_string *name = node->name;

    if (p->c->failed)
        return;
    node->row = node->kind == JINJA_FILTER ? jinja_find_filter(name->bytes, name->length)
                                           : jinja_find_row(JINJA_TESTS, name->bytes, name->length);
    if (node->row == NULL && !p->soft && p->unknown == NULL)
        p->unknown = node;
}

jinja_node *jinja_parse_filters(jinja_parser *p, jinja_node *node, bool inline_start)
{
    while (!p->c->failed && (inline_start || jinja_skip_operator(p, "|"))) {
        jinja_node *filter = jinja_new_node(p, JINJA_FILTER, p->token->offset);

        filter->a = node;
        filter->name = parse_dotted_name(p);
        if (jinja_at_operator(p, "("))
            filter->arguments = parse_arguments(p);
        find_row(p, filter);
        node = filter;
        inline_start = false;
    }
    return node;
}

/* True where a test's one argument may follow without parentheses. */
static bool at_bare_argument(const jinja_parser *p)
{
    if (p->token->kind == JINJA_TOKEN_NAME)
        return !jinja_at_name(p, "else") && !jinja_at_name(p, "or") && !jinja_at_name(p, "and");
    return p->token->kind == JINJA_TOKEN_STRING || p->token->kind == JINJA_TOKEN_NUMBER ||
           jinja_at_operator(p, "[") || jinja_at_operator(p, "{");
}

static jinja_node *parse_test(jinja_parser *p, jinja_node *value)
{
    jinja_node *test = jinja_new_node(p, JINJA_TEST, p->token->offset);
    bool negated;

    p->token++; /* is */
    negated = jinja_skip_name(p, "not");
    test->a = value;
    test->name = parse_dotted_name(p);
    if (jinja_at_operator(p, "(")) {
        test->arguments = parse_arguments(p);
    } else if (jinja_at_name(p, "is")) {
        jinja_parse_fail(p, "you cannot chain multiple tests with is");
    } else if (at_bare_argument(p)) {
        test->arguments = jinja_alloc(p->c, 1, sizeof *test->arguments);
        if (test->arguments != NULL && jinja_parser_enter(p)) {
            jinja_add_node(p, &test->arguments->positional, parse_postfix(p, parse_primary(p)));
            p->depth--;
        }
    }
    find_row(p, test);
    return negated ? jinja_new_binary(p, JINJA_NOT, test->offset, test, NULL) : test;
}

jinja_node *jinja_parse_unary(jinja_parser *p, bool with_filters)
{
    size_t offset = p->token->offset;
    jinja_node *node;

    if (!jinja_parser_enter(p))
        return jinja_new_node(p, JINJA_CONST, offset);
    if (jinja_skip_operator(p, "-"))
        node = jinja_new_binary(p, JINJA_NEGATIVE, offset, jinja_parse_unary(p, false), NULL);
    else if (jinja_skip_operator(p, "+"))
        node = jinja_new_binary(p, JINJA_POSITIVE, offset, jinja_parse_unary(p, false), NULL);
    else
        node = parse_primary(p);
    node = parse_postfix(p, node);
    while (with_filters && !p->c->failed) {
        if (jinja_at_operator(p, "|"))
            node = jinja_parse_filters(p, node, false);
        else if (jinja_at_name(p, "is"))
            node = parse_test(p, node);
        else if (jinja_at_operator(p, "("))
            node = parse_call(p, node);
        else
            break;
    }
    p->depth--;
    return node;
}
