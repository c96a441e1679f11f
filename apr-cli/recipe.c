/* SPDX-License-Identifier: MIT */
/* Recipes: a YAML file that stands for a model with its system message, template and options. */
#include "commands.h"
#include "folders.h"
#include "settings.h"

#include <errno.h>
#include <realizar/chat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct recipe {
    cli_arguments *arguments;
    const char *file;
    option_groups groups; /* of the command */
    const char *model;    /* found so far */
};

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);

    return n >= k && strcmp(text + n - k, end) == 0;
}

static bool is_recipe_name(const char *path)
{
    return ends_with(path, ".yaml") || ends_with(path, ".yml");
}

static trueno_status wanted_text(const recipe *r, const tree_node *node, trueno_error *err)
{
    if (node->kind == TREE_TEXT && !tree_is_null(node) && node->text[0] != '\0')
        return TRUENO_OK;
    return trueno_fail(err, TRUENO_USAGE, "%s:%d: %s: a text is wanted", r->file, node->line,
                       node->key);
}

/* Paths are seen from the recipe's folder, so that both can be moved together. */
static trueno_status read_model(recipe *r, const tree_node *node, trueno_error *err)
{
    trueno_status status = wanted_text(r, node, err);
    char *path;

    if (status < 0)
        return status;
    r->model = node->text;
    if (strcmp(node->text, "demo") == 0)
        return TRUENO_OK;
    if (is_recipe_name(node->text))
        return trueno_fail(err, TRUENO_USAGE, "%s:%d: model: '%s' is a recipe, not a model",
                           r->file, node->line, node->text);
    path = path_beside(r->file, node->text);
    if ((status = settings_keep_text(r->arguments, path, err)) < 0)
        return status;
    r->model = path;
    if (access(path, F_OK) != 0)
        return trueno_fail(err, TRUENO_NOT_FOUND, "%s:%d: model: %s: %s", r->file, node->line, path,
                           strerror(errno));
    return TRUENO_OK;
}

static trueno_status set_option(const recipe *r, const char *name, const tree_node *node,
                                trueno_error *err)
{
    return settings_set(r->arguments, option_find(name, GROUP_EVERY), node, r->file, ORIGIN_RECIPE,
                        r->groups, err);
}

static trueno_status read_system(recipe *r, const tree_node *node, trueno_error *err)
{
    return set_option(r, "system", node, err);
}

static trueno_status read_stop(recipe *r, const tree_node *node, trueno_error *err)
{
    return set_option(r, "stop", node, err);
}

/* The name of a preset, or a file beside the recipe. */
static trueno_status read_template(recipe *r, const tree_node *node, trueno_error *err)
{
    tree_node beside = *node;
    trueno_status status = wanted_text(r, node, err);

    if (status < 0)
        return status;
    if (realizar_template_preset(node->text) == NULL) {
        beside.text = path_beside(r->file, node->text);
        if ((status = settings_keep_text(r->arguments, beside.text, err)) < 0)
            return status;
        if (access(beside.text, F_OK) != 0)
            return trueno_fail(err, TRUENO_NOT_FOUND,
                               "%s:%d: template: '%s' is neither a preset nor a file", r->file,
                               node->line, beside.text);
    }
    return set_option(r, "chat-template", &beside, err);
}

static trueno_status read_parameter(recipe *r, const tree_node *node, trueno_error *err)
{
    const option_groups groups = GROUP_SAMPLING | GROUP_PARAMETER;
    int row = option_find(node->key, groups);
    const char *near = option_nearest(node->key, groups);

    if (row >= 0)
        return settings_set(r->arguments, row, node, r->file, ORIGIN_RECIPE, r->groups, err);
    if (near == NULL)
        return trueno_fail(err, TRUENO_USAGE, "%s:%d: unknown parameter '%.64s'", r->file,
                           node->key_line, node->key);
    return trueno_fail(err, TRUENO_USAGE, "%s:%d: unknown parameter '%.64s'; did you mean %s?",
                       r->file, node->key_line, node->key, near);
}

static trueno_status read_parameters(recipe *r, const tree_node *node, trueno_error *err)
{
    trueno_status status = TRUENO_OK;

    if (node->kind != TREE_MAP)
        return trueno_fail(err, TRUENO_USAGE, "%s:%d: parameters: lines of NAME: VALUE are wanted",
                           r->file, node->line);
    for (int i = 0; status == TRUENO_OK && i < node->count; i++) {
        status = settings_check_twice(node, i, r->file, err);
        if (status == TRUENO_OK)
            status = read_parameter(r, &node->items[i], err);
    }
    return status;
}

const recipe_key RECIPE_KEYS[] = {
    {"model", "The model's file or folder, seen from the recipe's folder; or demo. Required.",
     read_model},
    {"system", "The system message of the conversation.", read_system},
    {"template", "A chat template instead of the model's: a preset, or a file beside the recipe.",
     read_template},
    {"parameters", "Options by their names, see below.", read_parameters},
    {"stop", "A text before which answers end, or a list of them.", read_stop},
    {NULL, NULL, NULL},
};

enum { N_KEYS = sizeof RECIPE_KEYS / sizeof RECIPE_KEYS[0] - 1 };

static trueno_status unknown_key(const recipe *r, const tree_node *node, trueno_error *err)
{
    const char *names[N_KEYS + 1] = {0}, *near;

    for (int i = 0; i < N_KEYS; i++)
        names[i] = RECIPE_KEYS[i].name;
    if (option_find(node->key, GROUP_SAMPLING | GROUP_PARAMETER) >= 0)
        return trueno_fail(err, TRUENO_USAGE, "%s:%d: '%.64s' belongs under parameters", r->file,
                           node->key_line, node->key);
    near = nearest_word(node->key, names);
    if (near != NULL)
        return trueno_fail(err, TRUENO_USAGE, "%s:%d: unknown key '%.64s'; did you mean %s?",
                           r->file, node->key_line, node->key, near);
    return trueno_fail(err, TRUENO_USAGE,
                       "%s:%d: unknown key '%.64s'; a recipe has model, system, template, "
                       "parameters and stop",
                       r->file, node->key_line, node->key);
}

static trueno_status read_key(recipe *r, const tree_node *node, trueno_error *err)
{
    for (int i = 0; i < N_KEYS; i++)
        if (strcmp(RECIPE_KEYS[i].name, node->key) == 0)
            return RECIPE_KEYS[i].read(r, node, err);
    return unknown_key(r, node, err);
}

/* The recipe's file that a MODEL names: a path that ends in .yaml, or a name in the user's folder
 * of recipes where no file has that name. *out stays NULL when MODEL is no recipe. */
static trueno_status find_recipe(cli_arguments *a, const char *model, const char **out,
                                 trueno_error *err)
{
    char name[300], *path;
    trueno_status status;

    *out = is_recipe_name(model) ? model : NULL;
    if (*out != NULL || strcmp(model, "demo") == 0 || strchr(model, '/') != NULL ||
        access(model, F_OK) == 0 ||
        snprintf(name, sizeof name, "recipes/%s.yaml", model) >= (int)sizeof name)
        return TRUENO_OK;
    path = config_file(name);
    if (path == NULL || access(path, F_OK) != 0) {
        free(path);
        return TRUENO_OK;
    }
    status = settings_keep_text(a, path, err);
    *out = path;
    return status;
}

trueno_status recipe_apply(cli_arguments *a, option_groups groups, trueno_error *err)
{
    recipe r = {.arguments = a, .groups = groups};
    tree *t;
    trueno_status status = find_recipe(a, a->positional[0], &r.file, err);

    if (status < 0 || r.file == NULL)
        return status;
    if ((status = tree_read_file(&t, r.file, r.file, err)) < 0 ||
        (status = settings_keep(a, t, err)) < 0)
        return status;
    r.file = t->name;
    for (int i = 0; status == TRUENO_OK && i < t->root.count; i++)
        status = read_key(&r, &t->root.items[i], err);
    if (status == TRUENO_OK && r.model == NULL)
        status = trueno_fail(err, TRUENO_USAGE, "%s:1: the key 'model' is missing", r.file);
    if (status == TRUENO_OK)
        a->positional[0] = r.model;
    return status;
}
