/* SPDX-License-Identifier: MIT */
/* What the completion scripts of the shells share. */
#ifndef CLI_COMPLETION_H
#define CLI_COMPLETION_H

#include "commands.h"

typedef enum completion_argument {
    COMPLETE_NOTHING,
    COMPLETE_MODELS, /* files, the user's recipes, demo */
    COMPLETE_FILES,
    COMPLETE_COMMANDS,
    COMPLETE_CHOICES /* the words of the row's `arguments` */
} completion_argument;

/* What a command takes as its argument number `index`. */
completion_argument completes_argument(const command_row *c, int index);

/* Whether the option's value is a file or a folder. */
bool completes_files(const option_row *row);

/* The word that the user writes for a row: the last of its name. */
const char *verb_word(const command_row *row);

/* "a b" for "a|b". */
void print_choices(const char *value);

void print_zsh_completion(void);
void print_fish_completion(void);

#endif
