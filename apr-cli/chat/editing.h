/* SPDX-License-Identifier: MIT */
/* What the parts of line editing share: keys, history, the external editor. */
#ifndef CLI_CHAT_EDITING_H
#define CLI_CHAT_EDITING_H

#include "line_input.h"

#include <histedit.h>

struct line_input {
    EditLine *editor; /* NULL: lines come from a pipe */
    History *history;
    char *history_file; /* NULL: the history is not kept */
    FILE *screen;       /* where the editor draws */
    const char *prompt;
    line_completer *complete;
    bool interrupted, ends; /* by Ctrl-C in this line; by a second one */
    char *buffer;           /* getline()'s, for pipes */
    size_t capacity;
};

/* keys.c: bind the keys that libedit does not have */
void bind_keys(line_input *in);

/* editor.c: let the user edit `text` with $VISUAL or $EDITOR; false: left as it was. *edited is the
 * caller's to free. */
bool edit_in_editor(const char *text, char **edited);

/* history.c */
void history_open(line_input *in);
void history_add(line_input *in, const char *text);
void history_close(line_input *in);

#endif
