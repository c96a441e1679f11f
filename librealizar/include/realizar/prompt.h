/* SPDX-License-Identifier: MIT */
/**
 * @file prompt.h  From a text or a conversation to the token ids of a prompt.
 *
 * These put chat templates (chat.h) and the tokenizer (tokenizer.h) together as `apr run` does: the
 * template's special tokens are meant, those that a user writes are only text.
 */
#ifndef REALIZAR_PROMPT_H
#define REALIZAR_PROMPT_H

#include <realizar/chat.h>
#include <realizar/engine.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Token ids of a prompt. Zero it before use; free with realizar_ids_free(). */
typedef struct realizar_ids {
    int32_t *ids; /**< `count` of them */
    size_t count;
    size_t capacity;
    const trueno_allocator *allocator; /**< what realizar_ids_free() gives the memory back to */
} realizar_ids;

/** Free what an encoding filled in and zero *ids. A zeroed one and NULL are fine. */
TRUENO_API void realizar_ids_free(realizar_ids *ids);

/**
 * Raw text: `bytes` bytes, with flags as realizar_tokenizer_encode() takes them;
 * REALIZAR_ENCODE_SPECIAL | REALIZAR_ENCODE_BOS is what a whole prompt needs. Errors: those of
 * realizar_tokenizer_encode(); TRUENO_USAGE when the engine has no vocabulary. *out is untouched on
 * failure. Any thread; so with the other functions here.
 */
TRUENO_API trueno_status realizar_encode_text(const realizar_engine *engine, const char *text,
                                              size_t bytes, unsigned flags, realizar_ids *out,
                                              trueno_error *err);

/**
 * Render as realizar_template_render(), with the special tokens' texts that *input leaves NULL
 * taken from `vocab` (NULL: they stay undefined).
 */
TRUENO_API trueno_status realizar_render_chat(const realizar_template *t, const apr_vocab *vocab,
                                              const realizar_chat_input *input,
                                              realizar_prompt *prompt, trueno_error *err);

/**
 * A conversation: rendered by `t` (NULL: the model's own template, compiled for this call; then
 * TRUENO_USAGE when it has none) and encoded so that nothing out of messages, tools or variables
 * becomes a special token. BOS comes from the template alone. Errors: those of
 * realizar_template_new(), realizar_template_render() and realizar_tokenizer_encode_spans().
 */
TRUENO_API trueno_status realizar_encode_chat(const realizar_engine *engine,
                                              const realizar_template *t,
                                              const realizar_chat_input *input, realizar_ids *out,
                                              trueno_error *err);

/**
 * One question, NUL-terminated UTF-8: a user's message through the model's own chat template with
 * the opening of the answer, or raw text for a model without a template.
 */
TRUENO_API trueno_status realizar_encode_question(const realizar_engine *engine,
                                                  const char *question, realizar_ids *out,
                                                  trueno_error *err);

#ifdef __cplusplus
}
#endif
#endif
