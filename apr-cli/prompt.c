/* SPDX-License-Identifier: MIT */
/* From the user's text to token ids: conversation, chat template, tokenizer. */
#include "commands.h"
#include "template.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

trueno_status template_source(const cli_arguments *a, const apr_model *model, char **source,
                              const char **name, trueno_error *err)
{
    const char *wanted = a->o.chat_template, *text = NULL;
    text_buffer file = {0};

    *source = NULL;
    *name = "chat template";
    if (wanted != NULL && (text = realizar_template_preset(wanted)) == NULL) {
        trueno_status status = read_text_file(wanted, &file, err);

        *source = file.data;
        *name = wanted;
        if (status == TRUENO_NOT_FOUND)
            return trueno_fail(err, TRUENO_NOT_FOUND,
                               "--chat-template: '%s' is neither a preset nor a file", wanted);
        return status;
    }
    if (wanted == NULL)
        text = model != NULL ? apr_model_chat_template(model) : NULL;
    if (text == NULL)
        return TRUENO_OK;
    *source = strdup(text);
    return *source != NULL ? TRUENO_OK : trueno_fail(err, TRUENO_NO_MEMORY, "no memory");
}

static realizar_chat_input chat_input(const char *messages, const char *tools,
                                      bool generation_prompt)
{
    realizar_chat_input input;

    realizar_chat_input_init(&input, sizeof input);
    input.messages = messages;
    input.messages_bytes = strlen(messages);
    input.tools = tools;
    input.tools_bytes = tools != NULL ? strlen(tools) : 0;
    input.add_generation_prompt = generation_prompt;
    input.now = (int64_t)time(NULL);
    return input;
}

trueno_status render_prompt(const char *source, const char *name, const apr_vocab *vocab,
                            const char *messages, const char *tools, bool generation_prompt,
                            realizar_prompt *out, trueno_error *err)
{
    realizar_chat_input input = chat_input(messages, tools, generation_prompt);
    realizar_template *compiled = NULL;
    trueno_status status =
        realizar_template_new(&compiled, source, strlen(source), name, NULL, err);

    if (status == TRUENO_OK)
        status = realizar_render_chat(compiled, vocab, &input, out, err);
    realizar_template_free(compiled);
    return status;
}

static char *conversation(const cli_arguments *a, const text_buffer *user)
{
    json_t *messages = json_array();
    char *text;

    if (a->o.system != NULL)
        (void)json_array_append_new(messages,
                                    json_pack("{s:s, s:o}", "role", "system", "content",
                                              json_text(a->o.system, strlen(a->o.system))));
    (void)json_array_append_new(messages, json_pack("{s:s, s:o}", "role", "user", "content",
                                                    json_text(user->data, user->bytes)));
    text = json_dumps(messages, JSON_COMPACT);
    json_decref(messages);
    return text;
}

trueno_status encode_messages(const realizar_engine *engine, const char *source, const char *name,
                              const char *messages, realizar_ids *out, trueno_error *err)
{
    realizar_chat_input input = chat_input(messages, NULL, true);
    realizar_template *compiled = NULL;
    trueno_status status =
        realizar_template_new(&compiled, source, strlen(source), name, NULL, err);

    if (status == TRUENO_OK)
        status = realizar_encode_chat(engine, compiled, &input, out, err);
    realizar_template_free(compiled);
    return status;
}

static trueno_status encode_chat(const cli_arguments *a, const realizar_engine *engine,
                                 const char *source, const char *name, const text_buffer *user,
                                 realizar_ids *out, trueno_error *err)
{
    char *messages = conversation(a, user);
    trueno_status status;

    if (messages == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for the conversation");
    status = encode_messages(engine, source, name, messages, out, err);
    free(messages);
    return status;
}

trueno_status make_prompt(const cli_arguments *a, const realizar_engine *engine,
                          const text_buffer *user, realizar_ids *out, trueno_error *err)
{
    char *source = NULL;
    const char *name;
    trueno_status status = TRUENO_OK;

    if (a->o.chat && a->o.no_chat)
        return trueno_fail(err, TRUENO_USAGE, "--chat and --no-chat contradict each other");
    if (a->o.no_chat && (a->o.system != NULL || a->o.chat_template != NULL))
        return trueno_fail(err, TRUENO_USAGE, "--no-chat takes no --system and no --chat-template");
    if (!a->o.no_chat)
        status = template_source(a, realizar_engine_model(engine), &source, &name, err);
    if (status == TRUENO_OK && source == NULL && (a->o.chat || a->o.system != NULL))
        status = trueno_fail(err, TRUENO_USAGE,
                             "the model has no chat template; give one with "
                             "--chat-template NAME|FILE");
    if (status == TRUENO_OK && source != NULL)
        status = encode_chat(a, engine, source, name, user, out, err);
    else if (status == TRUENO_OK)
        status = realizar_encode_text(engine, user->data, user->bytes,
                                      REALIZAR_ENCODE_SPECIAL | REALIZAR_ENCODE_BOS, out, err);
    if (status == TRUENO_OK && out->count == 0)
        status = trueno_fail(err, TRUENO_USAGE, "the prompt is empty");
    free(source);
    return status;
}
