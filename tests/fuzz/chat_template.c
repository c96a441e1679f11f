/* SPDX-License-Identifier: MIT */
/* Fuzz target: a chat template, rendered. After a NUL byte may follow the messages as JSON. */
#include "open_model.h"

#include <realizar/chat.h>
#include <stdlib.h>
#include <string.h>

static const char MESSAGES[] =
    "[{\"role\":\"system\",\"content\":\"Be \\u00e9\"},{\"role\":\"user\",\"content\":\" Hi, <b> "
    "\"},"
    "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"f\","
    "\"arguments\":"
    "{\"a\":1,\"b\":[1.5,null,true]}}}]},{\"role\":\"tool\",\"content\":\"3\"}]";

/* Spans must cover the prompt without gaps, and lie between characters' bytes of valid UTF-8. */
static void check_prompt(const realizar_prompt *prompt)
{
    size_t at = 0;

    for (size_t i = 0; i < prompt->n_spans; i++) {
        if (prompt->spans[i].begin != at || prompt->spans[i].end <= at)
            abort();
        at = prompt->spans[i].end;
        if (at < prompt->bytes && ((unsigned char)prompt->text[at] & 0xC0) == 0x80)
            abort();
    }
    if (at != prompt->bytes)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const uint8_t *zero = bytes == 0 ? NULL : memchr(data, 0, bytes);
    size_t source_bytes = zero == NULL ? bytes : (size_t)(zero - data);
    realizar_template *t = NULL;
    realizar_prompt prompt = {0};
    realizar_chat_input input;
    trueno_error err;

    realizar_chat_input_init(&input, sizeof input);
    input.messages = zero == NULL ? MESSAGES : (const char *)zero + 1;
    input.messages_bytes = zero == NULL ? sizeof MESSAGES - 1 : bytes - source_bytes - 1;
    input.tools = "[{\"function\":{\"name\":\"f\",\"parameters\":{}}}]";
    input.tools_bytes = strlen(input.tools);
    input.variables =
        "{\"x\":[3,1,2],\"d\":{\"k\":\"v\",\"n\":{\"a\":-1}},\"s\":\"\\u00dcn,i\\n\",\"f\":2.5}";
    input.variables_bytes = strlen(input.variables);
    input.bos_token = "<s>";
    input.add_generation_prompt = bytes % 2 == 0;
    input.max_steps = 20000;
    input.max_memory_bytes = 8 << 20;
    input.max_output_bytes = 1 << 20;
    if (realizar_template_new(&t, (const char *)data, source_bytes, "fuzz", NULL, &err) < 0)
        return 0;
    if (realizar_template_render(t, &input, &prompt, &err) == TRUENO_OK)
        check_prompt(&prompt);
    realizar_prompt_free(&prompt);
    realizar_template_free(t);
    return 0;
}
