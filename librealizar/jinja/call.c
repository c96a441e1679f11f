/* SPDX-License-Identifier: MIT */
/* Calls of all kinds of values, and the binding of arguments to a table row's parameters. */
#include "jinja/run.h"

#include <string.h>

const jinja_callable *jinja_find_row(const jinja_callable *table, const char *name, size_t length)
{
    for (; table->name != NULL; table++)
        if (strncmp(table->name, name, length) == 0 && table->name[length] == '\0')
            return table;
    return NULL;
}

/* The i-th word of "a b c"; false when there are fewer. */
static bool nth_word(const char *words, size_t i, const char **word, size_t *length)
{
    while (*words != '\0') {
        *length = strcspn(words, " ");
        *word = words;
        if (i-- == 0)
            return true;
        words += *length + strspn(words + *length, " ");
    }
    return false;
}

static size_t find_word(const char *words, const jinja_string *name)
{
    const char *word;
    size_t length;

    for (size_t i = 0; nth_word(words, i, &word, &length); i++)
        if (length == name->length && memcmp(word, name->bytes, length) == 0)
            return i;
    return SIZE_MAX;
}

static void bind_row(jinja_context *c, const jinja_callable *row, const jinja_args *args,
                     jinja_value argv[JINJA_MAX_PARAMETERS])
{
    const char *word;
    size_t length, n = 0;

    memset(argv, 0, JINJA_MAX_PARAMETERS * sizeof *argv); /* MISSING */
    while (nth_word(row->parameters, n, &word, &length))
        n++;
    if (args->n > n)
        jinja_raise(c, "%s() takes at most %zu argument(s) (%zu given)", row->name, n, args->n);
    for (size_t i = 0; i < args->n && !c->failed; i++)
        argv[i] = args->items[i];
    for (size_t i = 0; i < args->n_named && !c->failed; i++) {
        const jinja_string *name = args->named[i].key.as.string;
        size_t at = find_word(row->parameters, name);

        if (at == SIZE_MAX)
            jinja_raise(c, "%s() got an unexpected keyword argument '%.*s'", row->name,
                        (int)name->length, name->bytes);
        else if (argv[at].kind != JINJA_MISSING)
            jinja_raise(c, "%s() got multiple values for argument '%.*s'", row->name,
                        (int)name->length, name->bytes);
        else
            argv[at] = args->named[i].value;
    }
    for (size_t i = 0; i < row->required && !c->failed; i++)
        if (argv[i].kind == JINJA_MISSING && nth_word(row->parameters, i, &word, &length))
            jinja_raise(c, "%s() missing required argument '%.*s'", row->name, (int)length, word);
}

jinja_value jinja_run_row(jinja_context *c, const jinja_callable *row, const char *kind,
                          jinja_value self, const jinja_args *args)
{
    jinja_value argv[JINJA_MAX_PARAMETERS], v = jinja_none();

    if (row->run == NULL) {
        jinja_fail(c, TRUENO_UNSUPPORTED, "the %s '%s' is not supported", kind, row->name);
        return v;
    }
    if (strcmp(row->parameters, "*") != 0)
        bind_row(c, row, args, argv);
    if (!jinja_enter(c))
        return v;
    v = row->run(c, self, argv, args);
    c->depth--;
    return v;
}

jinja_value jinja_call(jinja_context *c, jinja_value callee, const jinja_args *args)
{
    jinja_cycler *joiner;

    if (c->failed)
        return jinja_none();
    switch (callee.kind) {
    case JINJA_MACRO:
        return jinja_call_macro(c, callee.as.macro, args);
    case JINJA_FUNCTION:
        return jinja_run_row(c, callee.as.function, "function", jinja_none(), args);
    case JINJA_METHOD:
        return jinja_run_row(c, callee.as.method->row, "method", callee.as.method->self, args);
    case JINJA_LOOP:
        return jinja_call_loop(c, callee.as.loop, args);
    case JINJA_JOINER:
        joiner = callee.as.cycler;
        return joiner->position++ == 0 ? jinja_from_string(&JINJA_EMPTY) : joiner->separator;
    case JINJA_UNDEFINED:
        return jinja_raise_undefined(c, callee);
    default:
        return jinja_raise(c, "'%s' object is not callable", jinja_type_name(callee));
    }
}
