/* SPDX-License-Identifier: MIT */
/* A YAML document to a tree, through libyaml's events. */
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

typedef struct reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the one at hand */
    bool holds_event;
    const char *name;
    int nodes;
    trueno_error *err;
} reader;

static int event_line(const reader *r)
{
    return (int)r->event.start_mark.line + 1;
}

static trueno_status no_memory(const reader *r)
{
    return trueno_fail(r->err, TRUENO_NO_MEMORY, "%s: no memory for its values", r->name);
}

/* libyaml counts lines from 0; errors of the encoding have an offset instead. */
static trueno_status syntax_error(const reader *r)
{
    const yaml_parser_t *p = &r->parser;

    if (p->error == YAML_MEMORY_ERROR)
        return no_memory(r);
    if (p->error == YAML_READER_ERROR)
        return trueno_fail(r->err, TRUENO_FORMAT, "%s:%zu: %s (byte %zu of the file)", r->name,
                           p->mark.line + 1, p->problem, p->problem_offset);
    return trueno_fail(r->err, TRUENO_FORMAT, "%s:%zu:%zu: %s%s%s", r->name,
                       p->problem_mark.line + 1, p->problem_mark.column + 1,
                       p->context != NULL ? p->context : "", p->context != NULL ? ": " : "",
                       p->problem != NULL ? p->problem : "not YAML");
}

static trueno_status next_event(reader *r)
{
    if (r->holds_event)
        yaml_event_delete(&r->event);
    r->holds_event = yaml_parser_parse(&r->parser, &r->event) != 0;
    return r->holds_event ? TRUENO_OK : syntax_error(r);
}

/* What YAML can say beyond texts, lists and maps is refused: a file must not mean something that
 * is not to be seen where it stands. */
static trueno_status check_event(const reader *r)
{
    const yaml_event_t *e = &r->event;
    const yaml_char_t *anchor = NULL, *tag = NULL;

    if (e->type == YAML_ALIAS_EVENT)
        return trueno_fail(r->err, TRUENO_USAGE, "%s:%d: aliases (*%.32s) are not allowed", r->name,
                           event_line(r), (const char *)e->data.alias.anchor);
    if (e->type == YAML_SCALAR_EVENT) {
        anchor = e->data.scalar.anchor;
        tag = e->data.scalar.tag;
    } else if (e->type == YAML_SEQUENCE_START_EVENT) {
        anchor = e->data.sequence_start.anchor;
        tag = e->data.sequence_start.tag;
    } else if (e->type == YAML_MAPPING_START_EVENT) {
        anchor = e->data.mapping_start.anchor;
        tag = e->data.mapping_start.tag;
    }
    if (anchor != NULL)
        return trueno_fail(r->err, TRUENO_USAGE, "%s:%d: anchors (&%.32s) are not allowed", r->name,
                           event_line(r), (const char *)anchor);
    if (tag != NULL)
        return trueno_fail(r->err, TRUENO_USAGE, "%s:%d: tags (%.48s) are not allowed", r->name,
                           event_line(r), (const char *)tag);
    return TRUENO_OK;
}

static trueno_status copy_text(const reader *r, char **out)
{
    const char *text = (const char *)r->event.data.scalar.value;
    size_t length = r->event.data.scalar.length;

    if (memchr(text, 0, length) != NULL)
        return trueno_fail(r->err, TRUENO_USAGE, "%s:%d: the text holds a zero byte", r->name,
                           event_line(r));
    *out = strndup(text, length);
    return *out != NULL ? TRUENO_OK : no_memory(r);
}

/* Room for one more item, which is empty. */
static trueno_status add_item(const reader *r, tree_node *parent, tree_node **item)
{
    int count = parent->count;

    if ((count & (count + 1)) == 0) { /* 0, 1, 3, 7, ...: full */
        tree_node *larger = realloc(parent->items, 2 * ((size_t)count + 1) * sizeof *parent->items);

        if (larger == NULL)
            return no_memory(r);
        parent->items = larger;
    }
    *item = &parent->items[parent->count++];
    **item = (tree_node){0};
    return TRUENO_OK;
}

/* The event at hand is a key: its text, and the event of its value behind it. */
static trueno_status read_key(reader *r, const tree_node *map, tree_node *item)
{
    trueno_status status;

    if (r->event.type != YAML_SCALAR_EVENT)
        return trueno_fail(r->err, TRUENO_USAGE, "%s:%d: a key must be a name", r->name,
                           event_line(r));
    item->key_line = event_line(r);
    if ((status = copy_text(r, &item->key)) < 0)
        return status;
    for (const tree_node *other = map->items; other != item; other++)
        if (strcmp(other->key, item->key) == 0)
            return trueno_fail(r->err, TRUENO_USAGE,
                               "%s:%d: '%.64s' is given twice, first in line %d", r->name,
                               item->key_line, item->key, other->key_line);
    if ((status = next_event(r)) < 0)
        return status;
    return check_event(r);
}

static trueno_status read_node(reader *r, tree_node *node, int depth);

static trueno_status read_items(reader *r, tree_node *node, int depth)
{
    bool map = node->kind == TREE_MAP;
    yaml_event_type_t end = map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
    trueno_status status;

    for (;;) {
        tree_node *item = NULL;

        if ((status = next_event(r)) < 0)
            return status;
        if (r->event.type == end)
            return TRUENO_OK;
        if ((status = check_event(r)) < 0 || (status = add_item(r, node, &item)) < 0 ||
            (map && (status = read_key(r, node, item)) < 0) ||
            (status = read_node(r, item, depth + 1)) < 0)
            return status;
    }
}

/* The node that the event at hand begins. */
static trueno_status read_node(reader *r, tree_node *node, int depth)
{
    node->line = event_line(r);
    if (++r->nodes > TREE_NODES)
        return trueno_fail(r->err, TRUENO_USAGE, "%s:%d: more than %d values", r->name, node->line,
                           TREE_NODES);
    if (depth > TREE_DEPTH)
        return trueno_fail(r->err, TRUENO_USAGE, "%s:%d: more than %d levels of lists and maps",
                           r->name, node->line, TREE_DEPTH);
    if (r->event.type == YAML_SCALAR_EVENT) {
        node->kind = TREE_TEXT;
        node->quoted = r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
        return copy_text(r, &node->text);
    }
    node->kind = r->event.type == YAML_MAPPING_START_EVENT ? TREE_MAP : TREE_LIST;
    return read_items(r, node, depth);
}

/* A document that says nothing is an empty map. */
static trueno_status check_root(const reader *r, tree_node *root)
{
    if (tree_is_null(root)) {
        free(root->text);
        *root = (tree_node){.kind = TREE_MAP, .line = root->line};
    }
    if (root->kind != TREE_MAP)
        return trueno_fail(r->err, TRUENO_USAGE, "%s:%d: lines of NAME: VALUE are wanted", r->name,
                           root->line);
    return TRUENO_OK;
}

/* After the first document nothing may follow. */
static trueno_status read_document(reader *r, tree_node *root)
{
    trueno_status status;

    do { /* the stream begins, maybe a document */
        if ((status = next_event(r)) < 0)
            return status;
    } while (r->event.type == YAML_STREAM_START_EVENT);
    if (r->event.type == YAML_STREAM_END_EVENT)
        return TRUENO_OK;
    if ((status = next_event(r)) < 0 || (status = check_event(r)) < 0 ||
        (status = read_node(r, root, 1)) < 0 || (status = check_root(r, root)) < 0 ||
        (status = next_event(r)) < 0 || (status = next_event(r)) < 0)
        return status;
    if (r->event.type != YAML_STREAM_END_EVENT)
        return trueno_fail(r->err, TRUENO_USAGE, "%s:%d: only one document is allowed in a file",
                           r->name, event_line(r));
    return TRUENO_OK;
}

static void free_node(tree_node *node)
{
    for (int i = 0; i < node->count; i++)
        free_node(&node->items[i]);
    free(node->items);
    free(node->text);
    free(node->key);
}

void tree_free(tree *t)
{
    if (t == NULL)
        return;
    free_node(&t->root);
    free(t->name);
    free(t);
}

bool tree_is_null(const tree_node *node)
{
    static const char *const NULLS[] = {"", "~", "null", "Null", "NULL"};

    for (size_t i = 0; node->kind == TREE_TEXT && i < sizeof NULLS / sizeof NULLS[0]; i++)
        if (!node->quoted && strcmp(node->text, NULLS[i]) == 0)
            return true;
    return false;
}

trueno_status tree_read(tree **out, const void *bytes, size_t length, const char *name,
                        trueno_error *err)
{
    reader r = {.name = name, .err = err};
    tree *t = calloc(1, sizeof *t);
    trueno_status status;

    *out = NULL;
    if (length > TREE_BYTES) {
        free(t);
        return trueno_fail(err, TRUENO_USAGE, "%s:1: %zu bytes, at most %d are allowed", name,
                           length, TREE_BYTES);
    }
    if (t == NULL || (t->name = strdup(name)) == NULL || yaml_parser_initialize(&r.parser) == 0) {
        tree_free(t);
        return no_memory(&r);
    }
    yaml_parser_set_input_string(&r.parser, bytes, length);
    t->root.kind = TREE_MAP;
    status = read_document(&r, &t->root);
    if (r.holds_event)
        yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    if (status < 0)
        tree_free(t);
    else
        *out = t;
    return status;
}

/* At most one byte more than is allowed, so that a file that grows is noticed. */
static trueno_status read_all(int fd, const char *name, char *bytes, size_t *length,
                              trueno_error *err)
{
    while (*length <= TREE_BYTES) {
        ssize_t n = read(fd, bytes + *length, TREE_BYTES + 1 - *length);

        if (n == 0)
            break;
        if (n < 0 && errno != EINTR)
            return trueno_fail(err, TRUENO_IO, "%s: %s", name, strerror(errno));
        *length += n > 0 ? (size_t)n : 0;
    }
    return TRUENO_OK;
}

static trueno_status check_file(int fd, const char *name, trueno_error *err)
{
    struct stat info;

    if (fstat(fd, &info) != 0)
        return trueno_fail(err, TRUENO_IO, "%s: %s", name, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return trueno_fail(err, TRUENO_NOT_FOUND, "%s: is no ordinary file", name);
    if (info.st_size > TREE_BYTES)
        return trueno_fail(err, TRUENO_USAGE, "%s:1: %lld bytes, at most %d are allowed", name,
                           (long long)info.st_size, TREE_BYTES);
    return TRUENO_OK;
}

trueno_status tree_read_file(tree **out, const char *path, const char *name, trueno_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a FIFO must not block */
    size_t length = 0;
    char *bytes;
    trueno_status status;

    *out = NULL;
    if (fd < 0)
        return trueno_fail(err, errno == ENOENT || errno == ENOTDIR ? TRUENO_NOT_FOUND : TRUENO_IO,
                           "%s: %s", name, strerror(errno));
    bytes = malloc((size_t)TREE_BYTES + 1);
    status = bytes != NULL ? check_file(fd, name, err)
                           : trueno_fail(err, TRUENO_NO_MEMORY, "%s: no memory to read it", name);
    if (status == TRUENO_OK)
        status = read_all(fd, name, bytes, &length, err);
    (void)close(fd);
    if (status == TRUENO_OK)
        status = tree_read(out, bytes, length, name, err);
    free(bytes);
    return status;
}
