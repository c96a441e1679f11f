/* SPDX-License-Identifier: MIT */
/**
 * Values of the template engine: Python's, as far as a template can see them.
 *
 * All of them live in the arena of their rendering (constants: of their template) and are immutable
 * once built, as in the immutable sandbox; namespaces, loops, cyclers and joiners have state.
 *
 * Errors are sticky: the first one is kept in the context (jinja_fail), every function then returns
 * something harmless (none, an empty string), and loops end when `failed` is set. So only loops and
 * code with consequences need to look.
 */
#ifndef REALIZAR_JINJA_VALUE_H
#define REALIZAR_JINJA_VALUE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <trueno/error.h>
#include <trueno/sys/arena.h>

typedef enum jinja_kind {
    JINJA_MISSING, /* an argument that was not given; a template never sees it */
    JINJA_UNDEFINED,
    JINJA_NONE,
    JINJA_BOOL,
    JINJA_INT,
    JINJA_FLOAT,
    JINJA_STRING,
    JINJA_LIST,
    JINJA_TUPLE,
    JINJA_LAZY, /* ranges, views of dicts, generators: see jinja_lazy */
    JINJA_DICT,
    JINJA_NAMESPACE,
    JINJA_MACRO,
    JINJA_FUNCTION,
    JINJA_METHOD,
    JINJA_LOOP,
    JINJA_CYCLER,
    JINJA_JOINER
} jinja_kind;

/* What a JINJA_LAZY stands for; its items are computed at once all the same. */
typedef enum jinja_lazy {
    JINJA_NOT_LAZY,
    JINJA_RANGE,
    JINJA_DICT_KEYS,
    JINJA_DICT_VALUES,
    JINJA_DICT_ITEMS,
    JINJA_GENERATOR /* can be consumed once */
} jinja_lazy;

typedef struct jinja_string jinja_string;
typedef struct jinja_sequence jinja_sequence;
typedef struct jinja_dict jinja_dict;
typedef struct jinja_undefined jinja_undefined;
typedef struct jinja_callable jinja_callable;
typedef struct jinja_method jinja_method;
typedef struct jinja_macro jinja_macro;
typedef struct jinja_loop jinja_loop;
typedef struct jinja_cycler jinja_cycler;
typedef struct jinja_builder jinja_builder;
typedef struct jinja_context jinja_context;

typedef struct jinja_value {
    jinja_kind kind;
    union {
        bool boolean;
        int64_t integer;
        double number;
        const jinja_string *string;
        jinja_sequence *sequence;         /* LIST, TUPLE, LAZY */
        jinja_dict *dict;                 /* DICT, NAMESPACE */
        const jinja_undefined *undefined; /* may be NULL: nothing known */
        const jinja_macro *macro;
        const jinja_callable *function;
        const jinja_method *method;
        jinja_loop *loop;
        jinja_cycler *cycler; /* CYCLER, JOINER */
    } as;
} jinja_value;

/* Bytes [begin, end) of a string that came from the user. */
typedef struct jinja_span {
    size_t begin, end;
} jinja_span;

struct jinja_string {
    const char *bytes; /* valid UTF-8, no NUL after it */
    size_t length;
    size_t n_chars;          /* code points; == length for ASCII */
    const jinja_span *marks; /* sorted, disjoint, not empty */
    size_t n_marks;
    bool safe;                   /* Markup: + and % escape what is joined to it */
    struct jinja_growth *growth; /* of a concatenation, else NULL; see jinja_continue */
};

struct jinja_sequence {
    jinja_value *items;
    size_t n, capacity;
    size_t consumed;       /* GENERATOR: items already taken */
    const int64_t *bounds; /* RANGE: start, stop, step */
    jinja_lazy lazy;
    bool from_user; /* came out of the user's JSON */
};

typedef struct jinja_pair {
    jinja_value key, value;
} jinja_pair;

struct jinja_dict {
    jinja_pair *pairs; /* in order of insertion */
    size_t n, capacity;
    uint32_t *slots; /* open addressing, 1 + index of a pair, 0 free; NULL while small */
    size_t n_slots;  /* power of two */
    bool from_user;
};

/* Why something is undefined; the words of the error that using it raises. */
struct jinja_undefined {
    const char *hint;  /* a whole message, or NULL */
    const char *owner; /* "dict object" of which `name` was asked, or NULL */
    jinja_value name;
};

/* Arguments of a call as written. */
typedef struct jinja_args {
    const jinja_value *items;
    size_t n;
    const jinja_pair *named; /* keys are strings */
    size_t n_named;
} jinja_args;

/**
 * One row of the tables of filters, tests, methods and global functions. argv holds one value for
 * each word of `parameters` (MISSING when not given); rows whose parameters are "*" read `raw`.
 * `self` is the filtered or tested value or the method's object.
 */
struct jinja_callable {
    const char *name;
    jinja_value (*run)(jinja_context *c, jinja_value self, const jinja_value *argv,
                       const jinja_args *raw);
    const char *parameters;
    unsigned required; /* how many of them must be given */
};

enum { JINJA_MAX_PARAMETERS = 6 };

struct jinja_method {
    jinja_value self;
    const jinja_callable *row;
};

/* cycler(...): the items in turn; joiner(text): nothing once, then the text. */
struct jinja_cycler {
    jinja_sequence *items;
    jinja_value separator;
    size_t position;
};

/* One compilation or rendering. */
struct jinja_context {
    trueno_arena *arena;
    trueno_error *err;
    trueno_status status;
    bool failed;

    const char *name;   /* of the template, for errors */
    const char *source; /* newlines normalised */
    size_t source_length;
    size_t offset; /* of what is being run or parsed, for errors */

    uint64_t steps_left;
    unsigned depth;
    size_t max_memory_bytes;
    size_t max_output_bytes;

    jinja_dict *globals; /* variables of the rendering */
    struct jinja_scope *scope;
    jinja_builder *out;
    int64_t now;
};

/* ---- context.c: errors, limits, memory ---- */

/* Keep the first error: "name:line:column: text". */
void jinja_fail(jinja_context *c, trueno_status status, const char *format, ...)
    TRUENO_PRINTF(3, 4);
/* TypeError and the like: jinja_fail with TRUENO_CONTENT, and none as the result. */
jinja_value jinja_raise(jinja_context *c, const char *format, ...) TRUENO_PRINTF(2, 3);
/* Line and column, both from 1, of a byte of the source; the column counts code points. */
void jinja_position(const char *source, size_t length, size_t offset, size_t *line, size_t *column);
/* Zeroed memory that lives as long as the context's arena, or NULL with the error set. */
void *jinja_alloc(jinja_context *c, size_t count, size_t size);
/*
 * Make room for one more item: when n == *capacity, the array (of items of `size` bytes; `array`
 * points to its pointer) is replaced by one of twice the room, at least `first`. False with the
 * error set.
 */
bool jinja_grow(jinja_context *c, void *array, size_t n, size_t *capacity, size_t size,
                size_t first);
/* Count `n` steps; false when there are none left (error set). */
bool jinja_spend(jinja_context *c, uint64_t n);
/* Go one level deeper; false (error set) at the limit. Balanced by `c->depth--` when true. */
bool jinja_enter(jinja_context *c);

/* ---- string.c: strings with marks ---- */

extern const jinja_string JINJA_EMPTY;

/* A string over borrowed bytes (valid UTF-8), wholly from the user or not at all. */
const jinja_string *jinja_string_over(jinja_context *c, const char *bytes, size_t length,
                                      bool from_user);
/* Bytes [begin, end) of a string, marks and safety kept; on character boundaries. */
const jinja_string *jinja_substring(jinja_context *c, const jinja_string *s, size_t begin,
                                    size_t end);
const jinja_string *jinja_concat(jinja_context *c, const jinja_string *a, const jinja_string *b);
/* The same text as Markup, or as a plain string. */
const jinja_string *jinja_with_safety(jinja_context *c, const jinja_string *s, bool safe);
bool jinja_string_equal(const jinja_string *a, const jinja_string *b);
bool jinja_string_is(const jinja_string *s, const char *text);
/* Order by code points: negative, 0, positive. */
int jinja_string_compare(const jinja_string *a, const jinja_string *b);
/* Byte offset of the i-th character (i <= n_chars). */
size_t jinja_char_offset(const jinja_string *s, size_t i);
/* True when any byte is marked. */
static inline bool jinja_has_marks(const jinja_string *s)
{
    return s->n_marks > 0;
}

/* A string being put together. Zero it, set `c`. */
struct jinja_builder {
    jinja_context *c;
    char *bytes;
    size_t length, capacity;
    jinja_span *marks;
    size_t n_marks, marks_capacity;
    size_t old_length, old_chars, old_marks; /* of the string that it continues */
    struct jinja_growth *growth;
};

void jinja_append_bytes(jinja_builder *b, const char *bytes, size_t n, bool from_user);
void jinja_append_text(jinja_builder *b, const char *text);
void jinja_append_char(jinja_builder *b, uint32_t code_point, bool from_user);
void jinja_append_repeated(jinja_builder *b, const jinja_string *s, size_t times);
void jinja_append_string(jinja_builder *b, const jinja_string *s);
/* Mark everything from byte `start` on, which was appended without marks. */
void jinja_mark_from(jinja_builder *b, size_t start);
void jinja_append_format(jinja_builder *b, const char *format, ...) TRUENO_PRINTF(2, 3);
/*
 * Begin with the text of `s`: in place, when `s` is the newest string of its growth, so that a
 * template that collects its output in a variable takes linear time. `s` stays as it is: what is
 * appended lies behind its end.
 */
void jinja_continue(jinja_builder *b, const jinja_string *s);
/* jinja_built(), for a text that may be continued. */
const jinja_string *jinja_built_to_grow(jinja_builder *b);
/* The text so far as a string; the builder must not be used after it. */
const jinja_string *jinja_built(jinja_builder *b);
jinja_value jinja_built_value(jinja_builder *b);

/* ---- values.c ---- */

jinja_value jinja_none(void);
jinja_value jinja_bool(bool boolean);
jinja_value jinja_int(int64_t integer);
jinja_value jinja_float(double number);
jinja_value jinja_from_string(const jinja_string *s);
/* A string over static text. */
jinja_value jinja_text(jinja_context *c, const char *text);
jinja_value jinja_undefined_hint(jinja_context *c, const char *hint);
jinja_value jinja_undefined_name(jinja_context *c, const char *owner, jinja_value name);
/* Raise the error that using an undefined value is. */
jinja_value jinja_raise_undefined(jinja_context *c, jinja_value v);

/* A list with room for `capacity` items. */
jinja_value jinja_list(jinja_context *c, size_t capacity);
jinja_value jinja_tuple(jinja_context *c, size_t capacity);
jinja_value jinja_lazy_of(jinja_context *c, jinja_lazy lazy, size_t capacity);
void jinja_push(jinja_context *c, jinja_value sequence, jinja_value item);
jinja_value jinja_pair_of(jinja_context *c, jinja_value a, jinja_value b);

jinja_dict *jinja_dict_new(jinja_context *c);
jinja_value jinja_from_dict(jinja_dict *dict);
/* NULL when there is none. The key must be hashable (see jinja_hashable). */
const jinja_value *jinja_dict_get(jinja_context *c, const jinja_dict *dict, jinja_value key);
const jinja_value *jinja_dict_find(const jinja_dict *dict, const char *text, size_t length);
void jinja_dict_set(jinja_context *c, jinja_dict *dict, jinja_value key, jinja_value value);
/* False, with the error set, for lists and dicts. */
bool jinja_hashable(jinja_context *c, jinja_value key);

bool jinja_truth(jinja_value v);
/* Of one kind that is kept by pointer (text, collections, callables): the same object. */
bool jinja_same_object(jinja_value a, jinja_value b);
bool jinja_equal(jinja_context *c, jinja_value a, jinja_value b);
/* Python's <; raises for what has no order. */
bool jinja_less(jinja_context *c, jinja_value a, jinja_value b);
/* True for int, float and bool; the value as a double. */
bool jinja_number(jinja_value v, double *number);
/* Python's int index: int or bool. */
bool jinja_index(jinja_value v, int64_t *index);
/* "str", "dict", "NoneType"... */
const char *jinja_type_name(jinja_value v);
/* Everything that iterating over `v` gives, as a sequence; NULL, with the error set, if it cannot.
 */
const jinja_sequence *jinja_iterate(jinja_context *c, jinja_value v);
bool jinja_is_iterable(jinja_value v);
/* len(); -1 when it has none. */
int64_t jinja_length(jinja_value v);
/* A value of the user's JSON or a collection that holds marked text. */
bool jinja_from_user(jinja_context *c, jinja_value v);

/* ---- repr.c, json.c ---- */

/* Python's str() and repr(). */
void jinja_append_str(jinja_builder *b, jinja_value v);
void jinja_append_repr(jinja_builder *b, jinja_value v);
const jinja_string *jinja_str(jinja_context *c, jinja_value v);
/* Shortest digits that give the same double, as repr() writes them; returns the length. */
enum { JINJA_FLOAT_BYTES = 32 };
size_t jinja_format_float(double x, char out[JINJA_FLOAT_BYTES]);
/* float(text) in the C locale: false when it is not a number as Python writes one. */
bool jinja_parse_float(const char *text, size_t length, double *x);

typedef struct jinja_json_options {
    bool ensure_ascii;
    bool sort_keys;
    const char *indent; /* NULL: one line */
    size_t indent_length;
    const jinja_string *item_separator, *key_separator;
} jinja_json_options;
void jinja_append_json(jinja_builder *b, jinja_value v, const jinja_json_options *o,
                       unsigned level);
/* Parse JSON text; `what` names it in errors. Strings are marked when `from_user`. */
jinja_value jinja_parse_json(jinja_context *c, const char *text, size_t bytes, bool from_user,
                             const char *what);

/* ---- attribute.c ---- */

jinja_value jinja_getattr(jinja_context *c, jinja_value v, jinja_value name);
jinja_value jinja_getitem(jinja_context *c, jinja_value v, jinja_value key);
/* v[begin:end:step]; none for what is left out. */
jinja_value jinja_slice(jinja_context *c, jinja_value v, const jinja_value bounds[3]);

/* ---- operators.c ---- */

jinja_value jinja_add(jinja_context *c, jinja_value a, jinja_value b);
jinja_value jinja_subtract(jinja_context *c, jinja_value a, jinja_value b);
jinja_value jinja_multiply(jinja_context *c, jinja_value a, jinja_value b);
jinja_value jinja_divide(jinja_context *c, jinja_value a, jinja_value b);
jinja_value jinja_floor_divide(jinja_context *c, jinja_value a, jinja_value b);
jinja_value jinja_modulo(jinja_context *c, jinja_value a, jinja_value b);
jinja_value jinja_power(jinja_context *c, jinja_value a, jinja_value b);
jinja_value jinja_negate(jinja_context *c, jinja_value v);
bool jinja_contains(jinja_context *c, jinja_value container, jinja_value item);
/* HTML-escaped, as Markup. */
const jinja_string *jinja_escape(jinja_context *c, const jinja_string *s);

/* ---- call.c ---- */

jinja_value jinja_call(jinja_context *c, jinja_value callee, const jinja_args *args);
/* Run a row with arguments bound to its parameters. */
jinja_value jinja_run_row(jinja_context *c, const jinja_callable *row, const char *kind,
                          jinja_value self, const jinja_args *args);
/* Find a row by name in a table that ends with a NULL name. */
const jinja_callable *jinja_find_row(const jinja_callable *table, const char *name, size_t length);

/* ---- tables ---- */

extern const jinja_callable JINJA_TESTS[];
extern const jinja_callable JINJA_STRING_METHODS[];
extern const jinja_callable JINJA_SEQUENCE_METHODS[];
extern const jinja_callable JINJA_DICT_METHODS[];
extern const jinja_callable JINJA_LOOP_METHODS[];
extern const jinja_callable JINJA_CYCLER_METHODS[];
extern const jinja_callable JINJA_GLOBALS[];
const jinja_callable *jinja_find_filter(const char *name, size_t length);

/* ---- format.c ---- */

/* format % values, and format.format(...). */
jinja_value jinja_percent(jinja_context *c, const jinja_string *format, jinja_value values);
jinja_value jinja_str_format(jinja_context *c, const jinja_string *format, const jinja_args *args);

#endif
