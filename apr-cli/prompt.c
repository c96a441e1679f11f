/* SPDX-License-Identifier: MIT */
/* From the user's text to token ids. */
#include "commands.h"

#include <stdlib.h>

static trueno_status encode_raw(const realizar_tokenizer *tokenizer, const text_buffer *text,
                                prompt_ids *out, trueno_error *err)
{
    size_t bound = realizar_tokenizer_encode_bound(tokenizer, text->bytes);

    out->ids = malloc(bound * sizeof *out->ids);
    if (out->ids == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %zu tokens", bound);
    return realizar_tokenizer_encode(tokenizer, text->data, text->bytes,
                                     REALIZAR_ENCODE_SPECIAL | REALIZAR_ENCODE_BOS, out->ids, bound,
                                     &out->count, err);
}

trueno_status make_prompt(const cli_arguments *a, const realizar_engine *engine,
                          const text_buffer *user, prompt_ids *out, trueno_error *err)
{
    trueno_status status;

    if (a->o.chat ||
        (!a->o.no_chat && apr_model_chat_template(realizar_engine_model(engine)) != NULL))
        return trueno_fail(err, TRUENO_UNSUPPORTED,
                           "chat templates cannot be rendered by this build; "
                           "use --no-chat");
    status = encode_raw(realizar_engine_tokenizer(engine), user, out, err);
    if (status == TRUENO_OK && out->count == 0)
        status = trueno_fail(err, TRUENO_USAGE, "the prompt is empty");
    return status;
}
