/* SPDX-License-Identifier: MIT */
/* From a text or a conversation to token ids: chat template and tokenizer put together. */
#include "internal.h"

#include <jansson.h>
#include <realizar/prompt.h>
#include <string.h>
#include <time.h>

void realizar_ids_free(realizar_ids *ids)
{
    if (ids == NULL)
        return;
    trueno_release(ids->allocator, ids->ids, ids->capacity * sizeof *ids->ids);
    *ids = (realizar_ids){0};
}

/* Encode with user[0..n_user) as the places that a user wrote. */
static trueno_status encode(const realizar_engine *e, const char *text, size_t bytes,
                            const realizar_text_span *user, size_t n_user, unsigned flags,
                            realizar_ids *out, trueno_error *err)
{
    realizar_ids ids = {.allocator = e->allocator};
    trueno_status status;

    if (e->tokenizer == NULL)
        return trueno_fail(err, TRUENO_USAGE, "the model has no vocabulary to encode text with");
    ids.capacity = realizar_tokenizer_encode_bound(e->tokenizer, bytes);
    ids.ids = trueno_allocate(e->allocator, ids.capacity * sizeof *ids.ids, 64);
    if (ids.ids == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %zu tokens", ids.capacity);
    status = realizar_tokenizer_encode_spans(e->tokenizer, text, bytes, user, n_user, flags,
                                             ids.ids, ids.capacity, &ids.count, err);
    if (status == TRUENO_OK)
        *out = ids;
    else
        realizar_ids_free(&ids);
    return status;
}

trueno_status realizar_encode_text(const realizar_engine *e, const char *text, size_t bytes,
                                   unsigned flags, realizar_ids *out, trueno_error *err)
{
    return encode(e, text, bytes, NULL, 0, flags, out, err);
}

/* The texts of special tokens, NUL-terminated one after another in one block. */
typedef struct token_texts {
    char *block, *end;
    size_t bytes;
} token_texts;

static const apr_text *token_of(const apr_vocab *vocab, int32_t id)
{
    return id >= 0 && id < vocab->n_tokens ? &vocab->tokens[id] : NULL;
}

/* Point *text at a copy of the token's text, when it is not given and the vocabulary has one. */
static void fill_text(token_texts *t, const apr_text *token, const char **text)
{
    if (*text != NULL || token == NULL)
        return;
    memcpy(t->end, token->data, token->length);
    t->end[token->length] = '\0';
    *text = t->end;
    t->end += token->length + 1;
}

trueno_status realizar_render_chat(const realizar_template *t, const apr_vocab *vocab,
                                   const realizar_chat_input *input, realizar_prompt *prompt,
                                   trueno_error *err)
{
    realizar_chat_input filled;
    token_texts texts = {0};
    trueno_status status;

    realizar_chat_input_init(&filled, sizeof filled);
    memcpy(&filled, input, input->size < sizeof filled ? input->size : sizeof filled);
    if (vocab != NULL) {
        const apr_text *tokens[] = {token_of(vocab, vocab->bos), token_of(vocab, vocab->eos),
                                    token_of(vocab, vocab->unk), token_of(vocab, vocab->pad)};
        const char **fields[] = {&filled.bos_token, &filled.eos_token, &filled.unk_token,
                                 &filled.pad_token};

        for (size_t i = 0; i < 4; i++)
            texts.bytes += tokens[i] != NULL ? tokens[i]->length + 1 : 0;
        texts.block = texts.end = trueno_allocate(template_allocator(t), texts.bytes, 16);
        if (texts.block == NULL)
            return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %zu bytes of special tokens",
                               texts.bytes);
        for (size_t i = 0; i < 4; i++)
            fill_text(&texts, tokens[i], fields[i]);
    }
    status = realizar_template_render(t, &filled, prompt, err);
    trueno_release(template_allocator(t), texts.block, texts.bytes);
    return status;
}

/* The user's text never becomes a special token, the template's does. */
static trueno_status encode_prompt(const realizar_engine *e, const realizar_prompt *prompt,
                                   realizar_ids *out, trueno_error *err)
{
    size_t n_user = 0, bytes = prompt->n_spans * sizeof(realizar_text_span);
    realizar_text_span *user = trueno_allocate(e->allocator, bytes, 16);
    trueno_status status;

    if (user == NULL)
        return trueno_fail(err, TRUENO_NO_MEMORY, "no memory for %zu spans", prompt->n_spans);
    for (size_t i = 0; i < prompt->n_spans; i++)
        if (prompt->spans[i].from_user)
            user[n_user++] = (realizar_text_span){prompt->spans[i].begin, prompt->spans[i].end};
    status =
        encode(e, prompt->text, prompt->bytes, user, n_user, REALIZAR_ENCODE_SPECIAL, out, err);
    trueno_release(e->allocator, user, bytes);
    return status;
}

trueno_status realizar_encode_chat(const realizar_engine *e, const realizar_template *t,
                                   const realizar_chat_input *input, realizar_ids *out,
                                   trueno_error *err)
{
    const char *source = apr_model_chat_template(e->model);
    realizar_template *own = NULL;
    realizar_prompt prompt = {0};
    trueno_status status = TRUENO_OK;

    if (t == NULL && source == NULL)
        return trueno_fail(err, TRUENO_USAGE, "the model has no chat template");
    if (t == NULL)
        status =
            realizar_template_new(&own, source, strlen(source), "chat template", e->allocator, err);
    if (status == TRUENO_OK)
        status = realizar_render_chat(t != NULL ? t : own, apr_model_vocab(e->model), input,
                                      &prompt, err);
    if (status == TRUENO_OK)
        status = encode_prompt(e, &prompt, out, err);
    realizar_prompt_free(&prompt);
    realizar_template_free(own);
    return status;
}

/* The JSON text of one user's message, allocated; NULL with the error set when it cannot be made.
 */
static char *one_message(const realizar_engine *e, const char *question, size_t *bytes,
                         trueno_error *err)
{
    json_t *messages = json_pack("[{s:s, s:s}]", "role", "user", "content", question);
    char *text;

    if (messages == NULL) {
        (void)trueno_fail(err, TRUENO_USAGE, "the question is not UTF-8");
        return NULL;
    }
    *bytes = json_dumpb(messages, NULL, 0, JSON_COMPACT);
    text = trueno_allocate(e->allocator, *bytes, 16);
    if (text == NULL)
        (void)trueno_fail(err, TRUENO_NO_MEMORY, "no memory for a question of %zu bytes", *bytes);
    else
        (void)json_dumpb(messages, text, *bytes, JSON_COMPACT);
    json_decref(messages);
    return text;
}

trueno_status realizar_encode_question(const realizar_engine *e, const char *question,
                                       realizar_ids *out, trueno_error *err)
{
    realizar_chat_input input;
    trueno_error why = {0};
    trueno_status status;
    size_t bytes;
    char *text;

    if (apr_model_chat_template(e->model) == NULL)
        return realizar_encode_text(e, question, strlen(question),
                                    REALIZAR_ENCODE_SPECIAL | REALIZAR_ENCODE_BOS, out, err);
    text = one_message(e, question, &bytes, &why);
    if (text == NULL)
        return trueno_fail(err, why.status, "%s", why.message);
    realizar_chat_input_init(&input, sizeof input);
    input.messages = text;
    input.messages_bytes = bytes;
    input.add_generation_prompt = true;
    input.now = (int64_t)time(NULL);
    status = realizar_encode_chat(e, NULL, &input, out, err);
    trueno_release(e->allocator, text, bytes);
    return status;
}
