/* SPDX-License-Identifier: MIT */
/* Lines from a person at a terminal (edited, with history) or from a pipe. */
#ifndef CLI_CHAT_LINE_INPUT_H
#define CLI_CHAT_LINE_INPUT_H

#include "../commands.h"

typedef struct line_input line_input;

/* Candidates for the last word of `line` (the text before the cursor), as a JSON array of texts (a
 * new reference; NULL: none). *word is where that word begins. */
typedef json_t *line_completer(const char *line, size_t *word);

enum { LINE_END = 0, LINE_READ = 1, LINE_INTERRUPTED = 2 };

/*
 * Standard input. Lines are edited when it is a terminal and so is standard error or standard
 * output; prompts and echo go there, to standard error first, so that standard output may be a
 * file. `complete` may be NULL.
 */
trueno_status line_input_open(line_input **out, line_completer *complete, trueno_error *err);
void line_input_close(line_input *in); /* NULL is fine */

bool line_input_edits(const line_input *in);

/*
 * The next line, without its end, in *line (replaced). It holds line breaks when it was pasted or
 * made in an editor. LINE_INTERRUPTED: Ctrl-C took the line back. TRUENO_CANCELLED: a second
 * Ctrl-C within a second.
 */
int line_input_read(line_input *in, const char *prompt, text_buffer *line, trueno_error *err);

/* Add to the history. */
void line_input_remember(line_input *in, const char *text);

#endif
