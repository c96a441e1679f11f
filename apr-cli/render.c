/* SPDX-License-Identifier: MIT */
/* apr render: the prompt that a chat template makes of a conversation. */
#include "template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_template_file(const char *path)
{
    size_t n = strlen(path);

    return (n > 6 && strcmp(path + n - 6, ".jinja") == 0) ||
           (n > 7 && strcmp(path + n - 7, ".jinja2") == 0);
}

/* Where the template comes from: a .jinja file, or a model (its own, or --chat-template). */
static trueno_status find_template(const cli_arguments *a, apr_model **model, char **source,
                                   const char **name, trueno_error *err)
{
    const char *path = a->positional[0];
    text_buffer file = {0};
    trueno_status status;

    if (is_template_file(path)) {
        status = read_text_file(path, &file, err);
        *source = file.data;
        *name = path;
        return status;
    }
    if ((status = load_model(a, path, true, model, err)) < 0 ||
        (status = template_source(a, *model, source, name, err)) < 0)
        return status;
    if (*source == NULL)
        return trueno_fail(err, TRUENO_USAGE, "%s: the model has no chat template", path);
    return TRUENO_OK;
}

static trueno_status print_prompt(const cli_arguments *a, const realizar_prompt *prompt,
                                  trueno_error *err)
{
    if (a->o.json)
        return print_json(
            json_pack("{s:i, s:o}", "schema", 1, "text", json_text(prompt->text, prompt->bytes)),
            err);
    (void)fwrite(prompt->text, 1, prompt->bytes, stdout);
    return TRUENO_OK;
}

trueno_status render_command(cli_arguments *a, trueno_error *err)
{
    text_buffer messages = {0}, tools = {0};
    realizar_prompt prompt = {0};
    apr_model *model = NULL;
    char *source = NULL;
    const char *name = NULL;
    trueno_status status;

    if (a->o.messages == NULL)
        return trueno_fail(err, TRUENO_USAGE, "--messages FILE.json is needed");
    status = read_text_file(a->o.messages, &messages, err);
    if (status == TRUENO_OK && a->o.tools != NULL)
        status = read_text_file(a->o.tools, &tools, err);
    if (status == TRUENO_OK)
        status = find_template(a, &model, &source, &name, err);
    if (status == TRUENO_OK)
        status = render_prompt(source, name, model != NULL ? apr_model_vocab(model) : NULL,
                               messages.data, tools.data, !a->o.no_generation_prompt, &prompt, err);
    if (status == TRUENO_OK)
        status = print_prompt(a, &prompt, err);
    realizar_prompt_free(&prompt);
    apr_model_close(model);
    free(source);
    free(messages.data);
    free(tools.data);
    return status;
}
