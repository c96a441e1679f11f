/* SPDX-License-Identifier: MIT */
/* Options from the command line, through getopt_long(). */
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { LONG_BASE = 1000 };

static trueno_status unknown_option(const char *given, option_groups groups, trueno_error *err)
{
    const char *word = given + strspn(given, "-"), *near;
    char bare[64];

    (void)snprintf(bare, sizeof bare, "%.*s", (int)strcspn(word, "="), word);
    near = option_nearest(bare, groups);
    if (near == NULL)
        return trueno_fail(err, TRUENO_USAGE, "unknown option '%s'; see --help", given);
    return trueno_fail(err, TRUENO_USAGE, "unknown option '%s'; did you mean --%s?", given, near);
}

/* getopt's tables for the rows of `groups`: short letters, and long names numbered by row. */
static void getopt_tables(option_groups groups, char *letters, struct option *names)
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

static int row_of_letter(int letter, option_groups groups)
{
    for (int i = 0; i < N_OPTION_ROWS; i++)
        if ((OPTION_ROWS[i].groups & groups) != 0 && OPTION_ROWS[i].letter == letter)
            return i;
    return -1;
}

trueno_status options_parse(cli_arguments *a, option_groups groups, int argc, char **argv,
                            int first, trueno_error *err)
{
    struct option names[MOST_OPTION_ROWS + 1];
    char letters[2 * MOST_OPTION_ROWS + 2];
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
        status = option_set(a, row, optarg,
                            &(option_source){.origin = ORIGIN_COMMAND_LINE, .where = where}, err);
        if (status < 0)
            return status;
    }
    a->positional = (const char **)(void *)(argv + optind);
    a->n_positional = argc - optind;
    return TRUENO_OK;
}
