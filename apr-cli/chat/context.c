/* SPDX-License-Identifier: MIT */
/* The conversation in the context: when it no longer fits, the user decides what is forgotten. */
#include "chat.h"
#include "../template.h"

#include <stdio.h>
#include <stdlib.h>

/* The conversation without its oldest `skip` exchanges, as ids. */
static trueno_status encode(const chat *c, size_t skip, realizar_ids *ids, trueno_error *err)
{
    char *messages = conversation_json(&c->talk, skip);
    trueno_status status;

    free(ids->ids);
    *ids = (realizar_ids){0};
    if (messages == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for the conversation");
    status = encode_messages(c->engine, c->template_text, c->template_name, messages, ids, err);
    free(messages);
    if (status == TRUENO_OK && ids->count == 0)
        status = trueno_fail(err, TRUENO_USAGE, "the chat template makes an empty prompt");
    return status;
}

/* What is to stay free for answers once something is forgotten: asking at every turn is no help. */
static size_t room_wanted(size_t context)
{
    return context / 4;
}

/* Find how many of the oldest exchanges must go; the last one stays in any case. */
static trueno_status find_skip(const chat *c, size_t context, size_t *skip, realizar_ids *ids,
                               trueno_error *err)
{
    size_t exchanges = conversation_exchanges(&c->talk);
    trueno_status status = TRUENO_OK;

    *skip = 0;
    while (status == TRUENO_OK && *skip + 1 < exchanges &&
           ids->count + room_wanted(context) > context)
        status = encode(c, ++*skip, ids, err);
    if (status == TRUENO_OK && ids->count >= context)
        status = trueno_fail(err, TRUENO_USAGE,
                             "the message alone makes a prompt of %zu tokens, the context has only "
                             "%zu positions",
                             ids->count, context);
    return status;
}

static trueno_status ask(chat *c, const char *question, bool *yes, trueno_error *err)
{
    text_buffer line = {0};
    int got = line_input_read(c->input, question, &line, err);

    *yes = got == LINE_READ && (line.data[0] == 'y' || line.data[0] == 'Y');
    free(line.data);
    return got < 0 ? (trueno_status)got : TRUENO_OK;
}

static trueno_status offer(chat *c, size_t had, size_t context, size_t skip, size_t left,
                           trueno_error *err)
{
    char question[100];
    bool yes = false;
    trueno_status status = TRUENO_OK;

    if (line_input_edits(c->input)) {
        (void)fprintf(stderr, "The conversation has %zu tokens, the context %zu positions.\n", had,
                      context);
        (void)snprintf(question, sizeof question,
                       "Forget the oldest %zu of %zu exchanges and go on with %zu tokens? [y/N] ",
                       skip, conversation_exchanges(&c->talk), left);
        status = ask(c, question, &yes, err);
    }
    if (status == TRUENO_OK && !yes)
        status = trueno_fail(err, TRUENO_USAGE,
                             "the conversation has %zu tokens, the context only %zu positions; "
                             "/undo and /clear make room, --ctx N gives more",
                             had, context);
    return status;
}

trueno_status chat_fit_context(chat *c, realizar_ids *ids, trueno_error *err)
{
    size_t context = (size_t)realizar_session_context(c->session), had, skip;
    trueno_status status = encode(c, 0, ids, err);

    if (status < 0 || ids->count < context)
        return status;
    had = ids->count;
    if ((status = find_skip(c, context, &skip, ids, err)) < 0 ||
        (status = offer(c, had, context, skip, ids->count, err)) < 0)
        return status;
    conversation_forget(&c->talk, skip);
    return TRUENO_OK;
}
