/* SPDX-License-Identifier: MIT */
/* The table of commands, and the way from argv to one of them. */
#include "commands.h"
#include "settings.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

const command_row COMMANDS[] = {
    {"run", "MODEL [PROMPT]", "answer a prompt",
     GROUP_RECIPE | GROUP_ENGINE | GROUP_PROMPT | GROUP_SAMPLING, 1, 2, run_command},
    {"chat", "MODEL [MESSAGE]", "talk with a model",
     GROUP_RECIPE | GROUP_ENGINE | GROUP_PROMPT | GROUP_SAMPLING | GROUP_CHAT, 1, 2, chat_command},
    {"tokenize", "MODEL [TEXT]", "show the tokens of a text",
     GROUP_RECIPE | GROUP_TOKENIZE | GROUP_FILE, 1, 2, tokenize_command},
    {"detokenize", "MODEL ID...", "give the bytes of tokens back", GROUP_RECIPE | GROUP_FILE, 1, -1,
     detokenize_command},
    {"render", "MODEL|TEMPLATE.jinja", "show the prompt that a chat template makes",
     GROUP_RECIPE | GROUP_RENDER | GROUP_TEMPLATE | GROUP_FILE, 1, 1, render_command},
    {"inspect", "MODEL", "show a model's metadata", GROUP_RECIPE | GROUP_INSPECT | GROUP_FILE, 1, 1,
     inspect_command},
    {"tensors", "MODEL", "list a model's tensors", GROUP_RECIPE | GROUP_TENSORS | GROUP_FILE, 1, 1,
     tensors_command},
    {"bench", "MODEL", "measure prompt processing and generation",
     GROUP_RECIPE | GROUP_ENGINE | GROUP_BENCH, 1, 1, bench_command},
    {"eval", "MODEL", "perplexity and divergence on a text",
     GROUP_RECIPE | GROUP_ENGINE | GROUP_EVAL, 1, 1, eval_command},
    {"convert", "MODEL", "write a model in another format or with other weight types",
     GROUP_CONVERT | GROUP_FILE, 1, 1, convert_command},
    {"import", "MODEL", "write a model as .apr", GROUP_CONVERT | GROUP_FILE, 1, 1, import_command},
    {"export", "MODEL", "write an .apr model in another format", GROUP_CONVERT | GROUP_FILE, 1, 1,
     convert_command},
    {"imatrix", "MODEL", "an importance matrix from a text, for convert --imatrix",
     GROUP_ENGINE | GROUP_IMATRIX, 1, 1, imatrix_command},
    {"validate", "MODEL", "check every checksum, shape and weight of a model, and score it",
     GROUP_QUALITY | GROUP_STRICT | GROUP_FILE, 1, 1, validate_command},
    {"lint", "MODEL", "what a model file lacks, without reading its weights",
     GROUP_STRICT | GROUP_FILE, 1, 1, lint_command},
    {"diff", "FIRST SECOND", "what two models say and hold differently, whatever formats",
     GROUP_DIFF | GROUP_FILE, 2, 2, diff_command},
    {"hex", "MODEL", "the bytes of a model file, field by field", GROUP_HEX | GROUP_FILE, 1, 1,
     hex_command},
    {"split", "MODEL", "write a model as a set of smaller files",
     GROUP_SPLIT | GROUP_SET | GROUP_FILE, 1, 1, split_command},
    {"join", "MODEL", "write a set of files as one", GROUP_SET | GROUP_FILE, 1, 1, join_command},
    {"merge", "MODEL MODEL...", "several models of one kind as one",
     GROUP_MERGE | GROUP_SET | GROUP_FILE, 1, -1, merge_command},
    {"canary", "VERB", "record what a model is, and check that it still is", 0, 0, -1,
     verb_missing},
    {"rosetta", "VERB", "convert models between formats, compare and verify them", 0, 0, -1,
     verb_missing},
    {"config", "", "show every option's value", GROUP_EVERY, 0, 0, config_command},
    {"completion", "bash|zsh|fish", "print a shell completion script", 0, 1, 1, completion_command},
    {"man", "[COMMAND|apr.yaml]", "print a manual page (scdoc source)", 0, 0, 1, man_command},
    {"help", "[COMMAND [VERB]]", "show help", 0, 0, 2, help_command},
    {0},
};

/* The tables of verbs, by the command that each belongs to. */
static const struct verb_table {
    const char *command;
    const command_row *verbs;
} VERB_TABLES[] = {
    {"canary", CANARY_VERBS},
    {"rosetta", ROSETTA_VERBS},
};

const command_row *command_verbs(const char *name)
{
    for (size_t i = 0; i < sizeof VERB_TABLES / sizeof VERB_TABLES[0]; i++)
        if (strcmp(VERB_TABLES[i].command, name) == 0)
            return VERB_TABLES[i].verbs;
    return NULL;
}

/* The word that tells a row from its table's others: the last of its name. */
static const char *row_word(const command_row *row)
{
    const char *space = strrchr(row->name, ' ');

    return space != NULL ? space + 1 : row->name;
}

static const command_row *find_in(const command_row *verbs, const char *word)
{
    for (const command_row *c = verbs; c->name != NULL; c++)
        if (strcmp(row_word(c), word) == 0)
            return c;
    return NULL;
}

const command_row *command_find(const char *name, const char *verb)
{
    const command_row *c = find_in(COMMANDS, name), *verbs = command_verbs(name);

    if (verb == NULL || c == NULL)
        return c;
    return verbs != NULL ? find_in(verbs, verb) : NULL;
}

/* A word that no row of the table has; `command` is NULL for the table of commands. */
static trueno_status unknown_word(const command_row *table, const char *command, const char *word,
                                  trueno_error *err)
{
    enum { MOST_ROWS = 128 };
    const char *names[MOST_ROWS], *near, *what = command != NULL ? "verb" : "command";
    char space[32] = "";
    int n = 0;

    for (const command_row *c = table; c->name != NULL && n < MOST_ROWS - 1; c++)
        names[n++] = row_word(c);
    names[n] = NULL;
    near = nearest_word(word, names);
    if (command != NULL)
        (void)snprintf(space, sizeof space, " %s", command);
    if (near == NULL)
        return trueno_fail(err, TRUENO_USAGE, "unknown %s '%s'; see apr%s --help", what, word,
                           space);
    return trueno_fail(err, TRUENO_USAGE, "unknown %s '%s'; did you mean '%s'?", what, word, near);
}

trueno_status verb_missing(cli_arguments *a, trueno_error *err)
{
    return trueno_fail(err, TRUENO_USAGE, "usage: apr %s VERB; see apr %s --help", a->command,
                       a->command);
}

static trueno_status check_count(const command_row *c, const cli_arguments *a, trueno_error *err)
{
    if (a->n_positional < c->least)
        return trueno_fail(err, TRUENO_USAGE, "usage: apr %s %s [options]; see apr %s --help",
                           c->name, c->arguments, c->name);
    if (c->most >= 0 && a->n_positional > c->most)
        return trueno_fail(err, TRUENO_USAGE,
                           "unexpected argument '%s'; usage: apr %s %s [options]",
                           a->positional[c->most], c->name, c->arguments);
    return TRUENO_OK;
}

static trueno_status run_row(const command_row *c, cli_arguments *a, trueno_error *err)
{
    trueno_status status;

    if (a->o.help) {
        print_command_help(c);
        return TRUENO_OK;
    }
    if (a->o.version)
        return print_version(a, err);
    status = check_count(c, a, err);
    if (status == TRUENO_OK && c->groups != 0 && !a->o.no_settings)
        status = settings_apply(a, c->groups | GROUP_GLOBAL, err);
    if (status == TRUENO_OK && (c->groups & GROUP_RECIPE) != 0 && c->groups != GROUP_EVERY)
        status = recipe_apply(a, c->groups, err);
    return status < 0 ? status : c->run(a, err);
}

/* The first word from argv[first] on that is no option, or 0; options may stand before it. */
static int find_word(int argc, char **argv, int first)
{
    for (int i = first; i < argc; i++) {
        if (strcmp(argv[i], "--color") == 0) {
            i++;
            continue;
        }
        if (argv[i][0] != '-')
            return i;
    }
    return 0;
}

static trueno_status without_command(cli_arguments *a, int argc, char **argv, trueno_error *err)
{
    trueno_status status = options_parse(a, GROUP_GLOBAL, argc, argv, 1, err);

    if (status < 0)
        return status;
    if (a->o.version)
        return print_version(a, err);
    if (a->o.help) {
        print_help();
        return TRUENO_OK;
    }
    return trueno_fail(err, TRUENO_USAGE, "a command is needed; see apr --help");
}

/* The word at argv[at] to argv[to], so that what follows is one list. */
static void move_word(char **argv, int at, int to)
{
    char *word = argv[at];

    for (int i = at; i > to; i--)
        argv[i] = argv[i - 1];
    argv[to] = word;
}

/* The row that the first words name, and how many of argv they take; *row NULL: no command. */
static trueno_status find_row(int argc, char **argv, const command_row **row, int *used,
                              trueno_error *err)
{
    int at = find_word(argc, argv, 1);
    const command_row *verbs;

    *used = 1;
    *row = at > 0 ? command_find(argv[at], NULL) : NULL;
    if (at > 0 && *row == NULL)
        return unknown_word(COMMANDS, NULL, argv[at], err);
    if (at == 0)
        return TRUENO_OK;
    move_word(argv, at, 1);
    *used = 2;
    verbs = command_verbs((*row)->name);
    if (verbs == NULL || (at = find_word(argc, argv, 2)) == 0)
        return TRUENO_OK;
    *row = find_in(verbs, argv[at]);
    if (*row == NULL)
        return unknown_word(verbs, argv[1], argv[at], err);
    move_word(argv, at, 2);
    *used = 3;
    return TRUENO_OK;
}

static trueno_status dispatch(cli_arguments *a, int argc, char **argv, trueno_error *err)
{
    const command_row *c;
    option_groups groups;
    int used;
    trueno_status status = find_row(argc, argv, &c, &used, err);

    if (status < 0)
        return status;
    groups = GROUP_GLOBAL | (c != NULL ? c->groups : 0);
    if ((status = options_defaults(a, groups, err)) < 0)
        return status;
    if (c == NULL)
        return without_command(a, argc, argv, err);
    a->command = c->name;
    status = options_parse(a, groups, argc, argv, used, err);
    return status < 0 ? status : run_row(c, a, err);
}

/* A standard stream that was closed would become the next file that is opened: a model would be
 * read as the prompt, an error written into the output. */
static void open_standard_streams(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", O_RDWR);
}

int cli_main(int argc, char **argv)
{
    cli_arguments a = {0};
    trueno_error err = {0};
    trueno_status status;

    open_standard_streams();
    for (int i = 1; i < argc; i++) /* known before parsing can fail, so that errors are JSON too */
        if (strcmp(argv[i], "--json") == 0)
            a.o.json = true;
    bool json = a.o.json;
    (void)signal(SIGXFSZ, SIG_IGN); /* a file over the limit is an error like a full disk */

    status = dispatch(&a, argc, argv, &err);
    spinner_stop();
    if (status == TRUENO_OK)
        status = flush_output(&err);
    a.o.json = json || a.o.json;
    if (status < 0)
        report_error(&a, &err);
    options_free(&a);
    return trueno_status_exit_code(status);
}
