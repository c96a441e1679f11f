/* SPDX-License-Identifier: MIT */
/* Tokens to statements. */
#include "jinja/ast.h"

static jinja_nodes parse_body(jinja_parser *p, const char *const *ends);

static jinja_nodes parse_statements(jinja_parser *p, const char *const *ends)
{
    (void)jinja_skip_operator(p, ":");
    (void)jinja_expect_token(p, JINJA_TOKEN_BLOCK_END, "the end of the tag");
    return parse_body(p, ends);
}

/* A body in a scope of its own: what is unknown there is an error even inside an if. */
static jinja_nodes parse_scope(jinja_parser *p, const char *const *ends)
{
    bool soft = p->soft;
    jinja_nodes body;

    p->soft = false;
    body = parse_statements(p, ends);
    p->soft = soft;
    return body;
}

/* The same, with `end` as the only end, which is consumed. */
static jinja_nodes parse_block(jinja_parser *p, const char *end)
{
    const char *const ends[] = {end, NULL};
    jinja_nodes body = parse_scope(p, ends);

    jinja_expect_word(p, end);
    return body;
}

static jinja_node *parse_if(jinja_parser *p, size_t offset)
{
    static const char *const ENDS[] = {"elif", "else", "endif", NULL};
    static const char *const END[] = {"endif", NULL};
    jinja_node *result = jinja_new_node(p, JINJA_IF, offset), *node = result;
    bool soft = p->soft;

    p->soft = true;
    for (;;) {
        node->a = jinja_parse_tuple(p, true, NULL);
        node->body = parse_statements(p, ENDS);
        if (jinja_at_name(p, "elif")) {
            jinja_node *next = jinja_new_node(p, JINJA_IF, p->token->offset);

            p->token++;
            jinja_add_node(p, &node->otherwise, next);
            node = next;
            if (p->c->failed)
                break;
            continue;
        }
        if (jinja_skip_name(p, "else"))
            node->otherwise = parse_statements(p, END);
        jinja_expect_word(p, "endif");
        break;
    }
    p->soft = soft;
    return result;
}

static jinja_node *parse_for(jinja_parser *p, size_t offset)
{
    static const char *const ENDS[] = {"endfor", "else", NULL};
    static const char *const END[] = {"endfor", NULL};
    jinja_node *node = jinja_new_node(p, JINJA_FOR, offset);
    unsigned outer = p->loops;

    node->name = jinja_intern(p, jinja_text(p->c, "loop").as.string);
    p->loops++;
    node->a = jinja_parse_target(p, "in", false);
    p->loops--;
    jinja_expect_word(p, "in");
    node->b = jinja_parse_tuple(p, true, "recursive");
    if (jinja_skip_name(p, "if"))
        node->c = jinja_parse_expression(p, false);
    node->recursive = jinja_skip_name(p, "recursive");
    p->loops = node->recursive ? 1 : outer + 1; /* a recursive loop is a function of its own */
    node->body = parse_scope(p, ENDS);
    p->loops = node->recursive ? 0 : outer;
    if (jinja_skip_name(p, "else"))
        node->otherwise = parse_scope(p, END);
    p->loops = outer;
    jinja_expect_word(p, "endfor");
    return node;
}

static jinja_node *parse_set(jinja_parser *p, size_t offset)
{
    jinja_node *node = jinja_new_node(p, JINJA_SET, offset);

    node->a = jinja_parse_target(p, NULL, true);
    if (jinja_skip_operator(p, "=")) {
        node->b = jinja_parse_tuple(p, false, NULL);
        return node;
    }
    node->kind = JINJA_SET_BLOCK;
    node->b = jinja_parse_filters(p, NULL, false);
    node->body = parse_block(p, "endset");
    return node;
}

static void parse_signature(jinja_parser *p, jinja_node *node)
{
    jinja_expect_operator(p, "(");
    while (!p->c->failed && !jinja_at_operator(p, ")")) {
        jinja_node *parameter = jinja_new_node(p, JINJA_NAME, p->token->offset);

        parameter->name = jinja_expect_name(p);
        jinja_add_node(p, &node->parameters, parameter);
        if (jinja_skip_operator(p, "="))
            jinja_add_node(p, &node->defaults, jinja_parse_expression(p, false));
        else if (node->defaults.n > 0)
            jinja_parse_fail(p, "a parameter without default after one with");
        if (!jinja_at_operator(p, ")"))
            jinja_expect_operator(p, ",");
    }
    jinja_expect_operator(p, ")");
}

/* Body of a macro, a call block or a generation block: a function of its own. */
static jinja_nodes parse_function(jinja_parser *p, jinja_node *node, const char *end)
{
    struct jinja_macro_frame frame = {.node = node, .outer = p->frame};
    unsigned loops = p->loops;
    jinja_nodes body;

    p->frame = &frame;
    p->loops = 0;
    body = parse_block(p, end);
    p->loops = loops;
    p->frame = frame.outer;
    return body;
}

static jinja_node *parse_macro(jinja_parser *p, size_t offset)
{
    jinja_node *node = jinja_new_node(p, JINJA_DEFINE_MACRO, offset);

    node->name = jinja_expect_name(p);
    parse_signature(p, node);
    node->body = parse_function(p, node, "endmacro");
    for (size_t i = 0; i < node->parameters.n && !p->c->failed; i++) {
        const jinja_string *name = node->parameters.items[i]->name;

        if (name == node->varargs)
            node->varargs = NULL; /* an ordinary parameter of that name */
        if (name == node->kwargs)
            node->kwargs = NULL;
        if (name == node->caller && i + node->defaults.n < node->parameters.n) {
            p->c->offset = offset;
            jinja_fail(p->c, TRUENO_FORMAT, "the parameter caller must have a default");
        } else if (name == node->caller) {
            node->caller = NULL;
        }
    }
    return node;
}

static jinja_node *parse_call_block(jinja_parser *p, size_t offset)
{
    jinja_node *node = jinja_new_node(p, JINJA_CALL_BLOCK, offset);

    if (jinja_at_operator(p, "("))
        parse_signature(p, node);
    node->a = jinja_parse_expression(p, false);
    if (node->a->kind != JINJA_CALL)
        jinja_parse_fail(p, "expected a call");
    node->body = parse_function(p, node, "endcall");
    return node;
}

static jinja_node *parse_filter_block(jinja_parser *p, size_t offset)
{
    jinja_node *node = jinja_new_node(p, JINJA_FILTER_BLOCK, offset);

    node->b = jinja_parse_filters(p, NULL, true);
    node->body = parse_block(p, "endfilter");
    return node;
}

static jinja_node *parse_with(jinja_parser *p, size_t offset)
{
    jinja_node *node = jinja_new_node(p, JINJA_WITH, offset);

    while (!p->c->failed && p->token->kind != JINJA_TOKEN_BLOCK_END) {
        if (node->items.n > 0)
            jinja_expect_operator(p, ",");
        jinja_add_node(p, &node->items, jinja_parse_target(p, NULL, false));
        jinja_expect_operator(p, "=");
        jinja_add_node(p, &node->items, jinja_parse_expression(p, false));
    }
    node->body = parse_block(p, "endwith");
    return node;
}

static jinja_node *parse_generation(jinja_parser *p, size_t offset)
{
    jinja_node *node = jinja_new_node(p, JINJA_GENERATION, offset);

    node->body = parse_function(p, node, "endgeneration");
    return node;
}

static jinja_node *parse_print(jinja_parser *p, size_t offset)
{
    jinja_node *node = jinja_new_node(p, JINJA_PRINT, offset);

    while (!p->c->failed && p->token->kind != JINJA_TOKEN_BLOCK_END) {
        if (node->items.n > 0)
            jinja_expect_operator(p, ",");
        jinja_add_node(p, &node->items, jinja_parse_expression(p, false));
    }
    return node;
}

static jinja_node *parse_loop_control(jinja_parser *p, jinja_node_kind kind, size_t offset)
{
    if (p->loops == 0) {
        p->c->offset = offset;
        jinja_fail(p->c, TRUENO_FORMAT, "'%s' outside of a loop",
                   kind == JINJA_BREAK ? "break" : "continue");
    }
    return jinja_new_node(p, kind, offset);
}

static jinja_node *parse_break(jinja_parser *p, size_t offset)
{
    return parse_loop_control(p, JINJA_BREAK, offset);
}

static jinja_node *parse_continue(jinja_parser *p, size_t offset)
{
    return parse_loop_control(p, JINJA_CONTINUE, offset);
}

static jinja_node *parse_unsupported(jinja_parser *p, size_t offset)
{
    const jinja_string *tag = p->token[-1].value.as.string;

    p->c->offset = offset;
    jinja_fail(p->c, TRUENO_UNSUPPORTED, "the tag '%.*s' is not supported", (int)tag->length,
               tag->bytes);
    return jinja_new_node(p, JINJA_TEXT, offset);
}

static const struct tag_row {
    const char *name;
    jinja_node *(*parse)(jinja_parser *p, size_t offset);
} TAGS[] = {
    {"if", parse_if},
    {"for", parse_for},
    {"set", parse_set},
    {"macro", parse_macro},
    {"call", parse_call_block},
    {"filter", parse_filter_block},
    {"with", parse_with},
    {"generation", parse_generation},
    {"print", parse_print},
    {"break", parse_break},
    {"continue", parse_continue},
    {"include", parse_unsupported},
    {"import", parse_unsupported},
    {"from", parse_unsupported},
    {"extends", parse_unsupported},
    {"block", parse_unsupported},
    {"autoescape", parse_unsupported},
};

static void check_unknown(jinja_parser *p)
{
    const jinja_node *node = p->unknown;

    if (node == NULL || p->c->failed)
        return;
    p->c->offset = node->offset;
    jinja_fail(p->c, TRUENO_FORMAT, "no %s named '%.*s'",
               node->kind == JINJA_FILTER ? "filter" : "test", (int)node->name->length,
               node->name->bytes);
}

static jinja_node *parse_statement(jinja_parser *p)
{
    size_t offset = p->token->offset;
    jinja_node *node = NULL;

    if (!jinja_parser_enter(p))
        return jinja_new_node(p, JINJA_TEXT, offset);
    for (size_t i = 0; i < sizeof TAGS / sizeof TAGS[0] && node == NULL; i++)
        if (jinja_skip_name(p, TAGS[i].name))
            node = TAGS[i].parse(p, offset);
    if (node == NULL) {
        jinja_parse_fail(p, "expected a tag");
        node = jinja_new_node(p, JINJA_TEXT, offset);
    }
    p->depth--;
    check_unknown(p);
    return node;
}

static bool at_end(const jinja_parser *p, const char *const *ends)
{
    for (; ends != NULL && *ends != NULL; ends++)
        if (jinja_at_name(p, *ends))
            return true;
    return false;
}

/* `{{ expression }}`, the opening being consumed */
static jinja_node *parse_variable(jinja_parser *p)
{
    jinja_node *node = jinja_new_node(p, JINJA_PRINT, p->token->offset);

    jinja_add_node(p, &node->items, jinja_parse_tuple(p, false, NULL));
    (void)jinja_expect_token(p, JINJA_TOKEN_VARIABLE_END, "the end of the print statement");
    check_unknown(p);
    return node;
}

/* Up to the tag that is one of `ends` (its name is the current token), or to the template's end. */
static jinja_nodes parse_body(jinja_parser *p, const char *const *ends)
{
    jinja_nodes body = {0};

    while (!p->c->failed) {
        jinja_node *text;

        switch (p->token->kind) {
        case JINJA_TOKEN_DATA:
            text = jinja_new_node(p, JINJA_TEXT, p->token->offset);
            text->value = (p->token++)->value;
            jinja_add_node(p, &body, text);
            break;
        case JINJA_TOKEN_VARIABLE_BEGIN:
            p->token++;
            jinja_add_node(p, &body, parse_variable(p));
            break;
        case JINJA_TOKEN_BLOCK_BEGIN:
            p->token++;
            if (at_end(p, ends))
                return body;
            jinja_add_node(p, &body, parse_statement(p));
            (void)jinja_expect_token(p, JINJA_TOKEN_BLOCK_END, "the end of the tag");
            break;
        default:
            if (ends != NULL)
                jinja_parse_fail(p, "expected '%s'", ends[0]);
            return body;
        }
    }
    return body;
}

jinja_nodes jinja_parse(jinja_context *c)
{
    jinja_parser p = {.c = c, .token = jinja_lex(c)};

    return p.token == NULL ? (jinja_nodes){0} : parse_body(&p, NULL);
}
