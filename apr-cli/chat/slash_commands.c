/* SPDX-License-Identifier: MIT */
/* What the commands inside a chat do. */
#include "slash.h"

#include <stdio.h>
#include <string.h>

const show_row SHOW_ROWS[] = {
    {"info", show_info},
    {"template", show_template},
    {"parameters", show_parameters},
    {"system", show_system},
    {NULL, NULL},
};

trueno_status slash_exit(chat *c, const char *argument, trueno_error *err)
{
    (void)argument, (void)err;
    c->leave = true;
    return TRUENO_OK;
}

trueno_status slash_clear(chat *c, const char *argument, trueno_error *err)
{
    (void)argument, (void)err;
    conversation_clear(&c->talk);
    realizar_session_rewind(c->session, 0);
    print_note(c->arguments, "the conversation is forgotten");
    return TRUENO_OK;
}

trueno_status slash_system(chat *c, const char *argument, trueno_error *err)
{
    trueno_status status = conversation_set_system(&c->talk, argument, err);

    if (status == TRUENO_OK)
        print_note(c->arguments,
                   argument[0] != '\0' ? "system message set" : "system message removed");
    return status;
}

trueno_status slash_undo(chat *c, const char *argument, trueno_error *err)
{
    (void)argument;
    if (!conversation_undo(&c->talk))
        return trueno_fail(err, TRUENO_USAGE, "there is nothing to take back");
    print_note(c->arguments, "the last exchange is taken back; %zu left",
               conversation_exchanges(&c->talk));
    return TRUENO_OK;
}

/* When there is no new answer, the old one stays. */
trueno_status slash_regen(chat *c, const char *argument, trueno_error *err)
{
    json_t *before;
    trueno_status status;

    (void)argument;
    if (conversation_exchanges(&c->talk) == 0)
        return trueno_fail(err, TRUENO_USAGE, "there is no message to answer yet");
    before = json_copy(c->talk.messages);
    if (before == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for the conversation");
    (void)conversation_drop_answer(&c->talk);
    status = chat_answer(c, err);
    if (status < 0 && status != TRUENO_CANCELLED) {
        json_decref(c->talk.messages);
        c->talk.messages = json_incref(before);
    }
    json_decref(before);
    return status;
}

trueno_status slash_save(chat *c, const char *argument, trueno_error *err)
{
    trueno_status status = conversation_save(&c->talk, argument[0] != '\0' ? argument : NULL, err);

    if (status == TRUENO_OK)
        print_note(c->arguments, "%zu messages written to %s", json_array_size(c->talk.messages),
                   c->talk.file);
    return status;
}

trueno_status slash_load(chat *c, const char *argument, trueno_error *err)
{
    trueno_status status;

    if (argument[0] == '\0')
        return trueno_fail(err, TRUENO_USAGE, "a file name is needed: /load FILE");
    status = conversation_load(&c->talk, argument, err);
    if (status == TRUENO_OK)
        print_note(c->arguments, "%zu messages read from %s", json_array_size(c->talk.messages),
                   argument);
    return status;
}

trueno_status slash_stats(chat *c, const char *argument, trueno_error *err)
{
    (void)argument;
    return show_stats(c, err);
}

trueno_status slash_show(chat *c, const char *argument, trueno_error *err)
{
    for (const show_row *r = SHOW_ROWS; r->name != NULL; r++)
        if (strcmp(r->name, argument) == 0)
            return r->run(c, err);
    return trueno_fail(err, TRUENO_USAGE, "/show shows info, template, parameters or system");
}

static trueno_status unknown_parameter(const char *name, trueno_error *err)
{
    const char *near = option_nearest(name, GROUP_SAMPLING);

    if (near == NULL)
        return trueno_fail(err, TRUENO_USAGE, "unknown parameter '%s'; /show parameters lists them",
                           name);
    return trueno_fail(err, TRUENO_USAGE, "unknown parameter '%s'; did you mean %s?", name, near);
}

/* The option's row decides what is allowed; the value must outlive this call. */
static trueno_status set_parameter(chat *c, const char *name, const char *value, trueno_error *err)
{
    int row = option_find(name, GROUP_SAMPLING);
    trueno_status status;

    if (row < 0)
        return unknown_parameter(name, err);
    if (json_array_append_new(c->kept_texts, json_text(value, strlen(value))) != 0)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a parameter");
    value = json_string_value(json_array_get(c->kept_texts, json_array_size(c->kept_texts) - 1));
    status = option_set(
        c->arguments, row, value,
        &(option_source){.origin = ORIGIN_COMMAND_LINE, .where = OPTION_ROWS[row].name}, err);
    if (status == TRUENO_OK)
        status = chat_options(c, err);
    if (status == TRUENO_OK)
        print_note(c->arguments, "%s is %s", OPTION_ROWS[row].name, value);
    return status;
}

/* "parameter NAME VALUE"; top_p is top-p. */
trueno_status slash_set(chat *c, const char *argument, trueno_error *err)
{
    char name[32] = "";
    int at = 0;

    if (sscanf(argument, "parameter %31s %n", name, &at) != 1 || argument[at] == '\0' || at == 0)
        return trueno_fail(err, TRUENO_USAGE, "usage: /set parameter NAME VALUE");
    return set_parameter(c, name, argument + at, err);
}
