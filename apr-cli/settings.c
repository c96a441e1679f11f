/* SPDX-License-Identifier: MIT */
/* apr.yaml: options that a system, a user or a folder always wants. */
#include "settings.h"
#include "commands.h"
#include "folders.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const settings_place SETTINGS_PLACES[] = {
    {ORIGIN_SYSTEM, "/etc/apr/apr.yaml"},
    {ORIGIN_USER, "$XDG_CONFIG_HOME/apr/apr.yaml, or ~/.config/apr/apr.yaml"},
    {ORIGIN_FOLDER, "apr.yaml in the working folder, for sampling and display only"},
    {ORIGIN_DEFAULT, NULL},
};

static char *place_path(option_origin origin)
{
    const char *system = getenv("APR_CONFIG_SYSTEM"); /* a folder instead of /etc/apr */
    char *path = NULL;

    if (origin == ORIGIN_USER)
        return config_file("apr.yaml");
    if (origin == ORIGIN_FOLDER)
        return strdup("apr.yaml");
    if (asprintf(&path, "%s/apr.yaml", system != NULL && system[0] != '\0' ? system : "/etc/apr") <
        0)
        return NULL;
    return path;
}

trueno_status settings_keep(cli_arguments *a, tree *t, trueno_error *err)
{
    if (a->n_settings == MOST_SETTINGS) {
        tree_free(t);
        return trueno_fail(err, TRUENO_INTERNAL, "more than %d settings files", MOST_SETTINGS);
    }
    a->settings[a->n_settings++] = t;
    return TRUENO_OK;
}

trueno_status settings_keep_text(cli_arguments *a, char *text, trueno_error *err)
{
    if (text == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a text");
    if (a->n_kept == MOST_SETTINGS) {
        free(text);
        return trueno_fail(err, TRUENO_INTERNAL, "more than %d texts to keep", MOST_SETTINGS);
    }
    a->kept[a->n_kept++] = text;
    return TRUENO_OK;
}

/* What a node is, for who wanted something else. */
static const char *describe(const tree_node *node)
{
    if (node->kind != TREE_TEXT)
        return node->kind == TREE_LIST ? "a list" : "a map";
    return node->quoted ? "a text in quotes" : "a text";
}

static bool fits(const option_row *row, const tree_node *node)
{
    if (node->kind == TREE_LIST && row->kind == OPTION_LIST) {
        for (int i = 0; i < node->count; i++)
            if (node->items[i].kind != TREE_TEXT || tree_is_null(&node->items[i]))
                return false;
        return true;
    }
    if (node->kind != TREE_TEXT || tree_is_null(node))
        return false;
    return !node->quoted || row->kind == OPTION_TEXT || row->kind == OPTION_LIST;
}

static trueno_status check_kind(const option_row *row, const tree_node *node, const char *where,
                                trueno_error *err)
{
    static const char *const WANTED[] = {
        [OPTION_FLAG] = "true or false",
        [OPTION_INT] = "a whole number",
        [OPTION_FLOAT] = "a number",
        [OPTION_TEXT] = "a text",
        [OPTION_LIST] = "a text or a list of texts",
    };

    if (fits(row, node))
        return TRUENO_OK;
    if (tree_is_null(node))
        return trueno_fail(err, TRUENO_USAGE, "%s: %s is wanted, there is no value", where,
                           WANTED[row->kind]);
    if (node->kind == TREE_LIST && row->kind == OPTION_LIST)
        return trueno_fail(err, TRUENO_USAGE, "%s: a list of texts is wanted", where);
    return trueno_fail(err, TRUENO_USAGE, "%s: %s is wanted, not %s", where, WANTED[row->kind],
                       describe(node));
}

trueno_status settings_set(cli_arguments *a, int row, const tree_node *node, const char *file,
                           option_origin origin, option_groups groups, trueno_error *err)
{
    bool taken = (OPTION_ROWS[row].groups & groups) != 0;
    char where[4300];
    const option_source source = {origin, where, file, node->line};
    trueno_status status;

    (void)snprintf(where, sizeof where, "%s:%d: %s", file, node->line, OPTION_ROWS[row].name);
    if ((status = check_kind(&OPTION_ROWS[row], node, where, err)) < 0)
        return status;
    if (node->kind == TREE_TEXT)
        return taken ? option_set(a, row, node->text, &source, err)
                     : option_check(row, node->text, where, err);
    if (!taken)
        return TRUENO_OK;
    status = option_set(a, row, NULL, &source, err); /* the list of a farther file goes */
    for (int i = 0; status == TRUENO_OK && i < node->count; i++)
        status = option_set(a, row, node->items[i].text, &source, err);
    return status;
}

trueno_status settings_check_twice(const tree_node *map, int item, const char *file,
                                   trueno_error *err)
{
    const tree_node *node = &map->items[item];
    int row = option_find(node->key, GROUP_EVERY);

    for (int i = 0; row >= 0 && i < item; i++)
        if (option_find(map->items[i].key, GROUP_EVERY) == row)
            return trueno_fail(err, TRUENO_USAGE, "%s:%d: %s is given twice, first in line %d",
                               file, node->key_line, OPTION_ROWS[row].name, map->items[i].key_line);
    return TRUENO_OK;
}

static trueno_status unknown_name(const tree_node *node, const char *file, trueno_error *err)
{
    const char *near = option_nearest(node->key, GROUP_EVERY);

    if (near == NULL)
        return trueno_fail(err, TRUENO_USAGE, "%s:%d: unknown option '%.64s'; see apr config", file,
                           node->key_line, node->key);
    return trueno_fail(err, TRUENO_USAGE, "%s:%d: unknown option '%.64s'; did you mean %s?", file,
                       node->key_line, node->key, near);
}

/* The working folder may be somebody else's: what it holds must not choose files, hosts, devices
 * or what the model is told. */
static trueno_status apply_option(cli_arguments *a, const tree_node *node, const char *file,
                                  option_origin origin, option_groups groups, trueno_error *err)
{
    int index = option_find(node->key, GROUP_EVERY);
    const option_row *row = index >= 0 ? &OPTION_ROWS[index] : NULL;
    char variable[64];

    if (row == NULL)
        return unknown_name(node, file, err);
    if ((row->groups & GROUP_NOT_SETTINGS) != 0)
        return trueno_fail(err, TRUENO_USAGE, "%s:%d: %s is for the command line alone", file,
                           node->key_line, row->name);
    option_variable(row->name, variable, sizeof variable);
    if (origin == ORIGIN_FOLDER && (row->groups & (GROUP_SAMPLING | GROUP_DISPLAY)) == 0)
        return trueno_fail(err, TRUENO_USAGE,
                           "%s:%d: the working folder's apr.yaml may set sampling and display "
                           "only, not %s; the user's may, --%s and %s too",
                           file, node->key_line, row->name, row->name, variable);
    return settings_set(a, index, node, file, origin, groups, err);
}

static trueno_status apply_file(cli_arguments *a, const char *path, option_origin origin,
                                option_groups groups, trueno_error *err)
{
    tree *t;
    trueno_status status = tree_read_file(&t, path, path, err);

    if (status < 0 || (status = settings_keep(a, t, err)) < 0)
        return status;
    for (int i = 0; status == TRUENO_OK && i < t->root.count; i++) {
        status = settings_check_twice(&t->root, i, t->name, err);
        if (status == TRUENO_OK)
            status = apply_option(a, &t->root.items[i], t->name, origin, groups, err);
    }
    return status;
}

/* Other users' configuration folders cannot be read by a program that changed its user (sudo). */
static bool is_there(const char *path, option_origin origin)
{
    if (access(path, F_OK) == 0)
        return true;
    return errno != ENOENT && errno != ENOTDIR && !(errno == EACCES && origin == ORIGIN_USER);
}

/* In ~/.config/apr the working folder's file is the user's own. */
static bool same_file(const char *a, const char *b)
{
    struct stat first, second;

    return a != NULL && stat(a, &first) == 0 && stat(b, &second) == 0 &&
           first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

trueno_status settings_apply(cli_arguments *a, option_groups groups, trueno_error *err)
{
    trueno_status status = TRUENO_OK;
    char *before[MOST_SETTINGS] = {0};

    for (int i = 0; status == TRUENO_OK && SETTINGS_PLACES[i].description != NULL; i++) {
        option_origin origin = SETTINGS_PLACES[i].origin;
        bool again = false;

        before[i] = place_path(origin); /* NULL: the user has no such folder */
        for (int k = 0; before[i] != NULL && k < i; k++)
            again = again || same_file(before[k], before[i]);
        if (before[i] != NULL && !again && is_there(before[i], origin))
            status = apply_file(a, before[i], origin, groups, err);
    }
    for (int i = 0; i < MOST_SETTINGS; i++)
        free(before[i]);
    return status;
}
