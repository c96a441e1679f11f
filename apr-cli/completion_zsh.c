/* SPDX-License-Identifier: MIT */
/* Completion for zsh: specifications for its _arguments, in single quotes. */
#include "completion.h"

#include <stdio.h>
#include <string.h>

/* In a specification brackets and colons have a meaning, in the quotes around it the quote. */
static void print_escaped(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            (void)fputs("'\\'", stdout);
        else if (strchr("[]:\\", *text) != NULL)
            (void)putchar('\\');
        (void)putchar(*text);
    }
}

static void print_value(const option_row *row)
{
    (void)printf(":%s:", option_is_choice(row) ? "value" : row->value);
    if (option_is_choice(row)) {
        (void)putchar('(');
        print_choices(row->value);
        (void)putchar(')');
    } else if (completes_files(row)) {
        (void)printf("%s", strstr(row->value, "FOLDER") != NULL ? "_files -/" : "_files");
    }
}

/* '(-t --threads)'{-t+,--threads=}'[help]:N:' */
static void print_option(const option_row *row)
{
    bool repeats = row->kind == OPTION_LIST, takes = row->kind != OPTION_FLAG;

    (void)printf(" \\\n                ");
    if (row->letter != 0)
        (void)printf("'(-%c --%s)'{-%c%s,--%s%s}'", row->letter, row->name, row->letter,
                     takes ? "+" : "", row->name, takes ? "=" : "");
    else
        (void)printf("'%s--%s%s", repeats ? "*" : "", row->name, takes ? "=" : "");
    (void)putchar('[');
    print_escaped(row->help);
    (void)putchar(']');
    if (takes)
        print_value(row);
    (void)putchar('\'');
}

static void print_options(option_groups groups)
{
    for (int i = 0; i < N_OPTION_ROWS; i++)
        if ((OPTION_ROWS[i].groups & groups) != 0)
            print_option(&OPTION_ROWS[i]);
}

static void print_argument(const command_row *c, int index)
{
    completion_argument what = completes_argument(c, index);

    if (what == COMPLETE_NOTHING)
        return;
    if (c->most < 0 && index + 1 >= c->least)
        (void)printf(" \\\n                '*:");
    else
        (void)printf(" \\\n                '%d:", index + 1);
    switch (what) {
    case COMPLETE_MODELS:
        (void)printf("model:_apr_models");
        break;
    case COMPLETE_COMMANDS:
        (void)printf("command:_apr_commands");
        break;
    case COMPLETE_CHOICES:
        (void)printf("word:(");
        print_choices(c->arguments);
        (void)putchar(')');
        break;
    default:
        (void)printf("model:_files");
        break;
    }
    (void)putchar('\'');
}

static void print_descriptions(const command_row *rows)
{
    for (const command_row *c = rows; c->name != NULL; c++) {
        (void)printf("\n        '%s:", verb_word(c));
        print_escaped(c->summary);
        (void)putchar('\'');
    }
}

static void print_row(const command_row *c)
{
    const command_row *verbs = command_verbs(c->name);

    (void)printf("        (%s)\n", verb_word(c));
    if (verbs == NULL) {
        (void)printf("            _arguments -s");
        print_options(c->groups | GROUP_GLOBAL);
        print_argument(c, 0);
        print_argument(c, 1);
    } else {
        (void)printf("            _apr_%s", c->name);
    }
    (void)printf(" ;;\n");
}

/* A function that completes one of the rows' names, then what that row takes. */
static void print_function(const char *name, const char *what, const command_row *rows)
{
    (void)printf("%s()\n{\n    local curcontext=$curcontext state line\n"
                 "    _arguments -C",
                 name);
    print_options(GROUP_GLOBAL);
    (void)printf(" \\\n                '1:%s:%ss' '*:: :->rest'\n"
                 "    [[ $state == rest ]] || return\n"
                 "    case $words[1] in\n",
                 what, name);
    for (const command_row *c = rows; c->name != NULL; c++)
        print_row(c);
    (void)printf("    esac\n}\n\n%ss()\n{\n    local -a rows\n    rows=(", name);
    print_descriptions(rows);
    (void)printf("\n    )\n    _describe %s rows\n}\n\n", what);
}

void print_zsh_completion(void)
{
    (void)printf("#compdef apr\n\n"
                 "_apr_models()\n{\n"
                 "    local -a names\n"
                 "    names=(demo ${XDG_CONFIG_HOME:-$HOME/.config}/apr/recipes/*.yaml(N:t:r))\n"
                 "    _alternative 'files:file:_files' 'names:name:compadd -a names'\n}\n\n"
                 "_apr_commands()\n{\n    _apr_tops\n}\n\n");
    for (const command_row *c = COMMANDS; c->name != NULL; c++) {
        char name[48];

        (void)snprintf(name, sizeof name, "_apr_%s", c->name);
        if (command_verbs(c->name) != NULL)
            print_function(name, "verb", command_verbs(c->name));
    }
    print_function("_apr_top", "command", COMMANDS);
    (void)printf("_apr_top \"$@\"\n");
}
