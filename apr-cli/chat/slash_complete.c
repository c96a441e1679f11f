/* SPDX-License-Identifier: MIT */
/* Tab in a chat: names of commands, their words, options, files. */
#include "slash.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_matching(json_t *list, const char *candidate, size_t n, const char *word,
                         const char *before)
{
    char text[64];

    if (n < strlen(word) || strncmp(candidate, word, strlen(word)) != 0)
        return;
    (void)snprintf(text, sizeof text, "%s%.*s", before, (int)n, candidate);
    (void)json_array_append_new(list, json_string(text));
}

static void add_commands(json_t *list, const char *word)
{
    for (const slash_row *r = SLASH_ROWS; r->names[0] != NULL; r++)
        for (int i = 0; i < SLASH_NAMES && r->names[i] != NULL; i++)
            if (strlen(r->names[i]) > 1)
                add_matching(list, r->names[i], strlen(r->names[i]), word, "/");
}

static void add_shown(json_t *list, const char *word)
{
    for (const show_row *r = SHOW_ROWS; r->name != NULL; r++)
        add_matching(list, r->name, strlen(r->name), word, "");
}

static void add_parameters(json_t *list, const char *word)
{
    for (int i = 0; i < N_OPTION_ROWS; i++)
        if ((OPTION_ROWS[i].groups & GROUP_SAMPLING) != 0)
            add_matching(list, OPTION_ROWS[i].name, strlen(OPTION_ROWS[i].name), word, "");
}

static void add_files(json_t *list, const char *word)
{
    char *pattern = NULL;
    glob_t found = {0};

    if (asprintf(&pattern, "%s*", word) < 0)
        return;
    if (glob(pattern, GLOB_MARK, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            (void)json_array_append_new(list, json_string(found.gl_pathv[i]));
    globfree(&found);
    free(pattern);
}

static bool begins(const char *line, const char *with)
{
    return strncmp(line, with, strlen(with)) == 0;
}

json_t *slash_complete(const char *line, size_t *word)
{
    json_t *list;

    if (line[0] != '/' || (list = json_array()) == NULL)
        return NULL;
    for (size_t i = 0; line[i] != '\0'; i++)
        if (line[i] == ' ')
            *word = i + 1;
    if (*word == 0)
        add_commands(list, line + 1);
    else if (begins(line, "/save ") || begins(line, "/load "))
        add_files(list, line + (*word = strlen("/save ")));
    else if (*word == strlen("/show ") && begins(line, "/show "))
        add_shown(list, line + *word);
    else if (*word == strlen("/set ") && begins(line, "/set "))
        add_matching(list, "parameter", strlen("parameter"), line + *word, "");
    else if (*word == strlen("/set parameter ") && begins(line, "/set parameter "))
        add_parameters(list, line + *word);
    return list;
}
