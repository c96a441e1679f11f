/* SPDX-License-Identifier: MIT */
/* Help and version, printed from the tables. */
#include "chat/slash.h"
#include "commands.h"

#include <stdio.h>
#include <string.h>

static void print_rows(const char *title, const command_row *rows, int width)
{
    (void)printf("%s:\n", title);
    for (const command_row *c = rows; c->name != NULL; c++)
        (void)printf("  %-*s %s\n", width, c->name, c->summary);
}

void print_help(void)
{
    (void)printf("apr: run language models from GGUF, SafeTensors and .apr files\n\n"
                 "usage: apr COMMAND [ARGUMENTS] [OPTIONS]\n\n");
    print_rows("commands", COMMANDS, 11);
    (void)printf("\nMODEL is a file, a folder, or 'demo': the tiny model inside this program.\n"
                 "  apr run demo \"What is 2+2?\"\n  apr COMMAND --help shows a command's options, "
                 "which may "
                 "also come from APR_<OPTION> and apr.yaml: apr config.\n");
}

static void option_label(const option_row *row, char *out, size_t bytes)
{
    char letter[8] = "    ";

    if (row->letter != 0)
        (void)snprintf(letter, sizeof letter, "-%c, ", row->letter);
    (void)snprintf(out, bytes, "%s--%s%s%s", letter, row->name, row->value != NULL ? " " : "",
                   row->value != NULL ? row->value : "");
}

static void print_options(const char *title, option_groups groups)
{
    (void)printf("\n%s:\n", title);
    for (int i = 0; i < N_OPTION_ROWS; i++) {
        const option_row *row = &OPTION_ROWS[i];
        char label[80];

        if ((row->groups & groups) == 0)
            continue;
        option_label(row, label, sizeof label);
        (void)printf("  %-32s %s", label, row->help);
        if (row->initial != NULL)
            (void)printf(" [%s]", row->initial);
        (void)putchar('\n');
    }
}

void print_command_help(const command_row *c)
{
    const command_row *verbs = command_verbs(c->name);

    (void)printf("apr %s: %s\n\nusage: apr %s %s [OPTIONS]\n", c->name, c->summary, c->name,
                 c->arguments);
    if (verbs != NULL)
        print_rows("\nverbs", verbs, 26);
    if ((c->groups & ~GROUP_GLOBAL) != 0 && c->groups != GROUP_EVERY)
        print_options("options", c->groups & ~GROUP_GLOBAL);
    print_options("options of every command", GROUP_GLOBAL);
    if (c->run == chat_command) {
        (void)printf("\ncommands in a chat:\n");
        slash_print_help();
    }
}

/* The row that the positional arguments name; *out NULL when there are none. */
static trueno_status named_row(const cli_arguments *a, const command_row **out, trueno_error *err)
{
    const char *verb = a->n_positional > 1 ? a->positional[1] : NULL;

    *out = a->n_positional > 0 ? command_find(a->positional[0], verb) : NULL;
    if (a->n_positional > 0 && *out == NULL)
        return trueno_fail(err, TRUENO_USAGE, "unknown command '%s%s%s'; see apr --help",
                           a->positional[0], verb != NULL ? " " : "", verb != NULL ? verb : "");
    return TRUENO_OK;
}

trueno_status help_command(cli_arguments *a, trueno_error *err)
{
    const command_row *c;
    trueno_status status = named_row(a, &c, err);

    if (status < 0)
        return status;
    if (c != NULL)
        print_command_help(c);
    else
        print_help();
    return TRUENO_OK;
}

trueno_status print_version(const cli_arguments *a, trueno_error *err)
{
    const char *level = trueno_cpu_level_name(trueno_cpu_flags());
    json_t *backends = json_array();
    char line[256];

    if (!a->o.json)
        (void)printf("apr %s\n", realizar_version());
    for (int i = 0; trueno_backend_describe(i, line, sizeof line); i++) {
        if (!a->o.json && a->o.verbose)
            (void)printf("backend %s\n", line);
        (void)json_array_append_new(backends, json_string(line));
    }
    if (!a->o.json && a->o.verbose)
        (void)printf("cpu level %s, %d threads\n", level, trueno_cpu_default_threads());
    if (a->o.json)
        return print_json(json_pack("{s:i, s:s, s:o, s:s, s:i}", "schema", 1, "version",
                                    realizar_version(), "backends", backends, "cpu_level", level,
                                    "threads", trueno_cpu_default_threads()),
                          err);
    json_decref(backends);
    return TRUENO_OK;
}
