/* SPDX-License-Identifier: MIT */
/* Fuzz target: the YAML of settings and recipes. What was read keeps the limits that it promises.
 */
#include "open_model.h"
#include "tree.h"

#include <stdlib.h>
#include <string.h>

static void check_node(const tree_node *node, int depth, int *nodes)
{
    if (++*nodes > TREE_NODES || depth > TREE_DEPTH || node->line < 1 ||
        (node->kind == TREE_TEXT) != (node->text != NULL) ||
        (node->kind == TREE_TEXT && node->count != 0))
        abort();
    for (int i = 0; i < node->count; i++) {
        if ((node->kind == TREE_MAP) != (node->items[i].key != NULL))
            abort();
        check_node(&node->items[i], depth + 1, nodes);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    trueno_error err;
    tree *t;
    int nodes = 1; /* the root */

    if (tree_read(&t, data, bytes, "fuzz.yaml", &err) < 0) {
        if (t != NULL || memchr(err.message, '\0', sizeof err.message) == NULL)
            abort();
        return 0;
    }
    if (t->root.kind != TREE_MAP)
        abort();
    for (int i = 0; i < t->root.count; i++)
        check_node(&t->root.items[i], 2, &nodes);
    tree_free(t);
    return 0;
}
