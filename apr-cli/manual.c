/* SPDX-License-Identifier: MIT */
/* Manual pages (scdoc source), from the tables of commands and options. */
#include "manual.h"
#include "chat/slash.h"
#include "settings.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

void print_manual_escaped(const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("_*\\<>", *text) != NULL)
            (void)putchar('\\');
        (void)putchar(*text);
    }
}

static void print_option(const option_row *row)
{
    char variable[64];

    (void)printf("\n*");
    if (row->letter != 0)
        (void)printf("-%c*, *", row->letter);
    (void)printf("--%s*", row->name);
    if (row->value != NULL) {
        (void)printf(" _");
        print_manual_escaped(row->value);
        (void)printf("_");
    }
    (void)printf("\n\t");
    print_manual_escaped(row->help);
    if (row->initial != NULL) {
        (void)printf(". Default: ");
        print_manual_escaped(row->initial);
    }
    if ((row->groups & GROUP_NOT_ENVIRONMENT) == 0) {
        option_variable(row->name, variable, sizeof variable);
        (void)printf(". Environment: ");
        print_manual_escaped(variable);
    }
    (void)printf(".\n");
}

static void print_options(const char *title, option_groups groups)
{
    if (title != NULL)
        (void)printf("\n# %s\n", title);
    for (int i = 0; i < N_OPTION_ROWS; i++)
        if ((OPTION_ROWS[i].groups & groups) != 0)
            print_option(&OPTION_ROWS[i]);
}

static void print_verbs(const command_row *verbs)
{
    for (; verbs != NULL && verbs->name != NULL; verbs++) {
        (void)printf("\n# ");
        for (const char *p = verbs->name; *p != '\0'; p++)
            (void)putchar(toupper((unsigned char)*p));
        (void)printf("\n\n*apr %s* ", verbs->name);
        print_manual_escaped(verbs->arguments);
        (void)printf("\n\n");
        print_manual_escaped(verbs->summary);
        (void)printf(".\n");
        print_options(NULL, verbs->groups & ~GROUP_GLOBAL);
    }
}

static void print_chat_commands(void)
{
    (void)printf("\n# COMMANDS IN A CHAT\n");
    for (const slash_row *r = SLASH_ROWS; r->names[0] != NULL; r++) {
        (void)printf("\n");
        for (int i = 0; i < SLASH_NAMES && r->names[i] != NULL; i++)
            (void)printf("%s*/%s*", i > 0 ? ", " : "", r->names[i]);
        if (r->arguments[0] != '\0') {
            (void)printf(" _");
            print_manual_escaped(r->arguments);
            (void)printf("_");
        }
        (void)printf("\n\t");
        print_manual_escaped(r->help);
        (void)printf("\n");
    }
    (void)printf("\n# KEYS IN A CHAT\n");
    for (const slash_key *k = SLASH_KEYS; k->keys != NULL; k++) {
        (void)printf("\n*");
        print_manual_escaped(k->keys);
        (void)printf("*\n\t");
        print_manual_escaped(k->help);
        (void)printf("\n");
    }
}

static const manual_text *find_text(const char *command)
{
    for (const manual_text *t = MANUAL_TEXTS; t->command != NULL; t++)
        if (strcmp(t->command, command) == 0)
            return t;
    return NULL;
}

static void print_examples(const char *examples)
{
    (void)printf("\n# EXAMPLES\n");
    while (*examples != '\0') {
        size_t title = strcspn(examples, "\t"), line = strcspn(examples, "\n");

        (void)printf("\n%.*s:\n\n```\n%.*s\n```\n", (int)title, examples, (int)(line - title - 1),
                     examples + title + 1);
        examples += line + 1;
    }
}

static void print_command_manual(const command_row *c)
{
    const manual_text *text = find_text(c->name);
    option_groups own = c->groups & ~GROUP_GLOBAL;

    (void)printf("apr-%s(1)\n\n# NAME\n\napr-%s - %s\n\n# SYNOPSIS\n\n*apr %s*", c->name, c->name,
                 c->summary, c->name);
    (void)printf("%s", c->arguments[0] != '\0' ? " " : "");
    print_manual_escaped(c->arguments);
    (void)printf(" [options]\n");
    if (text != NULL)
        (void)printf("\n# DESCRIPTION\n\n%s\n", text->description);
    print_verbs(command_verbs(c->name));
    if (c->groups == GROUP_EVERY)
        print_options("OPTIONS", GROUP_CONFIG);
    else if (own != 0)
        print_options("OPTIONS", own);
    print_options("OPTIONS OF EVERY COMMAND", GROUP_GLOBAL);
    if (strcmp(c->name, "chat") == 0)
        print_chat_commands();
    if (text != NULL)
        print_examples(text->examples);
    (void)printf("\n# EXIT STATUS\n\nSee *apr*(1).\n\n# SEE ALSO\n\n*apr*(1), *apr.yaml*(5)\n");
}

static void print_exits(void)
{
    static const char *const EXITS[] = {"0",   "ok",
                                        "1",   "internal error",
                                        "2",   "usage: unknown command or option, bad value",
                                        "3",   "file not found, or not a file",
                                        "4",   "invalid format",
                                        "5",   "content found wrong by a check or a conversion",
                                        "6",   "well-formed, but cannot run here",
                                        "7",   "input or output error",
                                        "8",   "inference failed",
                                        "9",   "feature or device not present",
                                        "10",  "network",
                                        "130", "interrupted"};

    (void)printf("\n# EXIT STATUS\n");
    for (size_t i = 0; i + 1 < sizeof EXITS / sizeof EXITS[0]; i += 2)
        (void)printf("\n*%s*\n\t%s\n", EXITS[i], EXITS[i + 1]);
}

static void print_files(void)
{
    (void)printf("\n# FILES\n");
    for (const settings_place *p = SETTINGS_PLACES; p->description != NULL; p++) {
        (void)printf("\n");
        print_manual_escaped(p->description);
        (void)printf("\n\tSettings, see *apr.yaml*(5).\n");
    }
    (void)printf("\n$XDG\\_CONFIG\\_HOME/apr/recipes/NAME.yaml\n\tRecipes, see *apr.yaml*(5).\n"
                 "\n$XDG\\_STATE\\_HOME/apr/chat\\_history\n\tMessages of chats.\n");
}

static void print_environment(void)
{
    (void)printf(
        "\n# ENVIRONMENT\n\nEvery option has a variable: _APR\\_MAX\\_TOKENS_ for *--max-tokens*, "
        "true or 1 for flags. An empty one counts as unset.\n"
        "\nAPR\\_NOHISTORY\n\t1: *apr chat* keeps no history.\n"
        "\nAPR\\_CONFIG\\_SYSTEM\n\tA folder in place of /etc/apr.\n"
        "\nVISUAL, EDITOR\n\tWhat Ctrl-G in a chat opens.\n"
        "\nNO\\_COLOR\n\tNo colours and no spinner.\n"
        "\nTRUENO\\_CPU\n\tscalar, avx2 or avx512: a lower instruction set.\n");
}

static void print_program_manual(void)
{
    (void)printf("apr(1)\n\n# NAME\n\napr - run language models\n\n# SYNOPSIS\n\n*apr* _COMMAND_ "
                 "[arguments] [options]\n\n# DESCRIPTION\n\nRuns language models on this machine. "
                 "MODEL is a GGUF, SafeTensors or .apr file (any part of a set), a Hugging Face "
                 "folder, a recipe, or *demo*: the tiny model inside the program. Standard output "
                 "carries the answer or the data and nothing else.\n\n# COMMANDS\n");
    for (const command_row *c = COMMANDS; c->name != NULL; c++)
        (void)printf("\n*apr-%s*(1)\n\t%s\n", c->name, c->summary);
    print_options("OPTIONS OF EVERY COMMAND", GROUP_GLOBAL);
    print_environment();
    print_files();
    print_exits();
    (void)printf("\n# SEE ALSO\n\n*apr.yaml*(5)\n");
}

trueno_status man_command(cli_arguments *a, trueno_error *err)
{
    const char *page = a->n_positional > 0 ? a->positional[0] : NULL;
    const command_row *c = page != NULL ? command_find(page, NULL) : NULL;

    if (c != NULL)
        print_command_manual(c);
    else if (page == NULL)
        print_program_manual();
    else if (strcmp(page, "apr.yaml") == 0)
        print_settings_manual();
    else
        return trueno_fail(err, TRUENO_USAGE, "no manual page '%s'; see apr --help", page);
    return TRUENO_OK;
}
