/* SPDX-License-Identifier: MIT */
/* apr chat: a conversation at a terminal or through a pipe. */
#include "chat.h"
#include "../template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const builtin_defaults CHAT_BUILTIN = {.temperature = 0.7f, .top_p = 0.9f, .max_tokens = 512};

static const char BLOCK[] = "\"\"\""; /* begins and ends a message of several lines */

/* Settings for other commands, not for this one: `apr chat` itself says chat. */
static void drop_settings(cli_arguments *a)
{
    if (option_origin_of(a, "json") != ORIGIN_COMMAND_LINE)
        a->o.json = false;
    if (option_origin_of(a, "no-chat") != ORIGIN_COMMAND_LINE)
        a->o.no_chat = false;
}

static trueno_status check_options(const cli_arguments *a, trueno_error *err)
{
    if (a->o.json)
        return trueno_fail(err, TRUENO_USAGE,
                           "chat has no --json; apr run --json answers a prompt");
    if (a->o.no_chat)
        return trueno_fail(err, TRUENO_USAGE, "chat without --chat-template is apr run --no-chat");
    if (a->o.stream && a->o.no_stream)
        return trueno_fail(err, TRUENO_USAGE, "--stream and --no-stream contradict each other");
    if (a->o.file != NULL && strcmp(a->o.file, "-") == 0)
        return trueno_fail(err, TRUENO_USAGE,
                           "--file -: standard input holds the conversation, one turn a line");
    return TRUENO_OK;
}

/* A base model can be talked to, but nothing marks whose turn it is. */
static trueno_status find_template(chat *c, trueno_error *err)
{
    const cli_arguments *a = c->arguments;
    trueno_status status = template_source(a, realizar_engine_model(c->engine), &c->template_text,
                                           &c->template_name, err);

    if (status < 0 || c->template_text != NULL)
        return status;
    if (a->o.chat)
        return trueno_fail(err, TRUENO_USAGE,
                           "the model has no chat template; give one with "
                           "--chat-template NAME|FILE");
    print_note(a, "apr: warning: the model has no chat template; it continues the text of the "
                  "messages (--chat-template NAME|FILE gives it one)");
    c->template_text = strdup(realizar_template_preset("raw"));
    c->template_name = "raw";
    return c->template_text != NULL ? TRUENO_OK : trueno_fail(err, TRUENO_NO_MEMORY, "no memory");
}

static trueno_status open_chat(chat *c, trueno_error *err)
{
    const cli_arguments *a = c->arguments;
    trueno_status status;

    drop_settings(c->arguments);
    if ((status = check_options(a, err)) < 0 ||
        (status = load_engine(a, a->positional[0], false, &c->engine, &c->load_ms, err)) < 0 ||
        (status = find_template(c, err)) < 0 || (status = chat_options(c, err)) < 0 ||
        (status = conversation_init(&c->talk, err)) < 0 ||
        (status = conversation_set_system(&c->talk, a->o.system, err)) < 0 ||
        (status = realizar_session_new(&c->session, c->engine, 0, err)) < 0)
        return status;
    c->kept_texts = json_array();
    return line_input_open(&c->input, slash_complete, err);
}

static void close_chat(chat *c)
{
    interrupt_watch(NULL);
    line_input_close(c->input);
    answer_free(&c->answer);
    realizar_session_free(c->session);
    realizar_engine_close(c->engine);
    conversation_free(&c->talk);
    json_decref(c->kept_texts);
    free(c->template_text);
    free(c->bias);
}

static void greet(const chat *c)
{
    const apr_model *model = realizar_engine_model(c->engine);
    const char *path = c->arguments->positional[0], *slash = strrchr(path, '/');

    if (!line_input_edits(c->input))
        return;
    print_note(c->arguments, "%s, %s, on %s (%s), context of %d tokens.",
               slash != NULL && slash[1] != '\0' ? slash + 1 : path,
               apr_model_config(model)->architecture, realizar_engine_backend(c->engine),
               realizar_engine_device(c->engine), realizar_session_context(c->session));
    print_note(c->arguments, "/help shows the commands, Ctrl-D leaves.");
}

static bool begins_block(const text_buffer *t)
{
    return t->bytes >= 3 && memcmp(t->data, BLOCK, 3) == 0;
}

static bool ends_block(const text_buffer *t)
{
    return t->bytes >= 6 && memcmp(t->data + t->bytes - 3, BLOCK, 3) == 0;
}

/* A message: a line, or all lines between two """. Results as of line_input_read(). */
static int read_message(chat *c, text_buffer *message, trueno_error *err)
{
    text_buffer line = {0};
    int got = line_input_read(c->input, ">>> ", message, err);

    while (got == LINE_READ && begins_block(message) && !ends_block(message)) {
        got = line_input_read(c->input, "... ", &line, err);
        if (got == LINE_END)
            got = trueno_fail(err, TRUENO_USAGE,
                              "the message begun by \"\"\" is not ended by \"\"\"");
        if (got == LINE_READ && (text_append(message, "\n", 1, err) < 0 ||
                                 text_append(message, line.data, line.bytes, err) < 0))
            got = TRUENO_NO_MEMORY;
    }
    free(line.data);
    return got;
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

static trueno_status handle(chat *c, const text_buffer *message, trueno_error *err)
{
    bool block = begins_block(message);
    const char *text = message->data + (block ? 3 : 0);
    size_t bytes = message->bytes - (block ? 6 : 0);

    if (bytes == 0 || is_blank(message->data))
        return TRUENO_OK;
    line_input_remember(c->input, message->data);
    if (!block && slash_is_command(message->data))
        return slash_run(c, message->data, err);
    return chat_say(c, text, bytes, err);
}

/* At a terminal an error is told and the chat goes on; in a pipe nobody would notice. */
static trueno_status recover(const chat *c, trueno_status status, const trueno_error *err)
{
    if (status >= 0 || status == TRUENO_CANCELLED || !line_input_edits(c->input))
        return status;
    report_error(c->arguments, err);
    return TRUENO_OK;
}

static trueno_status talk(chat *c, trueno_error *err)
{
    text_buffer message = {0};
    trueno_status status = TRUENO_OK;

    while (status == TRUENO_OK && !c->leave) {
        int got = read_message(c, &message, err);

        if (got == LINE_END)
            break;
        if (got == LINE_READ)
            status = handle(c, &message, err);
        status = recover(c, got < 0 ? (trueno_status)got : status, err);
    }
    free(message.data);
    return status;
}

/* The first message may come with the command: argument, --prompt, --file. */
static trueno_status first_message(chat *c, trueno_error *err)
{
    const cli_arguments *a = c->arguments;
    text_buffer text = {0};
    trueno_status status =
        gather_given(a, a->n_positional > 1 ? a->positional[1] : NULL, &text, err);

    if (status == TRUENO_OK && text.bytes > 0)
        status = recover(c, chat_say(c, text.data, text.bytes, err), err);
    free(text.data);
    return status;
}

trueno_status chat_command(cli_arguments *a, trueno_error *err)
{
    chat c = {.arguments = a};
    trueno_status status = open_chat(&c, err);

    if (status == TRUENO_OK) {
        if (line_input_edits(c.input))
            interrupt_watch_lasting(NULL);
        greet(&c);
        status = first_message(&c, err);
    }
    if (status == TRUENO_OK)
        status = talk(&c, err);
    close_chat(&c);
    return status;
}
