/* SPDX-License-Identifier: MIT */
/* Rendering in one call, for the tests of chat templates. */
#ifndef TEST_REALIZAR_TEMPLATE_FIXTURE_H
#define TEST_REALIZAR_TEMPLATE_FIXTURE_H

#include <realizar/chat.h>

#include <string.h>

/* Compile and render; *prompt is filled on TRUENO_OK. */
static inline trueno_status render_source(const char *source, const realizar_chat_input *input,
                                          const trueno_allocator *allocator,
                                          realizar_prompt *prompt, trueno_error *err)
{
    realizar_template *t = NULL;
    trueno_status status =
        realizar_template_new(&t, source, strlen(source), "t.jinja", allocator, err);

    if (status == TRUENO_OK)
        status = realizar_template_render(t, input, prompt, err);
    realizar_template_free(t);
    return status;
}

static inline realizar_chat_input input_of(const char *messages, const char *variables)
{
    realizar_chat_input input;

    realizar_chat_input_init(&input, sizeof input);
    input.messages = messages;
    input.messages_bytes = messages == NULL ? 0 : strlen(messages);
    input.variables = variables;
    input.variables_bytes = variables == NULL ? 0 : strlen(variables);
    return input;
}

#endif
