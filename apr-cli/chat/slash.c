/* SPDX-License-Identifier: MIT */
/* The commands inside a chat: one row each, and how a line finds its row. */
#include "slash.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const slash_row SLASH_ROWS[] = {
    {{"help", "h", "?"}, "", "show this list", slash_help},
    {{"exit", "quit", "bye", "q"}, "", "leave (also Ctrl-D)", slash_exit},
    {{"clear"}, "", "forget the conversation, keep the system message", slash_clear},
    {{"system"}, "TEXT", "set the system message; without TEXT: remove it", slash_system},
    {{"undo"}, "", "take the last exchange back", slash_undo},
    {{"regen"}, "", "answer the last message again", slash_regen},
    {{"save"}, "FILE", "write the messages as JSON", slash_save},
    {{"load"}, "FILE", "go on with the messages of a file", slash_load},
    {{"stats"}, "", "size of the context, speed of the last answer", slash_stats},
    {{"set"}, "parameter NAME VALUE", "change a sampling option", slash_set},
    {{"show"},
     "info|template|parameters|system",
     "show what the chat runs on and with",
     slash_show},
    {{NULL}, NULL, NULL, NULL},
};

static const slash_row *find_row(const char *name, size_t length)
{
    for (const slash_row *r = SLASH_ROWS; r->names[0] != NULL; r++)
        for (int i = 0; i < SLASH_NAMES && r->names[i] != NULL; i++)
            if (strlen(r->names[i]) == length && memcmp(r->names[i], name, length) == 0)
                return r;
    return NULL;
}

static size_t name_length(const char *line)
{
    return strcspn(line + 1, " \t\n");
}

/* "/usr/bin is full" is a message: a command's name is letters alone. */
bool slash_is_command(const char *line)
{
    size_t n;

    if (line[0] != '/' || line[1] == '\0')
        return false;
    n = name_length(line);
    for (size_t i = 0; i < n; i++)
        if (!isalpha((unsigned char)line[1 + i]) && line[1 + i] != '?')
            return false;
    return n > 0;
}

static trueno_status unknown_command(const char *line, trueno_error *err)
{
    const char *names[64], *near;
    char word[48];
    int n = 0;

    (void)snprintf(word, sizeof word, "%.*s", (int)name_length(line), line + 1);
    for (const slash_row *r = SLASH_ROWS; r->names[0] != NULL; r++)
        names[n++] = r->names[0];
    names[n] = NULL;
    near = nearest_word(word, names);
    if (near == NULL)
        return trueno_fail(err, TRUENO_USAGE, "unknown command /%s; /help shows them", word);
    return trueno_fail(err, TRUENO_USAGE, "unknown command /%s; did you mean /%s?", word, near);
}

trueno_status slash_run(chat *c, const char *line, trueno_error *err)
{
    const slash_row *row = find_row(line + 1, name_length(line));
    const char *argument = line + 1 + name_length(line);
    trueno_status status;
    size_t n;
    char *text;

    if (row == NULL)
        return unknown_command(line, err);
    argument += strspn(argument, " \t\n");
    n = strlen(argument);
    while (n > 0 && isspace((unsigned char)argument[n - 1]))
        n--;
    if (n > 0 && row->arguments[0] == '\0')
        return trueno_fail(err, TRUENO_USAGE, "/%s takes no argument", row->names[0]);
    text = strndup(argument, n);
    if (text == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a text of %zu bytes", n);
    status = row->run(c, text, err);
    free(text);
    return status < 0 ? status : flush_output(err);
}

const slash_key SLASH_KEYS[] = {
    {"\"\"\"", "begins and ends a message of several lines"},
    {"Alt-Enter", "adds a line"},
    {"Ctrl-C", "stops the answer, or takes the line back; twice within a second leaves"},
    {"Ctrl-D", "leaves, on an empty line"},
    {"Ctrl-G", "edits the message with $VISUAL or $EDITOR"},
    {"Ctrl-R, Up", "searches the history, goes back in it"},
    {"Tab", "completes commands, their words and file names"},
    {NULL, NULL},
};

void slash_print_help(void)
{
    for (const slash_row *r = SLASH_ROWS; r->names[0] != NULL; r++) {
        char label[64];
        int n = snprintf(label, sizeof label, "/%s", r->names[0]);

        for (int i = 1; i < SLASH_NAMES && r->names[i] != NULL; i++)
            n += snprintf(label + n, sizeof label - (size_t)n, " /%s", r->names[i]);
        (void)snprintf(label + n, sizeof label - (size_t)n, " %s", r->arguments);
        (void)printf("  %-40s %s\n", label, r->help);
    }
    (void)putchar('\n');
    for (const slash_key *k = SLASH_KEYS; k->keys != NULL; k++)
        (void)printf("  %-40s %s\n", k->keys, k->help);
}

trueno_status slash_help(chat *c, const char *argument, trueno_error *err)
{
    (void)c, (void)argument, (void)err;
    slash_print_help();
    return TRUENO_OK;
}
