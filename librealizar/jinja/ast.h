/* SPDX-License-Identifier: MIT */
/** The parsed template. */
#ifndef REALIZAR_JINJA_AST_H
#define REALIZAR_JINJA_AST_H

#include "jinja/value.h"

typedef enum jinja_node_kind {
    /* expressions */
    JINJA_CONST, /* value */
    JINJA_NAME,  /* name */
    JINJA_MAKE_TUPLE,
    JINJA_MAKE_LIST, /* items */
    JINJA_MAKE_DICT, /* items: key, value, key, value... */
    JINJA_GETATTR,   /* a . value (a string) */
    JINJA_GETITEM,   /* a [ b ] */
    JINJA_SLICE,     /* items: three, NULL where left out; only as b of GETITEM */
    JINJA_CALL,      /* a ( arguments ) */
    JINJA_FILTER,    /* a | row ( arguments ); a NULL: the captured text of a block */
    JINJA_TEST,      /* a is row ( arguments ) */
    JINJA_NOT,
    JINJA_NEGATIVE,
    JINJA_POSITIVE, /* a */
    JINJA_AND,
    JINJA_OR,
    JINJA_ADD,
    JINJA_SUBTRACT,
    JINJA_MULTIPLY,
    JINJA_DIVIDE,
    JINJA_FLOOR_DIVIDE,
    JINJA_MODULO,
    JINJA_POWER,   /* a, b */
    JINJA_CONCAT,  /* items, joined as text */
    JINJA_COMPARE, /* a, then items: nodes whose op says how and whose a is the operand */
    JINJA_OPERAND,
    JINJA_CONDITIONAL, /* a if b else c (may be NULL) */
    /* statements */
    JINJA_TEXT,         /* value */
    JINJA_PRINT,        /* items */
    JINJA_IF,           /* a; body; otherwise */
    JINJA_FOR,          /* a target in b, if c; body; otherwise; recursive; name is "loop" */
    JINJA_SET,          /* a target = b */
    JINJA_SET_BLOCK,    /* a target; b filters or NULL; body */
    JINJA_DEFINE_MACRO, /* name; signature; body */
    JINJA_CALL_BLOCK,   /* a call; signature; body */
    JINJA_FILTER_BLOCK, /* b filters; body */
    JINJA_WITH,         /* items: target, value, target, value...; body */
    JINJA_GENERATION,   /* body */
    JINJA_BREAK,
    JINJA_CONTINUE,
    /* assignment target besides NAME and MAKE_TUPLE */
    JINJA_NAMESPACE_TARGET /* name . value (a string) */
} jinja_node_kind;

typedef enum jinja_comparison {
    JINJA_EQ,
    JINJA_NE,
    JINJA_LT,
    JINJA_LE,
    JINJA_GT,
    JINJA_GE,
    JINJA_IN,
    JINJA_NOT_IN
} jinja_comparison;

typedef struct jinja_node jinja_node;

typedef struct jinja_nodes {
    jinja_node **items;
    size_t n, capacity;
} jinja_nodes;

/* What stands in the parentheses of a call. */
typedef struct jinja_arguments {
    jinja_nodes positional;
    jinja_nodes named; /* the values; their names lie in `names` */
    const jinja_string **names;
    jinja_node *star, *double_star; /* *list, **dict, or NULL */
} jinja_arguments;

struct jinja_node {
    jinja_node_kind kind;
    jinja_comparison op; /* OPERAND */
    size_t offset;       /* in the source */
    jinja_value value;
    const jinja_string *name; /* interned: equal names of a template are one pointer */
    const jinja_callable *row;
    jinja_node *a, *b, *c;
    jinja_nodes items, body, otherwise;
    jinja_arguments *arguments;
    jinja_nodes parameters; /* of a macro or call block: NAMEs, and the last ones' defaults */
    jinja_nodes defaults;
    bool recursive;
    /* of a macro or call block: the special names that its body uses, else NULL */
    const jinja_string *caller, *varargs, *kwargs;
};

/* A macro or the body of a call block, with the scope where it was written. */
struct jinja_macro {
    const jinja_string *name; /* NULL: a call block's */
    const jinja_node *node;
    struct jinja_scope *scope;
};

typedef enum jinja_token_kind {
    JINJA_TOKEN_DATA,
    JINJA_TOKEN_BLOCK_BEGIN,
    JINJA_TOKEN_BLOCK_END,
    JINJA_TOKEN_VARIABLE_BEGIN,
    JINJA_TOKEN_VARIABLE_END,
    JINJA_TOKEN_NAME,
    JINJA_TOKEN_STRING,
    JINJA_TOKEN_NUMBER,
    JINJA_TOKEN_OPERATOR,
    JINJA_TOKEN_END
} jinja_token_kind;

typedef struct jinja_token {
    jinja_token_kind kind;
    size_t offset;
    char op[3];        /* OPERATOR: its one or two characters */
    jinja_value value; /* DATA, STRING, NAME: text; NUMBER */
} jinja_token;

/* Cut the source into tokens; NULL, with the error set, on a lexical error. The last is END. */
const jinja_token *jinja_lex(jinja_context *c);
/* Parse the source into statements. */
jinja_nodes jinja_parse(jinja_context *c);

/* ---- parser's parts ---- */

typedef struct jinja_parser {
    jinja_context *c;
    const jinja_token *token;
    const jinja_string **names; /* interned */
    size_t n_names, names_capacity;
    unsigned depth;
    unsigned loops; /* enclosing loops that break and continue can leave */
    bool soft;      /* inside an if: an unknown filter or test is an error only when it is run */
    const jinja_node *unknown;       /* a filter or test of unknown name, unless an if follows */
    struct jinja_macro_frame *frame; /* enclosing macros and call blocks */
    jinja_node spare;                /* what is written to after a failure */
} jinja_parser;

/* Enclosing macros while parsing, innermost first. */
struct jinja_macro_frame {
    jinja_node *node;
    struct jinja_macro_frame *outer;
};

void jinja_parse_fail(jinja_parser *p, const char *format, ...) TRUENO_PRINTF(2, 3);
jinja_node *jinja_new_node(jinja_parser *p, jinja_node_kind kind, size_t offset);
void jinja_add_node(jinja_parser *p, jinja_nodes *list, jinja_node *node);
bool jinja_at_operator(const jinja_parser *p, const char *op);
bool jinja_at_name(const jinja_parser *p, const char *name);
bool jinja_skip_operator(jinja_parser *p, const char *op);
bool jinja_skip_name(jinja_parser *p, const char *name);
bool jinja_expect_operator(jinja_parser *p, const char *op);
const jinja_string *jinja_expect_name(jinja_parser *p);
bool jinja_expect_token(jinja_parser *p, jinja_token_kind kind, const char *what);
/* Consume this name, or fail. */
void jinja_expect_word(jinja_parser *p, const char *name);
/* One pointer for each name of the template. */
const jinja_string *jinja_intern(jinja_parser *p, const jinja_string *name);
jinja_node *jinja_new_binary(jinja_parser *p, jinja_node_kind kind, size_t offset, jinja_node *a,
                             jinja_node *b);
/* A signed or plain operand, with its filters and tests if they belong to it. */
jinja_node *jinja_parse_unary(jinja_parser *p, bool with_filters);
bool jinja_parser_enter(jinja_parser *p);
/* An expression; without_condition leaves a trailing `if` alone. Never NULL. */
jinja_node *jinja_parse_expression(jinja_parser *p, bool without_condition);
/* One expression, or a tuple when commas follow; `end` is a name that also ends it, or NULL. */
jinja_node *jinja_parse_tuple(jinja_parser *p, bool without_condition, const char *end);
/* What may stand left of `=` or `in`. */
jinja_node *jinja_parse_target(jinja_parser *p, const char *end, bool with_namespace);
/* `| filter | filter...` applied to `node` (may be NULL). `inline_start`: no bar before the first.
 */
jinja_node *jinja_parse_filters(jinja_parser *p, jinja_node *node, bool inline_start);

#endif
