/* SPDX-License-Identifier: MIT */
/* Manual pages in scdoc's language: what the tables do not say. */
#ifndef CLI_MANUAL_H
#define CLI_MANUAL_H

#include "commands.h"

/* The texts of a command's page, in scdoc; NULL or "" where there is nothing to say. */
typedef struct manual_text {
    const char *command;
    const char *description;
    const char *examples; /* lines "what it shows\tcommand" */
} manual_text;

extern const manual_text MANUAL_TEXTS[]; /* ends with a row without a command */

/* Text in which scdoc's signs stand for themselves. */
void print_manual_escaped(const char *text);

/* manual_settings.c: the page apr.yaml(5) */
void print_settings_manual(void);

#endif
