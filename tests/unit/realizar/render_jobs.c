/* SPDX-License-Identifier: MIT */
/*
 * Render a list of jobs: render_jobs FILE.json. The file is a JSON array of objects with `source`
 * (or `file`, a path), and of `messages`, `tools`, `variables`, `bos_token`, `eos_token`,
 * `unk_token`, `pad_token`, `add_generation_prompt` and `now` what there is. Prints a JSON array
 * with a `text` or an `error` for each. The scripts that compare with Jinja2 run it.
 */
#include <realizar/chat.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *read_file(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    long end;

    *bytes = 0;
    if (file == NULL)
        return NULL;
    if (fseek(file, 0, SEEK_END) == 0 && (end = ftell(file)) >= 0 &&
        fseek(file, 0, SEEK_SET) == 0 && (text = malloc((size_t)end + 1)) != NULL)
        *bytes = fread(text, 1, (size_t)end, file);
    (void)fclose(file);
    return text;
}

static char *dump(const json_t *job, const char *key, const char **text, size_t *bytes)
{
    json_t *value = json_object_get(job, key);
    char *copy = value == NULL ? NULL : json_dumps(value, JSON_ENCODE_ANY);

    *text = copy;
    *bytes = copy == NULL ? 0 : strlen(copy);
    return copy;
}

static json_t *render(const realizar_template *t, const json_t *job)
{
    realizar_chat_input input;
    realizar_prompt prompt = {0};
    trueno_error err = {0};
    char *messages, *tools, *variables;
    json_t *result;

    realizar_chat_input_init(&input, sizeof input);
    messages = dump(job, "messages", &input.messages, &input.messages_bytes);
    tools = dump(job, "tools", &input.tools, &input.tools_bytes);
    variables = dump(job, "variables", &input.variables, &input.variables_bytes);
    input.bos_token = json_string_value(json_object_get(job, "bos_token"));
    input.eos_token = json_string_value(json_object_get(job, "eos_token"));
    input.unk_token = json_string_value(json_object_get(job, "unk_token"));
    input.pad_token = json_string_value(json_object_get(job, "pad_token"));
    input.add_generation_prompt = json_is_true(json_object_get(job, "add_generation_prompt"));
    input.now = json_integer_value(json_object_get(job, "now"));
    if (realizar_template_render(t, &input, &prompt, &err) < 0)
        result =
            json_pack("{s:s, s:s}", "error", err.message, "status", trueno_status_name(err.status));
    else
        result = json_pack("{s:s%}", "text", prompt.text, prompt.bytes);
    realizar_prompt_free(&prompt);
    free(messages);
    free(tools);
    free(variables);
    return result;
}

static json_t *run(const json_t *job)
{
    const char *source = json_string_value(json_object_get(job, "source"));
    const char *path = json_string_value(json_object_get(job, "file"));
    size_t bytes = source == NULL ? 0 : json_string_length(json_object_get(job, "source"));
    char *copy = source == NULL && path != NULL ? read_file(path, &bytes) : NULL;
    realizar_template *t = NULL;
    trueno_error err = {0};
    json_t *result;

    if (source == NULL && copy == NULL)
        return json_pack("{s:s, s:s}", "error", "no template", "status", "not_found");
    if (realizar_template_new(&t, copy != NULL ? copy : source, bytes, "template", NULL, &err) < 0)
        result =
            json_pack("{s:s, s:s}", "error", err.message, "status", trueno_status_name(err.status));
    else
        result = render(t, job);
    realizar_template_free(t);
    free(copy);
    return result;
}

int main(int argc, char **argv)
{
    json_error_t error;
    json_t *jobs = argc == 2 ? json_load_file(argv[1], 0, &error) : NULL;
    json_t *results = json_array();

    if (!json_is_array(jobs)) {
        (void)fprintf(stderr, "usage: render_jobs FILE.json (%s)\n", argc == 2 ? error.text : "");
        return 2;
    }
    for (size_t i = 0; i < json_array_size(jobs); i++)
        json_array_append_new(results, run(json_array_get(jobs, i)));
    (void)json_dumpf(results, stdout, JSON_COMPACT);
    (void)putchar('\n');
    json_decref(results);
    json_decref(jobs);
    return 0;
}
