/* SPDX-License-Identifier: MIT */
/* Shell completion: scripts for bash, zsh and fish, printed from the tables. */
#include "completion.h"

#include <stdio.h>
#include <string.h>

bool completes_files(const option_row *row)
{
    return row->value != NULL &&
           (strstr(row->value, "FILE") != NULL || strstr(row->value, "FOLDER") != NULL ||
            strcmp(row->value, "MODEL") == 0);
}

completion_argument completes_argument(const command_row *c, int index)
{
    const char *word = c->arguments;

    for (int i = 0; i < index; i++) {
        const char *space = strchr(word, ' ');

        if (space != NULL)
            word = space + 1;
        else if (c->most >= 0)
            return COMPLETE_NOTHING;
    }
    word += strspn(word, "[");
    if (index == 0 && (c->groups & GROUP_RECIPE) != 0 && c->groups != GROUP_EVERY)
        return COMPLETE_MODELS;
    if (strncmp(word, "COMMAND", 7) == 0)
        return COMPLETE_COMMANDS;
    if (strchr(word, '|') != NULL && word[0] >= 'a' && word[0] <= 'z')
        return COMPLETE_CHOICES;
    if (strncmp(word, "MODEL", 5) == 0 || strncmp(word, "SOURCE", 6) == 0 ||
        strncmp(word, "TARGET", 6) == 0 || strncmp(word, "FIRST", 5) == 0 ||
        strncmp(word, "SECOND", 6) == 0)
        return COMPLETE_FILES;
    return COMPLETE_NOTHING;
}

const char *verb_word(const command_row *row)
{
    const char *space = strrchr(row->name, ' ');

    return space != NULL ? space + 1 : row->name;
}

void print_choices(const char *value)
{
    for (; *value != '\0'; value++)
        (void)putchar(*value == '|' ? ' ' : *value);
}

static void print_names(const command_row *rows)
{
    for (const command_row *c = rows; c->name != NULL; c++)
        (void)printf("%s%s", c == rows ? "" : " ", verb_word(c));
}

/* What follows an option: choices, files, or something that only the user knows. */
static void print_bash_values(void)
{
    for (int i = 0; i < N_OPTION_ROWS; i++) {
        const option_row *row = &OPTION_ROWS[i];

        if (row->kind == OPTION_FLAG)
            continue;
        (void)printf("        --%s", row->name);
        if (row->letter != 0)
            (void)printf(" | -%c", row->letter);
        (void)printf(") ");
        if (option_is_choice(row)) {
            (void)printf("words='");
            print_choices(row->value);
            (void)printf("' ;;\n");
        } else {
            (void)printf("%s ;;\n", completes_files(row) ? "files=yes" : "return");
        }
    }
}

static void print_bash_argument(const command_row *c, int index)
{
    switch (completes_argument(c, index)) {
    case COMPLETE_NOTHING:
        break;
    case COMPLETE_MODELS:
        (void)printf(" [ $position -eq %d ] && files=yes && words=\"demo $(_apr_recipes)\";",
                     index);
        break;
    case COMPLETE_FILES:
        (void)printf(" [ $position %s %d ] && files=yes;", c->most < 0 ? "-ge" : "-eq", index);
        break;
    case COMPLETE_COMMANDS:
        (void)printf(" [ $position -eq %d ] && words='", index);
        print_names(COMMANDS);
        (void)printf("';");
        break;
    case COMPLETE_CHOICES:
        (void)printf(" [ $position -eq %d ] && words='", index);
        print_choices(c->arguments);
        (void)printf("';");
        break;
    }
}

static void print_bash_row(const command_row *c)
{
    (void)printf("        '%s') options='", c->name);
    for (int i = 0; i < N_OPTION_ROWS; i++)
        if ((OPTION_ROWS[i].groups & (c->groups | GROUP_GLOBAL)) != 0)
            (void)printf("--%s ", OPTION_ROWS[i].name);
    (void)printf("';");
    for (int i = 0; i < 2; i++)
        print_bash_argument(c, i);
    if (command_verbs(c->name) != NULL) {
        (void)printf(" [ $position -eq 0 ] && words='");
        print_names(command_verbs(c->name));
        (void)printf("';");
    }
    (void)printf(" ;;\n");
    for (const command_row *v = command_verbs(c->name); v != NULL && v->name != NULL; v++)
        print_bash_row(v);
}

/* Patterns of the options that take a value, so that the value is no argument. */
static void print_bash_takers(void)
{
    bool first = true;

    for (int i = 0; i < N_OPTION_ROWS; i++) {
        if (OPTION_ROWS[i].kind == OPTION_FLAG)
            continue;
        (void)printf("%s--%s", first ? "" : " | ", OPTION_ROWS[i].name);
        if (OPTION_ROWS[i].letter != 0)
            (void)printf(" | -%c", OPTION_ROWS[i].letter);
        first = false;
    }
}

static void print_bash(void)
{
    (void)printf(
        "# bash completion for apr\n"
        "_apr_recipes()\n{\n"
        "    local file\n"
        "    for file in \"${XDG_CONFIG_HOME:-$HOME/.config}\"/apr/recipes/*.yaml; do\n"
        "        [ -e \"$file\" ] && file=${file##*/} && printf '%%s ' \"${file%%.yaml}\"\n"
        "    done\n}\n\n"
        "_apr()\n{\n"
        "    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}\n"
        "    local command='' options='' words='' files='' position=-1 i\n"
        "    COMPREPLY=()\n"
        "    [ \"$current\" = = ] && current=''\n"
        "    [ \"$before\" = = ] && before=${COMP_WORDS[COMP_CWORD - 2]}\n"
        "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "        case ${COMP_WORDS[i]} in\n        ");
    print_bash_takers();
    (void)printf(")\n"
                 "            i=$((i + 1))\n"
                 "            [ \"${COMP_WORDS[i]}\" = = ] && i=$((i + 1)) ;;\n"
                 "        -*) ;;\n"
                 "        *)\n"
                 "            if [ -z \"$command\" ]; then command=${COMP_WORDS[i]}\n");
    for (const command_row *c = COMMANDS; c->name != NULL; c++)
        if (command_verbs(c->name) != NULL)
            (void)printf("            elif [ \"$command\" = %s ]; then command+=\" "
                         "${COMP_WORDS[i]}\" position=-1\n",
                         c->name);
    (void)printf("            fi\n            position=$((position + 1)) ;;\n"
                 "        esac\n    done\n    case $before in\n");
    print_bash_values();
    (void)printf("        *)\n        case $command in\n        '') words='");
    print_names(COMMANDS);
    (void)printf("'; options='");
    for (int i = 0; i < N_OPTION_ROWS; i++)
        if ((OPTION_ROWS[i].groups & GROUP_GLOBAL) != 0)
            (void)printf("--%s ", OPTION_ROWS[i].name);
    (void)printf("' ;;\n");
    for (const command_row *c = COMMANDS; c->name != NULL; c++)
        print_bash_row(c);
    (void)printf("        esac\n"
                 "        [[ $current == -* ]] && words=$options files=''\n"
                 "    esac\n"
                 "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\"\n"
                 "        [ -n \"$files\" ] && compgen -f -- \"$current\")\n}\n"
                 "complete -o filenames -F _apr apr\n");
}

typedef struct shell_row {
    const char *name;
    void (*print)(void);
} shell_row;

static const shell_row SHELLS[] = {
    {"bash", print_bash}, {"zsh", print_zsh_completion}, {"fish", print_fish_completion}};

trueno_status completion_command(cli_arguments *a, trueno_error *err)
{
    for (size_t i = 0; i < sizeof SHELLS / sizeof SHELLS[0]; i++)
        if (strcmp(SHELLS[i].name, a->positional[0]) == 0) {
            SHELLS[i].print();
            return TRUENO_OK;
        }
    return trueno_fail(err, TRUENO_USAGE,
                       "no completion for '%s'; there is one for bash, zsh, fish",
                       a->positional[0]);
}
