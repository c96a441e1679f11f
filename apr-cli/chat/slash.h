/* SPDX-License-Identifier: MIT */
/* The table of commands inside a chat. */
#ifndef CLI_CHAT_SLASH_H
#define CLI_CHAT_SLASH_H

#include "chat.h"

enum { SLASH_NAMES = 4 };

typedef struct slash_row {
    const char *names[SLASH_NAMES]; /* without the slash; after the first: other names for it */
    const char *arguments;          /* "": takes none */
    const char *help;
    trueno_status (*run)(chat *c, const char *argument, trueno_error *err);
} slash_row;

extern const slash_row SLASH_ROWS[]; /* ends with a row without a name */

/* Keys, and signs in the text, that do something. */
typedef struct slash_key {
    const char *keys, *help;
} slash_key;

extern const slash_key SLASH_KEYS[]; /* ends with a row without keys */

/* Both tables, on standard output. */
void slash_print_help(void);

/* What /show shows; a word and its function. */
typedef struct show_row {
    const char *name;
    trueno_status (*run)(chat *c, trueno_error *err);
} show_row;

extern const show_row SHOW_ROWS[]; /* ends with a row without a name */

trueno_status slash_help(chat *c, const char *argument, trueno_error *err);
trueno_status slash_exit(chat *c, const char *argument, trueno_error *err);
trueno_status slash_clear(chat *c, const char *argument, trueno_error *err);
trueno_status slash_system(chat *c, const char *argument, trueno_error *err);
trueno_status slash_undo(chat *c, const char *argument, trueno_error *err);
trueno_status slash_regen(chat *c, const char *argument, trueno_error *err);
trueno_status slash_save(chat *c, const char *argument, trueno_error *err);
trueno_status slash_load(chat *c, const char *argument, trueno_error *err);
trueno_status slash_stats(chat *c, const char *argument, trueno_error *err);
trueno_status slash_set(chat *c, const char *argument, trueno_error *err);
trueno_status slash_show(chat *c, const char *argument, trueno_error *err);

#endif
