/* SPDX-License-Identifier: MIT */
/* The table of commands, and the way from argv to one of them. */
#include "commands.h"

#include <stdio.h>
#include <string.h>

const command_row COMMANDS[] = {
    {"run", "MODEL [PROMPT]", "answer a prompt", GROUP_ENGINE | GROUP_PROMPT | GROUP_SAMPLING, 1, 2,
     run_command},
    {"tokenize", "MODEL [TEXT]", "show the tokens of a text", GROUP_TOKENIZE | GROUP_FILE, 1, 2,
     tokenize_command},
    {"detokenize", "MODEL ID...", "give the bytes of tokens back", GROUP_FILE, 1, -1,
     detokenize_command},
    {"render", "MODEL|TEMPLATE.jinja", "show the prompt that a chat template makes",
     GROUP_RENDER | GROUP_TEMPLATE | GROUP_FILE, 1, 1, render_command},
    {"inspect", "MODEL", "show a model's metadata", GROUP_INSPECT | GROUP_FILE, 1, 1,
     inspect_command},
    {"tensors", "MODEL", "list a model's tensors", GROUP_TENSORS | GROUP_FILE, 1, 1,
     tensors_command},
    {"bench", "MODEL", "measure prompt processing and generation", GROUP_ENGINE | GROUP_BENCH, 1, 1,
     bench_command},
    {"eval", "MODEL", "perplexity and divergence on a text", GROUP_ENGINE | GROUP_EVAL, 1, 1,
     eval_command},
    {"convert", "MODEL", "write a model in another format or with other weight types",
     GROUP_CONVERT | GROUP_FILE, 1, 1, convert_command},
    {"import", "MODEL", "write a model as .apr", GROUP_CONVERT | GROUP_FILE, 1, 1, import_command},
    {"export", "MODEL", "write an .apr model in another format", GROUP_CONVERT | GROUP_FILE, 1, 1,
     convert_command},
    {"validate", "MODEL", "check every checksum, shape and weight of a model", GROUP_FILE, 1, 1,
     validate_command},
    {"config", "", "show every option's value", ~0u, 0, 0, config_command},
    {"completion", "bash", "print a shell completion script", 0, 1, 1, completion_command},
    {"man", "[COMMAND]", "print a manual page (scdoc source)", 0, 0, 1, man_command},
    {"help", "[COMMAND]", "show help", 0, 0, 1, help_command},
    {0},
};

const command_row *command_find(const char *name)
{
    for (const command_row *c = COMMANDS; c->name != NULL; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

static trueno_status unknown_command(const char *name, trueno_error *err)
{
    const char *names[sizeof COMMANDS / sizeof COMMANDS[0]], *near;
    int n = 0;

    for (const command_row *c = COMMANDS; c->name != NULL; c++)
        names[n++] = c->name;
    names[n] = NULL;
    near = nearest_word(name, names);
    if (near == NULL)
        return trueno_fail(err, TRUENO_USAGE, "unknown command '%s'; see apr --help", name);
    return trueno_fail(err, TRUENO_USAGE, "unknown command '%s'; did you mean '%s'?", name, near);
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
    return status < 0 ? status : c->run(a, err);
}

/* The command is the first word that is no option; options may stand before it. */
static int find_command(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
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

static trueno_status dispatch(cli_arguments *a, int argc, char **argv, trueno_error *err)
{
    int at = find_command(argc, argv);
    const command_row *c = at > 0 ? command_find(argv[at]) : NULL;
    unsigned groups = GROUP_GLOBAL | (c != NULL ? c->groups : 0);
    trueno_status status;

    if (at > 0 && c == NULL)
        return unknown_command(argv[at], err);
    if ((status = options_defaults(a, groups, err)) < 0)
        return status;
    if (c == NULL)
        return without_command(a, argc, argv, err);
    for (int i = at; i > 1; i--) /* the command's name to the front, so that the rest is one list */
        argv[i] = argv[i - 1];
    status = options_parse(a, groups, argc, argv, 2, err);
    return status < 0 ? status : run_row(c, a, err);
}

int cli_main(int argc, char **argv)
{
    cli_arguments a = {0};
    trueno_error err = {0};
    trueno_status status;

    for (int i = 1; i < argc; i++) /* known before parsing can fail, so that errors are JSON too */
        if (strcmp(argv[i], "--json") == 0)
            a.o.json = true;
    bool json = a.o.json;

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
