/* SPDX-License-Identifier: MIT */
/* Completion for fish: one `complete` line for each option and word. */
#include "completion.h"

#include <stdio.h>
#include <string.h>

static void print_quoted(const char *text)
{
    (void)putchar('\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\')
            (void)putchar('\\');
        (void)putchar(*text);
    }
    (void)putchar('\'');
}

/* `when` is the condition, a call of a function of this script. */
static void print_option(const option_row *row, const char *when)
{
    (void)printf("complete -c apr -n '%s' -l %s", when, row->name);
    if (row->letter != 0)
        (void)printf(" -s %c", row->letter);
    if (option_is_choice(row)) {
        (void)printf(" -x -a '");
        print_choices(row->value);
        (void)putchar('\'');
    } else if (row->kind != OPTION_FLAG) {
        (void)printf(" %s", completes_files(row) ? "-r -F" : "-x");
    }
    (void)printf(" -d ");
    print_quoted(row->help);
    (void)putchar('\n');
}

static void print_names(const command_row *rows, const char *when)
{
    for (const command_row *c = rows; c->name != NULL; c++) {
        (void)printf("complete -c apr -n '%s' -a %s -d ", when, verb_word(c));
        print_quoted(c->summary);
        (void)putchar('\n');
    }
}

static void print_argument(const command_row *c, const char *when)
{
    switch (completes_argument(c, 0)) {
    case COMPLETE_MODELS:
        (void)printf("complete -c apr -n '%s' -F -a '(__apr_models)'\n", when);
        break;
    case COMPLETE_FILES:
        (void)printf("complete -c apr -n '%s' -F\n", when);
        break;
    case COMPLETE_COMMANDS:
        print_names(COMMANDS, when);
        break;
    case COMPLETE_CHOICES:
        (void)printf("complete -c apr -n '%s' -a '", when);
        print_choices(c->arguments);
        (void)printf("'\n");
        break;
    case COMPLETE_NOTHING:
        break;
    }
}

static void print_row(const command_row *c)
{
    const command_row *verbs = command_verbs(c->name);
    char when[80];

    if (verbs != NULL) {
        (void)snprintf(when, sizeof when, "__apr_is 1 %s", c->name);
        print_names(verbs, when);
        for (; verbs->name != NULL; verbs++)
            print_row(verbs);
        return;
    }
    (void)snprintf(when, sizeof when, "__apr_at %s", c->name);
    for (int i = 0; i < N_OPTION_ROWS; i++)
        if ((OPTION_ROWS[i].groups & c->groups) != 0 && (OPTION_ROWS[i].groups & GROUP_GLOBAL) == 0)
            print_option(&OPTION_ROWS[i], when);
    print_argument(c, when);
}

void print_fish_completion(void)
{
    (void)printf(
        "# fish completion for apr\n"
        "function __apr_words # the words so far that are no options\n"
        "    for word in (commandline -opc)[2..-1]\n"
        "        string match -q -- '-*' $word; or echo $word\n"
        "    end\n"
        "end\n"
        "function __apr_at # the words begin with these\n"
        "    set -l words (__apr_words)\n"
        "    set -l n (count $argv)\n"
        "    test (count $words) -ge $n; and test \"$words[1..$n]\" = \"$argv\"\n"
        "end\n"
        "function __apr_is # so many words, which are these\n"
        "    set -l words (__apr_words)\n"
        "    test (count $words) -eq $argv[1]; and test \"$words\" = \"$argv[2..-1]\"\n"
        "end\n"
        "function __apr_models\n"
        "    set -l folder $XDG_CONFIG_HOME\n"
        "    test -n \"$folder\"; or set folder ~/.config\n"
        "    echo demo\n"
        "    for file in $folder/apr/recipes/*.yaml\n"
        "        printf '%%s\\trecipe\\n' (string replace -r '.*/(.*)\\.yaml$' '$1' -- $file)\n"
        "    end\n"
        "end\n"
        "complete -c apr -f\n");
    print_names(COMMANDS, "__apr_is 0");
    for (int i = 0; i < N_OPTION_ROWS; i++)
        if ((OPTION_ROWS[i].groups & GROUP_GLOBAL) != 0)
            print_option(&OPTION_ROWS[i], "true");
    for (const command_row *c = COMMANDS; c->name != NULL; c++)
        print_row(c);
}
