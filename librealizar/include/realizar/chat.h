/* SPDX-License-Identifier: MIT */
/**
 * @file chat.h  Chat templates: from a list of messages to the text of a prompt.
 *
 * The templates are those that models carry, written in Jinja2 and meant for the settings of
 * Hugging Face transformers (trim_blocks, lstrip_blocks, loop controls, the immutable sandbox).
 * They arrive inside model files, so they are run as hostile programs: no file or attribute of the
 * process can be reached, and steps, depth, memory and output are limited. docs/chat-templates.md
 * says what is supported.
 *
 * Texts are UTF-8 with a length and need no NUL; a NULL text with length 0 is an absent one.
 */
#ifndef REALIZAR_CHAT_H
#define REALIZAR_CHAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <trueno/error.h>
#include <trueno/memory.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A compiled template; immutable, so any number of threads may render it at once. */
typedef struct realizar_template realizar_template;

/**
 * Compile `bytes` bytes of template source (copied; at most 1 MiB). `name` is what errors call it,
 * such as a file name (copied; NULL: "template"). `allocator` (NULL: default) serves this object
 * and its renderings and must outlive it.
 *
 * TRUENO_FORMAT for a syntax error, TRUENO_UNSUPPORTED for a construct that is not offered
 * (include, import, extends...); the message begins with "name:line:column: ".
 */
TRUENO_API trueno_status realizar_template_new(realizar_template **out, const char *source,
                                               size_t bytes, const char *name,
                                               const trueno_allocator *allocator,
                                               trueno_error *err);

/** NULL is fine. */
TRUENO_API void realizar_template_free(realizar_template *t);

/** What a template is rendered with. Fill with realizar_chat_input_init(), then set fields. */
typedef struct realizar_chat_input {
    size_t size; /**< sizeof of the caller's struct */

    const char *messages; /**< JSON array of message objects; absent: `messages` is undefined */
    size_t messages_bytes;
    const char *tools; /**< JSON array of tool descriptions; absent: `tools` is none */
    size_t tools_bytes;
    const char *variables; /**< JSON object of further variables (enable_thinking...), or absent */
    size_t variables_bytes;

    /** Texts of special tokens; NULL: the variable is undefined. Trusted, as template text is. */
    const char *bos_token;
    const char *eos_token;
    const char *unk_token;
    const char *pad_token;

    bool add_generation_prompt; /**< end with the opening of the assistant's turn */
    int64_t now; /**< what strftime_now() formats: seconds since 1970 UTC, shown in local time */

    /* Limits; 0: the default. Going over one is TRUENO_CONTENT, naming the limit. */
    uint64_t max_steps;      /**< expressions and statements evaluated (default 10 million) */
    size_t max_memory_bytes; /**< working memory of this rendering (default 512 MiB) */
    size_t max_output_bytes; /**< of the prompt, and of any one string (default 64 MiB) */
} realizar_chat_input;

/** Zero `size` bytes of *input and set its `size`; pass sizeof(realizar_chat_input). */
TRUENO_API void realizar_chat_input_init(realizar_chat_input *input, size_t size);

/** Bytes [begin, end) of a prompt, all of one origin. */
typedef struct realizar_prompt_span {
    size_t begin;
    size_t end;
    /**
     * True: these bytes came out of messages, tools or variables, however the template cut, joined
     * or converted them; text that looks like a special token here is only text. False: the
     * template's own text (and the special token texts), where special tokens are meant.
     *
     * Two exceptions, both harmless: numbers and True/False/None printed by themselves are not
     * marked, and neither is a message's role when it consists of letters, digits, '_' and '-'
     * (templates build tokens such as <|user|> around it).
     */
    bool from_user;
} realizar_prompt_span;

/** A rendered prompt. Zero it before use; free with realizar_prompt_free(). */
typedef struct realizar_prompt {
    char *text; /**< `bytes` bytes of UTF-8, and a NUL after them */
    size_t bytes;
    realizar_prompt_span *spans; /**< cover the text without gaps, origins alternating */
    size_t n_spans;
    size_t spans_capacity;
    const trueno_allocator *allocator; /**< what realizar_prompt_free() gives the memory back to */
} realizar_prompt;

/**
 * Render. As transformers does, keys of a message whose value is null are left out first, and a
 * message's reasoning is found under all its names (reasoning_content, thinking).
 *
 * TRUENO_FORMAT for JSON that is not well-formed or not of the described kind; TRUENO_USAGE when
 * the template itself refuses the messages (raise_exception; its text is the message's end);
 * TRUENO_CONTENT for any other error while running (an attribute of something undefined, a wrong
 * operand, a limit), TRUENO_UNSUPPORTED for what is not offered, TRUENO_NO_MEMORY. Errors of the
 * template begin with "name:line:column: ". *prompt is untouched on failure.
 */
TRUENO_API trueno_status realizar_template_render(const realizar_template *t,
                                                  const realizar_chat_input *input,
                                                  realizar_prompt *prompt, trueno_error *err);

/** Free what a rendering filled in and zero *prompt. A zeroed one and NULL are fine. */
TRUENO_API void realizar_prompt_free(realizar_prompt *prompt);

/** Source of the built-in template of this name (chatml, llama3...; static), or NULL. */
TRUENO_API const char *realizar_template_preset(const char *name);

/** Name of the i-th built-in template, or NULL past the last. */
TRUENO_API const char *realizar_template_preset_name(size_t i);

#ifdef __cplusplus
}
#endif
#endif
