/* SPDX-License-Identifier: MIT */
/* One chat: the model, the conversation, the person. */
#ifndef CLI_CHAT_H
#define CLI_CHAT_H

#include "../commands.h"
#include "conversation.h"
#include "line_input.h"

typedef struct chat {
    cli_arguments *arguments;
    realizar_engine *engine;
    realizar_session *session; /* keeps the keys and values of what was said */
    double load_ms;
    char *template_text;
    const char *template_name;
    conversation talk;
    line_input *input;
    json_t *kept_texts; /* values of /set: option_set() borrows them */

    /* the last answer */
    answer_state answer;
    realizar_generation_options options;
    realizar_logit_bias *bias;
    uint64_t answers; /* so far; each has a seed of its own */

    bool leave; /* /exit was said */
} chat;

extern const builtin_defaults CHAT_BUILTIN;

/* turn.c: the options of the next answer anew, after one was changed. */
trueno_status chat_options(chat *c, trueno_error *err);
/* Add the user's message and answer it; the message is taken back when that cannot be. */
trueno_status chat_say(chat *c, const char *text, size_t bytes, trueno_error *err);
/* Answer the conversation as it stands. */
trueno_status chat_answer(chat *c, trueno_error *err);

/* context.c: *ids becomes the conversation's prompt. Where that does not fit the context, the user
 * is asked whether the oldest exchanges are to be forgotten; TRUENO_USAGE when not. */
trueno_status chat_fit_context(chat *c, realizar_ids *ids, trueno_error *err);

/* slash.c: whether a line is a command, and running it */
bool slash_is_command(const char *line);
trueno_status slash_run(chat *c, const char *line, trueno_error *err);
json_t *slash_complete(const char *line, size_t *word);

/* inspect.c: one line for each token: what was chosen and what else was likely */
void inspect_token(void *user, const realizar_generation *generation, const realizar_piece *piece);

/* show.c */
trueno_status show_info(chat *c, trueno_error *err);
trueno_status show_template(chat *c, trueno_error *err);
trueno_status show_parameters(chat *c, trueno_error *err);
trueno_status show_system(chat *c, trueno_error *err);
trueno_status show_stats(chat *c, trueno_error *err);

#endif
