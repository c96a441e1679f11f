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

/* scdoc needs _ and * escaped in running text. */
static void print_escaped(const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("_*\\<>", *text) != NULL)
            (void)putchar('\\');
        (void)putchar(*text);
    }
}

static void print_man_rows(option_groups groups)
{
    for (int i = 0; i < N_OPTION_ROWS; i++) {
        const option_row *row = &OPTION_ROWS[i];
        char variable[64];

        if ((row->groups & groups) == 0)
            continue;
        (void)printf("\n*");
        if (row->letter != 0)
            (void)printf("-%c*, *", row->letter);
        (void)printf("--%s*", row->name);
        if (row->value != NULL) {
            (void)printf(" _");
            print_escaped(row->value);
            (void)printf("_");
        }
        option_variable(row->name, variable, sizeof variable);
        (void)printf("\n\t");
        print_escaped(row->help);
        if (row->initial != NULL) {
            (void)printf(" Default: ");
            print_escaped(row->initial);
            (void)putchar('.');
        }
        (void)printf(" Environment: ");
        print_escaped(variable);
        (void)printf(".\n");
    }
}

static void print_man_options(const char *title, option_groups groups)
{
    (void)printf("\n# %s\n", title);
    print_man_rows(groups);
}

static void print_command_man(const command_row *c)
{
    const command_row *verbs = command_verbs(c->name);

    (void)printf("apr-%s(1)\n\n# NAME\n\napr-%s - %s\n\n# SYNOPSIS\n\n*apr %s* ", c->name, c->name,
                 c->summary, c->name);
    print_escaped(c->arguments);
    (void)printf(" [options]\n");
    for (; verbs != NULL && verbs->name != NULL; verbs++) {
        (void)printf("\n# APR %s\n\n*apr %s* ", verbs->name, verbs->name);
        print_escaped(verbs->arguments);
        (void)printf("\n\n");
        print_escaped(verbs->summary);
        (void)printf(".\n");
        print_man_rows(verbs->groups & ~GROUP_GLOBAL);
    }
    if ((c->groups & ~GROUP_GLOBAL) != 0 && c->groups != GROUP_EVERY)
        print_man_options("OPTIONS", c->groups & ~GROUP_GLOBAL);
    print_man_options("GLOBAL OPTIONS", GROUP_GLOBAL);
    (void)printf("\n# EXIT STATUS\n\nSee *apr*(1).\n");
}

static void print_program_man(void)
{
    static const char *const EXITS[] = {"0",   "ok",
                                        "1",   "internal error",
                                        "2",   "usage",
                                        "3",   "file not found",
                                        "4",   "invalid format",
                                        "5",   "content found wrong by a check",
                                        "6",   "well-formed, but cannot run here",
                                        "7",   "input or output error",
                                        "8",   "inference failed",
                                        "9",   "feature or device not present",
                                        "10",  "network",
                                        "130", "interrupted"};

    (void)printf("apr(1)\n\n# NAME\n\napr - run language models\n\n# SYNOPSIS\n\n*apr* _COMMAND_ "
                 "[arguments] [options]\n\n# COMMANDS\n");
    for (const command_row *c = COMMANDS; c->name != NULL; c++)
        (void)printf("\n*apr-%s*(1)\n\t%s\n", c->name, c->summary);
    print_man_options("GLOBAL OPTIONS", GROUP_GLOBAL);
    (void)printf("\n# EXIT STATUS\n");
    for (size_t i = 0; i + 1 < sizeof EXITS / sizeof EXITS[0]; i += 2)
        (void)printf("\n*%s*\n\t%s\n", EXITS[i], EXITS[i + 1]);
}

trueno_status man_command(cli_arguments *a, trueno_error *err)
{
    const command_row *c;
    trueno_status status = named_row(a, &c, err);

    if (status < 0)
        return status;
    if (c != NULL)
        print_command_man(c);
    else
        print_program_man();
    return TRUENO_OK;
}

static void print_bash_rows(const command_row *rows)
{
    for (const command_row *c = rows; c->name != NULL; c++) {
        const char *space = strrchr(c->name, ' ');

        (void)printf("%s ", space != NULL ? space + 1 : c->name);
    }
}

/* Options of all verbs of a command with verbs, or of the row alone. */
static option_groups row_groups(const command_row *c)
{
    option_groups groups = c->groups | GROUP_GLOBAL;

    for (const command_row *v = command_verbs(c->name); v != NULL && v->name != NULL; v++)
        groups |= v->groups;
    return groups;
}

static void print_bash_words(option_groups groups)
{
    for (int i = 0; i < N_OPTION_ROWS; i++)
        if ((OPTION_ROWS[i].groups & groups) != 0)
            (void)printf(" --%s", OPTION_ROWS[i].name);
}

trueno_status completion_command(cli_arguments *a, trueno_error *err)
{
    if (strcmp(a->positional[0], "bash") != 0)
        return trueno_fail(err, TRUENO_USAGE, "no completion for '%s'; there is one for bash",
                           a->positional[0]);
    (void)printf("# bash completion for apr\n_apr()\n{\n"
                 "    local current=${COMP_WORDS[COMP_CWORD]} words=\"\"\n"
                 "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        words=\"");
    print_bash_rows(COMMANDS);
    (void)printf("\"\n    else\n        case ${COMP_WORDS[1]} in\n");
    for (const command_row *c = COMMANDS; c->name != NULL; c++) {
        (void)printf("        %s) words=\"", c->name);
        print_bash_words(row_groups(c));
        if (command_verbs(c->name) != NULL) {
            (void)printf("\"\n            [ \"$COMP_CWORD\" -eq 2 ] && [[ $current != -* ]] &&\n"
                         "                COMPREPLY=($(compgen -W \"");
            print_bash_rows(command_verbs(c->name));
            (void)printf("\" -- \"$current\")) && return");
        } else {
            (void)printf("\"");
        }
        (void)printf(" ;;\n");
    }
    (void)printf("        esac\n        [[ $current == -* ]] || words=\"\"\n    fi\n"
                 "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
                 "    [ \"$COMP_CWORD\" -gt 1 ] && [[ $current != -* ]] &&\n"
                 "        COMPREPLY+=($(compgen -f -- \"$current\"))\n}\n"
                 "complete -o filenames -F _apr apr\n");
    return TRUENO_OK;
}
