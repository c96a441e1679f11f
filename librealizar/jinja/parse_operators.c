/* SPDX-License-Identifier: MIT */
/* Operands to expressions, with Jinja2's precedences. */
#include "jinja/ast.h"

jinja_node *jinja_new_binary(jinja_parser *p, jinja_node_kind kind, size_t offset, jinja_node *a,
                             jinja_node *b)
{
    jinja_node *node = jinja_new_node(p, kind, offset);

    node->a = a;
    node->b = b;
    return node;
}

/* Operators of one level, all binding to the left. */
typedef struct level_row {
    const char *op;
    jinja_node_kind kind;
} level_row;

static const level_row *find_level_row(const jinja_parser *p, const level_row *rows)
{
    for (; rows->op != NULL; rows++)
        if (jinja_at_operator(p, rows->op))
            return rows;
    return NULL;
}

static jinja_node *parse_level(jinja_parser *p, const level_row *rows,
                               jinja_node *(*next)(jinja_parser *p))
{
    jinja_node *left = next(p);
    const level_row *row;

    while (!p->c->failed && (row = find_level_row(p, rows)) != NULL) {
        size_t offset = (p->token++)->offset;

        left = jinja_new_binary(p, row->kind, offset, left, next(p));
    }
    return left;
}

static jinja_node *parse_filtered(jinja_parser *p)
{
    return jinja_parse_unary(p, true);
}

static jinja_node *parse_power(jinja_parser *p)
{
    static const level_row ROWS[] = {{"**", JINJA_POWER}, {NULL, JINJA_CONST}};

    return parse_level(p, ROWS, parse_filtered);
}

static jinja_node *parse_product(jinja_parser *p)
{
    static const level_row ROWS[] = {{"*", JINJA_MULTIPLY},
                                     {"/", JINJA_DIVIDE},
                                     {"//", JINJA_FLOOR_DIVIDE},
                                     {"%", JINJA_MODULO},
                                     {NULL, JINJA_CONST}};

    return parse_level(p, ROWS, parse_power);
}

static jinja_node *parse_concat(jinja_parser *p)
{
    jinja_node *first = parse_product(p), *node;

    if (!jinja_at_operator(p, "~"))
        return first;
    node = jinja_new_node(p, JINJA_CONCAT, p->token->offset);
    jinja_add_node(p, &node->items, first);
    while (!p->c->failed && jinja_skip_operator(p, "~"))
        jinja_add_node(p, &node->items, parse_product(p));
    return node;
}

static jinja_node *parse_sum(jinja_parser *p)
{
    static const level_row ROWS[] = {{"+", JINJA_ADD}, {"-", JINJA_SUBTRACT}, {NULL, JINJA_CONST}};

    return parse_level(p, ROWS, parse_concat);
}

static bool skip_comparison(jinja_parser *p, jinja_comparison *op)
{
    static const struct {
        const char *text;
        jinja_comparison op;
    } ROWS[] = {{"==", JINJA_EQ}, {"!=", JINJA_NE}, {"<", JINJA_LT},
                {"<=", JINJA_LE}, {">", JINJA_GT},  {">=", JINJA_GE}};

    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
        if (jinja_skip_operator(p, ROWS[i].text)) {
            *op = ROWS[i].op;
            return true;
        }
    *op = JINJA_IN;
    if (jinja_skip_name(p, "in"))
        return true;
    *op = JINJA_NOT_IN;
    if (jinja_at_name(p, "not") && p->token[1].kind == JINJA_TOKEN_NAME &&
        jinja_string_is(p->token[1].value.as.string, "in")) {
        p->token += 2;
        return true;
    }
    return false;
}

static jinja_node *parse_comparison(jinja_parser *p)
{
    jinja_node *first = parse_sum(p), *node = NULL;
    size_t offset = p->token->offset;
    jinja_comparison op;

    while (!p->c->failed && skip_comparison(p, &op)) {
        jinja_node *operand = jinja_new_node(p, JINJA_OPERAND, offset);

        operand->op = op;
        operand->a = parse_sum(p);
        if (node == NULL)
            node = jinja_new_binary(p, JINJA_COMPARE, offset, first, NULL);
        jinja_add_node(p, &node->items, operand);
        offset = p->token->offset;
    }
    return node != NULL ? node : first;
}

static jinja_node *parse_not(jinja_parser *p)
{
    size_t offset = p->token->offset;
    jinja_node *node;

    if (!jinja_skip_name(p, "not"))
        return parse_comparison(p);
    if (!jinja_parser_enter(p))
        return jinja_new_node(p, JINJA_CONST, offset);
    node = jinja_new_binary(p, JINJA_NOT, offset, parse_not(p), NULL);
    p->depth--;
    return node;
}

static jinja_node *parse_and(jinja_parser *p)
{
    jinja_node *left = parse_not(p);

    while (!p->c->failed && jinja_at_name(p, "and")) {
        size_t offset = (p->token++)->offset;

        left = jinja_new_binary(p, JINJA_AND, offset, left, parse_not(p));
    }
    return left;
}

static jinja_node *parse_or(jinja_parser *p)
{
    jinja_node *left = parse_and(p);

    while (!p->c->failed && jinja_at_name(p, "or")) {
        size_t offset = (p->token++)->offset;

        left = jinja_new_binary(p, JINJA_OR, offset, left, parse_and(p));
    }
    return left;
}

jinja_node *jinja_parse_expression(jinja_parser *p, bool without_condition)
{
    bool soft = p->soft;
    size_t offset = p->token->offset;
    const jinja_node *outer = p->unknown;
    jinja_node *node;

    if (!jinja_parser_enter(p))
        return jinja_new_node(p, JINJA_CONST, offset);
    p->unknown = NULL;
    node = parse_or(p);
    while (!without_condition && jinja_at_name(p, "if")) {
        jinja_node *conditional = jinja_new_node(p, JINJA_CONDITIONAL, p->token->offset);

        p->token++;
        p->soft = true;
        p->unknown = NULL; /* what came before is conditional, too */
        conditional->b = node;
        conditional->a = parse_or(p);
        if (jinja_skip_name(p, "else"))
            conditional->c = jinja_parse_expression(p, false);
        node = conditional;
    }
    p->soft = soft;
    if (outer != NULL)
        p->unknown = outer;
    p->depth--;
    return node;
}
