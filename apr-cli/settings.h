/* SPDX-License-Identifier: MIT */
/* Options from files: apr.yaml of three folders, and recipes. */
#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include "options.h"
#include "tree.h"

/* Where an apr.yaml may be, the weakest first. */
typedef struct settings_place {
    option_origin origin;
    const char *description; /* for manual pages */
} settings_place;

extern const settings_place SETTINGS_PLACES[]; /* ends with a row without a description */

/* Read every apr.yaml there is; rows outside `groups` are checked and left alone. */
trueno_status settings_apply(cli_arguments *a, option_groups groups, trueno_error *err);

/*
 * Set one option from a node of a file that is called `file`; `line` is the node's. The node must
 * outlive *a (settings_keep()).
 */
trueno_status settings_set(cli_arguments *a, int row, const tree_node *node, const char *file,
                           option_origin origin, option_groups groups, trueno_error *err);

/* TRUENO_USAGE when an earlier item of the map names the same option: top_k and top-k. */
trueno_status settings_check_twice(const tree_node *map, int item, const char *file,
                                   trueno_error *err);

/* *a owns the tree from here on, on failure too. */
trueno_status settings_keep(cli_arguments *a, tree *t, trueno_error *err);

/* The same for a text; NULL is "no memory". */
trueno_status settings_keep_text(cli_arguments *a, char *text, trueno_error *err);

typedef struct recipe recipe;

typedef struct recipe_key {
    const char *name, *help;
    trueno_status (*read)(recipe *r, const tree_node *node, trueno_error *err);
} recipe_key;

extern const recipe_key RECIPE_KEYS[]; /* ends with a row without a name */

/*
 * When the first positional argument names a recipe, apply it: its model takes the argument's
 * place. `groups` are those of the command.
 */
trueno_status recipe_apply(cli_arguments *a, option_groups groups, trueno_error *err);

#endif
