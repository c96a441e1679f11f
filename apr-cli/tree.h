/* SPDX-License-Identifier: MIT */
/*
 * Small YAML documents (settings, recipes) as a tree whose every node knows its line.
 *
 * What a value means is for the reader of the tree to say: `no`, `0x10` and `1e3` are texts here.
 * Refused, with file and line: anchors, aliases and tags; a key twice in a map; keys that are no
 * texts; a second document; more than TREE_DEPTH levels, TREE_NODES nodes or TREE_BYTES bytes.
 */
#ifndef CLI_TREE_H
#define CLI_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <trueno/error.h>

enum { TREE_DEPTH = 8, TREE_NODES = 4000, TREE_BYTES = 1 << 20 };

typedef enum tree_kind { TREE_TEXT, TREE_LIST, TREE_MAP } tree_kind;

typedef struct tree_node {
    tree_kind kind;
    int line;    /* of the file, from 1 */
    bool quoted; /* a text in quotes or a block: never a number or a truth value */
    char *key;   /* in the map that holds the node; NULL elsewhere */
    int key_line;
    char *text; /* of TREE_TEXT, without zero bytes */
    struct tree_node *items;
    int count;
} tree_node;

typedef struct tree {
    char *name; /* what errors call the file */
    tree_node root;
} tree;

/*
 * Read a file; the root is a map, which is empty when the file holds no document. `name` is what
 * errors call it. *out is the caller's, NULL on failure. TRUENO_NOT_FOUND: no such file, or not a
 * file; TRUENO_IO: cannot be read; TRUENO_FORMAT: no YAML; TRUENO_USAGE: YAML that is refused.
 */
trueno_status tree_read_file(tree **out, const char *path, const char *name, trueno_error *err);

/* The same of bytes in memory. */
trueno_status tree_read(tree **out, const void *bytes, size_t length, const char *name,
                        trueno_error *err);
void tree_free(tree *t); /* NULL is fine */

/* "no value" as YAML writes it: nothing, ~ or null, without quotes. */
bool tree_is_null(const tree_node *node);

#endif
