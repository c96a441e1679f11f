/* SPDX-License-Identifier: MIT */
/* Chat templates as the commands use them. */
#ifndef CLI_TEMPLATE_H
#define CLI_TEMPLATE_H

#include "commands.h"

#include <realizar/chat.h>

/* The template's text (allocated; NULL when there is none) and what errors call it. */
trueno_status template_source(const cli_arguments *a, const apr_model *model, char **source,
                              const char **name, trueno_error *err);

/* Compile and render; vocab (may be NULL) gives the special tokens' texts. */
trueno_status render_prompt(const char *source, const char *name, const apr_vocab *vocab,
                            const char *messages, const char *tools, bool generation_prompt,
                            realizar_prompt *out, trueno_error *err);

/* The conversation `messages` (a JSON array) as token ids, with the assistant's turn opened.
 * out->ids is the caller's to free, on failure too. */
trueno_status encode_messages(const realizar_engine *engine, const char *source, const char *name,
                              const char *messages, realizar_ids *out, trueno_error *err);

#endif
