/* SPDX-License-Identifier: MIT */
/* Setting options from text, whoever gives it. */
#include "options.h"
#include "tree.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Options that contradict each other: of two sources the stronger one decides. */
static const char *const OPPOSITES[][2] = {
    {"gpu", "no-gpu"},       {"gpu", "backend"},           {"no-gpu", "backend"},
    {"stream", "no-stream"}, {"stream", "json"},           {"chat", "no-chat"},
    {"no-chat", "system"},   {"no-chat", "chat-template"}, {"verbose", "quiet"},
};
enum { N_OPPOSITES = sizeof OPPOSITES / sizeof OPPOSITES[0] };

void option_variable(const char *name, char *out, size_t bytes)
{
    (void)snprintf(out, bytes, "APR_%s", name);
    for (char *p = out; *p != '\0'; p++)
        *p = (char)(*p == '-' ? '_' : toupper((unsigned char)*p));
}

static bool same_name(const char *a, const char *b)
{
    for (; *a != '\0' && *b != '\0'; a++, b++)
        if ((*a == '_' ? '-' : *a) != *b)
            return false;
    return *a == *b;
}

int option_find(const char *name, option_groups groups)
{
    for (int i = 0; i < N_OPTION_ROWS; i++)
        if ((OPTION_ROWS[i].groups & groups) != 0 && same_name(name, OPTION_ROWS[i].name))
            return i;
    return -1;
}

const char *option_nearest(const char *word, option_groups groups)
{
    const char *names[MOST_OPTION_ROWS + 1];
    int n = 0;

    for (int i = 0; i < N_OPTION_ROWS; i++)
        if ((OPTION_ROWS[i].groups & groups) != 0)
            names[n++] = OPTION_ROWS[i].name;
    names[n] = NULL;
    return nearest_word(word, names);
}

option_origin option_origin_of(const cli_arguments *a, const char *name)
{
    int row = option_find(name, GROUP_EVERY);

    return row >= 0 ? a->source[row].origin : ORIGIN_DEFAULT;
}

bool option_given(const cli_arguments *a, const char *name)
{
    return option_origin_of(a, name) != ORIGIN_DEFAULT;
}

static trueno_status set_flag(bool *place, const char *text, const char *where, trueno_error *err)
{
    static const char *const YES[] = {"1", "true", "yes", "on"}, *const NO[] = {"0", "false", "no",
                                                                                "off"};

    for (int i = 0; i < 4; i++) {
        if (text == NULL || strcasecmp(text, YES[i]) == 0) {
            *place = true;
            return TRUENO_OK;
        }
        if (strcasecmp(text, NO[i]) == 0) {
            *place = false;
            return TRUENO_OK;
        }
    }
    return trueno_fail(err, TRUENO_USAGE, "%s: '%s' is neither true nor false", where, text);
}

static trueno_status set_int(int64_t *place, const option_row *row, const char *text,
                             const char *where, trueno_error *err)
{
    char *end;
    long long value;

    errno = 0;
    value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0)
        return trueno_fail(err, TRUENO_USAGE, "%s: '%s' is not a whole number", where, text);
    if ((double)value < row->low || (double)value > row->high)
        return trueno_fail(err, TRUENO_USAGE, "%s: %lld is out of range, allowed are %.0f to %.0f",
                           where, value, row->low, row->high);
    *place = value;
    return TRUENO_OK;
}

static trueno_status set_float(double *place, const option_row *row, const char *text,
                               const char *where, trueno_error *err)
{
    char *end;
    double value = strtod(text, &end);

    /* strtod() also takes hexadecimal, "inf" and "nan" */
    if (end == text || *end != '\0' || text[strspn(text, "+-.0123456789eE")] != '\0')
        return trueno_fail(err, TRUENO_USAGE, "%s: '%s' is not a number", where, text);
    if (!(value >= row->low && value <= row->high))
        return trueno_fail(err, TRUENO_USAGE, "%s: %g is out of range, allowed are %g to %g", where,
                           value, row->low, row->high);
    *place = value;
    return TRUENO_OK;
}

bool option_is_choice(const option_row *row)
{
    return row->value != NULL && strchr(row->value, '|') != NULL &&
           islower((unsigned char)row->value[0]);
}

static trueno_status set_text(const char **place, const option_row *row, const char *text,
                              const char *where, trueno_error *err)
{
    size_t length = strlen(text);

    if (option_is_choice(row)) {
        const char *at = row->value;

        while (at != NULL && !(strncmp(at, text, length) == 0 &&
                               (at[length] == '|' || at[length] == '\0') && length > 0)) {
            at = strchr(at, '|');
            at = at != NULL ? at + 1 : NULL;
        }
        if (at == NULL)
            return trueno_fail(err, TRUENO_USAGE, "%s: '%s' is not one of %s", where, text,
                               row->value);
    }
    *place = text;
    return TRUENO_OK;
}

static trueno_status add_text(text_list *list, const char *text, trueno_error *err)
{
    const char **larger =
        realloc((void *)list->items, ((size_t)list->count + 1) * sizeof *list->items);

    if (larger == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for options");
    list->items = larger;
    list->items[list->count++] = text;
    return TRUENO_OK;
}

static trueno_status set_value(int index, const char *text, void *place, const char *where,
                               trueno_error *err)
{
    const option_row *row = &OPTION_ROWS[index];

    switch (row->kind) {
    case OPTION_FLAG:
        return set_flag(place, text, where, err);
    case OPTION_INT:
        return set_int(place, row, text, where, err);
    case OPTION_FLOAT:
        return set_float(place, row, text, where, err);
    case OPTION_TEXT:
        return set_text(place, row, text, where, err);
    case OPTION_LIST:
        return text != NULL ? add_text(place, text, err) : TRUENO_OK;
    }
    return TRUENO_INTERNAL;
}

trueno_status option_check(int row, const char *text, const char *where, trueno_error *err)
{
    union {
        bool flag;
        int64_t whole;
        double number;
        const char *text;
    } unused;

    return OPTION_ROWS[row].kind == OPTION_LIST ? TRUENO_OK
                                                : set_value(row, text, &unused, where, err);
}

static void *value_place(cli_arguments *a, int row)
{
    return (char *)&a->o + OPTION_ROWS[row].offset;
}

/* The row that contradicts `row` by that pair, or -1. */
static int opposite(int pair, int row)
{
    for (int side = 0; side < 2; side++)
        if (strcmp(OPPOSITES[pair][side], OPTION_ROWS[row].name) == 0)
            return option_find(OPPOSITES[pair][1 - side], GROUP_EVERY);
    return -1;
}

/* Set to something that contradicts; a flag that is false does not. */
static bool speaks(cli_arguments *a, int row)
{
    return a->source[row].origin != ORIGIN_DEFAULT &&
           (OPTION_ROWS[row].kind != OPTION_FLAG || *(bool *)value_place(a, row));
}

static bool is_outranked(cli_arguments *a, int row, option_origin origin)
{
    if (a->source[row].origin > origin)
        return true;
    for (int i = 0; i < N_OPPOSITES; i++) {
        int other = opposite(i, row);

        if (other >= 0 && speaks(a, other) && a->source[other].origin > origin)
            return true;
    }
    return false;
}

/* Opposites are flags and texts: all bytes zero is "not set". */
static void clear_weaker_opposites(cli_arguments *a, int row)
{
    if (!speaks(a, row))
        return;
    for (int i = 0; i < N_OPPOSITES; i++) {
        int other = opposite(i, row);

        if (other < 0 || a->source[other].origin >= a->source[row].origin)
            continue;
        memset(value_place(a, other), 0,
               OPTION_ROWS[other].kind == OPTION_FLAG ? sizeof(bool) : sizeof(char *));
        a->source[other] = (option_source){0};
    }
}

/* "stream: false" is "no-stream: true". */
static trueno_status set_negation(cli_arguments *a, int row, const option_source *source,
                                  trueno_error *err)
{
    char name[48];
    int negation;

    if (OPTION_ROWS[row].kind != OPTION_FLAG || *(bool *)value_place(a, row))
        return TRUENO_OK;
    (void)snprintf(name, sizeof name, "no-%s", OPTION_ROWS[row].name);
    negation = option_find(name, GROUP_EVERY);
    return negation >= 0 ? option_set(a, negation, NULL, source, err) : TRUENO_OK;
}

trueno_status option_set(cli_arguments *a, int row, const char *text, const option_source *source,
                         trueno_error *err)
{
    trueno_status status;

    if (is_outranked(a, row, source->origin))
        return option_check(row, text, source->where, err);
    if (OPTION_ROWS[row].kind == OPTION_LIST && /* a stronger source replaces the weaker's list */
        (text == NULL || a->source[row].origin != source->origin))
        ((text_list *)value_place(a, row))->count = 0;
    status = set_value(row, text, value_place(a, row), source->where, err);
    if (status < 0)
        return status;
    a->source[row] = *source;
    a->source[row].where = NULL;
    if (source->origin == ORIGIN_DEFAULT)
        return TRUENO_OK;
    clear_weaker_opposites(a, row);
    return set_negation(a, row, source, err);
}

trueno_status options_defaults(cli_arguments *a, option_groups groups, trueno_error *err)
{
    memset(a, 0, sizeof *a);
    for (int i = 0; i < N_OPTION_ROWS; i++) {
        const option_row *row = &OPTION_ROWS[i];
        trueno_status status = TRUENO_OK;
        const char *value;
        char variable[64];

        if (row->initial != NULL)
            status = option_set(a, i, row->initial, &(option_source){.where = row->name}, err);
        option_variable(row->name, variable, sizeof variable);
        value = (row->groups & groups) != 0 && (row->groups & GROUP_NOT_ENVIRONMENT) == 0
                    ? getenv(variable)
                    : NULL;
        if (status == TRUENO_OK && value != NULL && value[0] != '\0')
            status =
                option_set(a, i, value,
                           &(option_source){.origin = ORIGIN_ENVIRONMENT, .where = variable}, err);
        if (status < 0)
            return status;
    }
    return TRUENO_OK;
}

void option_text(const cli_arguments *a, int index, char *out, size_t bytes)
{
    const option_row *row = &OPTION_ROWS[index];
    const void *place = (const char *)&a->o + row->offset;
    const text_list *list = place;
    size_t used = 0;

    out[0] = '\0';
    if (a->source[index].origin == ORIGIN_DEFAULT && row->initial == NULL &&
        row->kind != OPTION_FLAG)
        return;
    switch (row->kind) {
    case OPTION_FLAG:
        (void)snprintf(out, bytes, "%s", *(const bool *)place ? "true" : "false");
        break;
    case OPTION_INT:
        (void)snprintf(out, bytes, "%lld", (long long)*(const int64_t *)place);
        break;
    case OPTION_FLOAT:
        (void)snprintf(out, bytes, "%g", *(const double *)place);
        break;
    case OPTION_TEXT:
        (void)snprintf(out, bytes, "%s", *(const char *const *)place);
        break;
    case OPTION_LIST:
        for (int i = 0; i < list->count && used < bytes; i++)
            used += (size_t)snprintf(out + used, bytes - used, "%s%s", i > 0 ? ", " : "",
                                     list->items[i]);
        break;
    }
}

void options_free(cli_arguments *a)
{
    for (int i = 0; i < N_OPTION_ROWS; i++)
        if (OPTION_ROWS[i].kind == OPTION_LIST)
            free((void *)((text_list *)value_place(a, i))->items);
    for (int i = 0; i < a->n_settings; i++)
        tree_free(a->settings[i]);
    for (int i = 0; i < a->n_kept; i++)
        free(a->kept[i]);
}
