/* SPDX-License-Identifier: MIT */
/* Setting options from text, from the environment and from the command line. */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONG_BASE = 1000, MAX_ROWS = 128 };

void option_variable(const char *name, char *out, size_t bytes)
{
    (void)snprintf(out, bytes, "APR_%s", name);
    for (char *p = out; *p != '\0'; p++)
        *p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
}

int option_find(const char *name, unsigned groups)
{
    for (int i = 0; i < N_OPTION_ROWS; i++)
        if ((OPTION_ROWS[i].groups & groups) != 0 && strcmp(OPTION_ROWS[i].name, name) == 0)
            return i;
    return -1;
}

bool option_given(const cli_arguments *a, const char *name)
{
    for (int i = 0; i < N_OPTION_ROWS; i++)
        if (strcmp(OPTION_ROWS[i].name, name) == 0 && a->origin[i] != ORIGIN_DEFAULT)
            return true;
    return false;
}

static trueno_status set_flag(bool *place, const char *text, const char *where, trueno_error *err)
{
    static const char *const YES[] = {"1", "true", "yes", "on"}, *const NO[] = {"0", "false", "no",
                                                                                "off"};

    for (int i = 0; i < 4; i++) {
        if (text == NULL || strcmp(text, YES[i]) == 0) {
            *place = true;
            return TRUENO_OK;
        }
        if (strcmp(text, NO[i]) == 0) {
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

    if (end == text || *end != '\0')
        return trueno_fail(err, TRUENO_USAGE, "%s: '%s' is not a number", where, text);
    if (!(value >= row->low && value <= row->high))
        return trueno_fail(err, TRUENO_USAGE, "%s: %g is out of range, allowed are %g to %g", where,
                           value, row->low, row->high);
    *place = value;
    return TRUENO_OK;
}

/* A lower-case value with bars is a list of choices. */
static bool is_choice(const option_row *row)
{
    return strchr(row->value, '|') != NULL && islower((unsigned char)row->value[0]);
}

static trueno_status set_text(const char **place, const option_row *row, const char *text,
                              const char *where, trueno_error *err)
{
    size_t length = strlen(text);

    if (is_choice(row)) {
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

trueno_status option_set(cli_arguments *a, int index, const char *text, option_origin origin,
                         const char *where, trueno_error *err)
{
    const option_row *row = &OPTION_ROWS[index];
    void *place = (char *)&a->o + row->offset;
    text_list *list = place;
    trueno_status status = TRUENO_INTERNAL;

    switch (row->kind) {
    case OPTION_FLAG:
        status = set_flag(place, text, where, err);
        break;
    case OPTION_INT:
        status = set_int(place, row, text, where, err);
        break;
    case OPTION_FLOAT:
        status = set_float(place, row, text, where, err);
        break;
    case OPTION_TEXT:
        status = set_text(place, row, text, where, err);
        break;
    case OPTION_LIST:
        if (a->origin[index] != origin) /* a stronger source replaces the weaker one's list */
            list->count = 0;
        status = add_text(list, text, err);
        break;
    }
    if (status == TRUENO_OK)
        a->origin[index] = origin;
    return status;
}

trueno_status options_defaults(cli_arguments *a, unsigned groups, trueno_error *err)
{
    memset(a, 0, sizeof *a);
    for (int i = 0; i < N_OPTION_ROWS; i++) {
        const option_row *row = &OPTION_ROWS[i];
        trueno_status status = TRUENO_OK;
        const char *value;
        char variable[64];

        if (row->initial != NULL)
            status = option_set(a, i, row->initial, ORIGIN_DEFAULT, row->name, err);
        option_variable(row->name, variable, sizeof variable);
        value = (row->groups & groups) != 0 ? getenv(variable) : NULL;
        if (status == TRUENO_OK && value != NULL)
            status = option_set(a, i, value, ORIGIN_ENVIRONMENT, variable, err);
        if (status < 0)
            return status;
    }
    return TRUENO_OK;
}

/* Edits from a to b: letters added, removed, changed, or two neighbours swapped. */
static int edit_distance(const char *a, const char *b)
{
    enum { LONGEST = 40 };
    size_t n = strlen(a), m = strlen(b);
    int d[LONGEST + 1][LONGEST + 1];

    if (n > LONGEST || m > LONGEST)
        return LONGEST;
    for (size_t i = 0; i <= n; i++)
        for (size_t j = 0; j <= m; j++) {
            int best = i == 0 ? (int)j : j == 0 ? (int)i : d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

            if (i > 0 && d[i - 1][j] + 1 < best)
                best = d[i - 1][j] + 1;
            if (j > 0 && d[i][j - 1] + 1 < best)
                best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    return d[n][m];
}

const char *nearest_word(const char *word, const char *const *names)
{
    const char *best = NULL;
    int least = (int)strlen(word) / 2 + 1;

    for (; *names != NULL; names++) {
        int distance = edit_distance(word, *names);

        if (distance < least) {
            least = distance;
            best = *names;
        }
    }
    return best;
}

static trueno_status unknown_option(const char *given, unsigned groups, trueno_error *err)
{
    const char *names[MAX_ROWS + 1], *near;
    const char *word = given + strspn(given, "-");
    char bare[64];
    int n = 0;

    for (int i = 0; i < N_OPTION_ROWS; i++)
        if ((OPTION_ROWS[i].groups & groups) != 0)
            names[n++] = OPTION_ROWS[i].name;
    names[n] = NULL;
    (void)snprintf(bare, sizeof bare, "%.*s", (int)strcspn(word, "="), word);
    near = nearest_word(bare, names);
    if (near == NULL)
        return trueno_fail(err, TRUENO_USAGE, "unknown option '%s'; see --help", given);
    return trueno_fail(err, TRUENO_USAGE, "unknown option '%s'; did you mean --%s?", given, near);
}

/* getopt's tables for the rows of `groups`: short letters, and long names numbered by row. */
static void getopt_tables(unsigned groups, char *letters, struct option *names)
{
    *letters++ = ':';
    for (int i = 0; i < N_OPTION_ROWS; i++) {
        const option_row *row = &OPTION_ROWS[i];
        bool argument = row->kind != OPTION_FLAG;

        if ((row->groups & groups) == 0)
            continue;
        *names++ = (struct option){row->name, argument ? required_argument : no_argument, NULL,
                                   LONG_BASE + i};
        if (row->letter != 0) {
            *letters++ = row->letter;
            if (argument)
                *letters++ = ':';
        }
    }
    *letters = '\0';
    *names = (struct option){0};
}

static int row_of_letter(int letter, unsigned groups)
{
    for (int i = 0; i < N_OPTION_ROWS; i++)
        if ((OPTION_ROWS[i].groups & groups) != 0 && OPTION_ROWS[i].letter == letter)
            return i;
    return -1;
}

trueno_status options_parse(cli_arguments *a, unsigned groups, int argc, char **argv, int first,
                            trueno_error *err)
{
    struct option names[MAX_ROWS + 1];
    char letters[2 * MAX_ROWS + 2];
    int found;

    getopt_tables(groups, letters, names);
    opterr = 0;
    optind = first;
    while ((found = getopt_long(argc, argv, letters, names, NULL)) != -1) {
        const char *given = argv[optind - 1];
        int row = found >= LONG_BASE ? found - LONG_BASE : row_of_letter(found, groups);
        char where[64], letter[3] = {'-', (char)optopt, 0};
        trueno_status status;

        if (found == ':')
            return trueno_fail(err, TRUENO_USAGE, "option '%s' needs a value",
                               optopt >= LONG_BASE || optopt == 0 ? given : letter);
        if (found == '?' && optopt >= LONG_BASE)
            return trueno_fail(err, TRUENO_USAGE, "option '%s' takes no value", given);
        if (found == '?' || row < 0)
            return unknown_option(optopt != 0 ? letter : given, groups, err);
        (void)snprintf(where, sizeof where, "--%s", OPTION_ROWS[row].name);
        status = option_set(a, row, optarg, ORIGIN_COMMAND_LINE, where, err);
        if (status < 0)
            return status;
    }
    a->positional = (const char **)(void *)(argv + optind);
    a->n_positional = argc - optind;
    return TRUENO_OK;
}

void option_text(const cli_arguments *a, int index, char *out, size_t bytes)
{
    const option_row *row = &OPTION_ROWS[index];
    const void *place = (const char *)&a->o + row->offset;
    const text_list *list = place;
    size_t used = 0;

    out[0] = '\0';
    if (a->origin[index] == ORIGIN_DEFAULT && row->initial == NULL && row->kind != OPTION_FLAG)
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
            free((void *)((text_list *)(void *)((char *)&a->o + OPTION_ROWS[i].offset))->items);
}
